//! Which of my tags are among yours.
//!
//! Sorting and merging take a time that depends on the tags. They are outputs of a pseudorandom function that the
//! peer sends or that this party would send, and nothing here works on a key.

use crate::error::CoreError;
use crate::threads::Threads;

/// The longest tag that [`Tag`] holds.
pub const MAX_TAG_BYTES: usize = 16;

/// A tag, in the order of its bytes: two big-endian words, the bytes that it does not have being zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag([u64; 2]);

impl Tag {
    /// Takes at most [`MAX_TAG_BYTES`] bytes; all tags of one list have one length.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut padded = [0; MAX_TAG_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        let number = u128::from_be_bytes(padded);
        #[allow(clippy::cast_possible_truncation)] // the two halves
        Self([(number >> 64) as u64, number as u64])
    }

    /// Appends the first `tag_bytes` bytes of the tag.
    pub fn append_to(self, bytes: &mut Vec<u8>, tag_bytes: usize) {
        let number = u128::from(self.0[0]) << 64 | u128::from(self.0[1]);
        bytes.extend_from_slice(&number.to_be_bytes()[..tag_bytes]);
    }
}

/// Finds out which of a party's own tags are in an ascending list of the peer's that arrives in pieces.
///
/// Own tags are sorted once; the peer's are merged as they come and not kept.
pub struct Matching {
    own: Vec<(Tag, u32)>,
    next: usize,
    last_peer: Option<Tag>,
    n_peer: usize,
    matched: Vec<u32>,
}

impl Matching {
    /// Takes a party's own tags, each with the index of its item.
    #[must_use]
    pub fn new(mut own: Vec<(Tag, u32)>, threads: &Threads) -> Self {
        threads.sort_by(&mut own, Ord::cmp);
        Self { own, next: 0, last_peer: None, n_peer: 0, matched: Vec::new() }
    }

    /// Takes the next tags of the peer, `tag_bytes` each.
    ///
    /// # Errors
    ///
    /// [`CoreError::TagOrder`] if one is below the one before it; equal neighbours are allowed, since two items of
    /// the peer may share a tag.
    pub fn take(&mut self, tags: &[u8], tag_bytes: usize) -> Result<(), CoreError> {
        for bytes in tags.chunks_exact(tag_bytes) {
            let tag = Tag::new(bytes);
            if self.last_peer.is_some_and(|last| tag < last) {
                return Err(CoreError::TagOrder { index: self.n_peer });
            }
            self.last_peer = Some(tag);
            self.n_peer += 1;
            while self.own.get(self.next).is_some_and(|own| own.0 < tag) {
                self.next += 1;
            }
            while let Some(own) = self.own.get(self.next).filter(|own| own.0 == tag) {
                self.matched.push(own.1);
                self.next += 1;
            }
        }
        Ok(())
    }

    /// Returns how many tags of the peer were taken.
    #[must_use]
    pub fn n_peer(&self) -> usize {
        self.n_peer
    }

    /// Returns the indices of the items whose tag was among the peer's, ascending.
    #[must_use]
    pub fn finish(self) -> Vec<u32> {
        let mut matched = self.matched;
        matched.sort_unstable();
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(own: &[&[u8]]) -> Matching {
        let own = own.iter().zip(0..).map(|(tag, index)| (Tag::new(tag), index)).collect();
        Matching::new(own, &Threads::new(1).unwrap())
    }

    #[test]
    fn a_tag_survives_and_keeps_the_order_of_its_bytes() {
        for tag_bytes in [1, 8, 9, 11, 16] {
            let mut previous = None;
            for first in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = vec![first; tag_bytes];
                bytes[tag_bytes - 1] ^= 0x55;
                let (tag, mut back) = (Tag::new(&bytes), Vec::new());
                tag.append_to(&mut back, tag_bytes);
                assert_eq!(back, bytes);
                if let Some((bytes_before, tag_before)) = previous.replace((bytes.clone(), tag)) {
                    assert_eq!(bytes_before.cmp(&bytes), tag_before.cmp(&tag));
                }
            }
        }
    }

    #[test]
    fn matches_are_found_across_pieces_and_listed_by_item() {
        let mut matching = matching(&[b"d0", b"b0", b"a0", b"z0", b"b0"]);
        matching.take(b"a0a1b0", 2).unwrap();
        matching.take(b"", 2).unwrap();
        matching.take(b"b0c0d0", 2).unwrap();
        assert_eq!(matching.n_peer(), 6);
        assert_eq!(matching.finish(), [0, 1, 2, 4]);
    }

    #[test]
    fn a_tag_below_the_one_before_it_is_refused_even_across_pieces() {
        let mut matching = matching(&[b"a0"]);
        matching.take(b"b0b0c0", 2).unwrap();
        assert_eq!(matching.take(b"b9", 2), Err(CoreError::TagOrder { index: 3 }));
    }

    #[test]
    fn nothing_matches_nothing() {
        assert!(matching(&[]).finish().is_empty());
        let mut own_empty = matching(&[]);
        own_empty.take(b"a0", 2).unwrap();
        assert!(own_empty.finish().is_empty());
    }
}
