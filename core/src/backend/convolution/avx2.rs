//! The passes on bit-sliced blocks, with byte shuffles as tables of four bits.
//!
//! A sliced block of one lane has 128 bytes, one for each bit position of a value; bit `r` of a byte is that bit of cell
//! `r`. A matrix acts on every byte alike: as two tables of sixteen bytes, one for each half of the byte.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx2`
#![allow(clippy::wildcard_imports, clippy::cast_ptr_alignment)] // intrinsics; no access needs alignment

use core::arch::x86_64::*;

use super::super::Backend;
use super::super::avx2::Avx2;
use super::{BLOCK, Cells, Matrices, WINDOW, avx512bw, fold, gather};

/// A sliced block of one lane.
type Sliced = [__m256i; 4];

/// The low and the high halves of all bytes of a sliced block.
#[derive(Clone, Copy)]
struct Halves {
    low: Sliced,
    high: Sliced,
}

/// The images of the low and of the high halves of a byte, in both 128-bit lanes.
struct Tables {
    low: __m256i,
    high: __m256i,
}

pub(super) fn convolve<const LANES: usize>(evidence: Avx2, passes: [&[Matrices]; 2], blocks: &mut [Cells<LANES>]) {
    if let Some(evidence) = evidence.long {
        return avx512bw::convolve(evidence, passes, blocks);
    }
    // SAFETY: an `Avx2` exists only if `detect` found avx2.
    unsafe {
        pass::<LANES, true>(passes[0], blocks);
        pass::<LANES, false>(passes[1], blocks);
    }
}

/// Calls [`gather`] compiled for AVX2; on any backend but the portable one.
pub(super) fn gather_cells<const LANES: usize, const TAPS: usize>(
    backend: Backend,
    taps: &[[u32; TAPS]],
    cells: &[[u128; LANES]],
    sums: &mut [[u128; LANES]],
) {
    #[target_feature(enable = "avx2")]
    fn with_avx2<const LANES: usize, const TAPS: usize>(
        taps: &[[u32; TAPS]],
        cells: &[[u128; LANES]],
        sums: &mut [[u128; LANES]],
    ) {
        gather(taps, cells, sums);
    }
    assert_ne!(backend, Backend::Portable);
    // SAFETY: both other backends exist only if avx2 was found; avx512f implies it.
    unsafe { with_avx2(taps, cells, sums) }
}

/// Calls [`fold`] compiled for AVX2; on any backend but the portable one.
pub(super) fn fold_rows<const BITS: usize, const WIDTH: usize>(
    backend: Backend,
    rows: &mut [[u128; WIDTH]],
) -> [[u128; WIDTH]; BITS] {
    #[target_feature(enable = "avx2")]
    fn with_avx2<const BITS: usize, const WIDTH: usize>(rows: &mut [[u128; WIDTH]]) -> [[u128; WIDTH]; BITS] {
        fold(rows)
    }
    assert_ne!(backend, Backend::Portable);
    // SAFETY: both other backends exist only if avx2 was found; avx512f implies it.
    unsafe { with_avx2(rows) }
}

/// Runs a pass; the first takes plain cells and leaves sliced ones, the second the other way round.
#[target_feature(enable = "avx2")]
fn pass<const LANES: usize, const FIRST: bool>(matrices: &[Matrices], blocks: &mut [Cells<LANES>]) {
    let zero = [_mm256_setzero_si256(); 4];
    let mut previous = [[Halves { low: zero, high: zero }; LANES]; WINDOW]; // the nearest first
    let mut head = [[zero; LANES]; WINDOW];
    for (i, (matrices, block)) in matrices.iter().zip(&mut *blocks).enumerate() {
        let [last, near, middle, far] = matrices.map(|columns| tables(columns));
        // Sliced lanes do not lie where plain ones do: all are read before one is written.
        let mut sums = [zero; LANES];
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = if FIRST { slice(block, lane) } else { load(block, lane) };
        }
        for (lane, mut sum) in sums.into_iter().enumerate() {
            add_product(&far, &previous[2][lane], &mut sum);
            add_product(&middle, &previous[1][lane], &mut sum);
            add_product(&near, &previous[0][lane], &mut sum);
            let mut product = zero;
            add_product(&last, &halves(&sum), &mut product);
            previous[2][lane] = previous[1][lane];
            previous[1][lane] = previous[0][lane];
            previous[0][lane] = halves(&product);
            if i < WINDOW {
                head[i][lane] = product;
            } else if FIRST {
                store(product, block, lane);
            } else {
                unslice(product, block, lane);
            }
        }
    }
    // The end feeds the start: block i lies behind the last blocks as if the list were a ring.
    for (i, block) in blocks[..WINDOW].iter_mut().enumerate() {
        for lane in 0..LANES {
            let mut sum = zero;
            for (columns, halves) in matrices[i][i + 1..].iter().zip(&previous) {
                add_product(&tables(*columns), &halves[lane], &mut sum);
            }
            let mut product = head[i][lane];
            add_product(&tables(matrices[i][0]), &halves(&sum), &mut product);
            if FIRST {
                store(product, block, lane);
            } else {
                unslice(product, block, lane);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn halves(sliced: &Sliced) -> Halves {
    let mask = _mm256_set1_epi8(15);
    Halves {
        low: sliced.map(|bytes| _mm256_and_si256(bytes, mask)),
        high: sliced.map(|bytes| _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask)),
    }
}

/// Makes the tables of a matrix: entry `n` is the sum of the columns at the bits of `n`.
#[inline]
#[target_feature(enable = "avx2")]
fn tables(columns: u64) -> Tables {
    const NONE: i8 = -1; // a shuffle by a negative index gives zero
    let matrix = _mm256_set1_epi64x(columns.cast_signed());
    let mut both = _mm256_setzero_si256();
    for bit in 0..4_i8 {
        let n = _mm256_setr_epi8(
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
            14, 15,
        );
        let absent = _mm256_cmpeq_epi8(_mm256_and_si256(n, _mm256_set1_epi8(1 << bit)), _mm256_setzero_si256());
        let column = _mm256_setr_m128i(_mm_set1_epi8(bit), _mm_set1_epi8(bit + 4));
        let index = _mm256_or_si256(column, _mm256_and_si256(absent, _mm256_set1_epi8(NONE)));
        both = _mm256_xor_si256(both, _mm256_shuffle_epi8(matrix, index));
    }
    Tables {
        low: _mm256_permute2x128_si256::<0x00>(both, both),
        high: _mm256_permute2x128_si256::<0x11>(both, both),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_product(tables: &Tables, halves: &Halves, sum: &mut Sliced) {
    for ((sum, low), high) in sum.iter_mut().zip(&halves.low).zip(&halves.high) {
        let low = _mm256_shuffle_epi8(tables.low, *low);
        let high = _mm256_shuffle_epi8(tables.high, *high);
        *sum = _mm256_xor_si256(*sum, _mm256_xor_si256(low, high));
    }
}

/// Reads a sliced lane.
#[inline]
#[target_feature(enable = "avx2")]
fn load<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    let values = &block.as_flattened()[BLOCK * lane..BLOCK * (lane + 1)];
    // SAFETY: the slice has eight values, which are four vectors; the load needs no alignment.
    [0, 1, 2, 3].map(|i| unsafe { _mm256_loadu_si256(values.as_ptr().cast::<__m256i>().add(i)) })
}

/// Writes a sliced lane.
#[inline]
#[target_feature(enable = "avx2")]
fn store<const LANES: usize>(sliced: Sliced, block: &mut Cells<LANES>, lane: usize) {
    let values = &mut block.as_flattened_mut()[BLOCK * lane..BLOCK * (lane + 1)];
    for (i, vector) in sliced.into_iter().enumerate() {
        // SAFETY: the slice has eight values, which are four vectors; the store needs no alignment.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast::<__m256i>().add(i), vector) }
    }
}

/// Exchanges rows and columns of the bit matrix in each 64-bit word; its own inverse.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(words: __m256i) -> __m256i {
    macro_rules! step {
        ($words:expr, $shift:literal, $mask:literal) => {{
            let difference = _mm256_xor_si256($words, _mm256_srli_epi64::<$shift>($words));
            let difference = _mm256_and_si256(difference, _mm256_set1_epi64x($mask));
            _mm256_xor_si256($words, _mm256_xor_si256(difference, _mm256_slli_epi64::<$shift>(difference)))
        }};
    }
    let words = step!(words, 7, 0x00aa_00aa_00aa_00aa);
    let words = step!(words, 14, 0x0000_cccc_0000_cccc);
    step!(words, 28, 0x0000_0000_f0f0_f0f0)
}

/// Slices a lane of eight cells.
#[inline]
#[target_feature(enable = "avx2")]
fn slice<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    // Cell i beside cell i + 4.
    let pairs = [0, 1, 2, 3].map(|i| {
        // SAFETY: a value is 16 bytes; the load needs no alignment.
        unsafe { _mm256_loadu2_m128i((&raw const block[i + 4][lane]).cast(), (&raw const block[i][lane]).cast()) }
    });
    // Byte k of cells 0 to 3 (and 4 to 7) together, k ascending.
    let a = _mm256_unpacklo_epi8(pairs[0], pairs[1]);
    let b = _mm256_unpackhi_epi8(pairs[0], pairs[1]);
    let c = _mm256_unpacklo_epi8(pairs[2], pairs[3]);
    let d = _mm256_unpackhi_epi8(pairs[2], pairs[3]);
    let fours = [
        _mm256_unpacklo_epi16(a, c),
        _mm256_unpackhi_epi16(a, c),
        _mm256_unpacklo_epi16(b, d),
        _mm256_unpackhi_epi16(b, d),
    ];
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    fours.map(|four| transpose(_mm256_permutevar8x32_epi32(four, order)))
}

/// Undoes [`slice`].
#[inline]
#[target_feature(enable = "avx2")]
fn unslice<const LANES: usize>(sliced: Sliced, block: &mut Cells<LANES>, lane: usize) {
    let order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    // In each 128-bit half: the four bytes of one cell together.
    let gather = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    let [a, b, c, d] =
        sliced.map(|eight| _mm256_shuffle_epi8(_mm256_permutevar8x32_epi32(transpose(eight), order), gather));
    let (ab, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    let pairs = [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ];
    for (i, pair) in pairs.into_iter().enumerate() {
        // SAFETY: a value is 16 bytes; the store needs no alignment.
        unsafe {
            _mm256_storeu2_m128i((&raw mut block[i + 4][lane]).cast(), (&raw mut block[i][lane]).cast(), pair);
        }
    }
}
