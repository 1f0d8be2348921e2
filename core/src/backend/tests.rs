//! Every backend of this processor against the portable one, at lengths around the lane widths.

#![allow(clippy::cast_possible_truncation)] // halves of random blocks

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) mod emulated;

use super::*;

/// Returns every backend that can be tried here: AVX-512 also where a test can provide for the instructions that are
/// missing, slowly.
pub(crate) fn every_backend() -> Vec<Backend> {
    let mut backends = Backend::available();
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if backends.iter().all(|backend| backend.name() != "avx512") {
        backends.extend(emulated::avx512().map(Backend::Avx512));
    }
    backends
}

/// Below, at and above 1, 2, 4 lanes and batches of 8, 16 and 32 blocks.
const LENGTHS: [usize; 17] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 101];

/// Reproducible blocks without structure.
pub(crate) fn blocks(label: &str, count: usize) -> Vec<u128> {
    let mut bytes = vec![0; 16 * count];
    blake3::Hasher::new_derive_key("psi/1 test blocks").update(label.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes.as_chunks::<16>().0.iter().map(|block| u128::from_le_bytes(*block)).collect()
}

fn words(label: &str, count: usize) -> Vec<u64> {
    blocks(label, count).into_iter().map(|block| block as u64).collect()
}

#[test]
fn a_backend_is_named_present_or_refused() {
    assert_eq!(Backend::named("portable"), Ok(Backend::Portable));
    assert_eq!(Backend::named("AVX2"), Err(CoreError::UnknownBackend { name: "AVX2".to_owned() }));
    assert_eq!(Backend::named(""), Err(CoreError::UnknownBackend { name: String::new() }));
    for name in ["avx2", "avx512"] {
        let present = Backend::available().iter().any(|backend| backend.name() == name);
        match Backend::named(name) {
            Ok(backend) => assert!(present && backend.name() == name),
            Err(error) => assert!(!present && matches!(error, CoreError::AbsentBackend { .. })),
        }
    }
}

/// Runs `kernel` on every backend and compares all results with the portable one.
fn agree(what: &str, kernel: impl Fn(Backend, usize) -> Vec<u128>) {
    for length in LENGTHS {
        let expected = kernel(Backend::Portable, length);
        for backend in every_backend() {
            assert!(kernel(backend, length) == expected, "{what}, {length} on {backend:?}");
        }
    }
}

#[test]
fn aes_agrees_on_all_backends() {
    let key = portable::AesKey::new(*b"a key of no note");
    agree("aes_encrypt", |backend, length| {
        let mut list = blocks("aes", length);
        backend.aes_encrypt(&key, &mut list);
        list
    });
    agree("aes_hash", |backend, length| {
        let mut list = blocks("aes", length);
        backend.aes_hash(&key, &mut list);
        list
    });
}

#[test]
fn gf128_agrees_on_all_backends() {
    for factor in [0, 1, 1 << 127, u128::MAX, blocks("factor", 1)[0]] {
        agree("gf128_scale_add", |backend, length| {
            let mut sum = blocks("sum", length);
            backend.gf128_scale_add(factor, &blocks("y", length), &mut sum);
            sum
        });
    }
    for y in ["y", "x"] {
        agree("gf128_multiply", |backend, length| {
            let mut x = blocks("x", length);
            backend.gf128_multiply(&mut x, &blocks(y, length));
            x
        });
        agree("gf128_inner_product", |backend, length| {
            vec![backend.gf128_inner_product(&blocks("x", length), &blocks(y, length))]
        });
    }
    agree("gf128_multiply of all ones", |backend, length| {
        let mut x = vec![u128::MAX; length];
        backend.gf128_multiply(&mut x, &vec![u128::MAX; length]);
        x
    });
}

#[test]
fn gf64_agrees_on_all_backends() {
    for factor in [0, 1, 1 << 127, u128::MAX, blocks("factor", 1)[0]] {
        for y in [words("y", 101), vec![u64::MAX; 101]] {
            agree("gf64_scale_add", |backend, length| {
                let mut sum = blocks("sum", length);
                backend.gf64_scale_add(factor, &y[..length], &mut sum);
                sum
            });
        }
    }
}

#[test]
fn products_agree_with_long_multiplication() {
    for (x, y) in blocks("x", 50).into_iter().zip(blocks("y", 50)) {
        let (mut shifted, mut product) = (x, 0);
        for i in 0..128 {
            product ^= shifted & (y >> i & 1).wrapping_neg();
            shifted = shifted << 1 ^ 0x87 & (shifted >> 127).wrapping_neg();
        }
        assert!(portable::gf128_product(x, y) == product);
        let (mut shifted, mut product) = (x as u64, 0);
        for i in 0..64 {
            product ^= shifted & (y as u64 >> i & 1).wrapping_neg();
            shifted = shifted << 1 ^ 0x1b & (shifted >> 63).wrapping_neg();
        }
        assert!(portable::gf64_product(x as u64, y as u64) == product);
    }
}
