//! Which implementation of the kernels runs: the best that the processor has, or the one that `PSI_BACKEND` names.
//!
//! A kernel is a batch function whose result does not depend on the backend. [`portable`] is its definition; the
//! others are tested against it. A backend is a value that holds evidence of the instructions it needs, so one
//! that the processor lacks cannot be chosen.

use std::sync::OnceLock;

use crate::error::CoreError;

#[cfg(target_arch = "x86_64")]
pub mod avx2;
#[cfg(target_arch = "x86_64")]
pub mod avx512;
pub mod convolution;
pub(crate) mod curve;
#[cfg(target_arch = "x86_64")]
mod curve_avx2;
pub mod memory;
pub mod portable;
mod self_test;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod vector;

#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use avx512::Avx512;

/// Name of the environment variable that forces a backend.
pub const VARIABLE: &str = "PSI_BACKEND";

/// A way to run the kernels, with evidence that this processor can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Plain Rust for every processor.
    Portable,
    /// AVX2, AES-NI and PCLMULQDQ, or their wider forms where present.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 with VAES, VPCLMULQDQ and GFNI.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

/// Runs a kernel on the backend at hand.
macro_rules! dispatch {
    ($backend:expr, $kernel:ident($($argument:expr),*)) => {
        match $backend {
            Backend::Portable => portable::$kernel($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(evidence) => avx2::$kernel(evidence, $($argument),*),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512(evidence) => avx512::$kernel(evidence, $($argument),*),
        }
    };
}

#[allow(clippy::missing_panics_doc)] // each kernel says what lengths it takes; another one is a fault of ours
impl Backend {
    /// Returns the backend of this process: the best one that passes its self-test, or the one that `PSI_BACKEND` names.
    ///
    /// # Errors
    ///
    /// [`CoreError::UnknownBackend`] or [`CoreError::AbsentBackend`] if the variable names one that cannot run,
    /// [`CoreError::FailedSelfTest`] if it names one that computes something else here than the portable one.
    pub fn chosen() -> Result<Self, CoreError> {
        static CHOSEN: OnceLock<Result<Backend, CoreError>> = OnceLock::new();
        CHOSEN
            .get_or_init(|| match std::env::var_os(VARIABLE) {
                None => Ok(Self::best()),
                Some(name) => Self::named(&name.to_string_lossy()).and_then(|backend| {
                    if self_test::passes(backend) { Ok(backend) } else { Err(backend.failed()) }
                }),
            })
            .clone()
    }

    fn failed(self) -> CoreError {
        CoreError::FailedSelfTest { name: self.name() }
    }

    /// Returns the backend of that name.
    ///
    /// # Errors
    ///
    /// As [`Backend::chosen`].
    pub fn named(name: &str) -> Result<Self, CoreError> {
        match name {
            "portable" => Ok(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            "avx2" => {
                Avx2::detect().map(Self::Avx2).ok_or(CoreError::AbsentBackend { name: "avx2", needs: avx2::NEEDS })
            }
            #[cfg(target_arch = "x86_64")]
            "avx512" => Avx512::detect()
                .map(Self::Avx512)
                .ok_or(CoreError::AbsentBackend { name: "avx512", needs: avx512::NEEDS }),
            #[cfg(not(target_arch = "x86_64"))]
            "avx2" => Err(CoreError::AbsentBackend { name: "avx2", needs: "an x86-64 processor" }),
            #[cfg(not(target_arch = "x86_64"))]
            "avx512" => Err(CoreError::AbsentBackend { name: "avx512", needs: "an x86-64 processor" }),
            _ => Err(CoreError::UnknownBackend { name: name.to_owned() }),
        }
    }

    /// Returns every backend that this processor can run, the narrow form of AVX2 included, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut backends = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(evidence) = Avx2::detect() {
                backends.push(Self::Avx2(evidence.narrow()));
                if evidence != evidence.narrow() {
                    backends.push(Self::Avx2(evidence));
                }
            }
            backends.extend(Avx512::detect().map(Self::Avx512));
        }
        backends
    }

    /// Returns the fastest backend that this processor can run and that passes its self-test.
    fn best() -> Self {
        Self::available().into_iter().rfind(|backend| self_test::passes(*backend)).unwrap_or(Self::Portable)
    }

    /// Returns the name by which `PSI_BACKEND` knows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => "avx512",
        }
    }

    /// Replaces each block by its encryption under AES-128 with these round keys.
    pub fn aes_encrypt(self, key: &portable::AesKey, blocks: &mut [u128]) {
        dispatch!(self, aes_encrypt(key, blocks));
    }

    /// Replaces each block `x` by `AES(x) + x`.
    pub fn aes_hash(self, key: &portable::AesKey, blocks: &mut [u128]) {
        dispatch!(self, aes_hash(key, blocks));
    }

    /// Adds `factor * y[i]` to `sum[i]` in GF(2^128); the slices are of one length.
    pub fn gf128_scale_add(self, factor: u128, y: &[u128], sum: &mut [u128]) {
        assert_eq!(y.len(), sum.len());
        dispatch!(self, gf128_scale_add(factor, y, sum));
    }

    /// Multiplies `x[i]` by `y[i]` in GF(2^128); the slices are of one length.
    pub fn gf128_multiply(self, x: &mut [u128], y: &[u128]) {
        assert_eq!(x.len(), y.len());
        dispatch!(self, gf128_multiply(x, y));
    }

    /// Returns the sum over `x[i] * y[i]` in GF(2^128); the slices are of one length.
    #[must_use]
    pub fn gf128_inner_product(self, x: &[u128], y: &[u128]) -> u128 {
        assert_eq!(x.len(), y.len());
        dispatch!(self, gf128_inner_product(x, y))
    }

    /// Adds `factor * y[i]` to `sum[i]` in the quadratic extension of GF(2^64), with `y[i]` in GF(2^64).
    pub fn gf64_scale_add(self, factor: u128, y: &[u64], sum: &mut [u128]) {
        assert_eq!(y.len(), sum.len());
        dispatch!(self, gf64_scale_add(factor, y, sum));
    }

    /// Writes the BLAKE3 hash of the message in each block, which is zero behind it.
    ///
    /// `mode` is [`portable::KEYED`], or [`portable::DERIVED`] with the key of a context.
    pub fn blake3_block(
        self,
        key: &[u32; 8],
        mode: u32,
        lengths: portable::Lengths<'_>,
        blocks: &[[u8; 64]],
        hashes: &mut [[u8; 32]],
    ) {
        assert_eq!(blocks.len(), hashes.len());
        match lengths {
            portable::Lengths::All(length) => assert!(length <= 64, "a message is a block at most"),
            portable::Lengths::Each(lengths) => assert_eq!(lengths.len(), blocks.len()),
        }
        debug_assert!(
            (0..).zip(blocks).all(|(i, block)| block[lengths.of(i) as usize..].iter().all(|&byte| byte == 0))
        );
        dispatch!(self, blake3_block(key, mode, lengths, blocks, hashes));
    }
}

/// Returns each kernel with the implementation that runs here.
///
/// # Errors
///
/// [`CoreError::UnknownBackend`], [`CoreError::AbsentBackend`] or [`CoreError::FailedSelfTest`] if `PSI_BACKEND` names one
/// that cannot run.
pub fn names() -> Result<Vec<(&'static str, String)>, CoreError> {
    let (vole, curve) = (Backend::chosen()?, curve::Kernel::chosen()?);
    let note = |name: &str, is_passed_over| {
        let forced = std::env::var_os(VARIABLE).is_some();
        let why = if is_passed_over && !forced { ", since a faster one failed its self-test here" } else { "" };
        format!("{name}{why}")
    };
    Ok(vec![
        ("vole", note(vole.name(), Backend::available().last() != Some(&vole))),
        ("ristretto255", note(curve.describe(), curve.passed_over())),
        ("blake3", blake3().to_owned()),
        ("architecture", std::env::consts::ARCH.to_owned()),
    ])
}

/// States the choice of the crate blake3 for inputs of many blocks.
fn blake3() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            return "blake3 avx512";
        }
        if is_x86_feature_detected!("avx2") {
            return "blake3 avx2";
        }
        if is_x86_feature_detected!("sse4.1") {
            return "blake3 sse4.1";
        }
        return "blake3 sse2";
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    return "blake3 neon";
    #[allow(unreachable_code)]
    "blake3 portable"
}

#[cfg(test)]
pub(crate) mod tests;
