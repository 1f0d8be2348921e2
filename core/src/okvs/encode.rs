//! The columns of a bin, from its order and the values of its items. Specified in okvs.md, "Encode".

use zeroize::Zeroize;

use super::leftover::number;
use super::params::Parameters;
use super::partition::Key;
use super::rows::{CHUNK, POSITION_BITS, ValueHash, cell};
use super::triangulate::{Triangulated, pivot_part};
use super::value::Value;

/// Cells of a bin: 2^13 of each part, and as many that are never used, so that an index needs no check.
const CELLS: usize = 4 << POSITION_BITS;

/// Where the value of a row without a pivot goes: a cell of no part.
const NOWHERE: usize = 3 << POSITION_BITS;

/// Solves the pivots' rows for the sparse columns, last pivot first; cells that are no pivot stay zero.
pub(super) fn substitute<V: Value>(pivots: &[u64], values: &[V]) -> Vec<V> {
    let mut cells = vec![V::default(); CELLS];
    for pivot in pivots {
        cells[cell(*pivot, pivot_part(*pivot))] = values[number(*pivot)];
    }
    add_cells(&mut cells, pivots);
    cells
}

/// Replaces each pivot's cell, which holds the value of its row, by the sum of the row's three cells, last pivot first.
fn add_cells<V: Value>(cells: &mut [V], pivots: &[u64]) {
    let cells = &mut cells[..CELLS];
    for pivot in pivots.iter().rev() {
        let at = [0, 1, 2].map(|part| cell(*pivot, part));
        cells[at[pivot_part(*pivot) % 3]] = cells[at[0]] + cells[at[1]] + cells[at[2]];
    }
}

/// The memory of one thread for [`Triangulated::solve_bin`]. Wiped when dropped; it has no `Debug`.
pub struct Workspace<V: Value> {
    cells: Vec<V>,
    /// The cell of the pivot of each row.
    pivot_cells: Vec<u16>,
}

impl<V: Value> Workspace<V> {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        Self { cells: vec![V::default(); CELLS], pivot_cells: vec![0; CELLS] }
    }
}

impl<V: Value> Default for Workspace<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Value> Drop for Workspace<V> {
    fn drop(&mut self) {
        self.cells.zeroize();
        self.pivot_cells.zeroize();
    }
}

impl<V: Value> Triangulated<V> {
    /// Writes the columns of one bin: every item of the bin decodes to its value. `items` are those of the bin in the
    /// order in which it was triangulated, `columns` has the length [`Parameters::bin_columns`].
    ///
    /// # Panics
    ///
    /// If a length is another one.
    pub fn solve_bin<K: Key>(
        &self,
        parameters: &Parameters,
        bin: usize,
        items: &[K],
        hash: &ValueHash,
        workspace: &mut Workspace<V>,
        columns: &mut [V],
    ) {
        assert_eq!(columns.len(), parameters.bin_columns());
        let (pivots, leftover) = self.order(bin);
        assert_eq!(items.len(), pivots.len() + leftover.map_or(0, |leftover| leftover.gaps()));
        let Workspace { cells, pivot_cells } = workspace;
        let pivot_cells = &mut pivot_cells[..CELLS];
        for cells in cells.chunks_mut(1 << POSITION_BITS) {
            cells[..parameters.part].fill(V::default());
        }
        if leftover.is_some() {
            pivot_cells[..items.len()].fill(narrow(NOWHERE));
        }
        for pivot in pivots {
            pivot_cells[number(*pivot) % CELLS] = narrow(cell(*pivot, pivot_part(*pivot) % 3));
        }

        let (sparse, dense) = columns.split_at_mut(3 * parameters.part);
        dense.fill(V::default());
        if let Some(leftover) = leftover {
            let mut values = vec![V::default(); items.len()];
            hash.values(items, &mut values);
            let entries = leftover.settle(pivots, &mut values);
            dense[..entries.len()].copy_from_slice(&entries);
            for (value, cell) in values.iter().zip(&*pivot_cells) {
                cells[*cell as usize] = *value;
            }
            values.zeroize();
        } else {
            let mut values = [V::default(); CHUNK];
            for (items, pivot_cells) in items.chunks(CHUNK).zip(pivot_cells.chunks(CHUNK)) {
                let values = &mut values[..items.len()];
                hash.values(items, values);
                for (value, cell) in values.iter().zip(pivot_cells) {
                    cells[*cell as usize] = *value;
                }
            }
            values.zeroize();
        }
        add_cells(cells, pivots);
        for (columns, cells) in sparse.chunks_mut(parameters.part).zip(cells.chunks(1 << POSITION_BITS)) {
            columns.copy_from_slice(&cells[..parameters.part]);
        }
    }
}

/// A cell in 16 bits.
#[inline]
#[allow(clippy::cast_possible_truncation)] // below 2^15
fn narrow(cell: usize) -> u16 {
    cell as u16
}
