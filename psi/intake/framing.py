"""
Find the records of a CSV file (RFC 4180) in a block of its bytes, and refuse what is not one.

The table library guesses where this project must not: it turns a short row into nulls, takes a stray quote as text
and quotes cells in its errors. So every record is framed here first, in a few passes over the block, and only
blocks without a fault are parsed. The core does it where nothing is strange; what is strange is looked at here. A fault
is named by row and column number; data rows and columns count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from psi import _core
from psi.errors import GateError
from psi.intake.encodings import hint_of_bytes

LINE_FEED, CARRIAGE_RETURN, QUOTE = 0x0A, 0x0D, 0x22
PIECE_BYTES = 1 << 18  # what is looked at once: it stays in the cache, and its scratch memory is used again
MAX_RECORD_BYTES = 64 << 20  # a quote that is never closed must not draw the whole file into memory

BLANK_HINT = "remove blank lines, also at the end of the file"
CARRIAGE_RETURN_HINT = (
    "end lines with a line feed; for a file of an old system: tr '\\r' '\\n' < FILE > NEWFILE"
)
ENCODING_HINT = "compare `encoding` in the terms with how the file was saved"
FIELDS_HINT = "a field that holds the delimiter or a line break must be in quotes"
NUL_HINT = 'save the file as UTF-8 text, or write encoding = "utf-16" in the terms if that is what it is'
QUOTE_HINT = (
    'a field is in quotes as a whole or not at all, and a quote within is written twice: "say ""so"""'
)


@dataclass(frozen=True)
class Layout:
    """
    Say what each record of a file must be: its delimiter (one byte) and how many fields the header has.

    ``encoding`` is what the file was in before it became UTF-8.
    """

    file_name: str
    delimiter: int
    columns: int
    encoding: str = "UTF-8"


@dataclass(frozen=True)
class _Fault:
    position: int
    fact: str
    hint: str
    of_row: bool = False  # of a whole record, so that no column is named


def record_ends(block: bytes, layout: Layout, *, first_row: int, final: bool) -> NDArray[np.int64]:
    """
    Return where each whole record of a block ends: the positions after its line ends, ascending.

    The block begins with a record; ``first_row`` is its number. What follows the last end is the beginning of a
    record that the next block completes, unless the block is ``final``: then the last record needs no line end.

    Raises `GateError` for the first record that is not one: a stray or unclosed quote, a carriage return without a
    line feed outside of quotes, a blank line, another number of fields, a NUL byte, bytes that are not UTF-8.
    """
    ends = _core.record_ends(block, delimiter=layout.delimiter, columns=layout.columns)
    if ends is None or (final and len(block) > (ends[-1] if len(ends) else 0)):
        return looked_at_closely(block, layout, first_row=first_row, final=final)
    return ends


def looked_at_closely(block: bytes, layout: Layout, *, first_row: int, final: bool) -> NDArray[np.int64]:
    """Return what `record_ends` does, or raise what it raises, of any block, in several passes."""
    marks = _Marks(block, layout)
    ends: NDArray[np.int64] = marks.separators[marks.is_line_end] + 1
    if final and len(block) > (ends[-1] if len(ends) else 0):
        ends = np.append(ends, len(block))
    end = int(ends[-1]) if len(ends) else 0
    found = (
        marks.quote_fault(final=final),
        marks.carriage_return_fault(end),
        marks.field_fault(ends),
        marks.text_fault(ends),
    )
    faults = [fault for fault in found if fault is not None]
    if faults:
        raise marks.error(min(faults, key=lambda fault: fault.position), first_row)
    return ends


class _Marks:
    """Hold where the delimiters, line ends and quotes of a block are, and look for the first fault of each kind."""

    def __init__(self, block: bytes, layout: Layout) -> None:
        self._block = block
        self._bytes = np.frombuffer(block, dtype=np.uint8)
        self._layout = layout
        marks = _positions(self._bytes, (LINE_FEED, QUOTE, layout.delimiter))
        kinds = self._bytes[marks]
        is_quote = kinds == QUOTE
        if is_quote.any():
            self._quotes = marks[is_quote]
            # Outside of quotes an even number of them came before; a doubled quote counts twice.
            outside = ~(is_quote | (np.cumsum(is_quote, dtype=np.int32) & 1).astype(np.bool_))
            marks, kinds = marks[outside], kinds[outside]
        else:
            self._quotes = np.empty(0, dtype=np.int64)
        self.separators = marks
        self.is_line_end = kinds == LINE_FEED

    def error(self, fault: _Fault, first_row: int) -> GateError:
        """Name row and column of the first fault; the separators before it are what they seem."""
        before = int(np.searchsorted(self.separators, fault.position))
        lines = np.flatnonzero(self.is_line_end[:before])
        where = f"{self._layout.file_name}: row {first_row + len(lines)}"
        if fault.of_row:
            return GateError(f"{where} {fault.fact}", hint=fault.hint)
        column = before - (int(lines[-1]) + 1 if len(lines) else 0) + 1
        return GateError(f"{where}, column {column}: {fault.fact}", hint=fault.hint)

    def quote_fault(self, *, final: bool) -> _Fault | None:
        """Find a quote that neither begins a field, nor ends one, nor is one of two within; named by its field."""
        if not len(self._quotes):
            return None
        opening, closing = self._quotes[0::2], self._quotes[1::2]
        before = self._bytes[opening - 1]  # of a quote at 0 this is the last byte, and not looked at
        begins = (opening == 0) | (before == self._layout.delimiter) | (before == LINE_FEED)
        begins[1:] |= opening[1:] == closing[: len(opening) - 1] + 1
        # What the block does not show is looked at in the next one, or is the end of the file.
        after = np.full((2, len(closing)), LINE_FEED, dtype=np.uint8)
        for distance in (1, 2):
            inside = closing + distance < len(self._bytes)
            after[distance - 1, inside] = self._bytes[closing[inside] + distance]
        closes = (after[0] == self._layout.delimiter) | (after[0] == LINE_FEED) | (after[0] == QUOTE)
        closes |= (after[0] == CARRIAGE_RETURN) & (after[1] == LINE_FEED)
        wrong = np.concatenate((opening[~begins], opening[: len(closing)][~closes]))
        if final and len(opening) > len(closing):
            wrong = np.append(wrong, opening[-1])
        if not len(wrong):
            return None
        return _Fault(int(wrong.min()), "a quote where none can be, or one that is not closed", QUOTE_HINT)

    def carriage_return_fault(self, end: int) -> _Fault | None:
        """Find a carriage return, outside of quotes, that no line feed follows."""
        if self._block.find(b"\r", 0, end) < 0:
            return None
        returns = np.flatnonzero(self._bytes[:end] == CARRIAGE_RETURN)
        followed = np.zeros(len(returns), dtype=np.bool_)
        inside = returns + 1 < len(self._bytes)
        followed[inside] = self._bytes[returns[inside] + 1] == LINE_FEED
        bare = returns[~followed]
        bare = bare[np.searchsorted(self._quotes, bare) % 2 == 0]
        if not len(bare):
            return None
        return _Fault(int(bare[0]), "a carriage return without a line feed", CARRIAGE_RETURN_HINT)

    def field_fault(self, ends: NDArray[np.int64]) -> _Fault | None:
        """Find a record that is a blank line or has another number of fields than the header."""
        if not len(ends):
            return None
        columns, line_ends = self._layout.columns, np.flatnonzero(self.is_line_end)
        if len(line_ends) < len(ends):  # the last record of the file has no line end
            line_ends = np.append(line_ends, len(self.separators))
        fields = np.diff(line_ends, prepend=-1)
        first = self._bytes[np.append(0, ends[:-1])]
        blank = (first == LINE_FEED) | (first == CARRIAGE_RETURN)
        wrong = np.flatnonzero((fields != columns) | blank)
        if not len(wrong):
            return None
        record = int(wrong[0])
        # Named by its last byte: a fault within it, which may be why it looks too long, comes first.
        position = int(ends[record]) - 1
        if blank[record]:
            return _Fault(position, "is a blank line", BLANK_HINT, of_row=True)
        has = "1 field" if fields[record] == 1 else f"{fields[record]} fields"
        return _Fault(position, f"has {has}, and the header has {columns}", FIELDS_HINT, of_row=True)

    def text_fault(self, ends: NDArray[np.int64]) -> _Fault | None:
        """Find a NUL byte or the beginning of what is not UTF-8."""
        end = int(ends[-1]) if len(ends) else 0
        nul = self._block.find(b"\0", 0, end)
        fault = None if nul < 0 else _Fault(nul, "a NUL byte", NUL_HINT)
        if self._block.isascii():
            return fault
        whole = memoryview(self._block)[: end if nul < 0 else nul]
        # Cut where records end: there no character goes on, and a small text is not paged in anew each time.
        cuts = ends[np.searchsorted(ends, np.arange(0, end, PIECE_BYTES))].tolist()
        for start, stop in pairwise([0, *cuts, end]):
            try:
                str(whole[start:stop], "utf-8")
            except UnicodeDecodeError as error:
                return self._undecodable(start + error.start, ends)
        return fault

    def _undecodable(self, position: int, ends: NDArray[np.int64]) -> _Fault:
        """Return the fault of a byte that is no character, with what its record looks like instead."""
        encoding, record = self._layout.encoding, int(np.searchsorted(ends, position, side="right"))
        text = self._block[int(ends[record - 1]) if record else 0 : int(ends[record])]
        hint = hint_of_bytes(text) if encoding == "UTF-8" else ENCODING_HINT
        return _Fault(position, f"not {encoding}", hint)


def _positions(data: NDArray[np.uint8], marks: tuple[int, ...]) -> NDArray[np.int64]:
    """Return where the bytes of ``data`` are one of ``marks``, ascending."""
    found = []
    for start in range(0, len(data), PIECE_BYTES):
        piece = data[start : start + PIECE_BYTES]
        marked = piece == marks[0]
        for mark in marks[1:]:
            marked |= piece == mark
        found.append(np.flatnonzero(marked) + start)
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)
