//! Tags of the vole suites: their hash, their order, their code on the wire, and which of mine are among yours.
//!
//! A tag is a `u128` that orders as its bytes do: the first byte is the most significant, and a tag of fewer than 16
//! bytes has zeros behind them. What works on tags here takes a time that depends on them. They are outputs of a
//! pseudorandom function that the sender sends anyway, and the receiver's never leave it; no key is touched.

pub mod code;
pub mod compare;
pub mod lookup;
pub mod order;
pub mod output;
#[cfg(test)]
mod rates;

/// Length of the longest tag and of a report value.
pub const MAX_TAG_BYTES: usize = 16;

/// Cuts a tag to its first `tag_bytes` bytes.
#[must_use]
pub fn cut(tag: u128, tag_bytes: usize) -> u128 {
    debug_assert!((1..=MAX_TAG_BYTES).contains(&tag_bytes));
    tag & (u128::MAX << (8 * (MAX_TAG_BYTES - tag_bytes)))
}
