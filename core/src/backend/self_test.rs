//! Whether the kernels of a backend give, on this very processor, what the portable ones give.
//!
//! A backend is tested when the process first asks for one, and not used unless it agrees: a wrong result of a kernel would
//! be a wrong answer to a peer, or a secret shown. The tests of the crate try far more.

use super::convolution::{BLOCK, Matrices};
use super::{Backend, portable};

/// Blocks of each kernel: more than the widest takes at a time, and a rest.
const COUNT: usize = 37;
/// Cells of the convolution: a few blocks more than its window has.
const CELLS: usize = 8 * BLOCK;
/// The logarithm of the number of rows that are folded.
const FOLD_BITS: usize = 4;
const CONTEXT: &str = "psi/1 self-test";

/// Returns whether every kernel agrees with the portable one.
pub(super) fn passes(backend: Backend) -> bool {
    outputs(backend) == outputs(Backend::Portable)
}

/// Returns what the kernels make of some blocks.
fn outputs(backend: Backend) -> Vec<u128> {
    let (x, y) = (blocks(b"x", COUNT), blocks(b"y", COUNT));
    let key = portable::AesKey::new(x[0].to_le_bytes());
    let mut outputs = Vec::new();
    let mut each = |kernel: &dyn Fn(&mut [u128])| {
        let mut list = x.clone();
        kernel(&mut list);
        outputs.append(&mut list);
    };
    each(&|list| backend.aes_encrypt(&key, list));
    each(&|list| backend.aes_hash(&key, list));
    each(&|list| backend.gf128_scale_add(y[0], &y, list));
    each(&|list| backend.gf128_multiply(list, &y));
    let words: Vec<u64> = y.iter().map(|&block| low(block)).collect();
    each(&|list| backend.gf64_scale_add(y[0], &words, list));
    outputs.push(backend.gf128_inner_product(&x, &y));

    let messages: Vec<[u8; 64]> = blocks(b"messages", 4 * COUNT).as_chunks::<4>().0.iter().map(bytes).collect();
    let mut hashes = vec![[0; 32]; COUNT];
    let lengths = portable::Lengths::All(64);
    backend.blake3_block(&[7; 8], portable::KEYED, lengths, &messages, &mut hashes);
    outputs.extend(hashes.as_flattened().as_chunks::<16>().0.iter().map(|bytes| u128::from_le_bytes(*bytes)));

    let matrices = [b"first", b"again"].map(|label| {
        let words: Vec<u64> = blocks(label, CELLS / 2).iter().map(|&block| low(block)).collect();
        words.as_chunks::<4>().0.to_vec()
    });
    outputs.extend(convolved(backend, &matrices, blocks(b"single", CELLS).as_chunks::<1>().0));
    outputs.extend(convolved(backend, &matrices, blocks(b"double", 2 * CELLS).as_chunks::<2>().0));

    let mut rows = blocks(b"rows", 2 << FOLD_BITS).as_chunks::<2>().0.to_vec();
    let sums = backend.fold::<FOLD_BITS, 2>(&mut rows);
    outputs.extend(sums.as_flattened());
    outputs.extend(rows[0]);
    outputs
}

/// Returns what the convolution and the sums of taps make of cells.
fn convolved<const LANES: usize>(
    backend: Backend,
    matrices: &[Vec<Matrices>; 2],
    cells: &[[u128; LANES]],
) -> Vec<u128> {
    let mut cells = cells.to_vec();
    backend.convolve([&matrices[0], &matrices[1]], &mut cells);
    let taps: [[u32; 3]; 2] = [[0, 9, 63], [1, 62, 31]];
    let mut sums = [[0; LANES]; 2];
    backend.gather(&taps, &cells, &mut sums);
    cells.extend(sums);
    cells.as_flattened().to_vec()
}

/// Returns blocks without structure.
fn blocks(label: &[u8], count: usize) -> Vec<u128> {
    let mut bytes = vec![[0; 16]; count];
    blake3::Hasher::new_derive_key(CONTEXT).update(label).finalize_xof().fill(bytes.as_flattened_mut());
    bytes.into_iter().map(u128::from_le_bytes).collect()
}

#[allow(clippy::cast_possible_truncation)] // the low half is meant
fn low(block: u128) -> u64 {
    block as u64
}

fn bytes(blocks: &[u128; 4]) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (place, block) in bytes.as_chunks_mut::<16>().0.iter_mut().zip(blocks) {
        *place = block.to_le_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::tests::every_backend;
    use super::*;

    #[test]
    fn every_backend_passes() {
        for backend in every_backend() {
            assert!(passes(backend), "{backend:?}");
        }
    }

    #[test]
    fn every_kernel_counts() {
        let outputs = outputs(Backend::Portable);
        assert_eq!(outputs.len(), 5 * COUNT + 1 + 2 * COUNT + 3 * CELLS + 6 + 2 * FOLD_BITS + 2);
        // What is made of blocks without structure has none: a kernel that did nothing would leave the input twice.
        let mut distinct = outputs[..5 * COUNT + 1 + 2 * COUNT].to_vec();
        distinct.extend(blocks(b"x", COUNT));
        distinct.sort_unstable();
        assert!(distinct.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(!outputs.contains(&0));
    }
}
