//! Long lists of pseudorandom values in buckets by their leading bits, each small enough for a cache.

use rayon::prelude::*;
use zerocopy::FromZeros;

use crate::backend::memory::zeroed;

/// Values that one thread distributes over the buckets at a time: half a megabyte at most.
const BLOCK: usize = 1 << 15;
/// The logarithm of the number of values that a bucket gets of a long uniform list: 16 kilobytes of 64 bits each, or twice
/// as much.
const BUCKET_LOG: u32 = 11;
/// With more buckets than this the share that a block has of one would be too short to be read at the speed of memory;
/// the buckets of a longer list are larger.
const MAX_BUCKET_BITS: u32 = 11;

/// What is distributed: an unsigned integer, whose leading bits are uniform for the time that is promised.
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

/// The values of a list by their leading bits, those of a bucket in the order of the list.
#[derive(Default)]
pub struct Buckets<W> {
    /// Block after block of the list, each in the order of the buckets.
    values: Vec<W>,
    /// Where each block starts in the list, and at last how many values there are.
    blocks: Vec<usize>,
    /// For each block where its share of each bucket starts in it, and at last its length.
    starts: Vec<Vec<u32>>,
    bits: u32,
}

impl<W: Word> Buckets<W> {
    /// Takes `count` values, which `fill(first, values)` writes in pieces.
    pub fn new(count: usize, fill: impl Fn(usize, &mut [W]) + Sync) -> Self {
        let mut buckets = Self::with_room(count);
        let blocks = (0..count).step_by(BLOCK).map(|first| (BLOCK.min(count - first), first));
        buckets.append(blocks.collect(), fill);
        buckets
    }

    /// Copies the values of a list.
    #[must_use]
    pub fn of(values: &[W]) -> Self {
        Self::new(values.len(), |first, block| block.copy_from_slice(&values[first..first + block.len()]))
    }

    /// Makes room for a list of `count` values.
    #[must_use]
    pub fn with_room(count: usize) -> Self {
        let bits = count.checked_ilog2().unwrap_or(0).saturating_sub(BUCKET_LOG).clamp(1, MAX_BUCKET_BITS);
        Self { values: zeroed(count), blocks: vec![0], starts: Vec::new(), bits }
    }

    /// Takes the next values of the list, in blocks that are distributed side by side: of each its length, below 2^32, and
    /// from what `write` writes it.
    ///
    /// # Panics
    ///
    /// If there are more values than there is room for.
    pub fn append<T: Send>(&mut self, blocks: Vec<(usize, T)>, write: impl Fn(T, &mut [W]) + Sync) {
        let mut end = self.blocks[self.blocks.len() - 1];
        let mut rest = &mut self.values[end..];
        let mut parts = Vec::with_capacity(blocks.len());
        for (length, source) in blocks {
            let (part, behind) = rest.split_at_mut(length);
            parts.push((source, part));
            rest = behind;
            end += length;
            self.blocks.push(end);
        }
        let bits = self.bits;
        self.starts.par_extend(parts.into_par_iter().map_init(Vec::new, |scratch, (source, part)| {
            scratch.resize(part.len(), W::default());
            write(source, scratch);
            distribute(scratch, part, bits)
        }));
    }

    /// Returns how many leading bits tell the buckets apart.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Returns how many buckets there are.
    #[must_use]
    pub fn count(&self) -> usize {
        1 << self.bits
    }

    /// Returns the number of all values.
    #[must_use]
    pub fn total(&self) -> usize {
        self.blocks.last().copied().unwrap_or(0)
    }

    /// Returns the number of values of a bucket.
    #[must_use]
    pub fn len(&self, bucket: usize) -> usize {
        self.starts.iter().map(|starts| (starts[bucket + 1] - starts[bucket]) as usize).sum()
    }

    /// Returns the values of a bucket, block after block.
    pub fn shares(&self, bucket: usize) -> impl Iterator<Item = &[W]> {
        self.blocks.iter().zip(&self.starts).map(move |(block, starts)| {
            &self.values[block + starts[bucket] as usize..block + starts[bucket + 1] as usize]
        })
    }
}

/// Copies values into the order of their leading bits; returns where each digit starts.
fn distribute<W: Word>(values: &[W], out: &mut [W], bits: u32) -> Vec<u32> {
    let mut ends = vec![0_u32; (1 << bits) + 1];
    for &value in values {
        ends[value.digit(0, bits) + 1] += 1;
    }
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let starts = ends.clone();
    out.fill(W::default()); // in order, at the speed of memory: what is written below is then in the cache
    for &value in values {
        let end = &mut ends[value.digit(0, bits)];
        out[*end as usize] = value;
        *end += 1;
    }
    starts
}

/// The values of one bucket in chains by the bits behind those of the bucket; of uniform values most chains have one.
///
/// The low bits of a value, which number it, are no part of what is looked for.
#[derive(Default)]
pub struct Table {
    /// The last value of each chain, counted from one, or zero.
    heads: Vec<u32>,
    values: Vec<u64>,
    /// The value before each one in its chain, counted from one, or zero.
    before: Vec<u32>,
    skipped: u32,
    bits: u32,
}

/// The logarithm of the number of chains for each value, at least: few get two values then.
const CHAINS_LOG: u32 = 3;

impl Table {
    /// Empties the table for about `count` values, fewer than 2^32, that agree in their first `skipped` bits and have a
    /// number in the last `number_bits`.
    pub fn clear(&mut self, count: usize, skipped: u32, number_bits: u32) {
        self.skipped = skipped;
        self.bits = (count.max(1).ilog2() + CHAINS_LOG).min(u64::BITS - number_bits - skipped);
        self.heads.clear();
        self.heads.resize(1 << self.bits, 0);
        self.values.clear();
        self.values.reserve(count);
        self.before.clear();
        self.before.reserve(count);
    }

    /// Adds a value.
    #[inline]
    pub fn insert(&mut self, value: u64) {
        let head = &mut self.heads[value.digit(self.skipped, self.bits)];
        self.values.push(value);
        self.before.push(*head);
        #[allow(clippy::cast_possible_truncation)] // fewer than 2^32
        let last = self.values.len() as u32;
        *head = last;
    }

    /// Returns the values of the table in the chain of this one, the last one first.
    #[inline]
    pub fn chain(&self, value: u64) -> impl Iterator<Item = u64> {
        let mut next = self.heads[value.digit(self.skipped, self.bits)];
        std::iter::from_fn(move || {
            let place = next.checked_sub(1)? as usize;
            next = self.before[place];
            Some(self.values[place])
        })
    }
}
