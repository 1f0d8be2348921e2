//! Whether a kernel multiplies, on this very processor, as curve25519-dalek does.

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

use super::ristretto::Curve;
use super::{Field, Kernel};
use crate::params::ELEMENT_BYTES;

/// Elements: more than a vector has lanes, and a rest.
const COUNT: usize = 11;
const CONTEXT: &str = "psi/1 self-test of ristretto255";
/// What no peer may send: an encoding that is not canonical, and the identity.
const REFUSED: [[u8; ELEMENT_BYTES]; 2] = [[0xff; ELEMENT_BYTES], [0; ELEMENT_BYTES]];

/// Returns whether the kernel agrees with curve25519-dalek.
pub(super) fn passes(kernel: &Kernel) -> bool {
    match kernel {
        Kernel::OneByOne => true,
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2(curve) => agrees(curve, &Case::new()),
    }
}

fn agrees<F: Field>(curve: &Curve<F>, case: &Case) -> bool {
    let mut encodings = [[0; ELEMENT_BYTES]; COUNT];
    curve.multiply_maps(&case.digits, &case.uniform, &mut encodings);
    let once = encodings == case.once;
    let twice = curve.multiply_encodings(&case.digits, &mut encodings).is_ok() && encodings == case.twice;
    let refuses = |encoding| curve.multiply_encodings(&case.digits, &mut [encoding]).is_err();
    once && twice && REFUSED.into_iter().all(refuses)
}

/// A scalar without structure, what it is to multiply, and what comes out.
struct Case {
    digits: [i8; 64],
    uniform: [[u8; 64]; COUNT],
    /// Twice the scalar times the element to which each 64 bytes are mapped.
    once: [[u8; ELEMENT_BYTES]; COUNT],
    /// The same of those elements.
    twice: [[u8; ELEMENT_BYTES]; COUNT],
}

impl Case {
    fn new() -> Self {
        let mut stream = blake3::Hasher::new_derive_key(CONTEXT).finalize_xof();
        let (mut digits, mut uniform) = ([0; 64], [[0; 64]; COUNT]);
        stream.fill(&mut digits);
        stream.fill(uniform.as_flattened_mut());
        let digits = digits.map(|byte| (byte % 17).cast_signed() - 8);
        let scalar = digits.iter().rev().fold(Scalar::ZERO, |sum, digit| {
            let value = Scalar::from(digit.unsigned_abs());
            sum * Scalar::from(16_u8) + if *digit < 0 { -value } else { value }
        });
        let double = scalar + scalar;
        let once = uniform.map(|bytes| RistrettoPoint::from_uniform_bytes(&bytes) * double);
        let twice = once.map(|element| element * double);
        let [once, twice] = [once, twice].map(|elements| elements.map(|element| element.compress().to_bytes()));
        Self { digits, uniform, once, twice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_passes() {
        assert!(Kernel::available().iter().all(passes));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn another_result_of_any_element_is_found() {
        let Some(Kernel::Avx2(curve)) = Kernel::avx2() else { return };
        for place in 0..COUNT {
            let mut case = Case::new();
            case.once[place][0] ^= 1;
            assert!(!agrees(&curve, &case));
            let mut case = Case::new();
            case.twice[place][31] ^= 1;
            assert!(!agrees(&curve, &case));
        }
    }
}
