//! The gap rows of a bin, which have no pivot: the dense columns carry them. Specified in okvs.md, "Gap rows".
//!
//! With the dense entries fixed, the sparse entries follow by back-substitution, and they are linear in values and dense
//! entries. So back-substitution of the dense bits of all rows tells, for each gap row, the dense entries whose sum must
//! make up what the row lacks: a system over GF(2), of one equation a gap row and one unknown a dense column.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::encode::{column, substitute};
use super::params::DENSE;
use super::partition::Key;
use super::rows::{ROW_MASK, RowHash};
use super::value::Value;
use crate::error::CoreError;
use crate::gf64::Gf64;

/// What encoding needs to know of the gap rows of a bin.
#[derive(ZeroizeOnDrop)]
pub(super) struct Leftover {
    /// The packed gap rows.
    gaps: Vec<u64>,
    /// The dense bits of each item of the bin.
    dense_bits: Vec<u64>,
    /// The solved equations.
    entries: Vec<Entry>,
}

/// A dense entry that is not zero: the sum of what some gap rows lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Zeroize)]
struct Entry {
    /// The dense columns of the equation; the lowest is the entry's own, in no other equation.
    columns: u64,
    /// The gap rows whose lacks are added.
    gaps: u64,
}

/// The number of a packed row in its bin.
#[allow(clippy::cast_possible_truncation)] // 15 bits
pub(super) fn number(packed: u64) -> usize {
    (packed & ROW_MASK) as usize
}

/// What each gap row lacks: its value, and what its sparse columns have when all other rows are solved.
fn lacks<V: Value>(part: usize, pivots: &[u64], gaps: &[u64], values: &[V]) -> Vec<V> {
    let mut columns = substitute(part, pivots, values);
    let lack = |gap: &u64| (0..3).fold(values[number(*gap)], |sum, i| sum + columns[column(part, *gap, i)]);
    let lacks = gaps.iter().map(lack).collect();
    columns.zeroize();
    lacks
}

/// Sets up the equations of the gap rows and solves them.
pub(super) fn solve<K: Key>(
    hash: &RowHash,
    items: &[K],
    pivots: &[u64],
    gaps: Vec<u64>,
) -> Result<Leftover, CoreError> {
    let mut dense_bits = vec![0; items.len()];
    hash.dense_bits(items, &mut dense_bits);
    let mut as_values: Vec<Gf64> = dense_bits.iter().copied().map(Gf64).collect(); // their addition is that of bits
    let equations = lacks(hash.parameters().part, pivots, &gaps, &as_values).into_iter().map(|lack| lack.0);
    let entries = reduce(equations)?;
    as_values.zeroize();
    Ok(Leftover { gaps, dense_bits, entries })
}

/// Brings equations over GF(2) into reduced echelon form, columns ascending; each is a set of dense columns.
fn reduce(equations: impl Iterator<Item = u64>) -> Result<Vec<Entry>, CoreError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (i, columns) in equations.enumerate() {
        let mut new = Entry { columns, gaps: 1 << i };
        for entry in &entries {
            if new.columns & entry.own() != 0 {
                new = new.plus(*entry);
            }
        }
        if new.columns == 0 {
            return Err(CoreError::NotEncodable); // the gap rows are dependent
        }
        // No other equation keeps the new one's own column, so the form does not depend on the order of the gap rows.
        for entry in &mut entries {
            if entry.columns & new.own() != 0 {
                *entry = entry.plus(new);
            }
        }
        entries.push(new);
    }
    Ok(entries)
}

impl Entry {
    /// The entry's own column, as a set.
    fn own(self) -> u64 {
        self.columns & self.columns.wrapping_neg()
    }

    fn plus(self, other: Self) -> Self {
        Self { columns: self.columns ^ other.columns, gaps: self.gaps ^ other.gaps }
    }
}

impl Leftover {
    /// Returns the number of gap rows.
    pub(super) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Writes the dense columns, and adds to each value what they contribute to its row.
    pub(super) fn settle<V: Value>(&self, part: usize, pivots: &[u64], values: &mut [V], dense: &mut [V]) {
        assert_eq!(dense.len(), DENSE);
        let mut lacks = lacks(part, pivots, &self.gaps, values);
        for entry in &self.entries {
            let sum = (0..lacks.len())
                .filter(|gap| entry.gaps >> gap & 1 == 1)
                .fold(V::default(), |sum, gap| sum + lacks[gap]);
            dense[entry.own().trailing_zeros() as usize] = sum;
            for (value, bits) in values.iter_mut().zip(&self.dense_bits) {
                if bits & entry.own() != 0 {
                    *value += sum;
                }
            }
        }
        lacks.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_reduced_whatever_their_order() {
        // 6 = 2 + 4 and 5 = 1 + 4 as sets of columns: reduced, columns 0 and 1 each with column 2.
        let entries = |list: [u64; 2]| reduce(list.into_iter());
        let expected = [Entry { columns: 5, gaps: 2 }, Entry { columns: 6, gaps: 1 }];
        assert_eq!(entries([6, 5]), Ok(vec![expected[1], expected[0]]));
        assert_eq!(entries([6, 3]), Ok(vec![Entry { columns: 6, gaps: 1 }, Entry { columns: 5, gaps: 3 }]));
        // Column 1 leaves the first equation as soon as the second has it for its own.
        assert_eq!(entries([3, 2]), Ok(vec![Entry { columns: 1, gaps: 3 }, Entry { columns: 2, gaps: 2 }]));
        assert_eq!(entries([6, 6]), Err(CoreError::NotEncodable));
        assert_eq!(entries([0, 1]), Err(CoreError::NotEncodable));
    }
}
