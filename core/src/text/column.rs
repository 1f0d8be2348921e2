//! A column of strings in any of Arrow's encodings.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;

use crate::error::CoreError;

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
