//! Sorts pseudorandom values of 64 or 128 bits on the threads of the pool at hand.

use rayon::prelude::*;
use zerocopy::FromZeros;

use crate::backend::memory::zeroed;

/// Values that one thread distributes over the buckets at a time: half a megabyte at most.
const BLOCK: usize = 1 << 15;
/// The logarithm of the number of values that a bucket gets of a long uniform list: eight kilobytes of them at most.
const BUCKET_LOG: u32 = 9;
/// With more buckets than this the share that a block has of one would be too short to be read at the speed of memory;
/// the buckets of a longer list are larger.
const MAX_BUCKET_BITS: u32 = 11;
/// The logarithm of the number of values that stay together when a bucket is distributed once more.
const RUN_LOG: u32 = 1;
/// Bits by which a bucket is distributed once more, at most.
const MAX_INNER_BITS: u32 = 14;

/// What is sorted here: an unsigned integer, whose leading bits are uniform for the time that is promised.
pub trait Word: Copy + Default + FromZeros + Ord + Send + Sync {
    /// Returns so many of its bits, at least one, behind the first `skipped`.
    fn digit(self, skipped: u32, bits: u32) -> usize;
}

macro_rules! word {
    ($word:ident) => {
        impl Word for $word {
            #[inline]
            #[allow(clippy::cast_possible_truncation)] // a few bits
            fn digit(self, skipped: u32, bits: u32) -> usize {
                (self << skipped >> ($word::BITS - bits)) as usize
            }
        }
    };
}

word!(u64);
word!(u128);

/// Sorts the values ascending.
///
/// Two distributions by leading bits, then insertion: linear for values as uniform as tags are. A list that is not
/// uniform is sorted as well, in the time of a comparison sort.
pub fn sort<W: Word>(values: &mut [W]) {
    let bucket_bits = values.len().checked_ilog2().unwrap_or(0).saturating_sub(BUCKET_LOG).min(MAX_BUCKET_BITS);
    if bucket_bits == 0 {
        sort_bucket(values, 0, &mut Vec::new());
        return;
    }
    let mut distributed: Vec<W> = zeroed(values.len());
    // For each block where its share of each bucket starts in it, and at last its length.
    let starts: Vec<Vec<u32>> = distributed
        .par_chunks_mut(BLOCK)
        .zip(values.par_chunks(BLOCK))
        .map(|(out, block)| distribute(block, out, bucket_bits, 0))
        .collect();
    let buckets = 1 << bucket_bits;
    let mut slices = Vec::with_capacity(buckets);
    let mut rest = values;
    for bucket in 0..buckets {
        let count = starts.iter().map(|starts| (starts[bucket + 1] - starts[bucket]) as usize).sum();
        let (slice, behind) = rest.split_at_mut(count);
        slices.push(slice);
        rest = behind;
    }
    slices.into_par_iter().enumerate().for_each_init(Vec::new, |scratch, (bucket, slice)| {
        let mut filled = 0;
        for (block, starts) in distributed.chunks(BLOCK).zip(&starts) {
            let share = &block[starts[bucket] as usize..starts[bucket + 1] as usize];
            slice[filled..filled + share.len()].copy_from_slice(share);
            filled += share.len();
        }
        sort_bucket(slice, bucket_bits, scratch);
    });
}

/// Copies values into the order of `bits` of their bits, those after the first `skipped`; returns where each starts.
fn distribute<W: Word>(values: &[W], out: &mut [W], bits: u32, skipped: u32) -> Vec<u32> {
    let digit = |value: W| value.digit(skipped, bits);
    let mut ends = vec![0_u32; (1 << bits) + 1];
    for &value in values {
        ends[digit(value) + 1] += 1;
    }
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let starts = ends.clone();
    for &value in values {
        let end = &mut ends[digit(value)];
        out[*end as usize] = value;
        *end += 1;
    }
    starts
}

/// Sorts values that agree in their first `skipped` bits.
fn sort_bucket<W: Word>(values: &mut [W], skipped: u32, scratch: &mut Vec<W>) {
    if values.len() < 32 {
        insertion(values);
        return;
    }
    scratch.resize(values.len(), W::default());
    let inner_bits = (values.len().ilog2() - RUN_LOG).min(MAX_INNER_BITS);
    let starts = distribute(values, scratch, inner_bits, skipped);
    values.copy_from_slice(scratch);
    // Insertion is quadratic in a run of values that the digit does not tell apart: short ones only.
    let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    if longest <= 64 {
        insertion(values);
    } else {
        values.sort_unstable();
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
        // 31, 32: insertion alone; 1023, 1024: the first distribution; 32,768: a block.
        for count in [0, 1, 2, 31, 32, 33, 511, 512, 1023, 1024, 1025, 32_767, 32_768, 32_769, 100_000] {
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
