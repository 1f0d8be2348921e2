//! The group against the official vectors, which the project keeps in `protocol_spec/vectors/official`.

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn official(name: &str) -> Value {
    let path = format!("{}/../protocol_spec/vectors/official/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
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

/// Makes a secret scalar of a small number or of the canonical encoding of a vector, for each kernel that runs here.
fn scalars(encoding: &[u8]) -> Vec<SecretScalar> {
    static KERNELS: OnceLock<Vec<Kernel>> = OnceLock::new();
    let mut wide = [0; 64];
    wide[..encoding.len()].copy_from_slice(encoding);
    KERNELS
        .get_or_init(Kernel::available)
        .iter()
        .map(|kernel| SecretScalar::reduce(&wide, kernel).unwrap())
        .collect()
}

fn times(scalar: &SecretScalar, encoding: [u8; ELEMENT_BYTES]) -> [u8; ELEMENT_BYTES] {
    let mut encodings = [encoding];
    scalar.multiply_encodings(&mut encodings).unwrap();
    encodings[0]
}

#[test]
fn multiples_of_the_generator_are_those_of_rfc_9496() {
    let vectors = official("ristretto255");
    let multiples: Vec<[u8; 32]> = list(&vectors, "generator_multiples").iter().map(bytes).collect();
    assert_eq!(Element::decode(&multiples[0]).err(), Some(BadElement::Identity));
    for (factor, multiple) in (1..).zip(&multiples[1..]) {
        assert_eq!(Element::decode(multiple).unwrap().encode(), *multiple);
        for scalar in scalars(&[factor]) {
            assert_eq!(times(&scalar, multiples[1]), *multiple, "{factor} times the generator");
            assert_eq!(times(&scalar.inverse(), *multiple), multiples[1], "and back");
        }
    }
}

#[test]
fn every_bad_encoding_of_rfc_9496_is_refused_and_named_by_position() {
    let vectors = official("ristretto255");
    let good: [u8; 32] = bytes(&list(&vectors, "generator_multiples")[1]);
    for bad in list(&vectors, "bad_encodings") {
        let encoding: [u8; 32] = bytes(&bad["encoding"]);
        assert_eq!(Element::decode(&encoding).err(), Some(BadElement::NotCanonical), "{bad}");
        for scalar in scalars(&[3]) {
            for position in [0, 1, 3, 4, 7, 8, 9] {
                let mut encodings = [good; 10];
                encodings[position] = encoding;
                let before = encodings;
                let result = scalar.multiply_encodings(&mut encodings);
                assert_eq!(result, Err((position, BadElement::NotCanonical)), "{bad}");
                assert_eq!(encodings, before);
            }
        }
    }
}

#[test]
fn the_first_of_several_faults_is_named() {
    let vectors = official("ristretto255");
    let good: [u8; 32] = bytes(&list(&vectors, "generator_multiples")[1]);
    let bad: [u8; 32] = bytes(&list(&vectors, "bad_encodings")[0]["encoding"]);
    for (first, second) in [(0, 1), (2, 3), (3, 9), (8, 9)] {
        for scalar in scalars(&[3]) {
            let mut encodings = [good; 10];
            (encodings[first], encodings[second]) = ([0; 32], bad);
            assert_eq!(scalar.multiply_encodings(&mut encodings), Err((first, BadElement::Identity)));
            (encodings[first], encodings[second]) = (bad, [0; 32]);
            assert_eq!(scalar.multiply_encodings(&mut encodings), Err((first, BadElement::NotCanonical)));
        }
    }
}

#[test]
fn the_map_from_64_bytes_is_that_of_rfc_9496() {
    for case in list(&official("ristretto255"), "uniform_bytes") {
        let element = Element(RistrettoPoint::from_uniform_bytes(&bytes(&case["uniform_bytes"])));
        assert_eq!(element.encode(), bytes(&case["element"]));
    }
}

#[test]
fn messages_are_expanded_as_in_rfc_9380() {
    let vectors = official("expand_message_xmd");
    let hash = GroupHash::new(vectors["dst"].as_str().unwrap().as_bytes());
    let mut tried = 0;
    for case in list(&vectors, "cases").iter().filter(|case| case["length"] == 32) {
        // The others have 128 bytes, two blocks; the suite asks for one.
        let message = case["message"].as_str().unwrap().as_bytes();
        assert_eq!(hash.expand(message, 32)[..32], hex(&case["uniform_bytes"]));
        tried += 1;
    }
    assert_eq!(tried, 5);
}

#[test]
fn blinding_and_evaluation_are_those_of_rfc_9497() {
    let vectors = official("oprf");
    let hash = GroupHash::new(&hex(&vectors["dst"]));
    for case in list(&vectors, "cases") {
        let element = hash.element(&hex(&case["input"])).encode();
        for (secret_key, blind) in scalars(&hex(&vectors["secret_key"])).iter().zip(scalars(&hex(&case["blind"])))
        {
            let blinded = times(&blind, element);
            assert_eq!(blinded, bytes(&case["blinded_element"]));
            let evaluated = times(secret_key, blinded);
            assert_eq!(evaluated, bytes(&case["evaluation_element"]));
            assert_eq!(times(&blind.inverse(), evaluated), times(secret_key, element));
        }
    }
}

#[test]
fn a_scalar_of_zero_is_not_taken() {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut wide = [0; 64];
    assert!(SecretScalar::reduce(&wide, &Kernel::OneByOne).is_none());
    wide[..32].copy_from_slice(&order);
    assert!(SecretScalar::reduce(&wide, &Kernel::OneByOne).is_none());
    wide[0] += 1; // the order and one: one
    let element = GroupHash::new(b"test").element(b"message").encode();
    for one in scalars(&wide[..32]) {
        assert_eq!(times(&one, element), element);
    }
}

#[test]
fn a_scalar_is_the_sum_of_its_digits() {
    for byte in [0x00, 0x01, 0x07, 0x08, 0x77, 0x78, 0x80, 0x87, 0x88, 0xf7, 0xff] {
        let mut scalar = [byte; 32];
        scalar[31] &= 0x1f; // below 2^253
        let digits = digits(&scalar);
        assert!(digits.iter().all(|digit| (-8..=8).contains(digit)));
        let sum = digits.iter().rev().fold(Scalar::ZERO, |sum, &digit| {
            let size = Scalar::from(digit.unsigned_abs());
            sum * Scalar::from(16_u8) + if digit < 0 { -size } else { size }
        });
        assert_eq!(sum, Scalar::from_bytes_mod_order(scalar));
    }
}

#[test]
fn a_batch_of_any_length_is_what_its_members_are_one_by_one() {
    // Around the four and eight lanes of the vector units, and around a batch of a thread.
    let hash = GroupHash::new(b"psi/1/test");
    let scalars = scalars(&[0xa5; 31]);
    for count in [0_usize, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257] {
        let messages: Vec<[u8; 8]> = (0..count).map(usize::to_le_bytes).collect();
        let elements: Vec<Element> = messages.iter().map(|message| hash.element(message)).collect();
        let scalar = scalars[0].half + scalars[0].half;
        let expected: Vec<_> = elements.iter().map(|element| (element.0 * scalar).compress().to_bytes()).collect();
        for scalar in &scalars {
            let mut hashed = vec![[0; 32]; count];
            scalar.multiply_hashes(&hash, &messages, &mut hashed);
            assert_eq!(hashed, expected, "{}", scalar.kernel.describe());
            let mut multiplied: Vec<_> = elements.iter().map(Element::encode).collect();
            scalar.multiply_encodings(&mut multiplied).unwrap();
            assert_eq!(multiplied, expected, "{}", scalar.kernel.describe());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kernel_takes_refuses_and_multiplies_as_curve25519_dalek_does(
        wide in proptest::collection::vec(any::<u8>(), 32),
        strings in proptest::collection::vec(any::<[u8; 32]>(), 1..12),
    ) {
        let scalars = scalars(&wide);
        // Half of the even numbers below 2^255 are encodings.
        let strings: Vec<[u8; 32]> = strings.into_iter().map(|mut string| {
            string[0] &= 0xfe;
            string[31] &= 0x7f;
            string
        }).collect();
        let good: Vec<[u8; 32]> = strings.iter().filter(|string| Element::decode(string).is_ok()).copied().collect();
        for batch in [strings, good] {
            let results: Vec<_> = scalars.iter().map(|scalar| {
                let mut encodings = batch.clone();
                let result = scalar.multiply_encodings(&mut encodings);
                (result, encodings)
            }).collect();
            for result in &results {
                prop_assert_eq!(result, &results[0]);
            }
        }
    }
}
