//! An order in which the rows of a bin can be solved, by peeling; specified in okvs.md, "Triangulate".
//!
//! A column of which one row is left gives that row its pivot; the row goes, and other columns may come down to one. A
//! cell holds all that is known of its column: the number of rows left, and the sum of their packed rows, which is the
//! row itself when one is left. So no step looks a row up. The inner loop has no branch that depends on rows: a column
//! that is taken from the queue when its last row is gone already does the same work with a row of zeros.

use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::leftover::{self, Leftover};
use super::params::Parameters;
use super::partition::{Bins, Key};
use super::rows::{POSITION_BITS, RowHash, cell};
use super::value::Value;
use crate::error::CoreError;

/// One row in the count of a cell.
const ONE: u64 = 1 << COUNT_SHIFT;
/// Bits below the count of a cell: a packed row.
const COUNT_SHIFT: u32 = 54;
const PACKED_MASK: u64 = ONE - 1;
/// Cells of a bin, and steps of its queue: a power of two, so that an index needs no check.
const CELLS: usize = 1 << 15;

/// The order of one bin: packed rows with the part of their pivot above them, in the order in which they were taken.
#[derive(Default, ZeroizeOnDrop)]
pub(super) struct Order<V: Value> {
    pub(super) pivots: Vec<u64>,
    pub(super) leftover: Option<Leftover<V>>,
}

/// The part in which a row has its pivot.
#[inline]
#[allow(clippy::cast_possible_truncation)] // two bits
pub(super) fn pivot_part(pivot: u64) -> usize {
    (pivot >> COUNT_SHIFT) as usize
}

/// The orders of all bins: the store can be encoded. Wiped when dropped; it has no `Debug`.
pub struct Triangulated<V: Value> {
    pub(super) orders: Vec<Order<V>>,
}

impl<V: Value> Triangulated<V> {
    /// Finds the order of every bin; `bins` is the receiver's list, without two equal items.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotEncodable`] if a bin has more items than its load, or more gap rows than dense columns, which
    /// happens with probability below 2^-42 over the choice of `r`: the receiver then draws another.
    pub fn new<K: Key>(rows: &RowHash, bins: &Bins<K>) -> Result<Self, CoreError> {
        let orders: Result<_, _> = (0..rows.parameters().bins)
            .into_par_iter()
            .map_init(Scratch::new, |scratch, bin| scratch.order(rows, bins.items(bin)))
            .collect();
        Ok(Self { orders: orders? })
    }

    /// Returns the number of bins that have a leftover core.
    #[must_use]
    pub fn leftover_bins(&self) -> usize {
        self.orders.iter().filter(|order| order.leftover.is_some()).count()
    }
}

/// The memory of one thread; a bin's rows do not outlive it.
#[derive(ZeroizeOnDrop)]
pub(super) struct Scratch {
    cells: Box<[u64; CELLS]>,
    queue: Box<[u16; CELLS]>,
    rows: Vec<u64>,
    head: usize,
    tail: usize,
}

impl Scratch {
    pub(super) fn new() -> Self {
        #[allow(clippy::unwrap_used)] // the lengths are those of the arrays
        Self {
            cells: vec![0; CELLS].into_boxed_slice().try_into().unwrap(),
            queue: vec![0; CELLS].into_boxed_slice().try_into().unwrap(),
            rows: Vec::new(),
            head: 0,
            tail: 0,
        }
    }

    /// Finds the order of one bin.
    pub(super) fn order<K: Key, V: Value>(&mut self, hash: &RowHash, items: &[K]) -> Result<Order<V>, CoreError> {
        if items.len() > hash.parameters().load {
            return Err(CoreError::NotEncodable);
        }
        self.rows.resize(items.len(), 0);
        hash.pack(items, &mut self.rows);
        let (pivots, gaps) = self.order_rows(hash.parameters())?;
        let leftover = if gaps.is_empty() { None } else { Some(leftover::solve(hash, items, &pivots, &gaps)?) };
        Ok(Order { pivots, leftover })
    }

    /// Finds the order of the packed rows in `rows`: the pivots, and the gap rows.
    pub(super) fn order_rows(&mut self, parameters: &Parameters) -> Result<(Vec<u64>, Vec<u64>), CoreError> {
        self.fill_cells(parameters.part)?;
        let mut pivots = vec![0; self.rows.len() + 1]; // the loop writes one place ahead
        let mut taken = self.peel(&mut pivots, 0);
        let mut gaps = Vec::new();
        while taken + gaps.len() < self.rows.len() {
            let (pivot, new_gaps) = self.break_core(parameters.part, &pivots[..taken], &gaps);
            gaps.extend(new_gaps);
            if gaps.len() > parameters.dense {
                return Err(CoreError::NotEncodable);
            }
            pivots[taken] = pivot;
            taken = self.peel(&mut pivots, taken + 1);
        }
        pivots.truncate(taken);
        Ok((pivots, gaps))
    }

    /// Adds all rows to their columns and queues, in ascending order, the columns with one row.
    fn fill_cells(&mut self, part: usize) -> Result<(), CoreError> {
        for cells in self.cells.chunks_mut(1 << POSITION_BITS) {
            cells[..part].fill(0);
        }
        for packed in &self.rows {
            for i in 0..3 {
                let cell = &mut self.cells[cell(*packed, i)];
                *cell = (*cell ^ packed).wrapping_add(ONE);
            }
        }
        (self.head, self.tail) = (0, 0);
        let mut total = 0;
        for i in 0..3 {
            let first = i << POSITION_BITS;
            for (position, cell) in self.cells[first..first + part].iter().enumerate() {
                let count = cell >> COUNT_SHIFT;
                total += count;
                #[allow(clippy::cast_possible_truncation)] // below 2^15
                let column = (first | position) as u16;
                self.queue[self.tail % CELLS] = column;
                self.tail += usize::from(count == 1);
            }
        }
        // The counts have ten bits. More than 1023 rows of one column are possible only for items made for it.
        if total == 3 * self.rows.len() as u64 { Ok(()) } else { Err(CoreError::NotEncodable) }
    }

    /// Works through the queue; returns the number of pivots.
    fn peel(&mut self, pivots: &mut [u64], mut taken: usize) -> usize {
        let (cells, queue) = (&mut *self.cells, &mut *self.queue);
        let (mut head, mut tail) = (self.head, self.tail);
        while head != tail {
            let column = usize::from(queue[head % CELLS]);
            head += 1;
            let cell_of_column = cells[column % CELLS];
            let single = cell_of_column >> COUNT_SHIFT == 1;
            let mask = u64::from(single).wrapping_neg();
            let packed = cell_of_column & mask & PACKED_MASK;
            for i in 0..3 {
                let column = cell(packed, i);
                let rest = (cells[column % CELLS] ^ packed).wrapping_sub(ONE & mask);
                cells[column % CELLS] = rest;
                #[allow(clippy::cast_possible_truncation)] // below 2^15
                let number = column as u16;
                queue[tail % CELLS] = number;
                tail += usize::from(rest & mask & !PACKED_MASK == ONE);
            }
            pivots[taken] = packed | (((column >> POSITION_BITS) as u64) << COUNT_SHIFT);
            taken += usize::from(single);
        }
        (self.head, self.tail) = (head, tail);
        taken
    }

    /// Takes a pivot from rows of which no column has exactly one: the lowest of the columns with the fewest rows; its
    /// lowest row becomes the pivot, and its other rows, in ascending order, become gap rows.
    fn break_core(&mut self, part: usize, pivots: &[u64], gaps: &[u64]) -> (u64, Vec<u64>) {
        let mut left = vec![true; self.rows.len()];
        for gone in pivots.iter().chain(gaps) {
            left[leftover::number(*gone)] = false;
        }
        let mut least = (u64::MAX, 0);
        for i in 0..3 {
            for column in i << POSITION_BITS..(i << POSITION_BITS) + part {
                let count = self.cells[column] >> COUNT_SHIFT;
                if count > 0 && count < least.0 {
                    least = (count, column);
                }
            }
        }
        let column = least.1;
        let of_column = column >> POSITION_BITS;
        let mut rows: Vec<u64> = Vec::new();
        rows.extend(
            self.rows
                .iter()
                .zip(left)
                .filter(|(row, left)| *left && cell(**row, of_column) == column)
                .map(|(row, _)| row),
        );
        for packed in &rows {
            for i in 0..3 {
                let column = cell(*packed, i);
                let rest = (self.cells[column] ^ packed).wrapping_sub(ONE);
                self.cells[column] = rest;
                if rest >> COUNT_SHIFT == 1 {
                    #[allow(clippy::cast_possible_truncation)] // below 2^15
                    let number = column as u16;
                    self.queue[self.tail % CELLS] = number;
                    self.tail += 1;
                }
            }
        }
        let gaps = rows.split_off(1);
        let pivot = rows[0] | ((of_column as u64) << COUNT_SHIFT);
        rows.zeroize();
        (pivot, gaps)
    }
}
