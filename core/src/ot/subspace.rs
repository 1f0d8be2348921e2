//! The subspace check of the OT extension: all columns of the receiver hold the same bits (silent-vole.md, 5.4).

use super::{blocks, derive};
use crate::backend::Backend;
use crate::params::SID_BYTES;

/// Length of what the receiver sends.
pub const CHECK_BYTES: usize = 48;

/// The linear hash of columns to 128 bits, with the coefficients that all messages before it fix.
pub struct LinearHash {
    backend: Backend,
    coefficients: Vec<u128>,
}

impl LinearHash {
    /// Derives the coefficients for columns of `chunks` blocks.
    #[must_use]
    pub fn new(backend: Backend, sid: &[u8; SID_BYTES], transcript: &[u8], chunks: usize) -> Self {
        let mut bytes = vec![0; 16 * (chunks - 1)];
        let mut hasher = blake3::Hasher::new_derive_key("psi/1 softspoken subspace");
        hasher.update(sid).update(transcript).finalize_xof().fill(&mut bytes);
        Self { backend, coefficients: blocks(&bytes).collect() }
    }

    /// Hashes a column; its last block is the sacrificed one, which masks the rest.
    #[must_use]
    pub fn hash(&self, column: &[u128]) -> u128 {
        let (last, chunks) = column.split_last().map_or((0, column), |(last, chunks)| (*last, chunks));
        last ^ self.backend.gf128_inner_product(&self.coefficients, chunks)
    }
}

/// Hashes what both parties must have: the hashes of all columns, masked at the sender by its delta.
#[must_use]
pub fn digest(sid: &[u8; SID_BYTES], hashes: impl Iterator<Item = u128>) -> [u8; 32] {
    let bytes: Vec<u8> = hashes.flat_map(u128::to_le_bytes).collect();
    derive("psi/1 softspoken columns", &[sid, &bytes])
}
