"""Read a file in batches of text columns: what every kind of file has in common, and CSV."""

from __future__ import annotations

import codecs
import csv
import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import GateError, MachineError, PsiError, UsageError
from psi.intake import framing
from psi.intake.encodings import Encoding, Recoder, hint_of_bytes, recognise
from psi.intake.output import reason

CHUNK_BYTES = 20 << 20  # smaller blocks cost more calls, larger ones memory
MAX_HEADER_BYTES = 1 << 20
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}


@dataclass(frozen=True)
class Batch:
    """Hold consecutive rows: the columns asked for, as text without nulls, and how far into the file they reach."""

    frame: pl.DataFrame = field(repr=False)
    done_bytes: int


class Table(Protocol):
    """Read one source from its first row to its last; there is a class for each kind."""

    names: tuple[str, ...]
    total_bytes: int

    def batches(self, formats: Mapping[str, str | None]) -> Iterator[Batch]:
        """
        Yield all rows in order, with the columns that ``formats`` names; the gate calls it once.

        The format of a column is how the terms write its dates, ``None`` for other columns. Raises `GateError` for the
        first fault of the file, `MachineError` when it cannot be read.
        """
        ...


@dataclass(frozen=True)
class Identity:
    """Tell one state of a file from another, so that rows are not looked up in a file that was changed."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, stream: BinaryIO) -> Identity:
        """Return what an open file is now."""
        status = os.fstat(stream.fileno())
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file; raises `UsageError` when there is none, `MachineError` when it cannot be read."""
    try:
        stream = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    except FileNotFoundError:
        raise UsageError(f"no file {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder", hint="name a file in it") from None
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UsageError(
            f"{path} is not a regular file", hint="its rows are read twice: save them in a file first"
        )
    return stream


def _without_waiting(name: str, flags: int) -> int:
    """Open a file at once: a pipe would wait until somebody writes to it."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def unreadable(path: Path, error: OSError) -> MachineError:
    """Return what says that the system refuses to read a file."""
    return MachineError(
        f"cannot read {path}: {reason(error)}",
        hint="check the file's owner and permissions",
    )


def check_names(
    file_name: str, names: Sequence[str], wanted: Sequence[str], *, hint: str | None = None
) -> None:
    """
    Check the names of the columns; every kind of file comes by here.

    Raises `GateError` for a column without a name, for two of one name, and for one of ``wanted`` that is missing, the
    only names that are shown: in a file without a header, its first row would be.
    """
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise GateError(
                f"{file_name}: column {number} has no name", hint="give it one, or remove the column"
            )
    first: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if name in first:
            raise GateError(
                f"{file_name}: columns {first[name]} and {number} have the same name",
                hint="rename or remove one of them",
            )
        first[name] = number
    for name in wanted:
        if name not in first:
            alike = [number for number, other in enumerate(names, start=1) if _loose(other) == _loose(name)]
            if alike:
                hint = f"column {alike[0]} is called almost so; case and blanks count"
            raise GateError(
                f"{file_name}: no column {name!r} among its {len(names)}",
                hint=hint or "the first row must name the columns as the terms do",
            )


def _loose(name: str) -> str:
    return "".join(name.split()).casefold()


class CsvTable:
    """
    Read a CSV file: RFC 4180 with one delimiter, LF or CRLF, names in the first record, in the encoding of the terms.

    Once ``batches`` has run to its end, ``offsets`` has where each row begins in the file, and the end of the last one.
    ``header`` is the first record with its line end, as the bytes of the file.
    """

    def __init__(
        self,
        path: Path,
        delimiter: str,
        *,
        wanted: Sequence[str],
        encoding: str = "utf-8",
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.path = path
        self.delimiter = delimiter
        self._chunk_bytes = chunk_bytes
        with open_file(path) as stream:
            self.identity = Identity.of(stream)
            self.total_bytes = self.identity.size_bytes
            try:
                self.encoding, self._first = _first_record(stream, path.name, encoding)
            except OSError as error:
                raise unreadable(path, error) from error
        self.names = self._split(delimiter)
        self.header = self.encoding.encode(self._first.decode())
        hint = None if set(wanted) <= set(self.names) else self._delimiter_hint(wanted)
        check_names(path.name, self.names, wanted, hint=hint)
        self.offsets: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def batches(self, formats: Mapping[str, str | None]) -> Iterator[Batch]:
        """Yield all rows in order; the next block is framed and parsed while the caller works on the last one."""
        places = sorted(self.names.index(name) for name in formats)
        with open_file(self.path) as stream, ThreadPoolExecutor(1, thread_name_prefix="reader") as thread:
            if Identity.of(stream) != self.identity:
                raise changed(self.path)
            coming = self._parsed(stream, places)
            batch = thread.submit(next, coming, None)
            while (ready := batch.result()) is not None:
                batch = thread.submit(next, coming, None)
                yield ready

    def _split(self, delimiter: str) -> tuple[str, ...]:
        """Return the fields of the header; raises `GateError` when it is no CSV record."""
        try:
            text = self._first.decode("utf-8")
            (names,) = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            layout = framing.Layout(self.path.name, ord(delimiter), len(names))
            framing.record_ends(self._first, layout, first_row=0, final=True)
        except UnicodeDecodeError:
            raise GateError(
                f"{self.path.name}: the header is not {self.encoding.spelled}",
                hint=hint_of_bytes(self._first) if self.encoding.is_utf8 else framing.ENCODING_HINT,
            ) from None
        except (csv.Error, ValueError, GateError):  # ValueError: csv finds two records in it, or none
            raise GateError(
                f"{self.path.name}: the header has a quote or a line break where none can be",
                hint=framing.QUOTE_HINT,
            ) from None
        return tuple(names)

    def _delimiter_hint(self, wanted: Sequence[str]) -> str | None:
        """Return what to do when the header fits another delimiter."""
        for other, words in _DELIMITERS.items():
            with suppress(GateError):
                if set(wanted) <= set(self._split(other)):
                    ours = _DELIMITERS.get(self.delimiter, repr(self.delimiter))
                    return f"its columns are separated by {words}, and the terms say {ours}"
        return None

    def _parsed(self, stream: BinaryIO, places: list[int]) -> Iterator[Batch]:
        """Yield the columns at ``places`` of whole records, block after block; runs on the thread of its own."""
        layout = framing.Layout(self.path.name, ord(self.delimiter), len(self.names), self.encoding.spelled)
        recoder = Recoder(self.encoding)
        start = len(self.encoding.mark) + len(self.header)
        offsets = [np.array([start], dtype=np.int64)]
        rows, rest, final = 0, b"", False
        try:
            stream.seek(start)
            while not final:
                # A record longer than a block doubles what is read, so that framing it again stays linear.
                more = stream.read(max(self._chunk_bytes, len(rest)))
                final = not more
                text = rest + recoder.recode(more, final=final)
                ends = framing.record_ends(text, layout, first_row=rows + 1, final=final)
                end = int(ends[-1]) if len(ends) else 0
                if len(text) - end > framing.MAX_RECORD_BYTES:
                    raise GateError(
                        f"{self.path.name}: row {rows + len(ends) + 1} is longer than {framing.MAX_RECORD_BYTES} bytes",
                        hint="a quote at the beginning of a field may not be closed: " + framing.QUOTE_HINT,
                    )
                del more  # of the block there is one copy at a time
                text, rest = text[:end], text[end:]
                if end:
                    offsets.append(self.encoding.places(text, ends) + start)
                    frame = self._parse(text, len(ends), rows + 1, places)
                    start, rows = int(offsets[-1][-1]), rows + len(ends)
                    del text, ends
                    yield Batch(frame, start)
                    del frame
        except OSError as error:
            raise unreadable(self.path, error) from error
        if not rows:
            raise GateError(
                f"{self.path.name}: a header and no rows", hint="export the file again, with its rows"
            )
        self.offsets = np.concatenate(offsets)

    def _parse(self, text: bytes, rows: int, first_row: int, places: list[int]) -> pl.DataFrame:
        """Return columns of a block that is known to be sound."""
        # The library takes U+FEFF at the beginning of a block for a byte order mark, but only once.
        block = codecs.BOM_UTF8 + text if text.startswith(codecs.BOM_UTF8) else text
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                schema=dict.fromkeys(self.names, pl.String()),
                separator=self.delimiter,
                columns=places,
                empty_string_is_null=False,
                truncate_ragged_lines=False,
            )
        except (pl.exceptions.PolarsError, UnicodeError, ValueError):
            frame = pl.DataFrame()  # and not its text, which quotes cells
        if frame.height != rows:
            raise PsiError(
                f"{self.path.name}: the table library differs on rows {first_row} to {first_row + rows - 1}"
            )
        return frame


def changed(path: Path) -> GateError:
    """Return what says that a file is no longer the one that was read."""
    return GateError(
        f"{path.name}: the file was changed while it was in use", hint="run again, and leave the file alone"
    )


def _first_record(stream: BinaryIO, file_name: str, encoding: str) -> tuple[Encoding, bytes]:
    """Return how the file writes characters, and its header with its line end as UTF-8."""
    start = stream.read(MAX_HEADER_BYTES)
    known = recognise(encoding, start, file_name)
    final = len(start) < MAX_HEADER_BYTES
    text = Recoder(known).recode(start[len(known.mark) :], final=final)
    if not text.strip():
        raise GateError(f"{file_name}: the file is empty", hint="export it again, with a header and rows")
    end = text.find(b"\n")
    while end >= 0 and text.count(b'"', 0, end) % 2:
        end = text.find(b"\n", end + 1)  # a line break in quotes
    header = text[: end + 1] if end >= 0 else text
    if b"\0" in header:
        raise GateError(f"{file_name}: a NUL byte in the header", hint=framing.NUL_HINT)
    if b"\r" in header.removesuffix(b"\n").removesuffix(b"\r") and b'"' not in header:
        raise GateError(
            f"{file_name}: a carriage return without a line feed", hint=framing.CARRIAGE_RETURN_HINT
        )
    if end < 0 and not final:
        raise GateError(
            f"{file_name}: the header is longer than {MAX_HEADER_BYTES} bytes", hint=framing.QUOTE_HINT
        )
    if not header.strip():
        raise GateError(f"{file_name}: the first line is blank", hint="the first row must name the columns")
    return known, header
