//! Both machines against each other: the relation, every backend, threads, cheating peers, lengths and replays.

use zeroize::Zeroizing;

use super::silent_receiver::ReceiverOutput;
use super::silent_sender::SenderOutput;
use super::sizes::{Batch, TREE_DEPTH};
use super::*;
use crate::backend::Backend;
use crate::error::CoreError;
use crate::gf64::{Gf64, Gf64x2};
use crate::gf128::Gf128;
use crate::okvs::Value;
use crate::prg::Randomness;

const SID: [u8; 32] = [0x51; 32];

fn randomness(seed: u8, sid: [u8; 32]) -> Randomness {
    Randomness::new(Zeroizing::new([seed; 32]), sid)
}

/// Small sizes: `batches` of six trees, and a bootstrapping batch if there are several.
fn small(value_bits: usize, malicious: bool, batches: usize) -> Sizes {
    let batch = Batch { trees: 6, depth: 4 };
    let bootstrap = (batches > 1).then_some(Batch { trees: 4, depth: 4 });
    Sizes { length: batches * 48 - 5, value_bits, malicious, bootstrap, batch, batches }
}

fn best() -> Backend {
    Backend::available().pop().unwrap()
}

fn pair<V: Value>(backend: Backend, sizes: Sizes) -> (SilentReceiver<V>, SilentSender) {
    (
        SilentReceiver::new(backend, sizes, SID, &randomness(1, SID)),
        SilentSender::new(backend, sizes, SID, &randomness(2, SID)),
    )
}

/// Everything that is sent, in order.
type Frames = Vec<Vec<u8>>;

fn run<V: Value>(backend: Backend, sizes: Sizes) -> (ReceiverOutput<V>, SenderOutput, Frames) {
    let (mut receiver, mut sender) = pair::<V>(backend, sizes);
    let mut frames = vec![sender.choice().to_vec()];
    frames.push(receiver.extension(&frames[0]).unwrap());
    sender.extension(&frames[1]).unwrap();
    while let Some(message) = sender.trees().unwrap() {
        assert_eq!(receiver.next_trees_bytes(), Some(message.len()));
        receiver.trees(&message).unwrap();
        frames.push(message);
    }
    assert_eq!(receiver.next_trees_bytes(), None);
    if sizes.malicious {
        let challenge = receiver.challenge().unwrap();
        let proof = sender.proof(&challenge).unwrap();
        receiver.verify(&proof).unwrap();
        frames.extend([challenge.to_vec(), proof.to_vec()]);
    }
    assert_eq!(frames.iter().map(Vec::len).sum::<usize>(), sizes.total_bytes());
    (receiver.finish().unwrap(), sender.finish().unwrap(), frames)
}

#[allow(clippy::cast_possible_truncation)] // an element of GF(2^64)
fn product(value_bits: usize, a: u128, delta: u128) -> u128 {
    if value_bits == 128 { (Gf128(a) * Gf128(delta)).0 } else { (Gf64x2(delta) * Gf64(a as u64)).0 }
}

fn assert_related<V: Value>(receiver: &ReceiverOutput<V>, sender: &SenderOutput, sizes: Sizes) {
    assert_eq!((receiver.a.len(), receiver.c.len(), sender.b.len()), (sizes.length, sizes.length, sizes.length));
    for (i, ((a, c), b)) in receiver.a.iter().zip(&**receiver.c).zip(&**sender.b).enumerate() {
        let a = a.to_block();
        assert!(*c == product(sizes.value_bits, a, *sender.delta) ^ b, "output {i}");
        // With the few trees of a small size the noise does not reach every output.
        assert!(sizes.batch.trees < 768 || a != 0 && *b != 0, "output {i}");
    }
}

fn every_backend_agrees<V: Value>(value_bits: usize, malicious: bool) {
    for batches in [1, 2, 3] {
        let sizes = small(value_bits, malicious, batches);
        let mut frames: Option<Frames> = None;
        for backend in Backend::available() {
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (receiver, sender, sent) = pool.install(|| run::<V>(backend, sizes));
                assert_related(&receiver, &sender, sizes);
                assert!(*frames.get_or_insert_with(|| sent.clone()) == sent, "{backend:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn the_relation_holds_whatever_the_backend_and_threads_malicious() {
    every_backend_agrees::<Gf128>(128, true);
}

#[test]
fn the_relation_holds_whatever_the_backend_and_threads_semi_honest() {
    every_backend_agrees::<Gf64>(64, false);
    every_backend_agrees::<Gf128>(128, false);
}

#[test]
fn the_relation_holds_at_the_sizes_of_the_product() {
    // One output, one batch below its bound, several batches with a bootstrapping one.
    for (length, malicious) in [(1, true), (6_145, false), (400_000, true)] {
        let sizes = Sizes::new(length, 128, malicious, TREE_DEPTH).unwrap();
        let (receiver, sender, _) = run::<Gf128>(best(), sizes);
        assert_related(&receiver, &sender, sizes);
    }
    let sizes = Sizes::new(400_000, 64, false, TREE_DEPTH).unwrap();
    let (receiver, sender, _) = run::<Gf64>(best(), sizes);
    assert_related(&receiver, &sender, sizes);
}

/// Runs up to the challenge with one bit of a message about trees flipped; returns what the receiver says to the proof.
fn with_flipped_bit(sizes: Sizes, batch: usize, byte: usize) -> Result<(), CoreError> {
    let (mut receiver, mut sender) = pair::<Gf128>(best(), sizes);
    let extension = receiver.extension(sender.choice()).unwrap();
    sender.extension(&extension).unwrap();
    let mut number = 0;
    while let Some(mut message) = sender.trees().unwrap() {
        if number == batch {
            message[byte] ^= 0x10;
        }
        receiver.trees(&message).unwrap();
        number += 1;
    }
    let challenge = receiver.challenge().unwrap();
    let proof = sender.proof(&challenge).unwrap();
    let result = receiver.verify(&proof);
    if result.is_err() {
        assert_eq!(receiver.finish().err(), Some(CoreError::NotFinished), "no output after a failed check");
    }
    result
}

#[test]
fn a_wrong_leaf_correction_trips_the_check_in_every_batch() {
    let sizes = small(128, true, 2);
    let failed = Err(CoreError::FailedCheck { check: "the correlation" });
    for batch in 0..3 {
        for tree in [0, 3] {
            // The last block of a tree is the correction of its missing leaf.
            assert_eq!(with_flipped_bit(sizes, batch, (tree + 1) * sizes.batch.tree_bytes() - 1), failed);
        }
    }
}

#[test]
fn a_wrong_level_sum_trips_the_check_unless_the_position_hides_it() {
    let sizes = small(128, true, 1);
    // Of the two blocks of a level the receiver unmasks one: the other may be anything, a guess of one bit.
    let mut refused = 0;
    for tree in 0..sizes.batch.trees {
        for level in 0..sizes.batch.depth - 1 {
            let results = [0, 16].map(|side| {
                with_flipped_bit(sizes, 0, tree * sizes.batch.tree_bytes() + 32 * level + side).is_err()
            });
            assert!(results[0] != results[1], "tree {tree}, level {level}");
            refused += usize::from(results[0]);
        }
    }
    let all = sizes.batch.trees * (sizes.batch.depth - 1);
    assert!(0 < refused && refused < all, "positions are not all on one side");
}

#[test]
fn each_check_is_tried_once() {
    let (mut receiver, mut sender) = pair::<Gf128>(best(), small(128, true, 1));
    let extension = receiver.extension(sender.choice()).unwrap();
    let mut forged = extension.clone();
    forged[70] ^= 1;
    assert!(matches!(sender.extension(&forged), Err(CoreError::FailedCheck { .. })));
    let again = sender.extension(&extension);
    assert!(matches!(again, Err(CoreError::UnexpectedFrame { frame: "extension", .. })), "a second try at delta");

    let (mut receiver, mut sender) = pair::<Gf128>(best(), small(128, true, 1));
    let extension = receiver.extension(sender.choice()).unwrap();
    sender.extension(&extension).unwrap();
    receiver.trees(&sender.trees().unwrap().unwrap()).unwrap();
    let challenge = receiver.challenge().unwrap();
    assert_eq!(receiver.challenge().err(), Some(CoreError::NotFinished));
    let proof = sender.proof(&challenge).unwrap();
    assert!(matches!(sender.proof(&challenge), Err(CoreError::UnexpectedFrame { frame: "challenge", .. })));
    let mut wrong = proof;
    wrong[31] ^= 0x80;
    assert_eq!(receiver.verify(&wrong), Err(CoreError::FailedCheck { check: "the correlation" }));
    assert!(matches!(receiver.verify(&proof), Err(CoreError::UnexpectedFrame { frame: "proof", .. })));
    assert_eq!(receiver.finish().err(), Some(CoreError::NotFinished));
}

#[test]
fn every_message_of_another_length_is_refused() {
    let sizes = small(128, true, 2);
    let wrong = |expected: usize| [0, 1, expected - 1, expected + 1];
    let refused = |frame, bytes, expected| Some(CoreError::ChunkBytes { frame, bytes, expected });
    let (mut receiver, mut sender) = pair::<Gf128>(best(), sizes);
    for bytes in wrong(8192) {
        assert_eq!(receiver.extension(&vec![1; bytes]).err(), refused("choice", bytes, 8192));
    }
    let extension = receiver.extension(sender.choice()).unwrap();
    for bytes in wrong(extension.len()) {
        assert_eq!(sender.extension(&vec![1; bytes]).err(), refused("extension", bytes, extension.len()));
    }
    sender.extension(&extension).unwrap();
    while let Some(message) = sender.trees().unwrap() {
        for bytes in wrong(message.len()) {
            assert_eq!(receiver.trees(&vec![1; bytes]).err(), refused("trees", bytes, message.len()));
        }
        receiver.trees(&message).unwrap();
    }
    for bytes in wrong(32) {
        assert_eq!(sender.proof(&vec![1; bytes]).err(), refused("challenge", bytes, 32));
    }
    let challenge = receiver.challenge().unwrap();
    for bytes in wrong(32) {
        assert_eq!(receiver.verify(&vec![1; bytes]).err(), refused("proof", bytes, 32));
    }
    receiver.verify(&sender.proof(&challenge).unwrap()).unwrap();
}

#[test]
fn messages_out_of_order_are_refused() {
    let sizes = small(128, true, 1);
    let (mut receiver, mut sender) = pair::<Gf128>(best(), sizes);
    assert_eq!(receiver.trees(&[]).err(), Some(CoreError::NotFinished));
    assert_eq!(receiver.challenge().err(), Some(CoreError::NotFinished));
    assert!(matches!(receiver.verify(&[0; 32]), Err(CoreError::UnexpectedFrame { frame: "proof", .. })));
    assert_eq!(sender.trees().err(), Some(CoreError::NotFinished));
    assert_eq!(sender.proof(&[0; 32]).err(), Some(CoreError::NotFinished));
    let extension = receiver.extension(sender.choice()).unwrap();
    assert!(matches!(
        receiver.extension(sender.choice()),
        Err(CoreError::UnexpectedFrame { frame: "choice", .. })
    ));
    sender.extension(&extension).unwrap();
    assert!(matches!(sender.extension(&extension), Err(CoreError::UnexpectedFrame { frame: "extension", .. })));
    assert_eq!(sender.proof(&[0; 32]).err(), Some(CoreError::NotFinished));
    let message = sender.trees().unwrap().unwrap();
    receiver.trees(&message).unwrap();
    assert!(matches!(receiver.trees(&message), Err(CoreError::UnexpectedFrame { frame: "trees", .. })));
    assert!(matches!(receiver.verify(&[0; 32]), Err(CoreError::UnexpectedFrame { frame: "proof", .. })));
    assert_eq!(receiver.finish().err(), Some(CoreError::NotFinished));
}

#[test]
fn messages_of_another_session_are_refused() {
    let sizes = small(128, true, 1);
    let other = [0x52; 32];
    let (mut receiver, mut sender) = pair::<Gf128>(best(), sizes);
    // The choice of another session decodes, but no key fits: the sender's first check fails.
    let mut replayed = SilentSender::new(best(), sizes, other, &randomness(2, other));
    let extension = receiver.extension(replayed.choice()).unwrap();
    assert!(matches!(replayed.extension(&extension), Err(CoreError::FailedCheck { .. })));
    // The extension of another session.
    let mut receiver_of_other = SilentReceiver::<Gf128>::new(best(), sizes, other, &randomness(1, other));
    let extension = receiver_of_other.extension(sender.choice()).unwrap();
    assert!(matches!(sender.extension(&extension), Err(CoreError::FailedCheck { .. })));
    // The trees and the proof of another session, with everything before them right.
    let (mut receiver, mut sender) = pair::<Gf128>(best(), sizes);
    let extension = receiver.extension(sender.choice()).unwrap();
    sender.extension(&extension).unwrap();
    let mut sender_of_other = SilentSender::new(best(), sizes, other, &randomness(2, other));
    let extension = SilentReceiver::<Gf128>::new(best(), sizes, other, &randomness(1, other))
        .extension(sender_of_other.choice())
        .unwrap();
    sender_of_other.extension(&extension).unwrap();
    receiver.trees(&sender_of_other.trees().unwrap().unwrap()).unwrap();
    sender.trees().unwrap();
    let proof = sender.proof(&receiver.challenge().unwrap()).unwrap();
    assert_eq!(receiver.verify(&proof), Err(CoreError::FailedCheck { check: "the correlation" }));
}

#[test]
fn a_seed_in_another_session_gives_other_secrets() {
    let outputs = [SID, [0x53; 32]].map(|sid| {
        let sizes = small(128, false, 1);
        let mut receiver = SilentReceiver::<Gf128>::new(best(), sizes, sid, &randomness(1, sid));
        let mut sender = SilentSender::new(best(), sizes, sid, &randomness(2, sid));
        let extension = receiver.extension(sender.choice()).unwrap();
        sender.extension(&extension).unwrap();
        receiver.trees(&sender.trees().unwrap().unwrap()).unwrap();
        (receiver.finish().unwrap(), sender.finish().unwrap())
    });
    let [(first, one), (second, two)] = outputs;
    assert!(*one.delta != *two.delta);
    let zero = Gf128::default();
    assert!(first.a.iter().zip(&**second.a).all(|(first, second)| first != second || *first == zero));
    assert!(first.a.iter().any(|first| *first != zero));
    assert!(one.b.iter().zip(&**two.b).all(|(first, second)| first != second));
}
