//! Roles of two-party private set intersection, without I/O, and the kernels under them.
//!
//! ```text
//! tags                                their hash, order, code and comparison in the vole suites
//! okvs                                the oblivious key-value store of the vole suites
//! gf128 · gf64 · fixed_key · lanes    fields; AES and BLAKE3 over many short inputs
//! backend                             which implementation of a kernel runs
//! error                               what can go wrong, each with its numbers
//! ```

#![deny(unsafe_code, missing_docs)]
#![warn(clippy::pedantic)]
#![allow(clippy::module_name_repetitions)]

pub mod backend;
pub mod error;
pub mod fixed_key;
pub mod gf128;
pub mod gf64;
pub mod lanes;
pub mod okvs;
pub mod tags;
