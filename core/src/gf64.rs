//! The field GF(2^64) and its quadratic extension, for one element at a time.
//!
//! [`Gf64`]: bit `i` of the little-endian integer is the coefficient of `x^i`, modulo `x^64 + x^4 + x^3 + x + 1`.
//! [`Gf64x2`] is `GF(2^64)[z]/(z^2 + z + x^61)`: the low 64 bits are the constant term. The polynomial is irreducible
//! since the trace of `x^61` is one; `x^61` is the smallest power of `x` of which that holds. The semi-honest suite has
//! the entries of A and P in the subfield and everything else in the extension.

use std::ops::{Add, AddAssign, Mul};

use zerocopy::FromZeros;
use zeroize::DefaultIsZeroes;

use crate::backend::portable;

/// An element of GF(2^64). It has no `Debug`, since elements are mostly secrets.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromZeros)]
#[repr(transparent)]
pub struct Gf64(pub u64);

/// An element `low + high * z` of the quadratic extension of GF(2^64), the constant term in the low 64 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Gf64x2(pub u128);

impl DefaultIsZeroes for Gf64 {}
impl DefaultIsZeroes for Gf64x2 {}

/// The exponent of the constant term `x^61` of the extension's modulus.
const CONSTANT: u64 = 1 << 61;

impl Gf64 {
    /// Length of an encoded element.
    pub const BYTES: usize = 8;
    /// The neutral element of addition.
    pub const ZERO: Self = Self(0);
    /// The neutral element of multiplication.
    pub const ONE: Self = Self(1);

    /// Returns the inverse, and zero for zero: `self^(2^64 - 2)`, in constant time.
    #[must_use]
    pub fn invert(self) -> Self {
        let mut square = self;
        let mut product = Self::ONE;
        for _ in 1..64 {
            square = square * square;
            product = product * square;
        }
        product
    }
}

impl Gf64x2 {
    /// Returns the coefficients of `1` and `z`.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // the two halves
    pub fn parts(self) -> (Gf64, Gf64) {
        (Gf64(self.0 as u64), Gf64((self.0 >> 64) as u64))
    }

    /// Makes the element `low + high * z`.
    #[must_use]
    pub fn from_parts(low: Gf64, high: Gf64) -> Self {
        Self(u128::from(low.0) | u128::from(high.0) << 64)
    }
}

macro_rules! addition {
    ($field:ident) => {
        #[allow(clippy::suspicious_arithmetic_impl)] // addition in characteristic two
        impl Add for $field {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self(self.0 ^ other.0)
            }
        }

        #[allow(clippy::suspicious_op_assign_impl)] // addition in characteristic two
        impl AddAssign for $field {
            fn add_assign(&mut self, other: Self) {
                self.0 ^= other.0;
            }
        }
    };
}

addition!(Gf64);
addition!(Gf64x2);

impl Mul for Gf64 {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(portable::gf64_product(self.0, other.0))
    }
}

impl Mul<Gf64> for Gf64x2 {
    type Output = Self;

    fn mul(self, other: Gf64) -> Self {
        let (low, high) = self.parts();
        Self::from_parts(low * other, high * other)
    }
}

impl Mul for Gf64x2 {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        // (a + bz)(c + dz) = ac + bd*x^61 + (ad + bc + bd)z
        let ((a, b), (c, d)) = (self.parts(), other.parts());
        let bd = b * d;
        Self::from_parts(a * c + bd * Gf64(CONSTANT), a * d + b * c + bd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of the 64 conjugates, zero or one.
    fn trace(mut element: Gf64) -> u64 {
        let mut sum = Gf64::ZERO;
        for _ in 0..64 {
            sum += element;
            element = element * element;
        }
        sum.0
    }

    #[test]
    fn the_modulus_of_gf64_is_irreducible() {
        // x^(2^64) = x, and x^(2^32) + x is invertible: no factor of degree 1, 2, 4, 8, 16 or 32 (Rabin).
        let mut power = Gf64(2);
        for i in 1..=64 {
            power = power * power;
            if i == 32 {
                let difference = power + Gf64(2);
                assert!(difference * difference.invert() == Gf64::ONE);
            }
        }
        assert!(power == Gf64(2));
    }

    #[test]
    fn x_to_the_61_is_the_smallest_power_of_trace_one() {
        for exponent in 0..61 {
            assert_eq!(trace(Gf64(1 << exponent)), 0);
        }
        assert_eq!(trace(Gf64(CONSTANT)), 1);
    }

    #[test]
    fn the_extension_is_a_field_over_the_subfield() {
        let z = Gf64x2(1 << 64);
        assert!(z * z == z + Gf64x2(u128::from(CONSTANT)));
        // The norm low^2 + low*high + high^2*x^61 of a non-zero element is not zero: the inverse exists.
        for element in [Gf64x2(1), z, Gf64x2(u128::MAX), Gf64x2(0x0123_4567_89ab_cdef_8899_aabb_ccdd_eeff)] {
            let (low, high) = element.parts();
            let norm = low * low + low * high + high * high * Gf64(CONSTANT);
            let conjugate = Gf64x2::from_parts(low + high, high);
            assert!(element * conjugate * norm.invert() == Gf64x2(1));
        }
    }

    #[test]
    fn a_factor_in_the_subfield_is_a_factor_in_the_extension() {
        let element = Gf64x2(0x0123_4567_89ab_cdef_8899_aabb_ccdd_eeff);
        for factor in [0, 1, 2, u64::MAX, 0x1234_5678_9abc_def0] {
            assert!(element * Gf64(factor) == element * Gf64x2(u128::from(factor)));
        }
    }
}
