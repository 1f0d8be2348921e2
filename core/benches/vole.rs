//! Times of the silent correlation on one thread: `cargo bench --bench vole [length] [malicious|semi-honest]`.
//!
//! Each step is run `REPEAT` times; the least and the median CPU time of the thread are printed, in milliseconds.

use std::time::Duration;

use psi_core::backend::Backend;
use psi_core::gf64::Gf64;
use psi_core::gf128::Gf128;
use psi_core::okvs::Value;
use psi_core::prg::Randomness;
use psi_core::vole::sizes::TREE_DEPTH;
use psi_core::vole::{SilentReceiver, SilentSender, Sizes};
use zeroize::Zeroizing;

const REPEAT: usize = 9;
const SID: [u8; 32] = [9; 32];
/// Outputs that an encoding of 1,280,000 items needs in bins of 2^14.
const LENGTH: usize = 1_736_973;

/// The time of each step of each party, in order.
#[derive(Default)]
struct Steps(Vec<(&'static str, Vec<Duration>)>);

impl Steps {
    fn time<T>(&mut self, step: &'static str, work: impl FnOnce() -> T) -> T {
        let start = cpu_time();
        let result = work();
        self.add(step, cpu_time().saturating_sub(start));
        result
    }

    fn add(&mut self, step: &'static str, duration: Duration) {
        match self.0.iter_mut().find(|(name, _)| *name == step) {
            Some((_, durations)) => durations.push(duration),
            None => self.0.push((step, vec![duration])),
        }
    }
}

/// The CPU time of this thread, where the system tells it (Linux).
fn cpu_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(statistics.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0))
}

fn run<V: Value>(backend: Backend, sizes: Sizes, steps: &mut Steps) {
    let mut trees = [Duration::ZERO; 2];
    let mut total = Steps::default();
    let randomness = |seed| Randomness::new(Zeroizing::new([seed; 32]), SID);
    let mut receiver = SilentReceiver::<V>::new(backend, sizes, SID, &randomness(1));
    let mut sender = steps.time("sender: base OT", || SilentSender::new(backend, sizes, SID, &randomness(2)));
    let extension =
        steps.time("receiver: base OT and extension", || receiver.extension(sender.choice())).expect("honest");
    steps.time("sender: extension", || sender.extension(&extension)).expect("honest");
    loop {
        let message = total.time("sender", || sender.trees()).expect("in order");
        let Some(message) = message else { break };
        total.time("receiver", || receiver.trees(&message)).expect("honest");
    }
    total.time("receiver", || receiver.settle());
    for (side, (_, durations)) in trees.iter_mut().zip(&total.0) {
        *side = durations.iter().sum();
    }
    steps.add("sender: trees and code", trees[0]);
    steps.add("receiver: trees and code", trees[1]);
    if sizes.malicious {
        let challenge = receiver.challenge().expect("all trees are there");
        let proof = steps.time("sender: proof", || sender.proof(&challenge)).expect("in order");
        steps.time("receiver: verify", || receiver.verify(&proof)).expect("honest");
    }
    std::hint::black_box((receiver.finish().map(|output| output.a.len()), sender.finish().map(|o| o.b.len())))
        .0
        .ok();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let length = arguments.first().and_then(|length| length.parse().ok()).unwrap_or(LENGTH);
    let malicious = arguments.get(1).is_none_or(|suite| suite == "malicious");
    let backend = Backend::chosen().expect("PSI_BACKEND names a backend that is here");
    let tree_depth = arguments.get(2).and_then(|depth| depth.parse().ok()).unwrap_or(TREE_DEPTH);
    let sizes =
        Sizes::new(length, if malicious { 128 } else { 64 }, malicious, tree_depth).expect("possible sizes");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    println!(
        "{} on {}, {:?}, {} bytes",
        if malicious { "malicious" } else { "semi-honest" },
        backend.name(),
        sizes,
        sizes.total_bytes()
    );
    let mut steps = Steps::default();
    for _ in 0..REPEAT {
        pool.install(|| {
            if malicious {
                run::<Gf128>(backend, sizes, &mut steps);
            } else {
                run::<Gf64>(backend, sizes, &mut steps);
            }
        });
    }
    for (step, mut durations) in steps.0 {
        durations.sort_unstable();
        let [least, median] = [0, durations.len() / 2].map(|i| durations[i].as_secs_f64() * 1e3);
        println!("{step:34} least {least:8.2} ms, median {median:8.2} ms");
    }
}
