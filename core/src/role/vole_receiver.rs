//! The receiver of `vole-malicious` and `vole-semi-honest`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::backend::memory::zeroed;
use crate::error::CoreError;
use crate::gf64::Gf64;
use crate::gf128::Gf128;
use crate::item::repeated;
use crate::okvs::{Bins, RowHash, Triangulated, Value, Workspace};
use crate::ot::base::CHOICE_BYTES;
use crate::params::DIGEST_BYTES;
use crate::role::vole::{BLOCK_BYTES, Engine, Evaluation, HASH_BYTES, Items, Secret, VoleSetup, array, next_of};
use crate::role::vole_frame::{BODY_BYTES, Inbox, Kind, Outbox, split};
use crate::role::{Phase, Role, Status};
use crate::sort::sort;
use crate::tags::code::{Decoder, code_bytes};
use crate::tags::compare::OwnTags;
use crate::tags::order::batches;
use crate::vole::SilentReceiver;

/// The messages of this role, in order.
const OWN_KINDS: [Kind; 5] = [Kind::Extend, Kind::Challenge, Kind::Bind, Kind::Okvs, Kind::Report];
/// The same in the semi-honest suite.
const SEMI_HONEST_KINDS: [Kind; 3] = [Kind::Extend, Kind::Okvs, Kind::Report];

/// Learns which of its items the sender has.
///
/// *Learns* the intersection. *The peer learns* nothing or, where both learn, the items that this role reports. *Both
/// see* both sizes. *Holds against* malicious parties in `vole-malicious`, where a cheating receiver's set is bounded by
/// `n_max` and a cheating sender's by the number of its tags, and semi-honest ones in `vole-semi-honest` (security.md).
pub struct VoleReceiver(Box<dyn Side>);

/// The role for either field.
trait Side: Role + Send {
    fn matched(&self) -> Result<&[u32], CoreError>;
}

impl VoleReceiver {
    /// Makes the role from the digests of its distinct items; `setup.n_peer` is the number of the sender's items.
    ///
    /// # Errors
    ///
    /// [`CoreError::TooManyItems`], [`CoreError::Threads`], [`CoreError::NoThreads`]; those of
    /// [`crate::backend::Backend::chosen`]. Equal items show while they are worked on.
    pub fn new(items: impl Into<Arc<Vec<[u8; DIGEST_BYTES]>>>, setup: VoleSetup) -> Result<Self, CoreError> {
        let items = items.into();
        Ok(Self(if setup.suite.small_field(setup.n_peer) {
            Box::new(Receiver::<Gf64>::new(items, setup)?)
        } else {
            Box::new(Receiver::<Gf128>::new(items, setup)?)
        }))
    }

    /// Returns the indices of the items that the sender has, ascending.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`].
    pub fn matched(&self) -> Result<&[u32], CoreError> {
        self.0.matched()
    }
}

impl Role for VoleReceiver {
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
    /// It makes the correlation, and meanwhile finds out how its items can be encoded.
    Correlate,
    /// It encodes them, and in the semi-honest suite hands out what is encoded.
    Encode,
    /// It has committed to the encoded items, and hands them out.
    HandOut,
    /// It waits for the sender's part of the mask.
    Open,
    /// It makes its own tags.
    Evaluate,
    /// It compares tags as they come.
    Match,
    /// It has its output.
    Finished,
}

struct Receiver<V: Value> {
    engine: Engine,
    stage: Stage,
    inbox: Inbox,
    outbox: Outbox,
    vole: Option<SilentReceiver<V>>,
    /// The items in the order in which they were given, until they are triangulated.
    items: Arc<Vec<[u8; DIGEST_BYTES]>>,
    bins: Bins<[u8; DIGEST_BYTES]>,
    rows: RowHash,
    row_seed: [u8; BLOCK_BYTES],
    triangulated: Option<Triangulated>,
    /// What each thread solves a bin with, and the columns of that bin.
    workspaces: Vec<Mutex<(Workspace, Zeroizing<Vec<V>>)>>,
    /// The sender's, or in the semi-honest suite the own one.
    salt: [u8; HASH_BYTES],
    commitment: [u8; HASH_BYTES],
    /// `w_r`, then w; zero in the semi-honest suite.
    mask: Secret,
    /// A, then A + P.
    masked: Zeroizing<Vec<V>>,
    c: Zeroizing<Vec<u128>>,
    /// Bins that are encoded, later those whose items are evaluated.
    bins_done: usize,
    /// The commitment to A + P, and how many columns are in it.
    binding: blake3::Hasher,
    bound: usize,
    /// Columns of A + P that were handed out.
    handed_out: usize,
    /// Tags and report values of the own items, in the order of the bins.
    tags: Vec<u128>,
    reports: Vec<u128>,
    own: Option<OwnTags>,
    decoders: VecDeque<Decoder>,
    /// The sender's tags of one frame, whose memory the next frame uses again.
    peer_tags: Vec<u128>,
    tags_done: usize,
    matched: Vec<u32>,
    broken: bool,
}

impl<V: Value> Receiver<V> {
    fn new(items: Arc<Vec<[u8; DIGEST_BYTES]>>, setup: VoleSetup) -> Result<Self, CoreError> {
        let (n_sender, n_receiver) = (setup.n_peer, items.len());
        let (engine, randomness) = Engine::new(setup, n_sender, n_receiver)?;
        let mut row_seed = [0; BLOCK_BYTES];
        randomness.stream("vole receiver row seed").fill(&mut row_seed);
        let (mut mask, mut salt) = (Zeroizing::new([0; BLOCK_BYTES]), [0; HASH_BYTES]);
        if engine.malicious {
            randomness.stream("vole receiver mask").fill(&mut *mask);
        } else {
            randomness.stream("vole receiver salt").fill(&mut salt);
        }
        let mut inbox = Inbox::default();
        let mut decoders = VecDeque::new();
        let mut correlation = None;
        if !engine.trivial() {
            let sizes = engine.vole_sizes::<V>()?;
            inbox.expect(Kind::Choose, engine.commitment_bytes() + CHOICE_BYTES);
            for batch in sizes.all_batches() {
                inbox.expect(Kind::Punctured, batch.message_bytes());
            }
            if engine.malicious {
                inbox.expect(Kind::Proof, 2 * HASH_BYTES);
                inbox.expect(Kind::Open, BLOCK_BYTES);
            }
            for batch in batches(n_sender) {
                inbox.expect(Kind::Tags, code_bytes(batch.len(), engine.tag_bytes));
                decoders.push_back(Decoder::new(batch.len(), engine.tag_bytes, engine.malicious));
            }
            correlation = Some(SilentReceiver::new(engine.backend, sizes, engine.sid, &randomness));
        }
        Ok(Self {
            stage: if engine.trivial() { Stage::Finished } else { Stage::Correlate },
            inbox,
            outbox: Outbox::default(),
            vole: correlation,
            items,
            bins: Bins::new(),
            rows: engine.row_hash(&row_seed),
            row_seed,
            triangulated: None,
            workspaces: Vec::new(),
            salt,
            commitment: [0; HASH_BYTES],
            mask: Secret(u128::from_le_bytes(*mask)),
            masked: Zeroizing::default(),
            c: Zeroizing::default(),
            bins_done: 0,
            binding: engine.binding(),
            bound: 0,
            handed_out: 0,
            tags: Vec::new(),
            reports: Vec::new(),
            own: None,
            decoders,
            peer_tags: Vec::new(),
            tags_done: 0,
            matched: Vec::new(),
            broken: false,
            engine,
        })
    }

    /// Does the next piece of work there is.
    fn work(&mut self) -> Result<(), CoreError> {
        match self.stage {
            Stage::Correlate | Stage::Open => match self.inbox.pop() {
                Some((kind, message)) => self.answer(kind, &message),
                None => self.prepare(),
            },
            Stage::Encode if self.triangulated.is_none() => self.prepare(),
            Stage::Encode => {
                self.encode();
                Ok(())
            }
            Stage::HandOut => {
                self.hand_out();
                Ok(())
            }
            Stage::Evaluate => {
                self.evaluate();
                Ok(())
            }
            Stage::Match | Stage::Finished => Ok(()),
        }
    }

    /// Works on a whole message of the sender.
    fn answer(&mut self, kind: Kind, message: &[u8]) -> Result<(), CoreError> {
        let Self { engine, vole: Some(vole), outbox, .. } = self else { return self.open(message) };
        match kind {
            Kind::Choose => {
                let (commitment, choice) = message.split_at(engine.commitment_bytes());
                self.commitment[..commitment.len()].copy_from_slice(commitment);
                let extension = engine.threads.install(|| vole.extension(choice))?;
                outbox.message(Kind::Extend, &extension, true);
            }
            Kind::Punctured => {
                engine.threads.install(|| vole.trees(message))?;
                if vole.next_trees_bytes().is_none() {
                    if engine.malicious {
                        outbox.message(Kind::Challenge, &vole.challenge()?, true);
                    } else {
                        self.start_encoding()?;
                    }
                }
            }
            _ => {
                let (proof, salt) = message.split_at(HASH_BYTES);
                vole.verify(proof)?;
                self.salt.copy_from_slice(salt);
                self.start_encoding()?;
            }
        }
        Ok(())
    }

    /// Finds out how the items can be encoded, while there is nothing else to do.
    fn prepare(&mut self) -> Result<(), CoreError> {
        let Self { engine, items, bins, rows, vole, .. } = self;
        if self.triangulated.is_some() {
            if let Some(vole) = vole {
                engine.threads.install(|| vole.settle());
            }
            return Ok(());
        }
        if bins.starts().is_empty() {
            engine.threads.install(|| bins.fill(rows, items));
            return Ok(());
        }
        match engine.threads.install(|| Triangulated::new(rows, bins)) {
            Ok(triangulated) => self.triangulated = Some(triangulated),
            Err(error) => {
                return Err(match repeated(items, &engine.threads)? {
                    Some((first, second)) => CoreError::RepeatedItem { first, second },
                    None => error,
                });
            }
        }
        self.items = Arc::default();
        Ok(())
    }

    /// Takes the correlation, which nothing can spoil any more.
    fn start_encoding(&mut self) -> Result<(), CoreError> {
        if let Some(vole) = self.vole.take() {
            let output = self.engine.threads.install(|| vole.finish())?;
            (self.masked, self.c) = (output.a, output.c);
        }
        let Self { engine, workspaces, .. } = self;
        workspaces.resize_with(engine.threads.count(), || {
            Mutex::new((Workspace::new(), Zeroizing::new(vec![V::default(); engine.parameters.bin_columns()])))
        });
        if engine.malicious {
            let head = self.okvs_head();
            self.binding.update(&head);
        }
        self.stage = Stage::Encode;
        Ok(())
    }

    /// Returns what stands before A + P: r, then `w_r` or the salt.
    fn okvs_head(&self) -> Vec<u8> {
        let mut head = self.row_seed.to_vec();
        if self.engine.malicious {
            head.extend(self.mask.0.to_le_bytes());
        } else {
            head.extend(self.salt);
        }
        head
    }

    /// Encodes the items of the next bins and adds them to A; meanwhile commits to the bins before them.
    fn encode(&mut self) {
        let Self { engine, bins, triangulated: Some(triangulated), workspaces, masked, .. } = self else { return };
        let Self { binding, bound, .. } = self;
        let parameters = &engine.parameters;
        let range = engine.bins_of_step(self.bins_done, parameters.bins);
        let bin_columns = parameters.bin_columns();
        let hash = engine.value_hash(&self.salt);
        let (encoded, columns) = masked.split_at_mut(range.start * bin_columns);
        let columns = &mut columns[..range.len() * bin_columns];
        let encode = || {
            columns.par_chunks_mut(bin_columns).zip(range.clone()).for_each(|(columns, bin)| {
                // One workspace for each thread: the lock is never waited for.
                let thread = rayon::current_thread_index().unwrap_or(0);
                let mut workspace = workspaces[thread].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let (workspace, encoded) = &mut *workspace;
                triangulated.solve_bin(parameters, bin, bins.items(bin), &hash, workspace, encoded);
                for (column, encoded) in columns.iter_mut().zip(&**encoded) {
                    *column += *encoded;
                }
            });
        };
        if engine.malicious {
            engine.threads.install(|| rayon::join(|| bind(binding, &encoded[*bound..]), encode));
            *bound = encoded.len();
        } else {
            engine.threads.install(encode);
        }
        self.bins_done = range.end;
        let complete = self.bins_done == parameters.bins;
        if !self.engine.malicious {
            while self.hand_out() {}
        }
        if complete {
            self.triangulated = None;
            self.workspaces = Vec::new();
            if self.engine.malicious {
                bind(&mut self.binding, &self.masked[self.bound..self.engine.parameters.columns()]);
                self.outbox.message(Kind::Bind, self.binding.finalize().as_bytes(), true);
                self.stage = Stage::HandOut;
            }
        }
    }

    /// Hands out the next frame of A + P if all its columns are encoded, and goes on after the last; returns whether there
    /// was one. The frames are made as they are sent: all together they would be as large as A.
    fn hand_out(&mut self) -> bool {
        let columns = self.engine.parameters.columns();
        let start = self.handed_out;
        let head = if start == 0 { self.okvs_head() } else { Vec::new() };
        let end = columns.min(start + (BODY_BYTES - head.len()) / V::BYTES);
        if start == columns || end > self.bins_done * self.engine.parameters.bin_columns() {
            return false;
        }
        let mut frame = Kind::Okvs.start(head.len() + (end - start) * V::BYTES);
        frame.extend(head);
        V::encode(&self.masked[start..end], &mut frame);
        self.outbox.frame(frame, end == columns);
        self.handed_out = end;
        if end == columns {
            self.masked = Zeroizing::default();
            self.bins_done = 0;
            self.stage = if self.engine.malicious { Stage::Open } else { Stage::Evaluate };
        }
        true
    }

    /// Takes the sender's part of the mask.
    fn open(&mut self, message: &[u8]) -> Result<(), CoreError> {
        let mut sender_mask: [u8; BLOCK_BYTES] = array(message, 0);
        if self.engine.commitment(&sender_mask) != self.commitment {
            return Err(CoreError::FailedCheck { check: "the opened mask" });
        }
        self.mask.0 ^= u128::from_le_bytes(sender_mask);
        sender_mask.zeroize();
        self.stage = Stage::Evaluate;
        Ok(())
    }

    /// Makes the tags of the items of the next bins.
    fn evaluate(&mut self) {
        let Self { engine, bins, rows, tags, reports, .. } = self;
        let count = engine.n_receiver;
        if tags.is_empty() {
            (*tags, *reports) = (zeroed(count), zeroed(if engine.report { count } else { 0 }));
        }
        let range = engine.bins_of_step(self.bins_done, engine.parameters.bins);
        let start = bins.starts()[range.start];
        let output = engine.output(&self.salt);
        let evaluation = Evaluation { rows, output: &output, mask: self.mask.0, delta: None };
        self.bins_done = range.end;
        let mut own_tags = &mut tags[start..];
        let mut reports = reports.get_mut(start..).unwrap_or_default();
        let pieces: Vec<_> = evaluation
            .pieces(range, &self.c, |bin| Items::There(bins.items(bin)))
            .map(|piece| {
                let count = piece.items.len();
                (piece, next_of(&mut own_tags, count), next_of(&mut reports, count))
            })
            .collect();
        engine.threads.install(|| {
            pieces
                .into_par_iter()
                .for_each(|(piece, tags, reports)| evaluation.evaluate::<V>(&piece, tags, reports));
        });
        if self.bins_done == engine.parameters.bins {
            self.c = Zeroizing::default();
            let tags = std::mem::take(tags);
            self.own = Some(engine.threads.install(|| OwnTags::new(tags)));
            bins.forget_items(); // while the sender makes its tags
            self.stage = Stage::Match;
        }
    }

    /// Compares a piece of the sender's tags with the own ones.
    fn compare(&mut self, body: &[u8]) -> Result<(), CoreError> {
        while self.stage < Stage::Match {
            self.work()?; // all that it needs came before the tags
        }
        let Self { engine, own: Some(own), decoders, peer_tags, .. } = self else { return Ok(()) };
        let Some(decoder) = decoders.front_mut() else { return Ok(()) };
        peer_tags.clear();
        decoder.take(body, peer_tags)?;
        self.tags_done += peer_tags.len();
        self.matched.extend(engine.threads.install(|| own.among(peer_tags)));
        if decoder.complete() {
            decoders.pop_front();
        }
        if decoders.is_empty() {
            self.finish();
        }
        Ok(())
    }

    /// Makes the output, and the report where both learn.
    fn finish(&mut self) {
        self.matched.sort_unstable();
        self.matched.dedup(); // short tags of two items of the sender may be equal
        if self.engine.report {
            let mut values: Vec<u128> = self.matched.iter().map(|&place| self.reports[place as usize]).collect();
            sort(&mut values);
            self.report(&values);
        }
        // Places in the order of the bins become indices in the list that was given.
        let bins = &self.bins;
        let starts = bins.starts();
        let mut bin = 0;
        for place in &mut self.matched {
            while starts[bin + 1] <= *place as usize {
                bin += 1;
            }
            *place = bins.indices(bin)[*place as usize - starts[bin]];
        }
        self.matched.sort_unstable();
        self.own = None;
        self.peer_tags = Vec::new();
        self.reports = Vec::new();
        self.bins = Bins::new();
        self.stage = Stage::Finished;
    }

    /// Sends the report: how many values it has, and these, ascending.
    fn report(&mut self, values: &[u128]) {
        let mut message = Vec::with_capacity((1 + values.len()) * BLOCK_BYTES);
        message.extend_from_slice(&(values.len() as u128).to_le_bytes());
        message.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        self.outbox.message(Kind::Report, &message, true);
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), CoreError> {
        let (kind, body) = split(frame)?;
        let own: &[Kind] = if self.engine.malicious { &OWN_KINDS } else { &SEMI_HONEST_KINDS };
        self.inbox.check(kind, body, own, self.outbox.sent())?;
        if kind == Kind::Tags {
            return self.compare(body);
        }
        self.inbox.keep(kind, body);
        Ok(())
    }
}

/// Commits to the next columns.
fn bind<V: Value>(binding: &mut blake3::Hasher, columns: &[V]) {
    const PIECE: usize = 1 << 12;
    let mut bytes = Vec::with_capacity(PIECE * V::BYTES);
    for columns in columns.chunks(PIECE) {
        bytes.clear();
        V::encode(columns, &mut bytes);
        binding.update(&bytes);
    }
}

impl<V: Value> Side for Receiver<V> {
    fn matched(&self) -> Result<&[u32], CoreError> {
        if self.stage == Stage::Finished && self.outbox.is_empty() {
            return Ok(&self.matched);
        }
        Err(CoreError::NotFinished)
    }
}

impl<V: Value> Role for Receiver<V> {
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
        let bins = self.engine.parameters.bins;
        let idle = self.outbox.is_empty();
        match self.stage {
            Stage::Correlate => {
                let idle = idle && self.inbox.is_empty() && self.triangulated.is_some();
                Status::new(Phase::Correlate, usize::from(self.triangulated.is_some()), 2, idle)
            }
            Stage::Encode => Status::new(Phase::Encode, self.bins_done, bins, false),
            Stage::HandOut => Status::new(Phase::Encode, bins, bins, false),
            Stage::Open => Status::new(Phase::Encode, bins, bins, idle && self.inbox.is_empty()),
            Stage::Evaluate => Status::new(Phase::Finalize, self.bins_done, bins, false),
            Stage::Match => Status::new(Phase::Match, self.tags_done, self.engine.n_sender, idle),
            Stage::Finished => {
                let done = self.engine.n_sender;
                Status { phase: Phase::Match, done, total: done, needs_peer: false, finished: idle }
            }
        }
    }
}
