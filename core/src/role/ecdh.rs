//! What the two roles of the suites `ecdh` and `ecdh-cardinality` share (ecdh.md).

use zeroize::Zeroizing;

use crate::error::CoreError;
use crate::group::{BadElement, GroupHash, SecretScalar};
use crate::item::repeated;
use crate::matching::Tag;
use crate::params::{
    DIGEST_BYTES, ELEMENT_BYTES, SEED_BYTES, SID_BYTES, Suite, TAG_KEY_CONTEXT, check_count, tag_bytes,
};
use crate::prg::Randomness;
use crate::role::frame::Kind;
use crate::threads::Threads;

/// What a role is made from besides its items.
pub struct Setup {
    /// The suite.
    pub suite: Suite,
    /// The number of the peer's items, as declared and accepted.
    pub n_peer: usize,
    /// The identifier of the session; both parties have the same.
    pub sid: [u8; SID_BYTES],
    /// The role's own secret seed: one seed, one role, one run.
    pub seed: Zeroizing<[u8; SEED_BYTES]>,
    /// How many threads it may use.
    pub threads: usize,
}

/// What both roles compute with. The seed and the session identifier meet in `randomness` and are not kept here.
pub(super) struct Engine {
    pub(super) suite: Suite,
    pub(super) tag_bytes: usize,
    pub(super) threads: Threads,
    hash: GroupHash,
    tag_key: [u8; 32],
}

impl Engine {
    /// Checks the items and the sizes, and prepares the session's hashes.
    pub(super) fn new(
        setup: Setup,
        items: &[[u8; DIGEST_BYTES]],
        n_sender: usize,
        n_receiver: usize,
    ) -> Result<(Self, Randomness), CoreError> {
        let Setup { suite, n_peer: _, sid, seed, threads } = setup;
        check_count(items.len())?;
        let threads = Threads::new(threads)?;
        if let Some((first, second)) = repeated(items, &threads)? {
            return Err(CoreError::RepeatedItem { first, second });
        }
        let engine = Self {
            suite,
            tag_bytes: tag_bytes(n_sender, n_receiver)?,
            threads,
            hash: GroupHash::new(&suite.dst(&sid)),
            tag_key: blake3::derive_key(TAG_KEY_CONTEXT, &[suite.name().as_bytes(), &sid].concat()),
        };
        Ok((engine, Randomness::new(seed, sid)))
    }

    /// Returns the encodings of the scalar times the hash of each item.
    pub(super) fn multiply_items(
        &self,
        scalar: &SecretScalar,
        items: &[[u8; DIGEST_BYTES]],
    ) -> Vec<[u8; ELEMENT_BYTES]> {
        let mut encodings = vec![[0; ELEMENT_BYTES]; items.len()];
        self.threads.fill(&mut encodings, |first, encodings| {
            scalar.multiply_hashes(&self.hash, &items[first..first + encodings.len()], encodings);
        });
        encodings
    }

    /// Replaces the encodings of a chunk of the peer by those of the scalar times each; `start` is its position.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotCanonical`] or [`CoreError::Identity`] for the first that is not allowed.
    pub(super) fn multiply_peer(
        &self,
        scalar: &SecretScalar,
        frame: Kind,
        start: usize,
        encodings: &mut [[u8; ELEMENT_BYTES]],
    ) -> Result<(), CoreError> {
        let frame = frame.name();
        self.threads.try_fill(encodings, |first, encodings| {
            scalar.multiply_encodings(encodings).map_err(|(offset, bad)| {
                let index = start + first + offset;
                match bad {
                    BadElement::NotCanonical => CoreError::NotCanonical { frame, index },
                    BadElement::Identity => CoreError::Identity { frame, index },
                }
            })
        })
    }

    /// Refuses a list with two equal elements.
    ///
    /// Called when the whole list is there, for the elements or for one scalar times each of them: multiplication by
    /// a scalar that is not zero makes no two elements equal that were not.
    pub(super) fn check_distinct(&self, frame: Kind, encodings: &[[u8; ELEMENT_BYTES]]) -> Result<(), CoreError> {
        match repeated(encodings, &self.threads)? {
            Some((first, second)) => Err(CoreError::RepeatedElement { frame: frame.name(), first, second }),
            None => Ok(()),
        }
    }

    /// Returns the tags of items, given the encodings of the sender's scalar times the hash of each.
    ///
    /// In `ecdh` the item is in its tag, so that a tag is worth a guess at one item only; in `ecdh-cardinality` the
    /// receiver does not know which item an element belongs to.
    pub(super) fn tags(&self, encodings: &[[u8; ELEMENT_BYTES]], items: &[[u8; DIGEST_BYTES]]) -> Vec<Tag> {
        let mut tags = vec![Tag::new(&[]); encodings.len()];
        self.threads.fill(&mut tags, |first, tags| {
            let mut hasher = blake3::Hasher::new_keyed(&self.tag_key);
            for (index, tag) in (first..).zip(tags) {
                hasher.reset();
                hasher.update(&encodings[index]);
                if self.suite == Suite::Ecdh {
                    hasher.update(&items[index]);
                }
                *tag = Tag::new(&hasher.finalize().as_bytes()[..self.tag_bytes]);
            }
        });
        tags
    }
}

/// Cuts the body of a frame of elements, whose length was checked, into encodings.
pub(super) fn encodings(body: &[u8]) -> impl Iterator<Item = [u8; ELEMENT_BYTES]> + '_ {
    body.as_chunks().0.iter().copied()
}

/// Makes a frame of elements.
pub(super) fn element_frame(kind: Kind, encodings: &[[u8; ELEMENT_BYTES]]) -> Vec<u8> {
    let mut frame = kind.start(encodings.len() * ELEMENT_BYTES);
    frame.extend_from_slice(encodings.as_flattened());
    frame
}
