//! Every item decodes to its value, whatever the size, the value type, the backend and the number of threads.

use std::collections::HashMap;

use rayon::prelude::*;

use super::*;
use crate::backend::Backend;
use crate::error::CoreError;
use crate::gf64::Gf64;
use crate::gf128::Gf128;

const SID: [u8; 32] = [1; 32];
const SEED: [u8; 16] = [2; 16];
const SALT: [u8; 32] = [3; 32];

/// Different keys without structure.
fn keys(count: usize) -> Vec<u128> {
    let mut bytes = vec![0; 16 * count];
    blake3::Hasher::new_derive_key("psi/1 test keys").finalize_xof().fill(&mut bytes);
    bytes.as_chunks::<16>().0.iter().map(|key| u128::from_le_bytes(*key)).collect()
}

fn hashes(backend: Backend, count: usize) -> (RowHash, ValueHash) {
    let parameters = Parameters::new(count).unwrap();
    (RowHash::new(backend, parameters, &SID, &SEED), ValueHash::new(backend, &SID, &SALT))
}

/// Encodes keys: all columns, bin after bin.
fn encode<V: Value>(backend: Backend, count: usize, keys: &[u128]) -> Result<Vec<V>, CoreError> {
    let (rows, values) = hashes(backend, count);
    let mut bins = Bins::new();
    bins.fill(&rows, keys);
    let orders = Triangulated::new(&rows, &bins)?;
    let mut columns = vec![V::default(); rows.parameters().columns()];
    columns.par_chunks_mut(rows.parameters().bin_columns()).enumerate().for_each_init(
        Workspace::new,
        |workspace, (bin, columns)| {
            orders.solve_bin(rows.parameters(), bin, bins.items(bin), &values, workspace, columns);
        },
    );
    Ok(columns)
}

/// Multiplies all columns by `factor` in the field over `V` and decodes keys; writes in the order of `keys`.
fn decode<V: Value>(backend: Backend, count: usize, columns: &[V], factor: u128, keys: &[u128]) -> Vec<u128> {
    let (rows, _) = hashes(backend, count);
    let mut blocks = vec![0; columns.len()];
    V::scale_add(backend, factor, columns, &mut blocks);
    let mut bins = Bins::new();
    bins.fill(&rows, keys);
    let mut in_order = vec![0; keys.len()];
    for (bin, columns) in blocks.chunks(rows.parameters().bin_columns()).enumerate() {
        let mut decoded = vec![0; bins.items(bin).len()];
        BinDecoder::new(&rows, columns).decode(bins.items(bin), &mut decoded);
        for (value, index) in decoded.into_iter().zip(bins.indices(bin)) {
            in_order[*index as usize] = value;
        }
    }
    in_order
}

/// The values of keys, times `factor`.
fn expected<V: Value>(factor: u128, keys: &[u128]) -> Vec<u128> {
    let hash = ValueHash::new(Backend::Portable, &SID, &SALT);
    let mut values = vec![V::default(); keys.len()];
    hash.values(keys, &mut values);
    let mut products = vec![0; keys.len()];
    V::scale_add(Backend::Portable, factor, &values, &mut products);
    products
}

fn check<V: Value>(count: usize) {
    let backend = Backend::chosen().unwrap();
    let keys = keys(count);
    let columns = encode::<V>(backend, count, &keys).unwrap();
    for factor in [1, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
        let decoded = decode(backend, count, &columns, factor, &keys);
        assert!(decoded == expected::<V>(factor, &keys), "{count} items");
    }
}

#[test]
fn every_item_decodes_to_its_value() {
    // Around the least parameters, and around one, two and three bins of 2^14.
    for count in [0, 1, 2, 3, 63, 64, 65, 255, 256, 257, 1000, 16_383, 16_384, 16_385, 32_768, 32_769, 50_000] {
        check::<Gf128>(count);
        check::<Gf64>(count);
    }
}

#[test]
fn every_small_number_of_items_is_encodable() {
    for count in 0..200 {
        check::<Gf64>(count);
    }
}

#[test]
fn other_items_decode_to_other_values() {
    let backend = Backend::chosen().unwrap();
    let all = keys(2000);
    let columns = encode::<Gf128>(backend, 1000, &all[..1000]).unwrap();
    let decoded = decode(backend, 1000, &columns, 1, &all[1000..]);
    for (decoded, value) in decoded.iter().zip(expected::<Gf128>(1, &all[1000..])) {
        assert!(*decoded != value);
    }
}

#[test]
fn columns_do_not_depend_on_backend_or_threads() {
    let keys = keys(40_000);
    let reference = encode::<Gf128>(Backend::Portable, keys.len(), &keys).unwrap();
    for backend in Backend::available() {
        assert!(encode::<Gf128>(backend, keys.len(), &keys).unwrap() == reference);
        let decoded = decode(backend, keys.len(), &reference, 3, &keys);
        assert!(decoded == decode(Backend::Portable, keys.len(), &reference, 3, &keys));
    }
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| encode::<Gf128>(Backend::Portable, keys.len(), &keys)).unwrap() == reference);
    }
}

#[test]
fn a_bin_has_its_items_in_the_order_of_the_list() {
    let backend = Backend::chosen().unwrap();
    // One piece of the list, and more than two.
    for count in [40_000, 150_000] {
        let (keys, (rows, _)) = (keys(count), hashes(backend, count));
        let mut bins = Bins::new();
        bins.fill(&rows, &keys[..count / 3]); // the second filling replaces the first
        bins.fill(&rows, &keys);
        let mut places = Bins::<()>::new();
        places.fill_places(&rows, &keys);
        let mut seen = 0;
        for bin in 0..rows.parameters().bins {
            assert!(bins.indices(bin).is_sorted());
            assert_eq!(places.indices(bin), bins.indices(bin));
            assert!(
                bins.items(bin).iter().zip(bins.indices(bin)).all(|(key, index)| *key == keys[*index as usize])
            );
            assert!(bins.items(bin).len() <= rows.parameters().load);
            seen += bins.items(bin).len();
        }
        assert_eq!((seen, bins.starts().last()), (count, Some(&count)));
    }
}

#[test]
fn whole_digests_and_their_first_halves_are_the_same_keys() {
    let (rows, _) = hashes(Backend::Portable, 100);
    let keys = keys(100);
    let digests: Vec<[u8; 32]> = keys
        .iter()
        .map(|key| {
            let mut digest = [0xff; 32];
            digest[..16].copy_from_slice(&key.to_le_bytes());
            digest
        })
        .collect();
    let (mut of_keys, mut of_digests) = (vec![0; 100], vec![0; 100]);
    rows.pack(&keys, &mut of_keys);
    rows.pack(&digests, &mut of_digests);
    assert_eq!(of_keys, of_digests);
}

/// Groups of keys with equal rows under the parameters of at most 64 items, of which there are 125,000.
fn equal_rows() -> Vec<Vec<u128>> {
    let (rows, _) = hashes(Backend::Portable, 64);
    let keys = keys(20_000);
    let mut groups: HashMap<u64, Vec<u128>> = HashMap::new();
    for key in keys {
        let mut row = [0];
        rows.pack(&[key], &mut row);
        groups.entry(row[0]).or_default().push(key);
    }
    let mut groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    groups
}

fn check_leftover<V: Value>(list: &[u128], gaps: usize) {
    for backend in Backend::available() {
        let columns = encode::<V>(backend, list.len(), list).unwrap();
        assert!(decode(backend, list.len(), &columns, 5, list) == expected::<V>(5, list));
        let dense = &columns[columns.len() - 48..];
        assert_eq!(dense.iter().filter(|entry| **entry != V::default()).count(), gaps);
    }
}

#[test]
fn up_to_eight_gap_rows_are_encodable_and_nine_are_not() {
    let groups = equal_rows();
    let of_size = |size| groups.iter().filter(move |group| group.len() == size).map(Vec::as_slice);
    let pairs: Vec<&[u128]> = of_size(2).take(9).collect();
    let triples: Vec<&[u128]> = of_size(3).take(5).collect();
    for count in 1..=8 {
        // Among other items, of which some have columns in common with the pairs.
        let list = [pairs[..count].concat(), keys(20_040)[20_000..].to_vec()].concat();
        check_leftover::<Gf128>(&list, count);
        check_leftover::<Gf64>(&list, count);
    }
    // Three equal rows leave two gap rows.
    check_leftover::<Gf128>(&triples[..1].concat(), 2);
    check_leftover::<Gf64>(&[triples[..3].concat(), pairs[..2].concat()].concat(), 8);
    for list in [pairs.concat(), triples.concat()] {
        assert_eq!(encode::<Gf64>(Backend::Portable, list.len(), &list).err(), Some(CoreError::NotEncodable));
    }
}

#[test]
fn equal_items_are_not_encodable() {
    // Pre-condition broken: their rows are equal in the dense part too, so that no store gives them two values.
    let mut list = keys(10);
    list.push(list[3]);
    assert_eq!(encode::<Gf128>(Backend::Portable, list.len(), &list).err(), Some(CoreError::NotEncodable));
}

#[test]
fn more_items_than_the_load_are_not_encodable() {
    let list = keys(65);
    assert_eq!(encode::<Gf64>(Backend::Portable, 64, &list).err(), Some(CoreError::NotEncodable));
}
