//! How often a bin has a leftover core, against the rates that okvs.md, section 8, gives: slow, so ignored by default.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::triangulate::Scratch;
use super::{Parameters, RowHash};
use crate::backend::Backend;
use crate::error::CoreError;

/// Leftover cores of more rows than this are large; smaller ones are equal rows and the like.
const SMALL_CORE: usize = 8;

/// Peels `trials` bins of `load` items with parts of `part` columns; returns how many had a small core, a large one, and
/// how many could not be encoded.
fn count(load: usize, part: usize, trials: u64) -> [usize; 3] {
    let backend = Backend::chosen().unwrap();
    let counts = [const { AtomicUsize::new(0) }; 3];
    let parameters = Parameters { count: load, bins: 1, load, part };
    let rows = RowHash::new(backend, parameters, &[7; 32], &[9; 16]);
    let items =
        move |trial: u64| (0..load as u128).map(move |item| item << 64 | u128::from(trial)).collect::<Vec<_>>();
    (0..trials).into_par_iter().for_each_init(
        || (Scratch::new(), vec![0; load]),
        |(scratch, pivots), trial| {
            let items = items(trial);
            let leftover = scratch.leftover_rows(&rows, &items, pivots);
            counts[usize::from(leftover > SMALL_CORE)].fetch_add(usize::from(leftover > 0), Ordering::Relaxed);
            if leftover > 0 && scratch.order(&rows, &items, pivots).err() == Some(CoreError::NotEncodable) {
                counts[2].fetch_add(1, Ordering::Relaxed);
            }
        },
    );
    counts.map(AtomicUsize::into_inner)
}

/// Asserts that a count of rare events is within five standard deviations of what is expected.
fn near(observed: usize, expected: f64, what: &str) {
    #[allow(clippy::cast_precision_loss)] // a few thousand events
    let difference = observed as f64 - expected;
    assert!(difference.abs() < 5.0 * expected.sqrt(), "{what}: {observed}, expected {expected:.1}");
}

#[test]
#[ignore = "two minutes: make test-slow"]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn cores_are_as_rare_as_measured() {
    // Load, columns per item, and log2 of the measured rate of large cores (0.7 to 6 million trials each).
    for (load, expansion, log2_rate, trials) in
        [(4096, 1.27, -14.1_f64, 500_000), (1024, 1.33, -15.4, 1_200_000), (512, 1.39, -16.1, 2_000_000)]
    {
        let part = (f64::from(load) * expansion / 3.0).round() as usize;
        let load = load as usize;
        let [small, large, not_encodable] = count(load, part, trials);
        let equal_rows = (load * load) as f64 / (2 * part.pow(3)) as f64;
        println!(
            "{load} items, parts of {part}: {small} small cores, {large} large ones (2^{:.1}), {not_encodable} not encodable",
            (large as f64 / trials as f64).log2()
        );
        near(large, log2_rate.exp2() * trials as f64, "large cores");
        near(small, equal_rows * trials as f64, "equal rows");
        assert!(not_encodable <= large, "small cores are encodable");
    }
}

#[test]
#[ignore = "half a minute: make test-slow"]
fn the_smallest_parameters_leave_few_gap_rows() {
    // 64 items in parts of 50: equal rows alone are expected, mu = 64 * 63 / 2 / 50^3; a core of more rows than eight
    // would be four events of them at once, or another kind of core.
    let trials = 4_000_000;
    let [small, large, not_encodable] = count(64, 50, trials);
    println!("64 items, parts of 50: {small} small cores, {large} large ones, {not_encodable} not encodable");
    #[allow(clippy::cast_precision_loss)]
    let equal_rows = 64.0 * 63.0 / 2.0 / 50_f64.powi(3) * trials as f64;
    #[allow(clippy::cast_precision_loss)]
    let ratio = small as f64 / equal_rows;
    assert!((0.95..1.15).contains(&ratio) && large < 40 && not_encodable == 0);
}
