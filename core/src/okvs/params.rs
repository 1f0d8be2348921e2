//! Bins, load and columns of a store, from the number of its items alone.
//!
//! All arithmetic is on integers, so that every machine and the reference compute the same numbers: logarithms are
//! binary, in units of 2^-40, rounded down. Specified in okvs.md, "Parameters".

use crate::error::CoreError;

/// Items of a bin on average, at most: the columns of a bin then stay in a cache of 512 KiB.
pub const BIN_ITEMS: usize = 1 << 14;
/// A bin has the parameters of at least this many items; the rule for the columns is not meant for fewer.
const LEAST_ITEMS: usize = 64;
/// Items of a store at most.
const MOST_ITEMS: usize = 1 << 28;
/// The probability that any bin has more items than the load is at most two to the minus this.
const LOAD_BITS: i128 = 43;
/// The rule for the columns leaves a large core in any bin with probability two to the minus this: 44 and two bits more,
/// since it is up to 1.6 bits too optimistic where it can be measured (okvs.md, "Parameters").
const CORE_BITS: i128 = 44 + 2;
/// Dense columns of every bin: 16 bits of each of three hash words. With `mu` equal rows expected in all bins, at most 6,
/// gap rows are dependent with probability at most `mu * 2^-47.4`, below 2^-44.8 (okvs.md, "Gap rows").
pub(super) const DENSE: usize = 48;
/// A core that needs more gap rows than this is a large one.
pub(super) const MOST_GAPS: usize = 8;

const FRACTION: u32 = 40;
const ONE: i128 = 1 << FRACTION;

/// The binary logarithm in units of 2^-40, rounded down; the argument is at least one.
fn log2(x: u128) -> i128 {
    let whole = x.ilog2();
    // The argument scaled to [1, 2), with 63 binary digits behind the point.
    let mut mantissa = if whole > 63 { x >> (whole - 63) } else { x << (63 - whole) };
    let mut logarithm = i128::from(whole);
    for _ in 0..FRACTION {
        mantissa *= mantissa;
        let bit = mantissa >> 127;
        mantissa >>= 63 + bit;
        logarithm = logarithm << 1 | bit.cast_signed();
    }
    logarithm
}

/// [`log2`] of a number that is positive where it is used.
fn log2_of(x: i128) -> i128 {
    log2(x.cast_unsigned())
}

/// The least number from `low` to `high` for which `holds` is true, where it is true for `high` and all above the least.
fn least(mut low: i128, mut high: i128, holds: impl Fn(i128) -> bool) -> i128 {
    while low < high {
        let middle = i128::midpoint(low, high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    high
}

/// What both sides derive from the number of items of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Number of items.
    pub count: usize,
    /// Number of bins.
    pub bins: usize,
    /// Items of a bin at most.
    pub load: usize,
    /// Columns of each of the three parts of a bin.
    pub part: usize,
}

impl Parameters {
    /// Computes them.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`] above 2^28 items.
    pub fn new(count: usize) -> Result<Self, CoreError> {
        if count > MOST_ITEMS {
            return Err(CoreError::TooManyItems { count, limit: MOST_ITEMS });
        }
        let items = count.max(LEAST_ITEMS);
        let bins = items.div_ceil(BIN_ITEMS);
        let load = least_load(items as i128, bins as i128);
        let part = least_part(load, bins as i128);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // below 2^15, and positive
        Ok(Self { count, bins, load: load as usize, part: part as usize })
    }

    /// Returns the number of columns of one bin: three parts, then the dense columns.
    #[must_use]
    pub fn bin_columns(&self) -> usize {
        3 * self.part + DENSE
    }

    /// Returns the number of columns of all bins.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.bins * self.bin_columns()
    }
}

/// The least load that all bins together exceed with probability at most `2^-LOAD_BITS`.
fn least_load(items: i128, bins: i128) -> i128 {
    if bins == 1 {
        return items;
    }
    // More than one bin has at least 2^13 items on average, and twice the average is then far above the least load.
    least(items / bins, 2 * items / bins, |load| {
        log2_overflow(items, bins, load + 1).is_some_and(|bits| bits + ONE / 256 <= -LOAD_BITS * ONE)
    })
}

/// An upper bound on log2 of `bins * P[X >= k]`, where X is the load of a bin; none at or below the mean.
///
/// `P[X >= k] <= P[X = k] / (1 - ratio)`, where the ratio is that of the next two terms, and by Stirling's formula
/// `P[X = k] <= sqrt(n / (2 pi k (n - k))) (n p / k)^k (n (1 - p) / (n - k))^(n - k)`. Rounding is below 2^-8 bits for
/// n <= 2^28, which [`least_load`] adds.
fn log2_overflow(n: i128, bins: i128, k: i128) -> Option<i128> {
    const SCALE: i128 = 1 << 32;
    let p = (SCALE + bins - 1) / bins; // the likeliest bin under multiply-high, in units of 2^-32
    let other = SCALE - p;
    let margin = (k + 1) * other - (n - k) * p;
    if margin <= 0 {
        return None;
    }
    let two_pi = log2_of(6_283_185) - log2_of(1_000_000);
    let half_root = (log2_of(n) - two_pi - log2_of(k) - log2_of(n - k)) / 2;
    let inside = k * (log2_of(n) + log2_of(p) - 32 * ONE - log2_of(k));
    let misses = (n - k) * (log2_of(n) + log2_of(other) - 32 * ONE - log2_of(n - k));
    Some(log2_of(bins) + half_root + inside + misses + log2_of((k + 1) * other) - log2_of(margin))
}

/// The least third of the sparse columns by the rule of Raghuraman and Rindal (CCS 2022, section 4.2, weight 3):
/// `3 part / load >= 1.223 + (bits + 9.2) / 2^(0.555 log2(load) + 2.336076)`.
#[allow(clippy::similar_names)]
fn least_part(load: i128, bins: i128) -> i128 {
    let demand = (CORE_BITS * 10 + 92) * ONE / 10 + 1 + log2_of(bins);
    let excess = log2_of(demand * 1000 * load) - i128::from(FRACTION) * ONE;
    let slope = 555 * log2_of(load) / 1000 + 2_336_076 * ONE / 1_000_000;
    least(1223 * load / 3000 + 1, 8 * load, |part| excess - log2_of(3000 * part - 1223 * load) <= slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log2_is_the_logarithm_rounded_down() {
        assert_eq!(log2(1), 0);
        assert_eq!(log2(1 << 100), 100 * ONE);
        for x in [3_u128, 5, 1000, 1_280_000, (1 << 64) - 1, (1 << 90) + (1 << 70) + 12345] {
            #[allow(clippy::cast_precision_loss)] // compared to 2^-38
            let (exact, ours) = ((x as f64).log2(), log2(x) as f64 / ONE as f64);
            assert!(exact - ours < 4e-12 && ours - exact < 1e-13, "{x}: {exact} {ours}");
        }
    }

    #[test]
    fn the_sizes_of_the_lead_case_are_those_of_the_specification() {
        let parameters = Parameters::new(1_280_000).unwrap();
        let expected = Parameters { count: 1_280_000, bins: 79, load: 17_211, part: 7_328 };
        assert_eq!(parameters, expected);
        assert_eq!(parameters.columns(), 1_740_528);
    }

    #[test]
    fn fewer_than_64_items_have_the_columns_of_64() {
        let parameters = Parameters::new(64).unwrap();
        assert_eq!((parameters.bins, parameters.load, parameters.columns()), (1, 64, 198));
        for count in 0..64 {
            assert_eq!(Parameters::new(count), Ok(Parameters { count, ..parameters }));
        }
    }

    #[test]
    fn every_size_fits_the_packed_rows_and_the_dense_columns() {
        let boundaries = (0..28).flat_map(|bits| [-1, 0, 1].map(|offset| (1_i64 << bits) + offset));
        let bins = (1..40).flat_map(|bins| [0, 1].map(|offset| bins * (1 << 14) + offset));
        for count in boundaries.chain(bins).chain([1 << 28]) {
            let parameters = Parameters::new(usize::try_from(count).unwrap()).unwrap();
            assert!(parameters.load < 1 << 15 && parameters.part <= 1 << 13, "{parameters:?}");
            assert!(parameters.bins * parameters.load >= parameters.count);
        }
        let error = CoreError::TooManyItems { count: MOST_ITEMS + 1, limit: MOST_ITEMS };
        assert_eq!(Parameters::new(MOST_ITEMS + 1), Err(error));
    }

    #[test]
    fn the_bound_on_loads_is_above_the_exact_tail_and_close() {
        // The exact tail in floating point, summed from its largest term.
        for (n, bins, k) in [(40_000_i128, 3_i128, 14_043_i128), (1_280_000, 79, 17_212), (1 << 15, 2, 17_057)] {
            #[allow(clippy::cast_precision_loss)] // a comparison to 1 %
            let (exact, bound) = {
                let (p, ratio) = (1.0 / bins as f64, (bins - 1) as f64);
                let mut term = 0.0;
                for i in 0..k {
                    term += ((n - i) as f64 / (i + 1) as f64).log2();
                }
                term += k as f64 * p.log2() + (n - k) as f64 * (1.0 - p).log2();
                let (mut sum, mut factor) = (0.0, 1.0);
                for i in k..k + 2000 {
                    sum += factor;
                    factor *= (n - i) as f64 / (i + 1) as f64 / ratio;
                }
                let exact = (bins as f64).log2() + term + sum.log2();
                (exact, log2_overflow(n, bins, k).unwrap() as f64 / ONE as f64)
            };
            assert!(bound > exact - 1e-3 && bound < exact + 0.05, "{n}: {exact} {bound}");
            assert!(exact < -43.0, "{n}: {exact}");
        }
    }
}
