//! The kernels for AVX2 with AES-NI and PCLMULQDQ, and for the 256-bit forms of both where the processor has them.
//!
//! BLAKE3 takes sixteen messages at once, and the convolution vectors of 512 bits, where there are AVX-512F and AVX-512BW.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx2`
#![allow(clippy::wildcard_imports, clippy::large_types_passed_by_value, clippy::trivially_copy_pass_by_ref)] // intrinsics

use super::avx512::{self, Avx512Bw};
use super::portable::{AesKey, Lengths};

/// What [`Avx2::detect`] looks for.
pub const NEEDS: &str = "avx2, aes, pclmulqdq";

/// Evidence that the instructions of [`NEEDS`] are present, and whether `vaes` and `vpclmulqdq` are, and `avx512f`
/// with `avx512bw`; made by [`Avx2::detect`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avx2 {
    wide: bool,
    pub(super) long: Option<Avx512Bw>,
}

impl Avx2 {
    /// Looks for the instructions.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("pclmulqdq");
        let wide = is_x86_feature_detected!("vaes") && is_x86_feature_detected!("vpclmulqdq");
        present.then_some(Self { wide, long: Avx512Bw::detect() })
    }

    /// Returns the same evidence without the wider forms, so that tests reach both.
    #[must_use]
    pub fn narrow(self) -> Self {
        Self { wide: false, long: None }
    }
}

/// Kernels over one 128-bit lane.
mod narrow {
    use core::arch::x86_64::*;

    use super::super::{portable, vector::block_kernels};

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_key(keys: &[u64; 1]) -> __m128i {
        _mm_set_epi64x(0, keys[0].cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(clippy::cast_possible_truncation)] // the two halves
    fn from_block(block: u128) -> __m128i {
        _mm_set_epi64x((block >> 64) as i64, block as i64)
    }

    block_kernels! {
        features: "avx2,aes,pclmulqdq", vector: __m128i, lanes: 1,
        load: _mm_loadu_si128, store: _mm_storeu_si128, broadcast: from_block, load_keys: load_key,
        xor: _mm_xor_si128, multiply: _mm_clmulepi64_si128, left: _mm_bslli_si128, right: _mm_bsrli_si128,
        low: _mm_unpacklo_epi64, high: _mm_unpackhi_epi64, left_64: _mm_slli_epi64, right_64: _mm_srli_epi64,
        round: _mm_aesenc_si128, last_round: _mm_aesenclast_si128,
    }
}

/// Kernels over two 128-bit lanes.
mod wide {
    use core::arch::x86_64::*;

    use super::super::{portable, vector::block_kernels};

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_keys(keys: &[u64; 2]) -> __m256i {
        // SAFETY: the array is readable and as long as the vector.
        let keys = unsafe { _mm_loadu_si128(keys.as_ptr().cast()) };
        _mm256_permute4x64_epi64::<0x50>(_mm256_castsi128_si256(keys))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(clippy::cast_possible_truncation)] // the two halves
    fn from_block(block: u128) -> __m256i {
        _mm256_broadcastsi128_si256(_mm_set_epi64x((block >> 64) as i64, block as i64))
    }

    block_kernels! {
        features: "avx2,vaes,vpclmulqdq", vector: __m256i, lanes: 2,
        load: _mm256_loadu_si256, store: _mm256_storeu_si256, broadcast: from_block, load_keys: load_keys,
        xor: _mm256_xor_si256, multiply: _mm256_clmulepi64_epi128,
        left: _mm256_bslli_epi128, right: _mm256_bsrli_epi128,
        low: _mm256_unpacklo_epi64, high: _mm256_unpackhi_epi64,
        left_64: _mm256_slli_epi64, right_64: _mm256_srli_epi64,
        round: _mm256_aesenc_epi128, last_round: _mm256_aesenclast_epi128,
    }
}

/// Keyed BLAKE3 over eight messages.
mod blake3 {
    use core::arch::x86_64::*;

    use super::super::portable::Lengths;
    use super::super::vector::{COLUMNS, DIAGONALS, FLAGS, INITIAL, SCHEDULE, blake3_kernel};

    /// The words of eight blocks, one word of all of them a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_words(blocks: &[[u8; 64]; 8]) -> [__m256i; 16] {
        let mut words = [_mm256_setzero_si256(); 16];
        for (quarter, words) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let part = |block: &[u8; 64]| block[16 * quarter..].as_ptr().cast();
            // SAFETY: a quarter of a block is 16 bytes; the load needs no alignment.
            let row = |i: usize| unsafe { _mm256_loadu2_m128i(part(&blocks[i + 4]), part(&blocks[i])) };
            *words = transpose([row(0), row(1), row(2), row(3)]);
        }
        words
    }

    /// Writes eight hashes of eight words.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn store_words(words: [__m256i; 8], hashes: &mut [[u8; 32]; 8]) {
        for (half, words) in words.as_chunks::<4>().0.iter().enumerate() {
            let mut part = |i: usize| hashes[i][16 * half..].as_mut_ptr().cast();
            for (i, row) in transpose(*words).into_iter().enumerate() {
                // SAFETY: half of a hash is 16 bytes; the store needs no alignment.
                unsafe { _mm256_storeu2_m128i(part(i + 4), part(i), row) };
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate_16(x: __m256i) -> __m256i {
        let order = _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2);
        _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate_12(x: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_srli_epi32::<12>(x), _mm256_slli_epi32::<20>(x))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate_8(x: __m256i) -> __m256i {
        let order = _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1);
        _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn rotate_7(x: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_srli_epi32::<7>(x), _mm256_slli_epi32::<25>(x))
    }

    blake3_kernel! {
        features: "avx2", vector: __m256i, lanes: 8,
        splat: _mm256_set1_epi32, add: _mm256_add_epi32, xor: _mm256_xor_si256,
        low_32: _mm256_unpacklo_epi32, high_32: _mm256_unpackhi_epi32,
        low_64: _mm256_unpacklo_epi64, high_64: _mm256_unpackhi_epi64,
        rotate_16: rotate_16, rotate_12: rotate_12, rotate_8: rotate_8, rotate_7: rotate_7,
        load: load_words, store: store_words, load_lengths: _mm256_loadu_si256,
    }
}

/// Calls a kernel of the width that the evidence allows.
macro_rules! by_width {
    ($evidence:expr, $($kernel:tt)+) => {
        // SAFETY: an `Avx2` exists only if `detect` found avx2, aes and pclmulqdq, and it is wide only if `detect` found
        // vaes and vpclmulqdq too.
        unsafe { if $evidence.wide { wide::$($kernel)+ } else { narrow::$($kernel)+ } }
    };
}

pub(super) fn aes_encrypt(evidence: Avx2, key: &AesKey, blocks: &mut [u128]) {
    by_width!(evidence, aes::<false>(&key.round_keys, blocks));
}

pub(super) fn aes_hash(evidence: Avx2, key: &AesKey, blocks: &mut [u128]) {
    by_width!(evidence, aes::<true>(&key.round_keys, blocks));
}

pub(super) fn gf128_scale_add(evidence: Avx2, factor: u128, y: &[u128], sum: &mut [u128]) {
    by_width!(evidence, gf128_scale_add(factor, y, sum));
}

pub(super) fn gf128_multiply(evidence: Avx2, x: &mut [u128], y: &[u128]) {
    by_width!(evidence, gf128_multiply(x, y));
}

pub(super) fn gf128_inner_product(evidence: Avx2, x: &[u128], y: &[u128]) -> u128 {
    by_width!(evidence, gf128_inner_product(x, y))
}

pub(super) fn gf64_scale_add(evidence: Avx2, factor: u128, y: &[u64], sum: &mut [u128]) {
    by_width!(evidence, gf64_scale_add(factor, y, sum));
}

pub(super) fn blake3_block(
    evidence: Avx2,
    key: &[u32; 8],
    mode: u32,
    lengths: Lengths<'_>,
    blocks: &[[u8; 64]],
    hashes: &mut [[u8; 32]],
) {
    if let Some(evidence) = evidence.long {
        return avx512::blake3_sixteen(evidence, key, mode, lengths, blocks, hashes);
    }
    // SAFETY: an `Avx2` exists only if `detect` found avx2.
    unsafe { blake3::blake3_block(key, mode, lengths, blocks, hashes) }
}
