//! The relation of the COTs, and peers that cheat in either check.

#![allow(clippy::cast_possible_truncation)] // numbers below 256

use super::*;
use crate::ot::random_blocks;

const SID: [u8; SID_BYTES] = [3; SID_BYTES];
const PREFIX: &[u8] = b"what precedes it";
const DELTA: u128 = 0xfedc_ba98_7654_3210_0f1e_2d3c_4b5a_6978;

fn extension(backend: Backend, count: usize, malicious: bool) -> Extension<'static> {
    Extension { backend, sid: &SID, count, malicious }
}

fn base_keys() -> (Vec<[u128; 2]>, Vec<u128>) {
    let pairs = random_blocks("base keys", 256).as_chunks::<2>().0.to_vec();
    let chosen = pairs.iter().enumerate().map(|(bit, pair)| pair[usize::from(DELTA >> bit & 1 == 0)]).collect();
    (pairs, chosen)
}

fn run(extension: &Extension<'_>) -> (ReceiverCots, Vec<u8>) {
    let mut message = PREFIX.to_vec();
    let cots = extension.receive(&base_keys().0, &mut message);
    assert_eq!(message.len(), PREFIX.len() + extension.message_bytes());
    (cots, message)
}

fn refused(extension: &Extension<'_>, message: &[u8]) -> Option<CoreError> {
    extension.send(DELTA, &base_keys().1, message).err()
}

#[test]
fn the_relation_holds_on_every_backend_at_every_length() {
    // One step of the streams is 64 blocks: below, at and above.
    for count in [2, 3, 63, 64, 65, 130].map(|chunks| chunks * CHUNK) {
        let mut messages = Vec::new();
        for (backend, malicious) in
            Backend::available().into_iter().flat_map(|backend| [(backend, true), (backend, false)])
        {
            let extension = extension(backend, count, malicious);
            let (cots, message) = run(&extension);
            let blocks = extension.send(DELTA, &base_keys().1, &message).unwrap();
            assert_eq!((blocks.len(), cots.blocks.len(), cots.bits.len()), (count, count, count / CHUNK));
            for j in 0..count {
                let bit = (cots.bits[j / 128] >> (j % 128) & 1).wrapping_neg();
                assert!(cots.blocks[j] == blocks[j] ^ bit & DELTA, "{j} of {count}");
            }
            messages.push((malicious, message));
        }
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), 2, "one message for each suite, whatever the backend");
    }
}

#[test]
fn bits_are_balanced() {
    let (cots, _) = run(&extension(Backend::Portable, 64 * CHUNK, true));
    let ones: u32 = cots.bits.iter().map(|block| block.count_ones()).sum();
    assert!((3_900..4_292).contains(&ones), "{ones} of 8192, standard deviation 45");
}

#[test]
fn a_wrong_correction_of_a_tree_trips_the_leaf_check() {
    let extension = extension(Backend::Portable, 2 * CHUNK, true);
    let (_, message) = run(&extension);
    let error = Some(CoreError::FailedCheck { check: "leaves of the extension" });
    // Both blocks of a level: one of them is what the sender unmasks, the other it never sees.
    for (tree, level) in [(0, 0), (3, 1), (31, 2)] {
        let found: Vec<bool> = [0, 1]
            .map(|side| {
                let mut message = message.clone();
                message[PREFIX.len() + 16 * (tree * TREE_BLOCKS + 2 * level + side)] ^= 1;
                refused(&extension, &message) == error
            })
            .to_vec();
        let unmasked = usize::from(DELTA >> (DEPTH * tree + level + 1) & 1 == 0);
        assert!(found[unmasked], "tree {tree}, level {level}");
        // The other block changes the transcript, and with it the challenge of the other check.
    }
    let checks = message.len() - subspace::CHECK_BYTES - GROUPS * LEAF_CHECK_BYTES;
    for place in [0, 31, 32, 63, 31 * 64 + 5] {
        let mut message = message.clone();
        message[checks + place] ^= 0x80;
        assert_eq!(refused(&extension, &message), error, "{place}");
    }
}

/// A receiver with other bits in the columns of one group, who computes every hash anew over what it sends.
fn cheat(extension: &Extension<'_>, group: usize) -> Vec<u8> {
    let (cots, message) = run(extension);
    let (before, _) = message.split_at(message.len() - subspace::CHECK_BYTES);
    let mut forged = before.to_vec();
    forged[PREFIX.len() + GROUPS * TREE_BLOCKS * 16 + (group - 1) * extension.count / 8] ^= 1;
    let hash = LinearHash::new(extension.backend, &SID, &forged, extension.count / CHUNK);
    let mut columns = cots.blocks.clone();
    columns.chunks_exact_mut(CHUNK).for_each(transpose);
    let column = |bit: usize| -> Vec<u128> { columns.iter().skip(bit).step_by(CHUNK).copied().collect() };
    forged.extend_from_slice(&hash.hash(&cots.bits).to_le_bytes());
    forged.extend_from_slice(&subspace::digest(&SID, (0..128).map(|bit| hash.hash(&column(bit)))));
    forged
}

#[test]
fn unequal_columns_trip_the_subspace_check_unless_delta_hides_them() {
    let extension = extension(Backend::Portable, 3 * CHUNK, true);
    for group in [1, 14, 31] {
        let forged = cheat(&extension, group);
        let error = CoreError::FailedCheck { check: "columns of the extension" };
        assert_eq!(refused(&extension, &forged), Some(error));
        // The error meets only the bits of delta in this group: with those zero it goes unseen, at a chance of 2^-4.
        let hidden = DELTA & !(0xf << (DEPTH * group));
        let (pairs, _) = base_keys();
        let chosen: Vec<u128> =
            pairs.iter().enumerate().map(|(bit, pair)| pair[usize::from(hidden >> bit & 1 == 0)]).collect();
        assert!(extension.send(hidden, &chosen, &forged).is_ok());
    }
}

#[test]
fn every_byte_of_a_message_is_covered() {
    let extension = extension(Backend::available().pop().unwrap(), 2 * CHUNK, true);
    let (_, message) = run(&extension);
    assert_eq!(refused(&extension, &message), None);
    for place in (PREFIX.len()..message.len()).step_by(61) {
        let mut message = message.clone();
        message[place] ^= 4;
        assert!(matches!(refused(&extension, &message), Some(CoreError::FailedCheck { .. })), "{place}");
    }
    // What precedes the message is part of the challenge.
    let mut other = message.clone();
    other[0] ^= 1;
    assert!(refused(&extension, &other).is_some());
}

#[test]
fn another_session_is_refused() {
    let own = extension(Backend::Portable, 2 * CHUNK, true);
    let (_, message) = run(&own);
    let other = Extension { sid: &[4; SID_BYTES], ..own };
    assert!(refused(&other, &message).is_some());
}

#[test]
fn transposing_exchanges_rows_and_columns() {
    let rows = random_blocks("rows", CHUNK);
    let mut columns = rows.clone();
    transpose(&mut columns);
    for (i, j) in (0..CHUNK).flat_map(|i| (0..CHUNK).map(move |j| (i, j))) {
        assert_eq!(rows[i] >> j & 1, columns[j] >> i & 1);
    }
}
