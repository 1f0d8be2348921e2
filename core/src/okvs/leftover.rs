//! The gap rows of a bin, which have no pivot: the dense columns carry them. Specified in okvs.md, "Gap rows".
//!
//! With the dense entries `d_1 ... d_u` fixed, the sparse entries follow by back-substitution, and they are linear in
//! the values and in the `d_i`. So the sparse entries that each `d_i` alone causes are computed first; each gap row
//! then is one equation in the `d_i`.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::encode::substitute;
use super::partition::Key;
use super::rows::{ROW_MASK, RowHash, cell};
use super::value::Value;
use crate::error::CoreError;

/// What encoding needs to know of the gap rows of a bin, of which there are `u`.
#[derive(ZeroizeOnDrop)]
pub(super) struct Leftover<V: Value> {
    /// The packed gap rows.
    gaps: Vec<u64>,
    /// `k^1 ... k^u` of each item of the bin.
    powers: Vec<Vec<V>>,
    /// The inverse of the equations: from what the gap rows lack to the dense entries, row by row.
    inverse: Vec<Vec<V>>,
}

/// The number of a packed row in its bin.
#[allow(clippy::cast_possible_truncation)] // 15 bits
pub(super) fn number(packed: u64) -> usize {
    (packed & ROW_MASK) as usize
}

/// The sum of the three sparse entries of a row.
fn sparse<V: Value>(cells: &[V], packed: u64) -> V {
    cells[cell(packed, 0)] + cells[cell(packed, 1)] + cells[cell(packed, 2)]
}

/// Sets up the equations of the gap rows and inverts them.
pub(super) fn solve<K: Key, V: Value>(
    hash: &RowHash,
    items: &[K],
    pivots: &[u64],
    gaps: Vec<u64>,
) -> Result<Leftover<V>, CoreError> {
    let mut keys = vec![0; items.len()];
    hash.dense_keys(items, &mut keys);
    let mut powers: Vec<Vec<V>> = vec![keys.iter().map(|key| V::from_key(*key)).collect()];
    keys.zeroize();
    for i in 1..gaps.len() {
        powers.push((0..items.len()).map(|item| powers[i - 1][item] * powers[0][item]).collect());
    }
    let mut equations = vec![vec![V::default(); gaps.len()]; gaps.len()];
    for (i, power) in powers.iter().enumerate() {
        let mut cells = substitute(pivots, power);
        for (equation, gap) in equations.iter_mut().zip(&gaps) {
            equation[i] = sparse(&cells, *gap) + power[number(*gap)];
        }
        cells.zeroize();
    }
    let inverse = invert(equations)?;
    Ok(Leftover { gaps, powers, inverse })
}

impl<V: Value> Leftover<V> {
    /// Returns the number of gap rows.
    pub(super) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// Returns the dense entries, and adds to each value what they contribute to its row.
    pub(super) fn settle(&self, pivots: &[u64], values: &mut [V]) -> Vec<V> {
        let mut cells = substitute(pivots, values);
        let lacks: Vec<V> = self.gaps.iter().map(|gap| sparse(&cells, *gap) + values[number(*gap)]).collect();
        cells.zeroize();
        let dense: Vec<V> = self.inverse.iter().map(|row| inner_product(row, &lacks)).collect();
        for (entry, power) in dense.iter().zip(&self.powers) {
            for (value, power) in values.iter_mut().zip(power) {
                *value += *entry * *power;
            }
        }
        dense
    }
}

fn inner_product<V: Value>(x: &[V], y: &[V]) -> V {
    x.iter().zip(y).fold(V::default(), |sum, (x, y)| sum + *x * *y)
}

/// Inverts a matrix by Gauss and Jordan.
fn invert<V: Value>(mut matrix: Vec<Vec<V>>) -> Result<Vec<Vec<V>>, CoreError> {
    let size = matrix.len();
    for (i, row) in matrix.iter_mut().enumerate() {
        row.resize(2 * size, V::default());
        row[size + i] = V::from_key(1);
    }
    for i in 0..size {
        // Any entry that is not zero will do. None: with probability below 2^-60, over the dense keys.
        let pivot = (i..size).find(|row| matrix[*row][i] != V::default()).ok_or(CoreError::NotEncodable)?;
        matrix.swap(i, pivot);
        let factor = matrix[i][i].invert();
        for entry in &mut matrix[i] {
            *entry = *entry * factor;
        }
        let pivot = matrix[i].clone();
        for (row, entries) in matrix.iter_mut().enumerate() {
            let factor = entries[i];
            if row != i {
                for (entry, pivot) in entries.iter_mut().zip(&pivot) {
                    *entry += factor * *pivot;
                }
            }
        }
    }
    for row in &mut matrix {
        row.drain(..size);
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gf64::Gf64;

    #[test]
    fn an_inverse_needs_a_row_exchange_or_does_not_exist() {
        let matrix = |entries: [[u64; 2]; 2]| entries.map(|row| row.map(Gf64).to_vec()).to_vec();
        // [[0, 2], [3, 5]]: the first entry is zero.
        let inverse = invert(matrix([[0, 2], [3, 5]])).unwrap();
        for (i, row) in [[0, 2], [3, 5]].iter().enumerate() {
            for (j, (above, below)) in inverse[0].iter().zip(&inverse[1]).enumerate() {
                assert!(Gf64(row[0]) * *above + Gf64(row[1]) * *below == Gf64(u64::from(i == j)));
            }
        }
        assert_eq!(invert(matrix([[1, 2], [2, 4]])).err(), Some(CoreError::NotEncodable));
    }
}
