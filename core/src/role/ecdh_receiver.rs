//! The receiver of `ecdh` and `ecdh-cardinality`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::CoreError;
use crate::group::SecretScalar;
use crate::matching::{Matching, Tag};
use crate::params::{DIGEST_BYTES, ELEMENT_BYTES, ELEMENTS_PER_FRAME, Suite};
use crate::role::ecdh::{Engine, Setup, element_frame, encodings};
use crate::role::frame::{Chunks, Kind, split};
use crate::role::{Phase, Role, Status};

/// Learns which of its items the sender has (`ecdh`), or how many (`ecdh-cardinality`).
///
/// *Learns* the intersection, or its size alone. *The peer learns* nothing. *Both see* both sizes. *Holds against*
/// semi-honest parties: a cheating receiver of `ecdh-cardinality` can find out whether a person of its choice
/// matched, and a cheating sender can make its own choice of which elements match (security.md).
///
/// Memory for each own item: 32 bytes of digest, 32 of what the sender evaluated, 24 of tag.
pub struct EcdhReceiver {
    engine: Engine,
    items: Arc<Vec<[u8; DIGEST_BYTES]>>,
    scalar: SecretScalar,
    inverse: SecretScalar,
    blinded: Chunks,
    evaluated: Chunks,
    tags: Chunks,
    /// What the sender evaluated, in the order of arrival; from the front on unblinded.
    elements: Vec<[u8; ELEMENT_BYTES]>,
    own_tags: Vec<(Tag, u32)>,
    matching: Option<Matching>,
    /// Bodies of `tags` frames that wait for the own tags.
    pending: VecDeque<Vec<u8>>,
    matched: Option<Vec<u32>>,
    broken: bool,
}

impl EcdhReceiver {
    /// Makes the role from the digests of its distinct items; `setup.n_peer` is the number of the sender's items.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`], [`CoreError::RepeatedItem`], [`CoreError::Threads`], [`CoreError::NoThreads`],
    /// and those of [`SecretScalar::draw`].
    pub fn new(items: impl Into<Arc<Vec<[u8; DIGEST_BYTES]>>>, setup: Setup) -> Result<Self, CoreError> {
        let items = items.into();
        let (n_sender, n_receiver) = (setup.n_peer, items.len());
        let (engine, randomness) = Engine::new(setup, &items, n_sender, n_receiver)?;
        let scalar = SecretScalar::draw(&mut randomness.stream("ecdh receiver scalar"))?;
        Ok(Self {
            inverse: scalar.inverse(),
            scalar,
            blinded: Chunks::elements(Kind::Blinded, n_receiver),
            evaluated: Chunks::elements(Kind::Evaluated, n_receiver),
            tags: Chunks::tags(n_sender, engine.tag_bytes),
            elements: Vec::with_capacity(n_receiver),
            own_tags: Vec::with_capacity(n_receiver),
            matching: None,
            pending: VecDeque::new(),
            matched: None,
            broken: false,
            items,
            engine,
        })
    }

    /// Returns the indices of the items that the sender has, ascending.
    ///
    /// # Errors
    ///
    /// [`CoreError::SizeOnly`] in `ecdh-cardinality`; [`CoreError::NotFinished`].
    pub fn matched(&self) -> Result<&[u32], CoreError> {
        match self.engine.suite {
            Suite::Ecdh => self.matched.as_deref().ok_or(CoreError::NotFinished),
            Suite::EcdhCardinality => Err(CoreError::SizeOnly),
        }
    }

    /// Returns how many items the sender has.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`].
    pub fn overlap(&self) -> Result<usize, CoreError> {
        self.matched.as_ref().map(Vec::len).ok_or(CoreError::NotFinished)
    }

    /// Does the next piece of work there is.
    fn step(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        if !self.blinded.complete() {
            let encodings = self.engine.multiply_items(&self.scalar, &self.items[self.blinded.pass()]);
            return Ok(Some(element_frame(Kind::Blinded, &encodings)));
        }
        if self.own_tags.len() < self.elements.len() {
            self.finalize()?;
        } else if self.ready_to_compare() {
            // Complete, so that a repetition shows; before any comparison, so that it shows in nothing else.
            self.engine.check_distinct(Kind::Evaluated, &self.elements)?;
            self.elements = Vec::new();
            self.matching = Some(Matching::new(std::mem::take(&mut self.own_tags), &self.engine.threads));
            self.finish_if_complete();
        } else if let Some(matching) = &mut self.matching
            && let Some(tags) = self.pending.pop_front()
        {
            matching.take(&tags, self.engine.tag_bytes)?;
            self.finish_if_complete();
        }
        Ok(None)
    }

    /// Unblinds the next chunk of evaluated elements and makes the tags of their items.
    fn finalize(&mut self) -> Result<(), CoreError> {
        let start = self.own_tags.len();
        let end = self.elements.len().min(start + ELEMENTS_PER_FRAME);
        let elements = &mut self.elements[start..end];
        self.engine.multiply_peer(&self.inverse, Kind::Evaluated, start, elements)?;
        let tags = self.engine.tags(elements, &self.items[start..end]);
        #[allow(clippy::cast_possible_truncation)] // below MAX_ITEMS
        self.own_tags.extend(tags.into_iter().zip(start as u32..));
        Ok(())
    }

    fn ready_to_compare(&self) -> bool {
        self.matching.is_none() && self.matched.is_none() && self.own_tags.len() == self.items.len()
    }

    fn finish_if_complete(&mut self) {
        if let Some(matching) = self.matching.take_if(|matching| matching.n_peer() == self.tags.total()) {
            self.matched = Some(matching.finish());
        }
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        let (kind, body) = split(frame)?;
        match kind {
            Kind::Blinded => Err(CoreError::UnexpectedFrame { frame: kind.name(), received: 0, allowed: 0 }),
            Kind::Evaluated => {
                // In ecdh-cardinality the sender shuffles, which it can do only with all of them.
                let allowed = match self.engine.suite {
                    Suite::EcdhCardinality if !self.blinded.complete() => 0,
                    _ => self.blinded.done(),
                };
                self.evaluated.take(body, allowed)?;
                self.elements.extend(encodings(body));
                Ok(())
            }
            Kind::Tags => {
                let allowed = if self.evaluated.complete() { self.tags.total() } else { 0 };
                self.tags.take(body, allowed)?;
                self.pending.push_back(body.to_vec());
                Ok(())
            }
        }
    }
}

impl Role for EcdhReceiver {
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
        let total = self.items.len();
        if self.matched.is_some() {
            let done = self.tags.total();
            return Status { phase: Phase::Match, done, total: done, needs_peer: false, finished: true };
        }
        if let Some(matching) = &self.matching {
            return Status::new(Phase::Match, matching.n_peer(), self.tags.total(), self.pending.is_empty());
        }
        if !self.blinded.complete() {
            return Status::new(Phase::Blind, self.blinded.done(), total, false);
        }
        let done = self.own_tags.len();
        Status::new(Phase::Finalize, done, total, done == self.elements.len() && !self.ready_to_compare())
    }
}
