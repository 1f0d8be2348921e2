//! Frames of the suites: a type byte and a body, and long messages in chunks whose lengths follow from the sizes.

use crate::error::CoreError;
use crate::params::{ELEMENT_BYTES, ELEMENTS_PER_FRAME, TAGS_PER_FRAME};

/// The type of a suite's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Blinded elements, from the receiver.
    Blinded = 0x10,
    /// The same elements, evaluated, from the sender.
    Evaluated = 0x11,
    /// The sender's tags, ascending.
    Tags = 0x12,
}

impl Kind {
    /// Returns the name that the specification uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blinded => "blinded",
            Self::Evaluated => "evaluated",
            Self::Tags => "tags",
        }
    }

    /// Returns how many members a full chunk has.
    fn members_per_frame(self) -> usize {
        match self {
            Self::Blinded | Self::Evaluated => ELEMENTS_PER_FRAME,
            Self::Tags => TAGS_PER_FRAME,
        }
    }

    /// Starts a frame of this type with room for a body.
    #[must_use]
    pub fn start(self, body_bytes: usize) -> Vec<u8> {
        let mut frame = Vec::with_capacity(1 + body_bytes);
        frame.push(self as u8);
        frame
    }
}

/// Splits a frame into its type and its body.
///
/// # Errors
///
/// [`CoreError::EmptyFrame`], [`CoreError::UnknownFrame`].
pub fn split(frame: &[u8]) -> Result<(Kind, &[u8]), CoreError> {
    let (&kind, body) = frame.split_first().ok_or(CoreError::EmptyFrame)?;
    let kind = [Kind::Blinded, Kind::Evaluated, Kind::Tags]
        .into_iter()
        .find(|&known| known as u8 == kind)
        .ok_or(CoreError::UnknownFrame { kind })?;
    Ok((kind, body))
}

/// A long message that passes in chunks, every chunk full but the last.
#[derive(Clone, Debug)]
pub struct Chunks {
    kind: Kind,
    member_bytes: usize,
    total: usize,
    done: usize,
}

impl Chunks {
    /// Expects `count` elements.
    #[must_use]
    pub fn elements(kind: Kind, count: usize) -> Self {
        Self { kind, member_bytes: ELEMENT_BYTES, total: count, done: 0 }
    }

    /// Expects `count` tags of one length.
    #[must_use]
    pub fn tags(count: usize, tag_bytes: usize) -> Self {
        Self { kind: Kind::Tags, member_bytes: tag_bytes, total: count, done: 0 }
    }

    /// Returns how many members have passed.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// Returns how many members there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Returns whether all members have passed.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.done == self.total
    }

    /// Returns the positions of the next chunk's members; an empty range if all have passed.
    #[must_use]
    pub fn next(&self) -> std::ops::Range<usize> {
        self.done..self.total.min(self.done + self.kind.members_per_frame())
    }

    /// Notes that the next chunk has passed, and returns the positions of its members.
    pub fn pass(&mut self) -> std::ops::Range<usize> {
        let next = self.next();
        self.done = next.end;
        next
    }

    /// Checks the body of the next chunk from the peer and notes that it has passed.
    ///
    /// `allowed` is how many members may have come by now.
    ///
    /// # Errors
    ///
    /// [`CoreError::UnexpectedFrame`] if it comes early or after the last; [`CoreError::ChunkBytes`].
    pub fn take(&mut self, body: &[u8], allowed: usize) -> Result<(), CoreError> {
        let next = self.next();
        if next.is_empty() || next.end > allowed {
            return Err(self.unexpected(allowed));
        }
        let expected = next.len() * self.member_bytes;
        if body.len() != expected {
            return Err(CoreError::ChunkBytes { frame: self.kind.name(), bytes: body.len(), expected });
        }
        self.done = next.end;
        Ok(())
    }

    /// Returns the fault of a chunk that comes when only `allowed` members may have come.
    #[must_use]
    pub fn unexpected(&self, allowed: usize) -> CoreError {
        CoreError::UnexpectedFrame { frame: self.kind.name(), received: self.done, allowed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_full_but_the_last() {
        let full = ELEMENTS_PER_FRAME;
        for (total, lengths) in [
            (0, vec![]),
            (1, vec![1]),
            (full - 1, vec![full - 1]),
            (full, vec![full]),
            (full + 1, vec![full, 1]),
            (2 * full, vec![full, full]),
        ] {
            let mut chunks = Chunks::elements(Kind::Blinded, total);
            for length in lengths {
                let at = chunks.done();
                assert_eq!(chunks.pass(), at..at + length, "{total}");
            }
            assert!(chunks.complete() && chunks.next().is_empty());
        }
        assert_eq!(Chunks::tags(TAGS_PER_FRAME + 1, 11).next(), 0..TAGS_PER_FRAME);
    }

    #[test]
    fn a_chunk_of_the_peer_has_exactly_its_length() {
        let body = vec![0; 11 * TAGS_PER_FRAME + 1];
        for length in [0, 11, body.len() - 2, body.len()] {
            let error = Chunks::tags(TAGS_PER_FRAME + 1, 11).take(&body[..length], TAGS_PER_FRAME + 1);
            assert_eq!(
                error,
                Err(CoreError::ChunkBytes { frame: "tags", bytes: length, expected: body.len() - 1 })
            );
        }
        let mut chunks = Chunks::tags(TAGS_PER_FRAME + 1, 11);
        chunks.take(&body[1..], TAGS_PER_FRAME + 1).unwrap();
        assert_eq!(chunks.take(&body[..11], TAGS_PER_FRAME), Err(chunks.unexpected(TAGS_PER_FRAME)), "early");
        chunks.take(&body[..11], TAGS_PER_FRAME + 1).unwrap();
        assert!(chunks.complete());
        assert_eq!(
            chunks.take(&[], TAGS_PER_FRAME + 1),
            Err(chunks.unexpected(TAGS_PER_FRAME + 1)),
            "after the last"
        );
    }

    #[test]
    fn a_frame_has_a_known_type() {
        assert_eq!(split(&[]), Err(CoreError::EmptyFrame));
        assert_eq!(split(&[0x13, 1]), Err(CoreError::UnknownFrame { kind: 0x13 }));
        assert_eq!(split(&[0x12, 1, 2]), Ok((Kind::Tags, &[1, 2][..])));
    }
}
