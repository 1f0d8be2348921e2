//! An order in which the rows of a bin can be solved, by peeling; specified in okvs.md, "Triangulate".
//!
//! A column of which one row is left gives that row its pivot; the row goes, and other columns may come down to one. A
//! cell holds all that is known of its column: the number of rows left, and the sum of their packed rows, which is the
//! row itself when one is left. So no step looks a row up. The inner loop has no branch that depends on rows: a column
//! that is taken from the queue when its last row is gone already does the same work with a row of zeros.

use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::leftover::{self, Leftover};
use super::params::MOST_GAPS;
use super::partition::{Bins, Key};
use super::rows::{CHUNK, POSITION_BITS, ROW_BITS, RowHash, position};
use crate::backend::memory;
use crate::error::CoreError;

/// One row in the count of a cell.
const ONE: u64 = 1 << COUNT_SHIFT;
/// Bits below the count of a cell: a packed row.
const COUNT_SHIFT: u32 = 54;
const PACKED_MASK: u64 = ONE - 1;
/// Cells of a bin, and steps of its queue: a power of two, so that an index needs no check.
const CELLS: usize = 1 << 15;

/// A position, behind the bits of the part.
const POSITION_MASK: usize = (1 << POSITION_BITS) - 1;

/// The other two parts of each part, in their order: the first cell, and where its position lies in a packed row. The
/// last line is never used.
const OTHER_PARTS: [[(usize, u32); 2]; 4] = {
    const fn part(part: usize) -> (usize, u32) {
        #[allow(clippy::cast_possible_truncation)] // at most two
        (part << POSITION_BITS, ROW_BITS + POSITION_BITS * part as u32)
    }
    [[part(1), part(2)], [part(0), part(2)], [part(0), part(1)], [part(0), part(1)]]
};

/// The cell of a row in a part, in an array with 2^13 cells a part.
#[inline]
fn cell(packed: u64, part: usize) -> usize {
    part << POSITION_BITS | position(packed, part)
}

/// The part in which a row has its pivot.
#[inline]
#[allow(clippy::cast_possible_truncation)] // two bits
pub(super) fn pivot_part(pivot: u64) -> usize {
    (pivot >> COUNT_SHIFT) as usize % 3
}

/// The orders of all bins: the store can be encoded. Wiped when dropped; it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct Triangulated {
    /// Packed rows with the part of their pivot above them, in the order in which they were taken, bin after bin.
    pivots: Vec<u64>,
    #[zeroize(skip)] // loads of bins are not secret once the store is gone
    starts: Vec<usize>,
    leftovers: Vec<Option<Leftover>>,
}

impl Triangulated {
    /// Finds the order of every bin; `bins` is the receiver's list, without two equal items.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotEncodable`] if a bin has more items than its load, more than eight gap rows, or dependent ones,
    /// which happens with probability below 2^-41 over the choice of `r`: the run ends, and no other `r` is tried in it.
    pub fn new<K: Key>(rows: &RowHash, bins: &Bins<K>) -> Result<Self, CoreError> {
        let starts = bins.starts().to_vec();
        let mut pivots = memory::zeroed(starts[starts.len() - 1] + 1);
        let mut parts = Vec::with_capacity(starts.len());
        let mut rest = pivots.as_mut_slice();
        for bin in 0..starts.len() - 1 {
            let (part, others) = rest.split_at_mut(bins.items(bin).len());
            parts.push(part);
            rest = others;
        }
        let leftovers: Result<_, _> = parts
            .into_par_iter()
            .enumerate()
            .map_init(Scratch::new, |scratch, (bin, pivots)| scratch.order(rows, bins.items(bin), pivots))
            .collect();
        Ok(Self { pivots, starts, leftovers: leftovers? })
    }

    /// Returns the pivots of a bin, and its leftover.
    pub(super) fn order(&self, bin: usize) -> (&[u64], Option<&Leftover>) {
        let leftover = self.leftovers[bin].as_ref();
        let gaps = leftover.map_or(0, Leftover::gaps);
        (&self.pivots[self.starts[bin]..self.starts[bin + 1] - gaps], leftover)
    }

    /// Returns the number of bins that have a leftover core.
    #[must_use]
    pub fn leftover_bins(&self) -> usize {
        self.leftovers.iter().flatten().count()
    }
}

/// The memory of one thread. Wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub(super) struct Scratch {
    cells: Box<[u64; CELLS]>,
    queue: Box<[u16; CELLS]>,
    head: usize,
    tail: usize,
}

impl Scratch {
    pub(super) fn new() -> Self {
        #[allow(clippy::unwrap_used)] // the lengths are those of the arrays
        Self {
            cells: vec![0; CELLS].into_boxed_slice().try_into().unwrap(),
            queue: vec![0; CELLS].into_boxed_slice().try_into().unwrap(),
            head: 0,
            tail: 0,
        }
    }

    /// Finds the order of one bin; `pivots` has a place for each item.
    pub(super) fn order<K: Key>(
        &mut self,
        hash: &RowHash,
        items: &[K],
        pivots: &mut [u64],
    ) -> Result<Option<Leftover>, CoreError> {
        let parameters = hash.parameters();
        if items.len() > parameters.load {
            return Err(CoreError::NotEncodable);
        }
        self.fill_cells(hash, items);
        self.fill_queue(parameters.part, items.len())?;
        let mut taken = self.peel(pivots, 0);
        if taken == items.len() {
            return Ok(None);
        }

        let mut rows = vec![0; items.len()];
        hash.pack(items, &mut rows);
        let mut gaps = Vec::new();
        while taken + gaps.len() < items.len() {
            let (pivot, new_gaps) = self.break_core(parameters.part, &rows, &pivots[..taken], &gaps);
            gaps.extend(new_gaps);
            if gaps.len() > MOST_GAPS {
                return Err(CoreError::NotEncodable);
            }
            pivots[taken] = pivot;
            taken = self.peel(pivots, taken + 1);
        }
        rows.zeroize();
        leftover::solve(hash, items, &pivots[..taken], gaps).map(Some)
    }

    /// Returns how many rows of a bin peeling leaves.
    #[cfg(test)]
    pub(super) fn leftover_rows<K: Key>(&mut self, hash: &RowHash, items: &[K], pivots: &mut [u64]) -> usize {
        self.fill_cells(hash, items);
        self.fill_queue(hash.parameters().part, items.len())
            .map_or(items.len(), |()| items.len() - self.peel(pivots, 0))
    }

    /// Adds the row of every item to its columns.
    fn fill_cells<K: Key>(&mut self, hash: &RowHash, items: &[K]) {
        for cells in self.cells.chunks_mut(1 << POSITION_BITS) {
            cells[..hash.parameters().part].fill(0);
        }
        let mut rows = [0; CHUNK];
        for (chunk, items) in items.chunks(CHUNK).enumerate() {
            let rows = &mut rows[..items.len()];
            hash.pack_from(chunk * CHUNK, items, rows);
            for packed in rows {
                for part in 0..3 {
                    let cell = &mut self.cells[cell(*packed, part)];
                    *cell = (*cell ^ *packed).wrapping_add(ONE);
                }
            }
        }
        rows.zeroize();
    }

    /// Queues, in ascending order, the columns with one row.
    fn fill_queue(&mut self, part: usize, items: usize) -> Result<(), CoreError> {
        (self.head, self.tail) = (0, 0);
        let mut total = 0;
        for i in 0..3 {
            let first = i << POSITION_BITS;
            for (position, cell) in self.cells[first..first + part].iter().enumerate() {
                let count = cell >> COUNT_SHIFT;
                total += count;
                self.queue[self.tail % CELLS] = narrow(first | position);
                self.tail += usize::from(count == 1);
            }
        }
        // The counts have ten bits. More than 1023 rows of one column are possible only for items made for it.
        if total == 3 * items as u64 { Ok(()) } else { Err(CoreError::NotEncodable) }
    }

    /// Works through the queue; returns the number of pivots.
    ///
    /// The pivot's own cell keeps its row: nothing looks at it again but [`Scratch::break_core`], which wants two rows.
    fn peel(&mut self, pivots: &mut [u64], mut taken: usize) -> usize {
        let (cells, queue) = (&mut *self.cells, &mut *self.queue);
        let (mut head, mut tail) = (self.head, self.tail);
        while head != tail && taken < pivots.len() {
            let column = usize::from(queue[head % CELLS]);
            head += 1;
            let single = cells[column % CELLS] >> COUNT_SHIFT == 1;
            let mask = u64::from(single).wrapping_neg();
            let packed = cells[column % CELLS] & mask & PACKED_MASK;
            let part = column >> POSITION_BITS;
            for (first, shift) in OTHER_PARTS[part % 4] {
                let column = first | ((packed >> shift) as usize & POSITION_MASK);
                let rest = (cells[column % CELLS] ^ packed).wrapping_sub(ONE & mask);
                cells[column % CELLS] = rest;
                queue[tail % CELLS] = narrow(column);
                tail += usize::from(rest & mask & !PACKED_MASK == ONE);
            }
            pivots[taken] = packed | ((part as u64) << COUNT_SHIFT);
            taken += usize::from(single);
        }
        (self.head, self.tail) = (head, tail);
        taken
    }

    /// Takes a pivot from rows of which no column has exactly one: the lowest of the columns with the fewest rows; its
    /// lowest row becomes the pivot, and its other rows, in ascending order, become gap rows.
    fn break_core(&mut self, part: usize, rows: &[u64], pivots: &[u64], gaps: &[u64]) -> (u64, Vec<u64>) {
        let mut left = vec![true; rows.len()];
        for gone in pivots.iter().chain(gaps) {
            left[leftover::number(*gone)] = false;
        }
        let mut least = (u64::MAX, 0);
        for i in 0..3 {
            for column in i << POSITION_BITS..(i << POSITION_BITS) + part {
                let count = self.cells[column] >> COUNT_SHIFT;
                if count > 1 && count < least.0 {
                    least = (count, column);
                }
            }
        }
        let column = least.1;
        let pivot_part = column >> POSITION_BITS;
        let of_column = |row: &u64| left[leftover::number(*row)] && cell(*row, pivot_part) == column;
        let mut of_column: Vec<u64> = rows.iter().copied().filter(of_column).collect();
        for packed in &of_column {
            for i in 0..3 {
                let column = cell(*packed, i);
                let rest = (self.cells[column] ^ packed).wrapping_sub(ONE);
                self.cells[column] = rest;
                self.queue[self.tail % CELLS] = narrow(column);
                self.tail += usize::from(rest >> COUNT_SHIFT == 1);
            }
        }
        let gaps = of_column.split_off(1);
        (of_column[0] | ((pivot_part as u64) << COUNT_SHIFT), gaps)
    }
}

/// A column as the queue holds it.
#[inline]
#[allow(clippy::cast_possible_truncation)] // below 2^15
fn narrow(column: usize) -> u16 {
    column as u16
}
