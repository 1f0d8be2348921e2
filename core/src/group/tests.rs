//! The group against the official vectors, which the project keeps in `protocol_spec/vectors/official`.

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

/// Makes a secret scalar of a small number or of the canonical encoding of a vector.
fn scalar(encoding: &[u8]) -> SecretScalar {
    let mut wide = [0; 64];
    wide[..encoding.len()].copy_from_slice(encoding);
    SecretScalar::reduce(&wide).unwrap()
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
        assert_eq!(times(&scalar(&[factor]), multiples[1]), *multiple, "{factor} times the generator");
        assert_eq!(times(&scalar(&[factor]).inverse(), *multiple), multiples[1], "and back");
    }
}

#[test]
fn every_bad_encoding_of_rfc_9496_is_refused_and_named_by_position() {
    let vectors = official("ristretto255");
    let good: [u8; 32] = bytes(&list(&vectors, "generator_multiples")[1]);
    for bad in list(&vectors, "bad_encodings") {
        let encoding: [u8; 32] = bytes(&bad["encoding"]);
        assert_eq!(Element::decode(&encoding).err(), Some(BadElement::NotCanonical), "{bad}");
        for position in [0, 1, 7, 8, 9] {
            let mut encodings = [good; 10];
            encodings[position] = encoding;
            let result = scalar(&[3]).multiply_encodings(&mut encodings);
            assert_eq!(result, Err((position, BadElement::NotCanonical)), "{bad}");
        }
    }
}

#[test]
fn the_first_of_several_faults_is_named() {
    let vectors = official("ristretto255");
    let good: [u8; 32] = bytes(&list(&vectors, "generator_multiples")[1]);
    let bad: [u8; 32] = bytes(&list(&vectors, "bad_encodings")[0]["encoding"]);
    for (first, second) in [(0, 1), (2, 3), (3, 9), (8, 9)] {
        let mut encodings = [good; 10];
        (encodings[first], encodings[second]) = ([0; 32], bad);
        assert_eq!(scalar(&[3]).multiply_encodings(&mut encodings), Err((first, BadElement::Identity)));
        (encodings[first], encodings[second]) = (bad, [0; 32]);
        assert_eq!(scalar(&[3]).multiply_encodings(&mut encodings), Err((first, BadElement::NotCanonical)));
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
    let secret_key = scalar(&hex(&vectors["secret_key"]));
    for case in list(&vectors, "cases") {
        let blind = scalar(&hex(&case["blind"]));
        let element = hash.element(&hex(&case["input"]));
        let blinded = times(&blind, element.encode());
        assert_eq!(blinded, bytes(&case["blinded_element"]));
        let evaluated = times(&secret_key, blinded);
        assert_eq!(evaluated, bytes(&case["evaluation_element"]));
        assert_eq!(times(&blind.inverse(), evaluated), times(&secret_key, element.encode()));
    }
}

#[test]
fn a_scalar_of_zero_is_not_taken() {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut wide = [0; 64];
    assert!(SecretScalar::reduce(&wide).is_none());
    wide[..32].copy_from_slice(&order);
    assert!(SecretScalar::reduce(&wide).is_none());
    wide[0] += 1;
    let one = SecretScalar::reduce(&wide).unwrap();
    let hash = GroupHash::new(b"test");
    let element = hash.element(b"message").encode();
    assert_eq!(times(&one, element), element);
}

#[test]
fn a_batch_of_any_length_is_what_its_members_are_one_by_one() {
    // Around the four and eight lanes of the vector backends, and around a batch of a thread.
    let hash = GroupHash::new(b"psi/1/test");
    let secret = scalar(&[0xa5; 31]);
    for count in [0_usize, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257] {
        let messages: Vec<[u8; 8]> = (0..count).map(usize::to_le_bytes).collect();
        let mut hashed = vec![[0; 32]; count];
        secret.multiply_hashes(&hash, &messages, &mut hashed);
        let plain: Vec<[u8; 32]> = messages.iter().map(|message| hash.element(message).encode()).collect();
        let mut multiplied = plain.clone();
        secret.multiply_encodings(&mut multiplied).unwrap();
        assert_eq!(hashed, multiplied);
        for (element, multiple) in plain.iter().zip(&hashed) {
            let expected = Element::decode(element).unwrap().0 * (secret.half + secret.half);
            assert_eq!(*multiple, expected.compress().to_bytes());
        }
    }
}
