//! Base values of the correlation, packed from correlated OTs (silent-vole.md, 7).

/// Multiplies an element of F by the `x` of V: of GF(2^128), or of both halves GF(2^64).
fn times_x(element: u128, value_bits: usize) -> u128 {
    if value_bits == 128 {
        (element << 1) ^ (0x87 & (element >> 127).wrapping_neg())
    } else {
        const TOPS: u128 = 1 << 127 | 1 << 63;
        let tops = element & TOPS;
        // A top bit is worth 0x1b at the bottom of its half.
        ((element & !TOPS) << 1) ^ ((tops >> 63) * 0x1b)
    }
}

/// Returns the sum over `blocks[i]` times `x^i`; with the blocks of `value_bits` correlated OTs, one side of a base value.
#[must_use]
pub fn pack(blocks: &[u128], value_bits: usize) -> u128 {
    blocks.iter().rev().fold(0, |sum, block| times_x(sum, value_bits) ^ block)
}

/// Returns `count` bits of a list of blocks, from bit `start` on, as an element; at most 128.
#[must_use]
pub fn bits(blocks: &[u128], start: usize, count: usize) -> u128 {
    let (index, offset) = (start / 128, start % 128);
    let mut taken = blocks[index] >> offset;
    if offset + count > 128 {
        taken |= blocks[index + 1] << (128 - offset);
    }
    if count < 128 { taken & ((1 << count) - 1) } else { taken }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gf64::{Gf64, Gf64x2};
    use crate::gf128::Gf128;
    use crate::ot::random_blocks;

    #[test]
    fn packing_gives_the_relation_in_both_fields() {
        let delta = random_blocks("delta", 1)[0];
        let choices = random_blocks("choices", 2);
        for (value_bits, start) in [(128, 0), (128, 77), (64, 0), (64, 64), (64, 100)] {
            let keys = random_blocks("keys", value_bits);
            let a = bits(&choices, start, value_bits);
            let masked: Vec<u128> =
                keys.iter().enumerate().map(|(j, key)| key ^ delta & (a >> j & 1).wrapping_neg()).collect();
            let (b, c) = (pack(&keys, value_bits), pack(&masked, value_bits));
            #[allow(clippy::cast_possible_truncation)] // 64 bits
            let product = match value_bits {
                128 => (Gf128(delta) * Gf128(a)).0,
                _ => (Gf64x2(delta) * Gf64(a as u64)).0,
            };
            assert!(c == product ^ b);
        }
    }
}
