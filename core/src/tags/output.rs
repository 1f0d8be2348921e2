//! The output hash of the vole suites: a tag and a report value for each item (vole.md, "Hashes").

use zeroize::Zeroize;

use crate::backend::Backend;
use crate::lanes::KeyedHash;
use crate::tags::{MAX_TAG_BYTES, cut};

/// Bytes of an input: an element of the field and a digest.
const INPUT_BYTES: u32 = 48;
/// Items that are hashed at a time: the most lanes that a backend has, so that what `digest` asks for ahead is never more
/// than a processor waits for at a time.
const PIECE: usize = 16;

/// The keyed hash of one session. Wiped when dropped; it has no `Debug`.
pub struct Output {
    hash: KeyedHash,
    tag_bytes: usize,
}

impl Output {
    /// Takes the tag key of the session.
    #[must_use]
    pub fn new(backend: Backend, tag_key: [u8; 32], tag_bytes: usize) -> Self {
        debug_assert!((1..=MAX_TAG_BYTES).contains(&tag_bytes));
        Self { hash: KeyedHash::new(backend, tag_key, INPUT_BYTES), tag_bytes }
    }

    /// Hashes one element `values[i] + mask` and the digest `digest(i)` after another; calls `take(i, tag, report)`.
    ///
    /// Tags and report values are ordered as their bytes are.
    pub fn each<'a>(
        &self,
        values: &[u128],
        mask: u128,
        digest: impl Fn(usize) -> &'a [u8; 32],
        mut take: impl FnMut(usize, u128, u128),
    ) {
        let mut blocks = [[0; 64]; PIECE];
        let mut hashes = [[0; 32]; PIECE];
        for (piece, values) in values.chunks(PIECE).enumerate() {
            let first = piece * PIECE;
            for (offset, (block, value)) in blocks.iter_mut().zip(values).enumerate() {
                block[..16].copy_from_slice(&(value ^ mask).to_le_bytes());
                block[16..48].copy_from_slice(digest(first + offset));
            }
            self.hash.hash(&blocks[..values.len()], &mut hashes[..values.len()]);
            for (offset, hash) in hashes[..values.len()].iter().enumerate() {
                let [tag, report] =
                    [0, 16].map(|start| u128::from_be_bytes(std::array::from_fn(|i| hash[start + i])));
                take(first + offset, cut(tag, self.tag_bytes), report);
            }
        }
        blocks.zeroize();
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small test values
mod tests {
    use super::*;
    use crate::backend::tests::every_backend;

    #[test]
    fn a_tag_is_the_keyed_hash_of_element_and_digest() {
        let key: [u8; 32] = std::array::from_fn(|i| i as u8);
        let digests: Vec<[u8; 32]> = (0..150).map(|i| [i as u8; 32]).collect();
        let values: Vec<u128> = (0..150).map(|i| 3_u128.pow(i % 80)).collect();
        for backend in every_backend() {
            for count in [0, 1, 63, 64, 65, 150] {
                let mut seen = 0;
                let take = |i: usize, tag: u128, report: u128| {
                    let input = [&(values[i] ^ 5).to_le_bytes()[..], &digests[i]].concat();
                    let hash = blake3::keyed_hash(&key, &input);
                    assert_eq!(tag.to_be_bytes()[..11], hash.as_bytes()[..11]);
                    assert_eq!(tag.to_be_bytes()[11..], [0; 5]);
                    assert_eq!(report.to_be_bytes(), hash.as_bytes()[16..]);
                    assert_eq!(i, seen);
                    seen += 1;
                };
                Output::new(backend, key, 11).each(&values[..count], 5, |i| &digests[i], take);
                assert_eq!(seen, count);
            }
        }
    }
}
