//! Which implementation of each kernel runs on this processor.
//!
//! The crates choose at run time, so that one portable build serves every processor; this file states their rule.

/// Returns each kernel with the implementation that runs here.
#[must_use]
pub fn names() -> Vec<(&'static str, &'static str)> {
    vec![("ristretto255", ristretto255()), ("blake3", blake3()), ("architecture", std::env::consts::ARCH)]
}

/// States curve25519-dalek's choice, compiled without its AVX-512 backend (see `group.rs`).
fn ristretto255() -> &'static str {
    #[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
    if is_x86_feature_detected!("avx2") {
        return "curve25519-dalek avx2";
    }
    "curve25519-dalek serial"
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
