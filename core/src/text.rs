//! What the intake gate asks of text: where the records of a CSV file end, which values are plain, which are
//! days, which are the same.
//!
//! Each function answers what an expression or a pass of the gate in Python answers as well, in a tenth of the time; the
//! tests hold both to the same slow definition. Nothing here depends on a secret of the protocol.

pub mod column;
pub mod days;
pub mod digits;
pub mod framing;
pub mod plain;
pub mod vocabulary;
