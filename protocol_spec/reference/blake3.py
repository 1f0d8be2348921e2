"""
BLAKE3: plain, keyed and derive_key mode, with output of any length.

From "BLAKE3: one function, fast everywhere" (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020), section 2. Words are
32 bits, little-endian.

Many nodes are compressed at once: all chunks block by block, the parents of one level, the blocks of an output. One
integer then holds the same word of all of them, each in a lane of 64 bits whose upper half catches what runs over.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 64
CHUNK_BYTES = 1024
KEY_BYTES = 32

IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)  # the one of SHA-256
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
ROUNDS = 7
MOST_AT_ONCE = 256

CHUNK_START = 1
CHUNK_END = 2
PARENT = 4
ROOT = 8
KEYED_HASH = 16
DERIVE_KEY_CONTEXT = 32
DERIVE_KEY_MATERIAL = 64


class Node(NamedTuple):
    """Hold the input of the last compression of a chunk or of a parent: a chaining value or output is one call away."""

    chaining: Sequence[int]
    block: bytes
    counter: int
    block_bytes: int
    flags: int


def plain(data: bytes, length: int = 32) -> bytes:
    """Return ``length`` bytes of the plain hash of ``data``."""
    return first_bytes(output(root(IV, data, 0)), length)


def keyed(key: bytes, data: bytes, length: int = 32) -> bytes:
    """Return ``length`` bytes of the hash of ``data`` under a key of 32 bytes."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"key: {len(key)} bytes, not {KEY_BYTES}")
    return first_bytes(output(root(words(key), data, KEYED_HASH)), length)


def derive(context: str, data: bytes, length: int = 32) -> bytes:
    """Return the first ``length`` bytes of ``derive_stream``."""
    return first_bytes(derive_stream(context, data), length)


def derive_stream(context: str, data: bytes) -> Iterator[int]:
    """Yield the endless output, byte by byte, of ``data`` under the key that belongs to ``context``."""
    return output(root(words(context_key(context)), data, DERIVE_KEY_MATERIAL))


@lru_cache
def context_key(context: str) -> bytes:
    """Return the key that belongs to a context."""
    return first_bytes(output(root(IV, context.encode(), DERIVE_KEY_CONTEXT)), KEY_BYTES)


def root(key: Sequence[int], data: bytes, mode: int) -> Node:
    """
    Return the root of the tree over ``data``: its output is the hash (section 2.1).

    Neighbours get a parent, level by level, and a node that is left over waits for the next level. So the left part of
    every tree has the largest power of two of whole chunks that leaves the right part at least one byte.
    """
    level = chunks(key, data, mode)
    while len(level) > 1:
        paired = len(level) // 2 * 2
        values = [struct.pack("<8I", *value[:8]) for value in compress(level[:paired])]
        parents = [
            Node(key, left + right, 0, BLOCK_BYTES, PARENT | mode)
            for left, right in zip(values[::2], values[1::2], strict=True)
        ]
        level = parents + level[paired:]
    return level[0]


def chunks(key: Sequence[int], data: bytes, mode: int) -> list[Node]:
    """Return the nodes of all chunks, each of 1024 bytes but the last: all their blocks but the last are compressed."""
    parts = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)] or [b""]
    nodes = [of_chunk(key, part, 0, number, mode | CHUNK_START) for number, part in enumerate(parts)]
    for start in range(BLOCK_BYTES, min(len(data), CHUNK_BYTES), BLOCK_BYTES):
        going_on = [number for number, part in enumerate(parts) if len(part) > start]
        values = compress([nodes[number] for number in going_on])
        for number, value in zip(going_on, values, strict=True):
            nodes[number] = of_chunk(value[:8], parts[number], start, number, mode)
    return nodes


def of_chunk(chaining: Sequence[int], part: bytes, start: int, number: int, flags: int) -> Node:
    """Return the node of the block of chunk ``number`` that starts at byte ``start`` of its part of the data."""
    block = part[start : start + BLOCK_BYTES]
    if start + BLOCK_BYTES >= len(part):
        flags |= CHUNK_END
    return Node(chaining, block.ljust(BLOCK_BYTES, b"\0"), number, len(block), flags)


def output(node: Node) -> Iterator[int]:
    """Yield the endless output of a root, byte by byte: its compression under a growing counter."""
    first, after = 0, 1
    while True:
        numbered = [node._replace(counter=number, flags=node.flags | ROOT) for number in range(first, after)]
        for block in compress(numbered):
            yield from struct.pack("<16I", *block)
        first, after = after, after + min(2 * len(numbered), MOST_AT_ONCE)


def compress(nodes: Sequence[Node]) -> list[tuple[int, ...]]:
    """Return the 16 words of the compression of each node (section 2.2)."""
    mask = lanes([(0xFFFFFFFF,)] * len(nodes))[0]
    v = lanes(
        [
            (*chaining, *IV[:4], counter & 0xFFFFFFFF, counter >> 32, block_bytes, flags)
            for chaining, _, counter, block_bytes, flags in nodes
        ]
    )
    m = lanes([struct.unpack("<16I", node.block) for node in nodes])
    chaining = v[:8]
    for _ in range(ROUNDS):
        quarter(v, mask, 0, 4, 8, 12, m[0], m[1])
        quarter(v, mask, 1, 5, 9, 13, m[2], m[3])
        quarter(v, mask, 2, 6, 10, 14, m[4], m[5])
        quarter(v, mask, 3, 7, 11, 15, m[6], m[7])
        quarter(v, mask, 0, 5, 10, 15, m[8], m[9])
        quarter(v, mask, 1, 6, 11, 12, m[10], m[11])
        quarter(v, mask, 2, 7, 8, 13, m[12], m[13])
        quarter(v, mask, 3, 4, 9, 14, m[14], m[15])
        m = [m[i] for i in PERMUTATION]
    mixed = [v[i] ^ v[i + 8] for i in range(8)] + [v[i + 8] ^ chaining[i] for i in range(8)]
    return list(zip(*(from_lanes(word, len(nodes)) for word in mixed), strict=True))


def quarter(v: list[int], mask: int, a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    """
    Mix two message words into four words of the state, in place (section 2.2, the function G).

    ``mask`` keeps the lower half of every lane. Words are rotated to the right: by 16, 12, 8 and 7 bits.
    """
    v[a] = v[a] + v[b] + x & mask
    word = v[d] ^ v[a]
    v[d] = (word >> 16 | word << 16) & mask
    v[c] = v[c] + v[d] & mask
    word = v[b] ^ v[c]
    v[b] = (word >> 12 | word << 20) & mask
    v[a] = v[a] + v[b] + y & mask
    word = v[d] ^ v[a]
    v[d] = (word >> 8 | word << 24) & mask
    v[c] = v[c] + v[d] & mask
    word = v[b] ^ v[c]
    v[b] = (word >> 7 | word << 25) & mask


def lanes(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return for each column one integer that holds it, 64 bits a row."""
    return [
        int.from_bytes(struct.pack(f"<{len(rows)}Q", *column), "little") for column in zip(*rows, strict=True)
    ]


def from_lanes(column: int, count: int) -> tuple[int, ...]:
    """Return the words that one integer holds."""
    return struct.unpack(f"<{count}Q", column.to_bytes(8 * count, "little"))


def words(key: bytes) -> Sequence[int]:
    """Read 32 bytes as eight words."""
    return struct.unpack("<8I", key)


def first_bytes(stream: Iterator[int], length: int) -> bytes:
    """Take ``length`` bytes from an output; what is taken later follows on."""
    return bytes(islice(stream, length))
