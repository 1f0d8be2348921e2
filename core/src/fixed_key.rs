//! AES-128 under a fixed key as a correlation-robust hash: `H(x) = AES_k(x) + x`, over many blocks at once.
//!
//! A block is a little-endian `u128`. The key is public or secret as the caller has it; the model is that of an ideal
//! cipher (security.md).

use crate::backend::Backend;
use crate::backend::portable::AesKey;

/// AES-128 under one key, on one backend. Wiped when dropped; it has no `Debug`.
pub struct FixedKey {
    backend: Backend,
    key: AesKey,
}

impl FixedKey {
    /// Expands a key.
    #[must_use]
    pub fn new(backend: Backend, key: [u8; 16]) -> Self {
        Self { backend, key: AesKey::new(key) }
    }

    /// Replaces each block by its encryption.
    pub fn encrypt_blocks(&self, blocks: &mut [u128]) {
        self.backend.aes_encrypt(&self.key, blocks);
    }

    /// Replaces each block `x` by `AES_k(x) + x`.
    pub fn hash_blocks(&self, blocks: &mut [u128]) {
        self.backend.aes_hash(&self.key, blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_agrees_with_fips_197() {
        // FIPS 197, appendix C.1, and appendix B.
        let cases = [
            (
                0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100_u128,
                0xffee_ddcc_bbaa_9988_7766_5544_3322_1100_u128,
                0x5ac5_b470_80b7_cdd8_3004_7b6a_d8e0_c469_u128,
            ),
            (
                0x3c4f_cf09_8815_f7ab_a6d2_ae28_1615_7e2b,
                0x3407_37e0_a298_3131_8d30_5a88_a8f6_4332,
                0x320b_6a19_9785_11dc_fb09_dc02_1d84_2539,
            ),
        ];
        for backend in Backend::available() {
            for (key, plain, cipher) in cases {
                let key = FixedKey::new(backend, key.to_le_bytes());
                let mut blocks = [plain; 33];
                key.encrypt_blocks(&mut blocks);
                assert_eq!(blocks, [cipher; 33]);
                let mut blocks = [plain; 3];
                key.hash_blocks(&mut blocks);
                assert_eq!(blocks, [cipher ^ plain; 3]);
            }
        }
    }
}
