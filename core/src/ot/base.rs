//! 128 random OTs over ristretto255, in the endemic two-point form of Masny and Rindal (silent-vole.md, 4).

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use rayon::prelude::*;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::derive;
use crate::error::CoreError;
use crate::params::{ELEMENT_BYTES, SID_BYTES};
use crate::prg::Stream;

/// How many OTs there are: one for each bit of delta.
pub const COUNT: usize = 128;
/// Length of the chooser's message.
pub const CHOICE_BYTES: usize = COUNT * PAIR_BYTES;

const PAIR_BYTES: usize = 2 * ELEMENT_BYTES;

/// Both keys of each OT, as the sender has them.
pub type KeyPairs = Zeroizing<Vec<[u128; 2]>>;

/// The chooser after its only message.
pub struct Chooser {
    secrets: Vec<Secret>,
    message: Vec<u8>,
}

/// What the chooser keeps of one OT.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Secret {
    bit: u8,
    scalar: Scalar,
}

impl Chooser {
    /// Chooses: bit `j` of `choices` in OT `j`. Takes the same time whatever it chooses.
    #[must_use]
    pub fn new(stream: &mut Stream, sid: &[u8; SID_BYTES], choices: u128) -> Self {
        let mut drawn: Vec<_> = (0..COUNT)
            .map(|index| {
                let scalar = draw_scalar(stream);
                let mut uniform = [0; 2 * ELEMENT_BYTES];
                stream.fill(&mut uniform);
                (Secret { bit: u8::from(choices >> index & 1 == 1), scalar }, uniform)
            })
            .collect();
        let message = drawn
            .par_iter_mut()
            .enumerate()
            .flat_map_iter(|(index, (secret, uniform))| {
                let other = RistrettoPoint::from_uniform_bytes(uniform).compress().to_bytes();
                uniform.zeroize();
                let mask = hash_to_point(sid, index, secret.bit, &other);
                let own = (RistrettoPoint::mul_base(&secret.scalar) - mask).compress().to_bytes();
                let second = Choice::from(secret.bit);
                let select = |zero: [u8; 32], one: [u8; 32]| {
                    std::array::from_fn::<u8, 32, _>(|i| u8::conditional_select(&zero[i], &one[i], second))
                };
                select(own, other).into_iter().chain(select(other, own))
            })
            .collect();
        Self { secrets: drawn.into_iter().map(|(secret, _)| secret).collect(), message }
    }

    /// Returns the message: both elements of each OT.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Takes the sender's element and returns the chosen key of each OT.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotCanonical`] or [`CoreError::Identity`].
    pub fn keys(
        &self,
        sid: &[u8; SID_BYTES],
        element: &[u8; ELEMENT_BYTES],
    ) -> Result<Zeroizing<Vec<u128>>, CoreError> {
        // One element, 128 secrets: a table of its multiples, which is read in constant time.
        let table = RistrettoBasepointTable::create(&decode(element, "extension", 0)?);
        let keys = self
            .secrets
            .par_iter()
            .zip(self.message.par_chunks(PAIR_BYTES))
            .enumerate()
            .map(|(index, (secret, pair))| {
                derive_key(sid, element, index, secret.bit, pair, &(&table * &secret.scalar))
            })
            .collect();
        Ok(Zeroizing::new(keys))
    }
}

/// Takes the chooser's message; returns the sender's element and both keys of each OT.
///
/// # Errors
///
/// [`CoreError::ChunkBytes`], [`CoreError::NotCanonical`], and [`CoreError::Identity`], also for an element that would
/// make a key independent of the sender's scalar.
pub fn sender_keys(
    stream: &mut Stream,
    sid: &[u8; SID_BYTES],
    message: &[u8],
) -> Result<([u8; ELEMENT_BYTES], KeyPairs), CoreError> {
    if message.len() != CHOICE_BYTES {
        return Err(CoreError::ChunkBytes { frame: "choice", bytes: message.len(), expected: CHOICE_BYTES });
    }
    let scalar = Zeroizing::new(draw_scalar(stream));
    let element = RistrettoPoint::mul_base(&scalar).compress().to_bytes();
    let keys: Vec<Result<[u128; 2], CoreError>> = message
        .par_chunks(PAIR_BYTES)
        .enumerate()
        .map(|(index, pair)| {
            let (halves, _) = pair.as_chunks::<ELEMENT_BYTES>();
            let mut keys = [0; 2];
            for (side, key) in [0_u8, 1].into_iter().zip(&mut keys) {
                let position = 2 * index + usize::from(side);
                let (own, other) = (&halves[usize::from(side)], &halves[usize::from(1 - side)]);
                let point = decode(own, "choice", position)? + hash_to_point(sid, index, side, other);
                if point.is_identity() {
                    return Err(CoreError::Identity { frame: "choice", index: position });
                }
                *key = derive_key(sid, &element, index, side, pair, &(point * *scalar));
            }
            Ok(keys)
        })
        .collect();
    // The earliest fault is reported, whatever the number of threads.
    let keys: Result<Vec<_>, _> = keys.into_iter().collect();
    Ok((element, Zeroizing::new(keys?)))
}

/// Draws 64 bytes modulo the order of the group, and again while that is zero.
fn draw_scalar(stream: &mut Stream) -> Scalar {
    loop {
        let mut wide = Zeroizing::new([0; 64]);
        stream.fill(&mut *wide);
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        if scalar != Scalar::ZERO {
            return scalar;
        }
    }
}

/// Decodes an element that is not the identity.
fn decode(bytes: &[u8; ELEMENT_BYTES], frame: &'static str, index: usize) -> Result<RistrettoPoint, CoreError> {
    let point = CompressedRistretto(*bytes).decompress().ok_or(CoreError::NotCanonical { frame, index })?;
    if point == RistrettoPoint::identity() {
        return Err(CoreError::Identity { frame, index });
    }
    Ok(point)
}

#[allow(clippy::cast_possible_truncation)] // an index below 128
fn hash_to_point(sid: &[u8; SID_BYTES], index: usize, side: u8, element: &[u8; ELEMENT_BYTES]) -> RistrettoPoint {
    let uniform = derive("psi/1 base ot point", &[sid, &(index as u32).to_le_bytes(), &[side], element]);
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// Derives a key; the index is in it because one element of the sender serves all OTs (Masny and Rindal, section 6).
#[allow(clippy::cast_possible_truncation)] // an index below 128
fn derive_key(
    sid: &[u8; SID_BYTES],
    element: &[u8; ELEMENT_BYTES],
    index: usize,
    side: u8,
    pair: &[u8],
    shared: &RistrettoPoint,
) -> u128 {
    let shared = Zeroizing::new(shared.compress().to_bytes());
    let index = (index as u32).to_le_bytes();
    u128::from_le_bytes(derive("psi/1 base ot key", &[sid, element, &index, &[side], pair, &*shared]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Randomness;

    const SID: [u8; SID_BYTES] = [5; SID_BYTES];
    const CHOICES: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn stream(seed: u8) -> Stream {
        Randomness::new(Zeroizing::new([seed; 32]), SID).stream("base ot")
    }

    #[test]
    fn the_chooser_has_the_chosen_keys_and_no_others() {
        let chooser = Chooser::new(&mut stream(1), &SID, CHOICES);
        let (element, pairs) = sender_keys(&mut stream(2), &SID, chooser.message()).unwrap();
        let keys = chooser.keys(&SID, &element).unwrap();
        for (index, (key, pair)) in keys.iter().zip(&**pairs).enumerate() {
            let bit = usize::from(CHOICES >> index & 1 == 1);
            assert!(*key == pair[bit] && *key != pair[1 - bit], "{index}");
        }
        let mut all: Vec<u128> = pairs.as_flattened().to_vec();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "keys differ by index and side");
    }

    #[test]
    fn another_session_gives_other_keys() {
        let chooser = Chooser::new(&mut stream(1), &SID, CHOICES);
        let (element, pairs) = sender_keys(&mut stream(2), &[6; SID_BYTES], chooser.message()).unwrap();
        let keys = chooser.keys(&SID, &element).unwrap();
        assert!(keys.iter().zip(&**pairs).all(|(key, pair)| !pair.contains(key)));
    }

    #[test]
    fn bad_elements_are_the_peers_fault() {
        let chooser = Chooser::new(&mut stream(1), &SID, CHOICES);
        for bytes in [0, CHOICE_BYTES - 1, CHOICE_BYTES + 1] {
            let result = sender_keys(&mut stream(2), &SID, &vec![0; bytes]);
            assert_eq!(
                result.err(),
                Some(CoreError::ChunkBytes { frame: "choice", bytes, expected: CHOICE_BYTES })
            );
        }
        for index in [0, 1, 2 * COUNT - 1] {
            for (fill, error) in [
                (0, CoreError::Identity { frame: "choice", index }),
                (0xff, CoreError::NotCanonical { frame: "choice", index }),
            ] {
                let mut message = chooser.message().to_vec();
                message[ELEMENT_BYTES * index..][..ELEMENT_BYTES].fill(fill);
                assert_eq!(sender_keys(&mut stream(2), &SID, &message).err(), Some(error));
            }
        }
        assert_eq!(chooser.keys(&SID, &[0; 32]).err(), Some(CoreError::Identity { frame: "extension", index: 0 }));
        assert_eq!(
            chooser.keys(&SID, &[0xff; 32]).err(),
            Some(CoreError::NotCanonical { frame: "extension", index: 0 })
        );
    }

    #[test]
    fn an_element_that_cancels_its_mask_is_refused() {
        // r_0 = -point(j, 0, r_1): the key would be that of the identity, whatever the sender's scalar.
        let chooser = Chooser::new(&mut stream(1), &SID, CHOICES);
        let mut message = chooser.message().to_vec();
        let other: [u8; 32] = message[32..64].try_into().unwrap();
        message[..32].copy_from_slice((-hash_to_point(&SID, 0, 0, &other)).compress().as_bytes());
        assert_eq!(
            sender_keys(&mut stream(2), &SID, &message).err(),
            Some(CoreError::Identity { frame: "choice", index: 0 })
        );
    }
}
