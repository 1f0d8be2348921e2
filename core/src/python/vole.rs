//! The roles of the vole suites for Python.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use zeroize::Zeroizing;

use super::digests::Given;
use super::{Shared, fixed};
use crate::error::CoreError;
use crate::params::VoleSuite;
use crate::role::{self, VolePlan, VoleSetup};

fn setup(
    malicious: bool,
    report: bool,
    n_peer: usize,
    tree_depth: usize,
    sid: &[u8],
    seed: &[u8],
    threads: usize,
) -> Result<VoleSetup, CoreError> {
    let suite = if malicious { VoleSuite::Malicious } else { VoleSuite::SemiHonest };
    let seed = Zeroizing::new(fixed("seed", seed)?);
    Ok(VoleSetup { suite, report, n_peer, tree_depth, sid: fixed("sid", sid)?, seed, threads })
}

/// What both roles have in Python but their constructors, which name the peer's number of items differently.
macro_rules! role {
    ($name:ident, $n_peer:ident) => {
        #[pyclass(frozen)]
        pub(super) struct $name {
            shared: Shared<role::$name>,
        }

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = (digests, *, malicious, report, $n_peer, tree_depth, sid, seed, threads))]
            #[allow(clippy::too_many_arguments)] // named ones, in Python
            fn new(
                py: Python<'_>,
                digests: Given<'_>,
                malicious: bool,
                report: bool,
                $n_peer: usize,
                tree_depth: usize,
                sid: &[u8],
                seed: &[u8],
                threads: usize,
            ) -> PyResult<Self> {
                let digests = digests.list()?;
                let setup = setup(malicious, report, $n_peer, tree_depth, sid, seed, threads)?;
                let role = py.detach(|| role::$name::new(digests, setup))?;
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
        }
    };
}

/// Returns the numbers of a run by name.
#[pyfunction]
#[pyo3(signature = (*, malicious, n_receiver, n_sender, tree_depth))]
pub(super) fn vole_plan(
    py: Python<'_>,
    malicious: bool,
    n_receiver: usize,
    n_sender: usize,
    tree_depth: usize,
) -> PyResult<Bound<'_, PyDict>> {
    let suite = if malicious { VoleSuite::Malicious } else { VoleSuite::SemiHonest };
    let plan = VolePlan::new(suite, n_receiver, n_sender, tree_depth)?;
    let numbers = PyDict::new(py);
    for (name, number) in [
        ("columns", plan.columns),
        ("value_bytes", plan.value_bytes),
        ("tag_bytes", plan.tag_bytes),
        ("batch_items", plan.batch_items),
        ("batch_outputs", plan.batch_outputs),
        ("n_max", plan.n_max),
        ("receiver_bytes", plan.receiver_bytes),
        ("sender_bytes", plan.sender_bytes),
    ] {
        numbers.set_item(name, number)?;
    }
    Ok(numbers)
}

role!(VoleReceiver, n_sender);
role!(VoleSender, n_receiver);
