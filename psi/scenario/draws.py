"""
Draw synthetic numbers that depend on a seed, a label and an index alone.

So a row can be made without the rows before it, on any thread, in slices of any length, and the bytes are the
same; no generator of a library is used, whose stream another version may change. These numbers make synthetic
data and nothing else: the randomness of the protocol comes from the operating system.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 4  # of the Feistel network below: enough to look shuffled, which is all that is asked of it


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble words in place, one to one (the finalizer of SplitMix64: Steele, Lea, Flood, OOPSLA 2014)."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


@dataclass(frozen=True)
class Draws:
    """Hold the seed of one scenario; every method is a function of it and of its arguments."""

    seed: int

    def words(self, label: str, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return a 64-bit word for each index."""
        digest = hashlib.blake2b(f"{self.seed} {label}".encode(), digest_size=8).digest()
        start = np.uint64(int.from_bytes(digest, "little"))
        return _mix(index * np.uint64(0x9E3779B97F4A7C15) + start)

    def below(self, label: str, index: NDArray[np.uint64], bound: int) -> NDArray[np.uint32]:
        """Return a number in ``[0, bound)`` for each index; ``bound < 2**32``, the bias is ``bound / 2**32``."""
        words = self.words(label, index) >> np.uint64(32)
        return (words * np.uint64(bound) >> np.uint64(32)).astype(np.uint32)

    def permute(self, label: str, index: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
        """
        Return where a shuffle of ``[0, size)`` puts each index: distinct indices go to distinct places.

        A Feistel network on the next square, with addition in place of XOR, walked until it lands inside the
        range (Black and Rogaway, CT-RSA 2002, "generalized Feistel" and "cycle-walking"): no memory for the whole
        shuffle. ``size < 2**62``.
        """
        side = np.uint64(math.isqrt(max(size, 1) - 1) + 1)
        places = index.copy()
        outside = np.arange(len(places))
        while len(outside):
            high, low = np.divmod(places[outside], side)
            for number in range(ROUNDS):
                added = high + self.below(f"{label} {number}", low, int(side))
                high, low = low, np.where(added < side, added, added - side)
            walked = high * side + low
            places[outside] = walked
            outside = outside[walked >= size]
        return places


def weighted_table(weights: list[float]) -> NDArray[np.uint32]:
    """Return 65,536 choices, each of ``[0, len(weights))`` as often as its weight says, for a 16-bit draw."""
    ends = np.rint(np.cumsum(weights) / sum(weights) * 65536).astype(np.int64)
    return np.repeat(np.arange(len(weights), dtype=np.uint32), np.diff(ends, prepend=0))
