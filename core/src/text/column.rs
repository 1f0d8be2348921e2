//! A column of strings in any of Arrow's encodings.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;

use crate::error::CoreError;

/// The most bytes of a value that stands in its view.
const SHORT_BYTES: usize = 12;

/// One column of a batch of rows, without missing values.
pub enum Column<'a> {
    /// Strings behind views of sixteen bytes.
    View(&'a StringViewArray),
    /// Strings one behind the other, with positions of 64 bits.
    Large(&'a LargeStringArray),
    /// The same with positions of 32 bits.
    Small(&'a StringArray),
}

impl<'a> Column<'a> {
    /// Takes a column; `index` and `first_row` are its place in the table and the stream, for errors.
    ///
    /// # Errors
    ///
    /// [`CoreError::ColumnType`] for anything but strings; [`CoreError::MissingValue`].
    pub fn new(index: usize, array: &'a ArrayRef, first_row: usize) -> Result<Self, CoreError> {
        if array.null_count() > 0
            && let Some(row) = (0..array.len()).find(|&row| array.is_null(row))
        {
            return Err(CoreError::MissingValue { column: index, row: first_row + row });
        }
        match array.data_type() {
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            DataType::LargeUtf8 => Ok(Self::Large(array.as_string())),
            DataType::Utf8 => Ok(Self::Small(array.as_string())),
            found => Err(CoreError::ColumnType { column: index, found: found.to_string() }),
        }
    }

    /// Returns the bytes of a value, which are UTF-8.
    #[inline]
    #[must_use]
    pub fn value(&self, row: usize) -> &[u8] {
        match self {
            Self::View(array) => array.value(row).as_bytes(),
            Self::Large(array) => array.value(row).as_bytes(),
            Self::Small(array) => array.value(row).as_bytes(),
        }
    }

    /// Returns the bytes of a value of at most twelve, the first of them lowest, and how many they are.
    #[inline]
    #[must_use]
    pub fn short(&self, row: usize) -> Option<(u128, usize)> {
        if let Self::View(array) = self {
            return short_view(array.views()[row]).map(|(encoded, length)| (encoded >> 32, length as usize - 4));
        }
        let value = self.value(row);
        let bytes = || value.iter().rev().fold(0, |bytes, &byte| bytes << 8 | u128::from(byte));
        (value.len() <= SHORT_BYTES).then(|| (bytes(), value.len()))
    }

    /// Returns the views of some rows, if there are views.
    #[must_use]
    pub fn views(&self, rows: std::ops::Range<usize>) -> Option<&[u128]> {
        if let Self::View(array) = self { Some(&array.views()[rows]) } else { None }
    }

    /// Shows each value to a function, in their order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        // One loop for each encoding, so that it is not asked for at each value.
        match self {
            Self::View(array) => array.iter().flatten().for_each(|value| visit(value.as_bytes())),
            Self::Large(array) => array.iter().flatten().for_each(|value| visit(value.as_bytes())),
            Self::Small(array) => array.iter().flatten().for_each(|value| visit(value.as_bytes())),
        }
    }
}

/// The bits of a view that are the length and the bytes of a value of each length.
static OF_VALUE: [u128; SHORT_BYTES + 1] = {
    let mut masks = [0; SHORT_BYTES + 1];
    let mut length = 0;
    while length <= SHORT_BYTES {
        masks[length] = u128::MAX >> (8 * (SHORT_BYTES - length));
        length += 1;
    }
    masks
};

/// Returns what a view says of a value that stands in it: its length as u32 and its bytes, zeros behind them; and how many
/// bytes these are together.
#[inline]
#[must_use]
pub fn short_view(view: u128) -> Option<(u128, u32)> {
    #[allow(clippy::cast_possible_truncation)] // the length is the lowest 32 bits
    let length = view as u32;
    // What stands behind the bytes of the value is for nobody to rely on.
    OF_VALUE.get(length as usize).map(|mask| (view & mask, 4 + length))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_stands_behind_a_short_value_in_its_view_is_left_out() {
        let bytes = u128::from_le_bytes(*b"\x00\x00\x00\x00elevenbytes!");
        for length in 0..=12_u32 {
            let (encoded, used) = short_view(bytes | u128::from(length)).unwrap();
            let expected = [&length.to_le_bytes()[..], &b"elevenbytes!"[..length as usize], &[0; 12]].concat();
            assert_eq!((&encoded.to_le_bytes()[..], used), (&expected[..16], 4 + length));
        }
        assert_eq!(short_view(bytes | 0x0d), None);
    }

    #[test]
    fn short_values_are_alike_in_every_encoding() {
        // 12: the most bytes.
        let values =
            ["", "a", "é1", "elevenbytes", "twelve bytes", "thirteen byte", "and more bytes than a view has"];
        let arrays: [ArrayRef; 3] = [
            Arc::new(StringViewArray::from_iter_values(values)),
            Arc::new(LargeStringArray::from_iter_values(values)),
            Arc::new(StringArray::from_iter_values(values)),
        ];
        for array in &arrays {
            let column = Column::new(0, array, 0).unwrap();
            for (row, value) in values.iter().enumerate() {
                let mut bytes = [0; 16];
                let expected = (value.len() <= 12).then(|| {
                    bytes[..value.len()].copy_from_slice(value.as_bytes());
                    (u128::from_le_bytes(bytes), value.len())
                });
                assert_eq!(column.short(row), expected, "{value}");
            }
        }
    }
}
