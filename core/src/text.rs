//! What the intake gate asks of text: where the records of a CSV file end, which values are plain, which are days, what
//! digits they have, which are the same.
//!
//! The tests of Python hold each of them to a slow and obvious version. Nothing here depends on a secret of the protocol.

pub mod column;
pub mod days;
pub mod digits;
pub mod framing;
pub mod letters;
pub mod plain;
pub mod street;
pub mod tax_number;
pub mod vocabulary;
