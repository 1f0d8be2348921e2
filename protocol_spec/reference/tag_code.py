"""The tags of the vole suites on the wire: batches, their secret order, their code (vole.md, "Tags", "Batches")."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from . import blake3
from .errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ONE_BATCH = 2**24
MAX_BATCH = 2**23
ROUNDS = 10


def batch_sizes(count: int, *, one_batch: int = ONE_BATCH, max_batch: int = MAX_BATCH) -> list[int]:
    """Return how many items each batch has."""
    batches = 1 if count <= one_batch else -(-count // max_batch)
    return [count // batches + (number < count % batches) for number in range(batches)]


class Order:
    """Permute the numbers below ``count`` by a Feistel network of random tables."""

    def __init__(self, count: int, stream: Iterator[int]) -> None:
        self.count = count
        self.half_bits = -(-(count - 1).bit_length() // 2)
        side = 1 << self.half_bits
        words = [int.from_bytes(blake3.first_bytes(stream, 2), "little") for _ in range(ROUNDS * side)]
        self.tables = np.array(words).reshape(ROUNDS, side) % side

    def item(self, position: int) -> int:
        """Return which item stands at a position."""
        value = self.once(position)
        while value >= self.count:
            value = self.once(value)
        return value

    def once(self, value: int) -> int:
        """Permute the numbers of twice ``half_bits`` bits."""
        left, right = divmod(value, 1 << self.half_bits)
        for table in self.tables:
            left, right = right, left ^ int(table[right])
        return left << self.half_bits | right


def prefix_bytes(count: int) -> int:
    """Return how many first bytes of each tag are not sent with it."""
    return (count.bit_length() - 1) // 8


def counts_bytes(count: int) -> int:
    """Return the length of the counts by prefix."""
    length = prefix_bytes(count)
    return -(-(count + 256**length) // 8) if length else 0


def code_bytes(count: int, tag_bytes: int) -> int:
    """Return the length of the code of one batch."""
    return counts_bytes(count) + count * (tag_bytes - prefix_bytes(count))


def encode_tags(tags: Sequence[bytes]) -> bytes:
    """Return the code of tags that are in ascending order."""
    length = prefix_bytes(len(tags))
    rests = b"".join(tag[length:] for tag in tags)
    if length == 0:
        return rests
    bits = np.zeros(8 * counts_bytes(len(tags)), dtype=np.uint8)
    for number, tag in enumerate(tags):
        bits[number + int.from_bytes(tag[:length], "big")] = 1
    return np.packbits(bits, bitorder="little").tobytes() + rests


def decode_tags(code: bytes, count: int, tag_bytes: int, *, strict: bool) -> list[bytes]:
    """Return ``count`` tags; raise ``VerificationError`` unless the code is that of tags in ascending order."""
    length = prefix_bytes(count)
    rests = code[counts_bytes(count) :]
    prefixes = [b""] * count
    if length:
        bits = np.unpackbits(np.frombuffer(code[: counts_bytes(count)], dtype=np.uint8), bitorder="little")
        ones = np.flatnonzero(bits)
        last = count + 256**length - 1
        if len(ones) != count or ones[-1] >= last:
            raise VerificationError(f"tags: the counts by prefix are not those of {count} tags")
        prefixes = [int(one - number).to_bytes(length, "big") for number, one in enumerate(ones)]
    width = tag_bytes - length
    tags = [prefix + rests[number * width : (number + 1) * width] for number, prefix in enumerate(prefixes)]
    for number, (before, tag) in enumerate(pairwise(tags)):
        if tag < before or (strict and tag == before):
            raise VerificationError(f"tags: tag {number + 1} does not follow the one before it")
    return tags
