//! What can go wrong, each variant a fact with its numbers; never an item, a key or a tag.

use std::fmt;

/// A fault found by the core.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreError {
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
}

impl fmt::Display for CoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownBackend { name } => {
                write!(f, "PSI_BACKEND: {name:?} is none of portable, avx2, avx512")
            }
            Self::AbsentBackend { name, needs } => {
                write!(f, "PSI_BACKEND: this processor cannot run {name}, which needs {needs}")
            }
        }
    }
}

impl std::error::Error for CoreError {}
