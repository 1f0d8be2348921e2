"""Read a Parquet file in batches of text columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from psi.errors import GateError
from psi.intake.reader import Batch, Identity, changed, check_names, open_file

MAGIC = b"PAR1"
# What the table library raises for a broken file; a broken page makes it panic, which is no `Exception`.
FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
BATCH_ROWS = 1 << 16


class ParquetTable:
    """
    Read a Parquet file whose wanted columns are texts, dates or whole numbers.

    A date becomes text in the format that the terms give for its column, else ``YYYY-MM-DD``; a whole number its
    decimal digits, so that leading zeros that it lost are missed by the rules; a null an empty text. Other types would
    have to be guessed at, and are refused.
    """

    def __init__(self, path: Path, *, wanted: Sequence[str]) -> None:
        self.path = path
        with open_file(path) as stream:
            self.identity = Identity.of(stream)
            self.total_bytes = self.identity.size_bytes
        try:
            self._schema = self.scan().collect_schema()
            self._rows = self.scan().select(pl.len()).collect().item()
        except FAULTS:
            raise _unsound(path) from None
        self.names = tuple(self._schema)
        check_names(path.name, self.names, wanted)
        if not self._rows:
            raise GateError(f"{path.name}: columns and no rows", hint="export the file again, with its rows")

    def scan(self, *, row: str | None = None) -> pl.LazyFrame:
        """Return the whole file as a query, with the number of each row, from 1, in a first column ``row``."""
        return pl.scan_parquet(
            self.path,
            row_index_name=row,
            row_index_offset=1,
            glob=False,  # a name is a name
            hive_partitioning=False,  # and no source of columns
            low_memory=True,
        )

    def check_unchanged(self) -> None:
        """Raise `GateError` when the file is no longer the one that was opened."""
        with open_file(self.path) as stream:
            if Identity.of(stream) != self.identity:
                raise changed(self.path)

    def batches(self, formats: Mapping[str, str | None]) -> Iterator[Batch]:
        """Yield all rows in order."""
        texts = [self._text(name, formats[name]) for name in self.names if name in formats]
        self.check_unchanged()
        done = 0
        try:
            for frame in (
                self.scan().select(texts).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
            ):
                done += frame.height
                yield Batch(frame, self.total_bytes * done // max(done, self._rows))
        except FAULTS:
            raise _unsound(self.path) from None
        if done != self._rows:
            raise _unsound(self.path)

    def _text(self, name: str, date_format: str | None) -> pl.Expr:
        """Return the expression that makes a column text."""
        column, kind = pl.col(name), self._schema[name]
        if kind in (pl.Categorical, pl.Enum) or kind.is_integer():
            column = column.cast(pl.String)
        elif kind == pl.Date:
            column = column.dt.to_string(date_format or "%Y-%m-%d")
        elif kind != pl.String:
            number = self.names.index(name) + 1
            raise GateError(
                f"{self.path.name}: column {number} ({name!r}) is neither text, date nor whole number",
                hint="save it as text",
            )
        return column.fill_null("")


def _unsound(path: Path) -> GateError:
    return GateError(f"{path.name}: not a sound Parquet file", hint="export it again")
