//! Every backend against the definition, bit by bit; the affine instruction of GFNI against its description.

use super::super::tests::{blocks as random_blocks, every_backend};
use super::*;

#[allow(clippy::cast_possible_truncation)] // halves of random blocks
fn matrices(label: &str, count: usize) -> Vec<Matrices> {
    let words: Vec<u64> = random_blocks(label, 2 * count)
        .into_iter()
        .flat_map(|block| [block as u64, (block >> 64) as u64])
        .collect();
    words.as_chunks::<4>().0.to_vec()
}

fn entry(columns: u64, row: usize, column: usize) -> bool {
    columns >> (8 * column + row) & 1 == 1
}

/// One pass as silent-vole.md states it.
fn plain_pass(matrices: &[Matrices], x: &[u128]) -> Vec<u128> {
    let apply = |columns: u64, x: &[u128]| -> [u128; BLOCK] {
        std::array::from_fn(|row| {
            (0..BLOCK).filter(|&column| entry(columns, row, column)).fold(0, |sum, column| sum ^ x[column])
        })
    };
    let count = matrices.len();
    let mut y = vec![0; x.len()];
    for i in 0..count {
        let mut sum = x[BLOCK * i..BLOCK * (i + 1)].to_vec();
        for back in 1..=WINDOW.min(i) {
            let product = apply(matrices[i][back], &y[BLOCK * (i - back)..]);
            sum.iter_mut().zip(product).for_each(|(sum, value)| *sum ^= value);
        }
        y[BLOCK * i..BLOCK * (i + 1)].copy_from_slice(&apply(matrices[i][0], &sum));
    }
    let end = y.clone();
    for i in 0..WINDOW {
        let mut sum = [0; BLOCK];
        for back in i + 1..=WINDOW {
            let product = apply(matrices[i][back], &end[BLOCK * (count + i - back)..]);
            sum.iter_mut().zip(product).for_each(|(sum, value)| *sum ^= value);
        }
        for (y, value) in y[BLOCK * i..].iter_mut().zip(apply(matrices[i][0], &sum)) {
            *y ^= value;
        }
    }
    y
}

#[test]
fn every_backend_convolves_as_specified() {
    // From the least number of blocks past the window; around the tables that are made ahead on vectors of 512 bits.
    for count in [3, 4, 5, 6, 7, 31, 32, 33, 40] {
        let (first, second) = (matrices("first", count), matrices("second", count));
        let values: [Vec<u128>; 2] = ["a", "c"].map(|label| random_blocks(label, BLOCK * count));
        let expected = values.each_ref().map(|values| plain_pass(&second, &plain_pass(&first, values)));
        for backend in every_backend() {
            let mut single: Vec<[u128; 1]> = values[0].iter().map(|&value| [value]).collect();
            backend.convolve([&first, &second], &mut single);
            assert!(single.iter().map(|cell| cell[0]).eq(expected[0].iter().copied()), "{count} on {backend:?}");
            let mut double: Vec<[u128; 2]> =
                values[0].iter().zip(&values[1]).map(|(&first, &second)| [first, second]).collect();
            backend.convolve([&first, &second], &mut double);
            for lane in 0..2 {
                let found = double.iter().map(|cell| cell[lane]);
                assert!(found.eq(expected[lane].iter().copied()), "{count}, lane {lane} on {backend:?}");
            }
        }
    }
}

#[test]
fn transposing_exchanges_rows_and_columns() {
    let [columns, ..] = matrices("transpose", 1)[0];
    for (row, column) in (0..8).flat_map(|row| (0..8).map(move |column| (row, column))) {
        assert_eq!(entry(columns, row, column), entry(transpose(columns), column, row));
    }
}

/// The affine instruction on one word, from its description (Intel, volume 2, GF2P8AFFINEQB).
pub(in crate::backend) fn affine(x: u64, matrix: u64) -> u64 {
    let (x, matrix) = (x.to_le_bytes(), matrix.to_le_bytes());
    u64::from_le_bytes(
        x.map(|x| (0..8).fold(0, |byte, i| byte | u8::from((matrix[7 - i] & x).count_ones() % 2 == 1) << i)),
    )
}

/// What the AVX-512 kernel relies on, on processors that cannot run it.
#[cfg(target_arch = "x86_64")]
#[test]
#[allow(clippy::cast_possible_truncation)] // the lowest byte
fn the_affine_instruction_multiplies_and_transposes_as_the_kernel_has_it() {
    let cells = random_blocks("cells", BLOCK);
    let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_le_bytes()).collect();
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    let mut sliced = Vec::new();
    for order in &avx512::SLICE {
        let picked: Vec<u8> = order.iter().map(|&from| bytes[usize::from(from)]).collect();
        sliced.extend(picked.chunks(8).map(|bytes| affine(avx512::RISING, word(bytes)).to_le_bytes()));
    }
    // Byte j of word k has bit 8k + j of the cells.
    for (bit, (cell, value)) in (0..128).flat_map(|bit| cells.iter().enumerate().map(move |cell| (bit, cell))) {
        assert_eq!(u128::from(sliced[bit / 8][bit % 8] >> cell & 1), value >> bit & 1);
    }
    let columns = matrices("matrix", 1)[0][1];
    let rows = affine(avx512::FALLING, columns.swap_bytes());
    for x in sliced.as_flattened() {
        let product = (0..8).filter(|c| x >> c & 1 == 1).fold(0, |sum, c| sum ^ columns.to_le_bytes()[c]);
        assert_eq!(affine(u64::from(*x), rows) as u8, product);
    }
    let turned: Vec<u8> = sliced
        .iter()
        .flat_map(|word| affine(avx512::RISING, u64::from_le_bytes(*word).swap_bytes()).to_le_bytes())
        .collect();
    let back: Vec<u8> = avx512::UNSLICE.iter().flatten().map(|&from| turned[usize::from(from)]).collect();
    assert_eq!(back, bytes);
}
