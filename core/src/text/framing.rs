//! Where the records of a CSV block (RFC 4180) end, as long as nothing in it is strange.

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

impl Layout {
    /// Returns the position after each line end of a block that begins with a record, ascending; `None` for a block with
    /// anything strange in it, or that may have.
    ///
    /// Strange are a quote where none can be, a carriage return that no line feed follows, a blank line, another number of
    /// fields, a NUL byte and bytes that are not UTF-8, in what the line ends enclose. A block in which this is not seen
    /// at a glance, or which ends within something, is left to the caller as well.
    #[must_use]
    pub fn record_ends(&self, block: &[u8]) -> Option<Vec<i64>> {
        let mut ends = Vec::with_capacity(block.len() / 64);
        let mut marks = memchr::memchr3_iter(LINE_FEED, QUOTE, self.delimiter, block);
        let (mut record, mut field, mut fields) = (0, 0, 1);
        while let Some(at) = marks.next() {
            match block[at] {
                LINE_FEED => {
                    let blank = matches!(block[record], LINE_FEED | CARRIAGE_RETURN);
                    if fields != self.columns || blank {
                        return None;
                    }
                    ends.push((at + 1).try_into().ok()?);
                    (record, field, fields) = (at + 1, at + 1, 1);
                }
                QUOTE if at == field => {
                    // To its end: what stands within is text. A block that ends before is not judged to its end.
                    loop {
                        let Some(quote) = marks.find(|&at| block[at] == QUOTE) else {
                            return sound(block, ends);
                        };
                        match block[quote + 1..] {
                            [] => return sound(block, ends),
                            [QUOTE, ..] => marks.next(), // one of two
                            [byte, ..] if byte == self.delimiter || byte == LINE_FEED => break,
                            [CARRIAGE_RETURN, LINE_FEED, ..] => break,
                            _ => return None,
                        };
                    }
                }
                QUOTE => return None,
                _ => {
                    fields += 1;
                    field = at + 1;
                }
            }
        }
        sound(block, ends)
    }
}

/// Returns the ends if what they enclose is text whose carriage returns all stand before a line feed.
fn sound(block: &[u8], ends: Vec<i64>) -> Option<Vec<i64>> {
    let end = ends.last().map_or(0, |&end| end.unsigned_abs().try_into().unwrap_or(block.len()));
    let records = &block[..end];
    let bare = |at: usize| records.get(at + 1) != Some(&LINE_FEED);
    let strange = memchr::memchr(0, records).is_some()
        || memchr::memchr_iter(CARRIAGE_RETURN, records).any(bare)
        || std::str::from_utf8(records).is_err();
    (!strange).then_some(ends)
}
