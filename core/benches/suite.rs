//! Times the steps of a whole run on one thread, without transport: `cargo bench --bench suite [-- RECEIVER SENDER REPEAT]`.
//!
//! Both roles of `vole-malicious` run in turn in this thread, frame by frame. For each step of each party the least and
//! the median of its processor time over the repetitions are printed, in milliseconds and in nanoseconds per item of the
//! party; processor time, so that other programs disturb little.

#![allow(unsafe_code)] // the clock of the process

use psi_core::params::VoleSuite;
use psi_core::role::{Role, VoleReceiver, VoleSender, VoleSetup};
use psi_core::vole::sizes::TREE_DEPTH;
use zeroize::Zeroizing;

/// The processor time of all threads of this process in milliseconds: that of a role, which works while this waits.
#[allow(clippy::cast_precision_loss)] // years of nanoseconds
fn process_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The times of each step in the order in which the steps first came, one for each repetition.
#[derive(Default)]
struct Steps(Vec<(String, Vec<f64>)>);

impl Steps {
    fn time<T>(&mut self, run: usize, step: String, work: impl FnOnce() -> T) -> T {
        let start = process_time();
        let result = work();
        let spent = process_time() - start;
        let place = self.0.iter().position(|(name, _)| *name == step).unwrap_or_else(|| {
            self.0.push((step, Vec::new()));
            self.0.len() - 1
        });
        let times = &mut self.0[place].1;
        times.resize(run + 1, 0.0);
        times[run] += spent;
        result
    }
}

/// Makes digests: those of the first `shared` numbers are on both lists.
fn digests(label: &str, shared: usize, count: usize) -> Vec<[u8; 32]> {
    let mut list = vec![[0; 32]; count];
    let (first, rest) = list.split_at_mut(shared.min(count));
    for (label, part) in [("both", first), (label, rest)] {
        blake3::Hasher::new_derive_key(label).finalize_xof().fill(part.as_flattened_mut());
    }
    list
}

/// Lets a role work until it waits; returns its frames.
fn frames_of(name: &str, role: &mut dyn Role, steps: &mut Steps, run: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !role.status().needs_peer && !role.status().finished {
        let step = format!("{name} {:?}", role.status().phase);
        frames.extend(steps.time(run, step, || role.next_frame()).expect("an honest run"));
    }
    frames
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let n_receiver = arguments.next().unwrap_or(1_280_000);
    let n_sender = arguments.next().unwrap_or(1_280_000);
    let repeat = arguments.next().unwrap_or(9);
    let shared = n_receiver.min(n_sender) / 27;
    let (own, other) = (digests("receiver", shared, n_receiver), digests("sender", shared, n_sender));
    let mut steps = Steps::default();
    for run in 0..repeat {
        let setup = |seed, n_peer| VoleSetup {
            suite: VoleSuite::Malicious,
            report: false,
            n_peer,
            tree_depth: TREE_DEPTH,
            sid: [7; 32],
            seed: Zeroizing::new([seed; 32]),
            threads: 1,
        };
        let (receiver_items, sender_items) = (own.clone(), other.clone());
        let mut receiver = steps
            .time(run, "receiver new".to_owned(), || VoleReceiver::new(receiver_items, setup(1, n_sender)))
            .expect("possible sizes");
        let mut sender = steps
            .time(run, "sender new".to_owned(), || VoleSender::new(sender_items, setup(2, n_receiver)))
            .expect("possible sizes");
        loop {
            let frames = frames_of("sender", &mut sender, &mut steps, run);
            let answers = frames_of("receiver", &mut receiver, &mut steps, run);
            if frames.is_empty() && answers.is_empty() {
                break;
            }
            for frame in frames {
                let step = format!("receiver takes {:02x}", frame[0]);
                steps.time(run, step, || receiver.receive(&frame)).expect("an honest run");
            }
            for frame in answers {
                let step = format!("sender takes {:02x}", frame[0]);
                steps.time(run, step, || sender.receive(&frame)).expect("an honest run");
            }
        }
        assert_eq!(receiver.matched().expect("finished").len(), shared);
    }
    for (party, items) in [("receiver", n_receiver), ("sender", n_sender)] {
        let mut total = vec![0.0; repeat];
        let show = |step: &str, mut times: Vec<f64>| {
            times.resize(repeat, 0.0);
            times.sort_by(f64::total_cmp);
            #[allow(clippy::cast_precision_loss)] // a count of items
            let each = |time: f64| time * 1e6 / items as f64;
            let (least, median) = (times[0], times[repeat / 2]);
            println!(
                "{step:<28} least {least:9.2} ms {:7.2} ns, median {median:9.2} ms {:7.2} ns",
                each(least),
                each(median)
            );
        };
        for (step, times) in steps.0.iter().filter(|(step, _)| step.starts_with(party)) {
            total.iter_mut().zip(times).for_each(|(total, time)| *total += time);
            show(step, times.clone());
        }
        show(&format!("{party} in all"), total);
    }
}
