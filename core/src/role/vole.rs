//! What the two roles of the suites `vole-malicious` and `vole-semi-honest` share (vole.md).

use zeroize::{Zeroize, Zeroizing};

use crate::backend::Backend;
use crate::backend::memory::prefetch;
use crate::error::CoreError;
use crate::okvs::{BinDecoder, Kept, Parameters, RowHash, Value, ValueHash};
use crate::ot::softspoken;
use crate::params::{DIGEST_BYTES, SEED_BYTES, SID_BYTES, VoleSuite, check_count};
use crate::prg::Randomness;
use crate::tags::output::Output;
use crate::threads::Threads;
use crate::vole::Sizes;
use crate::vole::silent_receiver::PREFIX_BYTES;

/// Length of the seed of the rows, of each part of the mask, and of a report value.
pub(super) const BLOCK_BYTES: usize = 16;
/// Length of a salt, of a commitment and of a proof.
pub(super) const HASH_BYTES: usize = 32;
/// Items whose tags one thread makes with one decoder at most: enough for what it makes of a bin's columns to pay.
const PIECE: usize = 1 << 15;
/// Items of a piece that are worked on at a time: what is known of them stays in the first-level cache.
const CHUNK: usize = 1 << 10;
/// Items of a list that are asked for before they are copied: as many as a processor waits for at a time, and some more.
const AHEAD: usize = 16;
/// Bins that are worked on between two looks at what has arrived, for each thread.
pub(super) const BINS_PER_STEP: usize = 8;

const COMMITMENT_CONTEXT: &str = "psi/1 vole commitment";
const BIND_CONTEXT: &str = "psi/1 vole bind";
const TAG_KEY_CONTEXT: &str = "psi/1 vole tag key";

/// What a role is made from besides its items.
pub struct VoleSetup {
    /// The suite.
    pub suite: VoleSuite,
    /// Whether the receiver reports the overlap to the sender.
    pub report: bool,
    /// The number of the peer's items, as declared and accepted.
    pub n_peer: usize,
    /// Depth of the main trees of the correlation at most, one of [`TREE_DEPTHS`](crate::vole::sizes::TREE_DEPTHS); the parties agree on it.
    pub tree_depth: usize,
    /// The identifier of the session; both parties have the same.
    pub sid: [u8; SID_BYTES],
    /// The role's own secret seed: one seed, one role, one run.
    pub seed: Zeroizing<[u8; SEED_BYTES]>,
    /// How many threads it may use.
    pub threads: usize,
}

/// What both roles compute with. The seed and the session identifier meet in the randomness and are not kept here.
pub(super) struct Engine {
    pub(super) suite: VoleSuite,
    pub(super) malicious: bool,
    pub(super) report: bool,
    pub(super) n_sender: usize,
    pub(super) n_receiver: usize,
    pub(super) tag_bytes: usize,
    tree_depth: usize,
    pub(super) parameters: Parameters,
    pub(super) sid: [u8; SID_BYTES],
    pub(super) backend: Backend,
    pub(super) threads: Threads,
}

impl Engine {
    /// Checks the sizes and derives every number of the session.
    pub(super) fn new(
        setup: VoleSetup,
        n_sender: usize,
        n_receiver: usize,
    ) -> Result<(Self, Randomness), CoreError> {
        check_count(n_sender)?;
        let engine = Self {
            suite: setup.suite,
            malicious: setup.suite == VoleSuite::Malicious,
            report: setup.report,
            n_sender,
            n_receiver,
            tag_bytes: setup.suite.tag_bytes(n_sender, n_receiver),
            tree_depth: setup.tree_depth,
            parameters: Parameters::new(n_receiver)?,
            sid: setup.sid,
            backend: Backend::chosen()?,
            threads: Threads::new(setup.threads)?,
        };
        Ok((engine, Randomness::new(setup.seed, setup.sid)))
    }

    /// Returns whether there is nothing to do: one of the sets is empty, and both parties know it.
    pub(super) fn trivial(&self) -> bool {
        self.n_sender == 0 || self.n_receiver == 0
    }

    /// Returns the numbers of the correlation.
    pub(super) fn vole_sizes<V: Value>(&self) -> Result<Sizes, CoreError> {
        Sizes::new(self.parameters.columns(), 8 * V::BYTES, self.malicious, self.tree_depth)
    }

    /// Returns the length of the commitment at the beginning of `choose`.
    pub(super) fn commitment_bytes(&self) -> usize {
        if self.malicious { HASH_BYTES } else { 0 }
    }

    /// Returns the hash of items to rows.
    pub(super) fn row_hash(&self, r: &[u8; BLOCK_BYTES]) -> RowHash {
        RowHash::new(self.backend, self.parameters, &self.sid, r)
    }

    /// Returns the hash of items to values.
    pub(super) fn value_hash(&self, salt: &[u8; HASH_BYTES]) -> ValueHash {
        ValueHash::new(self.backend, &self.sid, salt)
    }

    /// Returns the hash that makes tags and report values.
    pub(super) fn output(&self, salt: &[u8; HASH_BYTES]) -> Output {
        let key = blake3::derive_key(TAG_KEY_CONTEXT, &[self.suite.name().as_bytes(), &self.sid, salt].concat());
        Output::new(self.backend, key, self.tag_bytes)
    }

    /// Returns the commitment to the sender's part of the mask.
    pub(super) fn commitment(&self, mask: &[u8; BLOCK_BYTES]) -> [u8; HASH_BYTES] {
        blake3::derive_key(COMMITMENT_CONTEXT, &[&self.sid[..], mask].concat())
    }

    /// Starts the hash of the `okvs` message, to which the receiver commits.
    pub(super) fn binding(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(BIND_CONTEXT);
        hasher.update(&self.sid);
        hasher
    }

    /// Returns the length of what stands before A + P in the `okvs` message: r, then `w_r` or the salt.
    pub(super) fn okvs_header_bytes(&self) -> usize {
        BLOCK_BYTES + if self.malicious { BLOCK_BYTES } else { HASH_BYTES }
    }

    /// Returns the bins that are worked on in one step, of those from `start`.
    pub(super) fn bins_of_step(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        start..end.min(start + BINS_PER_STEP * self.threads.count())
    }
}

/// What turns an item into its tag and its report value.
pub(super) struct Evaluation<'a> {
    pub(super) rows: &'a RowHash,
    pub(super) output: &'a Output,
    /// w, or zero.
    pub(super) mask: u128,
    /// The sender's delta and hash of values; none at the receiver.
    pub(super) delta: Option<(u128, &'a ValueHash)>,
}

impl Evaluation<'_> {
    /// Returns the items of some bins in pieces, each with the columns of its bin: those of the whole store are `columns`,
    /// C at the receiver and B' at the sender.
    pub(super) fn pieces<'a>(
        &self,
        range: std::ops::Range<usize>,
        columns: &'a [u128],
        items_of: impl Fn(usize) -> Items<'a>,
    ) -> impl Iterator<Item = Piece<'a>> {
        let bin_columns = self.rows.parameters().bin_columns();
        range.flat_map(move |bin| {
            let columns = &columns[bin * bin_columns..(bin + 1) * bin_columns];
            items_of(bin).chunks(PIECE).map(move |items| Piece { items, columns })
        })
    }

    /// Makes the tags and, where `reports` is not empty, the report values of the items of a piece.
    pub(super) fn evaluate<V: Value>(&self, piece: &Piece<'_>, tags: &mut [u128], reports: &mut [u128]) {
        let mut values = Zeroizing::new([0; CHUNK]);
        let mut hashed = Zeroizing::new(vec![V::default(); if self.delta.is_some() { CHUNK } else { 0 }]);
        let mut picked = Vec::new();
        let decoder = BinDecoder::new(self.rows, piece.columns);
        let chunks: Vec<_> = piece.items.chunks(CHUNK).collect();
        for (number, (items, tags)) in chunks.iter().zip(tags.chunks_mut(CHUNK)).enumerate() {
            let (items, next) = (items.in_order(&mut picked), chunks.get(number + 1));
            let values = &mut values[..items.len()];
            decoder.decode(items, values);
            if let Some((delta, value_hash)) = self.delta {
                let hashed = &mut hashed[..items.len()];
                value_hash.values(items, hashed);
                V::scale_add(self.rows.backend(), delta, hashed, values);
            }
            self.output.each(
                values,
                self.mask,
                |i| {
                    if let Some(next) = next {
                        next.ask_for(i); // it comes while the hash is made
                    }
                    &items[i]
                },
                |i, tag, report| {
                    tags[i] = tag;
                    if let Some(place) = reports.get_mut(number * CHUNK + i) {
                        *place = report;
                    }
                },
            );
        }
        Kept::wipe(&mut picked);
    }
}

/// Items of one bin that are evaluated together.
pub(super) struct Piece<'a> {
    pub(super) items: Items<'a>,
    columns: &'a [u128],
}

/// Items in the order of a bin.
#[derive(Clone, Copy)]
pub(super) enum Items<'a> {
    /// They lie in this order.
    There(&'a [[u8; DIGEST_BYTES]]),
    /// Their places in a list.
    In(&'a [[u8; DIGEST_BYTES]], &'a [u32]),
}

impl<'a> Items<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::There(items) => items.len(),
            Self::In(_, places) => places.len(),
        }
    }

    /// Cuts them into pieces of `count` at most.
    fn chunks(self, count: usize) -> impl Iterator<Item = Self> {
        (0..self.len()).step_by(count).map(move |start| {
            let part = start..self.len().min(start + count);
            match self {
                Self::There(items) => Self::There(&items[part]),
                Self::In(list, places) => Self::In(list, &places[part]),
            }
        })
    }

    /// Returns them, copied to `room` if they lie in a list.
    fn in_order<'b>(self, room: &'b mut Vec<[u8; DIGEST_BYTES]>) -> &'b [[u8; DIGEST_BYTES]]
    where
        'a: 'b,
    {
        match self {
            Self::There(items) => items,
            Self::In(list, places) => {
                room.clear();
                room.extend(places.iter().enumerate().map(|(i, place)| {
                    self.ask_for(i + AHEAD);
                    list[*place as usize]
                }));
                room
            }
        }
    }

    /// Asks for the cache line of one of them, if there are so many and they lie in a list.
    #[inline]
    fn ask_for(self, i: usize) {
        if let Self::In(list, places) = self
            && let Some(place) = places.get(i)
        {
            prefetch(list, *place as usize);
        }
    }
}

/// Returns the length of the `extend` message.
pub(super) fn extension_bytes(sizes: &Sizes) -> usize {
    PREFIX_BYTES + softspoken::message_bytes(sizes.padded(), sizes.malicious)
}

/// Takes the next places of a list, as many as it has at most.
#[allow(clippy::mut_mut)] // the list becomes what is behind them
pub(super) fn next_of<'a>(list: &mut &'a mut [u128], count: usize) -> &'a mut [u128] {
    list.split_off_mut(..count.min(list.len())).unwrap_or_default()
}

/// Reads an array from the front of a message whose length was checked.
pub(super) fn array<const N: usize>(message: &[u8], start: usize) -> [u8; N] {
    std::array::from_fn(|i| message[start + i])
}

/// A block of secrets that is wiped when it is dropped.
pub(super) struct Secret(pub(super) u128);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
