//! The sender of `vole-malicious` and `vole-semi-honest`.

use std::sync::Arc;

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::error::CoreError;
use crate::gf64::Gf64;
use crate::gf128::Gf128;
use crate::okvs::Value;
use crate::params::DIGEST_BYTES;
use crate::role::vole::{BLOCK_BYTES, Engine, HASH_BYTES, Secret, VoleSetup, array, extension_bytes};
use crate::role::vole_batches::{Batches, Hashes};
use crate::role::vole_frame::{BODY_BYTES, Inbox, Kind, Outbox, split, unexpected};
use crate::role::{Phase, Role, Status};
use crate::tags::code::{Encoder, EqualTags, code_bytes};
use crate::tags::lookup::Lookup;
use crate::vole::SilentSender;

/// The messages of this role, in order.
const OWN_KINDS: [Kind; 5] = [Kind::Choose, Kind::Punctured, Kind::Proof, Kind::Open, Kind::Tags];
/// The same in the semi-honest suite.
const SEMI_HONEST_KINDS: [Kind; 3] = [Kind::Choose, Kind::Punctured, Kind::Tags];
/// Entries that one thread adds to B' at a time.
const PIECE: usize = 1 << 12;

/// Lets the receiver learn which items it shares with this role.
///
/// *Learns* nothing or, where both learn, its items that the receiver reports. *The peer learns* the intersection.
/// *Both see* both sizes. *Holds against* the same parties as [`super::VoleReceiver`].
///
/// Memory: 32 bytes for each own item, 16 for each column of the store, and for each item of a batch 6 bytes of bins, 16
/// of tag, where both learn 16 of report value, and where there are several batches 32 of the item.
pub struct VoleSender(Box<dyn Side>);

/// The role for either field.
trait Side: Role + Send {
    fn matched(&self) -> Result<&[u32], CoreError>;
}

impl VoleSender {
    /// Makes the role from the digests of its distinct items; `setup.n_peer` is the number of the receiver's items.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`], [`CoreError::Threads`], [`CoreError::NoThreads`]; those of
    /// [`crate::backend::Backend::chosen`]. Equal items show when their tags are sorted to be sent, in `vole-malicious`.
    pub fn new(items: impl Into<Arc<Vec<[u8; DIGEST_BYTES]>>>, setup: VoleSetup) -> Result<Self, CoreError> {
        let items = items.into();
        Ok(Self(if setup.suite.small_field(items.len()) {
            Box::new(Sender::<Gf64>::new(items, setup)?)
        } else {
            Box::new(Sender::<Gf128>::new(items, setup)?)
        }))
    }

    /// Returns the indices of the items that the receiver reported, ascending.
    ///
    /// # Errors
    ///
    /// [`CoreError::NoReport`] where the receiver reports nothing; [`CoreError::NotFinished`].
    pub fn matched(&self) -> Result<&[u32], CoreError> {
        self.0.matched()
    }
}

impl Role for VoleSender {
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        self.0.next_frame()
    }

    fn receive(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        self.0.receive(frame)
    }

    fn status(&self) -> Status {
        self.0.status()
    }
}

/// How far the role has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It sends its side of the base OT.
    Choose,
    /// It waits for the extension.
    Extend,
    /// It sends its trees, batch by batch.
    Plant,
    /// It waits for the challenge and for the commitment to A + P.
    Prove,
    /// It takes A + P, and evaluates its items as far as bins are there.
    Evaluate,
    /// It evaluates, sorts and sends its tags, a batch at a time.
    Send,
    /// It waits for the receiver's report.
    Report,
    /// It finds the items that were reported.
    Find,
    /// It has sent its last frame, and forgets what it was made from: nobody waits for that.
    Forget,
    /// Nothing is left to do.
    Finished,
}

struct Sender<V: Value> {
    engine: Engine,
    stage: Stage,
    inbox: Inbox,
    outbox: Outbox,
    vole: Option<SilentSender>,
    /// Batches of the correlation whose trees are not sent yet.
    batches_to_plant: usize,
    batches: Batches,
    own_mask: Zeroizing<[u8; BLOCK_BYTES]>,
    /// The own nonce, or in the semi-honest suite the receiver's salt.
    salt: [u8; HASH_BYTES],
    delta: Secret,
    /// B, then B'.
    b: Zeroizing<Vec<u128>>,
    bound: [u8; HASH_BYTES],
    binding: blake3::Hasher,
    hashes: Option<Hashes>,
    /// The columns of A + P of one frame, and how many have come.
    entries: Vec<V>,
    entries_done: usize,
    encoder: Option<Encoder>,
    tags_done: usize,
    /// How many report values are still to come, once it is known.
    report_to_come: Option<usize>,
    reported: Vec<u128>,
    lookup: Option<Lookup>,
    matched: Vec<u32>,
    broken: bool,
}

impl<V: Value> Sender<V> {
    fn new(items: Arc<Vec<[u8; DIGEST_BYTES]>>, setup: VoleSetup) -> Result<Self, CoreError> {
        let (n_sender, n_receiver) = (items.len(), setup.n_peer);
        let (engine, randomness) = Engine::new(setup, n_sender, n_receiver)?;
        let mut own_mask = Zeroizing::new([0; BLOCK_BYTES]);
        let mut salt = [0; HASH_BYTES];
        if engine.malicious {
            randomness.stream("vole sender mask").fill(&mut *own_mask);
            randomness.stream("vole sender nonce").fill(&mut salt);
        }
        let mut inbox = Inbox::default();
        let (mut vole, mut batches_to_plant) = (None, 0);
        if !engine.trivial() {
            let sizes = engine.vole_sizes::<V>()?;
            inbox.expect(Kind::Extend, extension_bytes(&sizes));
            if engine.malicious {
                inbox.expect(Kind::Challenge, 2 * BLOCK_BYTES);
                inbox.expect(Kind::Bind, HASH_BYTES);
            }
            inbox.expect(Kind::Okvs, engine.okvs_header_bytes() + engine.parameters.columns() * V::BYTES);
            batches_to_plant = sizes.messages();
            let new = || SilentSender::new(engine.backend, sizes, engine.sid, &randomness);
            vole = Some(engine.threads.install(new));
        }
        Ok(Self {
            stage: if engine.trivial() { Stage::Finished } else { Stage::Choose },
            inbox,
            outbox: Outbox::default(),
            vole,
            batches_to_plant,
            batches: Batches::new(items, &randomness),
            own_mask,
            salt,
            delta: Secret(0),
            b: Zeroizing::default(),
            bound: [0; HASH_BYTES],
            binding: engine.binding(),
            hashes: None,
            entries: Vec::new(),
            entries_done: 0,
            encoder: None,
            tags_done: 0,
            report_to_come: None,
            reported: Vec::new(),
            lookup: None,
            matched: Vec::new(),
            broken: false,
            engine,
        })
    }

    /// Does the next piece of work there is.
    fn work(&mut self) -> Result<(), CoreError> {
        match self.stage {
            Stage::Choose => self.choose(),
            Stage::Extend | Stage::Prove => {
                let Some((kind, message)) = self.inbox.pop() else { return Ok(()) };
                return self.answer(kind, &message);
            }
            Stage::Plant => return self.plant(),
            Stage::Evaluate if self.entries_done == self.engine.parameters.columns() => return self.open(),
            Stage::Evaluate if self.hashes.is_some() && !self.batches.idle(self.bins_there()) => self.evaluate(),
            Stage::Send => return self.send_tags(),
            Stage::Find => return self.find_reported(),
            Stage::Forget => {
                self.forget();
                self.stage = Stage::Finished;
            }
            Stage::Evaluate | Stage::Report | Stage::Finished => {}
        }
        Ok(())
    }

    fn choose(&mut self) {
        let Self { engine, vole: Some(vole), outbox, own_mask, .. } = self else { return };
        let mut message = if engine.malicious { engine.commitment(own_mask).to_vec() } else { Vec::new() };
        message.extend(vole.choice());
        outbox.message(Kind::Choose, &message, true);
        self.stage = Stage::Extend;
    }

    /// Works on a whole message of the receiver.
    fn answer(&mut self, kind: Kind, message: &[u8]) -> Result<(), CoreError> {
        let Self { engine, vole: Some(vole), outbox, .. } = self else { return Ok(()) };
        match kind {
            Kind::Extend => {
                engine.threads.install(|| vole.extension(message))?;
                self.stage = Stage::Plant;
            }
            Kind::Challenge => {
                let mut proof = engine.threads.install(|| vole.proof(message))?.to_vec();
                proof.extend(self.salt);
                outbox.message(Kind::Proof, &proof, true);
            }
            _ => {
                self.bound = array(message, 0);
                self.take_correlation()?;
            }
        }
        Ok(())
    }

    /// Sends the trees of the next batch of the correlation, and compresses those of the batch before.
    fn plant(&mut self) -> Result<(), CoreError> {
        let Self { engine, vole: Some(vole), outbox, batches_to_plant, .. } = self else { return Ok(()) };
        if let Some(message) = engine.threads.install(|| vole.trees())? {
            *batches_to_plant -= 1;
            outbox.message(Kind::Punctured, &message, *batches_to_plant == 0);
        } else if engine.malicious {
            self.stage = Stage::Prove;
        } else {
            self.take_correlation()?;
        }
        Ok(())
    }

    /// Takes delta and B, which are done.
    fn take_correlation(&mut self) -> Result<(), CoreError> {
        if let Some(vole) = self.vole.take() {
            let output = self.engine.threads.install(|| vole.finish())?;
            (self.delta.0, self.b) = (*output.delta, output.b);
        }
        self.stage = Stage::Evaluate;
        Ok(())
    }

    /// Takes a piece of the `okvs` message: adds delta times it to B.
    fn take_okvs(&mut self, body: &[u8]) -> Result<(), CoreError> {
        while self.stage < Stage::Evaluate {
            self.work()?; // all that it needs came before
        }
        let mut rest = body;
        if self.hashes.is_none() {
            let (header, behind) = body.split_at(self.engine.okvs_header_bytes());
            self.start_hashes(header);
            rest = behind;
        }
        let Self { engine, entries, entries_done, b, delta, binding, .. } = self;
        entries.resize(rest.len() / V::BYTES, V::default());
        let b = &mut b[*entries_done..*entries_done + entries.len()];
        *entries_done += entries.len();
        let hash = || {
            if engine.malicious {
                binding.update(body);
            }
        };
        let add = || {
            let pieces = entries.par_chunks_mut(PIECE).zip(rest.par_chunks(PIECE * V::BYTES));
            pieces.zip(b.par_chunks_mut(PIECE)).for_each(|((entries, bytes), b)| {
                V::decode(bytes, entries);
                V::scale_add(engine.backend, delta.0, entries, b);
            });
        };
        engine.threads.install(|| rayon::join(hash, add));
        Ok(())
    }

    fn start_hashes(&mut self, header: &[u8]) {
        let engine = &self.engine;
        let mut mask = 0;
        if engine.malicious {
            mask = u128::from_le_bytes(array(header, BLOCK_BYTES)) ^ u128::from_le_bytes(*self.own_mask);
        } else {
            self.salt = array(header, BLOCK_BYTES);
        }
        self.hashes = Some(Hashes {
            rows: engine.row_hash(&array(header, 0)),
            values: engine.value_hash(&self.salt),
            output: engine.output(&self.salt),
            mask: Secret(mask),
        });
    }

    /// Opens its part of the mask when all of `okvs` is what the receiver had committed to.
    fn open(&mut self) -> Result<(), CoreError> {
        if self.engine.malicious {
            if *self.binding.finalize().as_bytes() != self.bound {
                return Err(CoreError::FailedCheck { check: "the commitment to the encoded items" });
            }
            self.outbox.message(Kind::Open, &*self.own_mask, true);
        }
        self.stage = Stage::Send;
        Ok(())
    }

    /// Returns up to which bin the columns are there.
    fn bins_there(&self) -> usize {
        self.entries_done / self.engine.parameters.bin_columns()
    }

    /// Goes on with the tags of the batch at hand.
    fn evaluate(&mut self) {
        let bins_there = self.bins_there();
        let Self { engine, batches, hashes: Some(hashes), delta, b, .. } = self else { return };
        batches.evaluate::<V>(engine, hashes, delta.0, b, bins_there);
    }

    /// Goes on with the batch at hand: evaluates, then sorts, encodes and sends, a frame at a time.
    fn send_tags(&mut self) -> Result<(), CoreError> {
        if let Some(mut encoder) = self.encoder.take() {
            let whole = code_bytes(encoder.count(), self.engine.tag_bytes);
            let mut frame = Kind::Tags.start(BODY_BYTES.min(whole));
            let code = self.engine.threads.install(|| encoder.append_to(&mut frame, BODY_BYTES));
            code.map_err(|EqualTags| self.batches.equal_tags(&self.engine))?;
            let end = encoder.finished();
            let last = end && self.batches.done();
            self.outbox.frame(frame, last);
            if !end {
                self.encoder = Some(encoder);
            }
            if last {
                self.end_tags();
            }
        } else if self.batches.evaluated(&self.engine) {
            let Self { engine, batches, .. } = self;
            let new = || Encoder::new(batches.take_tags(), engine.tag_bytes, engine.malicious);
            let encoder = engine.threads.install(new);
            self.tags_done += encoder.count();
            self.encoder = Some(encoder);
        } else {
            self.evaluate();
        }
        Ok(())
    }

    /// Goes on behind the last tags.
    fn end_tags(&mut self) {
        if !self.engine.report {
            self.stage = Stage::Forget;
            return;
        }
        self.stage = Stage::Report;
        if self.batches.single() {
            self.b = Zeroizing::default(); // the report values of the only batch are kept
        }
    }

    fn forget(&mut self) {
        self.b = Zeroizing::default();
        self.delta.0.zeroize();
        self.hashes = None;
        self.batches.clear();
        self.lookup = None;
    }

    /// Takes a piece of the report: first how many values it has, which ascend.
    fn take_report(&mut self, body: &[u8]) -> Result<(), CoreError> {
        if self.stage != Stage::Report || !self.outbox.is_empty() {
            return Err(unexpected(Kind::Report));
        }
        let wrong = |expected| CoreError::ChunkBytes { frame: Kind::Report.name(), bytes: body.len(), expected };
        let Some((first, behind)) = body.split_first_chunk() else { return Err(wrong(BLOCK_BYTES)) };
        let (to_come, values) = if let Some(to_come) = self.report_to_come {
            (to_come, body)
        } else {
            let limit = self.engine.n_sender.min(self.engine.n_receiver);
            let count = usize::try_from(u128::from_le_bytes(*first)).ok().filter(|&count| count <= limit);
            (count.ok_or(CoreError::FailedCheck { check: "the length of the report" })?, behind)
        };
        let expected = BODY_BYTES.min(to_come * BLOCK_BYTES + body.len() - values.len());
        if body.len() != expected {
            return Err(wrong(expected));
        }
        for value in values.as_chunks().0 {
            let value = u128::from_be_bytes(*value);
            if self.reported.last().is_some_and(|last| value <= *last) {
                return Err(CoreError::FailedCheck { check: "the order of the report" });
            }
            self.reported.push(value);
        }
        let to_come = to_come - values.len() / BLOCK_BYTES;
        self.report_to_come = Some(to_come);
        if to_come == 0 {
            self.lookup = Some(Lookup::new(std::mem::take(&mut self.reported)));
            self.batches.start_again(&self.engine);
            self.stage = Stage::Find;
        }
        Ok(())
    }

    /// Goes on to find the own items that were reported.
    fn find_reported(&mut self) -> Result<(), CoreError> {
        if !self.batches.done() {
            if self.batches.evaluated(&self.engine) {
                let Self { engine, batches, lookup: Some(lookup), matched, .. } = self else { return Ok(()) };
                batches.find(engine, lookup, matched);
            } else {
                self.evaluate();
            }
            return Ok(());
        }
        if self.lookup.as_ref().is_none_or(|lookup| lookup.len() != self.matched.len()) {
            return Err(CoreError::FailedCheck { check: "the reported items" });
        }
        self.matched.sort_unstable();
        self.forget();
        self.stage = Stage::Finished;
        Ok(())
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        let (kind, body) = split(frame)?;
        if kind == Kind::Report {
            return self.take_report(body);
        }
        let own: &[Kind] = if self.engine.malicious { &OWN_KINDS } else { &SEMI_HONEST_KINDS };
        self.inbox.check(kind, body, own, self.outbox.sent())?;
        if kind == Kind::Okvs {
            return self.take_okvs(body);
        }
        self.inbox.keep(kind, body);
        Ok(())
    }
}

impl<V: Value> Side for Sender<V> {
    fn matched(&self) -> Result<&[u32], CoreError> {
        if !self.engine.report {
            return Err(CoreError::NoReport);
        }
        if self.stage == Stage::Finished { Ok(&self.matched) } else { Err(CoreError::NotFinished) }
    }
}

impl<V: Value> Role for Sender<V> {
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        if self.broken {
            return Err(CoreError::Broken);
        }
        if let Some(frame) = self.outbox.pop() {
            return Ok(Some(frame));
        }
        let result = self.work();
        self.broken = result.is_err();
        result.map(|()| self.outbox.pop())
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
        let (n_sender, n_receiver) = (self.engine.n_sender, self.engine.n_receiver);
        let columns = self.engine.parameters.columns();
        let idle = self.outbox.is_empty();
        match self.stage {
            Stage::Choose | Stage::Plant => Status::new(Phase::Correlate, 0, 1, false),
            Stage::Extend | Stage::Prove => Status::new(Phase::Correlate, 0, 1, idle && self.inbox.is_empty()),
            Stage::Evaluate => {
                let waits = self.hashes.is_none() || self.batches.idle(self.bins_there());
                let idle = idle && self.entries_done < columns && waits;
                Status::new(Phase::Evaluate, self.entries_done, columns, idle)
            }
            Stage::Send => Status::new(Phase::Tag, self.tags_done, n_sender, false),
            Stage::Report => Status::new(Phase::Match, self.reported.len(), n_sender.min(n_receiver), idle),
            Stage::Find => Status::new(Phase::Match, n_receiver, n_receiver, false),
            Stage::Forget => Status::new(Phase::Tag, n_sender, n_sender, false),
            Stage::Finished => {
                Status { phase: Phase::Tag, done: n_sender, total: n_sender, needs_peer: false, finished: idle }
            }
        }
    }
}
