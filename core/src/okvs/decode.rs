//! The values of items of one bin, from its columns. Specified in okvs.md, "Decode".

use zeroize::Zeroize;

use super::partition::Key;
use super::rows::{CHUNK, RowHash};
use super::value::Value;

/// Writes what each item of a bin decodes to, given the columns of that bin: blocks of the field over `V`.
///
/// The columns may be those of A' + P, of B' or of C: decoding is linear. Any number of items; they are worked on a
/// first-level cache full at a time.
///
/// # Panics
///
/// If `columns` has not the length of a bin, or `decoded` not that of `items`.
pub fn decode_bin<K: Key, V: Value>(rows: &RowHash, columns: &[u128], items: &[K], decoded: &mut [u128]) {
    let parameters = rows.parameters();
    assert_eq!(columns.len(), parameters.bin_columns());
    assert_eq!(items.len(), decoded.len());
    let part = parameters.part;
    let (sparse, dense) = columns.split_at(3 * part);
    let (first, rest) = sparse.split_at(part);
    let (second, third) = rest.split_at(part);
    let mut positions = [[0; 3]; CHUNK];
    let mut keys = [0; CHUNK];
    for (items, decoded) in items.chunks(CHUNK).zip(decoded.chunks_mut(CHUNK)) {
        let (positions, keys) = (&mut positions[..items.len()], &mut keys[..items.len()]);
        rows.positions(items, positions);
        rows.dense_keys(items, keys);
        for (decoded, [i, j, k]) in decoded.iter_mut().zip(&*positions) {
            *decoded = first[*i as usize] ^ second[*j as usize] ^ third[*k as usize];
        }
        V::dense_add(rows.backend(), dense, keys, decoded);
    }
    positions.zeroize();
    keys.zeroize();
}
