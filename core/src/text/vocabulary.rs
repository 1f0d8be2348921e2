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
    texts: Vec<u8>,
    ends: Vec<usize>,
    numbers: HashTable<u32>,
    hash: RandomState,
}

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
            let text = if let [column] = columns {
                column.value(row as usize)
            } else {
                joined.clear();
                for column in columns {
                    let value = column.value(row as usize);
                    joined.extend_from_slice(&value.len().to_le_bytes());
                    joined.extend_from_slice(value);
                }
                &joined
            };
            let (number, is_new) = self.number_of(text, limit)?;
            numbered.numbers.push(number);
            if is_new {
                numbered.new_rows.push(row);
            }
        }
        Some(numbered)
    }

    /// Returns the number of a text, and whether it is new.
    fn number_of(&mut self, text: &[u8], limit: usize) -> Option<(u32, bool)> {
        let Self { texts, ends, numbers, hash } = self;
        let key = hash.hash_one(text);
        let known = |number: u32| {
            let number = number as usize;
            let start = number.checked_sub(1).map_or(0, |before| ends[before]);
            &texts[start..ends[number]]
        };
        if let Some(&number) = numbers.find(key, |&number| known(number) == text) {
            return Some((number, false));
        }
        let number = u32::try_from(ends.len()).ok().filter(|_| ends.len() < limit)?;
        numbers.insert_unique(key, number, |&number| hash.hash_one(known(number)));
        texts.extend_from_slice(text);
        ends.push(texts.len());
        Some((number, true))
    }
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
}
