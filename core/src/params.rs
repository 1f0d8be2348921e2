//! Suites and every derived number, each with its bound; the strings that separate one use of a hash from another.

use crate::error::CoreError;

/// Length of an item digest: 256 bits, so that finding two items of one digest costs 2^128.
pub const DIGEST_BYTES: usize = 32;
/// Length of an encoded element of ristretto255 (RFC 9496, section 4.3.2).
pub const ELEMENT_BYTES: usize = 32;
/// Length of a role's seed.
pub const SEED_BYTES: usize = 32;
/// Length of a session identifier.
pub const SID_BYTES: usize = 32;

/// Elements of a full `blinded` or `evaluated` frame: 1 MiB, the limit of a frame's body.
pub const ELEMENTS_PER_FRAME: usize = 1 << 15;
/// Tags of a full `tags` frame; 65,536 of the longest tags, 12 bytes, are below the limit of a frame's body.
pub const TAGS_PER_FRAME: usize = 1 << 16;
/// Items of one party that a session takes at most; positions then fit 32 bits and a tag 12 bytes.
pub const MAX_ITEMS: usize = 1 << 28;
/// The probability of any false match in a run is at most two to the minus this.
pub const STATISTICAL_BITS: u32 = 40;
/// Threads that a role may be given.
pub const MAX_THREADS: usize = 1024;

/// Context of the digest of an item.
pub const ITEM_CONTEXT: &str = "psi/1 item";
/// Context of the key of the tags of a session.
pub const TAG_KEY_CONTEXT: &str = "psi/1 tag key";
/// Context of all randomness of a role.
pub const RANDOMNESS_CONTEXT: &str = "psi/1 role randomness";

/// A complete named choice of protocol, output included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The receiver learns which of its items the sender has.
    Ecdh,
    /// The receiver learns how many of its items the sender has.
    EcdhCardinality,
}

impl Suite {
    /// Returns the name by which terms and wire know the suite.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecdh => "ecdh",
            Self::EcdhCardinality => "ecdh-cardinality",
        }
    }

    /// Returns the domain separation tag under which a session hashes its items to the group.
    #[must_use]
    pub fn dst(self, sid: &[u8; SID_BYTES]) -> Vec<u8> {
        let prefix = format!("psi/1/{}/ristretto255_XMD:SHA-512_R255MAP_RO_/", self.name());
        [prefix.as_bytes(), sid].concat()
    }
}

/// A suite over a silent correlation (vole.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoleSuite {
    /// Against malicious parties.
    Malicious,
    /// Against semi-honest parties, with fewer bytes.
    SemiHonest,
}

/// Length of the tags of `vole-malicious`: computational, against a sender that looks for items with one tag.
const MALICIOUS_TAG_BYTES: usize = 16;
/// The probability of two equal tags in `vole-semi-honest` is at most two to the minus this (vole.md, "Failures").
const VOLE_TAG_BITS: u32 = 42;
/// Up to so many items of the sender an entry of 64 bits keeps a foreign item from fitting by chance (vole.md, 2).
const SMALL_FIELD_ITEMS: usize = 1 << 23;

impl VoleSuite {
    /// Returns the name by which terms and wire know the suite.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malicious => "vole-malicious",
            Self::SemiHonest => "vole-semi-honest",
        }
    }

    /// Returns whether entries of 64 bits serve.
    #[must_use]
    pub fn small_field(self, n_sender: usize) -> bool {
        self == Self::SemiHonest && n_sender <= SMALL_FIELD_ITEMS
    }

    /// Returns the length of a tag.
    #[must_use]
    pub fn tag_bytes(self, n_sender: usize, n_receiver: usize) -> usize {
        match self {
            Self::Malicious => MALICIOUS_TAG_BYTES,
            Self::SemiHonest => (VOLE_TAG_BITS + pairs_bits(n_sender, n_receiver)).div_ceil(8) as usize,
        }
    }
}

/// Returns the binary logarithm of the number of pairs of items, rounded up; both sizes are at most [`MAX_ITEMS`].
fn pairs_bits(n_sender: usize, n_receiver: usize) -> u32 {
    let pairs = (n_sender as u64) * (n_receiver as u64); // at most 2^56
    u64::BITS - pairs.saturating_sub(1).leading_zeros()
}

/// Returns the tag length that keeps any false match below `2^-STATISTICAL_BITS`.
///
/// Each of the `n_sender * n_receiver` pairs of different items collides with probability `2^(-8 tag_bytes)`; the
/// union bound over them gives the length. At most 12, since both sizes are at most [`MAX_ITEMS`]. Specified in
/// security.md, "Tag length".
///
/// # Errors
///
/// [`CoreError::TooManyItems`] if a size is above [`MAX_ITEMS`].
pub fn tag_bytes(n_sender: usize, n_receiver: usize) -> Result<usize, CoreError> {
    check_count(n_sender)?;
    check_count(n_receiver)?;
    Ok((STATISTICAL_BITS + pairs_bits(n_sender, n_receiver)).div_ceil(8) as usize)
}

/// Refuses a number of items that no suite is specified for.
///
/// # Errors
///
/// [`CoreError::TooManyItems`] above [`MAX_ITEMS`].
pub fn check_count(count: usize) -> Result<(), CoreError> {
    if count > MAX_ITEMS {
        return Err(CoreError::TooManyItems { count, limit: MAX_ITEMS });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_forty_bits_above_the_number_of_pairs() {
        for (n_sender, n_receiver, expected) in [
            (0, 0, 5),
            (1, 1, 5),
            (1, 2, 6),   // one bit of pairs: 41 bits do not fit five bytes
            (16, 16, 6), // 48 bits exactly
            (16, 17, 7),
            (1_280_000, 1_280_000, 11),
            (MAX_ITEMS, MAX_ITEMS, 12),
        ] {
            assert_eq!(tag_bytes(n_sender, n_receiver), Ok(expected), "{n_sender} x {n_receiver}");
        }
    }

    #[test]
    fn a_tag_of_the_semi_honest_vole_suite_has_two_bits_more() {
        let suite = VoleSuite::SemiHonest;
        for (n_sender, n_receiver, expected) in
            [(1, 1, 6), (64, 1, 6), (65, 1, 7), (1_280_000, 1_280_000, 11), (MAX_ITEMS, MAX_ITEMS, 13)]
        {
            assert_eq!(suite.tag_bytes(n_sender, n_receiver), expected, "{n_sender} x {n_receiver}");
            assert_eq!(VoleSuite::Malicious.tag_bytes(n_sender, n_receiver), 16);
        }
        assert!(suite.small_field(1 << 23) && !suite.small_field((1 << 23) + 1));
        assert!(!VoleSuite::Malicious.small_field(1));
    }

    #[test]
    fn more_items_than_specified_are_refused() {
        let error = CoreError::TooManyItems { count: MAX_ITEMS + 1, limit: MAX_ITEMS };
        assert_eq!(tag_bytes(MAX_ITEMS + 1, 0), Err(error.clone()));
        assert_eq!(tag_bytes(0, MAX_ITEMS + 1), Err(error));
    }

    #[test]
    fn the_longest_tags_fit_a_frame() {
        const { assert!(TAGS_PER_FRAME * 12 <= 1 << 20) };
        assert_eq!(ELEMENTS_PER_FRAME * ELEMENT_BYTES, 1 << 20);
    }
}
