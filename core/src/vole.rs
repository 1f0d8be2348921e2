//! The silent correlation `C = A*delta + B` of the vole suites (silent-vole.md), as two machines without I/O.
//!
//! ```text
//! silent_receiver · silent_sender     the messages, in order
//! check                               the consistency check of the malicious suite
//! forest                              the trees of a batch: a noise value at one leaf of each
//! base                                base values packed from correlated OTs
//! code                                the code that compresses the leaves of a batch
//! sizes                               every number of a correlation
//! ```

pub mod base;
pub mod check;
pub mod code;
pub mod forest;
pub mod silent_receiver;
pub mod silent_sender;
pub mod sizes;

#[cfg(test)]
mod tests;

pub use silent_receiver::SilentReceiver;
pub use silent_sender::SilentSender;
pub use sizes::Sizes;
