//! Costs of the group's kernels on one thread: microseconds an item, the least and the median of the repetitions.
//!
//! `cargo bench --bench group`; a filter as argument runs the kernels whose name contains it. The least is what the
//! kernel takes where nothing else runs; a median far above it says that something did.

use std::hint::black_box;
use std::time::Instant;

use psi_core::group::{Element, GroupHash, SecretScalar};
use psi_core::prg::Randomness;
use zeroize::Zeroizing;

const BATCHES: usize = 8;
const BATCH: usize = psi_core::threads::BATCH;
const REPETITIONS: usize = 15;

fn main() {
    let filter: Option<String> = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let hash = GroupHash::new(b"psi/1/benchmark");
    let scalar = SecretScalar::draw(&mut Randomness::new(Zeroizing::new([1; 32]), [2; 32]).stream("benchmark"));
    let items: Vec<[u8; 32]> = (0..BATCHES * BATCH).map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
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
        for (items, out) in items.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            scalar.multiply_hashes(&hash, items, out);
        }
    });
    measure("decode, multiply and encode", &mut || {
        for encodings in out.chunks_mut(BATCH) {
            scalar.multiply_encodings(encodings).expect("encodings of elements");
        }
    });
}

/// Prints the least and the median time of a kernel in microseconds an item.
fn measure(name: &str, kernel: &mut dyn FnMut()) {
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            kernel();
            start.elapsed().as_secs_f64() * 1e6 / (BATCHES * BATCH) as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:30} {:8.2} us least {:8.2} us median", times[0], times[REPETITIONS / 2]);
}
