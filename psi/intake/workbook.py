"""
Read one sheet of a workbook (.xlsx) as text columns.

A workbook is a compressed archive, and the table library builds its whole sheet in memory, as a rectangle from the
first cell to the last. So the archive is looked through first, block by block: how large it is unpacked, and how far
its cells reach. What is too large is not opened.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import GateError, MachineError
from psi.intake.reader import Batch, Identity, changed, check_names, open_file, unreadable

MAX_UNPACKED_BYTES = 1 << 30
MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14  # of the format
MAX_CELLS = MAX_ROWS * 26  # of the rectangle: all rows of the columns A to Z
BATCH_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 20
_OVERLAP_BYTES = 64  # what two blocks share is seen whole in the second
# A cell says where it is: r="AB12". One letter and a number below 1,050,000 take no more memory than is allowed; for
# anything else, other spellings of XML included, the whole part is looked at closely.
_UNUSUAL = re.compile(
    rb'r="(?:[A-Za-z]{2}|[A-Za-z]?(?:0|[2-9][0-9]{6}|1[1-9][0-9]{5}|10[5-9][0-9]{4}|[0-9]{8}))'
)
_SPELLED_OTHERWISE = (
    b"r='",
    *(sign for blank in (b" ", b"\t", b"\n", b"\r") for sign in (blank + b"=", b"=" + blank)),
)
_PLACE = re.compile(rb"""[ "']r ?= ?["']([A-Za-z]{0,8})([0-9]{0,12})""")
_FAR = 1 << 62
_MIDNIGHT = r"^\d{4}-\d{2}-\d{2} 00:00:00$"  # as the table library writes a day


class WorkbookTable:
    """
    Read the first sheet of a workbook, or the one that the terms name; its first row that is not empty is the header.

    A cell becomes text: a number its decimal digits, without an exponent; a day ``YYYY-MM-DD``, or what the format of
    the terms says of its column, and with a time of day ``YYYY-MM-DD HH:MM:SS``; a truth value ``true`` or ``false``;
    an error and an empty cell an empty text. How the cell shows it (leading zeros, currencies) does not count.
    """

    def __init__(self, path: Path, delimiter: str, *, wanted: Sequence[str], sheet: str | None) -> None:
        self.path = path
        self.delimiter = delimiter
        with open_file(path) as stream:
            self.identity = Identity.of(stream)
            self.total_bytes = self.identity.size_bytes
            _look_through(stream, path)
        if find_spec("fastexcel") is None:
            raise MachineError(
                f"reading the workbook {path.name} needs a package that is not installed",
                hint="pip install 'psi-overlap[xlsx]', or save the sheet as CSV in UTF-8",
            )
        self._sheet = sheet
        cells = self._cells()
        self.names = tuple(cells.head(1).fill_null("").row(0)) if cells.height else ()
        if not self.names:
            raise GateError(f"{path.name}: the sheet is empty", hint="the terms may name another one: sheet")
        check_names(path.name, self.names, wanted)
        if cells.height == 1:
            raise GateError(
                f"{path.name}: a header and no rows", hint="export the workbook again, with its rows"
            )
        self._rows: pl.DataFrame | None = cells[1:].rename(dict(zip(cells.columns, self.names, strict=True)))
        self._formats: Mapping[str, str | None] = {}

    def batches(self, formats: Mapping[str, str | None]) -> Iterator[Batch]:
        """Yield all rows in order, and let go of the sheet."""
        self._formats = formats
        rows, self._rows = self._rows, None
        assert rows is not None
        texts = [self._text(name) for name in self.names if name in formats]
        for start in range(0, rows.height, BATCH_ROWS):
            frame = rows[start : start + BATCH_ROWS].select(texts)
            done = start + frame.height
            yield Batch(frame, self.total_bytes * done // rows.height)

    def texts(self, rows: NDArray[np.uint32]) -> Iterator[pl.DataFrame]:
        """Yield some rows, by their numbers from 0, as they were compared; the workbook is opened again for them."""
        cells = self._cells()
        chosen = cells[rows.astype(np.int64) + 1].rename(dict(zip(cells.columns, self.names, strict=True)))
        yield chosen.select(self._text(name) for name in self.names)

    def _text(self, name: str) -> pl.Expr:
        """Return the expression that finishes what the table library made of a column."""
        column = pl.col(name)
        day = column.str.head(10)
        if (date_format := self._formats.get(name)) is not None:
            day = pl.coalesce(day.str.to_date("%Y-%m-%d", strict=False).dt.to_string(date_format), column)
        return pl.when(column.str.contains(_MIDNIGHT)).then(day).otherwise(column).fill_null("").alias(name)

    def _cells(self) -> pl.DataFrame:
        """Return the rectangle of all cells as texts, the header its first row."""
        import fastexcel

        with open_file(self.path) as stream:
            if Identity.of(stream) != self.identity:
                raise changed(self.path)
        try:
            book = fastexcel.read_excel(str(self.path.absolute()))
            if self._sheet is not None and self._sheet not in book.sheet_names:
                raise GateError(
                    f"{self.path.name}: no sheet {self._sheet!r} among its {len(book.sheet_names)}",
                    hint="compare `sheet` in the terms with the names at the foot of the workbook",
                )
            sheet = book.load_sheet(self._sheet or 0, header_row=None, dtypes="string")
            return pl.DataFrame(sheet)
        except (fastexcel.FastExcelError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise _unsound(self.path) from None  # and not its text, which may quote cells


def _look_through(stream: BinaryIO, path: Path) -> None:
    """Unpack a workbook without keeping it; raises `GateError` when it is not sound, or would not fit into memory."""
    unpacked = 0
    try:
        with zipfile.ZipFile(stream) as archive:
            for entry in archive.infolist():
                if entry.flag_bits & 1:
                    raise GateError(
                        f"{path.name}: the workbook is encrypted", hint="save it without a password"
                    )
                unpacked += (
                    entry.file_size
                )  # what it has beyond that is never unpacked here, and fails its checksum
                if unpacked > MAX_UNPACKED_BYTES:
                    raise _too_large(path, f"more than {MAX_UNPACKED_BYTES >> 20} MiB unpacked")
                if _may_reach_far(archive, entry):
                    rows, columns = _extent(archive, entry)
                    if rows > MAX_ROWS or columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
                        raise _too_large(path, f"{entry.filename} has cells far away")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        raise _unsound(path) from None
    except OSError as error:
        raise unreadable(path, error) from error


def _may_reach_far(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Return whether the cells of a part could lie outside of the rectangle, after a quick look at all of it."""
    found, rest = False, b""
    with archive.open(entry) as part:
        while block := part.read(_BLOCK_BYTES):  # to the end: a part that is not sound fails there
            text = rest + block
            found = (
                found or _UNUSUAL.search(text) is not None or any(sign in text for sign in _SPELLED_OTHERWISE)
            )
            rest = text[-_OVERLAP_BYTES:]
    return found


def _extent(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[int, int]:
    """Return how many rows and columns the cells of a part reach over; a part that is no sheet has none."""
    rows, columns, rest = 0, {b""}, b""
    with archive.open(entry) as part:
        while block := part.read(_BLOCK_BYTES):
            text = rest + block
            edges = b" " * text[:1].isspace(), b" " * text[-1:].isspace()
            text = edges[0] + b" ".join(text.split()) + edges[1]  # of many blanks one counts
            places = _PLACE.findall(text)
            columns.update({letters for letters, _ in places})
            rows = max([rows, *(_row(digits) for _, digits in places)])
            rest = text[-_OVERLAP_BYTES:]
    return rows, max(_column(letters) for letters in columns)


def _row(digits: bytes) -> int:
    """Return the number of a row; what is no row of the format is far away."""
    return _FAR if digits.startswith(b"0") or len(digits) > 7 else int(digits or b"0")


def _column(letters: bytes) -> int:
    """Return the number of a column, from 1, by its letters, and 0 for none; what is no column is far away."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return _FAR if len(letters) > 3 else number


def _too_large(path: Path, fact: str) -> GateError:
    return GateError(
        f"{path.name}: the workbook is too large: {fact}",
        hint="clear what lies outside of the table, or save the sheet as CSV in UTF-8",
    )


def _unsound(path: Path) -> GateError:
    return GateError(f"{path.name}: not a sound workbook (.xlsx)", hint="open it and save it again")
