//! The passes on bit-sliced blocks, with the affine instruction of GFNI.
//!
//! A sliced block of one lane has 128 bytes, one for each bit position of a value; bit `r` of a byte is that bit of cell
//! `r`. `affine(x, A)` gives each byte of `x` the bits `i`: the parity of `A.byte[7 - i] & x`, `A` being the 64-bit word
//! at the place of the byte. With powers of two for `x` it transposes `A`.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx512`
#![allow(clippy::wildcard_imports, clippy::cast_ptr_alignment)] // intrinsics; no access needs alignment

use core::arch::x86_64::*;

use super::super::avx512::Avx512;
use super::{BLOCK, Cells, Matrices, WINDOW};

/// Byte `j` is `2^j`.
pub(super) const RISING: u64 = 0x8040_2010_0804_0201;
/// Byte `j` is `2^(7 - j)`.
pub(super) const FALLING: u64 = 0x0102_0408_1020_4080;

/// A sliced block of one lane.
type Sliced = [__m512i; 2];

pub(super) fn convolve<const LANES: usize>(_: Avx512, passes: [&[Matrices]; 2], blocks: &mut [Cells<LANES>]) {
    // SAFETY: an `Avx512` exists only if `detect` found these features.
    unsafe {
        pass::<LANES, true>(passes[0], blocks);
        pass::<LANES, false>(passes[1], blocks);
    }
}

/// Runs a pass; the first takes plain cells and leaves sliced ones, the second the other way round.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi,avx512vl,gfni")]
fn pass<const LANES: usize, const FIRST: bool>(matrices: &[Matrices], blocks: &mut [Cells<LANES>]) {
    let zero = [_mm512_setzero_si512(); 2];
    let mut previous = [[zero; LANES]; WINDOW]; // the nearest first
    let mut head = [[zero; LANES]; WINDOW];
    for (i, (matrices, block)) in matrices.iter().zip(&mut *blocks).enumerate() {
        let [last, near, middle, far] = prepare(matrices);
        // Sliced lanes do not lie where plain ones do: all are read before one is written.
        let mut sums = [zero; LANES];
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = if FIRST { slice(block, lane) } else { load(block, lane) };
        }
        for (lane, mut sum) in sums.into_iter().enumerate() {
            add_product(far, &previous[2][lane], &mut sum);
            add_product(middle, &previous[1][lane], &mut sum);
            add_product(near, &previous[0][lane], &mut sum);
            let mut product = zero;
            add_product(last, &sum, &mut product);
            previous[2][lane] = previous[1][lane];
            previous[1][lane] = previous[0][lane];
            previous[0][lane] = product;
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
        let prepared = prepare(&matrices[i]);
        for lane in 0..LANES {
            let mut sum = zero;
            for (matrix, values) in prepared[i + 1..].iter().zip(&previous) {
                add_product(*matrix, &values[lane], &mut sum);
            }
            let mut product = head[i][lane];
            add_product(prepared[0], &sum, &mut product);
            if FIRST {
                store(product, block, lane);
            } else {
                unslice(product, block, lane);
            }
        }
    }
}

/// Turns columns into the rows that the instruction takes, in all words of a vector.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512vl,gfni")]
fn prepare(matrices: &Matrices) -> [__m512i; 1 + WINDOW] {
    // SAFETY: the array has four words; the load needs no alignment.
    let columns = unsafe { _mm256_loadu_si256(matrices.as_ptr().cast()) };
    // Byte p of the result is row 7 - p: bit i is bit 7 - p of column i, which the swap brings to byte 7 - i.
    let swapped = _mm256_shuffle_epi8(
        columns,
        _mm256_broadcastsi128_si256(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8)),
    );
    let powers = _mm256_set1_epi64x(FALLING.cast_signed());
    let rows = _mm512_castsi256_si512(_mm256_gf2p8affine_epi64_epi8::<0>(powers, swapped));
    [0, 1, 2, 3].map(|word| _mm512_permutexvar_epi64(_mm512_set1_epi64(word), rows))
}

#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn add_product(matrix: __m512i, values: &Sliced, sum: &mut Sliced) {
    for (sum, values) in sum.iter_mut().zip(values) {
        *sum = _mm512_xor_si512(*sum, _mm512_gf2p8affine_epi64_epi8::<0>(*values, matrix));
    }
}

/// Reads a sliced lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn load<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    let values = &block.as_flattened()[BLOCK * lane..BLOCK * (lane + 1)];
    // SAFETY: the slice has eight values, which are two vectors; the load needs no alignment.
    [0, 1].map(|i| unsafe { _mm512_loadu_si512(values.as_ptr().cast::<__m512i>().add(i)) })
}

/// Writes a sliced lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn store<const LANES: usize>(sliced: Sliced, block: &mut Cells<LANES>, lane: usize) {
    let values = &mut block.as_flattened_mut()[BLOCK * lane..BLOCK * (lane + 1)];
    for (i, vector) in sliced.into_iter().enumerate() {
        // SAFETY: the slice has eight values, which are two vectors; the store needs no alignment.
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast::<__m512i>().add(i), vector) }
    }
}

/// Where [`slice`] takes each byte from: word `k` gets byte `k` of the cells, the last cell first; 64 and more are the
/// second vector.
#[allow(clippy::cast_possible_truncation)] // below 128
const fn slice_order(first_byte: usize) -> [u8; 64] {
    let mut order = [0; 64];
    let mut place = 0;
    while place < 64 {
        order[place] = (16 * (7 - place % 8) + first_byte + place / 8) as u8;
        place += 1;
    }
    order
}

/// Where [`unslice`] takes each byte from: cell by cell, byte `k` from word `k`.
#[allow(clippy::cast_possible_truncation)] // below 128
const fn unslice_order(first_cell: usize) -> [u8; 64] {
    let mut order = [0; 64];
    let mut place = 0;
    while place < 64 {
        order[place] = (8 * (place % 16) + first_cell + place / 16) as u8;
        place += 1;
    }
    order
}

pub(super) static SLICE: [[u8; 64]; 2] = [slice_order(0), slice_order(8)];
pub(super) static UNSLICE: [[u8; 64]; 2] = [unslice_order(0), unslice_order(4)];

/// Slices a lane of eight cells.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi,gfni")]
fn slice<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    let [low, high] = if LANES == 1 {
        load(block, 0)
    } else {
        [[0, 1, 2, 3], [4, 5, 6, 7]].map(|cells| {
            let mut values = [0_u128; 4];
            for (value, cell) in values.iter_mut().zip(cells) {
                *value = block[cell][lane];
            }
            // SAFETY: four values are a vector; the load needs no alignment.
            unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
        })
    };
    let powers = _mm512_set1_epi64(RISING.cast_signed());
    SLICE.each_ref().map(|order| {
        // SAFETY: the order has 64 bytes; the load needs no alignment.
        let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
        _mm512_gf2p8affine_epi64_epi8::<0>(powers, _mm512_permutex2var_epi8(low, order, high))
    })
}

/// Undoes [`slice`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
fn unslice<const LANES: usize>(sliced: Sliced, block: &mut Cells<LANES>, lane: usize) {
    let swap = _mm512_broadcast_i32x4(_mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8));
    let powers = _mm512_set1_epi64(RISING.cast_signed());
    let [low, high] =
        sliced.map(|bytes| _mm512_gf2p8affine_epi64_epi8::<0>(powers, _mm512_shuffle_epi8(bytes, swap)));
    for (half, order) in UNSLICE.iter().enumerate() {
        let mut values = [0_u128; 4];
        // SAFETY: order and values have 64 bytes; neither access needs alignment.
        unsafe {
            let order = _mm512_loadu_si512(order.as_ptr().cast());
            _mm512_storeu_si512(values.as_mut_ptr().cast(), _mm512_permutex2var_epi8(low, order, high));
        }
        for (cell, value) in block[4 * half..].iter_mut().zip(values) {
            cell[lane] = value;
        }
    }
}
