"""Turn the normalised key columns of many rows into the items of a party, and items back into rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from psi import _core

if TYPE_CHECKING:
    from psi._core import ArrowStreamExportable

DIGEST_BYTES = 32
_BLOCK_ROWS = 1 << 20
_MOVED_ROWS = 1 << 16  # moved at once when repeated rows leave gaps
_Number = TypeVar("_Number", np.uint8, np.uint32)


@dataclass(frozen=True)
class Items:
    """
    Hold the distinct items of a party under one key and which rows they come from.

    ``digests`` has one row of 32 bytes for each item, in the order of its first row. ``rows`` are the rows that have
    an item, ascending, and ``item_of_row`` is the item of each: several rows with one key have one item. Rows
    count from 0 here.
    """

    digests: NDArray[np.uint8] = field(repr=False)
    rows: NDArray[np.uint32] = field(repr=False)
    item_of_row: NDArray[np.uint32] = field(repr=False)

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def collapsed(self) -> int:
        """Return how many rows repeat the key of a row before them."""
        return len(self.rows) - len(self.digests)

    @property
    def first_rows(self) -> NDArray[np.uint32]:
        """Return the first row of each item, in the order of the items."""
        newest = np.maximum.accumulate(self.item_of_row)  # items are numbered as they come
        return self.rows[np.flatnonzero(np.diff(newest.astype(np.int64), prepend=-1))]

    def rows_of(self, items: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the rows of some items, ascending, every row of each; raises `IndexError` for an item that is none."""
        wanted = np.zeros(len(self.digests), dtype=np.bool_)
        wanted[items] = True
        return self.rows[wanted[self.item_of_row]]


class Collector:
    """Digest the key columns of a file batch by batch; the gate feeds it and keeps nothing else of a row."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._digests = _Pile(np.uint8, DIGEST_BYTES)
        self._rows = _Pile(np.uint32)

    def add(self, key: ArrowStreamExportable, rows: NDArray[np.uint32]) -> None:
        """
        Take one batch: its key columns after their recipes, and the number of each of its rows.

        The columns are texts without nulls, in the order of the terms; an item is the digest of their
        length-prefixed values (psi.md, "Items").
        """
        digests = _core.item_digests(key, threads=self._threads)
        assert len(digests) == len(rows)
        self._digests.add(digests)
        self._rows.add(rows)

    def finish(self) -> Items:
        """Collapse equal digests and return the items; the collector is empty then."""
        digests, rows = self._digests.take(), self._rows.take()
        first, item_of_row = _core.distinct(digests, threads=self._threads)
        if len(first) < len(digests):
            # In place: no item comes before the first row that has it, so that none is overwritten before it is moved.
            for start in range(0, len(first), _MOVED_ROWS):
                moved = first[start : start + _MOVED_ROWS]
                digests[start : start + len(moved)] = digests[moved]
        return Items(digests[: len(first)], rows, item_of_row)


class _Pile(Generic[_Number]):
    """
    Gather arrays into one without ever holding two copies of many rows.

    They are copied into blocks, each of which is let go of as soon as it has been copied into the whole. A block is so
    large that its memory then goes back to the system.
    """

    def __init__(self, dtype: type[_Number], *shape: int) -> None:
        self._dtype: type[_Number] = dtype
        self._shape = shape
        self._blocks: list[NDArray[_Number]] = []
        self._used = _BLOCK_ROWS  # of the last block

    def add(self, values: NDArray[_Number]) -> None:
        """Append values."""
        while len(values):
            if self._used == _BLOCK_ROWS:
                self._blocks.append(self._empty(_BLOCK_ROWS))
                self._used = 0
            fitting = values[: _BLOCK_ROWS - self._used]
            self._blocks[-1][self._used : self._used + len(fitting)] = fitting
            self._used += len(fitting)
            values = values[len(fitting) :]

    def take(self) -> NDArray[_Number]:
        """Return all values; the pile is empty then."""
        if len(self._blocks) == 1:
            return self._blocks.pop()[: self._used]
        whole = self._empty(max(len(self._blocks) - 1, 0) * _BLOCK_ROWS + (self._used if self._blocks else 0))
        self._blocks.reverse()
        for start in range(0, len(whole), _BLOCK_ROWS):
            rest = whole[start : start + _BLOCK_ROWS]
            rest[:] = self._blocks.pop()[: len(rest)]
        return whole

    def _empty(self, rows: int) -> NDArray[_Number]:
        return np.empty((rows, *self._shape), dtype=self._dtype)
