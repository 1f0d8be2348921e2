//! What the intake gate calls: one column of strings in, one array out.

use std::sync::{Arc, Mutex};

use arrow_array::builder::StringViewBuilder;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3_arrow::{PyArray, PyRecordBatchReader};

use super::lock;
use crate::error::CoreError;
use crate::text::column::Column;
use crate::text::days::Format;
use crate::text::digits::append_digits;
use crate::text::framing::Layout;
use crate::text::letters::Beginnings;
use crate::text::plain::is_plain;
use crate::text::street::is_numbered;
use crate::text::tax_number::is_tax_number;
use crate::text::vocabulary;

#[pyfunction]
#[pyo3(signature = (block, *, delimiter, columns))]
pub fn record_ends<'py>(
    py: Python<'py>,
    block: &[u8],
    delimiter: u8,
    columns: usize,
) -> Option<Bound<'py, PyArray1<i64>>> {
    let layout = Layout { delimiter, columns };
    py.detach(|| layout.record_ends(block)).map(|ends| ends.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (column, *, max_bytes))]
pub fn plain(
    py: Python<'_>,
    column: PyRecordBatchReader,
    max_bytes: usize,
) -> PyResult<Bound<'_, PyArray1<bool>>> {
    Ok(each(py, column, |value| is_plain(value, max_bytes))?.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (column, *, date_format))]
pub fn days<'py>(
    py: Python<'py>,
    column: PyRecordBatchReader,
    date_format: &str,
) -> PyResult<Bound<'py, PyArray1<i32>>> {
    let format = Format::new(date_format)?;
    Ok(each(py, column, |value| format.day(value))?.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (columns, *, date_format))]
pub fn date_order<'py>(
    py: Python<'py>,
    columns: PyRecordBatchReader,
    date_format: &str,
) -> PyResult<Bound<'py, PyArray1<bool>>> {
    let format = Format::new(date_format)?;
    let mut results = Vec::new();
    batches(py, columns, |[first, second], rows| {
        results.extend((0..rows).map(|row| format.in_order(first.value(row), second.value(row))));
    })?;
    Ok(results.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (column, *, phrases))]
pub fn no_phrase(
    py: Python<'_>,
    column: PyRecordBatchReader,
    phrases: Vec<String>,
) -> PyResult<Bound<'_, PyArray1<bool>>> {
    let beginnings = Beginnings::new(phrases.iter().map(String::as_str));
    Ok(each(py, column, |value| beginnings.differ(value))?.into_pyarray(py))
}

#[pyfunction]
pub fn numbered_street(py: Python<'_>, column: PyRecordBatchReader) -> PyResult<Bound<'_, PyArray1<bool>>> {
    Ok(each(py, column, is_numbered)?.into_pyarray(py))
}

#[pyfunction]
pub fn tax_number(py: Python<'_>, column: PyRecordBatchReader) -> PyResult<Bound<'_, PyArray1<bool>>> {
    Ok(each(py, column, is_tax_number)?.into_pyarray(py))
}

#[pyclass(frozen)]
#[derive(Default)]
pub struct Vocabulary {
    vocabulary: Mutex<vocabulary::Vocabulary>,
}

#[pymethods]
impl Vocabulary {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    #[pyo3(signature = (columns, *, limit))]
    #[allow(clippy::type_complexity)] // the two arrays of the contract
    fn number<'py>(
        &self,
        py: Python<'py>,
        columns: PyRecordBatchReader,
        limit: usize,
    ) -> PyResult<Option<(Bound<'py, PyArray1<u32>>, Bound<'py, PyArray1<u32>>)>> {
        let reader = columns.into_reader()?;
        let numbered = py.detach(|| {
            let (mut numbers, mut new_rows) = (Vec::new(), Vec::new());
            for batch in reader {
                let batch = batch.map_err(|error| CoreError::Stream { message: error.to_string() })?;
                let columns: Vec<Column> = batch
                    .columns()
                    .iter()
                    .enumerate()
                    .map(|(index, column)| Column::new(index, column, numbers.len()))
                    .collect::<Result<_, _>>()?;
                let too_many = |count: usize| CoreError::TooManyItems { count, limit: u32::MAX as usize };
                let before = u32::try_from(numbers.len()).map_err(|_| too_many(numbers.len()))?;
                let rows = u32::try_from(batch.num_rows()).map_err(|_| too_many(batch.num_rows()))?;
                let Some(more) = lock(&self.vocabulary).number(&columns, rows, limit) else { return Ok(None) };
                numbers.extend(more.numbers);
                new_rows.extend(more.new_rows.into_iter().map(|row| before + row));
            }
            Ok::<_, CoreError>(Some((numbers, new_rows)))
        })?;
        Ok(numbered.map(|(numbers, new_rows)| (numbers.into_pyarray(py), new_rows.into_pyarray(py))))
    }
}

#[pyfunction]
pub fn digits(py: Python<'_>, column: PyRecordBatchReader) -> PyResult<PyArray> {
    let mut results = StringViewBuilder::new();
    let mut kept = Vec::new();
    visit(py, column, |value| {
        kept.clear();
        append_digits(value, &mut kept);
        results.append_value(std::str::from_utf8(&kept).expect("digits are ASCII"));
    })?;
    Ok(PyArray::from_array_ref(Arc::new(results.finish())))
}

/// Returns what a function makes of each value of the one column of a table.
fn each<T: Send>(
    py: Python<'_>,
    column: PyRecordBatchReader,
    of_value: impl Fn(&[u8]) -> T + Send + Sync,
) -> PyResult<Vec<T>> {
    let mut results = Vec::new();
    visit(py, column, |value| results.push(of_value(value)))?;
    Ok(results)
}

/// Shows each value of the one column of a table to a function.
fn visit(py: Python<'_>, column: PyRecordBatchReader, mut visitor: impl FnMut(&[u8]) + Send) -> PyResult<()> {
    batches(py, column, |[column], _| column.for_each(&mut visitor))
}

/// Shows the columns of each batch of a table, which has so many of them, to a function, and how many rows it has.
fn batches<const N: usize>(
    py: Python<'_>,
    columns: PyRecordBatchReader,
    mut visitor: impl FnMut([Column<'_>; N], usize) + Send,
) -> PyResult<()> {
    let reader = columns.into_reader()?;
    py.detach(|| {
        let mut rows = 0;
        for batch in reader {
            let batch = batch.map_err(|error| CoreError::Stream { message: error.to_string() })?;
            let columns: Vec<Column<'_>> = batch
                .columns()
                .iter()
                .enumerate()
                .map(|(index, column)| Column::new(index, column, rows))
                .collect::<Result<_, _>>()?;
            let columns = columns
                .try_into()
                .map_err(|_| CoreError::ColumnCount { found: batch.num_columns(), expected: N })?;
            visitor(columns, batch.num_rows());
            rows += batch.num_rows();
        }
        Ok::<_, CoreError>(())
    })?;
    Ok(())
}
