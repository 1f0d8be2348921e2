//! The digests of a party's items for Python: made, collapsed and kept here, handed to a role without a copy.

use std::sync::{Arc, Mutex};

use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3_arrow::PyRecordBatchReader;

use super::{UsageError, lock};
use crate::backend::memory::zeroed;
use crate::error::CoreError;
use crate::item;
use crate::params::DIGEST_BYTES;
use crate::threads::Threads;

/// A list of digests; a role shares it.
#[pyclass(frozen)]
pub(super) struct Digests {
    list: Mutex<Arc<Vec<[u8; DIGEST_BYTES]>>>,
}

impl Digests {
    /// Runs work that changes the list, without the interpreter lock; a list that a role has is refused.
    fn change<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Vec<[u8; DIGEST_BYTES]>) -> Result<T, CoreError> + Send,
    ) -> PyResult<T> {
        py.detach(|| {
            let mut list = lock(&self.list);
            let list = Arc::get_mut(&mut list).ok_or_else(|| UsageError::new_err("digests: a role has them"))?;
            Ok(work(list)?)
        })
    }
}

#[pymethods]
impl Digests {
    #[new]
    #[pyo3(signature = (digests = None))]
    fn new(digests: Option<PyReadonlyArray2<'_, u8>>) -> PyResult<Self> {
        let list = digests.map_or_else(|| Ok(Vec::new()), |digests| copied(&digests))?;
        Ok(Self { list: Mutex::new(Arc::new(list)) })
    }

    #[pyo3(signature = (columns, *, threads = 1))]
    fn append(&self, py: Python<'_>, columns: PyRecordBatchReader, threads: usize) -> PyResult<()> {
        let reader = columns.into_reader()?;
        self.change(py, |list| {
            let threads = Threads::new(threads)?;
            let before = list.len();
            let result = reader.into_iter().try_for_each(|batch| {
                let batch = batch.map_err(|error| CoreError::Stream { message: error.to_string() })?;
                item::append_digests(batch.columns(), before, list, &threads)
            });
            if result.is_err() {
                list.truncate(before);
            }
            result
        })
    }

    #[pyo3(signature = (*, threads = 1))]
    fn collapse<'py>(&self, py: Python<'py>, threads: usize) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let item_of_row = self.change(py, |list| item::collapse(list, &Threads::new(threads)?))?;
        Ok(item_of_row.into_pyarray(py))
    }

    fn array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let list = lock(&self.list).clone();
        let rows = list.len();
        let copy = py.detach(|| list.as_flattened().to_vec());
        copy.into_pyarray(py).reshape([rows, DIGEST_BYTES])
    }

    fn __len__(&self) -> usize {
        lock(&self.list).len()
    }
}

/// What a role takes: digests that are here already, or an array of them, which is copied.
#[derive(FromPyObject)]
pub(super) enum Given<'py> {
    /// Shared with Python.
    Held(Bound<'py, Digests>),
    /// Python may write to it as soon as the interpreter lock is released.
    Array(PyReadonlyArray2<'py, u8>),
}

impl Given<'_> {
    /// Returns the digests.
    pub(super) fn list(&self) -> PyResult<Arc<Vec<[u8; DIGEST_BYTES]>>> {
        match self {
            Self::Held(digests) => Ok(lock(&digests.get().list).clone()),
            Self::Array(array) => copied(array).map(Arc::new),
        }
    }
}

/// Copies an array of digests.
fn copied(digests: &PyReadonlyArray2<'_, u8>) -> PyResult<Vec<[u8; DIGEST_BYTES]>> {
    let columns = digests.shape()[1];
    if columns != DIGEST_BYTES {
        return Err(CoreError::ArgumentBytes { name: "digests", bytes: columns, expected: DIGEST_BYTES }.into());
    }
    let bytes = digests.as_slice().map_err(|_| UsageError::new_err("digests: not contiguous in C order"))?;
    let digests: &[[u8; DIGEST_BYTES]] = bytes.as_chunks().0;
    let mut list = zeroed(digests.len());
    list.copy_from_slice(digests);
    Ok(list)
}
