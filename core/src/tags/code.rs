//! The prefix code of an ascending list of tags (vole.md, "Tags on the wire").

use rayon::prelude::*;

use crate::buckets::{Buckets, Word};
use crate::error::CoreError;
use crate::sort::sort_bucket;
use crate::tags::{MAX_TAG_BYTES, cut};

/// Returns the length of the prefix of each of `count` tags that is not sent with it.
fn prefix_bytes(count: usize) -> usize {
    count.checked_ilog2().unwrap_or(0) as usize / 8
}

/// Returns the length of the counts of `count` tags by their prefix.
fn counts_bytes(count: usize) -> usize {
    match prefix_bytes(count) {
        0 => 0,
        bytes => (count + (1 << (8 * bytes))).div_ceil(8),
    }
}

/// Returns the length of the code of `count` tags.
#[must_use]
pub fn code_bytes(count: usize, tag_bytes: usize) -> usize {
    counts_bytes(count) + count * (tag_bytes - prefix_bytes(count))
}

/// Tags that are put together before their order is checked: they stay in the first-level cache.
const PIECE: usize = 1 << 10;

/// Encodes one batch of tags, a piece at a time, and sorts them as it goes: what is ahead of the pieces is a few buckets.
pub struct Encoder {
    tags: Buckets<u128>,
    strict: bool,
    prefix_bytes: usize,
    rest_bytes: usize,
    /// The code that is ready, and how much of it was handed out.
    ready: Vec<u8>,
    taken: usize,
    /// The next bucket whose tags are not encoded yet.
    bucket: usize,
}

/// Two equal tags where there are none.
#[derive(Debug, PartialEq, Eq)]
pub struct EqualTags;

impl Encoder {
    /// Takes the tags of a batch, `tag_bytes` long each; `strict` if no two may be equal.
    ///
    /// A prefix is shorter than a tag: `tag_bytes` is at least five and a batch below 2^32.
    #[must_use]
    pub fn new(tags: Buckets<u128>, tag_bytes: usize, strict: bool) -> Self {
        let prefix_bytes = prefix_bytes(tags.total());
        let ready = counts(&tags, prefix_bytes);
        Self { tags, strict, prefix_bytes, rest_bytes: tag_bytes - prefix_bytes, ready, taken: 0, bucket: 0 }
    }

    /// Returns how many tags there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tags.total()
    }

    /// Returns whether all of the code was handed out.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.taken == self.ready.len() && self.bucket == self.tags.count()
    }

    /// Appends the next bytes of the code, `limit` or all there are, on the threads of the pool at hand.
    ///
    /// # Errors
    ///
    /// [`EqualTags`] where tags are strict.
    pub fn append_to(&mut self, body: &mut Vec<u8>, limit: usize) -> Result<(), EqualTags> {
        let mut room = limit;
        while room > 0 && !self.finished() {
            if self.taken == self.ready.len() {
                self.encode(room)?;
            }
            let ready = &self.ready[self.taken..];
            let ready = &ready[..ready.len().min(room)];
            body.extend_from_slice(ready);
            self.taken += ready.len();
            room -= ready.len();
        }
        Ok(())
    }

    /// Makes the next bytes ready: those of the tags of some buckets, at least `least` if there are so many.
    fn encode(&mut self, least: usize) -> Result<(), EqualTags> {
        let Self { tags, strict, prefix_bytes, rest_bytes, ready, taken, bucket } = self;
        let first = *bucket;
        let mut ends = vec![0];
        while *bucket < tags.count() && (ends[ends.len() - 1] < least || tags.len(*bucket) == 0) {
            ends.push(ends[ends.len() - 1] + tags.len(*bucket) * *rest_bytes);
            *bucket += 1;
        }
        let tags = &*tags;
        ready.resize(ends[ends.len() - 1], 0);
        *taken = 0;
        let mut rest = ready.as_mut_slice();
        let mut parts = Vec::with_capacity(ends.len());
        for pair in ends.windows(2) {
            let (part, behind) = rest.split_at_mut(pair[1] - pair[0]);
            parts.push(part);
            rest = behind;
        }
        let sort_and_write = |(sorted, room): &mut (Vec<u128>, Vec<u32>), (number, part): (usize, &mut [u8])| {
            sorted.resize(part.len() / *rest_bytes, 0);
            sort_bucket(tags, first + number, sorted, room);
            write_rests(sorted, *prefix_bytes, *rest_bytes, part);
            sorted.windows(2).any(|pair| pair[0] == pair[1])
        };
        let equal = parts.into_par_iter().enumerate().map_init(Default::default, sort_and_write);
        if equal.reduce(|| false, |one, other| one | other) && *strict { Err(EqualTags) } else { Ok(()) }
    }
}

/// Returns the counts of the tags by their prefix: for each prefix as many bits 1 as it has tags, and a bit 0.
fn counts(tags: &Buckets<u128>, prefix_bytes: usize) -> Vec<u8> {
    if prefix_bytes == 0 {
        return Vec::new();
    }
    #[allow(clippy::cast_possible_truncation)] // at most three bytes
    let bits = 8 * prefix_bytes as u32 - tags.bits(); // a bucket has at least 2^11 tags on average, and a prefix at most 2^8
    let of_bucket = |bucket| {
        let mut numbers = vec![0; 1 << bits];
        for tag in tags.shares(bucket).flatten() {
            numbers[tag.digit(tags.bits(), bits)] += 1;
        }
        numbers
    };
    let numbers: Vec<Vec<usize>> = (0..tags.count()).into_par_iter().map(of_bucket).collect();
    let bytes = counts_bytes(tags.total());
    let mut words = vec![0_u64; bytes.div_ceil(8)];
    let mut bit = 0;
    for number in numbers.into_iter().flatten() {
        let end = bit + number;
        while bit < end {
            let ones = (end - bit).min(64 - bit % 64);
            words[bit / 64] |= u64::MAX >> (64 - ones) << (bit % 64);
            bit += ones;
        }
        bit += 1; // the 0
    }
    let mut counts: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    counts.truncate(bytes);
    counts
}

/// Writes what stands behind the prefix of each tag, one after another.
fn write_rests(tags: &[u128], prefix_bytes: usize, rest_bytes: usize, out: &mut [u8]) {
    for (index, tag) in tags.iter().enumerate() {
        let rest = (tag << (8 * prefix_bytes)).to_be_bytes();
        let place = index * rest_bytes;
        // A copy of a fixed length is a single store; the bytes behind the rest are overwritten by the next one.
        if let Some(block) = out[place..].first_chunk_mut() {
            *block = rest;
        } else {
            out[place..place + rest_bytes].copy_from_slice(&rest[..rest_bytes]);
        }
    }
}

/// Decodes one batch of tags from pieces of any lengths, and checks that they ascend.
pub struct Decoder {
    count: usize,
    tag_bytes: usize,
    strict: bool,
    prefix_bytes: usize,
    counts: Vec<u8>,
    /// The next word of the counts, without the bits that were used; its place among the words.
    word: u64,
    word_index: usize,
    /// The beginning of a tag whose end is in the next piece.
    partial: Vec<u8>,
    decoded: usize,
    last: Option<u128>,
}

impl Decoder {
    /// Expects `count` tags; `strict` if no two may be equal.
    #[must_use]
    pub fn new(count: usize, tag_bytes: usize, strict: bool) -> Self {
        Self {
            count,
            tag_bytes,
            strict,
            prefix_bytes: prefix_bytes(count),
            counts: Vec::with_capacity(counts_bytes(count).next_multiple_of(8)),
            word: 0,
            word_index: 0,
            partial: Vec::with_capacity(MAX_TAG_BYTES),
            decoded: 0,
            last: None,
        }
    }

    /// Returns whether all tags were decoded.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.decoded == self.count
    }

    /// Takes the next bytes of the code and appends the tags that are complete now.
    ///
    /// The caller has checked that there are no more bytes than the code has.
    ///
    /// # Errors
    ///
    /// [`CoreError::TagCounts`]; [`CoreError::TagOrder`].
    pub fn take(&mut self, mut bytes: &[u8], tags: &mut Vec<u128>) -> Result<(), CoreError> {
        let counts_bytes = counts_bytes(self.count);
        if self.counts.len() < counts_bytes {
            let (counts, behind) = bytes.split_at(bytes.len().min(counts_bytes - self.counts.len()));
            self.counts.extend_from_slice(counts);
            bytes = behind;
            if self.counts.len() < counts_bytes {
                return Ok(());
            }
            self.check_counts()?;
        }
        let width = self.tag_bytes - self.prefix_bytes;
        tags.reserve((self.partial.len() + bytes.len()) / width);
        if !self.partial.is_empty() {
            let (head, behind) = bytes.split_at(bytes.len().min(width - self.partial.len()));
            self.partial.extend_from_slice(head);
            bytes = behind;
            if self.partial.len() < width {
                return Ok(());
            }
            let rest = std::mem::take(&mut self.partial);
            self.whole(&rest, width, tags)?;
        }
        let (whole, behind) = bytes.split_at(bytes.len() / width * width);
        self.partial.extend_from_slice(behind);
        self.whole(whole, width, tags)
    }

    /// Refuses counts that are not of `count` tags, and fills them up to whole words.
    fn check_counts(&mut self) -> Result<(), CoreError> {
        let bits = self.count + (1 << (8 * self.prefix_bytes));
        let ones: usize = self.counts.iter().map(|byte| byte.count_ones() as usize).sum();
        let padding =
            self.counts.last().map_or(0, |&last| usize::from(last) >> (8 - (self.counts.len() * 8 - bits)));
        // The last bit is the 0 of the last prefix.
        let last_bit = self.counts[(bits - 1) / 8] >> ((bits - 1) % 8) & 1;
        if ones != self.count || padding != 0 || last_bit != 0 {
            return Err(CoreError::TagCounts { count: self.count, counted: ones });
        }
        self.counts.resize(self.counts.len().next_multiple_of(8), 0);
        self.word = self.word_at(0);
        Ok(())
    }

    fn word_at(&self, index: usize) -> u64 {
        u64::from_le_bytes(self.counts.as_chunks().0[index])
    }

    /// Puts tags together, of each of which `width` bytes are here, and checks their order.
    fn whole(&mut self, bytes: &[u8], width: usize, tags: &mut Vec<u128>) -> Result<(), CoreError> {
        for bytes in bytes.chunks(PIECE * width) {
            let first = tags.len();
            tags.resize(first + bytes.len() / width, 0);
            let tags = &mut tags[first..];
            let ascending = match self.prefix_bytes {
                0 => self.put_together::<0>(bytes, width, tags),
                1 => self.put_together::<1>(bytes, width, tags),
                2 => self.put_together::<2>(bytes, width, tags),
                _ => self.put_together::<3>(bytes, width, tags), // a batch is below 2^32
            };
            if !ascending {
                self.check_order(tags)?;
            }
            self.decoded += tags.len();
            self.last = tags.last().copied().or(self.last);
        }
        Ok(())
    }

    /// Puts the next tags together, whose prefixes have `PREFIX` bytes; returns whether each is above the one before, the
    /// first one of all above zero.
    fn put_together<const PREFIX: usize>(&mut self, mut bytes: &[u8], width: usize, tags: &mut [u128]) -> bool {
        // What is known stays in registers, and no branch is on the order: a list has millions of tags.
        let (mut word, mut word_index) = (self.word, self.word_index);
        let mut zeros = (64 * word_index).wrapping_sub(self.decoded); // and the bits 0 of this word make the prefix
        let mask = cut(u128::MAX, width);
        let (mut last, mut ascending) = (self.last.unwrap_or(0), true);
        for tag in tags {
            let mut whole = u128::from_be_bytes(block(bytes)) & mask;
            bytes = &bytes[width..];
            if PREFIX > 0 {
                while word == 0 {
                    word_index += 1; // there are as many bits 1 as tags, and this tag is one of them
                    word = self.word_at(word_index);
                    zeros = zeros.wrapping_add(64);
                }
                let prefix = zeros.wrapping_add(word.trailing_zeros() as usize);
                word &= word - 1;
                zeros = zeros.wrapping_sub(1);
                whole = (prefix as u128) << (8 * (MAX_TAG_BYTES - PREFIX)) | whole >> (8 * PREFIX);
            }
            ascending &= last < whole;
            last = whole;
            *tag = whole;
        }
        (self.word, self.word_index) = (word, word_index);
        ascending
    }

    /// Names the first of the next tags that is out of order, if one is.
    fn check_order(&self, tags: &[u128]) -> Result<(), CoreError> {
        let mut last = self.last;
        for (place, &tag) in tags.iter().enumerate() {
            if last.is_some_and(|last| tag < last || (self.strict && tag == last)) {
                return Err(CoreError::TagOrder { index: self.decoded + place });
            }
            last = Some(tag);
        }
        Ok(())
    }
}

/// Returns the first bytes of a list, behind a short one zeros: a copy of a fixed length is a single load.
#[inline]
fn block(bytes: &[u8]) -> [u8; MAX_TAG_BYTES] {
    bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut block = [0; MAX_TAG_BYTES];
        block[..bytes.len()].copy_from_slice(bytes);
        block
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: usize, tag_bytes: usize) -> Vec<u128> {
        let mut xof = blake3::Hasher::new().update(b"code").finalize_xof();
        let mut tags: Vec<u128> = (0..count)
            .map(|_| {
                let mut bytes = [0; 16];
                xof.fill(&mut bytes);
                cut(u128::from_be_bytes(bytes), tag_bytes)
            })
            .collect();
        tags.sort_unstable();
        tags
    }

    fn encode(tags: &[u128], tag_bytes: usize, limit: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(Buckets::of(tags), tag_bytes, false);
        let mut pieces = Vec::new();
        while !encoder.finished() {
            let mut piece = Vec::new();
            encoder.append_to(&mut piece, limit).unwrap();
            assert!(!piece.is_empty() && piece.len() <= limit);
            pieces.push(piece);
        }
        assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == limit));
        pieces
    }

    fn decode(code: &[u8], count: usize, tag_bytes: usize, piece: usize) -> Result<Vec<u128>, CoreError> {
        let (mut decoder, mut tags) = (Decoder::new(count, tag_bytes, true), Vec::new());
        for bytes in code.chunks(piece) {
            decoder.take(bytes, &mut tags)?;
        }
        Ok(tags)
    }

    #[test]
    fn a_list_comes_back_whatever_the_pieces() {
        // 255, 256: the first prefix byte; 65,535, 65,536: the second.
        for count in [1, 2, 255, 256, 257, 1000, 65_535, 65_536] {
            for tag_bytes in [6, 11, 16] {
                let tags = tags(count, tag_bytes);
                let whole = encode(&tags, tag_bytes, usize::MAX).concat();
                assert_eq!(whole.len(), code_bytes(count, tag_bytes));
                for piece in [1, 7, 16, 1000, 1 << 20] {
                    if count < 2000 || piece > 100 {
                        assert!(encode(&tags, tag_bytes, piece).concat() == whole);
                        assert!(decode(&whole, count, tag_bytes, piece).unwrap() == tags);
                    }
                }
            }
        }
    }

    #[test]
    fn the_code_is_that_of_the_specification() {
        // 256 tags of two bytes, the prefix being the first of them: two with 0, none with 1, one with each other.
        let mut tags: Vec<u128> = (2..=255).map(|first| (first << 8 | 0x77) << 112).collect();
        tags.splice(0..0, [0x0001 << 112, 0x0002 << 112]);
        let code = encode(&tags, 2, usize::MAX).concat();
        assert_eq!(code.len(), 64 + 256);
        assert_eq!(code[..2], [0b0101_0011, 0b0101_0101]); // 11 0 0 10 10 ...
        assert_eq!(code[63], 0b0101_0101);
        assert_eq!(code[64..68], [0x01, 0x02, 0x77, 0x77]);
    }

    #[test]
    fn the_code_of_1_280_000_tags_saves_a_tenth() {
        assert_eq!(code_bytes(1_280_000, 16), 18_088_192);
        assert_eq!(code_bytes(1_280_000, 11), 11_688_192);
    }

    #[test]
    fn tags_in_any_order_have_the_same_code() {
        for count in [1, 100, 300, 70_000] {
            let mut tags = tags(count, 16);
            let code = encode(&tags, 16, 1 << 20);
            tags.reverse();
            tags.swap(0, count / 3);
            assert!(encode(&tags, 16, 1 << 20) == code);
        }
    }

    #[test]
    fn nothing_is_left_behind_the_last_tag() {
        // Both begin with a bit 0, so that the bucket behind them is empty.
        let tags = [1 << 100, 2 << 100];
        assert_eq!(encode(&tags, 16, 32).len(), 1);
        assert_eq!(encode(&tags, 16, 16).len(), 2);
    }

    #[test]
    fn two_equal_tags_are_seen_where_there_may_be_none() {
        for count in [2, 300, 70_000] {
            let mut tags = tags(count, 16);
            let code =
                |tags: &[u128]| Encoder::new(Buckets::of(tags), 16, true).append_to(&mut Vec::new(), usize::MAX);
            assert_eq!(code(&tags), Ok(()));
            tags[count / 2] = tags[0];
            assert_eq!(code(&tags), Err(EqualTags));
        }
    }

    #[test]
    fn equal_neighbours_are_refused_where_order_is_strict() {
        let mut tags = tags(300, 16);
        tags[7] = tags[8];
        let code = encode(&tags, 16, usize::MAX).concat();
        assert_eq!(decode(&code, 300, 16, 100), Err(CoreError::TagOrder { index: 8 }));
        let (mut decoder, mut back) = (Decoder::new(300, 16, false), Vec::new());
        decoder.take(&code, &mut back).unwrap();
        assert!(back == tags);
    }

    #[test]
    fn the_first_wrong_tag_is_named_wherever_it_stands() {
        // 1,024: the tags that are put together at a time; 1,000 bytes: a frame ends within a tag.
        for place in [1, 1023, 1024, 1025, 2047, 2048, 2998] {
            let mut tags = tags(3000, 16);
            tags[place] = tags[place - 1];
            tags[2999] = tags[2998];
            let code = encode(&tags, 16, usize::MAX).concat();
            for piece in [1000, 1 << 20] {
                assert_eq!(decode(&code, 3000, 16, piece), Err(CoreError::TagOrder { index: place }));
            }
        }
    }

    #[test]
    fn a_descending_pair_is_refused() {
        for count in [10, 300] {
            let tags = tags(count, 16);
            let mut code = encode(&tags, 16, usize::MAX).concat();
            let end = code.len();
            if count == 10 {
                code[16..32].fill(0);
                assert_eq!(decode(&code, count, 16, 1000), Err(CoreError::TagOrder { index: 1 }));
            } else {
                // The last tag takes the place of a lower one with the same prefix, or its own prefix stays alone.
                let same = (1..count).find(|&i| tags[i] >> 120 == tags[i - 1] >> 120).unwrap();
                let start = end - 15 * count + 15 * same;
                code[start..start + 15].fill(0);
                assert_eq!(decode(&code, count, 16, 1000), Err(CoreError::TagOrder { index: same }));
            }
        }
    }

    #[test]
    fn counts_that_do_not_fit_are_refused() {
        let tags = tags(300, 16);
        let code = encode(&tags, 16, usize::MAX).concat();
        for (byte, bit) in [(0, 0), (69, 0), (69, 3), (69, 4), (69, 7)] {
            // 300 + 256 bits: the last byte has four of them
            let mut wrong = code.clone();
            wrong[byte] ^= 1 << bit;
            assert!(matches!(decode(&wrong, 300, 16, 64), Err(CoreError::TagCounts { count: 300, .. })));
        }
        // The right number of bits 1, but the last prefix is not closed.
        let mut wrong = code.clone();
        wrong[69] |= 1 << 3;
        let first = (0..8).find(|bit| wrong[0] >> bit & 1 == 1).unwrap();
        wrong[0] ^= 1 << first;
        assert!(matches!(decode(&wrong, 300, 16, 64), Err(CoreError::TagCounts { count: 300, counted: 300 })));
    }
}
