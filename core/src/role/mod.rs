//! One side of a suite as a state machine: frames in, frames out, an output.

mod ecdh;
mod ecdh_receiver;
mod ecdh_sender;
pub mod frame;
mod vole;
mod vole_batches;
pub mod vole_frame;
mod vole_plan;
mod vole_receiver;
mod vole_sender;
#[cfg(test)]
mod vole_tests;

pub use ecdh::Setup;
pub use ecdh_receiver::EcdhReceiver;
pub use ecdh_sender::EcdhSender;
pub use vole::VoleSetup;
pub use vole_plan::{VolePlan, n_max};
pub use vole_receiver::VoleReceiver;
pub use vole_sender::VoleSender;

use crate::error::CoreError;

/// What a role is at; the names are those of the `alive` frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing can be done until a frame of the peer arrives.
    Wait,
    /// The receiver blinds its items.
    Blind,
    /// The sender evaluates the receiver's blinded elements.
    Evaluate,
    /// The sender makes and sends its tags.
    Tag,
    /// The receiver unblinds what was evaluated and makes its own tags.
    Finalize,
    /// The receiver compares tags.
    Match,
    /// Both make the correlation of the vole suites.
    Correlate,
    /// The receiver encodes its items.
    Encode,
}

impl Phase {
    /// Returns the name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Blind => "blind",
            Self::Evaluate => "evaluate",
            Self::Tag => "tag",
            Self::Finalize => "finalize",
            Self::Match => "match",
            Self::Correlate => "correlate",
            Self::Encode => "encode",
        }
    }
}

/// Where a role stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is at.
    pub phase: Phase,
    /// How many items of that work are done (while it waits: of the work it waits for).
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// Whether a frame of the peer must come before anything can be done.
    pub needs_peer: bool,
    /// Whether everything is sent, received and worked on.
    pub finished: bool,
}

impl Status {
    fn new(phase: Phase, done: usize, total: usize, needs_peer: bool) -> Self {
        Self { phase: if needs_peer { Phase::Wait } else { phase }, done, total, needs_peer, finished: false }
    }
}

/// What every role does. A role that has reported a fault answers [`CoreError::Broken`] from then on.
pub trait Role {
    /// Works on at most one chunk and returns a frame (type and body) if one came of it.
    ///
    /// `None` means: a frame of the peer is needed if [`Status::needs_peer`], it is over if [`Status::finished`],
    /// and else call again.
    ///
    /// # Errors
    ///
    /// A fault of the peer that shows only while its elements are worked on.
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, CoreError>;

    /// Takes one frame of the peer (type and body): checks place and length and puts it by. Cheap.
    ///
    /// # Errors
    ///
    /// A frame that has no place now, or the wrong length.
    fn receive(&mut self, frame: &[u8]) -> Result<(), CoreError>;

    /// Returns where the role stands.
    fn status(&self) -> Status;
}
