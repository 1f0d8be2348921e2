//! The sender of `ecdh` and `ecdh-cardinality`.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::CoreError;
use crate::group::SecretScalar;
use crate::matching::Tag;
use crate::params::{DIGEST_BYTES, ELEMENT_BYTES, ELEMENTS_PER_FRAME, Suite};
use crate::role::ecdh::{Engine, Setup, element_frame, encodings};
use crate::role::frame::{Chunks, Kind, split};
use crate::role::{Phase, Role, Status};

/// Lets the receiver learn which items both have, or how many.
///
/// *Learns* nothing. *The peer learns* the intersection (`ecdh`), or its size alone (`ecdh-cardinality`). *Both see*
/// both sizes. *Holds against* semi-honest parties (security.md).
///
/// Evaluating what has arrived comes first; own tags are made while nothing has. Memory for each of the receiver's
/// items: 32 bytes, in `ecdh-cardinality` 4 more; for each own item 32 bytes of digest and 16 of tag.
pub struct EcdhSender {
    engine: Engine,
    items: Arc<Vec<[u8; DIGEST_BYTES]>>,
    scalar: SecretScalar,
    /// The order in which `ecdh-cardinality` returns evaluated elements; empty in `ecdh`, where it is that of arrival.
    order: Zeroizing<Vec<u32>>,
    blinded: Chunks,
    evaluated: Chunks,
    sent_tags: Chunks,
    /// The receiver's elements in the order of arrival; the first `n_evaluated` of them evaluated.
    elements: Vec<[u8; ELEMENT_BYTES]>,
    n_evaluated: usize,
    own_tags: Vec<Tag>,
    broken: bool,
}

impl EcdhSender {
    /// Makes the role from the digests of its distinct items; `setup.n_peer` is the number of the receiver's items.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`], [`CoreError::RepeatedItem`], [`CoreError::Threads`], [`CoreError::NoThreads`],
    /// and those of [`SecretScalar::draw`].
    pub fn new(items: impl Into<Arc<Vec<[u8; DIGEST_BYTES]>>>, setup: Setup) -> Result<Self, CoreError> {
        let items = items.into();
        let (n_sender, n_receiver) = (items.len(), setup.n_peer);
        let (engine, randomness) = Engine::new(setup, &items, n_sender, n_receiver)?;
        #[allow(clippy::cast_possible_truncation)] // at most MAX_ITEMS
        let shuffled = if engine.suite == Suite::EcdhCardinality { n_receiver as u32 } else { 0 };
        let order = Zeroizing::new(randomness.stream("ecdh sender shuffle").permutation(shuffled));
        Ok(Self {
            scalar: SecretScalar::draw(&mut randomness.stream("ecdh sender scalar"))?,
            order,
            blinded: Chunks::elements(Kind::Blinded, n_receiver),
            evaluated: Chunks::elements(Kind::Evaluated, n_receiver),
            sent_tags: Chunks::tags(n_sender, engine.tag_bytes),
            elements: Vec::with_capacity(n_receiver),
            n_evaluated: 0,
            own_tags: Vec::with_capacity(n_sender),
            broken: false,
            items,
            engine,
        })
    }

    /// Does the next piece of work there is.
    fn step(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        if self.n_evaluated < self.blinded.done() {
            return self.evaluate();
        }
        if self.evaluated_all() && !self.evaluated.complete() {
            return Ok(Some(self.shuffled()));
        }
        if self.evaluated.complete() {
            self.elements = Vec::new();
        }
        if self.own_tags.len() < self.items.len() {
            self.make_tags();
            return Ok(None);
        }
        if !self.evaluated_all() || self.sent_tags.complete() {
            return Ok(None);
        }
        if self.sent_tags.done() == 0 {
            // In order, the tags tell nothing about the order of the items.
            self.engine.threads.sort_by(&mut self.own_tags, Ord::cmp);
        }
        let tags = &self.own_tags[self.sent_tags.pass()];
        let mut frame = Kind::Tags.start(tags.len() * self.engine.tag_bytes);
        for tag in tags {
            tag.append_to(&mut frame, self.engine.tag_bytes);
        }
        Ok(Some(frame))
    }

    fn evaluated_all(&self) -> bool {
        self.n_evaluated == self.blinded.total()
    }

    /// Makes the next frame of `ecdh-cardinality`, whose order is secret.
    fn shuffled(&mut self) -> Vec<u8> {
        let positions = &self.order[self.evaluated.pass()];
        let chunk: Vec<_> = positions.iter().map(|&position| self.elements[position as usize]).collect();
        element_frame(Kind::Evaluated, &chunk)
    }

    /// Evaluates the next chunk; in `ecdh` it leaves at once.
    fn evaluate(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        let start = self.n_evaluated;
        let end = self.blinded.done().min(start + ELEMENTS_PER_FRAME);
        self.engine.multiply_peer(&self.scalar, Kind::Blinded, start, &mut self.elements[start..end])?;
        self.n_evaluated = end;
        if self.evaluated_all() {
            // Complete, so that a repetition shows; before the last of them and any tag leaves.
            self.engine.check_distinct(Kind::Blinded, &self.elements)?;
        }
        if self.engine.suite == Suite::EcdhCardinality {
            return Ok(None);
        }
        Ok(Some(element_frame(Kind::Evaluated, &self.elements[self.evaluated.pass()])))
    }

    /// Makes the tags of the next own items.
    fn make_tags(&mut self) {
        let start = self.own_tags.len();
        let items = &self.items[start..self.items.len().min(start + ELEMENTS_PER_FRAME)];
        let encodings = self.engine.multiply_items(&self.scalar, items);
        self.own_tags.extend(self.engine.tags(&encodings, items));
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        let (kind, body) = split(frame)?;
        if kind != Kind::Blinded {
            return Err(CoreError::UnexpectedFrame { frame: kind.name(), received: 0, allowed: 0 });
        }
        self.blinded.take(body, self.blinded.total())?;
        self.elements.extend(encodings(body));
        Ok(())
    }
}

impl Role for EcdhSender {
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        if self.broken {
            return Err(CoreError::Broken);
        }
        let result = self.step();
        self.broken = result.is_err();
        result
    }

    fn receive(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        if self.broken {
            return Err(CoreError::Broken);
        }
        let result = self.take(frame);
        self.broken = result.is_err();
        result
    }

    fn status(&self) -> Status {
        let (n_receiver, n_sender) = (self.blinded.total(), self.items.len());
        if self.n_evaluated < self.blinded.done() {
            return Status::new(Phase::Evaluate, self.n_evaluated, n_receiver, false);
        }
        if self.evaluated_all() && !self.evaluated.complete() {
            return Status::new(Phase::Evaluate, self.evaluated.done(), n_receiver, false);
        }
        if self.own_tags.len() < n_sender {
            return Status::new(Phase::Tag, self.own_tags.len(), n_sender, false);
        }
        if !self.evaluated_all() {
            return Status::new(Phase::Evaluate, self.n_evaluated, n_receiver, true);
        }
        Status { finished: self.sent_tags.complete(), ..Status::new(Phase::Tag, n_sender, n_sender, false) }
    }
}
