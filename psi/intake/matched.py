"""Write the matched rows of a party's own file: its columns, its order, its bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import MachineError
from psi.intake.database import QueryTable
from psi.intake.gate import Intake
from psi.intake.output import reason, whole_file
from psi.intake.parquet import FAULTS, ParquetTable
from psi.intake.reader import CsvTable, Identity, changed, open_file, unreadable
from psi.intake.workbook import WorkbookTable

WINDOW_BYTES = 4 << 20  # read at once; what lies between matched rows is read and skipped
ROW, KEY = "row", "key"
NO_KEY = 255  # more than the keys that terms can have


@dataclass(frozen=True)
class MatchedRows:
    """
    Hold which rows matched under any key, ascending, and the number of the first key under which each did.

    Rows and keys count from 0.
    """

    rows: NDArray[np.uint32] = field(repr=False)
    keys: NDArray[np.uint8] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)


def find_rows(intake: Intake, matched: Sequence[NDArray[np.uint32] | None]) -> MatchedRows:
    """
    Return the rows of matched items: for each key of the terms the positions of its items, or ``None`` if not told.

    Every row with a matched key is there, repeated ones too.
    """
    key_of_row = np.full(intake.report.rows, NO_KEY, dtype=np.uint8)
    for number, (own, found) in reversed(list(enumerate(zip(intake.items, matched, strict=True)))):
        if found is not None:
            key_of_row[own.rows_of(found)] = number
    rows = np.flatnonzero(key_of_row != NO_KEY).astype(np.uint32)
    return MatchedRows(rows, key_of_row[rows])


def write_matched(intake: Intake, found: MatchedRows, path: Path) -> Path:
    """
    Write matched rows to a file, and return its path.

    ``path`` gets the suffix ``.parquet`` if that was read, else ``.csv``. The first column is the row number (data
    rows count from 1), called ``row``, or ``row_1``, ``row_2``, … where the source has that name. Where the terms have
    several keys, the next one, called ``key`` in the same way, is the name of the first key under which the row
    matched. Then come the source's own columns, in its order. Rows of a CSV file keep their bytes, line ends included,
    and what is added is in its encoding; those of a Parquet file keep their types; of a workbook or a query the texts
    that were compared are written, in UTF-8.

    Raises `GateError` when the file was changed since it was read, `MachineError` when the disk refuses.
    """
    names = [key.name for key in intake.report.keys]
    labels = names if len(names) > 1 else None
    table = intake.table
    if isinstance(table, ParquetTable):
        return _write_parquet(table, found, labels, path.with_suffix(".parquet"))
    if isinstance(table, CsvTable):
        return _write_csv(table, found, labels, path.with_suffix(".csv"))
    assert isinstance(table, (QueryTable, WorkbookTable))
    return _write_texts(table, found, labels, path.with_suffix(".csv"))


def _free_name(wanted: str, names: Sequence[str]) -> str:
    """Return a name for a column in front that the file does not have."""
    taken = set(names)
    numbered = (f"{wanted}_{n}" for n in range(1, len(names) + 2))
    return next(name for name in (wanted, *numbered) if name not in taken)


def _csv_field(text: str, delimiter: str) -> str:
    """Return a text of one line as a field of a CSV file."""
    return '"' + text.replace('"', '""') + '"' if '"' in text or delimiter in text else text


def _write_csv(table: CsvTable, found: MatchedRows, labels: Sequence[str] | None, path: Path) -> Path:
    """Copy the records of some rows from the file, in windows: no more memory than one of them, or one record."""
    rows = found.rows
    starts, ends = table.offsets[rows], table.offsets[rows.astype(np.int64) + 1]
    encode, delimiter = table.encoding.encode, table.delimiter
    line_feed = encode("\n")
    line_end = encode("\r\n") if table.header.endswith(encode("\r\n")) else line_feed
    front = _free_name(ROW, table.names) + delimiter
    cells = [""]  # what follows the row number, by the number of the key
    if labels is not None:
        front += _free_name(KEY, table.names) + delimiter
        cells = [_csv_field(label, delimiter) + delimiter for label in labels]
    with open_file(table.path) as source, whole_file(path) as stream:
        if Identity.of(source) != table.identity:
            raise changed(table.path)
        stream.write(table.encoding.mark + encode(front) + table.header)
        begin = 0
        while begin < len(rows):
            start = int(starts[begin])
            end = max(int(np.searchsorted(ends, start + WINDOW_BYTES, side="right")), begin + 1)
            window = _read(source.fileno(), int(ends[end - 1]) - start, start, table.path)
            for row, key, low, high in zip(
                rows[begin:end].tolist(),
                found.keys[begin:end].tolist(),
                (starts[begin:end] - start).tolist(),
                (ends[begin:end] - start).tolist(),
                strict=True,
            ):
                record = window[low:high]
                stream.write(encode(f"{row + 1}{delimiter}{cells[key]}") + record)
                if not record.endswith(line_feed):  # the last record of a file may lack it
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


def _write_texts(
    table: QueryTable | WorkbookTable, found: MatchedRows, labels: Sequence[str] | None, path: Path
) -> Path:
    """Write some rows of a table without bytes of its own to copy, as CSV in UTF-8 with the delimiter of the terms."""
    row, key, done = _free_name(ROW, table.names), _free_name(KEY, table.names), 0
    names = (row, *((key,) if labels is not None else ()), *table.names)
    with whole_file(path) as stream:
        header = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        stream.write(header.write_csv(separator=table.delimiter).encode())
        for frame in table.texts(found.rows):
            places = slice(done, done + frame.height)
            front = {row: pl.Series(found.rows[places] + np.uint32(1))}
            if labels is not None:
                front[key] = pl.Series(labels, dtype=pl.String).gather(found.keys[places])
            lines = frame.with_columns(**front).select(names)
            stream.write(lines.write_csv(include_header=False, separator=table.delimiter).encode())
            done += frame.height
    assert done == len(found)
    return path


def _write_parquet(table: ParquetTable, found: MatchedRows, labels: Sequence[str] | None, path: Path) -> Path:
    """Copy some rows of a Parquet file with their types."""
    table.check_unchanged()
    row, key = _free_name(ROW, table.names), _free_name(KEY, table.names)
    wanted = pl.DataFrame({row: pl.Series(found.rows + np.uint32(1))})
    first = [row]
    if labels is not None:
        wanted = wanted.with_columns(pl.Series(labels, dtype=pl.String).gather(found.keys).alias(key))
        first = [row, key]
    with whole_file(path) as stream:
        try:
            table.scan(row=row).join(wanted.lazy(), on=row, how="inner", maintain_order="left").select(
                *first, *table.names
            ).sink_parquet(stream)
        except FAULTS as error:
            why = reason(error) if isinstance(error, OSError) else "the table library could not"
            raise MachineError(
                f"cannot write {path.name}: {why}"
            ) from None  # not its text, which may quote cells
    return path
