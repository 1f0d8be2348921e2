//! The passes on bit-sliced blocks, with byte shuffles as in `avx2`, on vectors of 512 bits.
//!
//! Byte `j` of each word of a sliced block comes from cell `j`; the order of the words is whatever is least work.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx512Bw`
#![allow(clippy::wildcard_imports, clippy::cast_ptr_alignment)] // intrinsics; no access needs alignment

use core::arch::x86_64::*;

use super::super::avx512::Avx512Bw;
use super::{BLOCK, Cells, Matrices, WINDOW};

/// A sliced block of one lane.
type Sliced = [__m512i; 2];

/// The low and the high halves of all bytes of a sliced block.
#[derive(Clone, Copy)]
struct Halves {
    low: Sliced,
    high: Sliced,
}

/// For each matrix of a block the images of the low and of the high halves of a byte.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Tables {
    low: [[u8; 16]; 1 + WINDOW],
    high: [[u8; 16]; 1 + WINDOW],
}

/// Blocks whose tables are made ahead. In memory, they are read into all lanes of a vector; in registers that would take
/// shuffles, for which many processors have one port.
const AHEAD: usize = 32;

pub(super) fn convolve<const LANES: usize>(_: Avx512Bw, passes: [&[Matrices]; 2], blocks: &mut [Cells<LANES>]) {
    // SAFETY: an `Avx512Bw` exists only if `detect` found these features.
    unsafe {
        pass::<LANES, true>(passes[0], blocks);
        pass::<LANES, false>(passes[1], blocks);
    }
}

/// Runs a pass; the first takes plain cells and leaves sliced ones, the second the other way round.
#[target_feature(enable = "avx512f,avx512bw")]
fn pass<const LANES: usize, const FIRST: bool>(matrices: &[Matrices], blocks: &mut [Cells<LANES>]) {
    let zero = [_mm512_setzero_si512(); 2];
    let mut previous = [[Halves { low: zero, high: zero }; LANES]; WINDOW]; // the nearest first
    let mut head = [[zero; LANES]; WINDOW];
    let mut tables = [Tables { low: [[0; 16]; 1 + WINDOW], high: [[0; 16]; 1 + WINDOW] }; AHEAD];
    for (piece, (matrices, blocks)) in matrices.chunks(AHEAD).zip(blocks.chunks_mut(AHEAD)).enumerate() {
        for (tables, matrices) in tables.iter_mut().zip(matrices) {
            fill(tables, matrices);
        }
        for (i, (tables, block)) in tables.iter().zip(blocks).enumerate() {
            let mut products = [zero; LANES];
            for (lane, product) in products.iter_mut().enumerate() {
                let mut sum = if FIRST { slice(block, lane) } else { sliced(block, lane) };
                add_product(tables, 3, &previous[2][lane], &mut sum);
                add_product(tables, 2, &previous[1][lane], &mut sum);
                add_product(tables, 1, &previous[0][lane], &mut sum);
                add_product(tables, 0, &halves(&sum), product);
                previous[2][lane] = previous[1][lane];
                previous[1][lane] = previous[0][lane];
                previous[0][lane] = halves(product);
            }
            if piece == 0 && i < WINDOW {
                head[i] = products;
            } else {
                write::<LANES, FIRST>(&products, block);
            }
        }
    }
    // The end feeds the start: block i lies behind the last blocks as if the list were a ring.
    for (i, block) in blocks[..WINDOW].iter_mut().enumerate() {
        fill(&mut tables[0], &matrices[i]);
        for (lane, product) in head[i].iter_mut().enumerate() {
            let mut sum = zero;
            for (number, halves) in (i + 1..=WINDOW).zip(&previous) {
                add_product(&tables[0], number, &halves[lane], &mut sum);
            }
            add_product(&tables[0], 0, &halves(&sum), product);
        }
        write::<LANES, FIRST>(&head[i], block);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn halves(sliced: &Sliced) -> Halves {
    let mask = _mm512_set1_epi8(15);
    let [a, b] = *sliced;
    Halves {
        low: [_mm512_and_si512(a, mask), _mm512_and_si512(b, mask)],
        high: [
            _mm512_and_si512(_mm512_srli_epi16::<4>(a), mask),
            _mm512_and_si512(_mm512_srli_epi16::<4>(b), mask),
        ],
    }
}

/// Where entry `n` of a table takes the column at a bit of `n`: nowhere if the bit is not set.
const fn table_order(column: u8, bit: u8) -> [u8; 16] {
    let mut order = [0x80; 16];
    let mut n = 0;
    while n < 16 {
        if n >> bit & 1 == 1 {
            order[n] = column;
        }
        n += 1;
    }
    order
}

static LOW: [[u8; 16]; 4] = [table_order(0, 0), table_order(1, 1), table_order(2, 2), table_order(3, 3)];
static HIGH: [[u8; 16]; 4] = [table_order(4, 0), table_order(5, 1), table_order(6, 2), table_order(7, 3)];

/// Reads 16 bytes into all lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(bytes: &[u8; 16]) -> __m512i {
    // SAFETY: the array is readable and as long as the vector; the load needs no alignment.
    _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// Makes the tables of the matrices, a lane of a vector each: entry `n` is the sum of the columns at the bits of `n`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fill(tables: &mut Tables, matrices: &Matrices) {
    // SAFETY: the array has four words; the load needs no alignment.
    let columns = _mm512_castsi256_si512(unsafe { _mm256_loadu_si256(matrices.as_ptr().cast()) });
    let columns = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3), columns);
    for (tables, [a, b, c, d]) in [(&mut tables.low, &LOW), (&mut tables.high, &HIGH)] {
        let first = _mm512_shuffle_epi8(columns, broadcast(a));
        let rest = sum_of_three(
            _mm512_shuffle_epi8(columns, broadcast(b)),
            _mm512_shuffle_epi8(columns, broadcast(c)),
            _mm512_shuffle_epi8(columns, broadcast(d)),
        );
        // SAFETY: four tables are 64 bytes; the store needs no alignment.
        unsafe { _mm512_storeu_si512(tables.as_mut_ptr().cast(), _mm512_xor_si512(first, rest)) };
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn sum_of_three(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add_product(tables: &Tables, matrix: usize, halves: &Halves, sum: &mut Sliced) {
    let (low_table, high_table) = (broadcast(&tables.low[matrix]), broadcast(&tables.high[matrix]));
    for ((sum, low), high) in sum.iter_mut().zip(&halves.low).zip(&halves.high) {
        let low = _mm512_shuffle_epi8(low_table, *low);
        let high = _mm512_shuffle_epi8(high_table, *high);
        *sum = sum_of_three(*sum, low, high);
    }
}

/// Reads four values.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[u128], first: usize) -> __m512i {
    let values = &values[first..first + 4];
    // SAFETY: four values are a vector; the load needs no alignment.
    unsafe { _mm512_loadu_si512(values.as_ptr().cast()) }
}

/// Writes four values.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(vector: __m512i, values: &mut [u128], first: usize) {
    let values = &mut values[first..first + 4];
    // SAFETY: four values are a vector; the store needs no alignment.
    unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), vector) }
}

/// Reads a sliced lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn sliced<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    let values = block.as_flattened();
    [load(values, BLOCK * lane), load(values, BLOCK * lane + 4)]
}

/// Writes all lanes of a block, sliced or plain.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn write<const LANES: usize, const SLICED: bool>(products: &[Sliced; LANES], block: &mut Cells<LANES>) {
    if SLICED {
        let values = block.as_flattened_mut();
        for (vector, product) in products.as_flattened().iter().enumerate() {
            store(*product, values, 4 * vector);
        }
    } else {
        unslice(products, block);
    }
}

/// Exchanges rows and columns of the bit matrix in each 64-bit word; its own inverse.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(words: __m512i) -> __m512i {
    macro_rules! step {
        ($words:expr, $shift:literal, $mask:literal) => {{
            let mask = _mm512_set1_epi64($mask);
            // What is in the mask of the sum of the other two.
            let difference = _mm512_ternarylogic_epi64::<0x60>(mask, $words, _mm512_srli_epi64::<$shift>($words));
            sum_of_three($words, difference, _mm512_slli_epi64::<$shift>(difference))
        }};
    }
    let words = step!(words, 7, 0x00aa_00aa_00aa_00aa);
    let words = step!(words, 14, 0x0000_cccc_0000_cccc);
    step!(words, 28, 0x0000_0000_f0f0_f0f0)
}

/// Where [`slice`] takes the words of 32 bits of a lane of four cells from: word `k` of all four together.
#[allow(clippy::cast_possible_truncation)] // below 32
const fn slice_order(lanes: usize, lane: usize) -> [u32; 16] {
    let mut order = [0; 16];
    let mut place = 0;
    while place < 16 {
        let (cell, word) = (place % 4, place / 4);
        order[place] = (4 * (lanes * cell + lane) + word) as u32;
        place += 1;
    }
    order
}

/// Where [`unslice`] takes the words of a vector of values from: those of the second lane are behind those of the first.
#[allow(clippy::cast_possible_truncation)] // below 32
const fn unslice_order(lanes: usize, vector: usize) -> [u32; 16] {
    let mut order = [0; 16];
    let mut place = 0;
    while place < 16 {
        let (value, word) = (4 * vector + place / 4, place % 4);
        order[place] = (16 * (value % lanes) + 4 * word + value / lanes) as u32;
        place += 1;
    }
    order
}

/// Picks words of 32 bits out of two vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn pick(first: __m512i, order: &[u32; 16], second: __m512i) -> __m512i {
    // SAFETY: the order has 64 bytes; the load needs no alignment.
    let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
    _mm512_permutex2var_epi32(first, order, second)
}

/// Slices a lane of eight cells.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn slice<const LANES: usize>(block: &Cells<LANES>, lane: usize) -> Sliced {
    const { assert!(LANES == 1 || LANES == 2) }; // four cells are one vector, or two
    let orders = const { &[slice_order(LANES, 0), slice_order(LANES, 1)] };
    // In each 128-bit lane: byte k of the four cells together.
    let gather = broadcast(&[0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);
    let values = block.as_flattened();
    let four = |first: usize| {
        let words = pick(load(values, first), &orders[lane], load(values, first + 4 * (LANES - 1)));
        _mm512_shuffle_epi8(words, gather)
    };
    let (low, high) = (four(0), four(4 * LANES));
    [transpose(_mm512_unpacklo_epi32(low, high)), transpose(_mm512_unpackhi_epi32(low, high))]
}

/// Undoes [`slice`] for all lanes of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn unslice<const LANES: usize>(sliced: &[Sliced; LANES], block: &mut Cells<LANES>) {
    let orders = const { &[unslice_order(LANES, 0), unslice_order(LANES, 1)] };
    // In each 128-bit lane: the two bytes of one cell together.
    let gather = broadcast(&[0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]);
    let mut fours = [[_mm512_setzero_si512(); LANES]; 2];
    for (lane, [low, high]) in sliced.iter().enumerate() {
        let low = _mm512_shuffle_epi8(transpose(*low), gather);
        let high = _mm512_shuffle_epi8(transpose(*high), gather);
        fours[0][lane] = _mm512_unpacklo_epi16(low, high);
        fours[1][lane] = _mm512_unpackhi_epi16(low, high);
    }
    let values = block.as_flattened_mut();
    for (half, four) in fours.iter().enumerate() {
        for (vector, order) in orders[..LANES].iter().enumerate() {
            store(pick(four[0], order, four[LANES - 1]), values, 4 * (LANES * half + vector));
        }
    }
}
