//! The roles of the vole suites against each other, and against peers that cheat.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::error::{CoreError, Fault};
use crate::params::VoleSuite;
use crate::role::{Role, VolePlan, VoleReceiver, VoleSender, VoleSetup};
use crate::vole::sizes::TREE_DEPTH;

const SUITES: [VoleSuite; 2] = [VoleSuite::Malicious, VoleSuite::SemiHonest];

fn digest(label: &str, number: usize) -> [u8; 32] {
    blake3::Hasher::new_derive_key("psi/1 test items")
        .update(label.as_bytes())
        .update(&number.to_le_bytes())
        .finalize()
        .into()
}

/// Items of which the first `common` are those of every other list.
fn items(label: &str, count: usize, common: usize) -> Vec<[u8; 32]> {
    let mut items: Vec<_> = (0..count).map(|i| digest(if i < common { "common" } else { label }, i)).collect();
    // No list has the common ones at its beginning.
    let order = digest(label, count);
    let rotation = usize::from(order[0]) * count / 256;
    items.rotate_left(rotation);
    items
}

fn setup(suite: VoleSuite, n_peer: usize, report: bool, threads: usize, seed: u8) -> VoleSetup {
    VoleSetup {
        suite,
        report,
        n_peer,
        tree_depth: TREE_DEPTH,
        sid: [7; 32],
        seed: Zeroizing::new([seed; 32]),
        threads,
    }
}

struct Pair {
    receiver: VoleReceiver,
    sender: VoleSender,
    to_receiver: VecDeque<Vec<u8>>,
    to_sender: VecDeque<Vec<u8>>,
    /// Every frame, with whether the sender sent it.
    frames: Vec<(bool, Vec<u8>)>,
}

impl Pair {
    fn new(suite: VoleSuite, own: &[[u8; 32]], other: &[[u8; 32]], report: bool, threads: usize) -> Self {
        Self {
            receiver: VoleReceiver::new(own.to_vec(), setup(suite, other.len(), report, threads, 1)).unwrap(),
            sender: VoleSender::new(other.to_vec(), setup(suite, own.len(), report, threads, 2)).unwrap(),
            to_receiver: VecDeque::new(),
            to_sender: VecDeque::new(),
            frames: Vec::new(),
        }
    }

    /// Runs until both are done; `tamper` may change a frame or repeat it: its number, whether the sender sent it, it.
    fn run(&mut self, mut tamper: impl FnMut(bool, Vec<u8>) -> Vec<Vec<u8>>) -> Result<(), (bool, CoreError)> {
        while !(self.receiver.status().finished && self.sender.status().finished) {
            let mut moved = false;
            for sends in [true, false] {
                let role: &mut dyn Role = if sends { &mut self.sender } else { &mut self.receiver };
                if !role.status().needs_peer && !role.status().finished {
                    moved = true;
                    if let Some(frame) = role.next_frame().map_err(|error| (sends, error))? {
                        self.frames.push((sends, frame.clone()));
                        let queue = if sends { &mut self.to_receiver } else { &mut self.to_sender };
                        queue.extend(tamper(sends, frame));
                    }
                }
            }
            if let Some(frame) = self.to_receiver.pop_front() {
                self.receiver.receive(&frame).map_err(|error| (false, error))?;
                moved = true;
            }
            if let Some(frame) = self.to_sender.pop_front() {
                self.sender.receive(&frame).map_err(|error| (true, error))?;
                moved = true;
            }
            assert!(moved, "both wait for each other");
        }
        for frame in self.to_receiver.drain(..) {
            self.receiver.receive(&frame).map_err(|error| (false, error))?;
        }
        for frame in self.to_sender.drain(..) {
            self.sender.receive(&frame).map_err(|error| (true, error))?;
        }
        Ok(())
    }
}

fn expected(own: &[[u8; 32]], other: &[[u8; 32]]) -> Vec<u32> {
    let other: std::collections::HashSet<_> = other.iter().collect();
    (0..).zip(own).filter(|(_, item)| other.contains(item)).map(|(index, _)| index).collect()
}

fn check(suite: VoleSuite, n_receiver: usize, n_sender: usize, common: usize, report: bool, threads: usize) {
    let own = items("receiver", n_receiver, common);
    let other = items("sender", n_sender, common);
    let mut pair = Pair::new(suite, &own, &other, report, threads);
    pair.run(|_, frame| vec![frame]).unwrap();
    assert_eq!(pair.receiver.matched().unwrap(), expected(&own, &other), "{suite:?} {n_receiver} x {n_sender}");
    let plan = VolePlan::new(suite, n_receiver, n_sender, TREE_DEPTH).unwrap();
    let sent = |sender| {
        let own = pair.frames.iter().filter(|frame| frame.0 == sender && frame.1[0] != 0x29);
        own.map(|frame| 4 + frame.1.len()).sum::<usize>()
    };
    assert_eq!((sent(false), sent(true)), (plan.receiver_bytes, plan.sender_bytes));
    if report {
        assert_eq!(pair.sender.matched().unwrap(), expected(&other, &own), "{suite:?} {n_receiver} x {n_sender}");
    } else {
        assert_eq!(pair.sender.matched(), Err(CoreError::NoReport));
    }
}

#[test]
fn the_output_is_the_intersection_at_small_sizes() {
    for suite in SUITES {
        for (n_receiver, n_sender, common) in [
            (0, 0, 0),
            (0, 3, 0),
            (3, 0, 0),
            (1, 1, 0),
            (1, 1, 1),
            (1, 2, 1),
            (2, 1, 1),
            (2, 2, 2),
            (63, 65, 20),
            (64, 64, 64),
            (65, 300, 7),
            (300, 65, 7),
            (256, 255, 0),
        ] {
            check(suite, n_receiver, n_sender, common, true, 1);
            check(suite, n_receiver, n_sender, common, false, 2);
        }
    }
}

#[test]
fn the_output_is_the_intersection_around_bins() {
    // 16,384 items of the receiver: one bin; 65,536 of the sender: three-byte prefixes do not begin before 2^24.
    for suite in SUITES {
        for (n_receiver, n_sender) in [(16_384, 1000), (16_385, 20_000), (40_000, 65_536), (1000, 70_000)] {
            check(suite, n_receiver, n_sender, 777, true, 2);
        }
    }
}

#[test]
fn frames_do_not_depend_on_threads() {
    for suite in SUITES {
        let (own, other) = (items("receiver", 20_000, 100), items("sender", 3000, 100));
        let mut runs = [1, 2, 5].map(|threads| Pair::new(suite, &own, &other, true, threads));
        for pair in &mut runs {
            pair.run(|_, frame| vec![frame]).unwrap();
        }
        let of = |pair: &Pair, sends| {
            pair.frames.iter().filter(|frame| frame.0 == sends).map(|frame| frame.1.clone()).collect::<Vec<_>>()
        };
        for sends in [true, false] {
            assert!(of(&runs[0], sends) == of(&runs[1], sends));
            assert!(of(&runs[0], sends) == of(&runs[2], sends));
        }
    }
}

#[test]
fn equal_items_are_refused() {
    let mut own = items("receiver", 500, 10);
    own[400] = own[3];
    let other = items("sender", 500, 10);
    for suite in SUITES {
        let result = Pair::new(suite, &own, &other, false, 1).run(|_, frame| vec![frame]);
        assert_eq!(result, Err((false, CoreError::RepeatedItem { first: 3, second: 400 })));
    }
    let result = Pair::new(VoleSuite::Malicious, &other, &own, false, 1).run(|_, frame| vec![frame]);
    assert!(matches!(result, Err((true, CoreError::RepeatedItem { .. }))));
}

/// Runs with one byte of the first frame of a type changed; returns who found what.
fn with_flipped(suite: VoleSuite, kind: u8, byte: impl Fn(usize) -> usize) -> Result<(), (bool, CoreError)> {
    let (own, other) = (items("receiver", 300, 20), items("sender", 300, 20));
    let mut pair = Pair::new(suite, &own, &other, true, 1);
    let mut done = false;
    let result = pair.run(|_, mut frame| {
        if frame[0] == kind && !done {
            done = true;
            let at = byte(frame.len());
            frame[at] ^= 1;
        }
        vec![frame]
    });
    assert!(done);
    result
}

#[test]
fn every_check_has_a_cheater_that_it_finds() {
    let fault = |kind, byte: &dyn Fn(usize) -> usize| {
        let (sender_found, error) = with_flipped(VoleSuite::Malicious, kind, byte).unwrap_err();
        (sender_found, error.fault(), error)
    };
    let check = |check| CoreError::FailedCheck { check };
    // The commitment, and what it commits to.
    assert_eq!(fault(0x20, &|_| 1), (false, Fault::Verification, check("the opened mask")));
    assert_eq!(fault(0x27, &|_| 5), (false, Fault::Verification, check("the opened mask")));
    // The leaf check and the subspace check of the extension.
    assert!(fault(0x21, &|_| 1 + 32 + 32 + 40).0);
    assert_eq!(fault(0x21, &|length| length - 1).1, Fault::Verification);
    assert_eq!(fault(0x21, &|length| length / 2).1, Fault::Verification);
    // The trees, the challenge, the proof.
    assert_eq!(fault(0x22, &|_| 100), (false, Fault::Verification, check("the correlation")));
    assert_eq!(fault(0x23, &|_| 20), (false, Fault::Verification, check("the correlation")));
    assert_eq!(fault(0x24, &|_| 1), (false, Fault::Verification, check("the correlation")));
    // The commitment to the encoded items, and these.
    let bound = check("the commitment to the encoded items");
    assert_eq!(fault(0x25, &|_| 1), (true, Fault::Verification, bound.clone()));
    assert_eq!(fault(0x26, &|_| 1), (true, Fault::Verification, bound.clone()));
    assert_eq!(fault(0x26, &|_| 20), (true, Fault::Verification, bound.clone()));
    assert_eq!(fault(0x26, &|length| length - 1), (true, Fault::Verification, bound));
    // The report.
    assert_eq!(fault(0x29, &|length| length - 1), (true, Fault::Verification, check("the reported items")));
    assert_eq!(fault(0x29, &|_| 16), (true, Fault::Verification, check("the length of the report")));
    assert_eq!(fault(0x29, &|_| 1).1, Fault::Decode);
}

#[test]
fn a_frame_that_is_repeated_cut_or_of_another_type_is_refused() {
    for suite in SUITES {
        let (own, other) = (items("receiver", 100, 20), items("sender", 100, 20));
        let kinds: Vec<u8> = {
            let mut pair = Pair::new(suite, &own, &other, true, 1);
            pair.run(|_, frame| vec![frame]).unwrap();
            pair.frames.iter().map(|frame| frame.1[0]).collect()
        };
        #[allow(clippy::type_complexity)]
        let changes: [fn(Vec<u8>) -> Vec<Vec<u8>>; 5] = [
            |frame| vec![frame.clone(), frame],
            |frame| vec![frame[..frame.len() - 1].to_vec()],
            |frame| vec![[&frame[..], &[0]].concat()],
            |mut frame| {
                frame[0] = if frame[0] == 0x29 { 0x26 } else { frame[0] + 1 };
                vec![frame]
            },
            |_| vec![vec![]],
        ];
        for (number, kind) in kinds.iter().enumerate() {
            for (which, change) in changes.iter().enumerate() {
                let mut pair = Pair::new(suite, &own, &other, true, 1);
                let mut seen = 0;
                let result = pair.run(|_, frame| {
                    seen += 1;
                    if seen == number + 1 { change(frame) } else { vec![frame] }
                });
                let Err((_, error)) = result else { panic!("{suite:?} 0x{kind:02x} {which}") };
                assert!(matches!(error.fault(), Fault::Decode | Fault::State), "{kind:02x} {which}: {error:?}");
            }
        }
    }
}

#[test]
fn a_role_that_has_failed_stays_broken() {
    let (own, other) = (items("receiver", 10, 2), items("sender", 10, 2));
    let mut pair = Pair::new(VoleSuite::Malicious, &own, &other, false, 1);
    assert!(pair.receiver.receive(&[0x27; 17]).is_err());
    assert_eq!(pair.receiver.receive(&[0x27; 17]), Err(CoreError::Broken));
    assert_eq!(pair.receiver.next_frame(), Err(CoreError::Broken));
    assert!(pair.sender.receive(&[0x25; 33]).is_err());
    assert_eq!(pair.sender.next_frame(), Err(CoreError::Broken));
    assert_eq!(pair.receiver.matched(), Err(CoreError::NotFinished));
}
