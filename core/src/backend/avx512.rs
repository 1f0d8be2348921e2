//! The kernels for AVX-512 with VAES, VPCLMULQDQ and GFNI: four 128-bit lanes, sixteen BLAKE3 messages.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx512`
#![allow(clippy::wildcard_imports, clippy::large_types_passed_by_value, clippy::trivially_copy_pass_by_ref)] // intrinsics

use super::portable::{AesKey, Lengths};

/// What [`Avx512::detect`] looks for.
pub const NEEDS: &str = "avx512f, avx512bw, avx512dq, avx512vl, avx512vbmi, vaes, vpclmulqdq, gfni";

/// Evidence that the instructions of [`NEEDS`] are present; made by [`Avx512::detect`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512(());

impl Avx512 {
    /// Looks for the instructions.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("vpclmulqdq")
            && is_x86_feature_detected!("gfni");
        present.then_some(Self(()))
    }

    /// Stands for the instructions where a test provides for those that are missing.
    #[cfg(test)]
    pub(super) fn assumed() -> Self {
        Self(())
    }
}

/// Evidence that avx512f and avx512bw are present, which some kernels need and nothing more; made by [`Avx512Bw::detect`]
/// alone. Processors from before those of [`Avx512`] have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx512Bw(());

impl Avx512Bw {
    /// Looks for the instructions.
    #[must_use]
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")).then_some(Self(()))
    }
}

/// Kernels over four 128-bit lanes.
mod blocks {
    use core::arch::x86_64::*;

    use super::super::{portable, vector::block_kernels};

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_keys(keys: &[u64; 4]) -> __m512i {
        // SAFETY: the array is readable and as long as the vector.
        let keys = unsafe { _mm256_loadu_si256(keys.as_ptr().cast()) };
        _mm512_permutexvar_epi64(_mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0), _mm512_castsi256_si512(keys))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(clippy::cast_possible_truncation)] // the two halves
    fn from_block(block: u128) -> __m512i {
        _mm512_broadcast_i32x4(_mm_set_epi64x((block >> 64) as i64, block as i64))
    }

    block_kernels! {
        features: "avx512f,avx512bw,vaes,vpclmulqdq", vector: __m512i, lanes: 4,
        load: _mm512_loadu_si512, store: _mm512_storeu_si512, broadcast: from_block, load_keys: load_keys,
        xor: _mm512_xor_si512, multiply: _mm512_clmulepi64_epi128,
        left: _mm512_bslli_epi128, right: _mm512_bsrli_epi128,
        low: _mm512_unpacklo_epi64, high: _mm512_unpackhi_epi64,
        left_64: _mm512_slli_epi64, right_64: _mm512_srli_epi64,
        round: _mm512_aesenc_epi128, last_round: _mm512_aesenclast_epi128,
    }
}

/// Keyed BLAKE3 over sixteen messages.
mod blake3 {
    use core::arch::x86_64::*;

    use super::super::portable::Lengths;
    use super::super::vector::{COLUMNS, DIAGONALS, FLAGS, INITIAL, SCHEDULE, blake3_kernel};

    /// The words of sixteen blocks, one word of all of them a vector.
    #[inline]
    #[target_feature(enable = "avx2,avx512f")]
    fn load_words(blocks: &[[u8; 64]; 16]) -> [__m512i; 16] {
        let mut words = [_mm512_setzero_si512(); 16];
        for (half, words) in words.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let part = |i: usize| {
                // SAFETY: half a block is 32 bytes; the load needs no alignment.
                unsafe { _mm256_loadu_si256(blocks[i][32 * half..].as_ptr().cast()) }
            };
            // Blocks four apart side by side: one exchange of lanes brings all in order.
            let row = |i: usize| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(part(i)), part(i + 4));
            let first = transpose([row(0), row(1), row(2), row(3)]);
            let second = transpose([row(8), row(9), row(10), row(11)]);
            for (i, (first, second)) in first.into_iter().zip(second).enumerate() {
                words[i] = _mm512_shuffle_i32x4::<0b10_00_10_00>(first, second);
                words[i + 4] = _mm512_shuffle_i32x4::<0b11_01_11_01>(first, second);
            }
        }
        words
    }

    /// Writes sixteen hashes of eight words.
    #[inline]
    #[target_feature(enable = "avx2,avx512f")]
    fn store_words(words: [__m512i; 8], hashes: &mut [[u8; 32]; 16]) {
        let first_lanes = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        let last_lanes = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
        let (halves, _) = words.as_chunks::<4>();
        // Lane k of row i belongs to hash 4k + i.
        for (i, (low, high)) in transpose(halves[0]).into_iter().zip(transpose(halves[1])).enumerate() {
            for (first, lanes) in [(i, first_lanes), (i + 8, last_lanes)] {
                let pair = _mm512_permutex2var_epi64(low, lanes, high);
                // SAFETY: a hash is 32 bytes; the store needs no alignment.
                unsafe {
                    _mm256_storeu_si256(hashes[first].as_mut_ptr().cast(), _mm512_castsi512_si256(pair));
                    let second = _mm512_extracti64x4_epi64::<1>(pair);
                    _mm256_storeu_si256(hashes[first + 4].as_mut_ptr().cast(), second);
                }
            }
        }
    }

    blake3_kernel! {
        features: "avx2,avx512f", vector: __m512i, lanes: 16,
        splat: _mm512_set1_epi32, add: _mm512_add_epi32, xor: _mm512_xor_si512,
        low_32: _mm512_unpacklo_epi32, high_32: _mm512_unpackhi_epi32,
        low_64: _mm512_unpacklo_epi64, high_64: _mm512_unpackhi_epi64,
        rotate_16: _mm512_ror_epi32::<16>, rotate_12: _mm512_ror_epi32::<12>,
        rotate_8: _mm512_ror_epi32::<8>, rotate_7: _mm512_ror_epi32::<7>,
        load: load_words, store: store_words, load_lengths: _mm512_loadu_si512,
    }
}

/// Calls a kernel of this backend.
macro_rules! present {
    ($($kernel:tt)+) => {
        // SAFETY: an `Avx512` exists only if `detect` found all of `NEEDS`; avx512f implies avx2.
        unsafe { $($kernel)+ }
    };
}

pub(super) fn aes_encrypt(_: Avx512, key: &AesKey, blocks: &mut [u128]) {
    present!(blocks::aes::<false>(&key.round_keys, blocks));
}

pub(super) fn aes_hash(_: Avx512, key: &AesKey, blocks: &mut [u128]) {
    present!(blocks::aes::<true>(&key.round_keys, blocks));
}

pub(super) fn gf128_scale_add(_: Avx512, factor: u128, y: &[u128], sum: &mut [u128]) {
    present!(blocks::gf128_scale_add(factor, y, sum));
}

pub(super) fn gf128_multiply(_: Avx512, x: &mut [u128], y: &[u128]) {
    present!(blocks::gf128_multiply(x, y));
}

pub(super) fn gf128_inner_product(_: Avx512, x: &[u128], y: &[u128]) -> u128 {
    present!(blocks::gf128_inner_product(x, y))
}

pub(super) fn gf64_scale_add(_: Avx512, factor: u128, y: &[u64], sum: &mut [u128]) {
    present!(blocks::gf64_scale_add(factor, y, sum));
}

pub(super) fn blake3_block(
    _: Avx512,
    key: &[u32; 8],
    mode: u32,
    lengths: Lengths<'_>,
    blocks: &[[u8; 64]],
    hashes: &mut [[u8; 32]],
) {
    present!(blake3::blake3_block(key, mode, lengths, blocks, hashes));
}

pub(super) fn blake3_sixteen(
    _: Avx512Bw,
    key: &[u32; 8],
    mode: u32,
    lengths: Lengths<'_>,
    blocks: &[[u8; 64]],
    hashes: &mut [[u8; 32]],
) {
    // SAFETY: an `Avx512Bw` exists only if `detect` found avx512f, which implies avx2.
    unsafe { blake3::blake3_block(key, mode, lengths, blocks, hashes) }
}
