//! The store against the vectors of the reference: sizes, products, rows, values and columns.

use std::path::Path;

use psi_core::backend::Backend;
use psi_core::gf64::{Gf64, Gf64x2};
use psi_core::gf128::Gf128;
use psi_core::okvs::{BinDecoder, Bins, Parameters, RowHash, Triangulated, Value as Entry, ValueHash, Workspace};
use serde_json::Value;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol_spec/vectors/okvs.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let cases = vectors()[name].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn block(value: &Value) -> u128 {
    u128::from_le_bytes(bytes(value))
}

#[test]
fn sizes_are_those_of_the_reference() {
    for case in cases("parameters") {
        let number = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
        let parameters = Parameters::new(number("count")).unwrap();
        let Parameters { count, bins, load, part } = parameters;
        assert_eq!([count, bins, load, part], ["count", "bins", "load", "part"].map(number));
        assert_eq!(parameters.columns(), number("columns"));
    }
}

#[test]
fn products_are_those_of_the_reference() {
    for case in cases("products") {
        let (a, b) = (block(&case["a"]), block(&case["b"]));
        assert!(Gf128(a) * Gf128(b) == Gf128(block(&case["gf128"])));
        assert!(Gf64x2(a) * Gf64x2(b) == Gf64x2(block(&case["gf64x2"])));
        let low = Gf64x2(b).parts().0;
        assert!(Gf64x2(a) * low == Gf64x2(block(&case["gf64x2_by_low_of_b"])));
        for backend in Backend::available() {
            let mut product = [a];
            backend.gf128_multiply(&mut product, &[b]);
            assert!(product == [block(&case["gf128"])]);
            let mut sum = [0];
            Gf64::scale_add(backend, a, &[low], &mut sum);
            assert!(sum == [block(&case["gf64x2_by_low_of_b"])]);
        }
    }
}

fn check_store<V: Entry>(case: &Value, digests: &[[u8; 32]], expected: &Value, backend: Backend) {
    let parameters = Parameters::new(digests.len()).unwrap();
    let rows = RowHash::new(backend, parameters, &bytes(&case["sid"]), &bytes(&case["r"]));
    let hash = ValueHash::new(backend, &bytes(&case["sid"]), &bytes(&case["salt"]));

    let mut values = vec![V::default(); digests.len()];
    hash.values(digests, &mut values);
    let mut encoded = Vec::new();
    V::encode(&values[..values.len().min(3)], &mut encoded);
    assert_eq!(encoded, expected["values"].as_array().unwrap().iter().flat_map(hex).collect::<Vec<_>>());

    let mut bins = Bins::new();
    bins.fill(&rows, digests);
    let orders = Triangulated::new(&rows, &bins).unwrap();
    let mut columns = vec![V::default(); parameters.columns()];
    let mut workspace = Workspace::new();
    for (bin, columns) in columns.chunks_mut(parameters.bin_columns()).enumerate() {
        orders.solve_bin(&parameters, bin, bins.items(bin), &hash, &mut workspace, columns);
    }
    encoded.clear();
    V::encode(&columns, &mut encoded);
    let columns_hash: [u8; 32] = bytes(&expected["columns_hash"]);
    assert_eq!(blake3::derive_key("psi/1 test vectors", &encoded), columns_hash, "{}", case["what"]);

    let mut blocks = vec![0; columns.len()];
    V::scale_add(backend, 1, &columns, &mut blocks);
    let stranger = blake3::derive_key("psi/1 test vectors", b"okvs stranger");
    bins.fill(&rows, &[stranger]);
    let mut decoded = [0];
    for (bin, columns) in blocks.chunks(parameters.bin_columns()).enumerate() {
        let decoded = &mut decoded[..bins.items(bin).len()];
        BinDecoder::new(&rows, columns).decode(bins.items(bin), decoded);
    }
    assert_eq!(decoded[0].to_le_bytes()[..V::BYTES], hex(&expected["stranger"]));
}

#[test]
fn stores_are_those_of_the_reference_on_every_backend() {
    for case in cases("stores") {
        let digests: Vec<[u8; 32]> = case["digests"].as_array().unwrap().iter().map(bytes).collect();
        for backend in Backend::available() {
            check_store::<Gf128>(&case, &digests, &case["gf128"], backend);
            check_store::<Gf64>(&case, &digests, &case["gf64"], backend);
        }
    }
}

#[test]
fn a_store_of_two_bins_is_that_of_the_reference() {
    let case = &vectors()["derived"];
    let mut hasher = blake3::Hasher::new_derive_key("psi/1 test vectors");
    hasher.update(case["digests"]["label"].as_str().unwrap().as_bytes());
    let mut digests = vec![[0; 32]; usize::try_from(case["digests"]["count"].as_u64().unwrap()).unwrap()];
    hasher.finalize_xof().fill(digests.as_flattened_mut());
    for backend in Backend::available() {
        check_store::<Gf128>(case, &digests, &case["gf128"], backend);
        check_store::<Gf64>(case, &digests, &case["gf64"], backend);
    }
}
