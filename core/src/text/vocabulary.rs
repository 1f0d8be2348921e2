//! The different values of some columns, numbered as they come: what was found out of one is then found by its number.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::text::column::Column;

/// The texts that were seen so far.
///
/// Time depends on them; they are a party's own rows in its own memory. The hash is keyed at random, so that no file can
/// be made slow on purpose.
#[derive(Default)]
pub struct Vocabulary {
    count: usize,
    /// Texts that fit a key, with their numbers.
    short: HashTable<(Key, u32)>,
    /// All others: positions among their ends.
    long: HashTable<usize>,
    texts: Vec<u8>,
    /// Where each of them ends, and its number.
    ends: Vec<(usize, u32)>,
    hash: RandomState,
}

/// The bytes of a short text: each value with its length before it, the first byte lowest.
type Key = (u64, u64);

/// The most bytes of it.
const KEY_BYTES: usize = 16;

/// The numbers of the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The number of the text of each row.
    pub numbers: Vec<u32>,
    /// The rows, from 0, whose texts are new, in the order of their numbers.
    pub new_rows: Vec<u32>,
}

impl Vocabulary {
    /// Numbers the rows of a table of one column or more; `None` if there would then be more than `limit` texts.
    ///
    /// The text of several columns is that of all, each with its length before it.
    pub fn number(&mut self, columns: &[Column<'_>], rows: u32, limit: usize) -> Option<Numbered> {
        let mut numbered = Numbered { numbers: Vec::with_capacity(rows as usize), new_rows: Vec::new() };
        let mut joined = Vec::new();
        for row in 0..rows {
            let (number, is_new) = if let Some(key) = key(columns, row as usize) {
                self.number_of_short(key, limit)?
            } else if let [column] = columns {
                self.number_of_long(column.value(row as usize), limit)?
            } else {
                joined.clear();
                for column in columns {
                    let value = column.value(row as usize);
                    joined.extend_from_slice(&value.len().to_le_bytes());
                    joined.extend_from_slice(value);
                }
                self.number_of_long(&joined, limit)?
            };
            numbered.numbers.push(number);
            if is_new {
                numbered.new_rows.push(row);
            }
        }
        Some(numbered)
    }

    /// Returns the number of a text that fits a key, and whether it is new.
    #[inline]
    fn number_of_short(&mut self, key: Key, limit: usize) -> Option<(u32, bool)> {
        let Self { count, short, hash, .. } = self;
        let hashed = hash.hash_one(key);
        if let Some(&(_, number)) = short.find(hashed, |(known, _)| *known == key) {
            return Some((number, false));
        }
        let number = next(count, limit)?;
        short.insert_unique(hashed, (key, number), |(known, _)| hash.hash_one(known));
        Some((number, true))
    }

    /// Returns the number of any other text, and whether it is new.
    fn number_of_long(&mut self, text: &[u8], limit: usize) -> Option<(u32, bool)> {
        let Self { count, long, texts, ends, hash, .. } = self;
        let hashed = hash.hash_one(text);
        let known = |at: usize| {
            let start = at.checked_sub(1).map_or(0, |before| ends[before].0);
            &texts[start..ends[at].0]
        };
        if let Some(&at) = long.find(hashed, |&at| known(at) == text) {
            return Some((ends[at].1, false));
        }
        let number = next(count, limit)?;
        long.insert_unique(hashed, ends.len(), |&at| hash.hash_one(known(at)));
        texts.extend_from_slice(text);
        ends.push((texts.len(), number));
        Some((number, true))
    }
}

/// Returns the key of the texts of a row, if they fit one.
#[inline]
fn key(columns: &[Column<'_>], row: usize) -> Option<Key> {
    let (mut key, mut used) = (0, 0);
    for column in columns {
        let (bytes, length) = column.short(row)?;
        if used + 1 + length > KEY_BYTES {
            return None;
        }
        key |= (bytes << 8 | length as u128) << (8 * used);
        used += 1 + length;
    }
    #[allow(clippy::cast_possible_truncation)] // its two halves
    Some((key as u64, (key >> 64) as u64))
}

/// Returns the number of one text more, unless there are enough.
fn next(count: &mut usize, limit: usize) -> Option<u32> {
    let number = u32::try_from(*count).ok().filter(|_| *count < limit)?;
    *count += 1;
    Some(number)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, StringArray};

    use super::*;

    fn number(vocabulary: &mut Vocabulary, columns: &[&[&str]], limit: usize) -> Option<Numbered> {
        let arrays: Vec<ArrayRef> =
            columns.iter().map(|values| Arc::new(StringArray::from(values.to_vec())) as _).collect();
        let columns: Vec<Column> = arrays.iter().map(|array| Column::new(0, array, 0).unwrap()).collect();
        vocabulary.number(&columns, u32::try_from(arrays[0].len()).unwrap(), limit)
    }

    #[test]
    fn texts_are_numbered_as_they_come() {
        let mut vocabulary = Vocabulary::default();
        let first = number(&mut vocabulary, &[&["b", "", "b", "a"]], 5).unwrap();
        assert_eq!(first, Numbered { numbers: vec![0, 1, 0, 2], new_rows: vec![0, 1, 3] });
        let second = number(&mut vocabulary, &[&["a", "c", "b", "c"]], 5).unwrap();
        assert_eq!(second, Numbered { numbers: vec![2, 3, 0, 3], new_rows: vec![1] });
        assert!(number(&mut vocabulary, &[&["a", "x", "y"]], 5).is_none());
    }

    #[test]
    fn values_of_several_columns_are_not_taken_for_one_another() {
        let found = number(&mut Vocabulary::default(), &[&["a", "ab", "a", ""], &["bc", "c", "bc", "abc"]], 9);
        assert_eq!(found.unwrap().numbers, [0, 1, 0, 2]);
    }

    #[test]
    fn short_and_long_texts_are_numbered_in_one_order() {
        // 12: the longest value that is short; with another one, 14 of both together.
        let texts: Vec<String> = [11, 12, 13, 12, 13].iter().map(|&length| "x".repeat(length)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = Numbered { numbers: vec![0, 1, 2, 1, 2], new_rows: vec![0, 1, 2] };
        assert_eq!(number(&mut Vocabulary::default(), &[&texts], 3), Some(expected));
        assert_eq!(number(&mut Vocabulary::default(), &[&texts], 2), None);
        let shorter: Vec<&str> = texts.iter().map(|text| &text[9..]).collect(); // 2 to 4 bytes
        let expected = Numbered { numbers: vec![0, 1, 2, 1, 2], new_rows: vec![0, 1, 2] };
        assert_eq!(number(&mut Vocabulary::default(), &[&texts, &shorter], 3), Some(expected));
        let values = [["", ""], ["\0", ""], ["", "\0"], ["\u{1}", "a"], ["", "a"], ["a", ""]];
        let columns = [0, 1].map(|column| values.map(|row| row[column]));
        let found = number(&mut Vocabulary::default(), &[&columns[0], &columns[1]], 9);
        assert_eq!(found.unwrap().numbers, [0, 1, 2, 3, 4, 5]);
    }
}
