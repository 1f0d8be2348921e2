//! Which implementation of each kernel runs on this processor: the best, or what `PSI_BACKEND` asks for.
//!
//! The choice is made at run time, so that one portable build serves every processor. The crate blake3 chooses for
//! itself; this file states its rule.

use crate::error::CoreError;

pub(crate) mod curve;
#[cfg(target_arch = "x86_64")]
mod curve_avx2;

/// Returns each kernel with the implementation that runs here.
///
/// # Errors
///
/// [`CoreError::UnknownBackend`] or [`CoreError::AbsentBackend`] if `PSI_BACKEND` names one that cannot run.
pub fn names() -> Result<Vec<(&'static str, &'static str)>, CoreError> {
    Ok(vec![
        ("ristretto255", curve::Kernel::chosen()?.describe()),
        ("blake3", blake3()),
        ("architecture", std::env::consts::ARCH),
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
