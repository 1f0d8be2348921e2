//! Items to digests, and which of them are equal.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;

use crate::error::CoreError;
use crate::params::{DIGEST_BYTES, ITEM_CONTEXT};
use crate::threads::Threads;

/// One key column of a batch of rows, in any of Arrow's encodings of strings.
enum Column<'a> {
    View(&'a StringViewArray),
    Large(&'a LargeStringArray),
    Small(&'a StringArray),
}

impl<'a> Column<'a> {
    /// Takes a column of strings without missing values.
    fn new(index: usize, array: &'a ArrayRef, first_row: usize) -> Result<Self, CoreError> {
        if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)).filter(|_| array.null_count() > 0) {
            return Err(CoreError::MissingValue { column: index, row: first_row + row });
        }
        match array.data_type() {
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            DataType::LargeUtf8 => Ok(Self::Large(array.as_string())),
            DataType::Utf8 => Ok(Self::Small(array.as_string())),
            found => Err(CoreError::ColumnType { column: index, found: found.to_string() }),
        }
    }

    fn value(&self, row: usize) -> &[u8] {
        match self {
            Self::View(array) => array.value(row).as_bytes(),
            Self::Large(array) => array.value(row).as_bytes(),
            Self::Small(array) => array.value(row).as_bytes(),
        }
    }
}

/// Digests the rows of a batch: for each key column the length of the value as u32 and its UTF-8 bytes.
///
/// The lengths make the encoding of a row unambiguous. `first_row` is the number of rows before this batch in its
/// stream, so that an error names the row of the stream. Specified in psi.md, "Items".
///
/// # Errors
///
/// [`CoreError::NoColumns`]; [`CoreError::ColumnType`] for anything but strings; [`CoreError::MissingValue`];
/// [`CoreError::ValueBytes`].
pub fn digest_rows(
    columns: &[ArrayRef],
    first_row: usize,
    threads: &Threads,
) -> Result<Vec<[u8; DIGEST_BYTES]>, CoreError> {
    let rows = columns.first().ok_or(CoreError::NoColumns)?.len();
    let columns: Vec<Column> = columns
        .iter()
        .enumerate()
        .map(|(index, array)| Column::new(index, array, first_row))
        .collect::<Result<_, _>>()?;
    let mut digests = vec![[0; DIGEST_BYTES]; rows];
    threads.try_fill(&mut digests, |first, digests| {
        let mut hasher = blake3::Hasher::new_derive_key(ITEM_CONTEXT);
        for (row, digest) in (first..).zip(digests) {
            hasher.reset();
            for (index, column) in columns.iter().enumerate() {
                let value = column.value(row);
                let length = u32::try_from(value.len()).map_err(|_| CoreError::ValueBytes {
                    column: index,
                    row: first_row + row,
                    bytes: value.len(),
                })?;
                hasher.update(&length.to_le_bytes()).update(value);
            }
            *digest = hasher.finalize().into();
        }
        Ok(())
    })?;
    Ok(digests)
}

/// Which digests are there, and which of them each row has.
#[derive(Debug, PartialEq, Eq)]
pub struct Distinct {
    /// The position of the first occurrence of each distinct digest, ascending.
    pub first: Vec<u32>,
    /// For each position the index in `first` of its digest.
    pub item_of_row: Vec<u32>,
}

/// Collapses equal digests.
///
/// # Errors
///
/// [`CoreError::TooManyItems`] if there are more positions than 32 bits can number.
pub fn distinct(digests: &[[u8; DIGEST_BYTES]], threads: &Threads) -> Result<Distinct, CoreError> {
    let mut first_of_row = vec![0; digests.len()];
    let mut group = None;
    for (_, row) in sorted_positions(digests, threads)? {
        // Equal digests stand in the order of their positions: the first of them leads.
        let first = group.filter(|&first: &u32| digests[first as usize] == digests[row as usize]).unwrap_or(row);
        group = Some(first);
        first_of_row[row as usize] = first;
    }
    let mut first = Vec::new();
    let mut item_of_row = first_of_row;
    let mut items = 0;
    for row in 0..digests.len() {
        let leader = item_of_row[row] as usize; // still a position: only rows above were made into items
        item_of_row[row] = if leader == row {
            first.push(item_of_row[row]);
            items += 1;
            items - 1
        } else {
            item_of_row[leader]
        };
    }
    Ok(Distinct { first, item_of_row })
}

/// Returns two positions of a list that hold equal members: the lowest second position there is, with its first.
///
/// Roles call it for their own items and for the peer's elements.
///
/// # Errors
///
/// [`CoreError::TooManyItems`] if there are more positions than 32 bits can number.
pub fn repeated<const N: usize>(list: &[[u8; N]], threads: &Threads) -> Result<Option<(usize, usize)>, CoreError> {
    Ok(sorted_positions(list, threads)?
        .windows(2)
        .map(|pair| (pair[0].1 as usize, pair[1].1 as usize))
        .filter(|&(first, second)| list[first] == list[second])
        .min_by_key(|&(_, second)| second))
}

/// Returns the positions of a list in the order of its members, equal members by position; with each its prefix.
///
/// The prefix of eight bytes settles nearly every comparison without a look at the list. Time depends on the
/// members, which are no secrets: they are a party's own items, in its own memory, or what the peer sent.
fn sorted_positions<const N: usize>(list: &[[u8; N]], threads: &Threads) -> Result<Vec<(u64, u32)>, CoreError> {
    let count = u32::try_from(list.len())
        .map_err(|_| CoreError::TooManyItems { count: list.len(), limit: u32::MAX as usize })?;
    let mut order: Vec<(u64, u32)> = list.iter().map(prefix).zip(0..count).collect();
    threads.sort_by(&mut order, |a, b| {
        a.0.cmp(&b.0).then_with(|| list[a.1 as usize].cmp(&list[b.1 as usize])).then(a.1.cmp(&b.1))
    });
    Ok(order)
}

/// Returns the first eight bytes as a number of the same order.
fn prefix<const N: usize>(member: &[u8; N]) -> u64 {
    const { assert!(N >= 8) };
    member[..8].iter().fold(0, |prefix, &byte| prefix << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn threads() -> Threads {
        Threads::new(2).unwrap()
    }

    #[test]
    fn rows_are_digested_alike_in_batches_of_any_size() {
        let values: Vec<String> = (0..600).map(|number| format!("person {number}")).collect();
        let whole: ArrayRef = Arc::new(StringViewArray::from_iter_values(&values));
        let expected = digest_rows(&[whole.clone(), whole.clone()], 0, &threads()).unwrap();
        let pieces = [0..1, 1..256, 256..257, 257..600].map(|range| {
            let piece = whole.slice(range.start, range.len());
            digest_rows(&[piece.clone(), piece], range.start, &Threads::new(1).unwrap()).unwrap()
        });
        assert_eq!(pieces.concat(), expected);
    }

    #[test]
    fn what_is_not_a_complete_column_of_strings_is_refused_by_number() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
        let number: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1, 2, 3]));
        let digest = |columns: &[ArrayRef]| digest_rows(columns, 10, &threads()).unwrap_err();
        assert_eq!(digest(&[]), CoreError::NoColumns);
        assert_eq!(digest(&[text.slice(0, 2), text.clone()]), CoreError::MissingValue { column: 1, row: 12 });
        assert_eq!(digest(&[number]), CoreError::ColumnType { column: 0, found: "Int64".to_owned() });
    }

    #[test]
    fn duplicates_collapse_to_their_first_occurrence() {
        let list = |numbers: &[u8]| -> Vec<[u8; DIGEST_BYTES]> {
            // Members that differ after the eight bytes of the prefix only, and members that differ in them.
            numbers
                .iter()
                .map(|&n| if n < 5 { [n; 32] } else { [[9; 16], [n; 16]].concat().try_into().unwrap() })
                .collect()
        };
        for (numbers, first, item_of_row) in [
            (&[][..], vec![], vec![]),
            (&[3], vec![0], vec![0]),
            (&[3, 3], vec![0], vec![0, 0]),
            (&[9, 1, 9, 8, 1, 7, 9], vec![0, 1, 3, 5], vec![0, 1, 0, 2, 1, 3, 0]),
        ] {
            let found = distinct(&list(numbers), &threads()).unwrap();
            assert_eq!(found, Distinct { first, item_of_row }, "{numbers:?}");
        }
        assert_eq!(repeated(&list(&[7, 8, 9, 5]), &threads()), Ok(None));
        assert_eq!(repeated(&list(&[9, 1, 7, 8, 1, 7, 9]), &threads()), Ok(Some((1, 4))));
    }
}
