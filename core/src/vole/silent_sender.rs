//! The sender's side: delta and B, with `C = A*delta + B` (silent-vole.md, 3).

use zeroize::Zeroizing;

use super::base::pack;
use super::check::Check;
use super::code::Code;
use super::forest::Forest;
use super::silent_receiver::{CHALLENGE_BYTES, PREFIX_BYTES};
use super::sizes::{Batch, SACRIFICE_BITS, Sizes};
use crate::backend::Backend;
use crate::backend::memory::zeroed;
use crate::error::CoreError;
use crate::gf128::Gf128;
use crate::ot::base::Chooser;
use crate::ot::softspoken::{self, Extension};
use crate::params::{ELEMENT_BYTES, SID_BYTES};
use crate::prg::Randomness;

/// What the sender has in the end. Wiped when dropped; it has no `Debug`.
pub struct SenderOutput {
    /// The key, fresh for this run.
    pub delta: Zeroizing<u128>,
    /// B, as blocks of F.
    pub b: Zeroizing<Vec<u128>>,
}

/// The sender, which hands out and takes the messages in order; heavy work runs on the pool of the calling thread.
pub struct SilentSender {
    backend: Backend,
    sizes: Sizes,
    sid: [u8; SID_BYTES],
    delta: Zeroizing<u128>,
    chooser: Chooser,
    /// One extension is tried: each failed one would tell the receiver something about delta.
    attempted: bool,
    seeded: Option<Seeded>,
}

/// What the sender has after the extension.
struct Seeded {
    cots: Zeroizing<Vec<u128>>,
    code_seed: [u8; 32],
    forest: Forest,
    base: Zeroizing<Vec<u128>>,
    sacrificed: Zeroizing<u128>,
    /// The code of the batch at hand, and how many batches have been planted.
    code: Code,
    planted: usize,
    /// The first half of the leaves of a batch that is not compressed yet lies in the outputs, the second here.
    tail: Zeroizing<Vec<[u128; 1]>>,
    pending: Option<Batch>,
    next_cot: usize,
    proved: bool,
    bootstrap_outputs: Zeroizing<Vec<u128>>,
    b: Zeroizing<Vec<u128>>,
}

impl SilentSender {
    /// Draws delta and chooses in the base OTs.
    #[must_use]
    pub fn new(backend: Backend, sizes: Sizes, sid: [u8; SID_BYTES], randomness: &Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 16]);
        randomness.stream("vole sender delta").fill(&mut *bytes);
        let delta = Zeroizing::new(u128::from_le_bytes(*bytes));
        let chooser = Chooser::new(&mut randomness.stream("vole sender base ot"), &sid, !*delta);
        Self { backend, sizes, sid, delta, chooser, attempted: false, seeded: None }
    }

    /// Returns message 1, `choice`.
    #[must_use]
    pub fn choice(&self) -> &[u8] {
        self.chooser.message()
    }

    /// Takes message 2, `extension`; checks it before anything that depends on delta exists.
    ///
    /// # Errors
    ///
    /// [`CoreError::ChunkBytes`], [`CoreError::NotCanonical`], [`CoreError::Identity`]; [`CoreError::FailedCheck`] if the
    /// receiver cheated; [`CoreError::UnexpectedFrame`] for a second one, also after a refused one.
    pub fn extension(&mut self, message: &[u8]) -> Result<(), CoreError> {
        let (count, malicious) = (self.sizes.padded(), self.sizes.malicious);
        let expected = PREFIX_BYTES + softspoken::message_bytes(count, malicious);
        if self.attempted {
            return Err(CoreError::UnexpectedFrame { frame: "extension", received: 1, allowed: 1 });
        }
        if message.len() != expected {
            return Err(CoreError::ChunkBytes { frame: "extension", bytes: message.len(), expected });
        }
        self.attempted = true;
        let (halves, _) = message.as_chunks::<ELEMENT_BYTES>();
        let base_keys = self.chooser.keys(&self.sid, &halves[0])?;
        let extension = Extension { backend: self.backend, sid: &self.sid, count, malicious };
        let cots = extension.send(*self.delta, &base_keys, message)?;
        let bits = self.sizes.value_bits;
        let values = self.sizes.path_start();
        let base = cots[..values].chunks(bits).map(|blocks| pack(blocks, bits)).collect();
        let sacrifice = if malicious { SACRIFICE_BITS } else { 0 };
        let sacrificed = Zeroizing::new(pack(&cots[values..values + sacrifice], SACRIFICE_BITS));
        let code_seed = halves[1];
        let first = self.sizes.bootstrap.unwrap_or(self.sizes.batch);
        self.seeded = Some(Seeded {
            cots,
            code_seed,
            forest: Forest::new(self.backend, &self.sid),
            base: Zeroizing::new(base),
            sacrificed,
            code: Code::new(self.backend, &code_seed, first.outputs()),
            planted: 0,
            tail: Zeroizing::new(zeroed(first.outputs())),
            pending: None,
            next_cot: values + sacrifice,
            proved: false,
            bootstrap_outputs: Zeroizing::new(vec![0; self.sizes.bootstrap.map_or(0, Batch::outputs)]),
            b: Zeroizing::new(zeroed(self.sizes.batches * self.sizes.batch.outputs())),
        });
        Ok(())
    }

    /// Returns message 3, `trees`, of the next batch, or nothing after the last.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`] before the extension.
    pub fn trees(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        let seeded = self.seeded.as_mut().ok_or(CoreError::NotFinished)?;
        seeded.settle(self.backend, &self.sizes);
        let number = seeded.planted;
        let Some(batch) = self.sizes.all_batches().nth(number) else { return Ok(None) };
        let bootstrapping = self.sizes.bootstrap.is_some();
        let (head, base) = match number.checked_sub(usize::from(bootstrapping)) {
            None => (&mut seeded.bootstrap_outputs[..], &seeded.base[..]),
            Some(main) => {
                let head = &mut seeded.b[main * batch.outputs()..][..batch.outputs()];
                let base = if bootstrapping { &seeded.bootstrap_outputs } else { &seeded.base };
                (head, &base[main * batch.trees..][..batch.trees])
            }
        };
        let cots = &seeded.cots[seeded.next_cot..];
        let first = seeded.next_cot;
        let message = seeded.forest.plant(batch, *self.delta, cots, first, base, head, &mut seeded.tail);
        seeded.next_cot += batch.trees * batch.depth;
        seeded.planted += 1;
        seeded.pending = Some(batch);
        Ok(Some(message))
    }

    /// Takes message 4, `challenge`, and returns message 5, `proof` (malicious suite).
    ///
    /// # Errors
    ///
    /// [`CoreError::ChunkBytes`]; [`CoreError::NotFinished`] before all trees are made; [`CoreError::UnexpectedFrame`] for a
    /// second one.
    pub fn proof(&mut self, challenge: &[u8]) -> Result<[u8; 32], CoreError> {
        let challenge: &[u8; CHALLENGE_BYTES] = challenge.try_into().map_err(|_| CoreError::ChunkBytes {
            frame: "challenge",
            bytes: challenge.len(),
            expected: CHALLENGE_BYTES,
        })?;
        let planted = self.sizes.messages();
        let seeded =
            self.seeded.as_mut().filter(|seeded| seeded.planted == planted).ok_or(CoreError::NotFinished)?;
        if std::mem::replace(&mut seeded.proved, true) {
            return Err(CoreError::UnexpectedFrame { frame: "challenge", received: 1, allowed: 1 });
        }
        let [chi, noise] = [0, 16].map(|at| u128::from_le_bytes(std::array::from_fn(|i| challenge[at + i])));
        let mut check = Check::new(self.backend, &self.sizes, chi, [0, *seeded.sacrificed]);
        let mut first = self.sizes.path_start() + SACRIFICE_BITS;
        for batch in self.sizes.all_batches() {
            let sums =
                Zeroizing::new(seeded.forest.sums(batch, *self.delta, &seeded.cots[first..], first, &check));
            check.add(batch, &sums, &[]);
            first += batch.trees * batch.depth;
        }
        Ok(check.proof(&self.sid, challenge, (Gf128(noise) * Gf128(*self.delta)).0))
    }

    /// Returns delta and B.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`] before all trees are made.
    pub fn finish(mut self) -> Result<SenderOutput, CoreError> {
        let mut seeded = self
            .seeded
            .take()
            .filter(|seeded| seeded.planted == self.sizes.messages())
            .ok_or(CoreError::NotFinished)?;
        seeded.settle(self.backend, &self.sizes);
        let mut b = std::mem::take(&mut seeded.b);
        b.truncate(self.sizes.length);
        Ok(SenderOutput { delta: self.delta, b })
    }
}

impl Seeded {
    /// Compresses the leaves of the batch before, which need not be done before its message is out.
    fn settle(&mut self, backend: Backend, sizes: &Sizes) {
        let Some(batch) = self.pending.take() else { return };
        self.code.convolve(&mut self.tail);
        match (self.planted - 1).checked_sub(usize::from(sizes.bootstrap.is_some())) {
            None => {
                self.code.add_taps(&self.tail, &mut self.bootstrap_outputs);
                self.code = Code::new(backend, &self.code_seed, sizes.batch.outputs());
                self.tail = Zeroizing::new(zeroed(sizes.batch.outputs()));
            }
            Some(main) => {
                self.code.add_taps(&self.tail, &mut self.b[main * batch.outputs()..][..batch.outputs()]);
            }
        }
    }
}
