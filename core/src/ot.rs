//! Oblivious transfer: 128 base OTs, and from them as many correlated ones as the correlation needs.
//!
//! The PSI sender holds delta: it chooses in the base OTs and is the sender of the correlated ones. Specified in
//! silent-vole.md, sections 4 to 6.

pub mod base;
pub mod softspoken;
mod subspace;
pub mod tree;

use zeroize::Zeroize;

use crate::backend::Backend;
use crate::fixed_key::FixedKey;
use crate::params::SID_BYTES;

/// Returns the first `N` bytes of BLAKE3 in derive-key mode over the concatenated parts.
pub(crate) fn derive<const N: usize>(context: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(part);
    }
    let mut bytes = [0; N];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Returns AES under the public key of one use in one session.
pub(crate) fn session_cipher(backend: Backend, context: &str, sid: &[u8; SID_BYTES]) -> FixedKey {
    FixedKey::new(backend, derive(context, &[sid]))
}

/// Decodes whole blocks.
pub(crate) fn blocks(bytes: &[u8]) -> impl ExactSizeIterator<Item = u128> + '_ {
    bytes.as_chunks::<16>().0.iter().map(|block| u128::from_le_bytes(*block))
}

/// The hash that makes keys of correlated OTs: `pi(pi(v) + j) + pi(v)` for OT number `j` (silent-vole.md, 5.5).
pub struct KeyHash {
    cipher: FixedKey,
}

impl KeyHash {
    /// Takes the permutation of a session.
    #[must_use]
    pub fn new(backend: Backend, sid: &[u8; SID_BYTES]) -> Self {
        Self { cipher: session_cipher(backend, "psi/1 cot key", sid) }
    }

    /// Replaces the blocks of the OTs `first`, `first + 1`, ... by keys; each OT has `N` of them.
    pub fn hash<const N: usize>(&self, first: usize, values: &mut [[u128; N]]) {
        const CHUNK: usize = 32;
        let mut inner = [[0; N]; CHUNK];
        for (chunk, values) in values.chunks_mut(CHUNK).enumerate() {
            self.cipher.encrypt_blocks(values.as_flattened_mut());
            let inner = &mut inner[..values.len()];
            for (i, (inner, values)) in inner.iter_mut().zip(&*values).enumerate() {
                *inner = values.map(|value| value ^ (first + CHUNK * chunk + i) as u128);
            }
            self.cipher.encrypt_blocks(inner.as_flattened_mut());
            for (value, inner) in values.as_flattened_mut().iter_mut().zip(inner.as_flattened()) {
                *value ^= inner;
            }
        }
        inner.as_flattened_mut().zeroize();
    }
}

/// Reproducible blocks without structure.
#[cfg(test)]
pub(crate) fn random_blocks(label: &str, count: usize) -> Vec<u128> {
    let mut bytes = vec![0; 16 * count];
    blake3::Hasher::new_derive_key("psi/1 test blocks").update(label.as_bytes()).finalize_xof().fill(&mut bytes);
    blocks(&bytes).collect()
}
