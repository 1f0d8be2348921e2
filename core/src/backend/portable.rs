//! The kernels in plain Rust: the definition of each, and what runs on processors without the others.
//!
//! Products are constant time on processors whose integer multiplication is: no tables, no branches on data.

use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use blake3::hazmat::HasherExt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The low part of the modulus of GF(2^128): `x^128 = x^7 + x^2 + x + 1`.
pub const GF128_MODULUS: u64 = 0x87;
/// The low part of the modulus of GF(2^64): `x^64 = x^4 + x^3 + x + 1`.
pub const GF64_MODULUS: u64 = 0x1b;

/// The mode of BLAKE3 in which a key is one (its flag `KEYED_HASH`).
pub const KEYED: u32 = 16;
/// The mode of BLAKE3 in which the key stands for a context (its flag `DERIVE_KEY_MATERIAL`).
pub const DERIVED: u32 = 64;

/// The lengths in bytes of messages of one block each, at most 64.
#[derive(Clone, Copy)]
pub enum Lengths<'a> {
    /// All have this one.
    All(u32),
    /// Each has its own.
    Each(&'a [u32]),
}

impl Lengths<'_> {
    /// Returns the length of a message.
    pub(super) fn of(self, message: usize) -> u32 {
        match self {
            Self::All(length) => length,
            Self::Each(lengths) => lengths[message],
        }
    }
}

/// An AES-128 key, expanded for every backend. Wiped when dropped; it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct AesKey {
    /// The round keys of FIPS 197, section 5.2, each a little-endian block.
    pub(super) round_keys: [u128; 11],
    /// The cipher of the crate `aes`, which wipes itself.
    #[zeroize(skip)]
    cipher: Aes128Enc,
}

impl AesKey {
    /// Expands a key.
    #[must_use]
    pub fn new(mut key: [u8; 16]) -> Self {
        let expanded = Self { round_keys: expand_key(&key), cipher: Aes128Enc::new(&Array(key)) };
        key.zeroize();
        expanded
    }
}

/// FIPS 197, section 5.2, in constant time.
#[allow(clippy::cast_possible_truncation)] // words of a block
fn expand_key(key: &[u8; 16]) -> [u128; 11] {
    let mut round_keys = [u128::from_le_bytes(*key); 11];
    let mut constant = 1;
    for round in 1..11 {
        let previous = round_keys[round - 1];
        let last = ((previous >> 96) as u32).rotate_right(8).to_le_bytes();
        let mut word = u32::from_le_bytes(last.map(substitute)) ^ u32::from(constant);
        let mut round_key = 0;
        for i in 0..4 {
            word ^= (previous >> (32 * i)) as u32;
            round_key |= u128::from(word) << (32 * i);
        }
        round_keys[round] = round_key;
        constant = gf8_product(constant, 2);
    }
    round_keys
}

/// The product in the field of AES: modulus `x^8 + x^4 + x^3 + x + 1`.
fn gf8_product(mut x: u8, y: u8) -> u8 {
    let mut product = 0;
    for i in 0..8 {
        product ^= x & (y >> i & 1).wrapping_neg();
        x = x << 1 ^ 0x1b & (x >> 7).wrapping_neg();
    }
    product
}

/// FIPS 197, section 5.1.1: the inverse `byte^254`, then an affine map.
fn substitute(byte: u8) -> u8 {
    let mut square = byte;
    let mut inverse = 1;
    for _ in 1..8 {
        square = gf8_product(square, square);
        inverse = gf8_product(inverse, square);
    }
    (1..5).fold(inverse, |sum, i| sum ^ inverse.rotate_left(i)) ^ 0x63
}

pub(super) fn aes_encrypt(key: &AesKey, blocks: &mut [u128]) {
    let mut batch = [Array([0; 16]); 32];
    for blocks in blocks.chunks_mut(batch.len()) {
        let batch = &mut batch[..blocks.len()];
        for (bytes, block) in batch.iter_mut().zip(&*blocks) {
            *bytes = Array(block.to_le_bytes());
        }
        key.cipher.encrypt_blocks(batch);
        for (bytes, block) in batch.iter().zip(blocks) {
            *block = u128::from_le_bytes(bytes.0);
        }
    }
}

pub(super) fn aes_hash(key: &AesKey, blocks: &mut [u128]) {
    let mut images = [0; 32];
    for blocks in blocks.chunks_mut(images.len()) {
        let images = &mut images[..blocks.len()];
        images.copy_from_slice(blocks);
        aes_encrypt(key, images);
        for (image, block) in images.iter().zip(blocks) {
            *block ^= image;
        }
    }
}

/// The low 64 bits of the product of two binary polynomials: each factor is split into four with three zeros between
/// their bits, so that the carries of an integer product die out before the next bit.
fn low_product(x: u64, y: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x1111_1111_1111_1111;
    let split = |z: u64| [0, 1, 2, 3].map(|i| z & EVERY_FOURTH << i);
    let (x, y) = (split(x), split(y));
    let mut product = 0;
    for residue in 0..4 {
        let sum = (0..4).fold(0, |sum, i| sum ^ x[i].wrapping_mul(y[(4 + residue - i) % 4]));
        product |= sum & EVERY_FOURTH << residue;
    }
    product
}

/// The product of two binary polynomials of degree below 64.
fn carryless_product(x: u64, y: u64) -> u128 {
    let high = low_product(x.reverse_bits(), y.reverse_bits()).reverse_bits() >> 1;
    u128::from(high) << 64 | u128::from(low_product(x, y))
}

#[allow(clippy::cast_possible_truncation)] // the two halves
fn halves(x: u128) -> (u64, u64) {
    (x as u64, (x >> 64) as u64)
}

/// The product in GF(2^128).
pub(crate) fn gf128_product(x: u128, y: u128) -> u128 {
    let ((x0, x1), (y0, y1)) = (halves(x), halves(y));
    let middle = carryless_product(x0, y1) ^ carryless_product(x1, y0);
    let low = carryless_product(x0, y0) ^ middle << 64;
    let (h0, h1) = halves(carryless_product(x1, y1) ^ middle >> 64);
    let (t0, t1) = halves(carryless_product(h1, GF128_MODULUS)); // h1*x^192 = t0*x^64 + t1*x^128, t1 < 2^7
    low ^ u128::from(t0) << 64 ^ carryless_product(h0 ^ t1, GF128_MODULUS)
}

/// The product in GF(2^64).
pub(crate) fn gf64_product(x: u64, y: u64) -> u64 {
    let (low, high) = halves(carryless_product(x, y));
    let (t0, t1) = halves(carryless_product(high, GF64_MODULUS)); // t1 < 2^4
    low ^ t0 ^ halves(carryless_product(t1, GF64_MODULUS)).0
}

/// The product of an element of the quadratic extension of GF(2^64) and one of the subfield.
fn gf64_scale(x: u128, factor: u64) -> u128 {
    let (low, high) = halves(x);
    u128::from(gf64_product(low, factor)) | u128::from(gf64_product(high, factor)) << 64
}

pub(super) fn gf128_scale_add(factor: u128, y: &[u128], sum: &mut [u128]) {
    for (sum, y) in sum.iter_mut().zip(y) {
        *sum ^= gf128_product(factor, *y);
    }
}

pub(super) fn gf128_multiply(x: &mut [u128], y: &[u128]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = gf128_product(*x, *y);
    }
}

pub(super) fn gf128_inner_product(x: &[u128], y: &[u128]) -> u128 {
    x.iter().zip(y).fold(0, |sum, (x, y)| sum ^ gf128_product(*x, *y))
}

pub(super) fn gf64_scale_add(factor: u128, y: &[u64], sum: &mut [u128]) {
    for (sum, y) in sum.iter_mut().zip(y) {
        *sum ^= gf64_scale(factor, *y);
    }
}

pub(super) fn blake3_block(
    key: &[u32; 8],
    mode: u32,
    lengths: Lengths<'_>,
    blocks: &[[u8; 64]],
    hashes: &mut [[u8; 32]],
) {
    let mut key_bytes = [0; 32];
    for (bytes, word) in key_bytes.chunks_exact_mut(4).zip(key) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    for (i, (block, hash)) in blocks.iter().zip(hashes).enumerate() {
        let mut state = match mode {
            KEYED => blake3::Hasher::new_keyed(&key_bytes),
            _ => blake3::Hasher::new_from_context_key(&key_bytes),
        };
        *hash = state.update(&block[..lengths.of(i) as usize]).finalize().into();
        state.zeroize();
    }
    key_bytes.zeroize();
}
