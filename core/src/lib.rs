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
//! vole -> ot                          the silent correlation of the vole suites; oblivious transfer
//! tags                                their hash, order, code and comparison in the vole suites
//! okvs                                the oblivious key-value store of the vole suites
//! group · item · matching             ristretto255 in batches; items to digests; which tags are among those
//! gf128 · gf64 · fixed_key · lanes    fields; AES and BLAKE3 over many short inputs
//! text                                what the gate asks of values: records, plain ones, days, digits, equal ones
//! sort -> buckets                     pseudorandom values in ascending order; in buckets by their leading bits
//! prg · params · threads              expansion of a seed; every derived number; splitting a batch
//! backend                             which implementation of a kernel runs
//! error                               what can go wrong, each with its numbers
//! ```

#![deny(unsafe_code, missing_docs)]
#![warn(clippy::pedantic)]
#![allow(clippy::module_name_repetitions)]

pub mod backend;
pub mod buckets;
pub mod error;
pub mod fixed_key;
pub mod gf128;
pub mod gf64;
pub mod group;
pub mod item;
pub mod lanes;
pub mod matching;
pub mod okvs;
pub mod ot;
pub mod params;
pub mod prg;
pub mod role;
pub mod sort;
pub mod tags;
pub mod text;
pub mod threads;
pub mod vole;

#[cfg(feature = "python")]
mod python;
