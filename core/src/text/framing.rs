//! Where the records of a CSV block (RFC 4180) end, as long as nothing in it is strange.
//!
//! Sixty-four bytes are looked at together, a bit of a word for each: which of them are line feeds, quotes, delimiters,
//! and which stand within quotes, which is where an odd number of quotes came before.

/// What every record of a file must be.
pub struct Layout {
    /// The byte between fields.
    pub delimiter: u8,
    /// How many fields a record has.
    pub columns: usize,
}

const LINE_FEED: u8 = b'\n';
const CARRIAGE_RETURN: u8 = b'\r';
const QUOTE: u8 = b'"';

/// Bytes looked at together.
const CHUNK: usize = 64;

impl Layout {
    /// Returns the position after each line end of a block that begins with a record, ascending; `None` for a block with
    /// anything strange in it, or that may have.
    ///
    /// Strange are a quote where none can be, a carriage return that no line feed follows, a blank line, another number of
    /// fields, a NUL byte and bytes that are not UTF-8. Where such a thing is not seen to be absent the closer look is the
    /// caller's: a carriage return within quotes, say. What follows the last line end is not judged to its end.
    #[must_use]
    pub fn record_ends(&self, block: &[u8]) -> Option<Vec<i64>> {
        let mut ends: Vec<i64> = Vec::with_capacity(block.len() / CHUNK);
        let mut before = Before { starts: 1, ..Before::default() };
        let mut fields = 1; // of the record that a chunk begins in
        let (chunks, rest) = block.as_chunks::<CHUNK>();
        let mut last = [0; CHUNK]; // its zeros are none of the bytes looked for
        last[..rest.len()].copy_from_slice(rest);
        for (number, chunk) in chunks.iter().chain([&last]).enumerate() {
            let there = if number < chunks.len() { u64::MAX } else { (1 << rest.len()) - 1 };
            let seen = before.look(chunk, self.delimiter, there)?;
            let (mut line_feeds, mut delimiters) = (seen.line_feeds, seen.delimiters);
            while line_feeds != 0 {
                let up_to = line_feeds ^ (line_feeds - 1); // the lowest of them and all bits below
                if fields + (delimiters & up_to).count_ones() as usize != self.columns {
                    return None;
                }
                ends.push((number * CHUNK + up_to.count_ones() as usize).try_into().ok()?);
                (line_feeds, delimiters, fields) = (line_feeds & !up_to, delimiters & !up_to, 1);
            }
            fields += delimiters.count_ones() as usize;
        }
        let records = &block[..ends.last().map_or(0, |&end| end.unsigned_abs().try_into().unwrap_or(block.len()))];
        (memchr::memchr(0, records).is_none() && std::str::from_utf8(records).is_ok()).then_some(ends)
    }
}

/// The separators of a chunk that stand outside of quotes.
struct Seen {
    line_feeds: u64,
    delimiters: u64,
}

/// What the end of a chunk says of the first byte of the next one; each is 0 or 1, and the first alone all zeros or ones.
#[derive(Default)]
struct Before {
    /// It stands within quotes.
    inside: u64,
    /// A record begins with it.
    starts: u64,
    /// A field begins with it, and no record.
    follows_delimiter: u64,
    /// It follows the second quote of a pair.
    follows_closing: u64,
    /// It follows a carriage return.
    follows_return: u64,
}

impl Before {
    /// Looks at a chunk, of which so many bytes are there; `None` for anything strange.
    #[inline]
    fn look(&mut self, chunk: &[u8; CHUNK], delimiter: u8, there: u64) -> Option<Seen> {
        let [line_feeds, delimiters, quotes, returns] =
            bits(chunk, [LINE_FEED, delimiter, QUOTE, CARRIAGE_RETURN]);
        let inside = odd_before(quotes) ^ self.inside; // from the opening quote to before the closing one
        let (opening, closing) = (quotes & inside, quotes & !inside);
        let seen = Seen { line_feeds: line_feeds & !inside, delimiters: delimiters & !inside };
        let starts = seen.line_feeds << 1 | self.starts;
        let follows_delimiter = seen.delimiters << 1 | self.follows_delimiter;
        let follows_closing = closing << 1 | self.follows_closing;
        let follows_return = returns << 1 | self.follows_return;
        // A quote opens at the beginning of a field, or right after another one: then both stand for one within it.
        let strange = (opening & !(starts | follows_delimiter | follows_closing))
            | (follows_closing & !(line_feeds | delimiters | quotes | returns))
            | (starts & (line_feeds | returns)) // a blank line
            | (follows_return & !line_feeds);
        let top = |word: u64| word >> 63;
        *self = Self {
            inside: 0_u64.wrapping_sub(top(inside)),
            starts: top(seen.line_feeds),
            follows_delimiter: top(seen.delimiters),
            follows_closing: top(closing),
            follows_return: top(returns),
        };
        (strange & there == 0).then_some(seen)
    }
}

/// Returns for each of some bytes where a chunk has it.
fn bits(chunk: &[u8; CHUNK], wanted: [u8; 4]) -> [u64; 4] {
    wanted.map(|byte| {
        // A mark for each byte, at its place among eight: a compiler compares many at once.
        let mut marks = [0; CHUNK];
        for (at, (mark, &found)) in marks.iter_mut().zip(chunk).enumerate() {
            *mark = if found == byte { 1 << (at % 8) } else { 0 };
        }
        let (eights, _) = marks.as_chunks::<8>();
        eights.iter().rev().fold(0, |bits, &eight| {
            // The highest byte of the product is the sum of all eight, in which no two bits meet.
            bits << 8 | u64::from_le_bytes(eight).wrapping_mul(0x0101_0101_0101_0101) >> 56
        })
    })
}

/// Returns the bits at and before which an odd number of bits is set.
fn odd_before(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, distance| bits ^ bits << distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_the_bytes_are() {
        for shift in 0..=255_u8 {
            let chunk: [u8; CHUNK] =
                std::array::from_fn(|at| u8::try_from(at).unwrap().wrapping_mul(5).wrapping_add(shift));
            let expected = [0_u8, 127, 128, 255]
                .map(|byte| (0..CHUNK).filter(|&at| chunk[at] == byte).fold(0, |bits, at| bits | 1_u64 << at));
            assert_eq!(bits(&chunk, [0, 127, 128, 255]), expected, "{shift}");
        }
    }

    #[test]
    fn records_end_alike_wherever_chunks_do() {
        let layout = Layout { delimiter: b';', columns: 3 };
        let record = "a;\"b;\"\"\n\";ü\r\n"; // with the line end of the quoted field it is one record
        for length in 1..140 {
            let first = format!("{};b;c\n", "x".repeat(length));
            let block = format!("{first}{record}{record}a;\"b");
            let ends: Vec<i64> =
                [0, 1, 2].map(|more| i64::try_from(first.len() + more * record.len()).unwrap()).to_vec();
            assert_eq!(layout.record_ends(block.as_bytes()), Some(ends), "{length}");
            for strange in
                ["\"x\";b;c\"\n", "a;b\n", "a;b;c;d\n", "\n", "\r\n", "a;b\r;c\n", "a;\"b\"x;c\n", "a;\0;c\n"]
            {
                let block = format!("{first}{strange}{record}");
                assert_eq!(layout.record_ends(block.as_bytes()), None, "{length} {strange:?}");
            }
        }
    }
}
