//! The receiver's side: A and C, with `C = A*delta + B` (silent-vole.md, 3).

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::base::{bits, pack};
use super::check::Check;
use super::code::Code;
use super::forest::{BaseValue, Cots, Forest};
use super::sizes::{Batch, SACRIFICE_BITS, Sizes};
use crate::backend::Backend;
use crate::backend::memory::zeroed;
use crate::error::CoreError;
use crate::okvs::Value;
use crate::ot::base;
use crate::ot::softspoken::{Extension, ReceiverCots};
use crate::params::{ELEMENT_BYTES, SID_BYTES};
use crate::prg::{Randomness, Stream};

/// Length of what precedes the extension in its message: the element of the base OTs and the seed of the code.
pub const PREFIX_BYTES: usize = ELEMENT_BYTES + 32;
/// Length of the message `challenge`.
pub const CHALLENGE_BYTES: usize = 32;
/// Length of the message `proof`.
pub const PROOF_BYTES: usize = 32;

/// What the receiver has in the end. Wiped when dropped; it has no `Debug`.
pub struct ReceiverOutput<V: Value> {
    /// A, over the field V.
    pub a: Zeroizing<Vec<V>>,
    /// C, as blocks of F.
    pub c: Zeroizing<Vec<u128>>,
}

/// The receiver, which hands out and takes the messages in order; heavy work runs on the pool of the calling thread.
pub struct SilentReceiver<V: Value> {
    backend: Backend,
    sizes: Sizes,
    sid: [u8; SID_BYTES],
    base_ot: Stream,
    code_seed: [u8; 32],
    chi: u128,
    seeded: Option<Seeded<V>>,
}

/// What the receiver has after the extension.
struct Seeded<V: Value> {
    cots: ReceiverCots,
    forest: Forest,
    /// The base values of the batch at hand and of those behind it.
    base: Zeroizing<Vec<BaseValue>>,
    code: Code,
    /// How many batches have arrived.
    harvested: usize,
    /// The first half of the leaves of a batch that is not compressed yet lies in the outputs, the second here.
    tail: Zeroizing<Vec<[u128; 2]>>,
    pending: Option<Batch>,
    next_cot: usize,
    check: Option<Check>,
    challenged: bool,
    challenge: Option<[u8; CHALLENGE_BYTES]>,
    verified: bool,
    bootstrap_outputs: (Zeroizing<Vec<V>>, Zeroizing<Vec<u128>>),
    a: Zeroizing<Vec<V>>,
    c: Zeroizing<Vec<u128>>,
}

impl<V: Value> SilentReceiver<V> {
    /// Draws the code, the challenge and the randomness of the base OTs. `sizes` has the width of V.
    #[must_use]
    #[allow(clippy::missing_panics_doc)] // other sizes are a fault of ours
    pub fn new(backend: Backend, sizes: Sizes, sid: [u8; SID_BYTES], randomness: &Randomness) -> Self {
        assert_eq!(sizes.value_bits, 8 * V::BYTES, "the field of A is the one of the sizes");
        let mut code_seed = [0; 32];
        randomness.stream("vole receiver code").fill(&mut code_seed);
        let mut chi = [0; 16];
        randomness.stream("vole receiver check").fill(&mut chi);
        let base_ot = randomness.stream("vole receiver base ot");
        Self { backend, sizes, sid, base_ot, code_seed, chi: u128::from_le_bytes(chi), seeded: None }
    }

    /// Takes message 1, `choice`, and returns message 2, `extension`.
    ///
    /// # Errors
    ///
    /// [`CoreError::ChunkBytes`], [`CoreError::NotCanonical`], [`CoreError::Identity`];
    /// [`CoreError::UnexpectedFrame`] for a second one.
    pub fn extension(&mut self, choice: &[u8]) -> Result<Vec<u8>, CoreError> {
        if self.seeded.is_some() {
            return Err(CoreError::UnexpectedFrame { frame: "choice", received: 1, allowed: 1 });
        }
        let (element, base_keys) = base::sender_keys(&mut self.base_ot, &self.sid, choice)?;
        let mut message = [element, self.code_seed].concat();
        let (count, malicious) = (self.sizes.padded(), self.sizes.malicious);
        let extension = Extension { backend: self.backend, sid: &self.sid, count, malicious };
        let cots = extension.receive(&base_keys, &mut message);
        let packed = |start: usize, count: usize| {
            (bits(&cots.bits, start, count), pack(&cots.blocks[start..start + count], count))
        };
        let width = self.sizes.value_bits;
        let base = (0..self.sizes.packed_values()).map(|value| packed(value * width, width)).collect();
        let values = self.sizes.path_start();
        let check = malicious.then(|| {
            let (a, c) = packed(values, SACRIFICE_BITS);
            Check::new(self.backend, &self.sizes, self.chi, [a, c])
        });
        let first = self.sizes.bootstrap.unwrap_or(self.sizes.batch);
        let bootstrap_outputs = self.sizes.bootstrap.map_or(0, Batch::outputs);
        let outputs = self.sizes.batches * self.sizes.batch.outputs();
        self.seeded = Some(Seeded {
            forest: Forest::new(self.backend, &self.sid),
            base: Zeroizing::new(base),
            code: Code::new(self.backend, &self.code_seed, first.outputs()),
            harvested: 0,
            tail: Zeroizing::new(zeroed(first.outputs())),
            pending: None,
            next_cot: values + if malicious { SACRIFICE_BITS } else { 0 },
            check,
            challenged: false,
            challenge: None,
            verified: !malicious,
            bootstrap_outputs: (
                Zeroizing::new(vec![V::default(); bootstrap_outputs]),
                Zeroizing::new(vec![0; bootstrap_outputs]),
            ),
            a: Zeroizing::new(zeroed(outputs)),
            c: Zeroizing::new(zeroed(outputs)),
            cots,
        });
        Ok(message)
    }

    /// Returns the length of the next message `trees`, or nothing after the last.
    #[must_use]
    pub fn next_trees_bytes(&self) -> Option<usize> {
        let harvested = self.seeded.as_ref().map_or(0, |seeded| seeded.harvested);
        self.sizes.all_batches().nth(harvested).map(Batch::message_bytes)
    }

    /// Takes message 3, `trees`, of the next batch.
    ///
    /// # Errors
    ///
    /// [`CoreError::ChunkBytes`]; [`CoreError::UnexpectedFrame`] for one too many.
    pub fn trees(&mut self, message: &[u8]) -> Result<(), CoreError> {
        let allowed = self.sizes.messages();
        let seeded = self.seeded.as_mut().ok_or(CoreError::NotFinished)?;
        let number = seeded.harvested;
        let Some(batch) = self.sizes.all_batches().nth(number) else {
            return Err(CoreError::UnexpectedFrame { frame: "trees", received: number, allowed });
        };
        let expected = batch.message_bytes();
        if message.len() != expected {
            return Err(CoreError::ChunkBytes { frame: "trees", bytes: message.len(), expected });
        }
        seeded.settle(self.backend, &self.code_seed, &self.sizes);
        let (head, base) = match number.checked_sub(usize::from(self.sizes.bootstrap.is_some())) {
            None => ((&mut seeded.bootstrap_outputs.0[..], &mut seeded.bootstrap_outputs.1[..]), &seeded.base[..]),
            Some(main) => {
                let place = main * batch.outputs()..(main + 1) * batch.outputs();
                (
                    (&mut seeded.a[place.clone()], &mut seeded.c[place]),
                    &seeded.base[main * batch.trees..][..batch.trees],
                )
            }
        };
        let cots = Cots { bits: &seeded.cots.bits, blocks: &seeded.cots.blocks };
        let (first, check) = (seeded.next_cot, seeded.check.as_ref());
        let results = Zeroizing::new(seeded.forest.harvest(
            batch,
            &cots,
            first,
            base,
            message,
            head,
            &mut seeded.tail,
            check,
        ));
        if let Some(check) = &mut seeded.check {
            let sums: Zeroizing<Vec<u128>> = Zeroizing::new(results.iter().map(|&(_, sum)| sum).collect());
            let noise: Zeroizing<Vec<(usize, u128)>> = Zeroizing::new(
                results.iter().zip(base).map(|(&(position, _), &(value, _))| (position, value)).collect(),
            );
            check.add(batch, &sums, &noise);
        }
        seeded.next_cot += batch.trees * batch.depth;
        seeded.harvested += 1;
        seeded.pending = Some(batch);
        Ok(())
    }

    /// Returns message 4, `challenge` (malicious suite), as soon as all trees have arrived.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`] before that, for a second one, and in the semi-honest suite, which has none.
    pub fn challenge(&mut self) -> Result<[u8; CHALLENGE_BYTES], CoreError> {
        let messages = self.sizes.messages();
        let seeded = self.seeded.as_mut().filter(|seeded| seeded.harvested == messages);
        let seeded = seeded.ok_or(CoreError::NotFinished)?;
        if std::mem::replace(&mut seeded.challenged, true) {
            return Err(CoreError::NotFinished);
        }
        let challenge = seeded.check.as_ref().ok_or(CoreError::NotFinished)?.challenge();
        seeded.challenge = Some(challenge);
        Ok(challenge)
    }

    /// Takes message 5, `proof`.
    ///
    /// # Errors
    ///
    /// [`CoreError::ChunkBytes`]; [`CoreError::FailedCheck`] if the sender cheated; [`CoreError::UnexpectedFrame`] before
    /// the challenge, and for a second one.
    pub fn verify(&mut self, proof: &[u8]) -> Result<(), CoreError> {
        let unexpected = CoreError::UnexpectedFrame { frame: "proof", received: 0, allowed: 0 };
        let seeded = self.seeded.as_mut().ok_or(unexpected.clone())?;
        let (Some(challenge), Some(check)) = (seeded.challenge, &seeded.check) else { return Err(unexpected) };
        if proof.len() != PROOF_BYTES {
            return Err(CoreError::ChunkBytes { frame: "proof", bytes: proof.len(), expected: PROOF_BYTES });
        }
        seeded.challenge = None; // one proof is tried
        if !bool::from(check.proof(&self.sid, &challenge, 0).ct_eq(proof)) {
            return Err(CoreError::FailedCheck { check: "the correlation" });
        }
        seeded.verified = true;
        Ok(())
    }

    /// Returns A and C.
    ///
    /// # Errors
    ///
    /// [`CoreError::NotFinished`] before all trees have arrived and, in the malicious suite, the proof has passed.
    pub fn finish(mut self) -> Result<ReceiverOutput<V>, CoreError> {
        let messages = self.sizes.messages();
        let seeded = self.seeded.take().filter(|seeded| seeded.harvested == messages && seeded.verified);
        let mut seeded = seeded.ok_or(CoreError::NotFinished)?;
        seeded.settle(self.backend, &self.code_seed, &self.sizes);
        let (mut a, mut c) = (std::mem::take(&mut seeded.a), std::mem::take(&mut seeded.c));
        a.truncate(self.sizes.length);
        c.truncate(self.sizes.length);
        Ok(ReceiverOutput { a, c })
    }

    /// Compresses the last batch ahead of [`SilentReceiver::finish`], while the proof is on its way.
    pub fn settle(&mut self) {
        if let Some(seeded) = &mut self.seeded {
            seeded.settle(self.backend, &self.code_seed, &self.sizes);
        }
    }
}

impl<V: Value> Seeded<V> {
    /// Compresses the leaves of the batch before, which the sender does not wait for.
    fn settle(&mut self, backend: Backend, code_seed: &[u8; 32], sizes: &Sizes) {
        let Some(batch) = self.pending.take() else { return };
        self.code.convolve(&mut self.tail);
        match (self.harvested - 1).checked_sub(usize::from(sizes.bootstrap.is_some())) {
            None => {
                let (a, c) = &mut self.bootstrap_outputs;
                self.code.add_taps_to_both(&self.tail, a, c);
                self.base = Zeroizing::new(a.iter().zip(&**c).map(|(a, c)| (a.to_block(), *c)).collect());
                self.code = Code::new(backend, code_seed, sizes.batch.outputs());
                self.tail = Zeroizing::new(zeroed(sizes.batch.outputs()));
            }
            Some(main) => {
                let place = main * batch.outputs()..(main + 1) * batch.outputs();
                self.code.add_taps_to_both(&self.tail, &mut self.a[place.clone()], &mut self.c[place]);
            }
        }
    }
}
