"""Expand a role's seed into its scalar and its permutation (ecdh.md, "Randomness")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import blake3
from .ristretto255 import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED_BYTES = 32
SCALAR_INPUT_BYTES = 64
WORD_BYTES = 8


def role_stream(seed: bytes, sid: bytes, label: str) -> Iterator[int]:
    """Yield the endless bytes that a role draws for one purpose."""
    return blake3.derive_stream("psi/1 role randomness", seed + sid + label.encode())


def scalar(stream: Iterator[int]) -> int:
    """Return a scalar that is uniform and not zero."""
    drawn = 0
    while drawn == 0:
        drawn = int.from_bytes(blake3.first_bytes(stream, SCALAR_INPUT_BYTES), "little") % ORDER
    return drawn


def uniform(stream: Iterator[int], bound: int) -> int:
    """Return an integer that is uniform in 0 .. ``bound`` - 1."""
    limit = 2**64 // bound * bound
    word = limit
    while word >= limit:
        word = int.from_bytes(blake3.first_bytes(stream, WORD_BYTES), "little")
    return word % bound


def permutation(stream: Iterator[int], count: int) -> list[int]:
    """Return a uniform permutation of 0 .. ``count`` - 1 (Fisher and Yates)."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        chosen = uniform(stream, last + 1)
        order[last], order[chosen] = order[chosen], order[last]
    return order
