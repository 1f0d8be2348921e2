//! The vole suites against the vectors of the reference: their functions, and whole runs frame by frame.

use std::path::Path;

use psi_core::backend::Backend;
use psi_core::buckets::Buckets;
use psi_core::params::VoleSuite;
use psi_core::prg::Randomness;
use psi_core::role::{Role, VoleReceiver, VoleSender, VoleSetup, n_max};
use psi_core::tags::code::{Decoder, Encoder, code_bytes};
use psi_core::tags::order::{Order, batches};
use psi_core::tags::output::Output;
use psi_core::vole::sizes::TREE_DEPTH;
use serde_json::Value;
use zeroize::Zeroizing;

fn vectors(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol_spec/vectors").join(file);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let cases = vectors("vole.json")[name].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{name}");
    cases
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn suite(value: &Value) -> VoleSuite {
    let suites = [VoleSuite::Malicious, VoleSuite::SemiHonest];
    *suites.iter().find(|suite| suite.name() == value.as_str().unwrap()).unwrap()
}

#[test]
fn lengths_of_tags_and_sizes_of_batches_are_those_of_the_reference() {
    for case in cases("tag_lengths") {
        let [n_sender, n_receiver, tag_bytes] =
            ["n_sender", "n_receiver", "tag_bytes"].map(|name| number(&case[name]));
        assert_eq!(VoleSuite::SemiHonest.tag_bytes(n_sender, n_receiver), tag_bytes);
    }
    for case in cases("batches") {
        let sizes: Vec<usize> = batches(number(&case["n_sender"])).iter().map(ExactSizeIterator::len).collect();
        assert_eq!(sizes, numbers(&case["batches"]));
    }
}

#[test]
fn tags_and_report_values_are_those_of_the_reference() {
    for case in cases("tags") {
        let key = [suite(&case["suite"]).name().as_bytes(), &hex(&case["sid"]), &hex(&case["salt"])].concat();
        let key = blake3::derive_key("psi/1 vole tag key", &key);
        assert_eq!(key, fixed::<32>(&case["tag_key"]));
        let (digest, value) = (fixed(&case["digest"]), u128::from_le_bytes(fixed(&case["value"])));
        for backend in Backend::available() {
            let mut seen = Vec::new();
            Output::new(backend, key, 16).each(
                &[value],
                0,
                |_| &digest,
                |_, tag, report| seen = [tag, report].to_vec(),
            );
            assert_eq!(seen[0].to_be_bytes(), fixed(&case["tag"]));
            assert_eq!(seen[1].to_be_bytes(), fixed(&case["report"]));
        }
    }
}

#[test]
fn the_code_of_tags_is_that_of_the_reference() {
    for case in cases("codes") {
        let (tag_bytes, count, code) = (number(&case["tag_bytes"]), number(&case["count"]), hex(&case["code"]));
        let mut tags = Vec::new();
        for bytes in hex(&case["tags"]).chunks(tag_bytes) {
            let mut padded = [0; 16];
            padded[..tag_bytes].copy_from_slice(bytes);
            tags.push(u128::from_be_bytes(padded));
        }
        assert_eq!((tags.len(), code.len()), (count, code_bytes(count, tag_bytes)));
        let mut encoded = Vec::new();
        Encoder::new(Buckets::of(&tags), tag_bytes, true).append_to(&mut encoded, usize::MAX).unwrap();
        assert!(encoded == code);
        let mut decoded = Vec::new();
        Decoder::new(count, tag_bytes, true).take(&code, &mut decoded).unwrap();
        assert!(decoded == tags);
    }
}

#[test]
fn the_secret_order_is_that_of_the_reference() {
    for case in cases("orders") {
        let randomness = Randomness::new(Zeroizing::new(fixed(&case["seed"])), fixed(&case["sid"]));
        let mut stream = randomness.stream("vole sender order");
        let items = numbers(&case["items"]);
        let order = Order::draw(items.len(), |bytes| stream.fill(bytes));
        assert_eq!((0..items.len()).map(|position| order.item(position)).collect::<Vec<_>>(), items);
    }
}

#[test]
fn the_bound_on_a_cheating_receiver_is_that_of_the_reference() {
    for case in cases("n_max") {
        assert_eq!(n_max(number(&case["columns"])), number(&case["n_max"]));
    }
}

/// Sends what a role has ready; returns the frames.
fn frames_of(role: &mut dyn Role) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !role.status().needs_peer && !role.status().finished {
        frames.extend(role.next_frame().unwrap());
    }
    frames
}

#[test]
fn whole_runs_are_those_of_the_reference_frame_by_frame() {
    for file in ["vole_malicious.json", "vole_semi_honest.json"] {
        let run = vectors(file);
        let digests = |name: &str| run[name].as_array().unwrap().iter().map(fixed).collect::<Vec<[u8; 32]>>();
        let (own, other) = (digests("receiver_digests"), digests("sender_digests"));
        let setup = |seed: &str, n_peer| VoleSetup {
            suite: suite(&run["suite"]),
            report: true,
            n_peer,
            tree_depth: TREE_DEPTH,
            sid: fixed(&run["sid"]),
            seed: Zeroizing::new(fixed(&run[seed])),
            threads: 2,
        };
        let mut receiver = VoleReceiver::new(own.clone(), setup("receiver_seed", other.len())).unwrap();
        let mut sender = VoleSender::new(other, setup("sender_seed", own.len())).unwrap();
        let mut expected = run["frames"].as_array().unwrap().iter();
        loop {
            let mut frames: Vec<_> = frames_of(&mut sender).into_iter().map(|frame| ("sender", frame)).collect();
            frames.extend(frames_of(&mut receiver).into_iter().map(|frame| ("receiver", frame)));
            if frames.is_empty() {
                break;
            }
            for (from, frame) in frames {
                let expected = expected.next().unwrap();
                let (kind, body) = frame.split_first().unwrap();
                assert_eq!(
                    (from, usize::from(*kind)),
                    (expected["from"].as_str().unwrap(), number(&expected["type"]))
                );
                assert_eq!(body.len(), number(&expected["body_bytes"]), "{file} 0x{kind:02x}");
                if !expected["body"].is_null() {
                    assert_eq!(body, hex(&expected["body"]), "{file} 0x{kind:02x}");
                }
                let hash = blake3::derive_key("psi/1 test vectors", body);
                assert_eq!(hash, fixed::<32>(&expected["body_hash"]), "{file} 0x{kind:02x}");
                let taker: &mut dyn Role = if from == "sender" { &mut receiver } else { &mut sender };
                taker.receive(&frame).unwrap();
            }
        }
        assert!(expected.next().is_none() && receiver.status().finished && sender.status().finished);
        let places = |matched: &[u32]| matched.iter().map(|&place| place as usize).collect::<Vec<_>>();
        assert_eq!(places(receiver.matched().unwrap()), numbers(&run["receiver_matched"]));
        assert_eq!(places(sender.matched().unwrap()), numbers(&run["sender_matched"]));
    }
}
