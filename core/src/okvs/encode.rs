//! The columns of a bin, from its order and the values of its items. Specified in okvs.md, "Encode".

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::leftover::{Leftover, number};
use super::params::Parameters;
use super::partition::Key;
use super::rows::{CHUNK, ROW_BITS, ValueHash, position};
use super::triangulate::{Triangulated, pivot_part};
use super::value::Value;

/// Rows that a bin can have.
const ROWS: usize = 1 << ROW_BITS;

/// The column of a row in one of the parts.
#[inline]
pub(super) fn column(part: usize, packed: u64, i: usize) -> usize {
    i * part + position(packed, i)
}

/// Solves the pivots' rows for the sparse columns, last pivot first; columns without a pivot stay zero.
pub(super) fn substitute<V: Value>(part: usize, pivots: &[u64], values: &[V]) -> Vec<V> {
    let mut columns = vec![V::default(); 3 * part];
    for pivot in pivots {
        columns[column(part, *pivot, pivot_part(*pivot))] = values[number(*pivot)];
    }
    add_cells(part, &mut columns, pivots);
    columns
}

/// Replaces each pivot's cell, which holds the value of its row, by the sum of the row's three cells, last pivot first.
fn add_cells<V: Value>(part: usize, columns: &mut [V], pivots: &[u64]) {
    let columns = &mut columns[..3 * part];
    for pivot in pivots.iter().rev() {
        let at = [0, 1, 2].map(|i| column(part, *pivot, i));
        columns[at[pivot_part(*pivot) % 3]] = columns[at[0]] + columns[at[1]] + columns[at[2]];
    }
}

/// The memory of one thread for [`Triangulated::solve_bin`]: the column of the pivot of each row. Wiped when dropped;
/// it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct Workspace {
    pivot_columns: Box<[u16; ROWS]>,
}

impl Workspace {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        #[allow(clippy::large_stack_arrays)] // 64 KiB, once a thread
        Self { pivot_columns: Box::new([0; ROWS]) }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Triangulated {
    /// Writes the columns of one bin: every item of the bin decodes to its value. `items` are those of the bin in the
    /// order in which it was triangulated, `columns` has the length [`Parameters::bin_columns`].
    ///
    /// # Panics
    ///
    /// If a length is another one.
    pub fn solve_bin<K: Key, V: Value>(
        &self,
        parameters: &Parameters,
        bin: usize,
        items: &[K],
        hash: &ValueHash,
        workspace: &mut Workspace,
        columns: &mut [V],
    ) {
        assert_eq!(columns.len(), parameters.bin_columns());
        let part = parameters.part;
        let (pivots, leftover) = self.order(bin);
        assert_eq!(items.len(), pivots.len() + leftover.map_or(0, Leftover::gaps));
        columns.fill(V::default());
        let (sparse, dense) = columns.split_at_mut(3 * part);
        if let Some(leftover) = leftover {
            let mut values = vec![V::default(); items.len()];
            hash.values(items, &mut values);
            leftover.settle(part, pivots, &mut values, dense);
            for pivot in pivots {
                sparse[column(part, *pivot, pivot_part(*pivot))] = values[number(*pivot)];
            }
            values.zeroize();
        } else {
            // By rows, so that a value goes from the hash to its place at once.
            let pivot_columns = &mut *workspace.pivot_columns;
            for pivot in pivots {
                #[allow(clippy::cast_possible_truncation)] // below 3 * 2^13
                let column = column(part, *pivot, pivot_part(*pivot)) as u16;
                pivot_columns[number(*pivot) % ROWS] = column;
            }
            let mut values = [V::default(); CHUNK];
            for (items, pivot_columns) in items.chunks(CHUNK).zip(pivot_columns.chunks(CHUNK)) {
                let values = &mut values[..items.len()];
                hash.values(items, values);
                for (value, column) in values.iter().zip(pivot_columns) {
                    sparse[usize::from(*column)] = *value;
                }
            }
            values.zeroize();
        }
        add_cells(part, sparse, pivots);
    }
}
