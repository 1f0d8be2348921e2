//! The sender's items, a batch at a time: into the order of bins, to tags and report values, to what was reported.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use crate::backend::memory::{grow, zeroed};
use crate::buckets::Buckets;
use crate::error::CoreError;
use crate::item::repeated;
use crate::okvs::{Bins, Kept, RowHash, Value, ValueHash};
use crate::params::DIGEST_BYTES;
use crate::prg::Randomness;
use crate::role::vole::{Engine, Evaluation, Items, Secret, next_of};
use crate::tags::lookup::Lookup;
use crate::tags::order::{Order, batches};
use crate::tags::output::Output;

/// What follows from the beginning of the `okvs` message.
pub(super) struct Hashes {
    pub(super) rows: RowHash,
    pub(super) values: ValueHash,
    pub(super) output: Output,
    /// w, or zero.
    pub(super) mask: Secret,
}

/// The items of the sender and the batch that is worked on.
pub(super) struct Batches {
    items: Arc<Vec<[u8; DIGEST_BYTES]>>,
    /// The secret order of the items, if there are several batches.
    order: Option<Order>,
    /// The batch at hand and those behind it.
    left: VecDeque<Range<usize>>,
    /// The items of the batch at hand, if there are several batches.
    batch: Vec<[u8; DIGEST_BYTES]>,
    bins: Bins<()>,
    /// Whether the bins have the batch at hand.
    partitioned: bool,
    bins_done: usize,
    /// The tags of the batch, and its report values in the order of the bins.
    tags: Buckets<u128>,
    reports: Vec<u128>,
}

impl Batches {
    /// Takes the items, and draws their order if there are several batches.
    pub(super) fn new(items: Arc<Vec<[u8; DIGEST_BYTES]>>, randomness: &Randomness) -> Self {
        let left: VecDeque<_> = batches(items.len()).into();
        let order = (left.len() > 1).then(|| {
            let mut stream = randomness.stream("vole sender order");
            Order::draw(items.len(), |bytes| stream.fill(bytes))
        });
        Self {
            items,
            order,
            left,
            batch: Vec::new(),
            bins: Bins::new(),
            partitioned: false,
            bins_done: 0,
            tags: Buckets::default(),
            reports: Vec::new(),
        }
    }

    /// Returns whether all items are in one batch, whose report values are kept.
    pub(super) fn single(&self) -> bool {
        self.order.is_none()
    }

    /// Returns whether no batch is left.
    pub(super) fn done(&self) -> bool {
        self.left.is_empty()
    }

    /// Returns whether nothing can be done before there are more columns than those of `bins_there` bins.
    pub(super) fn idle(&self, bins_there: usize) -> bool {
        self.partitioned && self.bins_done == bins_there
    }

    /// Returns whether all items of the batch at hand have their tags.
    pub(super) fn evaluated(&self, engine: &Engine) -> bool {
        self.partitioned && self.bins_done == engine.parameters.bins
    }

    /// Finds the bins of the items of the batch at hand.
    fn partition(&mut self, engine: &Engine, rows: &RowHash) {
        let Some(batch) = self.left.front() else { return };
        let Self { items, order, bins, batch: list, .. } = self;
        engine.threads.install(|| match order {
            None => bins.fill_places(rows, items),
            Some(order) => {
                // Two passes: places follow from each other step by step, and items of a list as long as this one lie far
                // away; by themselves the loads of many items are under way at once.
                let places: Vec<_> = batch.clone().into_par_iter().map(|place| order.item(place)).collect();
                grow(list, places.len(), Kept::wipe);
                list.par_iter_mut().zip(places).for_each(|(item, place)| *item = items[place]);
                bins.fill_places(rows, list);
            }
        });
        self.partitioned = true;
        self.bins_done = 0;
        self.tags = Buckets::with_room(batch.len());
        let reports = if engine.report { batch.len() } else { 0 };
        if self.reports.len() != reports {
            self.reports = zeroed(reports);
        }
    }

    /// Does the next piece of the batch at hand: its order, or the tags of some bins below `bins_there`.
    pub(super) fn evaluate<V: Value>(
        &mut self,
        engine: &Engine,
        hashes: &Hashes,
        delta: u128,
        columns: &[u128],
        bins_there: usize,
    ) {
        if !self.partitioned {
            return self.partition(engine, &hashes.rows);
        }
        let range = engine.bins_of_step(self.bins_done, bins_there);
        let Self { items, order, batch, bins, tags, reports, .. } = self;
        let list: &[_] = if order.is_none() { items } else { batch };
        let mut reports = reports.get_mut(bins.starts()[range.start]..).unwrap_or_default();
        let Hashes { rows, values, output, mask } = hashes;
        let evaluation = Evaluation { rows, output, mask: mask.0, delta: Some((delta, values)) };
        self.bins_done = range.end;
        let pieces: Vec<_> = evaluation
            .pieces(range, columns, |bin| Items::In(list, bins.indices(bin)))
            .map(|piece| {
                let count = piece.items.len();
                (count, (piece, next_of(&mut reports, count)))
            })
            .collect();
        engine.threads.install(|| {
            tags.append(pieces, |(piece, reports), tags| evaluation.evaluate::<V>(&piece, tags, reports));
        });
    }

    /// Returns the tags of the batch at hand, and goes on to the next one.
    pub(super) fn take_tags(&mut self) -> Buckets<u128> {
        self.left.pop_front();
        self.partitioned = false;
        std::mem::take(&mut self.tags)
    }

    /// Returns why two tags of the batch that was taken last are equal: the items are.
    pub(super) fn equal_tags(&self, engine: &Engine) -> CoreError {
        let list = if self.single() { &self.items } else { &self.batch };
        match repeated(list, &engine.threads) {
            Ok(Some((first, second))) => CoreError::RepeatedItem { first, second },
            Ok(None) => CoreError::NotEncodable,
            Err(error) => error,
        }
    }

    /// Forgets the items and what was made of them.
    pub(super) fn clear(&mut self) {
        self.items = Arc::default();
        Kept::wipe(&mut self.batch);
        self.batch = Vec::new();
        self.bins = Bins::new();
        self.tags = Buckets::default();
        self.reports = Vec::new();
    }

    /// Begins again with the first batch, to find out which items were reported.
    pub(super) fn start_again(&mut self, engine: &Engine) {
        self.left = batches(engine.n_sender).into();
        self.partitioned = self.single(); // the only batch is still there, with its report values
        self.bins_done = engine.parameters.bins;
    }

    /// Appends the items of the batch at hand whose report value is in the lookup, and goes on to the next batch.
    pub(super) fn find(&mut self, engine: &Engine, lookup: &Lookup, matched: &mut Vec<u32>) {
        let Some(batch) = self.left.pop_front() else { return };
        self.partitioned = false;
        let Self { bins, order, reports, .. } = self;
        let found: Vec<Vec<u32>> = engine.threads.install(|| {
            let bins = (0..engine.parameters.bins).into_par_iter().map(|bin| {
                let reports = &reports[bins.starts()[bin]..bins.starts()[bin + 1]];
                let own = reports.iter().zip(bins.indices(bin));
                own.filter(|(report, _)| lookup.contains(**report)).map(|(_, index)| *index).collect()
            });
            bins.collect()
        });
        #[allow(clippy::cast_possible_truncation)] // fewer than 2^32 items
        matched.extend(found.concat().into_iter().map(|index| match order {
            None => index,
            Some(order) => order.item(batch.start + index as usize) as u32,
        }));
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        Kept::wipe(&mut self.batch);
    }
}
