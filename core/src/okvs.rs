//! The oblivious key-value store of the vole suites: encode pairs of item and value so that every item decodes to its
//! value, and decoding is linear. Specified in `protocol_spec/okvs.md`.
//!
//! ```text
//! params        bins, load, columns: from the number of items, in integers
//! rows          an item's bin, positions and dense key; an item's value
//! partition     items into the order of their bins
//! triangulate   an order in which the rows of a bin can be solved; `leftover` for what peeling leaves
//! encode        one bin's columns from an order and the values
//! decode        one bin's items from its columns
//! value         what an entry is: GF(2^128), or GF(2^64) under a larger field
//! ```
//!
//! Keys are items of which no two are equal: equal items have equal rows, which no store can give two values, and the
//! caller collapses them. Encoding takes time that depends on the items, and so do the memory accesses of both
//! directions; SECURITY.md says why that is accepted.

mod decode;
mod encode;
mod leftover;
mod params;
mod partition;
mod rows;
mod triangulate;
mod value;

pub use decode::BinDecoder;
pub use encode::Workspace;
pub use params::{BIN_ITEMS, Parameters};
pub use partition::{Bins, Kept, Key};
pub use rows::{RowHash, ValueHash};
pub use triangulate::Triangulated;
pub use value::Value;

#[cfg(test)]
mod rates;
#[cfg(test)]
mod tests;
