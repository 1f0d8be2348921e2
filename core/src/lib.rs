//! Roles of two-party private set intersection, without I/O, and the kernels under them.
//!
//! A role is made from items, parameters and a 32-byte seed; then it hands out frames and takes frames until it
//! has an output. It opens no socket, has no clock and draws no randomness: the same arguments give the same
//! bytes, whatever the number of threads. The wire format and the suites are specified in `protocol_spec/`.
//!
//! Layers, each using only what stands below it:
//!
//! ```text
//! python                              the extension module psi._core (feature `python`)
//! role                                one side of a suite: frames in, frames out, an output
//! group · item · matching             ristretto255 in batches; items to digests; which tags are among those
//! prg · params · threads              expansion of a seed; every derived number; splitting a batch
//! error                               what can go wrong, each with its numbers
//! ```

#![deny(unsafe_code, missing_docs)]
#![warn(clippy::pedantic)]
#![allow(clippy::module_name_repetitions)]

pub mod backend;
pub mod error;
pub mod group;
pub mod item;
pub mod matching;
pub mod params;
pub mod prg;
pub mod role;
pub mod threads;

#[cfg(feature = "python")]
mod python;
