//! Frames of the vole suites: messages of a known length, cut into pieces (vole.md, "Messages").

use std::collections::VecDeque;

use crate::error::CoreError;

/// The longest body of a frame; a longer message goes on in the next frame.
pub const BODY_BYTES: usize = 1 << 20;

/// The type of a frame of the vole suites.
///
/// The numbers ascend in the order of the protocol, which [`Inbox`] relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The sender's side of the base OT, and its commitment.
    Choose = 0x20,
    /// The receiver's side of the base OT and the OT extension.
    Extend = 0x21,
    /// The sender's trees.
    Punctured = 0x22,
    /// The receiver's challenge of the consistency check.
    Challenge = 0x23,
    /// The sender's answer, and its salt.
    Proof = 0x24,
    /// The receiver's commitment to what it will encode.
    Bind = 0x25,
    /// The masked store of the receiver's items.
    Okvs = 0x26,
    /// The sender's part of the mask.
    Open = 0x27,
    /// The sender's tags.
    Tags = 0x28,
    /// The report of the overlap by the receiver.
    Report = 0x29,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Choose,
        Self::Extend,
        Self::Punctured,
        Self::Challenge,
        Self::Proof,
        Self::Bind,
        Self::Okvs,
        Self::Open,
        Self::Tags,
        Self::Report,
    ];

    /// Returns the name that the specification uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Choose => "choose",
            Self::Extend => "extend",
            Self::Punctured => "punctured",
            Self::Challenge => "challenge",
            Self::Proof => "proof",
            Self::Bind => "bind",
            Self::Okvs => "okvs",
            Self::Open => "open",
            Self::Tags => "tags",
            Self::Report => "report",
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
    let known = Kind::ALL.into_iter().find(|&known| known as u8 == kind);
    Ok((known.ok_or(CoreError::UnknownFrame { kind })?, body))
}

/// A message that the peer will send, and how much of it has arrived.
#[derive(Clone, Copy, Debug)]
struct Expected {
    kind: Kind,
    bytes: usize,
    done: usize,
}

/// What is to come from the peer, in order, and what has arrived.
#[derive(Debug, Default)]
pub struct Inbox {
    expected: VecDeque<Expected>,
    partial: Vec<u8>,
    arrived: VecDeque<(Kind, Vec<u8>)>,
}

impl Inbox {
    /// Expects a message of so many bytes behind the others.
    pub fn expect(&mut self, kind: Kind, bytes: usize) {
        self.expected.push_back(Expected { kind, bytes, done: 0 });
    }

    /// Checks that a frame is the next one there is to come, and notes that it has arrived.
    ///
    /// `sent` is the last message that this role has handed out whole, and `own` are the types of its messages: no
    /// message of the peer comes before all that stand before it in the protocol.
    ///
    /// # Errors
    ///
    /// [`CoreError::UnexpectedFrame`] for another type, too early or after the end; [`CoreError::ChunkBytes`].
    pub fn check(&mut self, kind: Kind, body: &[u8], own: &[Kind], sent: Option<Kind>) -> Result<(), CoreError> {
        let needed = own.iter().filter(|&&own| own < kind).max();
        let Some(next) = self.expected.front_mut().filter(|next| next.kind == kind && sent.as_ref() >= needed)
        else {
            return Err(unexpected(kind));
        };
        let expected = BODY_BYTES.min(next.bytes - next.done);
        if body.len() != expected {
            return Err(CoreError::ChunkBytes { frame: kind.name(), bytes: body.len(), expected });
        }
        next.done += expected;
        if next.done == next.bytes {
            self.expected.pop_front();
        }
        Ok(())
    }

    /// Puts a frame by that was checked, until its message is whole.
    pub fn keep(&mut self, kind: Kind, body: &[u8]) {
        self.partial.extend_from_slice(body);
        if self.expected.front().is_none_or(|next| next.done == 0) {
            self.arrived.push_back((kind, std::mem::take(&mut self.partial)));
        }
    }

    /// Returns the next whole message that was put by.
    pub fn pop(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.arrived.pop_front()
    }

    /// Returns whether no message waits to be worked on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Returns the type of the message that is to come next, with its length and how much has arrived.
    #[must_use]
    pub fn next(&self) -> Option<(Kind, usize, usize)> {
        self.expected.front().map(|next| (next.kind, next.bytes, next.done))
    }
}

/// Frames that are ready, and which message was handed out whole.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Frames, each with whether it is the last one of its type.
    frames: VecDeque<(Vec<u8>, bool)>,
    sent: Option<Kind>,
}

impl Outbox {
    /// Adds a message; `last` if no other message of its type follows.
    pub fn message(&mut self, kind: Kind, message: &[u8], last: bool) {
        for body in message.chunks(BODY_BYTES) {
            let mut frame = kind.start(body.len());
            frame.extend_from_slice(body);
            self.frames.push_back((frame, false));
        }
        if let Some(frame) = self.frames.back_mut() {
            frame.1 = last;
        }
    }

    /// Adds a frame; `last` if it is the last one of its type.
    pub fn frame(&mut self, frame: Vec<u8>, last: bool) {
        self.frames.push_back((frame, last));
    }

    /// Returns the next frame.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let (frame, last) = self.frames.pop_front()?;
        if last {
            self.sent = split(&frame).ok().map(|(kind, _)| kind);
        }
        Some(frame)
    }

    /// Returns the last message that was handed out whole.
    #[must_use]
    pub fn sent(&self) -> Option<Kind> {
        self.sent
    }

    /// Returns whether no frame is ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

/// Returns the fault of a frame whose type has no place now.
#[must_use]
pub fn unexpected(kind: Kind) -> CoreError {
    CoreError::UnexpectedFrame { frame: kind.name(), received: 0, allowed: 0 }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small test values
mod tests {
    use super::*;

    #[test]
    fn a_message_passes_in_full_frames_and_a_rest() {
        for bytes in [1, BODY_BYTES - 1, BODY_BYTES, BODY_BYTES + 1, 2 * BODY_BYTES] {
            let message: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
            let (mut outbox, mut inbox) = (Outbox::default(), Inbox::default());
            outbox.message(Kind::Punctured, &message, false);
            outbox.message(Kind::Punctured, b"more", true);
            inbox.expect(Kind::Punctured, bytes);
            inbox.expect(Kind::Punctured, 4);
            while let Some(frame) = outbox.pop() {
                assert_eq!(outbox.sent().is_some(), outbox.is_empty());
                let (kind, body) = split(&frame).unwrap();
                inbox.check(kind, body, &[Kind::Extend], Some(Kind::Extend)).unwrap();
                inbox.keep(kind, body);
            }
            assert_eq!(outbox.sent(), Some(Kind::Punctured));
            assert!(inbox.pop() == Some((Kind::Punctured, message)));
            assert!(inbox.pop() == Some((Kind::Punctured, b"more".to_vec())));
            assert!(inbox.is_empty() && inbox.next().is_none());
            assert_eq!(inbox.check(Kind::Punctured, &[0], &[], None), Err(unexpected(Kind::Punctured)));
        }
    }

    #[test]
    fn a_frame_of_another_type_or_length_is_refused() {
        let mut inbox = Inbox::default();
        inbox.expect(Kind::Open, 16);
        let own = [Kind::Extend, Kind::Okvs];
        assert_eq!(inbox.check(Kind::Tags, &[0; 16], &own, Some(Kind::Okvs)), Err(unexpected(Kind::Tags)));
        for bytes in [0, 15, 17] {
            let error = CoreError::ChunkBytes { frame: "open", bytes, expected: 16 };
            assert_eq!(inbox.check(Kind::Open, &vec![0; bytes], &own, Some(Kind::Okvs)), Err(error));
        }
        for sent in [None, Some(Kind::Extend)] {
            assert_eq!(inbox.check(Kind::Open, &[0; 16], &own, sent), Err(unexpected(Kind::Open)));
        }
        assert_eq!(split(&[]), Err(CoreError::EmptyFrame));
        assert_eq!(split(&[0x1f]), Err(CoreError::UnknownFrame { kind: 0x1f }));
        assert_eq!(split(&[0x2a]), Err(CoreError::UnknownFrame { kind: 0x2a }));
    }
}
