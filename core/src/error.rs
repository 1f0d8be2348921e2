//! What can go wrong, each variant a fact with its numbers; never an item, a key or a tag.

use std::fmt;

/// Whose fault an error is; `python.rs` makes an exception class of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be.
    Usage,
    /// The peer's bytes are not the message they should be.
    Decode,
    /// The peer's message has no place in the present state.
    State,
    /// A check over what the peer sent failed.
    Verification,
    /// This machine lacks something.
    Machine,
}

/// A fault found by the core.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreError {
    /// More items than any suite is specified for.
    TooManyItems {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No order of the items' rows was found under this seed; under another one it is, with overwhelming probability,
    /// unless items are equal.
    NotEncodable,
    /// Two of the caller's own items are equal.
    RepeatedItem {
        /// Position of the first of the two.
        first: usize,
        /// Position of the second.
        second: usize,
    },
    /// An argument of a fixed length has another one.
    ArgumentBytes {
        /// Name of the argument.
        name: &'static str,
        /// Its length.
        bytes: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A batch of rows has no column to make items of.
    NoColumns,
    /// A table has another number of columns than what is asked of it takes.
    ColumnCount {
        /// How many it has.
        found: usize,
        /// How many it must have.
        expected: usize,
    },
    /// A format of days has something in it that is neither a directive nor an ASCII character.
    DateFormat {
        /// Its first byte.
        position: usize,
    },
    /// A column is not a column of strings.
    ColumnType {
        /// Its index.
        column: usize,
        /// The type it has.
        found: String,
    },
    /// A key column has a missing value; the gate rejects such rows before they come here.
    MissingValue {
        /// Index of the column.
        column: usize,
        /// Row of the stream, from 0.
        row: usize,
    },
    /// A value whose length does not fit its 32-bit prefix.
    ValueBytes {
        /// Index of the column.
        column: usize,
        /// Row of the stream, from 0.
        row: usize,
        /// Its length.
        bytes: usize,
    },
    /// The stream of columns broke off.
    Stream {
        /// What its producer says.
        message: String,
    },
    /// An output was asked for before the role has one.
    NotFinished,
    /// The suite does not tell which items matched.
    SizeOnly,
    /// The terms do not have the receiver report anything.
    NoReport,
    /// The role was used again after it had reported a fault.
    Broken,
    /// A number of threads that cannot be.
    Threads {
        /// The number asked for.
        count: usize,
    },
    /// The system gave no thread.
    NoThreads {
        /// The number asked for.
        count: usize,
    },
    /// `PSI_BACKEND` names no backend.
    UnknownBackend {
        /// The name that was given.
        name: String,
    },
    /// `PSI_BACKEND` names a backend whose instructions this processor lacks.
    AbsentBackend {
        /// The name that was given.
        name: &'static str,
        /// The instruction sets that it needs.
        needs: &'static str,
    },
    /// A frame without even a type.
    EmptyFrame,
    /// A frame type that no suite has.
    UnknownFrame {
        /// The type byte.
        kind: u8,
    },
    /// A frame that this role never takes, or not now.
    UnexpectedFrame {
        /// Name of the frame.
        frame: &'static str,
        /// How many elements or tags of its kind have arrived.
        received: usize,
        /// How many may have arrived by now.
        allowed: usize,
    },
    /// A chunk that has not the length that follows from the sizes.
    ChunkBytes {
        /// Name of the frame.
        frame: &'static str,
        /// Length of its body.
        bytes: usize,
        /// The length it must have.
        expected: usize,
    },
    /// An encoding that is not the canonical one of a group element.
    NotCanonical {
        /// Name of the frame.
        frame: &'static str,
        /// Position in the whole list.
        index: usize,
    },
    /// The identity element, which no honest peer sends.
    Identity {
        /// Name of the frame.
        frame: &'static str,
        /// Position in the whole list.
        index: usize,
    },
    /// Two elements of one list are equal.
    RepeatedElement {
        /// Name of the frame.
        frame: &'static str,
        /// Position of the first of the two.
        first: usize,
        /// Position of the second.
        second: usize,
    },
    /// Tags that are not in ascending order.
    TagOrder {
        /// Position of the tag that is below the one before it.
        index: usize,
    },
    /// Counts of tags by their prefix that are not of as many tags as there must be.
    TagCounts {
        /// How many there must be.
        count: usize,
        /// How many are counted.
        counted: usize,
    },
    /// A check of the protocol over what the peer sent failed.
    FailedCheck {
        /// Name of the check.
        check: &'static str,
    },
    /// A backend whose kernels compute something else than the portable ones.
    FailedSelfTest {
        /// Its name.
        name: &'static str,
    },
    /// A correlation of a length that no suite needs.
    CorrelationLength {
        /// The length.
        length: usize,
        /// The longest possible.
        limit: usize,
    },
    /// Trees of a depth that no suite has.
    TreeDepth {
        /// The depth.
        depth: usize,
        /// The least possible.
        least: usize,
        /// The largest possible.
        most: usize,
    },
}

impl CoreError {
    /// Returns whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooManyItems { .. }
            | Self::RepeatedItem { .. }
            | Self::ArgumentBytes { .. }
            | Self::NoColumns
            | Self::ColumnType { .. }
            | Self::ColumnCount { .. }
            | Self::DateFormat { .. }
            | Self::MissingValue { .. }
            | Self::ValueBytes { .. }
            | Self::Stream { .. }
            | Self::NotFinished
            | Self::SizeOnly
            | Self::NoReport
            | Self::Broken
            | Self::Threads { .. }
            | Self::CorrelationLength { .. }
            | Self::TreeDepth { .. }
            | Self::UnknownBackend { .. }
            | Self::AbsentBackend { .. } => Fault::Usage,
            Self::NoThreads { .. } | Self::NotEncodable | Self::FailedSelfTest { .. } => Fault::Machine,
            Self::EmptyFrame
            | Self::UnknownFrame { .. }
            | Self::ChunkBytes { .. }
            | Self::NotCanonical { .. }
            | Self::Identity { .. } => Fault::Decode,
            Self::UnexpectedFrame { .. } => Fault::State,
            Self::RepeatedElement { .. }
            | Self::TagOrder { .. }
            | Self::TagCounts { .. }
            | Self::FailedCheck { .. } => Fault::Verification,
        }
    }
}

impl fmt::Display for CoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyItems { count, limit } => write!(f, "{count} items, at most {limit} are possible"),
            Self::RepeatedItem { first, second } => {
                write!(f, "items {first} and {second} are equal; collapse duplicates first")
            }
            Self::ArgumentBytes { name, bytes, expected } => write!(f, "{name}: {bytes} bytes, not {expected}"),
            Self::NotEncodable => write!(f, "the rows of the items cannot be solved under this seed"),
            Self::NoColumns => write!(f, "no key columns"),
            Self::ColumnCount { found, expected } => write!(f, "{found} columns, and {expected} are wanted"),
            Self::DateFormat { position } => write!(f, "date format: byte {position} is not allowed"),
            Self::ColumnType { column, found } => write!(f, "column {column}: {found}, not a string column"),
            Self::MissingValue { column, row } => write!(f, "key column {column}: no value in row {row}"),
            Self::ValueBytes { column, row, bytes } => {
                write!(
                    f,
                    "key column {column}: a value of {bytes} bytes in row {row}, at most {} are possible",
                    u32::MAX
                )
            }
            Self::Stream { message } => write!(f, "key columns: {message}"),
            Self::NotFinished => write!(f, "no output yet"),
            Self::SizeOnly => write!(f, "this suite tells the size of the overlap only"),
            Self::NoReport => write!(f, "the receiver does not report the overlap here"),
            Self::Broken => write!(f, "the role has reported a fault and cannot go on"),
            Self::Threads { count } => write!(f, "{count} threads: from 1 to 1024 are possible"),
            Self::NoThreads { count } => write!(f, "the system refused {count} threads"),
            Self::UnknownBackend { name } => {
                write!(f, "PSI_BACKEND: {name:?} is none of portable, avx2, avx512")
            }
            Self::AbsentBackend { name, needs } => {
                write!(f, "PSI_BACKEND: this processor cannot run {name}, which needs {needs}")
            }
            Self::EmptyFrame => write!(f, "a frame without a type"),
            Self::UnknownFrame { kind } => write!(f, "frame type 0x{kind:02x} is not known"),
            Self::UnexpectedFrame { frame, received, allowed } => {
                write!(f, "{frame}: not expected now, {received} of {allowed} arrived before it")
            }
            Self::ChunkBytes { frame, bytes, expected } => write!(f, "{frame}: {bytes} bytes, not {expected}"),
            Self::NotCanonical { frame, index } => {
                write!(f, "{frame}: element {index} is not a canonical encoding")
            }
            Self::Identity { frame, index } => write!(f, "{frame}: element {index} is the identity"),
            Self::RepeatedElement { frame, first, second } => {
                write!(f, "{frame}: elements {first} and {second} are equal")
            }
            Self::TagOrder { index } => write!(f, "tags: tag {index} does not follow the one before it"),
            Self::TagCounts { count, counted } => write!(f, "tags: {counted} are counted by prefix, not {count}"),
            Self::FailedCheck { check } => write!(f, "the check of {check} failed"),
            Self::CorrelationLength { length, limit } => {
                write!(f, "a correlation of length {length}: from 1 to {limit} are possible")
            }
            Self::FailedSelfTest { name } => {
                write!(f, "the {name} kernels compute something else on this processor than the portable ones")
            }
            Self::TreeDepth { depth, least, most } => {
                write!(f, "tree_depth: {depth} is not from {least} to {most}")
            }
        }
    }
}

impl std::error::Error for CoreError {}
