//! Runs the project's vectors, the files of `protocol_spec/vectors` that concern the core.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, LargeStringArray, StringArray, StringViewArray};
use psi_core::error::{CoreError, Fault};
use psi_core::group::GroupHash;
use psi_core::item::append_digests;
use psi_core::params::{self, Suite};
use psi_core::prg::Randomness;
use psi_core::role::{EcdhReceiver, EcdhSender, Role, Setup};
use psi_core::threads::Threads;
use serde_json::Value;
use zeroize::Zeroizing;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol_spec/vectors")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

fn files(subfolder: &str) -> Vec<(String, Value)> {
    let paths = std::fs::read_dir(folder().join(subfolder)).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.map(|path| (path.display().to_string(), read(&path))).collect();
    assert!(!files.is_empty(), "{subfolder}");
    files
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = value[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn suite(value: &Value) -> Suite {
    let name = value.as_str().unwrap();
    [Suite::Ecdh, Suite::EcdhCardinality].into_iter().find(|suite| suite.name() == name).unwrap()
}

/// The three ways to hash a BLAKE3 vector are used: items and streams, tags, and the crate as it is.
#[test]
fn blake3_agrees_with_its_official_vectors_in_every_mode() {
    let vectors = read(&folder().join("official/blake3.json"));
    let key: [u8; 32] = vectors["key"].as_str().unwrap().as_bytes().try_into().unwrap();
    for case in list(&vectors, "cases") {
        let input: Vec<u8> = (0..number(&case["input_len"])).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for (mode, mut hasher) in [
            ("hash", blake3::Hasher::new()),
            ("keyed_hash", blake3::Hasher::new_keyed(&key)),
            ("derive_key", blake3::Hasher::new_derive_key(vectors["context"].as_str().unwrap())),
        ] {
            let expected = hex(&case[mode]);
            let mut output = vec![0; expected.len()];
            hasher.update(&input).finalize_xof().fill(&mut output);
            assert_eq!(output, expected, "{mode} of {} bytes", input.len());
        }
    }
}

#[test]
fn items_have_the_digests_of_the_vectors_in_every_encoding_of_strings() {
    let threads = Threads::new(1).unwrap();
    for case in list(&read(&folder().join("match_keys.json")), "cases") {
        let values: Vec<&str> = list(case, "values").iter().map(|value| value.as_str().unwrap()).collect();
        let encodings: [fn(&str) -> ArrayRef; 3] = [
            |value| Arc::new(StringViewArray::from(vec![value])),
            |value| Arc::new(LargeStringArray::from(vec![value])),
            |value| Arc::new(StringArray::from(vec![value])),
        ];
        for encode in encodings {
            let columns: Vec<ArrayRef> = values.iter().map(|value| encode(value)).collect();
            let mut digests = Vec::new();
            append_digests(&columns, 0, &mut digests, &threads).unwrap();
            assert_eq!(digests, [bytes(&case["digest"])], "{}", case["comment"]);
        }
    }
}

#[test]
fn tags_have_the_lengths_of_the_vectors() {
    for case in list(&read(&folder().join("lengths.json")), "tag_bytes") {
        let length = params::tag_bytes(number(&case["n_sender"]), number(&case["n_receiver"]));
        assert_eq!(length, Ok(number(&case["tag_bytes"])), "{case}");
    }
}

#[test]
fn messages_are_hashed_to_the_elements_of_the_vectors() {
    for case in list(&read(&folder().join("hash_to_group.json")), "cases") {
        let element = GroupHash::new(&hex(&case["dst"])).element(&hex(&case["message"]));
        assert_eq!(element.encode(), bytes(&case["element"]), "{case}");
    }
}

#[test]
fn seeds_are_expanded_to_the_streams_and_permutations_of_the_vectors() {
    let vectors = read(&folder().join("randomness.json"));
    let stream = |case: &Value| {
        let randomness = Randomness::new(Zeroizing::new(bytes(&case["seed"])), bytes(&case["sid"]));
        randomness.stream(case["label"].as_str().unwrap())
    };
    for case in list(&vectors, "seeds") {
        let expected = hex(&case["stream"]);
        let mut output = vec![0; expected.len()];
        stream(case).fill(&mut output);
        assert_eq!(output, expected);
    }
    for case in list(&vectors, "permutations") {
        let expected: Vec<usize> = case["permutation"].as_array().unwrap().iter().map(number).collect();
        let permutation = stream(case).permutation(expected.len().try_into().unwrap());
        assert!(permutation.into_iter().map(|position| position as usize).eq(expected));
    }
}

/// A role of a vector.
#[allow(clippy::large_enum_variant)] // one at a time
enum Played {
    Receiver(EcdhReceiver),
    Sender(EcdhSender),
}

impl Played {
    fn new(vector: &Value) -> Self {
        let items: Vec<_> = vector["digests"].as_array().unwrap().iter().map(bytes::<32>).collect();
        let setup = Setup {
            suite: suite(&vector["suite"]),
            n_peer: number(&vector["n_peer"]),
            sid: bytes(&vector["sid"]),
            seed: Zeroizing::new(bytes(&vector["seed"])),
            threads: 2,
        };
        match vector["role"].as_str().unwrap() {
            "receiver" => Self::Receiver(EcdhReceiver::new(items, setup).unwrap()),
            "sender" => Self::Sender(EcdhSender::new(items, setup).unwrap()),
            other => panic!("a role {other}"),
        }
    }

    fn role(&mut self) -> &mut dyn Role {
        match self {
            Self::Receiver(role) => role,
            Self::Sender(role) => role,
        }
    }

    /// Works until there is a frame, or nothing more can be done.
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        loop {
            let frame = self.role().next_frame()?;
            let status = self.role().status();
            if frame.is_some() || status.needs_peer || status.finished {
                return Ok(frame);
            }
        }
    }

    /// Does the operations up to the last but one, and all of the last.
    fn play(&mut self, operations: &[Value]) -> Result<(), CoreError> {
        for operation in operations {
            if let Some(frame) = operation.get("send") {
                assert_eq!(self.next_frame()?, Some(hex(frame)));
            } else if let Some(frame) = operation.get("receive") {
                self.role().receive(&hex(frame))?;
            } else if let Some(output) = operation.get("output") {
                assert_eq!(self.next_frame()?, None);
                self.compare(output);
            }
        }
        assert_eq!(self.next_frame()?, None, "a frame that the vector does not have");
        Ok(())
    }

    fn compare(&mut self, output: &Value) {
        assert!(self.role().status().finished);
        let Self::Receiver(receiver) = self else { panic!("an output of the sender") };
        assert_eq!(receiver.overlap().unwrap(), number(&output["overlap"]));
        if output["matched"].is_null() {
            assert_eq!(receiver.matched(), Err(CoreError::SizeOnly));
        } else {
            let expected: Vec<usize> = output["matched"].as_array().unwrap().iter().map(number).collect();
            assert!(receiver.matched().unwrap().iter().map(|&item| item as usize).eq(expected));
        }
    }
}

#[test]
fn honest_roles_send_the_frames_of_the_vectors() {
    for (name, vector) in files("roles") {
        let mut played = Played::new(&vector);
        played.play(vector["operations"].as_array().unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(played.role().status().finished, "{name}");
    }
}

#[test]
fn every_bad_peer_of_the_vectors_is_refused_as_the_vectors_say() {
    for (name, vector) in files("roles_bad") {
        let operations = list(&vector, "operations");
        let expected = operations.last().and_then(|operation| operation["raise"].as_str()).unwrap();
        let mut played = Played::new(&vector);
        let error = played.play(operations).expect_err(&name);
        let class = match error.fault() {
            Fault::Decode => "DecodeError",
            Fault::State => "StateError",
            Fault::Verification => "VerificationError",
            Fault::Usage | Fault::Machine => panic!("{name}: {error} blames us"),
        };
        assert_eq!(class, expected, "{name}: {error}");
        assert_eq!(played.role().next_frame(), Err(CoreError::Broken), "{name}");
        assert_eq!(played.role().receive(&[]), Err(CoreError::Broken), "{name}");
        if let Played::Receiver(receiver) = &played {
            assert_eq!(receiver.overlap(), Err(CoreError::NotFinished), "{name}");
        }
    }
}
