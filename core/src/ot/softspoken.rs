//! Correlated OTs from the base OTs: `SoftSpoken` (Roy, CRYPTO 2022) with k = 4 (silent-vole.md, 5).
//!
//! The receiver gets bits `x_j` and blocks `M_j`, the sender, who holds delta, blocks `K_j`, and
//! `M_j = K_j + x_j*delta`. In the malicious suite the receiver proves that its trees are consistent and that all its
//! columns hold the same bits; the sender checks both before it uses delta.

use rayon::prelude::*;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::subspace::{self, LinearHash};
use super::tree::{self, Grower};
use super::{blocks, derive, session_cipher};
use crate::backend::Backend;
use crate::error::CoreError;
use crate::fixed_key::FixedKey;
use crate::params::SID_BYTES;

/// Bits of delta that one tree covers.
const DEPTH: usize = 4;
const GROUPS: usize = 128 / DEPTH;
const LEAVES: usize = 1 << DEPTH;
/// Blocks of the corrections of one tree: two for each level but the first.
const TREE_BLOCKS: usize = 2 * (DEPTH - 1);
const LEAF_CHECK_BYTES: usize = 64;
/// COTs are made, and columns checked, 128 at a time.
pub const CHUNK: usize = 128;
/// Blocks of each leaf's stream that are made at a time: the leaves of a tree then fill 16 KiB.
const STEP: usize = 64;

/// What both parties know of an extension.
#[derive(Clone, Copy)]
pub struct Extension<'a> {
    /// Where the kernels run.
    pub backend: Backend,
    /// The session.
    pub sid: &'a [u8; SID_BYTES],
    /// How many COTs are made, the sacrificed ones included: a multiple of [`CHUNK`], at least two of them.
    pub count: usize,
    /// Whether the checks are made.
    pub malicious: bool,
}

/// The receiver's half of the COTs. Wiped when dropped; it has no `Debug`.
#[derive(ZeroizeOnDrop)]
pub struct ReceiverCots {
    /// The bits, 128 a block.
    pub bits: Vec<u128>,
    /// `M_j`.
    pub blocks: Vec<u128>,
}

impl Extension<'_> {
    /// Returns the length of the receiver's message.
    #[must_use]
    pub fn message_bytes(&self) -> usize {
        message_bytes(self.count, self.malicious)
    }

    /// Makes the receiver's COTs from both keys of each base OT, and appends its message to `message`, which has all that
    /// precedes it on the wire.
    #[must_use]
    pub fn receive(&self, base_keys: &[[u128; 2]], message: &mut Vec<u8>) -> ReceiverCots {
        let grower = Grower::new(self.backend, tree::SOFTSPOKEN, self.sid);
        let ciphers = self.ciphers();
        let mut groups: Vec<(Vec<u8>, [u8; LEAF_CHECK_BYTES], Columns)> = base_keys
            .par_chunks(DEPTH)
            .enumerate()
            .map(|(group, keys)| {
                let mut leaves = Zeroizing::new([0; LEAVES]);
                let mut corrections = Vec::with_capacity(16 * TREE_BLOCKS);
                grower.expand(keys, &mut *leaves, |both| {
                    corrections.extend(both.into_iter().flat_map(u128::to_le_bytes));
                });
                let mut check = [0; LEAF_CHECK_BYTES];
                if self.malicious {
                    let values = leaf_values(&ciphers.leaf, &mut leaves);
                    let sum = values.iter().fold([0; 2], |sum, value| [sum[0] ^ value[0], sum[1] ^ value[1]]);
                    check[..16].copy_from_slice(&sum[0].to_le_bytes());
                    check[16..32].copy_from_slice(&sum[1].to_le_bytes());
                    check[32..].copy_from_slice(&self.leaf_digest(group, &values));
                }
                (corrections, check, self.columns(&ciphers.stream, &leaves))
            })
            .collect();
        let bits = std::mem::take(&mut groups[0].2.sum);
        message.reserve(self.message_bytes());
        for (corrections, ..) in &groups {
            message.extend_from_slice(corrections);
        }
        for (.., columns) in &groups[1..] {
            message.extend(columns.sum.iter().zip(&bits).flat_map(|(sum, bits)| (sum ^ bits).to_le_bytes()));
        }
        let columns: Vec<&[u128]> = groups.iter().flat_map(|(.., columns)| columns.iter()).collect();
        if self.malicious {
            for (_, check, _) in &groups {
                message.extend_from_slice(check);
            }
            let hash = LinearHash::new(self.backend, self.sid, message, self.count / CHUNK);
            message.extend_from_slice(&hash.hash(&bits).to_le_bytes());
            let hashes = columns.iter().map(|column| hash.hash(column));
            message.extend_from_slice(&subspace::digest(self.sid, hashes));
        }
        let blocks = rows(&columns);
        ReceiverCots { bits, blocks }
    }

    /// Makes the sender's blocks `K_j` from the base keys on the sides of delta's complement. `message` ends with the
    /// receiver's message and has all that precedes it on the wire.
    ///
    /// # Errors
    ///
    /// [`CoreError::FailedCheck`]. The caller has checked the length of the message.
    pub fn send(
        &self,
        delta: u128,
        base_keys: &[u128],
        message: &[u8],
    ) -> Result<Zeroizing<Vec<u128>>, CoreError> {
        let grower = Grower::new(self.backend, tree::SOFTSPOKEN, self.sid);
        let ciphers = self.ciphers();
        let own = &message[message.len() - self.message_bytes()..];
        let (trees, rest) = own.split_at(GROUPS * TREE_BLOCKS * 16);
        let (corrections, checks) = rest.split_at((GROUPS - 1) * self.count / 8);
        let column_bytes = self.count / 8;
        let groups: Vec<(bool, Columns)> = base_keys
            .par_chunks(DEPTH)
            .enumerate()
            .map(|(group, keys)| {
                // At each level the key is of the side that delta does not take.
                let bits = |bit: usize| (delta >> (DEPTH * group + bit) & 1).wrapping_neg();
                let known: Vec<_> = keys.iter().enumerate().map(|(bit, key)| (!bits(bit), *key)).collect();
                let known = Zeroizing::new(known);
                let pairs: Vec<u128> = blocks(&trees[group * TREE_BLOCKS * 16..][..TREE_BLOCKS * 16]).collect();
                let mut leaves = Zeroizing::new([0; LEAVES]);
                grower.puncture_hidden(&known, pairs.as_chunks::<2>().0, &mut *leaves);
                let mut passed = true;
                if self.malicious {
                    let missing = (delta >> (DEPTH * group)) & (LEAVES as u128 - 1);
                    let mut values = leaf_values(&ciphers.leaf, &mut leaves);
                    let check = &checks[group * LEAF_CHECK_BYTES..][..LEAF_CHECK_BYTES];
                    complete(&mut values, missing, &check[..32]);
                    passed = self.leaf_digest(group, &values).ct_eq(&check[32..]).into();
                }
                // The missing leaf's seed is garbage and has no part in what follows: its number plus delta's is zero.
                let mut columns = self.columns(&ciphers.stream, &leaves);
                if let Some(previous) = group.checked_sub(1) {
                    let correction = blocks(&corrections[previous * column_bytes..][..column_bytes]);
                    columns.sum.iter_mut().zip(correction).for_each(|(sum, correction)| *sum ^= correction);
                }
                columns.add_sum_where(bits);
                (passed, columns)
            })
            .collect();
        if !groups.iter().all(|(passed, _)| *passed) {
            return Err(CoreError::FailedCheck { check: "leaves of the extension" });
        }
        let columns: Vec<&[u128]> = groups.iter().flat_map(|(_, columns)| columns.iter()).collect();
        if self.malicious {
            let (before, check) = message.split_at(message.len() - subspace::CHECK_BYTES);
            let hash = LinearHash::new(self.backend, self.sid, before, self.count / CHUNK);
            let choices = blocks(&check[..16]).next().unwrap_or(0);
            let hashes = columns
                .iter()
                .enumerate()
                .map(|(bit, column)| hash.hash(column) ^ choices & (delta >> bit & 1).wrapping_neg());
            if !bool::from(subspace::digest(self.sid, hashes).ct_eq(&check[16..])) {
                return Err(CoreError::FailedCheck { check: "columns of the extension" });
            }
        }
        Ok(Zeroizing::new(rows(&columns)))
    }

    fn ciphers(&self) -> Ciphers {
        Ciphers {
            leaf: session_cipher(self.backend, "psi/1 softspoken leaf", self.sid),
            stream: session_cipher(self.backend, "psi/1 softspoken stream", self.sid),
        }
    }

    #[allow(clippy::cast_possible_truncation)] // a group below 32
    fn leaf_digest(&self, group: usize, values: &[[u128; 2]]) -> [u8; 32] {
        let bytes: Vec<u8> = values.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        derive("psi/1 softspoken leaves", &[self.sid, &[group as u8], &bytes])
    }

    /// Expands the leaves of a tree to streams and adds them up.
    fn columns(&self, cipher: &FixedKey, leaves: &[u128; LEAVES]) -> Columns {
        let length = self.count / CHUNK;
        let mut columns = Columns { sum: vec![0; length], of_bits: std::array::from_fn(|_| vec![0; length]) };
        let mut streams = Zeroizing::new(vec![[0; STEP]; LEAVES]);
        for first in (0..length).step_by(STEP) {
            for (row, seed) in streams.iter_mut().zip(leaves) {
                for (i, block) in row.iter_mut().enumerate() {
                    *block = seed ^ (first + i) as u128;
                }
            }
            cipher.hash_blocks(streams.as_flattened_mut());
            let taken = first..length.min(first + STEP);
            let sums: [[u128; STEP]; DEPTH] = self.backend.fold(&mut streams);
            for (column, sum) in columns.of_bits.iter_mut().zip(&sums) {
                column[taken.clone()].copy_from_slice(&sum[..taken.len()]);
            }
            columns.sum[taken.clone()].copy_from_slice(&streams[0][..taken.len()]);
        }
        columns
    }
}

/// Returns the length of the receiver's message for `count` COTs, the sacrificed ones included.
#[must_use]
pub fn message_bytes(count: usize, malicious: bool) -> usize {
    let checks = if malicious { GROUPS * LEAF_CHECK_BYTES + subspace::CHECK_BYTES } else { 0 };
    GROUPS * TREE_BLOCKS * 16 + (GROUPS - 1) * count / 8 + checks
}

struct Ciphers {
    leaf: FixedKey,
    stream: FixedKey,
}

/// The sum of the streams of a tree, and for each bit of the leaf number that of the leaves which have it.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Columns {
    sum: Vec<u128>,
    of_bits: [Vec<u128>; DEPTH],
}

impl Columns {
    fn iter(&self) -> impl Iterator<Item = &[u128]> {
        self.of_bits.iter().map(Vec::as_slice)
    }

    /// Adds the sum to the columns whose mask is all ones.
    fn add_sum_where(&mut self, masks: impl Fn(usize) -> u128) {
        for (bit, column) in self.of_bits.iter_mut().enumerate() {
            let mask = masks(bit);
            column.iter_mut().zip(&self.sum).for_each(|(value, sum)| *value ^= sum & mask);
        }
    }
}

/// Replaces each leaf by its seed and returns its check value.
fn leaf_values(cipher: &FixedKey, leaves: &mut [u128; LEAVES]) -> Zeroizing<Vec<[u128; 2]>> {
    let mut expanded: Zeroizing<Vec<[u128; 3]>> =
        Zeroizing::new(leaves.iter().map(|leaf| [*leaf, leaf ^ 1, leaf ^ 2]).collect());
    cipher.hash_blocks(expanded.as_flattened_mut());
    leaves.iter_mut().zip(&*expanded).for_each(|(leaf, blocks)| *leaf = blocks[2]);
    Zeroizing::new(expanded.iter().map(|blocks| [blocks[0], blocks[1]]).collect())
}

/// Puts into the place of the missing leaf what the sum of all check values leaves for it, in constant time.
#[allow(clippy::cast_possible_truncation)] // a leaf number
fn complete(values: &mut [[u128; 2]], missing: u128, sum: &[u8]) {
    let mut rest: Vec<u128> = blocks(sum).collect();
    let masks: Vec<u128> = (0..values.len())
        .map(|number| u128::from((number as u64).ct_eq(&(missing as u64)).unwrap_u8()).wrapping_neg())
        .collect();
    for (value, mask) in values.iter().zip(&masks) {
        rest[0] ^= value[0] & !mask;
        rest[1] ^= value[1] & !mask;
    }
    for (value, mask) in values.iter_mut().zip(&masks) {
        value[0] ^= (value[0] ^ rest[0]) & mask;
        value[1] ^= (value[1] ^ rest[1]) & mask;
    }
}

/// Turns 128 columns of bits into rows: block `j` has bit `j` of every column.
fn rows(columns: &[&[u128]]) -> Vec<u128> {
    let length = columns[0].len();
    let mut rows = vec![0; CHUNK * length];
    rows.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, rows)| {
        for (row, column) in rows.iter_mut().zip(columns) {
            *row = column[chunk];
        }
        transpose(rows);
    });
    rows
}

/// Exchanges rows and columns of 128 x 128 bits: halves of blocks, then of half blocks, and so on.
fn transpose(rows: &mut [u128]) {
    let mut mask = u128::MAX;
    let mut width = CHUNK / 2;
    while width > 0 {
        mask ^= mask << width; // the low `width` bits of every 2*width
        for pair in rows.chunks_exact_mut(2 * width) {
            let (upper, lower) = pair.split_at_mut(width);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let difference = (*upper >> width ^ *lower) & mask;
                *lower ^= difference;
                *upper ^= difference << width;
            }
        }
        width /= 2;
    }
}

#[cfg(test)]
mod tests;
