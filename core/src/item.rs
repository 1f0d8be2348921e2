//! Items to digests, and which of them are equal.

use arrow_array::ArrayRef;
use rayon::prelude::*;

use crate::backend::Backend;
use crate::backend::memory::{advise_huge_pages, zeroed};
use crate::buckets::{Buckets, Table};
use crate::error::CoreError;
use crate::lanes::{ContextHash, MESSAGE_BYTES};
use crate::params::{DIGEST_BYTES, ITEM_CONTEXT};
use crate::text::column::{Column, short_view};
use crate::threads::Threads;

/// Appends the digests of the rows of a batch: for each key column the length of the value as u32 and its UTF-8 bytes.
///
/// The lengths make the encoding of a row unambiguous. The stream of the batch began behind the first `before` digests of
/// the list, so that an error names the row of the stream. Specified in psi.md, "Items".
///
/// # Errors
///
/// [`CoreError::NoColumns`]; [`CoreError::ColumnType`] for anything but strings; [`CoreError::MissingValue`];
/// [`CoreError::ValueBytes`]. What the list has from this batch is of no use then.
pub fn append_digests(
    columns: &[ArrayRef],
    before: usize,
    digests: &mut Vec<[u8; DIGEST_BYTES]>,
    threads: &Threads,
) -> Result<(), CoreError> {
    let rows = columns.first().ok_or(CoreError::NoColumns)?.len();
    let (first_row, start) = (digests.len() - before, digests.len());
    let columns: Vec<Column> = columns
        .iter()
        .enumerate()
        .map(|(index, array)| Column::new(index, array, first_row))
        .collect::<Result<_, _>>()?;
    append_zeros(digests, rows);
    let digests = &mut digests[start..];
    let hash = ContextHash::new(Backend::chosen()?, ITEM_CONTEXT);
    let results: Vec<_> = threads.install(|| {
        let pieces = digests.par_chunks_mut(PIECE).enumerate();
        pieces
            .map_init(Scratch::new, |scratch, (i, digests)| scratch.digest(&hash, &columns, i * PIECE, digests))
            .collect()
    });
    let result: Result<(), CoreError> = results.into_iter().collect();
    result.map_err(|error| match error {
        CoreError::ValueBytes { column, row, bytes } => {
            CoreError::ValueBytes { column, row: first_row + row, bytes }
        }
        other => other,
    })
}

/// Makes room behind a list, which may have gigabytes: by an eighth at least, in place where the system can.
fn append_zeros(digests: &mut Vec<[u8; DIGEST_BYTES]>, rows: usize) {
    if digests.capacity() == 0 {
        *digests = zeroed(rows); // mostly there is one batch: pages that nobody has touched
        return;
    }
    if digests.capacity() - digests.len() < rows {
        digests.reserve_exact(rows.max(digests.len() / 8));
        advise_huge_pages(digests.spare_capacity_mut());
    }
    digests.resize(digests.len() + rows, [0; DIGEST_BYTES]);
}

/// Rows that one thread digests at a time: their blocks stay in the first-level cache.
const PIECE: usize = 256;

/// The memory of one thread.
struct Scratch {
    blocks: Vec<[u8; MESSAGE_BYTES]>,
    lengths: Vec<u32>,
    encoded: Vec<u8>,
}

impl Scratch {
    fn new() -> Self {
        Self { blocks: vec![[0; MESSAGE_BYTES]; PIECE], lengths: vec![0; PIECE], encoded: Vec::new() }
    }

    /// Digests the rows from `first` on: short ones several at once, each long one by itself.
    fn digest(
        &mut self,
        hash: &ContextHash,
        columns: &[Column<'_>],
        first: usize,
        digests: &mut [[u8; DIGEST_BYTES]],
    ) -> Result<(), CoreError> {
        let blocks = &mut self.blocks[..digests.len()];
        let lengths = &mut self.lengths[..digests.len()];
        encode_short(columns, first, blocks, lengths);
        let mut long = Vec::new();
        for (offset, (block, length)) in blocks.iter_mut().zip(&mut *lengths).enumerate() {
            if *length == LONG {
                long.push(offset);
                *block = [0; MESSAGE_BYTES];
                *length = 0;
            }
        }
        hash.hash(lengths, blocks, digests);
        for offset in long {
            encode(columns, first + offset, &mut self.encoded)?;
            digests[offset] = blake3::derive_key(ITEM_CONTEXT, &self.encoded);
        }
        Ok(())
    }
}

/// The length of an encoding that does not fit a block.
const LONG: u32 = u32::MAX;

/// Writes the encodings of the rows from `first` on into blocks, zeros behind them, and their lengths: [`LONG`] for those
/// that are too long.
///
/// Column by column, so that nothing is asked for each value that is the same for all.
fn encode_short(columns: &[Column<'_>], first: usize, blocks: &mut [[u8; MESSAGE_BYTES]], lengths: &mut [u32]) {
    blocks.fill([0; MESSAGE_BYTES]);
    lengths.fill(0);
    for column in columns {
        let rows = first..first + blocks.len();
        let places = blocks.iter_mut().zip(&mut *lengths).zip(rows.clone());
        if let Some(views) = column.views(rows) {
            for (((block, used), row), view) in places.zip(views) {
                // What a short value leaves of its 16 bytes is zero, and the next value begins there.
                if let (Some((encoded, length)), Some(place)) =
                    (short_view(*view), block.get_mut(*used as usize..).and_then(<[u8]>::first_chunk_mut))
                {
                    *place = encoded.to_le_bytes();
                    *used += length;
                } else {
                    append_value(column.value(row), block, used);
                }
            }
        } else {
            places.for_each(|((block, used), row)| append_value(column.value(row), block, used));
        }
    }
}

/// Appends a value to an encoding, if it fits its block.
fn append_value(value: &[u8], block: &mut [u8; MESSAGE_BYTES], used: &mut u32) {
    let place = block.get_mut(*used as usize..).and_then(|rest| rest.get_mut(..4 + value.len()));
    *used = place.map_or(LONG, |place| {
        #[allow(clippy::cast_possible_truncation)] // what fits a block
        let length = value.len() as u32;
        place[..4].copy_from_slice(&length.to_le_bytes());
        place[4..].copy_from_slice(value);
        *used + 4 + length
    });
}

/// Writes the encoding of a row of any length.
fn encode(columns: &[Column<'_>], row: usize, encoded: &mut Vec<u8>) -> Result<(), CoreError> {
    encoded.clear();
    for (index, column) in columns.iter().enumerate() {
        let value = column.value(row);
        let too_long = |_| CoreError::ValueBytes { column: index, row, bytes: value.len() };
        let length = u32::try_from(value.len()).map_err(too_long)?;
        encoded.extend_from_slice(&length.to_le_bytes());
        encoded.extend_from_slice(value);
    }
    Ok(())
}

/// Leaves the first occurrence of each digest in the list; returns for each position the index of its digest there.
///
/// # Errors
///
/// [`CoreError::TooManyItems`] if there are more positions than 32 bits can number.
pub fn collapse(digests: &mut Vec<[u8; DIGEST_BYTES]>, threads: &Threads) -> Result<Vec<u32>, CoreError> {
    let repeats = repeats(digests, threads)?;
    #[allow(clippy::cast_possible_truncation)] // `repeats` refuses more
    let mut item_of_row: Vec<u32> = (0..digests.len() as u32).collect();
    for &(first, row) in &repeats {
        item_of_row[row as usize] = first;
    }
    let Some(first_repeat) = repeats.iter().map(|&(_, row)| row).min() else { return Ok(item_of_row) };
    let mut items = first_repeat;
    for row in first_repeat as usize..digests.len() {
        let leader = item_of_row[row] as usize; // still a position: only rows above were made into items
        item_of_row[row] = if leader == row {
            digests[items as usize] = digests[row]; // no item comes behind the first row that has it
            items += 1;
            items - 1
        } else {
            item_of_row[leader]
        };
    }
    digests.truncate(items as usize);
    Ok(item_of_row)
}

/// Returns two positions of a list that hold equal members: the lowest second position there is, with its first.
///
/// Roles call it for their own items and for the peer's elements.
///
/// # Errors
///
/// [`CoreError::TooManyItems`] if there are more positions than 32 bits can number.
pub fn repeated<const N: usize>(list: &[[u8; N]], threads: &Threads) -> Result<Option<(usize, usize)>, CoreError> {
    let lowest = repeats(list, threads)?.into_iter().min_by_key(|&(_, second)| second);
    Ok(lowest.map(|(first, second)| (first as usize, second as usize)))
}

/// Returns each position of the list whose member has occurred before, behind the position where it occurs first.
///
/// The beginnings of the members, each above its position, find members that may be equal. As many bits are taken as the
/// position leaves of 64: of a million members 44, so that hardly any two different ones look equal. Time depends on the
/// members, which are no secrets: they are a party's own items, in its own memory, or what the peer sent.
fn repeats<const N: usize>(list: &[[u8; N]], threads: &Threads) -> Result<Vec<(u32, u32)>, CoreError> {
    const { assert!(N >= 8) };
    let too_many = |_| CoreError::TooManyItems { count: list.len(), limit: u32::MAX as usize };
    let position_bits = u32::BITS - u32::try_from(list.len()).map_err(too_many)?.leading_zeros();
    Ok(threads.install(|| {
        let buckets = Buckets::new(list.len(), |first, values| {
            for (position, (value, member)) in (first..).zip(values.iter_mut().zip(&list[first..])) {
                let beginning = u64::from_be_bytes(std::array::from_fn(|i| member[i]));
                *value = beginning >> position_bits << position_bits | position as u64;
            }
        });
        let found: Vec<_> = (0..buckets.count())
            .into_par_iter()
            .map_init(Table::default, |table, bucket| {
                let Some(mut pairs) = alike(&buckets, bucket, position_bits, table) else {
                    let values = buckets.shares(bucket).flatten();
                    return repeats_among(values.map(|&value| position(value, position_bits)).collect(), list);
                };
                let mut different = Vec::new();
                pairs.retain(|&(first, later)| {
                    let equal = list[first as usize] == list[later as usize];
                    if !equal {
                        different.push(later); // and so is every member that equals it
                    }
                    equal
                });
                pairs.extend(repeats_among(different, list));
                pairs
            })
            .collect();
        found.concat()
    }))
}

/// Steps that a table may take for each value: beginnings that are uniform need far fewer.
const MAX_STEPS: usize = 4;

/// Returns each position of a bucket whose beginning has occurred before, behind the position where it occurs first; none
/// if the beginnings are so far from uniform that a table would take long.
fn alike(buckets: &Buckets<u64>, bucket: usize, position_bits: u32, table: &mut Table) -> Option<Vec<(u32, u32)>> {
    let count = buckets.len(bucket);
    let mut steps = MAX_STEPS * count;
    let mut pairs = Vec::new();
    table.clear(count, buckets.bits(), position_bits);
    'values: for &value in buckets.shares(bucket).flatten() {
        for other in table.chain(value) {
            steps = steps.checked_sub(1)?;
            if (other ^ value) >> position_bits == 0 {
                pairs.push((position(other, position_bits), position(value, position_bits)));
                continue 'values;
            }
        }
        table.insert(value);
    }
    Some(pairs)
}

/// Finds the repeats among positions, ascending, by sorting the members there.
fn repeats_among<const N: usize>(mut positions: Vec<u32>, list: &[[u8; N]]) -> Vec<(u32, u32)> {
    positions.sort_by_key(|&position| list[position as usize]); // stable: equal members by position
    let equal = positions.chunk_by(|&a, &b| list[a as usize] == list[b as usize]);
    equal.flat_map(|equal| equal[1..].iter().map(|&later| (equal[0], later))).collect()
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // the low bits are the position
fn position(value: u64, position_bits: u32) -> u32 {
    (value & !(u64::MAX << position_bits)) as u32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{StringArray, StringViewArray};

    use super::*;

    fn threads() -> Threads {
        Threads::new(2).unwrap()
    }

    fn digested(batches: &[Vec<ArrayRef>], before: usize, threads: usize) -> Result<Vec<[u8; 32]>, CoreError> {
        let mut digests = vec![[7; 32]; before];
        let threads = Threads::new(threads).unwrap();
        for columns in batches {
            append_digests(columns, before, &mut digests, &threads)?;
        }
        assert!(digests.drain(..before).all(|digest| digest == [7; 32]));
        Ok(digests)
    }

    #[test]
    fn rows_are_digested_alike_in_batches_of_any_size() {
        let values: Vec<String> = (0..600).map(|number| format!("person {number}")).collect();
        let whole: ArrayRef = Arc::new(StringViewArray::from_iter_values(&values));
        let expected = digested(&[vec![whole.clone(), whole.clone()]], 0, 2).unwrap();
        assert_eq!(expected[599], blake3::derive_key(ITEM_CONTEXT, b"\x0a\0\0\0person 599\x0a\0\0\0person 599"));
        let pieces = [0..1, 1..256, 256..257, 257..600].map(|range| {
            let piece = whole.slice(range.start, range.len());
            vec![piece.clone(), piece]
        });
        for before in [0, 3] {
            assert_eq!(digested(&pieces, before, 1).unwrap(), expected);
        }
    }

    #[test]
    fn the_encoding_of_a_row_is_its_lengths_and_bytes_however_long_and_in_whatever_column() {
        // 12: the most bytes of a short value; 60: those that fit a block.
        let lengths = [0, 1, 11, 12, 13, 28, 35, 47, 48, 49, 59, 60, 61, 100];
        let pairs: Vec<_> = lengths.iter().flat_map(|&a| lengths.iter().map(move |&b| [a, b, a % 13])).collect();
        let values =
            |column: usize| pairs.iter().map(move |pair| "abc"[column..].repeat(99)[..pair[column]].to_owned());
        let views =
            [0, 1, 2].map(|column| Arc::new(StringViewArray::from_iter_values(values(column))) as ArrayRef);
        let plain = [0, 1, 2].map(|column| Arc::new(StringArray::from_iter_values(values(column))) as ArrayRef);
        let [a, b, c] = views.clone();
        for columns in [views.to_vec(), plain.to_vec(), vec![a, plain[1].clone(), c], vec![b]] {
            let digests = digested(std::slice::from_ref(&columns), 0, 1).unwrap();
            for (row, digest) in digests.iter().enumerate() {
                let mut encoded = Vec::new();
                for array in &columns {
                    let column = Column::new(0, array, 0).unwrap();
                    encoded.extend(u32::try_from(column.value(row).len()).unwrap().to_le_bytes());
                    encoded.extend(column.value(row));
                }
                assert_eq!(*digest, blake3::derive_key(ITEM_CONTEXT, &encoded), "{:?}", pairs[row]);
            }
        }
    }

    #[test]
    fn what_is_not_a_complete_column_of_strings_is_refused_by_number() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]));
        let number: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1, 2, 3]));
        let digest = |columns: &[ArrayRef]| {
            let rows: ArrayRef = Arc::new(StringArray::from(vec!["a"; 10]));
            digested(&[vec![rows], columns.to_vec()], 5, 2).unwrap_err()
        };
        assert_eq!(digest(&[]), CoreError::NoColumns);
        assert_eq!(digest(&[text.slice(0, 2), text.clone()]), CoreError::MissingValue { column: 1, row: 12 });
        assert_eq!(digest(&[number]), CoreError::ColumnType { column: 0, found: "Int64".to_owned() });
    }

    /// The repeats as a map finds them, by position.
    fn expected_repeats(list: &[[u8; 32]]) -> Vec<(u32, u32)> {
        let mut first_of = std::collections::HashMap::new();
        let members = list.iter().zip(0_u32..);
        members
            .map(|(member, position)| (*first_of.entry(member).or_insert(position), position))
            .filter(|(a, b)| a != b)
            .collect()
    }

    #[test]
    fn repeats_are_found_however_the_members_begin() {
        let digest = |number: u32| *blake3::hash(&number.to_le_bytes()).as_bytes();
        let behind = |beginning: [u8; 8], number: u32| {
            let mut member = digest(number);
            member[..8].copy_from_slice(&beginning);
            member
        };
        // Uniform; in one bucket; with 27 bits alike, which is one chain of a table; alike; all equal.
        let shapes: [&dyn Fn(u32) -> [u8; 32]; 5] = [
            &digest,
            &|number| behind((u64::from(number.wrapping_mul(0x9e37_79b9)) << 20).to_be_bytes(), number),
            &|number| behind((u64::from(number) << 20).to_be_bytes(), number),
            &|number| behind([7; 8], number),
            &|_| [9; 32],
        ];
        // 8,192: more than two buckets; 32,768: a block.
        for count in [0, 1, 2, 1000, 8191, 8192, 32_767, 32_768, 32_769, 70_000] {
            for (shape, member) in shapes.iter().enumerate() {
                for every in [u32::MAX, 1000, 2] {
                    // Every so many positions repeat an earlier one.
                    let list: Vec<_> =
                        (0..count).map(|i| member(if i % every == every - 1 { i / 2 } else { i })).collect();
                    let expected = expected_repeats(&list);
                    for threads in [1, 3] {
                        let mut found = repeats(&list, &Threads::new(threads).unwrap()).unwrap();
                        found.sort_unstable_by_key(|&(_, later)| later);
                        assert!(found == expected, "{count}, shape {shape}, every {every}");
                    }
                }
            }
        }
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
            let list = list(numbers);
            let mut collapsed = list.clone();
            assert_eq!(collapse(&mut collapsed, &threads()), Ok(item_of_row), "{numbers:?}");
            assert_eq!(
                collapsed,
                first.into_iter().map(|row: usize| list[row]).collect::<Vec<_>>(),
                "{numbers:?}"
            );
        }
        assert_eq!(repeated(&list(&[7, 8, 9, 5]), &threads()), Ok(None));
        assert_eq!(repeated(&list(&[9, 1, 7, 8, 1, 7, 9]), &threads()), Ok(Some((1, 4))));
    }
}
