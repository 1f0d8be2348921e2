//! ristretto255 (RFC 9496) in batches: hash to the group, strict decoding, one secret scalar times many elements.
//!
//! Every function takes the same time for all scalars and elements; nothing here calls one of curve25519-dalek that
//! does not. Batches run on the kernel that [`crate::backend`] chooses at run time, so that one portable build serves
//! every processor: with AVX2 and FMA our own, four elements at a time, about twice as fast as one by one; else
//! curve25519-dalek, which itself uses AVX2 inside a point operation where it can. Its third backend, AVX-512 IFMA,
//! compiles with a stable compiler (1.89 or newer) and is chosen at run time too, but it is only there if the whole
//! build was made with `--cfg curve25519_dalek_backend="avx512"`, which a package cannot ask for in its own manifest.

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::backend::curve::Kernel;
use crate::error::CoreError;
use crate::params::ELEMENT_BYTES;
use crate::prg::Stream;

/// An element of the group, not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element(RistrettoPoint);

/// Why bytes are not an element that a peer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadElement {
    /// They are not the canonical encoding of an element (RFC 9496, section 4.3.1).
    NotCanonical,
    /// They encode the identity.
    Identity,
}

impl Element {
    /// Decodes one element strictly.
    ///
    /// # Errors
    ///
    /// Why the bytes are none; whether they are is no secret.
    pub fn decode(bytes: &[u8; ELEMENT_BYTES]) -> Result<Self, BadElement> {
        let point = CompressedRistretto(*bytes).decompress().ok_or(BadElement::NotCanonical)?;
        if point.is_identity() {
            return Err(BadElement::Identity);
        }
        Ok(Self(point))
    }

    /// Encodes the element, canonically.
    #[must_use]
    pub fn encode(&self) -> [u8; ELEMENT_BYTES] {
        self.0.compress().to_bytes()
    }
}

/// The hash to the group `ristretto255_XMD:SHA-512_R255MAP_RO_` under one domain separation tag (RFC 9380, appendix B).
pub struct GroupHash {
    /// SHA-512 after the 128 zero bytes with which every message begins.
    start: Sha512,
    /// The tag and its length.
    dst_prime: Vec<u8>,
}

impl GroupHash {
    /// Takes a domain separation tag; one above 255 bytes is replaced by its hash (RFC 9380, section 5.3.3).
    #[must_use]
    pub fn new(dst: &[u8]) -> Self {
        let dst_prime = if let Ok(length) = u8::try_from(dst.len()) {
            [dst, &[length]].concat()
        } else {
            let short = Sha512::new().chain_update("H2C-OVERSIZE-DST-").chain_update(dst).finalize();
            [short.as_slice(), &[64]].concat()
        };
        Self { start: Sha512::new().chain_update([0; 128]), dst_prime }
    }

    /// Hashes a message to an element, constant time in the message's bytes.
    ///
    /// An item is mapped to the identity with probability 2^-252; the peer would then refuse what is sent.
    #[must_use]
    pub fn element(&self, message: &[u8]) -> Element {
        let uniform = Zeroizing::new(self.expand(message, 64));
        Element(RistrettoPoint::from_uniform_bytes(&uniform))
    }

    /// Expands each message to the 64 bytes that are mapped to its element.
    #[cfg(target_arch = "x86_64")]
    fn expand_all<const N: usize>(&self, messages: &[[u8; N]]) -> Vec<[u8; 64]> {
        messages.iter().map(|message| self.expand(message, 64)).collect()
    }

    /// Expands a message to `length` bytes, at most 64: the first of the block that is returned.
    ///
    /// `expand_message_xmd` with SHA-512 where one block of output suffices (RFC 9380, section 5.3.1).
    fn expand(&self, message: &[u8], length: u8) -> [u8; 64] {
        let suffix = [0, length, 0]; // two bytes of length, big-endian, and the number 0 of the first block
        let first = self.start.clone().chain_update(message).chain_update(suffix).chain_update(&self.dst_prime);
        Sha512::new()
            .chain_update(first.finalize())
            .chain_update([1])
            .chain_update(&self.dst_prime)
            .finalize()
            .into()
    }
}

/// A secret scalar of a role, not zero, by which whole batches are multiplied. Wiped when dropped; no `Debug`.
///
/// It is kept halved: encodings of *doubles* share one inversion per batch, which makes them several times cheaper than
/// encodings one by one, and the double of `scalar/2` times an element is `scalar` times it, to the byte.
#[derive(ZeroizeOnDrop)]
pub struct SecretScalar {
    #[zeroize(skip)]
    kernel: &'static Kernel,
    half: Scalar,
    /// The half as the sum of `digits[i] * 16^i`, each from -8 to 8.
    digits: [i8; 64],
}

impl SecretScalar {
    /// Draws a scalar: 64 bytes of the stream, little-endian, modulo the order of the group, and again while it is zero.
    ///
    /// # Errors
    ///
    /// [`CoreError::UnknownBackend`] or [`CoreError::AbsentBackend`] if `PSI_BACKEND` names one that cannot run.
    pub fn draw(stream: &mut Stream) -> Result<Self, CoreError> {
        let kernel = Kernel::chosen()?;
        let mut wide = Zeroizing::new([0; 64]);
        loop {
            stream.fill(&mut *wide);
            if let Some(scalar) = Self::reduce(&wide, kernel) {
                return Ok(scalar);
            }
        }
    }

    /// Reduces 64 bytes to a scalar, unless it is zero.
    fn reduce(wide: &[u8; 64], kernel: &'static Kernel) -> Option<Self> {
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(wide));
        (*scalar != Scalar::ZERO).then(|| Self::halve(&scalar, kernel))
    }

    fn halve(scalar: &Scalar, kernel: &'static Kernel) -> Self {
        let half = scalar.div_by_2();
        Self { kernel, half, digits: digits(&Zeroizing::new(half.to_bytes())) }
    }

    /// Returns the scalar that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let scalar = Zeroizing::new(self.half + self.half);
        Self::halve(&Zeroizing::new(scalar.invert()), self.kernel)
    }

    /// Writes the encodings of this scalar times the hash of each message; `encodings` has the length of `messages`.
    pub fn multiply_hashes<const N: usize>(
        &self,
        hash: &GroupHash,
        messages: &[[u8; N]],
        encodings: &mut [[u8; ELEMENT_BYTES]],
    ) {
        match self.kernel {
            Kernel::OneByOne => {
                let elements: Vec<Element> = messages.iter().map(|message| hash.element(message)).collect();
                self.multiply(&elements, encodings);
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(curve) => curve.multiply_maps(&self.digits, &hash.expand_all(messages), encodings),
        }
    }

    /// Replaces each encoding by that of this scalar times the element, constant time in the scalar.
    ///
    /// # Errors
    ///
    /// The position of the first encoding that a peer may not send, and why; nothing is replaced then.
    pub fn multiply_encodings(&self, encodings: &mut [[u8; ELEMENT_BYTES]]) -> Result<(), (usize, BadElement)> {
        match self.kernel {
            Kernel::OneByOne => {
                let elements: Vec<Element> = (0..)
                    .zip(&*encodings)
                    .map(|(index, encoding)| Element::decode(encoding).map_err(|bad| (index, bad)))
                    .collect::<Result<_, _>>()?;
                self.multiply(&elements, encodings);
                Ok(())
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(curve) => curve.multiply_encodings(&self.digits, encodings).map_err(|index| {
                let bad = Element::decode(&encodings[index]).err();
                (index, bad.unwrap_or(BadElement::NotCanonical)) // both refuse the same encodings
            }),
        }
    }

    fn multiply(&self, elements: &[Element], encodings: &mut [[u8; ELEMENT_BYTES]]) {
        let halves: Vec<RistrettoPoint> = elements.iter().map(|element| element.0 * self.half).collect();
        for (encoding, double) in encodings.iter_mut().zip(RistrettoPoint::double_and_compress_batch(&halves)) {
            *encoding = double.to_bytes();
        }
    }
}

/// Writes a scalar in base 16 with digits from -8 to 8, lowest first; without a branch, since it is secret.
///
/// A digit from 8 up becomes 16 less, and the next one more; the highest has no next, and needs none, as a scalar is
/// below 2^253.
fn digits(scalar: &[u8; 32]) -> [i8; 64] {
    let mut digits = [0; 64];
    let mut carry = 0;
    for (index, digit) in digits.iter_mut().enumerate() {
        let value = (scalar[index / 2] >> (4 * (index % 2)) & 15) + carry;
        carry = (value + 8) >> 4;
        *digit = value.wrapping_sub(carry << 4).cast_signed();
    }
    digits
}

#[cfg(test)]
mod tests;
