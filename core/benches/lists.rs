//! Times the work on lists of digests and tags: `cargo bench --bench lists [-- COUNT REPETITIONS]`.
//!
//! One thread. For each function the median and the least processor time of the repetitions are printed, in nanoseconds
//! per member of the list; processor time, so that other programs disturb little.

#![allow(unsafe_code)] // the clock of the process

use std::hint::black_box;

use psi_core::buckets::Buckets;
use psi_core::item::{collapse, repeated};
use psi_core::sort::sort;
use psi_core::tags::MAX_TAG_BYTES;
use psi_core::tags::code::{Decoder, Encoder};
use psi_core::tags::compare::OwnTags;
use psi_core::threads::Threads;

/// Bytes of the tags that one frame brings.
const FRAME_BYTES: usize = 1 << 20;

/// The processor time of all threads of this process in nanoseconds: that of a thread that works while this one waits.
#[allow(clippy::cast_precision_loss)] // years of nanoseconds
fn process_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Runs `work` on what `prepare` makes and prints its time per member.
fn time<T, R>(name: &str, count: usize, repetitions: usize, prepare: impl Fn() -> T, work: impl Fn(T) -> R) {
    let mut times: Vec<f64> = (0..=repetitions)
        .map(|_| {
            let input = prepare();
            let start = process_time();
            black_box(work(black_box(input)));
            #[allow(clippy::cast_precision_loss)] // a count of members
            let count = count as f64;
            (process_time() - start) / count
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<40} median {:7.2}  minimum {:7.2} ns", times[times.len() / 2], times[0]);
}

fn digests(label: &str, count: usize) -> Vec<[u8; 32]> {
    let mut list = vec![[0; 32]; count];
    let mut xof = blake3::Hasher::new_derive_key("psi/1 benchmark").update(label.as_bytes()).finalize_xof();
    xof.fill(list.as_flattened_mut());
    list
}

fn tags(label: &str, count: usize) -> Vec<u128> {
    digests(label, count).iter().map(|digest| u128::from_be_bytes(std::array::from_fn(|i| digest[i]))).collect()
}

fn decode(pieces: &[Vec<u8>], count: usize, mut take: impl FnMut(&[u128])) {
    let mut decoder = Decoder::new(count, MAX_TAG_BYTES, true);
    let mut tags = Vec::new();
    for piece in pieces {
        tags.clear();
        decoder.take(piece, &mut tags).expect("a list that was encoded");
        take(&tags);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let count = arguments.next().unwrap_or(1_280_000);
    let repetitions = arguments.next().unwrap_or(9);
    let threads = Threads::new(1).expect("a thread");
    println!("{count} members, {repetitions} repetitions, one thread");

    let list = digests("digests", count);
    let mut twice = list.clone();
    for place in (10..count).step_by(10) {
        twice[place] = twice[place / 2];
    }
    time("repeated, of different digests", count, repetitions, || (), |()| repeated(&list, &threads));
    time("collapse, nothing equal", count, repetitions, || list.clone(), |mut list| collapse(&mut list, &threads));
    time(
        "collapse, a tenth repeated",
        count,
        repetitions,
        || twice.clone(),
        |mut list| collapse(&mut list, &threads),
    );

    let (own, mut peer) = (tags("own", count), tags("peer", count));
    for place in (0..count).step_by(27) {
        peer[place] = own[place];
    }
    let halves: Vec<u64> = own.iter().map(|tag| u64::try_from(tag >> 64).expect("64 bits")).collect();
    let sorted = |mut values: Vec<u64>| threads.install(|| sort(&mut values));
    time("sort, 64 bits", count, repetitions, || halves.clone(), sorted);
    let sorted = |mut values: Vec<u128>| threads.install(|| sort(&mut values));
    time("sort, 128 bits", count, repetitions, || own.clone(), sorted);

    let encode = |tags: Buckets<u128>| {
        let mut pieces = Vec::new();
        threads.install(|| {
            let mut encoder = Encoder::new(tags, MAX_TAG_BYTES, true);
            while !encoder.finished() {
                let mut piece = Vec::with_capacity(FRAME_BYTES);
                encoder.append_to(&mut piece, FRAME_BYTES).expect("different tags");
                pieces.push(piece);
            }
        });
        pieces
    };
    time("tags, into buckets", count, repetitions, || (), |()| threads.install(|| Buckets::of(&peer)));
    time("tags, sort and code", count, repetitions, || Buckets::of(&peer), encode);
    let pieces = encode(Buckets::of(&peer));
    time("tags, decode", count, repetitions, || (), |()| decode(&pieces, count, |_| ()));
    let look_up = |own: Vec<u128>| threads.install(|| drop(black_box(OwnTags::new(own))));
    time("own tags, made ready", count, repetitions, || own.clone(), look_up);
    let compare = |own: Vec<u128>| {
        let own = threads.install(|| OwnTags::new(own));
        let mut found = 0;
        decode(&pieces, count, |tags| found += threads.install(|| own.among(tags)).len());
        assert_eq!(found, count.div_ceil(27));
    };
    time("decode, own tags and comparison", count, repetitions, || own.clone(), compare);
}
