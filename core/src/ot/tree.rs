//! Trees of which one party lacks one leaf: Goldreich, Goldwasser and Micali (silent-vole.md, 6).

#![allow(clippy::missing_panics_doc)] // another length is a fault of ours

use zeroize::Zeroize;

use crate::backend::Backend;
use crate::fixed_key::FixedKey;
use crate::ot::derive;
use crate::params::SID_BYTES;

/// The context of the keys of the trees of the OT extension.
pub const SOFTSPOKEN: &str = "psi/1 softspoken tree";
/// The context of the keys of the trees of the correlation.
pub const VOLE: &str = "psi/1 vole tree";

/// The doubling hash of one kind of tree in one session.
pub struct Grower {
    left: FixedKey,
    right: FixedKey,
}

impl Grower {
    /// Derives the two keys from the session.
    #[must_use]
    pub fn new(backend: Backend, context: &str, sid: &[u8; SID_BYTES]) -> Self {
        let both: [u8; 32] = derive(context, &[sid]);
        let (halves, _) = both.as_chunks::<16>();
        Self { left: FixedKey::new(backend, halves[0]), right: FixedKey::new(backend, halves[1]) }
    }

    /// Puts the children of the first half of `nodes` in their places: left ones there, right ones in the second half.
    fn grow(&self, nodes: &mut [u128]) {
        let half = nodes.len() / 2;
        let (left, right) = nodes.split_at_mut(half);
        right.copy_from_slice(left);
        self.left.hash_blocks(left);
        self.right.hash_blocks(right);
    }

    /// Fills `leaves` from both keys of each level and returns their sum; calls `correction` with the two blocks of each
    /// level but the first.
    pub fn expand(&self, keys: &[[u128; 2]], leaves: &mut [u128], mut correction: impl FnMut([u128; 2])) -> u128 {
        assert_eq!(leaves.len(), 1 << keys.len(), "one leaf for each path");
        leaves[..2].copy_from_slice(&keys[0]);
        let mut sums = keys[0];
        for (level, keys) in keys.iter().enumerate().skip(1) {
            let nodes = &mut leaves[..2 << level];
            self.grow(nodes);
            let (left, right) = nodes.split_at(1 << level);
            sums = [sum(left), sum(right)];
            correction([keys[0] ^ sums[0], keys[1] ^ sums[1]]);
        }
        sums[0] ^ sums[1]
    }

    /// Fills `leaves` as [`Grower::expand`] does, without any sums.
    pub fn expand_leaves(&self, keys: &[[u128; 2]], leaves: &mut [u128]) {
        assert_eq!(leaves.len(), 1 << keys.len(), "one leaf for each path");
        leaves[..2].copy_from_slice(&keys[0]);
        for level in 1..keys.len() {
            self.grow(&mut leaves[..2 << level]);
        }
    }

    /// Fills `leaves` from one key of each level, `(x, key)` being side `x`, and the two blocks of each level but the
    /// first; returns the position of the missing leaf, which is zero, and the sum of the others.
    ///
    /// The position takes the other side at each level. It decides addresses: the caller's own secret, not a peer's.
    pub fn puncture(
        &self,
        known: &[(bool, u128)],
        corrections: &[[u128; 2]],
        leaves: &mut [u128],
    ) -> (usize, u128) {
        assert_eq!(leaves.len(), 1 << known.len(), "one leaf for each path");
        let (side, key) = known[0];
        let mut position = usize::from(!side);
        leaves[usize::from(side)] = key;
        leaves[position] = 0;
        let mut total = key;
        for (level, ((side, key), blocks)) in known[1..].iter().zip(corrections).enumerate() {
            let half = 2 << level;
            let nodes = &mut leaves[..2 * half];
            self.grow(nodes);
            let (left, right) = nodes.split_at(half);
            let mut sums = [sum(left), sum(right)];
            // Both children of the missing node are garbage; the sum of one side gives its true value.
            for offset in [0, 1] {
                sums[offset] ^= nodes[position + half * offset];
            }
            let kept = usize::from(*side);
            nodes[position + half * kept] = blocks[kept] ^ key ^ sums[kept];
            sums[kept] = blocks[kept] ^ key;
            position += half * (1 - kept);
            nodes[position] = 0;
            total = sums[0] ^ sums[1];
        }
        (position, total)
    }

    /// Does what [`Grower::puncture`] does, with the side at each level as a mask of all ones or zero, and leaves garbage
    /// in the place of the missing leaf. Neither branches nor addresses depend on the sides.
    pub fn puncture_hidden(&self, known: &[(u128, u128)], corrections: &[[u128; 2]], leaves: &mut [u128]) {
        assert_eq!(leaves.len(), 1 << known.len(), "one leaf for each path");
        let (side, key) = known[0];
        leaves[0] = key & !side;
        leaves[1] = key & side;
        // Of each node: all ones if it is the missing one.
        let mut missing = vec![0; leaves.len()];
        missing[0] = side;
        missing[1] = !side;
        for (level, ((side, key), blocks)) in known[1..].iter().zip(corrections).enumerate() {
            let half = 2 << level;
            let nodes = &mut leaves[..2 * half];
            self.grow(nodes);
            let (left, right) = nodes.split_at_mut(half);
            let mut value = *key ^ (blocks[0] & !side) ^ (blocks[1] & side);
            for ((left, right), missing) in left.iter().zip(&*right).zip(&missing[..half]) {
                value ^= ((left & !side) ^ (right & side)) & !missing;
            }
            for ((left, right), missing) in left.iter_mut().zip(right).zip(&missing[..half]) {
                *left ^= (*left ^ value) & missing & !side;
                *right ^= (*right ^ value) & missing & side;
            }
            for i in 0..half {
                missing[i + half] = missing[i] & !side;
                missing[i] &= side;
            }
            value.zeroize();
        }
        missing.zeroize();
    }
}

fn sum(nodes: &[u128]) -> u128 {
    nodes.iter().fold(0, |sum, node| sum ^ node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::random_blocks as blocks;

    #[test]
    fn the_punctured_tree_is_the_whole_one_without_the_leaf_at_every_position() {
        for backend in Backend::available() {
            let grower = Grower::new(backend, VOLE, &[1; SID_BYTES]);
            for depth in 1..=6_usize {
                let keys: Vec<[u128; 2]> = blocks("keys", 2 * depth).as_chunks::<2>().0.to_vec();
                let mut leaves = vec![0; 1 << depth];
                let mut corrections = Vec::new();
                let total = grower.expand(&keys, &mut leaves, |both| corrections.push(both));
                assert!(total == sum(&leaves));
                let mut again = vec![0; 1 << depth];
                grower.expand_leaves(&keys, &mut again);
                assert!(again == leaves);
                for missing in 0..1 << depth {
                    let sides: Vec<bool> = (0..depth).map(|level| missing >> level & 1 == 0).collect();
                    let known: Vec<_> =
                        sides.iter().zip(&keys).map(|(&side, keys)| (side, keys[usize::from(side)])).collect();
                    let mut punctured = vec![7; 1 << depth];
                    let (position, rest) = grower.puncture(&known, &corrections, &mut punctured);
                    assert_eq!(position, missing);
                    assert!(rest == total ^ leaves[missing] && punctured[missing] == 0);
                    let masks: Vec<_> =
                        known.iter().map(|&(side, key)| (u128::from(side).wrapping_neg(), key)).collect();
                    let mut hidden = vec![7; 1 << depth];
                    grower.puncture_hidden(&masks, &corrections, &mut hidden);
                    for (i, leaf) in leaves.iter().enumerate().filter(|&(i, _)| i != missing) {
                        assert!(punctured[i] == *leaf && hidden[i] == *leaf);
                    }
                    assert!(hidden[missing] != leaves[missing]);
                }
            }
        }
    }
}
