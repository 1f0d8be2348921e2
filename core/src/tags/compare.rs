//! Which of a receiver's own tags are among an ascending list of the sender that arrives in pieces.

use rayon::prelude::*;

use crate::buckets::{Buckets, Table, Word};

/// Tags of the peer that one thread looks up at a time at most, unless there are more own tags that begin like them.
const PIECE: usize = 1 << 13;

/// A receiver's own tags, ready to be looked up.
pub struct OwnTags {
    /// The first bits of each tag, which settle nearly every comparison, above the number of its item.
    keys: Buckets<u64>,
    /// How many low bits of a key are the number of the item.
    item_bits: u32,
    /// The tag of each item.
    tags: Vec<u128>,
}

impl OwnTags {
    /// Takes the tag of each item.
    #[must_use]
    pub fn new(tags: Vec<u128>) -> Self {
        let item_bits = usize::BITS - tags.len().leading_zeros();
        let keys = Buckets::new(tags.len(), |first, keys| {
            for (item, (key, tag)) in (first..).zip(keys.iter_mut().zip(&tags[first..])) {
                *key = beginning(*tag, item_bits) | item as u64;
            }
        });
        Self { keys, item_bits, tags }
    }

    /// Returns the items whose tag is among those of the peer, an ascending list; an item may be there twice.
    #[must_use]
    pub fn among(&self, peer: &[u128]) -> Vec<u32> {
        let bucket_of = |tag: &u128| tag.digit(0, self.keys.bits());
        let (Some(first), Some(last)) = (peer.first(), peer.last()) else { return Vec::new() };
        let mut rest = peer;
        let mut pieces = Vec::new();
        for bucket in bucket_of(first)..=bucket_of(last) {
            let (tags, behind) = rest.split_at(rest.partition_point(|tag| bucket_of(tag) <= bucket));
            pieces.extend(tags.chunks(PIECE.max(self.keys.len(bucket))).map(|tags| (bucket, tags)));
            rest = behind;
        }
        let matched: Vec<Vec<u32>> = pieces
            .into_par_iter()
            .map_init(Table::default, |table, (bucket, tags)| self.look_up(bucket, tags, table))
            .collect();
        matched.concat()
    }

    /// Looks up tags of the peer that belong to one bucket.
    fn look_up(&self, bucket: usize, peer: &[u128], table: &mut Table) -> Vec<u32> {
        table.clear(self.keys.len(bucket), self.keys.bits(), self.item_bits);
        self.keys.shares(bucket).flatten().for_each(|key| table.insert(*key));
        let mut matched = Vec::new();
        for tag in peer {
            let mine = beginning(*tag, self.item_bits);
            for key in table.chain(mine) {
                #[allow(clippy::cast_possible_truncation)] // items are fewer than 2^32
                let item = (key & !(u64::MAX << self.item_bits)) as u32;
                if (key ^ mine) >> self.item_bits == 0 && self.tags[item as usize] == *tag {
                    matched.push(item);
                }
            }
        }
        matched
    }
}

/// Returns as many of the first bits of a tag as a key has beside the number of an item, in their place.
#[inline]
#[allow(clippy::cast_possible_truncation)] // at most 64 bits
fn beginning(tag: u128, item_bits: u32) -> u64 {
    (tag >> 64) as u64 >> item_bits << item_bits
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small test values
mod tests {
    use super::*;

    fn pseudorandom(count: usize, name: &[u8]) -> Vec<u128> {
        let mut xof = blake3::Hasher::new().update(name).finalize_xof();
        let mut bytes = vec![0; 16 * count];
        xof.fill(&mut bytes);
        bytes.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn the_matches_are_those_of_a_plain_join() {
        // 8,192: a piece of the peer's, and more than two buckets of own tags
        for (n_own, n_peer) in [
            (0, 0),
            (0, 5),
            (5, 0),
            (1, 1),
            (1000, 10),
            (10, 30_000),
            (3000, 8191),
            (3000, 8193),
            (8193, 20_000),
            (70_000, 3),
            (70_000, 70_000),
        ] {
            let own = pseudorandom(n_own, b"own");
            let mut peer = pseudorandom(n_peer, b"peer");
            let mut expected: Vec<u32> = Vec::new();
            for item in (0..n_own.min(n_peer)).step_by(3) {
                peer[item] = own[item];
                expected.push(item as u32);
            }
            peer.sort_unstable();
            let mut matched = OwnTags::new(own).among(&peer);
            matched.sort_unstable();
            assert_eq!(matched, expected, "{n_own} x {n_peer}");
        }
    }

    #[test]
    fn tags_that_agree_in_half_their_bits_are_told_apart() {
        let own: Vec<u128> = [5, 6, 6 << 64 | 1, 6 << 64 | 2, 6 << 64 | 3, 7 << 64].to_vec();
        let own = OwnTags::new(own);
        let mut matched = own.among(&[6, 6 << 64, 6 << 64 | 1, 6 << 64 | 3, 6 << 64 | 4, 7 << 64 | 1]);
        matched.sort_unstable();
        assert_eq!(matched, [1, 2, 4]);
    }

    #[test]
    fn an_own_tag_of_two_items_matches_both() {
        let mut matched = OwnTags::new(vec![3 << 64, 4, 3 << 64]).among(&[3 << 64, 3 << 64]);
        matched.sort_unstable();
        matched.dedup();
        assert_eq!(matched, [0, 2]);
    }
}
