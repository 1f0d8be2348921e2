//! BLAKE3 of many short messages, several at once.
//!
//! The crate `blake3` hashes one message at a time well only from a kilobyte up; tags are hashes of 48 bytes.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::backend::Backend;
use crate::backend::portable::{DERIVED, KEYED, Lengths};

/// Length of the longest message: a block.
pub const MESSAGE_BYTES: usize = 64;

fn words(key: &[u8; 32]) -> [u32; 8] {
    std::array::from_fn(|i| u32::from_le_bytes([0, 1, 2, 3].map(|j| key[4 * i + j])))
}

/// BLAKE3 in derive-key mode for short messages: the hash of one public context.
pub struct ContextHash {
    backend: Backend,
    key: [u32; 8],
}

impl ContextHash {
    /// Takes a context.
    #[must_use]
    pub fn new(backend: Backend, context: &str) -> Self {
        Self { backend, key: words(&blake3::hazmat::hash_derive_key_context(context)) }
    }

    /// Writes the 32-byte hash of each message, of `lengths` bytes; the blocks are zero behind the messages.
    pub fn hash(&self, lengths: &[u32], blocks: &[[u8; MESSAGE_BYTES]], hashes: &mut [[u8; 32]]) {
        self.backend.blake3_block(&self.key, DERIVED, Lengths::Each(lengths), blocks, hashes);
    }
}

/// Keyed BLAKE3 for messages of one length of at most 64 bytes. Wiped when dropped; it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct KeyedHash {
    #[zeroize(skip)]
    backend: Backend,
    key: [u32; 8],
    message_bytes: u32,
}

impl KeyedHash {
    /// Takes a key, and the length of all messages: at most 64.
    #[must_use]
    pub fn new(backend: Backend, mut key: [u8; 32], message_bytes: u32) -> Self {
        let words = words(&key);
        key.zeroize();
        Self { backend, key: words, message_bytes }
    }

    /// Writes the 32-byte hash of each message; the blocks are zero behind the message.
    pub fn hash(&self, blocks: &[[u8; 64]], hashes: &mut [[u8; 32]]) {
        self.backend.blake3_block(&self.key, KEYED, Lengths::All(self.message_bytes), blocks, hashes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::cast_possible_truncation)] // bytes of no note
    fn hashes_agree_with_the_crate_at_every_length_and_lane() {
        let key: [u8; 32] = std::array::from_fn(|i| (7 * i + 1) as u8);
        for backend in Backend::available() {
            for message_bytes in [0, 1, 16, 47, 48, 63, 64] {
                for count in [0, 1, 7, 8, 9, 15, 16, 17, 40] {
                    let blocks: Vec<[u8; 64]> = (0..count)
                        .map(|i| {
                            std::array::from_fn(|j| if j < message_bytes { (i * 67 + j * 5 + 3) as u8 } else { 0 })
                        })
                        .collect();
                    let mut hashes = vec![[0; 32]; count];
                    KeyedHash::new(backend, key, message_bytes as u32).hash(&blocks, &mut hashes);
                    for (block, hash) in blocks.iter().zip(&hashes) {
                        assert_eq!(blake3::keyed_hash(&key, &block[..message_bytes]), *hash, "{}", backend.name());
                    }
                }
            }
        }
    }

    #[test]
    #[allow(clippy::cast_possible_truncation)] // bytes of no note
    fn messages_of_a_context_can_have_a_length_each() {
        for backend in Backend::available() {
            for count in [0, 1, 7, 8, 9, 15, 16, 17, 130] {
                let lengths: Vec<u32> = (0..count).map(|i| i * 37 % 65).collect();
                let blocks: Vec<[u8; 64]> = lengths
                    .iter()
                    .map(|&length| {
                        std::array::from_fn(
                            |j| if j < length as usize { (j * 5 + 3) as u8 ^ length as u8 } else { 0 },
                        )
                    })
                    .collect();
                let mut hashes = vec![[0; 32]; count as usize];
                ContextHash::new(backend, "psi/1 test").hash(&lengths, &blocks, &mut hashes);
                for ((block, length), hash) in blocks.iter().zip(lengths).zip(&hashes) {
                    assert_eq!(blake3::derive_key("psi/1 test", &block[..length as usize]), *hash);
                }
            }
        }
    }
}
