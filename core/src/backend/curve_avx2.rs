//! The field of 2^255 - 19 in four lanes of AVX2 and FMA: five limbs of 51 bits, signed, kept as floating-point numbers.
//!
//! AVX2 multiplies 32 bits by 32, but a fused multiply-add of two doubles gives either half of a product of 102
//! bits, so that 50 of them do what takes 100 integer products. The way is old (Bernstein, "Curve25519: new
//! Diffie-Hellman speed records", 2006; with fused operations Emmart, Zheng and Weems, "Faster modular exponentiation
//! using double precision floating point arithmetic on the GPU", 2018) and exact: with integers a and b, |a b| <= 2^102,
//! in the rounding mode that every program starts in,
//!
//! ```text
//! high = a b + HIGH           HIGH = 1.5 * 2^103, whose last place is 2^51:  high = HIGH + 2^51 h,  h = round(a b / 2^51)
//! low  = a b + (BOTH - high)  BOTH = HIGH + LOW, LOW = 1.5 * 2^52, whose last place is 1:  low = LOW + l,  |l| <= 2^50
//! ```
//!
//! so that a b = 2^51 h + l, and h and l can be read off the bits of `high` and `low`: as integers these are the bits of
//! HIGH plus h and the bits of LOW plus l. Columns of a product are sums of such integers.
//!
//! *Tight* means that every limb is at most 2^50 + 2^12 in absolute value. Every limb is an integer, hence 0 or at
//! least 1, so that no operation meets the subnormal numbers that take longer.

#![allow(unsafe_code)] // each block has its reason; that the instructions exist is shown by `Avx2`
#![allow(clippy::wildcard_imports)] // intrinsics
#![allow(clippy::cast_precision_loss)] // of powers of two, and of numbers of 51 bits

use core::arch::asm;
use core::arch::x86_64::*;

use super::curve::{Field, Words};

/// Evidence that AVX2 and FMA are present; made by [`Avx2::detect`] alone.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Looks for the instructions.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

const LIMBS: usize = 5;
const LIMB_BITS: i32 = 51;
/// The bits of a limb.
const LIMB: i64 = (1 << LIMB_BITS) - 1;
/// 2^51, the base.
const BASE: f64 = (1_u64 << LIMB_BITS) as f64;
/// The three constants of the product (see above), exact as they stand.
const HIGH: f64 = 1.5 * (1_u128 << 103) as f64;
const LOW: f64 = 1.5 * (1_u64 << 52) as f64;
const BOTH: f64 = HIGH + LOW;
/// 2^52, below which the last bits of a double are those of its integer.
const INTEGER: f64 = (1_u64 << 52) as f64;

/// Four field elements: limb by limb, a lane for each. It is made from an [`Avx2`] or from other values.
#[derive(Clone, Copy)]
pub(crate) struct Lanes([__m256d; LIMBS]);

impl Field for Lanes {
    type Evidence = Avx2;

    const LANES: usize = 4;

    fn load(_: Avx2, elements: &[Words]) -> Self {
        // SAFETY: the evidence shows that the instructions are present.
        unsafe { load(elements) }
    }

    fn store(&self) -> [Words; 8] {
        // SAFETY: a value of this type shows that the instructions are present; so in all that follows.
        unsafe { store(self) }
    }

    fn add(&self, other: &Self) -> Self {
        // SAFETY: as above.
        unsafe { add(self, other) }
    }

    fn subtract(&self, other: &Self) -> Self {
        // SAFETY: as above.
        unsafe { subtract(self, other) }
    }

    fn carry(&self) -> Self {
        // SAFETY: as above.
        unsafe { carry(self) }
    }

    fn multiply(&self, other: &Self) -> Self {
        // SAFETY: as above.
        unsafe { multiply(self, other) }
    }

    fn square(&self) -> Self {
        // SAFETY: as above.
        unsafe { square(self) }
    }

    fn negative(&self) -> u8 {
        // SAFETY: as above.
        unsafe { negative(self) }
    }

    fn zero(&self) -> u8 {
        // SAFETY: as above.
        unsafe { zero(self) }
    }

    fn select(lanes: u8, yes: &Self, no: &Self) -> Self {
        // SAFETY: as above.
        unsafe { select(lanes, yes, no) }
    }

    fn look_up<const N: usize>(table: &[[Self; N]; 8], position: u8) -> [Self; N] {
        // SAFETY: as above.
        unsafe { look_up(table, position) }
    }
}

/// Cuts a number into limbs; its highest bit is left out.
fn limbs([w0, w1, w2, w3]: Words) -> [f64; LIMBS] {
    let limbs = [w0, w0 >> 51 | w1 << 13, w1 >> 38 | w2 << 26, w2 >> 25 | w3 << 39, w3 >> 12];
    limbs.map(|limb| (limb & LIMB.cast_unsigned()) as f64)
}

/// Puts a number together from limbs of 51 bits.
fn number([l0, l1, l2, l3, l4]: [u64; LIMBS]) -> Words {
    [l0 | l1 << 51, l1 >> 13 | l2 << 38, l2 >> 26 | l3 << 25, l3 >> 39 | l4 << 12]
}

#[target_feature(enable = "avx2,fma")]
fn load(elements: &[Words]) -> Lanes {
    let elements: [[f64; LIMBS]; 4] = std::array::from_fn(|lane| limbs(elements[lane]));
    carry(&Lanes(std::array::from_fn(|limb| {
        let [a, b, c, d] = elements.map(|element| element[limb]);
        _mm256_set_pd(d, c, b, a)
    })))
}

#[target_feature(enable = "avx2,fma")]
fn store(x: &Lanes) -> [Words; 8] {
    let mut elements = [[0; LIMBS]; 8];
    for (limb, vector) in freeze(x).into_iter().enumerate() {
        let mut lanes = [0_u64; 4];
        // SAFETY: the array is writable and as long as the vector.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) };
        for (element, lane) in elements.iter_mut().zip(lanes) {
            element[limb] = lane;
        }
    }
    elements.map(number)
}

#[target_feature(enable = "avx2,fma")]
fn add(x: &Lanes, y: &Lanes) -> Lanes {
    Lanes(std::array::from_fn(|limb| _mm256_add_pd(x.0[limb], y.0[limb])))
}

#[target_feature(enable = "avx2,fma")]
fn subtract(x: &Lanes, y: &Lanes) -> Lanes {
    Lanes(std::array::from_fn(|limb| _mm256_sub_pd(x.0[limb], y.0[limb])))
}

/// Carries every limb at once: adding and taking away LOW rounds to an integer, at most 8 here, and 152 in limb 0.
#[target_feature(enable = "avx2,fma")]
fn carry(x: &Lanes) -> Lanes {
    let low = _mm256_set1_pd(LOW);
    let carries: [__m256d; LIMBS] =
        x.0.map(|limb| _mm256_sub_pd(_mm256_fmadd_pd(limb, _mm256_set1_pd(1.0 / BASE), low), low));
    Lanes(std::array::from_fn(|limb| {
        let rest = _mm256_fnmadd_pd(carries[limb], _mm256_set1_pd(BASE), x.0[limb]);
        match limb {
            0 => _mm256_fmadd_pd(carries[LIMBS - 1], _mm256_set1_pd(19.0), rest), // 2^255 is 19
            _ => _mm256_add_pd(carries[limb - 1], rest),
        }
    }))
}

/// Returns what a column of a product starts with: minus the bits of HIGH and LOW that its sums will contain, and
/// for the five columns that remain 2^60, so that no sum is negative, and half a limb, so that carries round.
const fn start(column: usize) -> i64 {
    let mut sum = if column < LIMBS { (1_u64 << 60) + (1 << (LIMB_BITS - 1)) } else { 0 };
    let mut i = 0;
    while i < LIMBS {
        if column >= i && column - i < LIMBS {
            sum = sum.wrapping_sub(LOW.to_bits());
        }
        if column > i && column - i <= LIMBS {
            sum = sum.wrapping_sub(HIGH.to_bits());
        }
        i += 1;
    }
    sum.cast_signed()
}

/// The start of every column.
const START: [i64; 2 * LIMBS] =
    [start(0), start(1), start(2), start(3), start(4), start(5), start(6), start(7), start(8), start(9)];

/// Adds the halves of a product to two columns; `columns[1]` is the higher one.
///
/// In assembly only because the compiler, left to itself, sorts the sums of integers by its own lights, has more of
/// them under way than there are registers, and takes half as long again.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply_add(columns: &mut [__m256i; 2], x: __m256d, y: &__m256d) {
    // SAFETY: the instructions are present, touch registers only, and read one vector that is borrowed.
    unsafe {
        asm!(
            "vmovapd {high}, {HIGH}",
            "vfmadd231pd {high}, {x}, ymmword ptr [{y}]", // x y + HIGH
            "vsubpd {low}, {BOTH}, {high}",
            "vfmadd231pd {low}, {x}, ymmword ptr [{y}]", // x y + (BOTH - high)
            "vpaddq {column_1}, {column_1}, {high}",
            "vpaddq {column_0}, {column_0}, {low}",
            high = out(ymm_reg) _,
            low = out(ymm_reg) _,
            x = in(ymm_reg) x,
            y = in(reg) y,
            HIGH = in(ymm_reg) _mm256_set1_pd(HIGH),
            BOTH = in(ymm_reg) _mm256_set1_pd(BOTH),
            column_0 = inout(ymm_reg) columns[0],
            column_1 = inout(ymm_reg) columns[1],
            options(pure, readonly, nostack, preserves_flags),
        );
    }
}

/// Adds the products of limb `$i` of `$x` and the limbs listed of `$y` to the columns.
macro_rules! row {
    ($columns:ident, $x:ident, $y:ident, $i:literal, [$($j:literal),*]) => {
        $(
            let mut pair = [$columns[$i + $j], $columns[$i + $j + 1]];
            multiply_add(&mut pair, $x.0[$i], &$y.0[$j]);
            [$columns[$i + $j], $columns[$i + $j + 1]] = pair;
        )*
    };
}

#[target_feature(enable = "avx2,fma")]
fn multiply(x: &Lanes, y: &Lanes) -> Lanes {
    let mut columns = START.map(|start| _mm256_set1_epi64x(start));
    row!(columns, x, y, 0, [0, 1, 2, 3, 4]);
    row!(columns, x, y, 1, [0, 1, 2, 3, 4]);
    row!(columns, x, y, 2, [0, 1, 2, 3, 4]);
    row!(columns, x, y, 3, [0, 1, 2, 3, 4]);
    row!(columns, x, y, 4, [0, 1, 2, 3, 4]);
    fold(&columns)
}

/// Squares: the products of different limbs once, doubled, and then those of each limb with itself.
#[target_feature(enable = "avx2,fma")]
fn square(x: &Lanes) -> Lanes {
    let mut columns = [_mm256_setzero_si256(); 2 * LIMBS];
    row!(columns, x, x, 0, [1, 2, 3, 4]);
    row!(columns, x, x, 1, [2, 3, 4]);
    row!(columns, x, x, 2, [3, 4]);
    row!(columns, x, x, 3, [4]);
    let mut columns: [__m256i; 2 * LIMBS] = std::array::from_fn(|column| {
        let twice = _mm256_add_epi64(columns[column], columns[column]);
        _mm256_add_epi64(twice, _mm256_set1_epi64x(START[column]))
    });
    row!(columns, x, x, 0, [0]);
    row!(columns, x, x, 1, [1]);
    row!(columns, x, x, 2, [2]);
    row!(columns, x, x, 3, [3]);
    row!(columns, x, x, 4, [4]);
    fold(&columns)
}

/// Folds the upper columns of a product onto the lower, since 2^255 is 19, carries, and returns to doubles.
///
/// A column is at most 5 (2^50 + 2^51) in absolute value, below 2^54, with twenty-fold of it below 2^58.4: a carry is
/// within 2^7.4 of the 2^9 that 2^60 makes, and a limb within 2^50 + 19 * 2^7.4 of nothing.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn fold(columns: &[__m256i; 2 * LIMBS]) -> Lanes {
    let sums: [__m256i; LIMBS] = std::array::from_fn(|limb| {
        let upper = columns[limb + LIMBS];
        let thrice = _mm256_add_epi64(upper, _mm256_slli_epi64::<1>(upper));
        let nineteen = _mm256_add_epi64(thrice, _mm256_slli_epi64::<4>(upper));
        _mm256_add_epi64(columns[limb], nineteen)
    });
    let carries = sums.map(|sum| _mm256_srli_epi64::<LIMB_BITS>(sum));
    Lanes(std::array::from_fn(|limb| {
        let (carry, excess) = match limb {
            0 => (_mm256_mul_epu32(carries[LIMBS - 1], _mm256_set1_epi64x(19)), 19.0 * 512.0),
            _ => (carries[limb - 1], 512.0),
        };
        let integer = _mm256_add_epi64(_mm256_and_si256(sums[limb], _mm256_set1_epi64x(LIMB)), carry);
        // The bits of a number below 2^52 are those of 2^52 and itself; half a limb and 2^9 for each carry go again.
        let double = _mm256_or_si256(integer, _mm256_set1_epi64x(INTEGER.to_bits().cast_signed()));
        _mm256_sub_pd(_mm256_castsi256_pd(double), _mm256_set1_pd(INTEGER + BASE / 2.0 + excess))
    }))
}

/// Returns the limbs, as integers, of the one number below 2^255 - 19; `x` is tight.
///
/// With the prime added every limb is above zero, and the number is between zero and twice the prime.
#[target_feature(enable = "avx2,fma")]
fn freeze(x: &Lanes) -> [__m256i; LIMBS] {
    let mut limbs: [__m256i; LIMBS] = std::array::from_fn(|limb| {
        let prime = LIMB - if limb == 0 { 18 } else { 0 };
        let bits = _mm256_castpd_si256(_mm256_add_pd(x.0[limb], _mm256_set1_pd(LOW)));
        _mm256_add_epi64(bits, _mm256_set1_epi64x(prime.wrapping_sub(LOW.to_bits().cast_signed())))
    });
    // It is at least the prime if and only if adding 19 carries out of its highest limb.
    let mut carry = _mm256_set1_epi64x(19);
    for limb in limbs {
        carry = _mm256_srli_epi64::<LIMB_BITS>(_mm256_add_epi64(limb, carry));
    }
    carry = _mm256_mul_epu32(carry, _mm256_set1_epi64x(19));
    for limb in &mut limbs {
        let sum = _mm256_add_epi64(*limb, carry);
        carry = _mm256_srli_epi64::<LIMB_BITS>(sum);
        *limb = _mm256_and_si256(sum, _mm256_set1_epi64x(LIMB));
    }
    limbs
}

#[target_feature(enable = "avx2,fma")]
fn negative(x: &Lanes) -> u8 {
    highest_bits(_mm256_slli_epi64::<63>(freeze(x)[0]))
}

#[target_feature(enable = "avx2,fma")]
fn zero(x: &Lanes) -> u8 {
    let any = freeze(x).into_iter().fold(_mm256_setzero_si256(), |any, limb| _mm256_or_si256(any, limb));
    highest_bits(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()))
}

/// Returns the set of lanes whose highest bit is one.
#[target_feature(enable = "avx2,fma")]
fn highest_bits(x: __m256i) -> u8 {
    let bits = _mm256_movemask_pd(_mm256_castsi256_pd(x)); // four bits
    bits.to_le_bytes()[0]
}

/// Returns all ones in the lanes of a set, zero in the others.
#[target_feature(enable = "avx2,fma")]
fn mask(lanes: u8) -> __m256d {
    let each = _mm256_set_epi64x(8, 4, 2, 1);
    let chosen = _mm256_and_si256(_mm256_set1_epi64x(i64::from(lanes)), each);
    _mm256_castsi256_pd(_mm256_cmpeq_epi64(chosen, each))
}

#[target_feature(enable = "avx2,fma")]
fn select(lanes: u8, yes: &Lanes, no: &Lanes) -> Lanes {
    let mask = mask(lanes);
    Lanes(std::array::from_fn(|limb| _mm256_blendv_pd(no.0[limb], yes.0[limb], mask)))
}

#[target_feature(enable = "avx2,fma")]
fn look_up<const N: usize>(table: &[[Lanes; N]; 8], position: u8) -> [Lanes; N] {
    let position = _mm256_set1_epi64x(i64::from(position));
    let masks = [1, 2, 3, 4, 5, 6, 7, 8]
        .map(|entry| _mm256_castsi256_pd(_mm256_cmpeq_epi64(position, _mm256_set1_epi64x(entry))));
    std::array::from_fn(|part| {
        Lanes(std::array::from_fn(|limb| {
            let mut found = _mm256_setzero_pd();
            for (entry, &mask) in table.iter().zip(&masks) {
                found = _mm256_or_pd(found, _mm256_and_pd(entry[part].0[limb], mask));
            }
            found
        }))
    })
}
