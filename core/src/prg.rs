//! Expands the seed of a role into everything that is random in it.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::params::{RANDOMNESS_CONTEXT, SEED_BYTES, SID_BYTES};

/// The randomness of one role in one session: a seed, met with the session identifier.
///
/// Even a seed that is used twice gives fresh values, since both nonces are in the session identifier. Wiped when
/// dropped; it has no `Debug`.
pub struct Randomness {
    seed: Zeroizing<[u8; SEED_BYTES]>,
    sid: [u8; SID_BYTES],
}

impl Randomness {
    /// Takes the seed of a role and the identifier of its session.
    #[must_use]
    pub fn new(seed: Zeroizing<[u8; SEED_BYTES]>, sid: [u8; SID_BYTES]) -> Self {
        Self { seed, sid }
    }

    /// Returns the endless stream of one use; `label` names the use, and one label is used once.
    #[must_use]
    pub fn stream(&self, label: &str) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key(RANDOMNESS_CONTEXT);
        hasher.update(&*self.seed).update(&self.sid).update(label.as_bytes());
        let stream = Stream { xof: hasher.finalize_xof() };
        hasher.zeroize();
        stream
    }
}

/// An endless stream of random bytes, read in order. Wiped when dropped; it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct Stream {
    xof: blake3::OutputReader,
}

impl Stream {
    /// Fills `bytes` with the next bytes of the stream.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.xof.fill(bytes);
    }

    /// Returns a number below `bound`, each equally likely; `bound` is not zero.
    ///
    /// Less than one word in two is tried in vain, whatever the bound.
    fn uniform(&mut self, bound: u64) -> u64 {
        loop {
            let mut word = [0; 8];
            self.fill(&mut word);
            if let Some(number) = reduce(u64::from_le_bytes(word), bound) {
                return number;
            }
        }
    }

    /// Returns a permutation of `0..count`, each equally likely: Fisher and Yates, from the last position down.
    ///
    /// The positions swapped depend on the secret stream, so that memory access does; the permutation protects
    /// against the peer, who does not share this machine's cache.
    #[must_use]
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut permutation: Vec<u32> = (0..count).collect();
        for last in (1..permutation.len()).rev() {
            let other = self.uniform(last as u64 + 1);
            #[allow(clippy::cast_possible_truncation)] // below the length of a Vec
            permutation.swap(last, other as usize);
        }
        permutation
    }
}

/// Returns a word modulo `bound`, unless it is at or above the largest multiple of `bound` up to 2^64.
fn reduce(word: u64, bound: u64) -> Option<u64> {
    let excess = (u64::MAX % bound + 1) % bound; // 2^64 mod bound
    (word <= u64::MAX - excess).then(|| word % bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn randomness(seed: u8, sid: u8) -> Randomness {
        Randomness::new(Zeroizing::new([seed; SEED_BYTES]), [sid; SID_BYTES])
    }

    fn stream(label: &str) -> Stream {
        randomness(7, 9).stream(label)
    }

    #[test]
    fn labels_seeds_and_sessions_separate_streams() {
        let mut bytes = [[0; 32]; 4];
        stream("a").fill(&mut bytes[0]);
        stream("b").fill(&mut bytes[1]);
        randomness(8, 9).stream("a").fill(&mut bytes[2]);
        randomness(7, 8).stream("a").fill(&mut bytes[3]);
        for i in 0..4 {
            for j in 0..i {
                assert_ne!(bytes[i], bytes[j]);
            }
        }
    }

    #[test]
    fn a_stream_read_in_pieces_is_the_stream_read_at_once() {
        let (mut whole, mut pieces) = ([0; 200], [0; 200]);
        stream("a").fill(&mut whole);
        let mut in_pieces = stream("a");
        for piece in pieces.chunks_mut(33) {
            in_pieces.fill(piece);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn uniform_stays_below_its_bound_and_reaches_every_value() {
        let mut stream = stream("uniform");
        for bound in [1, 2, 3, 5, 8] {
            let mut seen = vec![0; bound];
            for _ in 0..400 {
                seen[usize::try_from(stream.uniform(bound as u64)).unwrap()] += 1;
            }
            assert!(seen.iter().all(|&count| count > 0), "{bound}: {seen:?}");
        }
        for bound in [u64::MAX, (1 << 63) + 1, 1 << 63] {
            assert!((0..64).all(|_| stream.uniform(bound) < bound));
        }
    }

    #[test]
    fn a_word_of_the_last_incomplete_multiple_is_refused() {
        // 2^64 = 3 * 0x5555555555555555 + 1, and a power of two leaves nothing over.
        assert_eq!(reduce(u64::MAX, 3), None);
        assert_eq!(reduce(u64::MAX - 1, 3), Some(2));
        assert_eq!(reduce(u64::MAX, 1 << 20), Some((1 << 20) - 1));
        assert_eq!(reduce(1 << 63, (1 << 63) + 1), Some(1 << 63));
        assert_eq!(reduce((1 << 63) + 1, (1 << 63) + 1), None);
    }

    #[test]
    fn a_permutation_has_every_position_once() {
        for count in [0, 1, 2, 3, 1000] {
            let mut permutation = stream("permutation").permutation(count);
            permutation.sort_unstable();
            assert!(permutation.into_iter().eq(0..count));
        }
        // 4! orders in 4800 draws: 200 of each are expected, with a standard deviation of 14.
        let mut stream = stream("orders");
        let mut seen = std::collections::HashMap::new();
        for _ in 0..4800 {
            *seen.entry(stream.permutation(4)).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|count| (120..280).contains(count)), "{seen:?}");
    }
}
