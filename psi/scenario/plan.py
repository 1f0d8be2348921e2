"""
Say which row of which file is about which person, and what is wrong with it.

People are numbered; slots are the rows of a file before it is shuffled. The first ``matches`` people are in both
files. What follows them in the requests is, slot by slot: rows with a junk address, duplicates of plain rows, rows with
a bad tax number, rows with a bad date, plain rows. What follows in the records is plain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from psi.errors import UsageError
from psi.scenario.draws import Draws
from psi.scenario.pools import TAX_NUMBERS

KINDS = ("match", "junk-address", "duplicate", "bad-tax-number", "bad-date", "plain")
MATCH, JUNK_ADDRESS, DUPLICATE, BAD_TAX_NUMBER, BAD_DATE, PLAIN = range(6)


@dataclass(frozen=True)
class Plan:
    """Hold the sizes of a case; ``requests`` and ``records`` are data rows, ``matches`` people in both files."""

    requests: int
    records: int
    matches: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("requests", 1), ("records", 1), ("matches", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name}: {getattr(self, name)}, and {least} is the least")
        smaller = min(self.requests, self.records)
        if self.matches > smaller:
            raise UsageError(
                f"{self.matches} matches do not fit into {self.requests} requests and {self.records} records"
            )
        if self.people > TAX_NUMBERS:
            raise UsageError(f"{self.people} people, and there are {TAX_NUMBERS} impossible tax numbers")

    @property
    def others(self) -> int:
        """Return the number of requests about people who are not in the records."""
        return self.requests - self.matches

    @property
    def people(self) -> int:
        """Return an upper bound of the people in the two files."""
        return self.requests + self.records - self.matches

    @property
    def counts(self) -> dict[str, int]:
        """Return how many requests of each kind there are: 4 %, 1 %, 0.1 % and 0.1 % of the others, rounded down."""
        junk, duplicates, bad = self.others * 4 // 100, self.others // 100, self.others // 1000
        plain = self.others - junk - duplicates - 2 * bad
        return dict(zip(KINDS, (self.matches, junk, duplicates, bad, bad, plain), strict=True))

    @property
    def _starts(self) -> NDArray[np.uint64]:
        ends = np.cumsum(list(self.counts.values()), dtype=np.uint64)
        return np.append(np.uint64(0), ends[:-1])

    def request_slots(self, rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the slots of rows (counted from 0) of the request file."""
        return Draws(self.seed).permute("order of the requests", rows, self.requests)

    def record_slots(self, rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the slots of rows (counted from 0) of the record file."""
        return Draws(self.seed).permute("order of the records", rows, self.records)

    def kinds(self, slots: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Return the kind of each request, an index into ``KINDS``."""
        begun: NDArray[np.intp] = np.searchsorted(self._starts, slots, side="right")
        kinds: NDArray[np.uint32] = (begun - 1).astype(np.uint32)
        return kinds

    def originals(self, slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the plain slots that slots of duplicates repeat; no two repeat the same."""
        first = slots - self._starts[DUPLICATE]
        repeated: NDArray[np.uint64] = self._starts[PLAIN] + Draws(self.seed).permute(
            "duplicated", first, self.counts["plain"]
        )
        return repeated

    def requested(self, slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the person of each request."""
        people = slots.copy()
        repeats = np.flatnonzero(self.kinds(slots) == DUPLICATE)
        people[repeats] = self.originals(slots[repeats])
        return people

    def recorded(self, slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the person of each record."""
        return np.where(slots < self.matches, slots, slots + np.uint64(self.others))
