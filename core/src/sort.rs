//! Sorts pseudorandom values of 64 or 128 bits on the threads of the pool at hand.

use rayon::prelude::*;

use crate::buckets::{Buckets, Word};

/// Bits by which a bucket is distributed once more, at most.
const MAX_INNER_BITS: u32 = 14;

/// Sorts the values ascending.
///
/// Two distributions by leading bits, then insertion: linear for values as uniform as tags are. A list that is not
/// uniform is sorted as well, in the time of a comparison sort.
pub fn sort<W: Word>(values: &mut [W]) {
    let buckets = Buckets::of(values);
    let mut slices = Vec::with_capacity(buckets.count());
    let mut rest = values;
    for bucket in 0..buckets.count() {
        let (slice, behind) = rest.split_at_mut(buckets.len(bucket));
        slices.push(slice);
        rest = behind;
    }
    slices
        .into_par_iter()
        .enumerate()
        .for_each_init(Vec::new, |ends, (bucket, slice)| sort_bucket(&buckets, bucket, slice, ends));
}

/// Writes the values of a bucket into `out`, ascending; `ends` is room that is used again and again.
///
/// # Panics
///
/// If `out` has not the length of the bucket.
pub fn sort_bucket<W: Word>(buckets: &Buckets<W>, bucket: usize, out: &mut [W], ends: &mut Vec<u32>) {
    assert_eq!(out.len(), buckets.len(bucket));
    if out.len() < 32 {
        let mut end = 0;
        for share in buckets.shares(bucket) {
            out[end..end + share.len()].copy_from_slice(share);
            end += share.len();
        }
        return insertion(out);
    }
    let skipped = buckets.bits();
    let bits = (out.len().ilog2() + 1).min(MAX_INNER_BITS); // most values are alone: less is left to insertion
    ends.clear();
    ends.resize((1 << bits) + 1, 0);
    for share in buckets.shares(bucket) {
        for value in share {
            ends[value.digit(skipped, bits) + 1] += 1;
        }
    }
    let longest = ends.iter().copied().max().unwrap_or(0);
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    out.fill(W::default()); // in order, at the speed of memory: what is written below is then in the cache
    for share in buckets.shares(bucket) {
        for &value in share {
            let end = &mut ends[value.digit(skipped, bits)];
            out[*end as usize] = value;
            *end += 1;
        }
    }
    // Insertion is quadratic in a run of values that the digit does not tell apart: short ones only.
    if longest <= 64 {
        insertion(out);
    } else {
        out.sort_unstable();
    }
}

/// Sorts values of which each is near its place.
fn insertion<W: Word>(values: &mut [W]) {
    for i in 1..values.len() {
        let value = values[i];
        let mut place = i;
        while place > 0 && values[place - 1] > value {
            values[place] = values[place - 1];
            place -= 1;
        }
        values[place] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(count: usize) -> Vec<u128> {
        let mut xof = blake3::Hasher::new().update(b"sort").finalize_xof();
        let mut bytes = vec![0; 16 * count];
        xof.fill(&mut bytes);
        bytes.as_chunks().0.iter().map(|bytes| u128::from_be_bytes(*bytes)).collect()
    }

    /// The first halves of values.
    fn narrow(values: &[u128]) -> Vec<u64> {
        values.iter().map(|value| u64::try_from(value >> 64).unwrap()).collect()
    }

    #[test]
    fn the_result_is_sorted_at_every_boundary() {
        // 31, 32: insertion alone; 8191, 8192: more than two buckets; 32,768: a block.
        for count in [0, 1, 2, 31, 32, 33, 511, 512, 8191, 8192, 8193, 32_767, 32_768, 32_769, 100_000] {
            let mut values = uniform(count);
            let mut expected = values.clone();
            expected.sort_unstable();
            sort(&mut values);
            assert!(values == expected, "{count}");
            let mut halves = narrow(&uniform(count));
            sort(&mut halves);
            assert!(halves == narrow(&expected), "{count}");
        }
    }

    #[test]
    fn values_that_are_not_uniform_are_sorted_too() {
        for shape in [|i: u128| i, |i: u128| 5000 - i, |_| 7, |i: u128| (i % 3) << 125, |i: u128| i << 64] {
            let mut values: Vec<u128> = (0..5000).map(shape).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            sort(&mut values);
            assert!(values == expected);
            let mut halves = narrow(&values[..5000].iter().rev().copied().collect::<Vec<_>>());
            let mut expected = halves.clone();
            expected.sort_unstable();
            sort(&mut halves);
            assert!(halves == expected);
        }
    }
}
