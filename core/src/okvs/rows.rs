//! From an item's key to its row and its value: fixed-key AES under keys of the run.

use zeroize::Zeroize;

use super::params::Parameters;
use super::partition::Key;
use crate::backend::Backend;
use crate::fixed_key::FixedKey;

/// Context of the keys of rows.
const ROW_CONTEXT: &str = "psi/1 okvs row";
/// Context of the key of values.
const VALUE_CONTEXT: &str = "psi/1 okvs value";

/// Items hashed at a time: their blocks stay in the first-level cache.
pub(super) const CHUNK: usize = 256;

/// Bits of a row number and of a position in a packed row.
pub(super) const ROW_BITS: u32 = 15;
pub(super) const POSITION_BITS: u32 = 13;
/// The row number alone.
pub(super) const ROW_MASK: u64 = (1 << ROW_BITS) - 1;

/// Returns the position of a row in a part.
#[inline]
#[allow(clippy::cast_possible_truncation)] // 13 bits
pub(super) fn position(packed: u64, part: usize) -> usize {
    (packed >> (ROW_BITS + POSITION_BITS * part as u32)) as usize & ((1 << POSITION_BITS) - 1)
}

/// The hash from items to rows, of one run. Its keys are wiped when dropped; it has no `Debug`.
pub struct RowHash {
    backend: Backend,
    parameters: Parameters,
    hash: FixedKey,
}

/// The hash of one context, session and nonce.
fn keyed(backend: Backend, context: &str, sid: &[u8; 32], nonce: &[u8]) -> FixedKey {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(sid).update(nonce);
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    hasher.zeroize();
    FixedKey::new(backend, key)
}

/// High part of the product of a hash word and a bound: below the bound.
#[inline]
#[allow(clippy::cast_possible_truncation)] // 32 bits of the hash are meant
fn below(hash: u128, word: u32, bound: u64) -> u64 {
    (u64::from((hash >> (32 * word)) as u32) * bound) >> 32
}

impl RowHash {
    /// Derives the row hash of a session and of `r`, the seed that the receiver drew for its rows.
    #[must_use]
    pub fn new(backend: Backend, parameters: Parameters, sid: &[u8; 32], r: &[u8; 16]) -> Self {
        Self { backend, parameters, hash: keyed(backend, ROW_CONTEXT, sid, r) }
    }

    /// Returns the sizes of the store.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the backend that the hash runs on.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Writes the bin of each item.
    #[allow(clippy::cast_possible_truncation)] // at most 2^14 bins
    pub(super) fn bins<K: Key>(&self, items: &[K], bins: &mut [u16]) {
        hash_in_chunks(&self.hash, items, bins, |hash, _, bin| {
            *bin = below(hash, 0, self.parameters.bins as u64) as u16;
        });
    }

    /// Writes the packed row of each item: its number from zero, then its positions in the three parts.
    pub(super) fn pack<K: Key>(&self, items: &[K], rows: &mut [u64]) {
        self.pack_from(0, items, rows);
    }

    /// Writes packed rows of which the first has the number `first`.
    #[inline]
    pub(super) fn pack_from<K: Key>(&self, first: usize, items: &[K], rows: &mut [u64]) {
        let part = self.parameters.part as u64;
        hash_in_chunks(&self.hash, items, rows, |hash, number, row| {
            *row = (first + number) as u64
                | below(hash, 1, part) << ROW_BITS
                | below(hash, 2, part) << (ROW_BITS + POSITION_BITS)
                | below(hash, 3, part) << (ROW_BITS + 2 * POSITION_BITS);
        });
    }

    /// Hashes at most [`CHUNK`] items.
    #[inline]
    pub(super) fn blocks<K: Key>(&self, items: &[K], blocks: &mut [u128]) {
        for (block, item) in blocks.iter_mut().zip(items) {
            *block = item.key();
        }
        self.hash.hash_blocks(blocks);
    }

    /// Returns the positions of an item in the three parts, from its block.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below 2^13
    pub(super) fn positions(&self, block: u128) -> [usize; 3] {
        let part = self.parameters.part as u64;
        [1, 2, 3].map(|word| below(block, word, part) as usize)
    }

    /// Writes the 48 dense bits of each item: the low halves of the hash words of its positions, in their order.
    #[allow(clippy::cast_possible_truncation)] // 16 bits of each word are meant
    pub(super) fn dense_bits<K: Key>(&self, items: &[K], bits: &mut [u64]) {
        hash_in_chunks(&self.hash, items, bits, |hash, _, bits| {
            *bits =
                [1, 2, 3].iter().rev().fold(0, |bits, word| bits << 16 | u64::from((hash >> (32 * word)) as u16));
        });
    }
}

/// The hash from items to values, of one run. Its key is wiped when dropped; it has no `Debug`.
pub struct ValueHash {
    hash: FixedKey,
}

impl ValueHash {
    /// Derives the value hash of a session and a salt.
    #[must_use]
    pub fn new(backend: Backend, sid: &[u8; 32], salt: &[u8; 32]) -> Self {
        Self { hash: keyed(backend, VALUE_CONTEXT, sid, salt) }
    }

    /// Writes the value of each item.
    pub fn values<K: Key, V: super::Value>(&self, items: &[K], values: &mut [V]) {
        hash_in_chunks(&self.hash, items, values, |hash, _, value| *value = V::from_hash(hash));
    }
}

/// Hashes the keys of items and hands every hash on, with the item's number.
#[inline]
fn hash_in_chunks<K: Key, T>(hash: &FixedKey, items: &[K], out: &mut [T], write: impl Fn(u128, usize, &mut T)) {
    assert_eq!(items.len(), out.len());
    let mut blocks = [0; CHUNK];
    for (chunk, (items, out)) in items.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
        let blocks = &mut blocks[..items.len()];
        for (block, item) in blocks.iter_mut().zip(items) {
            *block = item.key();
        }
        hash.hash_blocks(blocks);
        for (offset, (block, out)) in blocks.iter().zip(out).enumerate() {
            write(*block, chunk * CHUNK + offset, out);
        }
    }
    blocks.zeroize();
}
