//! The columns of a bin, from its order and the values of its items. Specified in okvs.md, "Encode".

use zeroize::Zeroize;

use super::leftover::number;
use super::params::Parameters;
use super::partition::Key;
use super::rows::{POSITION_BITS, ValueHash, cell};
use super::triangulate::{Triangulated, pivot_part};
use super::value::Value;

/// Cells of a bin: 2^13 of each part, and as many that are never used, so that an index needs no check.
const CELLS: usize = 4 << POSITION_BITS;

/// Solves the pivots' rows for the sparse columns, last pivot first; cells that are no pivot stay zero.
///
/// The pivot's own cell is zero until its row is solved, so adding all three cells of the row adds the other two.
pub(super) fn substitute<V: Value>(pivots: &[u64], values: &[V]) -> Vec<V> {
    let mut cells = vec![V::default(); CELLS];
    substitute_into(&mut cells, pivots, values);
    cells
}

fn substitute_into<V: Value>(cells: &mut [V], pivots: &[u64], values: &[V]) {
    let cells = &mut cells[..CELLS];
    for pivot in pivots.iter().rev() {
        let at = [0, 1, 2].map(|part| cell(*pivot, part));
        let sum = cells[at[0]] + cells[at[1]] + cells[at[2]] + values[number(*pivot)];
        cells[at[pivot_part(*pivot)]] = sum;
    }
}

/// The memory of one thread for [`Triangulated::solve_bin`]. Wiped when dropped; it has no `Debug`.
pub struct Workspace<V: Value> {
    cells: Vec<V>,
    values: Vec<V>,
}

impl<V: Value> Workspace<V> {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        Self { cells: vec![V::default(); CELLS], values: Vec::new() }
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
        self.values.zeroize();
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
        let order = &self.orders[bin];
        let Workspace { cells, values } = workspace;
        values.resize(items.len(), V::default());
        hash.values(items, values);
        let dense =
            order.leftover.as_ref().map_or_else(Vec::new, |leftover| leftover.settle(&order.pivots, values));

        for cells in cells.chunks_mut(1 << POSITION_BITS) {
            cells[..parameters.part].fill(V::default());
        }
        substitute_into(cells, &order.pivots, values);
        let (sparse, dense_columns) = columns.split_at_mut(3 * parameters.part);
        for (columns, cells) in sparse.chunks_mut(parameters.part).zip(cells.chunks(1 << POSITION_BITS)) {
            columns.copy_from_slice(&cells[..parameters.part]);
        }
        dense_columns.fill(V::default());
        dense_columns[..dense.len()].copy_from_slice(&dense);
    }
}
