//! Which of a receiver's own tags are among an ascending list of the sender that arrives in pieces.

use rayon::prelude::*;

use crate::backend::memory::zeroed;
use crate::sort::sort;

/// Tags of the peer that one thread merges at a time.
const PIECE: usize = 1 << 13;

/// A receiver's own tags, ready to be looked up.
pub struct OwnTags {
    /// The first 64 bits of each tag, ascending; they settle nearly every comparison.
    keys: Vec<u64>,
    /// The item that each key belongs to.
    items: Vec<u32>,
    /// The tag of each item.
    tags: Vec<u128>,
}

impl OwnTags {
    /// Takes the tag of each item.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // the parts of a packed value; items are fewer than 2^32
    pub fn new(tags: Vec<u128>) -> Self {
        let mut packed: Vec<u128> = zeroed(tags.len());
        packed.par_iter_mut().zip(&tags).enumerate().for_each(|(item, (packed, tag))| {
            *packed = tag >> 32 << 32 | item as u128;
        });
        sort(&mut packed);
        let (mut keys, mut items): (Vec<u64>, Vec<u32>) = (zeroed(tags.len()), zeroed(tags.len()));
        packed.par_iter().zip(&mut keys).zip(&mut items).for_each(|((&packed, key), item)| {
            (*key, *item) = ((packed >> 64) as u64, packed as u32);
        });
        Self { keys, items, tags }
    }

    /// Returns the items whose tag is among those of the peer, an ascending list; an item may be there twice.
    #[must_use]
    pub fn among(&self, peer: &[u128]) -> Vec<u32> {
        let matched: Vec<Vec<u32>> = peer.par_chunks(PIECE).map(|peer| self.merge(peer)).collect();
        matched.concat()
    }

    fn merge(&self, peer: &[u128]) -> Vec<u32> {
        let mut matched = Vec::new();
        let Some(&first) = peer.first() else { return matched };
        let keys = &self.keys[..];
        let mut own = keys.partition_point(|&key| u128::from(key) < first >> 64);
        let mut other = 0;
        while own < keys.len() && other < peer.len() {
            #[allow(clippy::cast_possible_truncation)] // the first half
            let (mine, yours) = (keys[own], (peer[other] >> 64) as u64);
            if mine == yours {
                let run = keys[own..].iter().zip(&self.items[own..]).take_while(|&(&key, _)| key == mine);
                matched.extend(run.map(|(_, &item)| item).filter(|&item| self.tags[item as usize] == peer[other]));
                other += 1;
            } else {
                // Which one is lower is a coin toss: no branch.
                own += usize::from(mine < yours);
                other += usize::from(yours < mine);
            }
        }
        matched
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small test values
mod tests {
    use super::*;

    fn pseudorandom(count: usize, name: &[u8]) -> Vec<u128> {
        let mut xof = blake3::Hasher::new().update(name).finalize_xof();
        let mut bytes = vec![0; 16 * count];
        xof.fill(&mut bytes);
        bytes.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect()
    }

    #[test]
    fn the_matches_are_those_of_a_plain_join() {
        // 8,192: a piece of the peer's
        for (n_own, n_peer) in
            [(0, 0), (0, 5), (5, 0), (1, 1), (1000, 10), (10, 30_000), (3000, 8191), (3000, 8193)]
        {
            let own = pseudorandom(n_own, b"own");
            let mut peer = pseudorandom(n_peer, b"peer");
            let mut expected: Vec<u32> = Vec::new();
            for item in (0..n_own.min(n_peer)).step_by(3) {
                peer[item] = own[item];
                expected.push(item as u32);
            }
            peer.sort_unstable();
            let mut matched = OwnTags::new(own).among(&peer);
            matched.sort_unstable();
            assert_eq!(matched, expected, "{n_own} x {n_peer}");
        }
    }

    #[test]
    fn tags_that_agree_in_half_their_bits_are_told_apart() {
        let own: Vec<u128> = [5, 6, 6 << 64 | 1, 6 << 64 | 2, 6 << 64 | 3, 7 << 64].to_vec();
        let own = OwnTags::new(own);
        let mut matched = own.among(&[6, 6 << 64, 6 << 64 | 1, 6 << 64 | 3, 6 << 64 | 4, 7 << 64 | 1]);
        matched.sort_unstable();
        assert_eq!(matched, [1, 2, 4]);
    }

    #[test]
    fn an_own_tag_of_two_items_matches_both() {
        let mut matched = OwnTags::new(vec![3 << 64, 4, 3 << 64]).among(&[3 << 64, 3 << 64]);
        matched.sort_unstable();
        matched.dedup();
        assert_eq!(matched, [0, 2]);
    }
}
