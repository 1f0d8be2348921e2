//! The extension module `psi._core`: this file and its folder alone know Python. `psi/_core.pyi` is the contract.
//!
//! The interpreter lock is released in every call that can take over a millisecond. A role is behind a lock of its
//! own, so that one thread may hand it frames while another takes frames from it.

#![allow(clippy::needless_pass_by_value)] // what PyO3 hands over is handed over by value

mod digests;
mod text;
mod vole;

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{IntoPyArray, PyArray1};
use pyo3::import_exception;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use zeroize::Zeroizing;

use self::digests::Given;
use crate::error::{CoreError, Fault};
use crate::params::Suite;
use crate::role::{self, Role, Setup, Status};

import_exception!(psi.errors, DecodeError);
import_exception!(psi.errors, MachineError);
import_exception!(psi.errors, StateError);
import_exception!(psi.errors, UsageError);
import_exception!(psi.errors, VerificationError);

/// Length of what precedes type and body in a whole frame: their length.
const LENGTH_BYTES: usize = 4;
/// Bytes over which hashing takes long enough to let other threads run.
const DETACH_BYTES: usize = 1 << 16;

impl From<CoreError> for PyErr {
    fn from(error: CoreError) -> Self {
        let text = error.to_string();
        match error.fault() {
            Fault::Usage => UsageError::new_err(text),
            Fault::Decode => DecodeError::new_err(text),
            Fault::State => StateError::new_err(text),
            Fault::Verification => VerificationError::new_err(text),
            Fault::Machine => MachineError::new_err(text),
        }
    }
}

/// Locks what a panic of another thread may have left half done; a role then answers that it is broken or goes on
/// from its last complete step, and a hasher has no half states.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes an argument of a fixed length.
fn fixed<const N: usize>(name: &'static str, bytes: &[u8]) -> Result<[u8; N], CoreError> {
    bytes.try_into().map_err(|_| CoreError::ArgumentBytes { name, bytes: bytes.len(), expected: N })
}

#[pyfunction]
fn backend(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let names = PyDict::new(py);
    for (kernel, implementation) in crate::backend::names()? {
        names.set_item(kernel, implementation)?;
    }
    Ok(names)
}

#[pyclass(frozen)]
struct Hasher {
    hasher: Mutex<blake3::Hasher>,
}

#[pymethods]
impl Hasher {
    #[new]
    fn new(context: &str) -> Self {
        Self { hasher: Mutex::new(blake3::Hasher::new_derive_key(context)) }
    }

    fn update(&self, py: Python<'_>, data: &[u8]) {
        if data.len() >= DETACH_BYTES {
            py.detach(|| {
                lock(&self.hasher).update(data);
            });
        } else {
            lock(&self.hasher).update(data);
        }
    }

    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, lock(&self.hasher).finalize().as_bytes())
    }
}

/// A role for two threads of Python, and a copy of its status that can be read while it works.
struct Shared<R> {
    role: Mutex<R>,
    status: Mutex<Status>,
}

impl<R: Role + Send> Shared<R> {
    fn new(role: R) -> Self {
        Self { status: Mutex::new(role.status()), role: Mutex::new(role) }
    }

    fn call<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut R) -> Result<T, CoreError> + Send,
    ) -> PyResult<T> {
        py.detach(|| {
            let mut role = lock(&self.role);
            let result = work(&mut role);
            *lock(&self.status) = role.status();
            Ok(result?)
        })
    }

    fn next_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(typed_body) = self.call(py, R::next_frame)? else { return Ok(None) };
        #[allow(clippy::cast_possible_truncation)] // a megabyte at most
        let length: [u8; LENGTH_BYTES] = (typed_body.len() as u32).to_le_bytes();
        let whole = PyBytes::new_with(py, LENGTH_BYTES + typed_body.len(), |frame| {
            let (prefix, behind) = frame.split_at_mut(LENGTH_BYTES);
            prefix.copy_from_slice(&length);
            behind.copy_from_slice(&typed_body);
            Ok(())
        });
        whole.map(Some)
    }

    fn receive(&self, py: Python<'_>, frame: &[u8]) -> PyResult<()> {
        self.call(py, |role| role.receive(frame.get(LENGTH_BYTES..).unwrap_or_default()))
    }

    fn status(&self) -> Status {
        *lock(&self.status)
    }
}

fn setup(cardinality: bool, n_peer: usize, sid: &[u8], seed: &[u8], threads: usize) -> Result<Setup, CoreError> {
    let suite = if cardinality { Suite::EcdhCardinality } else { Suite::Ecdh };
    Ok(Setup { suite, n_peer, sid: fixed("sid", sid)?, seed: Zeroizing::new(fixed("seed", seed)?), threads })
}

#[pyclass(frozen)]
struct EcdhReceiver {
    shared: Shared<role::EcdhReceiver>,
}

#[pymethods]
impl EcdhReceiver {
    #[new]
    #[pyo3(signature = (digests, *, cardinality, n_sender, sid, seed, threads))]
    fn new(
        py: Python<'_>,
        digests: Given<'_>,
        cardinality: bool,
        n_sender: usize,
        sid: &[u8],
        seed: &[u8],
        threads: usize,
    ) -> PyResult<Self> {
        let digests = digests.list()?;
        let setup = setup(cardinality, n_sender, sid, seed, threads)?;
        let role = py.detach(|| role::EcdhReceiver::new(digests, setup))?;
        Ok(Self { shared: Shared::new(role) })
    }

    fn next_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.shared.next_frame(py)
    }

    fn receive(&self, py: Python<'_>, frame: &[u8]) -> PyResult<()> {
        self.shared.receive(py, frame)
    }

    #[getter]
    fn needs_peer(&self) -> bool {
        self.shared.status().needs_peer
    }

    #[getter]
    fn finished(&self) -> bool {
        self.shared.status().finished
    }

    fn progress(&self) -> (&'static str, usize, usize) {
        let status = self.shared.status();
        (status.phase.name(), status.done, status.total)
    }

    fn matched<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let matched = self.shared.call(py, |role| role.matched().map(<[u32]>::to_vec))?;
        Ok(matched.into_pyarray(py))
    }

    fn overlap(&self, py: Python<'_>) -> PyResult<usize> {
        self.shared.call(py, |role| role.overlap())
    }
}

#[pyclass(frozen)]
struct EcdhSender {
    shared: Shared<role::EcdhSender>,
}

#[pymethods]
impl EcdhSender {
    #[new]
    #[pyo3(signature = (digests, *, cardinality, n_receiver, sid, seed, threads))]
    fn new(
        py: Python<'_>,
        digests: Given<'_>,
        cardinality: bool,
        n_receiver: usize,
        sid: &[u8],
        seed: &[u8],
        threads: usize,
    ) -> PyResult<Self> {
        let digests = digests.list()?;
        let setup = setup(cardinality, n_receiver, sid, seed, threads)?;
        let role = py.detach(|| role::EcdhSender::new(digests, setup))?;
        Ok(Self { shared: Shared::new(role) })
    }

    fn next_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.shared.next_frame(py)
    }

    fn receive(&self, py: Python<'_>, frame: &[u8]) -> PyResult<()> {
        self.shared.receive(py, frame)
    }

    #[getter]
    fn needs_peer(&self) -> bool {
        self.shared.status().needs_peer
    }

    #[getter]
    fn finished(&self) -> bool {
        self.shared.status().finished
    }

    fn progress(&self) -> (&'static str, usize, usize) {
        let status = self.shared.status();
        (status.phase.name(), status.done, status.total)
    }
}

/// The compiled part of psi.
#[pymodule]
#[pyo3(name = "_core")]
fn core_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<digests::Digests>()?;
    module.add_class::<EcdhReceiver>()?;
    module.add_class::<EcdhSender>()?;
    module.add_class::<Hasher>()?;
    module.add_class::<text::Vocabulary>()?;
    module.add_class::<vole::VoleReceiver>()?;
    module.add_class::<vole::VoleSender>()?;
    module.add_function(wrap_pyfunction!(backend, module)?)?;
    module.add_function(wrap_pyfunction!(text::date_order, module)?)?;
    module.add_function(wrap_pyfunction!(text::days, module)?)?;
    module.add_function(wrap_pyfunction!(text::digits, module)?)?;
    module.add_function(wrap_pyfunction!(text::no_phrase, module)?)?;
    module.add_function(wrap_pyfunction!(text::numbered_street, module)?)?;
    module.add_function(wrap_pyfunction!(text::plain, module)?)?;
    module.add_function(wrap_pyfunction!(text::record_ends, module)?)?;
    module.add_function(wrap_pyfunction!(text::tax_number, module)?)?;
    module.add_function(wrap_pyfunction!(vole::vole_plan, module)?)
}
