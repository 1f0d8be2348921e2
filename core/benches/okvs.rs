//! Times the kernels and the store on one thread: `cargo bench --bench okvs [-- COUNT [REPETITIONS]]`.
//!
//! Prints the backend, then a line for each kernel: the median and the minimum in nanoseconds of processor time per
//! item, so that other programs disturb little.

#![allow(unsafe_code)] // the clock of the thread

use std::hint::black_box;

use psi_core::backend::Backend;
use psi_core::backend::memory::zeroed;
use psi_core::fixed_key::FixedKey;
use psi_core::gf64::Gf64;
use psi_core::gf128::Gf128;
use psi_core::lanes::KeyedHash;
use psi_core::okvs::{BinDecoder, Bins, Parameters, RowHash, Triangulated, Value, ValueHash, Workspace};

/// The processor time of this thread in nanoseconds.
#[allow(clippy::cast_precision_loss)] // years of nanoseconds
fn thread_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives through the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Runs `work` and prints its time per item.
fn time(name: &str, items: usize, repetitions: usize, mut work: impl FnMut()) {
    work();
    let mut times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let start = thread_time();
            work();
            #[allow(clippy::cast_precision_loss)] // a count of items
            let items = items as f64;
            (thread_time() - start) / items
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<40} median {:7.2}  minimum {:7.2} ns", times[times.len() / 2], times[0]);
}

fn random_blocks(label: &str, count: usize) -> Vec<u128> {
    let mut bytes = vec![0; 16 * count];
    blake3::Hasher::new_derive_key("psi/1 benchmark").update(label.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes.as_chunks::<16>().0.iter().map(|block| u128::from_le_bytes(*block)).collect()
}

fn store<V: Value>(name: &str, backend: Backend, keys: &[u128], repetitions: usize) {
    let count = keys.len();
    let parameters = Parameters::new(count).expect("a count below the limit");
    let rows = RowHash::new(backend, parameters, &[1; 32], &[2; 16]);
    let values = ValueHash::new(backend, &[1; 32], &[3; 32]);
    let mut bins = Bins::new();
    time(&format!("{name} partition"), count, repetitions, || bins.fill(&rows, keys));
    let mut orders = None;
    time(&format!("{name} triangulate"), count, repetitions, || {
        orders = Some(Triangulated::new(&rows, &bins).expect("a likely event"));
    });
    let orders = orders.expect("just made");
    // A role adds the columns of a bin to A and sends them; so the columns of one bin are all that is written here.
    let mut columns = vec![V::default(); parameters.bin_columns()];
    let mut workspace = Workspace::new();
    time(&format!("{name} values and back-substitution"), count, repetitions, || {
        for bin in 0..parameters.bins {
            orders.solve_bin(&parameters, bin, bins.items(bin), &values, &mut workspace, &mut columns);
        }
    });
    time(&format!("{name} encode (both)"), count, repetitions, || {
        let orders = Triangulated::new(&rows, &bins).expect("a likely event");
        for bin in 0..parameters.bins {
            orders.solve_bin(&parameters, bin, bins.items(bin), &values, &mut workspace, &mut columns);
        }
    });
    let mut blocks = zeroed(parameters.columns());
    for columns_of_bin in blocks.chunks_mut(parameters.bin_columns()) {
        V::scale_add(backend, 1, &columns, columns_of_bin);
    }
    // A role makes tags of what is decoded, a piece at a time.
    let mut piece = vec![0; 1 << 12];
    time(&format!("{name} decode"), count, repetitions, || {
        for (bin, columns) in blocks.chunks(parameters.bin_columns()).enumerate() {
            let decoder = BinDecoder::new(&rows, columns);
            for items in bins.items(bin).chunks(piece.len()) {
                decoder.decode(items, black_box(&mut piece[..items.len()]));
            }
        }
    });
    let mut decoded = zeroed(count);
    let delta = random_blocks("delta", 1)[0];
    let mut values_of_items = zeroed(count);
    time(&format!("{name} values"), count, repetitions, || values.values(keys, &mut values_of_items));
    time(&format!("{name} delta * values, in memory"), count, repetitions, || {
        V::scale_add(backend, delta, &values_of_items, &mut decoded);
    });
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let count = arguments.next().unwrap_or(1_280_000);
    let repetitions = arguments.next().unwrap_or(9);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(|| {
        let backend = Backend::chosen().expect("PSI_BACKEND names a backend of this processor");
        println!("backend {backend:?}, {count} items, {repetitions} repetitions, one thread");

        // In the first-level cache.
        let (mut x, y) = (random_blocks("x", 1024), random_blocks("y", 1024));
        let short: Vec<u64> = y.iter().map(|y| u64::try_from(y >> 64).expect("64 bits")).collect();
        let aes = FixedKey::new(backend, [5; 16]);
        let cached = |name: &str, work: &mut dyn FnMut()| {
            time(name, 100 * 1024, repetitions, || (0..100).for_each(|_| work()));
        };
        cached("AES-128, hash of a block", &mut || aes.hash_blocks(&mut x));
        cached("GF(2^128) scale and add", &mut || backend.gf128_scale_add(y[0], &y, &mut x));
        cached("GF(2^128) product", &mut || backend.gf128_multiply(&mut x, &y));
        cached("GF(2^128) inner product", &mut || {
            black_box(backend.gf128_inner_product(&x, &y));
        });
        cached("GF(2^64) scale and add", &mut || backend.gf64_scale_add(y[0], &short, &mut x));
        let (blocks, mut hashes) = (vec![[7; 64]; 1024], vec![[0; 32]; 1024]);
        let blake3 = KeyedHash::new(backend, [6; 32], 64);
        cached("keyed BLAKE3 of a block", &mut || blake3.hash(&blocks, &mut hashes));

        let keys = random_blocks("keys", count);
        // Roles partition whole digests.
        let digests: Vec<[u8; 32]> = random_blocks("digests", 2 * count)
            .as_chunks::<2>()
            .0
            .iter()
            .map(|halves| std::array::from_fn(|i| halves[i / 16].to_le_bytes()[i % 16]))
            .collect();
        let parameters = Parameters::new(count).expect("a count below the limit");
        let rows = RowHash::new(backend, parameters, &[1; 32], &[2; 16]);
        let mut bins = Bins::new();
        time("partition of digests", count, repetitions, || bins.fill(&rows, &digests));
        time("partition of digests, fresh memory", count, repetitions, || {
            bins = Bins::new();
            bins.fill(&rows, &digests);
        });
        drop((bins, digests));
        store::<Gf128>("GF(2^128)", backend, &keys, repetitions);
        store::<Gf64>("GF(2^64)", backend, &keys, repetitions);
    });
}
