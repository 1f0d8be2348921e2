//! The consistency check of the malicious suite: two sums over all leaves of all batches (silent-vole.md, 10).

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::sizes::{Batch, Sizes};
use crate::backend::Backend;
use crate::gf128::Gf128;
use crate::ot::derive;
use crate::params::SID_BYTES;

/// The running sums of one party: value number `i` counts `chi^(i+1)`. Wiped when dropped; it has no `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Check {
    #[zeroize(skip)]
    backend: Backend,
    /// `chi^0`, `chi^1`, ... for the leaves of the largest tree.
    powers: Vec<u128>,
    chi: u128,
    /// The factor of the next leaf.
    next: u128,
    /// The sum over the noise, at the receiver.
    noise: u128,
    /// The sum over the leaves.
    leaves: u128,
}

impl Check {
    /// Begins with the sacrificed value: the receiver's `(a, c)`, or zero and the sender's `b`.
    #[must_use]
    pub fn new(backend: Backend, sizes: &Sizes, chi: u128, sacrificed: [u128; 2]) -> Self {
        let deepest = sizes.all_batches().map(|batch| batch.depth).max().unwrap_or(0);
        let powers = geometric(backend, 1, chi, 1 << deepest);
        Self { backend, powers, chi, next: chi, noise: sacrificed[0], leaves: sacrificed[1] }
    }

    /// Returns what a tree contributes apart from the factor of its first leaf.
    #[must_use]
    pub fn sum(&self, leaves: &[u128]) -> u128 {
        self.backend.gf128_inner_product(&self.powers[..leaves.len()], leaves)
    }

    /// Adds the trees of the next batch: the sum of each, and at the receiver the position and value of its noise.
    pub fn add(&mut self, batch: Batch, sums: &[u128], noise: &[(usize, u128)]) {
        let ratio = power(self.chi, 1 << batch.depth);
        let factors = Zeroizing::new(geometric(self.backend, self.next, ratio, sums.len() + 1));
        let (next, factors) = factors.split_last().map_or((0, &[][..]), |(next, factors)| (*next, factors));
        self.leaves ^= self.backend.gf128_inner_product(factors, sums);
        if !noise.is_empty() {
            let mut values: Zeroizing<Vec<u128>> = Zeroizing::new(noise.iter().map(|&(_, value)| value).collect());
            let powers: Zeroizing<Vec<u128>> =
                Zeroizing::new(noise.iter().map(|&(position, _)| self.powers[position]).collect());
            self.backend.gf128_multiply(&mut values, &powers);
            self.noise ^= self.backend.gf128_inner_product(factors, &values);
        }
        self.next = next;
    }

    /// Returns the receiver's challenge: chi and the masked sum over the noise.
    #[must_use]
    pub fn challenge(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.chi.to_le_bytes());
        bytes[16..].copy_from_slice(&self.noise.to_le_bytes());
        bytes
    }

    /// Returns the proof over the sum of the leaves plus `offset`.
    #[must_use]
    pub fn proof(&self, sid: &[u8; SID_BYTES], challenge: &[u8; 32], offset: u128) -> [u8; 32] {
        derive("psi/1 vole proof", &[sid, challenge, &(self.leaves ^ offset).to_le_bytes()])
    }
}

/// Returns `first`, `first * ratio`, `first * ratio^2`, ...
fn geometric(backend: Backend, first: u128, ratio: u128, count: usize) -> Vec<u128> {
    let mut list = Vec::with_capacity(count);
    list.push(first);
    let mut factor = ratio; // ratio to the power of the length of the list
    while list.len() < count {
        let taken = list.len().min(count - list.len());
        let mut more = vec![0; taken];
        backend.gf128_scale_add(factor, &list[..taken], &mut more);
        list.append(&mut more);
        factor = (Gf128(factor) * Gf128(factor)).0;
    }
    list
}

/// Returns `base^exponent` for an exponent that is a power of two.
fn power(base: u128, exponent: usize) -> u128 {
    (0..exponent.trailing_zeros()).fold(base, |power, _| (Gf128(power) * Gf128(power)).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::random_blocks;

    #[test]
    fn the_sums_are_those_of_the_specification() {
        let sizes = Sizes {
            length: 1,
            value_bits: 128,
            malicious: true,
            bootstrap: Some(Batch { trees: 2, depth: 3 }),
            batch: Batch { trees: 5, depth: 4 },
            batches: 2,
        };
        let chi = random_blocks("chi", 1)[0];
        let leaves = random_blocks("leaves", 16 + 80 + 80);
        let plain = |values: &mut dyn Iterator<Item = u128>| {
            values
                .fold((chi, 0), |(power, sum), value| {
                    ((Gf128(power) * Gf128(chi)).0, sum ^ (Gf128(power) * Gf128(value)).0)
                })
                .1
        };
        for backend in Backend::available() {
            let mut check = Check::new(backend, &sizes, chi, [5, 9]);
            let mut dense = vec![0; leaves.len()];
            let mut start = 0;
            for batch in sizes.all_batches() {
                let end = start + (batch.trees << batch.depth);
                let trees: Vec<&[u128]> = leaves[start..end].chunks(1 << batch.depth).collect();
                let sums: Vec<u128> = trees.iter().map(|tree| check.sum(tree)).collect();
                let noise: Vec<(usize, u128)> =
                    (0..batch.trees).map(|tree| (tree % (1 << batch.depth), tree as u128 + 77)).collect();
                for (tree, &(position, value)) in noise.iter().enumerate() {
                    dense[start + (tree << batch.depth) + position] = value;
                }
                check.add(batch, &sums, &noise);
                start = end;
            }
            assert!(check.leaves == plain(&mut leaves.iter().copied()) ^ 9);
            assert!(check.noise == plain(&mut dense.iter().copied()) ^ 5);
        }
    }
}
