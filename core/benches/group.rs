//! Costs of the group's kernels on one thread, in microseconds an item.
//!
//! `cargo bench --bench group`; a filter as argument runs the kernels whose name contains it. Two figures: the least
//! wall time of the repetitions, and the mean of the time that this thread had a core (Linux), which other work on
//! the machine makes longer only by what it does to caches and clock.

use std::hint::black_box;
use std::time::{Duration, Instant};

use psi_core::group::{Element, GroupHash, SecretScalar};
use psi_core::prg::Randomness;
use zeroize::Zeroizing;

const BATCH: usize = psi_core::threads::BATCH;
const REPETITIONS: usize = 100;

fn main() {
    let filter: Option<String> = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let hash = GroupHash::new(b"psi/1/benchmark");
    let mut stream = Randomness::new(Zeroizing::new([1; 32]), [2; 32]).stream("benchmark");
    let scalar = SecretScalar::draw(&mut stream).expect("a backend that runs here");
    let items: Vec<[u8; 32]> = (0..BATCH).map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
    let mut encodings = vec![[0; 32]; items.len()];
    scalar.multiply_hashes(&hash, &items, &mut encodings);

    let measure = |name: &str, kernel: &mut dyn FnMut()| {
        if filter.as_ref().is_none_or(|filter| name.contains(filter)) {
            measure(name, kernel);
        }
    };
    measure("hash one by one", &mut || {
        for item in &items {
            black_box(hash.element(item));
        }
    });
    measure("decode one by one", &mut || {
        for encoding in &encodings {
            black_box(Element::decode(encoding).ok());
        }
    });
    let mut out = encodings.clone();
    measure("hash, multiply and encode", &mut || {
        scalar.multiply_hashes(&hash, &items, &mut out);
    });
    measure("decode, multiply and encode", &mut || {
        scalar.multiply_encodings(&mut out).expect("encodings of elements");
    });
}

/// Prints the cost of a kernel that works on a batch.
fn measure(name: &str, kernel: &mut dyn FnMut()) {
    let core_time_before = core_time();
    let least = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        kernel();
        start.elapsed()
    });
    let least = microseconds(least.min().unwrap_or_default());
    let mean =
        core_time().zip(core_time_before).map(|(after, before)| microseconds(after - before) / REPETITIONS as f64);
    let mean = mean.map_or("unknown".to_owned(), |mean| format!("{mean:.2} us"));
    println!("{name:30} {least:8.2} us least, {mean:>10} mean of a core");
}

/// Returns the time of a batch in microseconds an item.
fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / BATCH as f64
}

/// Returns how long this thread has had a core, where the system tells.
fn core_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
