//! The two passes of the LPN code over blocks of eight cells (silent-vole.md, "The code").
//!
//! A cell is one or two values side by side: the sender convolves B alone, the receiver A and C at once. The matrices
//! are public; the values are secret and decide no branch and no address.

#![allow(clippy::missing_panics_doc)] // another length is a fault of ours

use super::Backend;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bw;
#[cfg(test)]
pub(super) mod tests;

/// Cells of a block.
pub const BLOCK: usize = 8;
/// Blocks before it that a block depends on.
pub const WINDOW: usize = 3;

/// The matrices `L`, `M1`, `M2`, `M3` of one block: byte `c` of each is column `c`, its bit `r` the entry in row `r`.
pub type Matrices = [u64; 1 + WINDOW];

impl Backend {
    /// Runs both passes over the cells, in place; each pass has the matrices of every block.
    pub fn convolve<const LANES: usize>(self, passes: [&[Matrices]; 2], cells: &mut [[u128; LANES]]) {
        let (blocks, rest) = cells.as_chunks_mut::<BLOCK>();
        assert!(rest.is_empty() && blocks.len() >= WINDOW, "whole blocks, and a window of them");
        assert!(passes.iter().all(|matrices| matrices.len() == blocks.len()), "matrices for every block");
        match self {
            Self::Portable => passes.iter().for_each(|matrices| pass(matrices, blocks)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(evidence) => avx2::convolve(evidence, passes, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(evidence) => avx512::convolve(evidence, passes, blocks),
        }
    }
}

impl Backend {
    /// Writes for each list of places the sum of the cells there. The places are public, and all are in the list.
    pub fn gather<const LANES: usize, const TAPS: usize>(
        self,
        taps: &[[u32; TAPS]],
        cells: &[[u128; LANES]],
        sums: &mut [[u128; LANES]],
    ) {
        assert_eq!(taps.len(), sums.len());
        match self {
            Self::Portable => gather(taps, cells, sums),
            // Wider vectors gain nothing: a cell has at most 256 bits.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => avx2::gather_cells(self, taps, cells, sums),
        }
    }

    /// Folds the upper half of `2^BITS` rows onto the lower one, and again down to one: row 0 ends with the sum of all,
    /// and entry `b` of the result is the sum of the rows whose number has bit `b`.
    #[must_use]
    pub fn fold<const BITS: usize, const WIDTH: usize>(self, rows: &mut [[u128; WIDTH]]) -> [[u128; WIDTH]; BITS] {
        assert_eq!(rows.len(), 1 << BITS);
        match self {
            Self::Portable => fold(rows),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) | Self::Avx512(_) => avx2::fold_rows(self, rows),
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // compiled once more with AVX2
fn gather<const LANES: usize, const TAPS: usize>(
    taps: &[[u32; TAPS]],
    cells: &[[u128; LANES]],
    sums: &mut [[u128; LANES]],
) {
    for (taps, sum) in taps.iter().zip(sums) {
        let mut total = [0; LANES];
        for tap in taps {
            add(&mut total, &cells[*tap as usize]);
        }
        *sum = total;
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // compiled once more with AVX2
fn fold<const BITS: usize, const WIDTH: usize>(rows: &mut [[u128; WIDTH]]) -> [[u128; WIDTH]; BITS] {
    let mut sums = [[0; WIDTH]; BITS];
    for (bit, sum) in sums.iter_mut().enumerate().rev() {
        let (low, high) = rows[..2 << bit].split_at_mut(1 << bit);
        for (low, high) in low.iter_mut().zip(high) {
            add(low, high);
            add(sum, high);
        }
    }
    sums
}

/// A block of cells.
type Cells<const LANES: usize> = [[u128; LANES]; BLOCK];

/// All sums of the first and of the last four cells of a block: a row of a matrix is two of them (the method of the
/// four Russians).
struct Sums<const LANES: usize> {
    low: [[u128; LANES]; 16],
    high: [[u128; LANES]; 16],
}

impl<const LANES: usize> Sums<LANES> {
    const ZERO: Self = Self { low: [[0; LANES]; 16], high: [[0; LANES]; 16] };

    fn of(cells: &Cells<LANES>) -> Self {
        let mut sums = Self::ZERO;
        for (table, cells) in [(&mut sums.low, &cells[..4]), (&mut sums.high, &cells[4..])] {
            for (bit, cell) in cells.iter().enumerate() {
                for index in 0..1 << bit {
                    table[index | 1 << bit] = table[index];
                    add(&mut table[index | 1 << bit], cell);
                }
            }
        }
        sums
    }

    /// Adds the product of a matrix and the block to `target`.
    fn add_product(&self, columns: u64, target: &mut Cells<LANES>) {
        for (row, cell) in transpose(columns).to_le_bytes().into_iter().zip(target) {
            add(cell, &self.low[usize::from(row & 15)]);
            add(cell, &self.high[usize::from(row >> 4)]);
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // a few instructions
fn add<const LANES: usize>(cell: &mut [u128; LANES], other: &[u128; LANES]) {
    for (value, other) in cell.iter_mut().zip(other) {
        *value ^= other;
    }
}

/// Exchanges rows and columns of a bit matrix of eight bytes (Warren, "Hacker's Delight", section 7-3).
fn transpose(mut bits: u64) -> u64 {
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let difference = (bits ^ bits >> shift) & mask;
        bits ^= difference ^ difference << shift;
    }
    bits
}

fn pass<const LANES: usize>(matrices: &[Matrices], blocks: &mut [Cells<LANES>]) {
    let mut previous = [Sums::ZERO, Sums::ZERO, Sums::ZERO]; // the nearest first
    for (matrices, block) in matrices.iter().zip(&mut *blocks) {
        for (columns, sums) in matrices[1..].iter().zip(&previous) {
            sums.add_product(*columns, block);
        }
        let sums = Sums::of(block);
        *block = [[0; LANES]; BLOCK];
        sums.add_product(matrices[0], block);
        previous.rotate_right(1);
        previous[0] = Sums::of(block);
    }
    // The end feeds the start: block i lies behind the last blocks as if the list were a ring.
    for (i, block) in blocks[..WINDOW].iter_mut().enumerate() {
        let mut sum = [[0; LANES]; BLOCK];
        for (columns, sums) in matrices[i][i + 1..].iter().zip(&previous) {
            sums.add_product(*columns, &mut sum);
        }
        Sums::of(&sum).add_product(matrices[i][0], block);
    }
}
