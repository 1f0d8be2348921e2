//! Items into the order of their bins, each bin in the order of the list.

use rayon::prelude::*;
use zerocopy::FromZeros;
use zeroize::Zeroize;

use super::rows::RowHash;
use crate::backend::memory::{grow, prefetch};

/// What a bin has of each of its items besides the place in the list: the item, or nothing.
pub trait Kept: Copy + Default + FromZeros + Send + Sync {
    /// Wipes a list and the room behind it, at the speed of memory.
    fn wipe(list: &mut Vec<Self>);
}

/// What the store needs of an item.
pub trait Key: Kept {
    /// Returns the first 128 bits of the item's digest.
    fn key(&self) -> u128;
}

/// The first 128 bits of a digest, little-endian.
impl Key for u128 {
    #[inline]
    fn key(&self) -> u128 {
        *self
    }
}

/// A whole digest.
impl Key for [u8; 32] {
    #[inline]
    fn key(&self) -> u128 {
        let (halves, _) = self.as_chunks::<16>();
        u128::from_le_bytes(halves[0])
    }
}

impl Kept for () {
    fn wipe(_: &mut Vec<Self>) {}
}

impl Kept for u128 {
    fn wipe(list: &mut Vec<Self>) {
        list.zeroize();
    }
}

impl Kept for [u8; 32] {
    fn wipe(list: &mut Vec<Self>) {
        list.spare_capacity_mut().zeroize();
        list.as_flattened_mut().zeroize(); // as an array of arrays it would be wiped byte by byte
    }
}

/// Which items of a list are in which bin, with the items themselves or without. Wiped when dropped; it has no `Debug`.
pub struct Bins<T: Kept> {
    starts: Vec<usize>,
    items: Vec<T>,
    indices: Vec<u32>,
    numbers: Vec<u16>,
}

/// Items that one thread counts and moves at a time at least; more where that would be more than 64 pieces.
const PIECE: usize = 1 << 16;
/// Bytes of a bin that are asked for before they are written: two lines of the caches.
const AHEAD: usize = 128;

impl<K: Key> Bins<K> {
    /// Puts the items of a list, fewer than 2^32, into the order of their bins.
    pub fn fill(&mut self, rows: &RowHash, list: &[K]) {
        self.distribute(rows, list, |item| *item);
    }

    /// Wipes the items and lets go of them; their places stay.
    pub fn forget_items(&mut self) {
        K::wipe(&mut self.items);
        self.items = Vec::new();
    }

    /// Returns the items of a bin.
    #[must_use]
    pub fn items(&self, bin: usize) -> &[K] {
        &self.items[self.starts[bin]..self.starts[bin + 1]]
    }
}

impl Bins<()> {
    /// Finds the bins of the items of a list, fewer than 2^32, which stay where they are.
    pub fn fill_places<K: Key>(&mut self, rows: &RowHash, list: &[K]) {
        self.distribute(rows, list, |_| ());
    }
}

impl<T: Kept> Bins<T> {
    /// Makes an empty one, whose memory it uses again and again.
    #[must_use]
    pub fn new() -> Self {
        Self { starts: Vec::new(), items: Vec::new(), indices: Vec::new(), numbers: Vec::new() }
    }

    fn distribute<K: Key>(&mut self, rows: &RowHash, list: &[K], keep: impl Fn(&K) -> T + Sync) {
        let bins = rows.parameters().bins;
        let piece = list.len().div_ceil(64).max(PIECE);
        grow(&mut self.items, list.len(), T::wipe);
        grow(&mut self.indices, list.len(), Zeroize::zeroize);
        grow(&mut self.numbers, list.len(), Zeroize::zeroize);

        let counts: Vec<Vec<usize>> = list
            .par_chunks(piece)
            .zip(self.numbers.par_chunks_mut(piece))
            .map(|(items, numbers)| {
                rows.bins(items, numbers);
                let mut counts = vec![0; bins];
                for number in numbers {
                    counts[*number as usize] += 1;
                }
                counts
            })
            .collect();

        // The room of each bin is cut into the rooms of the pieces, in the order of the list.
        self.starts.clear();
        self.starts.push(0);
        let mut rooms: Vec<Vec<Room<'_, T>>> = counts.iter().map(|_| Vec::with_capacity(bins)).collect();
        let (mut items, mut indices) = (self.items.as_mut_slice(), self.indices.as_mut_slice());
        let mut start = 0;
        for bin in 0..bins {
            for (counts, rooms) in counts.iter().zip(&mut rooms) {
                let (own_items, other_items) = items.split_at_mut(counts[bin]);
                let (own_indices, other_indices) = indices.split_at_mut(counts[bin]);
                rooms.push(Room { items: own_items, indices: own_indices, used: 0 });
                (items, indices) = (other_items, other_indices);
                start += counts[bin];
            }
            self.starts.push(start);
        }

        list.par_chunks(piece).zip(self.numbers.par_chunks(piece)).zip(rooms).enumerate().for_each(
            |(number, ((items, numbers), mut rooms))| {
                for (offset, (item, bin)) in items.iter().zip(numbers).enumerate() {
                    let room = &mut rooms[*bin as usize];
                    room.items[room.used] = keep(item);
                    #[allow(clippy::cast_possible_truncation)] // fewer than 2^32 items
                    let index = (number * piece + offset) as u32;
                    room.indices[room.used] = index;
                    // The next lines, so that no write waits for memory: bins are more than the processor foresees.
                    prefetch(room.items, room.used + AHEAD / size_of::<T>().max(1));
                    prefetch(room.indices, room.used + AHEAD / size_of::<u32>());
                    room.used += 1;
                }
            },
        );
    }

    /// Returns the places in the list of the items of a bin.
    #[must_use]
    pub fn indices(&self, bin: usize) -> &[u32] {
        &self.indices[self.starts[bin]..self.starts[bin + 1]]
    }

    /// Returns where each bin starts in the order of the bins, and the number of items at the end.
    #[must_use]
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }
}

impl<T: Kept> Default for Bins<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kept> Drop for Bins<T> {
    fn drop(&mut self) {
        T::wipe(&mut self.items);
        self.numbers.zeroize();
    }
}

/// The room of one piece of the list in one bin.
struct Room<'a, T> {
    items: &'a mut [T],
    indices: &'a mut [u32],
    used: usize,
}
