//! The two roles against each other and against frames that no honest peer sends.

mod common;

use common::{Frames, items, receiver, run, sender, setup, work};
use proptest::prelude::*;
use psi_core::error::{CoreError, Fault};
use psi_core::params::{ELEMENTS_PER_FRAME, MAX_ITEMS, Suite, TAGS_PER_FRAME};
use psi_core::role::{EcdhReceiver, EcdhSender, Phase, Role};

const SUITES: [Suite; 2] = [Suite::Ecdh, Suite::EcdhCardinality];

/// Runs a suite on items `0..n_receiver` and `n_receiver - overlap..`, and checks output and frame lengths.
fn check(suite: Suite, n_receiver: usize, n_sender: usize, overlap: usize) {
    let (ours, theirs) = (items(0, n_receiver), items(n_receiver - overlap, n_sender));
    let mut receiver = receiver(suite, &ours, n_sender, 2);
    let mut sender = sender(suite, &theirs, n_receiver, 2);
    let Frames { from_receiver, from_sender } = run(&mut receiver, &mut sender).unwrap();
    let counts = |total: usize, full: usize| (0..total).step_by(full).map(move |at| full.min(total - at));
    let tag_bytes = psi_core::params::tag_bytes(n_sender, n_receiver).unwrap();
    let elements: Vec<usize> = counts(n_receiver, ELEMENTS_PER_FRAME).map(|count| 1 + 32 * count).collect();
    let tags: Vec<usize> = counts(n_sender, TAGS_PER_FRAME).map(|count| 1 + tag_bytes * count).collect();
    assert!(from_receiver.iter().map(Vec::len).eq(elements.iter().copied()));
    assert!(from_sender.iter().map(Vec::len).eq(elements.into_iter().chain(tags)));
    assert_eq!(receiver.overlap().unwrap(), overlap);
    match suite {
        Suite::Ecdh => {
            let matched: Vec<usize> = receiver.matched().unwrap().iter().map(|&item| item as usize).collect();
            assert!(matched.into_iter().eq(n_receiver - overlap..n_receiver));
        }
        Suite::EcdhCardinality => assert_eq!(receiver.matched(), Err(CoreError::SizeOnly)),
    }
}

#[test]
fn small_sets_intersect_whatever_their_sizes() {
    for suite in SUITES {
        for n_receiver in 0..4 {
            for n_sender in 0..4 {
                for overlap in 0..=n_receiver.min(n_sender) {
                    check(suite, n_receiver, n_sender, overlap);
                }
            }
        }
    }
}

#[test]
fn sets_around_a_batch_of_a_thread_intersect() {
    let batch = psi_core::threads::BATCH;
    for count in [batch - 1, batch, batch + 1, 2 * batch + 1] {
        check(Suite::Ecdh, count, count, count / 2);
        check(Suite::EcdhCardinality, count, count, count / 2);
    }
}

/// The lengths of chunks are tried below, at and above each boundary in `frame.rs`; these are whole runs above it.
#[test]
fn sets_above_a_chunk_of_elements_intersect() {
    check(Suite::Ecdh, ELEMENTS_PER_FRAME + 1, 2, 2);
    check(Suite::EcdhCardinality, ELEMENTS_PER_FRAME + 1, 2, 1);
}

#[test]
fn sets_above_a_chunk_of_tags_intersect() {
    check(Suite::Ecdh, 2, TAGS_PER_FRAME + 1, 1);
}

#[test]
fn frames_do_not_depend_on_the_number_of_threads() {
    for suite in SUITES {
        let frames = [1, 2, 3].map(|threads| {
            let (ours, theirs) = (items(0, 600), items(300, 700));
            run(&mut receiver(suite, &ours, 700, threads), &mut sender(suite, &theirs, 600, threads)).unwrap()
        });
        assert_eq!(frames[0], frames[1]);
        assert_eq!(frames[0], frames[2]);
    }
}

#[test]
fn what_the_sender_sends_does_not_show_the_order_of_its_items() {
    for suite in SUITES {
        let ours = items(0, 50);
        let theirs = items(25, 50);
        let reversed: Vec<_> = theirs.iter().rev().copied().collect();
        let frames = [theirs, reversed].map(|theirs| {
            run(&mut receiver(suite, &ours, 50, 1), &mut sender(suite, &theirs, 50, 1)).unwrap().from_sender
        });
        assert_eq!(frames[0], frames[1]);
    }
}

#[test]
fn cardinality_returns_elements_in_an_order_of_its_own() {
    let ours = items(0, 50);
    let frames = [2, 3].map(|seed| {
        let mut sender = EcdhSender::new(items(0, 2), setup(Suite::EcdhCardinality, 50, seed, 1)).unwrap();
        let [blinded] = &work(&mut receiver(Suite::EcdhCardinality, &ours, 2, 1)).unwrap()[..] else { panic!() };
        sender.receive(blinded).unwrap();
        work(&mut sender).unwrap()
    });
    assert_ne!(frames[0], frames[1]);
    // The same scalar for every element: the set of evaluated elements does not depend on the shuffle, its order does.
    let mut plain = sender(Suite::Ecdh, &items(0, 2), 50, 1);
    let mut shuffled = sender(Suite::EcdhCardinality, &items(0, 2), 50, 1);
    let [blinded] = &work(&mut receiver(Suite::Ecdh, &ours, 2, 1)).unwrap()[..] else { panic!() };
    plain.receive(blinded).unwrap();
    shuffled.receive(blinded).unwrap();
    let [plain, shuffled] = [work(&mut plain), work(&mut shuffled)].map(|frames| frames.unwrap().remove(0));
    assert_ne!(plain, shuffled);
    let sorted = |frame: &[u8]| {
        let mut elements: Vec<_> = frame[1..].as_chunks::<32>().0.to_vec();
        elements.sort_unstable();
        elements
    };
    assert_eq!(sorted(&plain), sorted(&shuffled));
}

#[test]
fn a_sender_that_has_nothing_to_evaluate_makes_its_tags_meanwhile() {
    let mut sender = sender(Suite::Ecdh, &items(0, 3), 2, 1);
    assert_eq!((sender.status().phase, sender.status().done), (Phase::Tag, 0));
    assert_eq!(sender.next_frame(), Ok(None));
    assert!(sender.status().needs_peer);
    assert_eq!((sender.status().phase, sender.status().done, sender.status().total), (Phase::Wait, 0, 2));
}

#[test]
fn elements_are_evaluated_as_they_arrive() {
    let ours = items(0, ELEMENTS_PER_FRAME + 1);
    let mut receiver = receiver(Suite::Ecdh, &ours, 1, 2);
    let mut sender = sender(Suite::Ecdh, &items(0, 1), ours.len(), 2);
    let first = receiver.next_frame().unwrap().unwrap();
    sender.receive(&first).unwrap();
    let evaluated = sender.next_frame().unwrap().unwrap();
    assert_eq!(evaluated.len(), first.len());
    receiver.receive(&evaluated).unwrap();
    assert_eq!(receiver.status().phase, Phase::Blind);
}

#[test]
fn an_answer_before_its_question_is_refused() {
    // The first chunk was asked for, the second was not.
    let ours = items(0, ELEMENTS_PER_FRAME + 1);
    let mut receiver = receiver(Suite::Ecdh, &ours, 1, 2);
    let first = receiver.next_frame().unwrap().unwrap();
    let answer = |elements: &[u8]| [&[0x11], elements].concat();
    receiver.receive(&answer(&first[1..])).unwrap();
    let error = receiver.receive(&answer(&[1; 32])).unwrap_err();
    assert_eq!(error.fault(), Fault::State, "{error}");
}

#[test]
fn cardinality_takes_no_answer_before_its_last_question() {
    let ours = items(0, ELEMENTS_PER_FRAME + 1);
    let mut receiver = receiver(Suite::EcdhCardinality, &ours, 1, 2);
    let first = receiver.next_frame().unwrap().unwrap();
    let error = receiver.receive(&[&[0x11], &first[1..]].concat()).unwrap_err();
    assert_eq!(error.fault(), Fault::State, "{error}");
}

#[test]
fn a_repetition_across_chunks_is_found() {
    let ours = items(0, ELEMENTS_PER_FRAME + 1);
    let frames = work(&mut receiver(Suite::Ecdh, &ours, 1, 2)).unwrap();
    let mut sender = sender(Suite::Ecdh, &items(0, 1), ours.len(), 2);
    sender.receive(&frames[0]).unwrap();
    sender.receive(&[&[0x10], &frames[0][1 + 32 * 7..1 + 32 * 8]].concat()).unwrap();
    let error = work(&mut sender).unwrap_err();
    assert_eq!(error, CoreError::RepeatedElement { frame: "blinded", first: 7, second: ELEMENTS_PER_FRAME });
}

#[test]
fn no_tag_leaves_a_sender_before_all_elements_are_checked() {
    for suite in SUITES {
        let mut sender = sender(suite, &items(0, 5), 2, 1);
        assert!(work(&mut sender).unwrap().is_empty());
        assert!(sender.status().needs_peer);
    }
}

#[test]
fn every_cut_frame_and_every_strange_type_is_refused() {
    let (ours, theirs) = (items(0, 3), items(1, 4));
    let frames = run(&mut receiver(Suite::Ecdh, &ours, 4, 1), &mut sender(Suite::Ecdh, &theirs, 3, 1)).unwrap();
    for length in 0..frames.from_receiver[0].len() {
        let error = sender(Suite::Ecdh, &theirs, 3, 1).receive(&frames.from_receiver[0][..length]).unwrap_err();
        assert_eq!(error.fault(), Fault::Decode, "{length}: {error}");
    }
    for kind in (0..=u8::MAX).filter(|kind| *kind != 0x10) {
        let frame = [&[kind], &frames.from_receiver[0][1..]].concat();
        let error = sender(Suite::Ecdh, &theirs, 3, 1).receive(&frame).unwrap_err();
        let expected = if matches!(kind, 0x11 | 0x12) { Fault::State } else { Fault::Decode };
        assert_eq!(error.fault(), expected, "{kind}: {error}");
    }
}

#[test]
fn every_flipped_bit_of_an_element_is_another_element_or_the_peers_fault() {
    let (ours, theirs) = (items(0, 2), items(0, 2));
    let blinded = work(&mut receiver(Suite::Ecdh, &ours, 2, 1)).unwrap().remove(0);
    for bit in 0..512 {
        let mut flipped = blinded.clone();
        flipped[1 + bit / 8] ^= 1 << (bit % 8);
        let mut sender = sender(Suite::Ecdh, &theirs, 2, 1);
        sender.receive(&flipped).unwrap();
        // Half of all strings are elements; that a peer sent another one shows in the transcript only.
        if let Err(error) = work(&mut sender) {
            assert_eq!(error.fault(), Fault::Decode, "{bit}: {error}");
        }
    }
}

#[test]
fn own_items_that_cannot_be_are_refused() {
    let repeated = [items(0, 3), items(1, 1)].concat();
    let error = CoreError::RepeatedItem { first: 1, second: 3 };
    assert_eq!(EcdhReceiver::new(repeated.clone(), setup(Suite::Ecdh, 1, 1, 1)).err(), Some(error.clone()));
    assert_eq!(EcdhSender::new(repeated, setup(Suite::Ecdh, 1, 1, 1)).err(), Some(error));
    let error = CoreError::TooManyItems { count: MAX_ITEMS + 1, limit: MAX_ITEMS };
    assert_eq!(EcdhReceiver::new(items(0, 1), setup(Suite::Ecdh, MAX_ITEMS + 1, 1, 1)).err(), Some(error.clone()));
    assert_eq!(EcdhSender::new(items(0, 1), setup(Suite::Ecdh, MAX_ITEMS + 1, 1, 1)).err(), Some(error));
    let error = CoreError::Threads { count: 0 };
    assert_eq!(EcdhReceiver::new(items(0, 1), setup(Suite::Ecdh, 1, 1, 0)).err(), Some(error));
}

#[test]
fn there_is_no_output_before_the_end() {
    for suite in SUITES {
        let receiver = receiver(suite, &items(0, 1), 1, 1);
        assert_eq!(receiver.overlap(), Err(CoreError::NotFinished));
        assert!(receiver.matched().is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_sets_intersect_as_a_plain_join_says(
        ours in proptest::collection::btree_set(0_usize..60, 0..40),
        theirs in proptest::collection::btree_set(0_usize..60, 0..40),
        cardinality: bool,
    ) {
        let suite = SUITES[usize::from(cardinality)];
        let digests = |numbers: &std::collections::BTreeSet<usize>| -> Vec<[u8; 32]> {
            numbers.iter().flat_map(|&number| items(number, 1)).collect()
        };
        let mut receiver = receiver(suite, &digests(&ours), theirs.len(), 1);
        run(&mut receiver, &mut sender(suite, &digests(&theirs), ours.len(), 1)).unwrap();
        prop_assert_eq!(receiver.overlap().unwrap(), ours.intersection(&theirs).count());
        if !cardinality {
            let matched: Vec<usize> = receiver.matched().unwrap().iter().map(|&item| item as usize).collect();
            let numbers: Vec<usize> = ours.iter().copied().collect();
            prop_assert!(matched.into_iter().map(|item| numbers[item]).eq(ours.intersection(&theirs).copied()));
        }
    }
}
