//! The values of items of one bin, from its columns. Specified in okvs.md, "Decode".

use std::hint::black_box;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::params::DENSE;
use super::partition::Key;
use super::rows::{CHUNK, RowHash};

/// Dense columns that one look-up adds: the bits of a byte of a hash word.
const DIGIT_BITS: usize = 8;
/// Values of a digit.
const DIGITS: usize = 1 << DIGIT_BITS;

/// The sums of the dense columns of a bin: for each digit of the dense bits, the sum for each of its values.
#[derive(ZeroizeOnDrop)]
struct DenseSums([[u128; DIGITS]; DENSE / DIGIT_BITS]);

impl DenseSums {
    #[allow(clippy::large_stack_arrays)] // 24 KiB, once for each bin
    fn new(columns: &[u128]) -> Self {
        #[allow(clippy::large_stack_arrays)] // 24 KiB, in the first-level cache
        let mut sums = [[0; DIGITS]; DENSE / DIGIT_BITS];
        for (sums, columns) in sums.iter_mut().zip(columns.chunks(DIGIT_BITS)) {
            for digit in 1..DIGITS {
                sums[digit] = sums[digit & (digit - 1)] ^ columns[digit.trailing_zeros() as usize];
            }
        }
        Self(sums)
    }

    /// Returns the sum for an item, from its hash.
    #[inline]
    fn of(&self, block: u128) -> u128 {
        let bytes = block.to_le_bytes();
        let sums = |i: usize, byte: usize| self.0[i][usize::from(bytes[byte])];
        sums(0, 4) ^ sums(1, 5) ^ sums(2, 8) ^ sums(3, 9) ^ sums(4, 12) ^ sums(5, 13)
    }
}

/// One bin's columns, made ready to decode many items. The sums it holds are wiped when dropped; it has no `Debug`.
pub struct BinDecoder<'a> {
    rows: &'a RowHash,
    parts: [&'a [u128]; 3],
    dense: DenseSums,
}

impl<'a> BinDecoder<'a> {
    /// Takes the columns of a bin of P, of B' or of C: decoding is linear.
    ///
    /// They are read once in order, which brings them into the cache at the speed of memory; the accesses of decoding are
    /// in random order, and would wait for every line. Worth it for a quarter of the load and more.
    ///
    /// # Panics
    ///
    /// If `columns` has not the length of a bin.
    #[must_use]
    pub fn new(rows: &'a RowHash, columns: &'a [u128]) -> Self {
        const LINE: usize = 64 / size_of::<u128>();
        let parameters = rows.parameters();
        assert_eq!(columns.len(), parameters.bin_columns());
        black_box(columns.iter().step_by(LINE).fold(0, |sum, column| sum ^ column));
        let (first, rest) = columns.split_at(parameters.part);
        let (second, rest) = rest.split_at(parameters.part);
        let (third, dense) = rest.split_at(parameters.part);
        Self { rows, parts: [first, second, third], dense: DenseSums::new(dense) }
    }

    /// Writes what items of the bin decode to: blocks of the field over the values.
    ///
    /// # Panics
    ///
    /// If `decoded` has not the length of `items`.
    pub fn decode<K: Key>(&self, items: &[K], decoded: &mut [u128]) {
        assert_eq!(items.len(), decoded.len());
        let [first, second, third] = self.parts;
        let mut blocks = [0; CHUNK];
        for (items, decoded) in items.chunks(CHUNK).zip(decoded.chunks_mut(CHUNK)) {
            let blocks = &mut blocks[..items.len()];
            self.rows.blocks(items, blocks);
            for (decoded, block) in decoded.iter_mut().zip(&*blocks) {
                let [i, j, k] = self.rows.positions(*block);
                *decoded = first[i] ^ second[j] ^ third[k] ^ self.dense.of(*block);
            }
        }
        blocks.zeroize();
    }
}
