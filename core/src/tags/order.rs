//! The secret order in which a sender of very many items takes them, batch by batch (vole.md, "Batches").

use std::ops::Range;

use zeroize::ZeroizeOnDrop;

/// Up to so many items make one batch.
pub const ONE_BATCH: usize = 1 << 24;
/// At most so many items are in a batch if there are several.
pub const BATCH: usize = 1 << 23;
/// Rounds of the permutation, as in FF1 (NIST SP 800-38G).
const ROUNDS: usize = 10;

/// Returns the positions of each batch of `count` items; none if there is no item.
#[must_use]
pub fn batches(count: usize) -> Vec<Range<usize>> {
    split(count, if count <= ONE_BATCH { 1 } else { count.div_ceil(BATCH) })
}

/// Cuts `0..count` into `parts` ranges, the first ones longer by one if it does not divide.
fn split(count: usize, parts: usize) -> Vec<Range<usize>> {
    let mut start = 0;
    let ranges = (0..parts).map(|part| {
        let end = start + count / parts + usize::from(part < count % parts);
        std::mem::replace(&mut start, end)..end
    });
    ranges.filter(|range| !range.is_empty()).collect()
}

/// A secret permutation of `0..count`: a Feistel network of random tables, walked until it stays below `count`.
///
/// Wiped when dropped; it has no `Debug`. Memory access depends on the tables; the order protects against the peer.
#[derive(ZeroizeOnDrop)]
pub struct Order {
    #[zeroize(skip)]
    count: usize,
    #[zeroize(skip)]
    half_bits: u32,
    tables: Vec<u16>,
}

impl Order {
    /// Draws the permutation of `count` items from an endless random stream, which `fill` reads.
    ///
    /// `count` is at most 2^28, so that a half has at most 14 bits.
    pub fn draw(count: usize, mut fill: impl FnMut(&mut [u8])) -> Self {
        let bits = count.saturating_sub(1).checked_ilog2().map_or(0, |log| log + 1);
        let half_bits = bits.div_ceil(2);
        debug_assert!(half_bits <= 14);
        let mut bytes = zeroize::Zeroizing::new(vec![0; (2 * ROUNDS) << half_bits]);
        fill(&mut bytes);
        let mask = (1_u16 << half_bits) - 1;
        let tables = bytes.as_chunks().0.iter().map(|word| u16::from_le_bytes(*word) & mask).collect();
        Self { count, half_bits, tables }
    }

    /// Returns which item stands at a position of the order.
    #[must_use]
    pub fn item(&self, position: usize) -> usize {
        debug_assert!(position < self.count);
        let mask = (1_usize << self.half_bits) - 1;
        let mut value = position;
        loop {
            let (mut left, mut right) = (value >> self.half_bits, value & mask);
            for table in self.tables.chunks_exact(1 << self.half_bits) {
                (left, right) = (right, left ^ usize::from(table[right]));
            }
            value = left << self.half_bits | right;
            if value < self.count {
                return value;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // small test values
mod tests {
    use super::*;

    fn draw(count: usize) -> Order {
        let mut xof = blake3::Hasher::new().update(b"order").finalize_xof();
        Order::draw(count, |bytes| xof.fill(bytes))
    }

    #[test]
    fn the_order_has_every_item_once() {
        for count in [1, 2, 3, 4, 5, 255, 256, 257, 1000, 65_536, 65_537] {
            let order = draw(count);
            let mut seen = vec![false; count];
            for position in 0..count {
                assert!(!std::mem::replace(&mut seen[order.item(position)], true));
            }
            assert!(seen.iter().all(|&seen| seen));
        }
    }

    #[test]
    fn neighbours_are_torn_apart() {
        // Of 65,536 pairs of neighbours about two stay neighbours in a random order.
        let order = draw(1 << 16);
        let stay = (1..1 << 16).filter(|&j| order.item(j).abs_diff(order.item(j - 1)) == 1).count();
        assert!(stay < 20, "{stay}");
    }

    #[test]
    fn batches_follow_from_the_number_of_items_alone() {
        assert_eq!(batches(0), []);
        assert_eq!(batches(1), [0..1]);
        assert_eq!(batches(ONE_BATCH), [0..ONE_BATCH]);
        let several = batches(ONE_BATCH + 1);
        assert_eq!(several, [0..5_592_406, 5_592_406..11_184_812, 11_184_812..ONE_BATCH + 1]);
        assert!(batches(1 << 28).iter().all(|batch| batch.len() == BATCH));
        let many = batches(160_000_000);
        assert_eq!(many.len(), 20);
        assert!(many.iter().all(|batch| batch.len() == 8_000_000));
    }
}
