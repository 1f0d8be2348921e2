//! What an entry of the store is, and what its columns are multiplied with.

use std::ops::{Add, AddAssign};

use zerocopy::FromZeros;
use zeroize::{DefaultIsZeroes, Zeroize};

use crate::backend::Backend;
use crate::gf64::Gf64;
use crate::gf128::Gf128;

/// An entry: an element of V. The vectors B and C are over a field F of 128 bits that contains V; their elements are
/// blocks (`u128`), and [`Value::scale_add`] gives the blocks their meaning.
pub trait Value:
    DefaultIsZeroes + FromZeros + PartialEq + Add<Output = Self> + AddAssign + Send + Sync + 'static
{
    /// Length of an encoded entry.
    const BYTES: usize;

    /// Takes a hash, or its low part, as an element.
    fn from_hash(hash: u128) -> Self;

    /// Returns the entry as an element of F.
    #[must_use]
    fn to_block(self) -> u128;

    /// Appends the encodings of entries.
    fn encode(entries: &[Self], bytes: &mut Vec<u8>);

    /// Decodes entries; the lengths fit, and every encoding is an entry.
    fn decode(bytes: &[u8], entries: &mut [Self]);

    /// Adds `factor * y[i]` to the block `sum[i]`.
    fn scale_add(backend: Backend, factor: u128, y: &[Self], sum: &mut [u128]);
}

/// The two implementations differ in the integer, the field's name and its kernels.
macro_rules! value {
    ($value:ident, $integer:ident, $bytes:literal, $scale_add:ident) => {
        impl Value for $value {
            const BYTES: usize = $bytes;

            #[allow(clippy::cast_possible_truncation)] // the low part is meant
            fn from_hash(hash: u128) -> Self {
                Self(hash as $integer)
            }

            fn to_block(self) -> u128 {
                u128::from(self.0)
            }

            fn encode(entries: &[Self], bytes: &mut Vec<u8>) {
                bytes.extend(entries.iter().flat_map(|entry| entry.0.to_le_bytes()));
            }

            fn decode(bytes: &[u8], entries: &mut [Self]) {
                assert_eq!(bytes.len(), $bytes * entries.len());
                for (entry, bytes) in entries.iter_mut().zip(bytes.as_chunks::<$bytes>().0) {
                    entry.0 = $integer::from_le_bytes(*bytes);
                }
            }

            fn scale_add(backend: Backend, factor: u128, y: &[Self], sum: &mut [u128]) {
                assert_eq!(y.len(), sum.len());
                let mut integers = [0; 128];
                for (y, sum) in y.chunks(integers.len()).zip(sum.chunks_mut(integers.len())) {
                    let integers = &mut integers[..y.len()];
                    for (integer, y) in integers.iter_mut().zip(y) {
                        *integer = y.0;
                    }
                    backend.$scale_add(factor, integers, sum);
                }
                integers.zeroize();
            }
        }
    };
}

value!(Gf128, u128, 16, gf128_scale_add);
value!(Gf64, u64, 8, gf64_scale_add);
