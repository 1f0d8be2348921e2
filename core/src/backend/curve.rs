//! ristretto255 on several elements side by side: what a vector unit must give for it, and which one runs.
//!
//! A role multiplies millions of elements by one secret scalar, so all of them take the same steps: a vector
//! register holds one limb of a field element of each of several. `ristretto` has the steps, in plain safe Rust
//! over the trait [`Field`]; a file for each vector unit has the field. curve25519-dalek computes one element at a
//! time, is the definition, the oracle of the tests, and what runs where no vector unit is known.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // where no vector unit is known

use std::sync::OnceLock;

use crate::error::CoreError;
use crate::params::ELEMENT_BYTES;
use ristretto::Curve;

mod ristretto;
mod self_test;

#[cfg(target_arch = "x86_64")]
use super::curve_avx2;

/// A 256-bit number as four words, lowest first; a field element is below 2^255 - 19.
pub(crate) type Words = [u64; 4];

/// [`Field::LANES`] elements of the field of 2^255 - 19, side by side; every operation takes the same time for all values.
///
/// A value exists only where the instructions it needs do: it is made from evidence, or from other values.
///
/// Sums and differences are not carried, so that each value has a *weight*: one for a product, a load and a carry, the
/// sum of both weights for a sum or a difference. What is carried weighs at most 8; a product may be taken where the
/// weights of its factors multiply to at most 3, a square of weight 1. The comments of `ristretto` give weights above one.
pub(crate) trait Field: Copy {
    /// Shows that the instructions are there.
    type Evidence: Copy;

    /// How many elements one value holds; at most eight, so that a set of lanes is a byte.
    const LANES: usize;

    /// Takes an element for each lane, modulo 2^255: the highest bit of each is ignored.
    fn load(evidence: Self::Evidence, elements: &[Words]) -> Self;

    /// Returns the one number below 2^255 - 19 that each lane stands for; of weight 1.
    fn store(&self) -> [Words; 8];

    /// Returns `self + other`.
    fn add(&self, other: &Self) -> Self;

    /// Returns `self - other`.
    fn subtract(&self, other: &Self) -> Self;

    /// Returns the same elements with weight 1.
    fn carry(&self) -> Self;

    /// Returns `self * other`.
    fn multiply(&self, other: &Self) -> Self;

    /// Returns `self` squared.
    fn square(&self) -> Self;

    /// Returns the set of lanes whose element is odd, as a number below 2^255 - 19; of weight 1.
    fn negative(&self) -> u8;

    /// Returns the set of lanes whose element is zero; of weight 1.
    fn zero(&self) -> u8;

    /// Returns `yes` in the lanes of a set and `no` in the others.
    fn select(lanes: u8, yes: &Self, no: &Self) -> Self;

    /// Returns the entry of a table at a secret position from 1 to 8, or zeros at 0; reads all of the table.
    fn look_up<const N: usize>(table: &[[Self; N]; 8], position: u8) -> [Self; N];
}

/// The way in which batches are multiplied on this processor.
pub(crate) enum Kernel {
    /// One element at a time, by curve25519-dalek.
    OneByOne,
    /// Four elements at a time, with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Box<Curve<curve_avx2::Lanes>>),
}

impl Kernel {
    /// Returns the kernel of this process: the best that passes its self-test, or the one that `PSI_BACKEND` asks for.
    ///
    /// `portable` is one element at a time; `avx2` and `avx512`, for which there is no kernel of its own, are AVX2.
    ///
    /// # Errors
    ///
    /// [`CoreError::UnknownBackend`] or [`CoreError::AbsentBackend`] if the variable names one that cannot run,
    /// [`CoreError::FailedSelfTest`] if it names one that computes something else here than curve25519-dalek.
    pub(crate) fn chosen() -> Result<&'static Self, CoreError> {
        static CHOSEN: OnceLock<Result<Kernel, CoreError>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| match std::env::var_os("PSI_BACKEND") {
            None => Ok(Self::avx2().filter(self_test::passes).unwrap_or(Self::OneByOne)),
            Some(name) => Self::named(&name.to_string_lossy()).and_then(|kernel| {
                if self_test::passes(&kernel) {
                    Ok(kernel)
                } else {
                    Err(CoreError::FailedSelfTest { name: "avx2" })
                }
            }),
        });
        chosen.as_ref().map_err(CoreError::clone)
    }

    fn named(name: &str) -> Result<Self, CoreError> {
        let absent = |name| CoreError::AbsentBackend { name, needs: "avx2, fma" };
        match name {
            "portable" => Ok(Self::OneByOne),
            "avx2" => Self::avx2().ok_or(absent("avx2")),
            "avx512" => Self::avx2().ok_or(absent("avx512")),
            _ => Err(CoreError::UnknownBackend { name: name.to_owned() }),
        }
    }

    fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return curve_avx2::Avx2::detect().map(|evidence| Self::Avx2(Box::new(Curve::new(evidence))));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// Returns whether this processor could run a faster kernel, which then failed its self-test.
    pub(crate) fn passed_over(&self) -> bool {
        matches!(self, Self::OneByOne) && Self::avx2().is_some()
    }

    /// Returns every kernel that this processor can run.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        std::iter::once(Self::OneByOne).chain(Self::avx2()).collect()
    }

    /// Returns what computes, for people.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Self::OneByOne => "curve25519-dalek, one element at a time",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2 and fma, four elements at a time",
        }
    }
}

/// Reads a number of 32 bytes, lowest first.
fn words(bytes: &[u8; ELEMENT_BYTES]) -> Words {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|index| u64::from_le_bytes(words[index]))
}

/// Writes a number as 32 bytes, lowest first.
fn bytes(words: &Words) -> [u8; ELEMENT_BYTES] {
    let mut bytes = [0; ELEMENT_BYTES];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests;
