//! The silent correlation against the vectors of the reference: numbers, parts, and runs message by message.

use std::path::Path;

use psi_core::backend::Backend;
use psi_core::gf64::Gf64;
use psi_core::gf128::Gf128;
use psi_core::okvs::Value as Entry;
use psi_core::ot::KeyHash;
use psi_core::ot::tree::{Grower, VOLE};
use psi_core::prg::Randomness;
use psi_core::vole::code::Code;
use psi_core::vole::sizes::Batch;
use psi_core::vole::{SilentReceiver, SilentSender, Sizes};
use serde_json::Value;
use zeroize::Zeroizing;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol_spec/vectors/silent_vole.json");
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

fn bytes32(value: &Value) -> [u8; 32] {
    hex(value).try_into().unwrap()
}

fn blocks(value: &Value) -> Vec<u128> {
    hex(value).as_chunks::<16>().0.iter().map(|block| u128::from_le_bytes(*block)).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn batch(value: &Value) -> Batch {
    Batch { trees: number(&value[0]), depth: number(&value[1]) }
}

fn sizes(value: &Value) -> Sizes {
    Sizes {
        length: number(&value["length"]),
        value_bits: number(&value["value_bits"]),
        malicious: value["malicious"].as_bool().unwrap(),
        bootstrap: (!value["bootstrap"].is_null()).then(|| batch(&value["bootstrap"])),
        batch: batch(&value["batch"]),
        batches: number(&value["batches"]),
    }
}

#[test]
fn the_numbers_are_those_of_the_reference() {
    for case in cases("sizes") {
        let expected = sizes(&case);
        let found =
            Sizes::new(expected.length, expected.value_bits, expected.malicious, number(&case["tree_depth"]))
                .unwrap();
        assert_eq!(found, expected);
        assert_eq!((found.cots(), found.padded()), (number(&case["cots"]), number(&case["padded"])));
    }
}

#[test]
fn keys_of_correlated_ots_are_those_of_the_reference() {
    for (backend, case) in
        Backend::available().into_iter().flat_map(|b| cases("cot_keys").into_iter().map(move |c| (b, c)))
    {
        let mut values = [[blocks(&case["block"])[0]; 2]];
        KeyHash::new(backend, &bytes32(&case["sid"])).hash(number(&case["index"]), &mut values);
        assert_eq!(values, [[blocks(&case["key"])[0]; 2]]);
    }
}

#[test]
fn trees_are_those_of_the_reference() {
    for (backend, case) in
        Backend::available().into_iter().flat_map(|b| cases("trees").into_iter().map(move |c| (b, c)))
    {
        let keys: Vec<[u128; 2]> = case["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| [0, 1].map(|side| blocks(&pair[side])[0]))
            .collect();
        let mut leaves = vec![0; 1 << keys.len()];
        let mut corrections = Vec::new();
        let grower = Grower::new(backend, VOLE, &bytes32(&case["sid"]));
        grower.expand(&keys, &mut leaves, |both| corrections.extend(both));
        assert_eq!(leaves, blocks(&case["leaves"]));
        assert_eq!(corrections, blocks(&case["corrections"]));
    }
}

#[test]
fn the_code_is_that_of_the_reference() {
    for (backend, case) in
        Backend::available().into_iter().flat_map(|b| cases("codes").into_iter().map(move |c| (b, c)))
    {
        let values = blocks(&case["values"]);
        let (head, tail) = values.split_at(values.len() / 2);
        let code = Code::new(backend, &bytes32(&case["seed"]), head.len());
        let mut convolved: Vec<[u128; 1]> = tail.iter().map(|value| [*value]).collect();
        let mut outputs = head.to_vec();
        code.convolve(&mut convolved);
        code.add_taps(&convolved, &mut outputs);
        assert_eq!(outputs, blocks(&case["encoded"]));
    }
}

fn run<V: Entry>(backend: Backend, case: &Value) {
    let (sizes, sid) = (sizes(&case["sizes"]), bytes32(&case["sid"]));
    let randomness = |seed: &str| Randomness::new(Zeroizing::new(bytes32(&case[seed])), sid);
    let mut receiver = SilentReceiver::<V>::new(backend, sizes, sid, &randomness("receiver_seed"));
    let mut sender = SilentSender::new(backend, sizes, sid, &randomness("sender_seed"));
    assert_eq!(sender.choice(), hex(&case["choice"]));
    let extension = receiver.extension(sender.choice()).unwrap();
    assert_eq!(extension, hex(&case["extension"]));
    sender.extension(&extension).unwrap();
    for expected in case["trees"].as_array().unwrap() {
        let message = sender.trees().unwrap().unwrap();
        assert_eq!(message, hex(expected));
        receiver.trees(&message).unwrap();
    }
    assert_eq!(sender.trees().unwrap(), None);
    if sizes.malicious {
        let challenge = receiver.challenge().unwrap();
        assert_eq!(challenge.as_slice(), hex(&case["challenge"]));
        let proof = sender.proof(&challenge).unwrap();
        assert_eq!(proof.as_slice(), hex(&case["proof"]));
        receiver.verify(&proof).unwrap();
    }
    let (receiver, sender) = (receiver.finish().unwrap(), sender.finish().unwrap());
    assert_eq!(vec![*sender.delta], blocks(&case["delta"]));
    assert_eq!(*sender.b, blocks(&case["b"]));
    assert_eq!(*receiver.c, blocks(&case["c"]));
    assert_eq!(receiver.a.iter().map(|value| value.to_block()).collect::<Vec<_>>(), blocks(&case["a"]));
}

#[test]
fn runs_are_those_of_the_reference_message_by_message() {
    for (backend, case) in
        Backend::available().into_iter().flat_map(|b| cases("runs").into_iter().map(move |c| (b, c)))
    {
        if number(&case["sizes"]["value_bits"]) == 128 {
            run::<Gf128>(backend, &case);
        } else {
            run::<Gf64>(backend, &case);
        }
    }
}
