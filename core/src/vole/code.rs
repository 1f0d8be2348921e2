//! The binary expand-convolute code of rate one half, in blocks of eight (silent-vole.md, 8).
//!
//! After Raghuraman, Rindal and Tanguy (CRYPTO 2023). The code is public; what it compresses is secret.

#![allow(clippy::missing_panics_doc)] // another length is a fault of ours

use rayon::prelude::*;

use crate::backend::Backend;
use crate::backend::convolution::Matrices;
use crate::backend::memory::zeroed;
use crate::fixed_key::FixedKey;
use crate::okvs::Value;
use crate::ot::derive;

/// Sums of the convolved half that each output takes: with fewer at the same noise, too many outputs live in a part of the
/// code that is small enough to find the noise by (silent-vole.md, 11.3).
pub const TAPS: usize = 11;
/// Taps that have a third of the convolved half each; the others are anywhere.
const THIRDS: usize = 3;
/// Outputs that one thread gathers at a time.
const GATHER: usize = 512;

/// Bits r > c of each column c.
const BELOW: u64 = 0x0080_c0e0_f0f8_fcfe;
/// Bits r < c of each column c.
const ABOVE: u64 = 0x7f3f_1f0f_0703_0100;
const DIAGONAL: u64 = 0x8040_2010_0804_0201;

/// The code for one number of outputs.
pub struct Code {
    backend: Backend,
    passes: [Vec<Matrices>; 2],
    taps: Vec<[u32; TAPS]>,
}

impl Code {
    /// Expands the code from its public seed; `outputs` is a multiple of 8.
    #[must_use]
    pub fn new(backend: Backend, seed: &[u8; 32], outputs: usize) -> Self {
        let stream = |usage, words| stream(backend, seed, outputs, usage, words);
        let passes = [1, 2].map(|usage| {
            let mut matrices: Vec<Matrices> = stream(usage, outputs / 2).as_chunks::<4>().0.to_vec();
            for [last, _, _, far] in &mut matrices {
                *last = *last & BELOW | DIAGONAL;
                *far = *far & ABOVE | DIAGONAL;
            }
            matrices
        });
        let words = stream(3, (TAPS * outputs).div_ceil(2));
        let mut taps = zeroed::<[u32; TAPS]>(outputs);
        let regions: [(u64, u64); TAPS] = std::array::from_fn(|tap| {
            let bound = |third| (third * outputs / THIRDS) as u64;
            if tap < THIRDS { (bound(tap), bound(tap + 1) - bound(tap)) } else { (0, outputs as u64) }
        });
        taps.par_iter_mut().enumerate().for_each(|(output, taps)| {
            for (i, (tap, (start, length))) in taps.iter_mut().zip(regions).enumerate() {
                let place = TAPS * output + i;
                #[allow(clippy::cast_possible_truncation)] // a half of the word; a tap is below 2^29
                {
                    let word = (words[place / 2] >> (32 * (place % 2))) as u32;
                    *tap = (start + ((u64::from(word) * length) >> 32)) as u32;
                }
            }
        });
        Self { backend, passes, taps }
    }

    /// Runs both passes over the second half of the leaves, in place.
    pub fn convolve<const LANES: usize>(&self, cells: &mut [[u128; LANES]]) {
        assert_eq!(cells.len(), self.taps.len());
        self.backend.convolve([&self.passes[0], &self.passes[1]], cells);
    }

    /// Adds to each output, which is a leaf of the first half, its taps of the convolved half.
    pub fn add_taps(&self, convolved: &[[u128; 1]], outputs: &mut [u128]) {
        assert!(convolved.len() == self.taps.len() && outputs.len() == self.taps.len());
        self.taps.par_chunks(GATHER).zip(outputs.par_chunks_mut(GATHER)).for_each(|(taps, outputs)| {
            let mut sums = [[0; 1]; GATHER];
            self.backend.gather(taps, convolved, &mut sums[..taps.len()]);
            outputs.iter_mut().zip(&sums).for_each(|(output, sum)| *output ^= sum[0]);
        });
    }

    /// Does the same for the receiver's two vectors at once.
    pub fn add_taps_to_both<V: Value>(&self, convolved: &[[u128; 2]], a: &mut [V], c: &mut [u128]) {
        assert!(convolved.len() == self.taps.len() && a.len() == self.taps.len() && c.len() == a.len());
        let outputs = a.par_chunks_mut(GATHER).zip(c.par_chunks_mut(GATHER));
        self.taps.par_chunks(GATHER).zip(outputs).for_each(|(taps, (a, c))| {
            let mut sums = [[0; 2]; GATHER];
            self.backend.gather(taps, convolved, &mut sums[..taps.len()]);
            for ((sum, a), c) in sums.iter().zip(a).zip(c) {
                *a += V::from_hash(sum[0]);
                *c ^= sum[1];
            }
        });
    }
}

/// Returns the public stream of one use as 64-bit words: AES in counter mode.
#[allow(clippy::cast_possible_truncation)] // outputs fit 32 bits; halves of a block
fn stream(backend: Backend, seed: &[u8; 32], outputs: usize, usage: u8, words: usize) -> Vec<u64> {
    const CHUNK: usize = 1 << 11;
    let key = derive("psi/1 lpn code", &[seed, &(outputs as u32).to_le_bytes(), &[usage]]);
    let cipher = FixedKey::new(backend, key);
    let mut stream = zeroed(words);
    stream.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, words)| {
        let mut blocks = [0; CHUNK / 2];
        for (i, block) in blocks.iter_mut().enumerate() {
            *block = (chunk * (CHUNK / 2) + i) as u128;
        }
        cipher.encrypt_blocks(&mut blocks);
        for (i, word) in words.iter_mut().enumerate() {
            *word = (blocks[i / 2] >> (64 * (i % 2))) as u64;
        }
    });
    stream
}

#[cfg(test)]
mod tests;
