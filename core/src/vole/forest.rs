//! The trees of a batch: all leaves at the sender; at the receiver all but one, and a noise value there
//! (silent-vole.md, 6 and 9).

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::base::bits;
use super::check::Check;
use super::sizes::Batch;
use crate::backend::Backend;
use crate::okvs::Value;
use crate::ot::tree::{self, Grower};
use crate::ot::{KeyHash, blocks};
use crate::params::SID_BYTES;

/// Levels of a tree at most: the bootstrapping tree of the longest correlation has fewer.
const MAX_DEPTH: usize = 16;

/// What makes trees from correlated OTs, on either side.
pub struct Forest {
    grower: Grower,
    key_hash: KeyHash,
}

/// A base value of the receiver.
pub type BaseValue = (u128, u128);

impl Forest {
    /// Derives the public keys of a session.
    #[must_use]
    pub fn new(backend: Backend, sid: &[u8; SID_BYTES]) -> Self {
        Self { grower: Grower::new(backend, tree::VOLE, sid), key_hash: KeyHash::new(backend, sid) }
    }

    /// Makes both keys of each level of a tree of the sender from its blocks `K_j`, of which the first has number `first`.
    fn keys(&self, delta: u128, cots: &[u128], first: usize) -> Zeroizing<[[u128; 2]; MAX_DEPTH]> {
        let mut keys = Zeroizing::new([[0; 2]; MAX_DEPTH]);
        for (keys, block) in keys.iter_mut().zip(cots) {
            *keys = [*block, block ^ delta];
        }
        self.key_hash.hash(first, &mut keys[..cots.len()]);
        keys
    }

    /// Makes the trees of a batch: their leaves, the first half of them into `head`, and the message about them.
    /// `base` has the sender's base value of each tree; the first of `cots` has number `first`.
    #[allow(clippy::too_many_arguments)] // two halves of one vector
    pub fn plant(
        &self,
        batch: Batch,
        delta: u128,
        cots: &[u128],
        first: usize,
        base: &[u128],
        head: &mut [u128],
        tail: &mut [[u128; 1]],
    ) -> Vec<u8> {
        let mut message = vec![0; batch.message_bytes()];
        let leaves = 1 << batch.depth;
        head.par_chunks_mut(leaves)
            .chain(tail.as_flattened_mut().par_chunks_mut(leaves))
            .zip(message.par_chunks_mut(batch.tree_bytes()))
            .zip(base)
            .enumerate()
            .for_each(|(tree, ((leaves, message), base))| {
                let (places, _) = message.as_chunks_mut::<16>();
                let mut places = places.iter_mut();
                let mut put = |block: u128| {
                    if let Some(place) = places.next() {
                        *place = block.to_le_bytes();
                    }
                };
                let used = tree * batch.depth;
                let keys = self.keys(delta, &cots[used..used + batch.depth], first + used);
                let sum = self.grower.expand(&keys[..batch.depth], leaves, |[left, right]| {
                    put(left);
                    put(right);
                });
                put(sum ^ base);
            });
        message
    }

    /// Returns what each tree of a batch contributes to the consistency check, making the leaves anew.
    #[must_use]
    pub fn sums(&self, batch: Batch, delta: u128, cots: &[u128], first: usize, check: &Check) -> Vec<u128> {
        (0..batch.trees)
            .into_par_iter()
            .map_init(
                || Zeroizing::new(vec![0; 1 << batch.depth]),
                |leaves, tree| {
                    let used = tree * batch.depth;
                    let keys = self.keys(delta, &cots[used..used + batch.depth], first + used);
                    self.grower.expand_leaves(&keys[..batch.depth], leaves);
                    check.sum(leaves)
                },
            )
            .collect()
    }

    /// Makes one tree of the receiver; returns the position of the noise, where the leaf then holds the receiver's side of
    /// the noise value.
    fn puncture(&self, cots: &Cots, first: usize, base: BaseValue, message: &[u8], leaves: &mut [u128]) -> usize {
        let depth = leaves.len().trailing_zeros() as usize;
        let mut keys = Zeroizing::new([[0; 1]; MAX_DEPTH]);
        keys.as_flattened_mut()[..depth].copy_from_slice(&cots.blocks[first..first + depth]);
        self.key_hash.hash(first, &mut keys[..depth]);
        let choices = bits(cots.bits, first, depth);
        let mut known = Zeroizing::new([(false, 0); MAX_DEPTH]);
        for (level, (known, [key])) in known.iter_mut().zip(&*keys).enumerate() {
            *known = (choices >> level & 1 == 1, *key);
        }
        let mut corrections = [[0; 2]; MAX_DEPTH];
        let mut received = blocks(message);
        for pair in &mut corrections[..depth - 1] {
            *pair = [(); 2].map(|()| received.next().unwrap_or(0));
        }
        let (position, sum) = self.grower.puncture(&known[..depth], &corrections[..depth - 1], leaves);
        leaves[position] = base.1 ^ received.next().unwrap_or(0) ^ sum;
        position
    }

    /// Makes the trees of a batch from the sender's message: noise into `a_head` and the first lane of `tail`, the
    /// receiver's leaves into `c_head` and the second lane. Everything is zero before. Returns for each tree the position of
    /// its noise and, with a check, the sum of its leaves.
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // two halves of two vectors
    pub fn harvest<V: Value>(
        &self,
        batch: Batch,
        cots: &Cots,
        first: usize,
        base: &[BaseValue],
        message: &[u8],
        head: (&mut [V], &mut [u128]),
        tail: &mut [[u128; 2]],
        check: Option<&Check>,
    ) -> Vec<(usize, u128)> {
        let leaves = 1 << batch.depth;
        let half = batch.trees / 2;
        let messages = message.par_chunks(batch.tree_bytes());
        let finish = |leaves: &[u128], position| (position, check.map_or(0, |check| check.sum(leaves)));
        let mut results = vec![(0, 0); batch.trees];
        let (first_results, second_results) = results.split_at_mut(half);
        head.0
            .par_chunks_mut(leaves)
            .zip(head.1.par_chunks_mut(leaves))
            .zip(messages.clone().zip(base))
            .zip(first_results)
            .enumerate()
            .for_each(|(tree, (((a, c), (message, base)), result))| {
                let position = self.puncture(cots, first + tree * batch.depth, *base, message, c);
                a[position] = V::from_hash(base.0);
                *result = finish(c, position);
            });
        tail.par_chunks_mut(leaves)
            .zip(messages.skip(half).zip(&base[half..]))
            .zip(second_results)
            .enumerate()
            .for_each_init(
                || Zeroizing::new(vec![0; leaves]),
                |scratch, (tree, ((cells, (message, base)), result))| {
                    let first = first + (half + tree) * batch.depth;
                    let position = self.puncture(cots, first, *base, message, scratch);
                    for (cell, leaf) in cells.iter_mut().zip(&***scratch) {
                        *cell = [0, *leaf];
                    }
                    cells[position][0] = base.0;
                    *result = finish(scratch, position);
                },
            );
        results
    }
}

/// The receiver's correlated OTs.
pub struct Cots<'a> {
    /// Its bits, 128 a block.
    pub bits: &'a [u128],
    /// Its blocks `M_j`.
    pub blocks: &'a [u128],
}
