"""Write the matched rows of a party's own file: its columns, its order, its bytes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import MachineError
from psi.intake.gate import Intake
from psi.intake.output import reason, whole_file
from psi.intake.parquet import FAULTS, ParquetTable
from psi.intake.reader import CsvTable, Identity, changed, open_file, unreadable

WINDOW_BYTES = 4 << 20  # read at once; what lies between matched rows is read and skipped
ROW = "row"


def write_matched(intake: Intake, items: NDArray[np.uint32], path: Path) -> Path:
    """
    Write the rows of matched items to a file of the kind that was read, and return its path.

    ``path`` gets the suffix ``.csv`` or ``.parquet``. The first column is the row number (data rows count from 1),
    called ``row``, or ``row_1``, ``row_2``, … where the file has that name; then come the file's own columns. Rows of
    a CSV file keep their bytes, line ends included. Every row with a matched key is there, repeated ones too, in
    the order of the file.

    Raises `GateError` when the file was changed since it was read, `MachineError` when the disk refuses.
    """
    rows = intake.items.rows_of(items)
    table = intake.table
    if isinstance(table, ParquetTable):
        return _write_parquet(table, rows, path.with_suffix(".parquet"))
    assert isinstance(table, CsvTable)
    return _write_csv(table, rows, path.with_suffix(".csv"))


def _row_name(names: tuple[str, ...]) -> str:
    """Return a name for the column of row numbers that the file does not have."""
    taken = set(names)
    return next(
        name for name in (ROW, *(f"{ROW}_{n}" for n in range(1, len(names) + 2))) if name not in taken
    )


def _write_csv(table: CsvTable, rows: NDArray[np.uint32], path: Path) -> Path:
    """Copy the records of some rows from the file, in windows: no more memory than one of them, or one record."""
    starts, ends = table.offsets[rows], table.offsets[rows.astype(np.int64) + 1]
    line_end = b"\r\n" if table.header.endswith(b"\r\n") else b"\n"
    delimiter = table.delimiter.encode()
    with open_file(table.path) as source, whole_file(path) as stream:
        if Identity.of(source) != table.identity:
            raise changed(table.path)
        stream.write(table.mark + _row_name(table.names).encode() + delimiter + table.header)
        begin = 0
        while begin < len(rows):
            start = int(starts[begin])
            end = max(int(np.searchsorted(ends, start + WINDOW_BYTES, side="right")), begin + 1)
            window = _read(source.fileno(), int(ends[end - 1]) - start, start, table.path)
            for row, low, high in zip(
                rows[begin:end].tolist(),
                (starts[begin:end] - start).tolist(),
                (ends[begin:end] - start).tolist(),
                strict=True,
            ):
                record = window[low:high]
                stream.write(b"%d%b%b" % (row + 1, delimiter, record))
                if not record.endswith(b"\n"):  # the last record of a file may lack it
                    stream.write(line_end)
            begin = end
    return path


def _read(descriptor: int, count: int, start: int, path: Path) -> bytes:
    """Read bytes at a position; raises `GateError` when the file has become shorter."""
    try:
        parts = []
        while count:
            part = os.pread(descriptor, count, start)
            if not part:
                raise changed(path)
            parts.append(part)
            count, start = count - len(part), start + len(part)
    except OSError as error:
        raise unreadable(path, error) from error
    return b"".join(parts)


def _write_parquet(table: ParquetTable, rows: NDArray[np.uint32], path: Path) -> Path:
    """Copy some rows of a Parquet file with their types."""
    table.check_unchanged()
    name = _row_name(table.names)
    numbers = pl.LazyFrame({name: pl.Series(rows + np.uint32(1))})
    with whole_file(path) as stream:
        try:
            table.scan(row=name).join(numbers, on=name, how="semi", maintain_order="left").sink_parquet(
                stream
            )
        except FAULTS as error:
            why = reason(error) if isinstance(error, OSError) else "the table library could not"
            raise MachineError(
                f"cannot write {path.name}: {why}"
            ) from None  # not its text, which may quote cells
    return path
