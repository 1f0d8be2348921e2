//! The field GF(2^128), for one element at a time; batches are kernels of [`crate::backend`].
//!
//! Bit `i` of the little-endian integer is the coefficient of `x^i`; the modulus is `x^128 + x^7 + x^2 + x + 1`.
//! This is the natural order. GHASH (SP 800-38D) reverses the bits of every byte, and POLYVAL (RFC 8452) has another
//! modulus and a factor `x^-128`; the tests relate both to this module.

use std::ops::{Add, AddAssign, Mul};

use zerocopy::FromZeros;
use zeroize::{DefaultIsZeroes, Zeroize};

use crate::backend::portable;

/// An element of GF(2^128). It has no `Debug`, since elements are mostly secrets.
#[derive(Clone, Copy, Default, PartialEq, Eq, FromZeros)]
#[repr(transparent)]
pub struct Gf128(pub u128);

impl DefaultIsZeroes for Gf128 {}

impl Gf128 {
    /// Length of an encoded element.
    pub const BYTES: usize = 16;
    /// The neutral element of addition.
    pub const ZERO: Self = Self(0);
    /// The neutral element of multiplication.
    pub const ONE: Self = Self(1);

    /// Decodes 16 little-endian bytes; every value is an element.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// Encodes to 16 little-endian bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// Returns the inverse, and zero for zero: `self^(2^128 - 2)`, in constant time.
    #[must_use]
    pub fn invert(self) -> Self {
        // 2^128 - 2 = 2 + 4 + ... + 2^127.
        let mut square = self;
        let mut product = Self::ONE;
        for _ in 1..128 {
            square = square * square;
            product = product * square;
        }
        square.zeroize();
        product
    }
}

#[allow(clippy::suspicious_arithmetic_impl)] // addition in characteristic two
impl Add for Gf128 {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

#[allow(clippy::suspicious_op_assign_impl)] // addition in characteristic two
impl AddAssign for Gf128 {
    fn add_assign(&mut self, other: Self) {
        self.0 ^= other.0;
    }
}

impl Mul for Gf128 {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(portable::gf128_product(self.0, other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> [u8; 16] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
    }

    /// The block of GHASH as an element: its leftmost bit is the coefficient of `x^0` (SP 800-38D, section 6.3).
    fn from_ghash(hex: &str) -> Gf128 {
        Gf128::from_bytes(bytes(hex).map(u8::reverse_bits))
    }

    /// `dot(a, b) = a * b * x^-128` modulo `x^128 + x^127 + x^126 + x^121 + 1` (RFC 8452, section 3): reversing all 128
    /// bits turns the modulus into ours, and the product of reversed polynomials lacks one factor `x`.
    fn polyval_dot(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
        let reversed = |bytes: [u8; 16]| Gf128(u128::from_le_bytes(bytes).reverse_bits());
        let product = reversed(a) * reversed(b) * Gf128(2);
        product.0.reverse_bits().to_le_bytes()
    }

    #[test]
    fn products_agree_with_ghash() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 2: H = AES_0(0),
        // X1 = C * H, GHASH = (X1 + length) * H.
        let h = from_ghash("66e94bd4ef8a2c3b884cfa59ca342b2e");
        let x1 = from_ghash("0388dace60b6a392f328c2b971b2fe78") * h;
        assert!(x1 == from_ghash("5e2ec746917062882c85b0685353deb7"));
        let hash = (x1 + from_ghash("00000000000000000000000000000080")) * h;
        assert!(hash == from_ghash("f38cbb1ad69223dcc3457ae5b6b0f885"));
    }

    #[test]
    fn products_agree_with_polyval() {
        // RFC 8452, appendix A.
        let h = bytes("25629347589242761d31f826ba4b757b");
        let x1 = bytes("4f4f95668c83dfb6401762bb2d01a262");
        let x2 = bytes("d1a24ddd2721d006bbe45f20d3c9f362");
        let first = polyval_dot(x1, h);
        let sum: [u8; 16] = std::array::from_fn(|i| first[i] ^ x2[i]);
        assert_eq!(polyval_dot(sum, h), bytes("f7a3b47b846119fae5b7866cf5e5b77e"));
    }

    #[test]
    fn x_to_the_128_is_the_low_part_of_the_modulus() {
        assert!(Gf128(1 << 127) * Gf128(2) == Gf128(0x87));
    }

    #[test]
    fn every_element_but_zero_has_an_inverse() {
        assert!(Gf128::ZERO.invert() == Gf128::ZERO);
        for value in [1, 2, 3, 0x87, 1 << 127, u128::MAX, 0x0123_4567_89ab_cdef_0011_2233_4455_6677] {
            assert!(Gf128(value) * Gf128(value).invert() == Gf128::ONE);
        }
    }
}
