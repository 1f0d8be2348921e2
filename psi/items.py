"""Turn the normalised key columns of many rows into the items of a party, and items back into rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from psi import _core

if TYPE_CHECKING:
    from psi._core import ArrowStreamExportable

DIGEST_BYTES = 32
_BLOCK_ROWS = 1 << 20


@dataclass(frozen=True)
class Items:
    """
    Hold the distinct items of a party under one key and which rows they come from.

    ``held`` are the digests of the items, in the order of their first rows, as a session takes them: in the core.
    ``rows`` are the rows that have an item, ascending, and ``item_of_row`` is the item of each: several rows with one
    key have one item. Rows count from 0 here.
    """

    held: _core.Digests = field(repr=False)
    rows: NDArray[np.uint32] = field(repr=False)
    item_of_row: NDArray[np.uint32] = field(repr=False)

    def __len__(self) -> int:
        return len(self.held)

    @property
    def digests(self) -> NDArray[np.uint8]:
        """Return a copy of the digests, one row of 32 bytes for each item."""
        return self.held.array()

    @property
    def collapsed(self) -> int:
        """Return how many rows repeat the key of a row before them."""
        return len(self.rows) - len(self.held)

    @property
    def first_rows(self) -> NDArray[np.uint32]:
        """Return the first row of each item, in the order of the items."""
        newest = np.maximum.accumulate(self.item_of_row)  # items are numbered as they come
        return self.rows[np.flatnonzero(np.diff(newest.astype(np.int64), prepend=-1))]

    def rows_of(self, items: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return the rows of some items, ascending, every row of each; raises `IndexError` for an item that is none."""
        wanted = np.zeros(len(self.held), dtype=np.bool_)
        wanted[items] = True
        return self.rows[wanted[self.item_of_row] if self.collapsed else wanted]


class Collector:
    """Digest the key columns of a file batch by batch; the gate feeds it and keeps nothing else of a row."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._digests = _core.Digests()
        self._rows = _Pile()

    def add(self, key: ArrowStreamExportable, rows: NDArray[np.uint32]) -> None:
        """
        Take one batch: its key columns after their recipes, and the number of each of its rows.

        The columns are texts without nulls, in the order of the terms; an item is the digest of their
        length-prefixed values (psi.md, "Items").
        """
        before = len(self._digests)
        self._digests.append(key, threads=self._threads)
        assert len(self._digests) == before + len(rows)
        self._rows.add(rows)

    def finish(self) -> Items:
        """Collapse equal digests and return the items; the collector is empty then."""
        digests, self._digests = self._digests, _core.Digests()
        item_of_row = digests.collapse(threads=self._threads)
        return Items(digests, self._rows.take(), item_of_row)


class _Pile:
    """
    Gather row numbers into one array without ever holding two copies of many of them.

    They are copied into blocks, each of which is let go of as soon as it has been copied into the whole. A block is so
    large that its memory then goes back to the system.
    """

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.uint32]] = []
        self._used = _BLOCK_ROWS  # of the last block

    def add(self, values: NDArray[np.uint32]) -> None:
        """Append values."""
        while len(values):
            if self._used == _BLOCK_ROWS:
                self._blocks.append(np.empty(_BLOCK_ROWS, dtype=np.uint32))
                self._used = 0
            fitting = values[: _BLOCK_ROWS - self._used]
            self._blocks[-1][self._used : self._used + len(fitting)] = fitting
            self._used += len(fitting)
            values = values[len(fitting) :]

    def take(self) -> NDArray[np.uint32]:
        """Return all values; the pile is empty then."""
        if len(self._blocks) == 1:
            return self._blocks.pop()[: self._used]
        rows = max(len(self._blocks) - 1, 0) * _BLOCK_ROWS + (self._used if self._blocks else 0)
        whole = np.empty(rows, dtype=np.uint32)
        self._blocks.reverse()
        for start in range(0, len(whole), _BLOCK_ROWS):
            rest = whole[start : start + _BLOCK_ROWS]
            rest[:] = self._blocks.pop()[: len(rest)]
        return whole
