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
    let (sparse, dense) = columns.split_at(3 * parameters.part);
    let (first, rest) = sparse.split_at(parameters.part);
    let (second, third) = rest.split_at(parameters.part);
    let mut blocks = [0; CHUNK];
    let mut keys = [0; CHUNK];
    for (items, decoded) in items.chunks(CHUNK).zip(decoded.chunks_mut(CHUNK)) {
        let (blocks, keys) = (&mut blocks[..items.len()], &mut keys[..items.len()]);
        rows.hash_chunk(items, blocks, keys);
        for (decoded, block) in decoded.iter_mut().zip(&*blocks) {
            let [i, j, k] = rows.positions(*block);
            *decoded = first[i] ^ second[j] ^ third[k];
        }
        V::dense_add(rows.backend(), dense, keys, decoded);
    }
    blocks.zeroize();
    keys.zeroize();
}
