"""
BLAKE3: plain, keyed and derive_key mode, with output of any length.

From "BLAKE3: one function, fast everywhere" (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020), section 2. Words are
32 bits, little-endian.
"""

from __future__ import annotations

import struct
from itertools import chain, count, islice
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
    context_key = first_bytes(output(root(IV, context.encode(), DERIVE_KEY_CONTEXT)), KEY_BYTES)
    return output(root(words(context_key), data, DERIVE_KEY_MATERIAL))


def root(key: Sequence[int], data: bytes, mode: int) -> Node:
    """Return the root of the tree over ``data``: its output is the hash."""
    return subtree(key, data, 0, mode)


def subtree(key: Sequence[int], data: bytes, first_chunk: int, mode: int) -> Node:
    """Return the node over ``data``, which begins at chunk number ``first_chunk``."""
    if len(data) <= CHUNK_BYTES:
        return last_of_chunk(key, data, first_chunk, mode)
    # The left part is the largest power of two of whole chunks that leaves the right part at least one byte.
    left_chunks = 1 << (((len(data) - 1) // CHUNK_BYTES).bit_length() - 1)
    left = subtree(key, data[: left_chunks * CHUNK_BYTES], first_chunk, mode)
    right = subtree(key, data[left_chunks * CHUNK_BYTES :], first_chunk + left_chunks, mode)
    return Node(key, chaining_value(left) + chaining_value(right), 0, BLOCK_BYTES, PARENT | mode)


def last_of_chunk(key: Sequence[int], data: bytes, chunk: int, mode: int) -> Node:
    """Return the node of one chunk of 0..1024 bytes: all its blocks but the last are compressed."""
    blocks = [data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES)] or [b""]
    chaining, flags = key, mode | CHUNK_START
    for block in blocks[:-1]:
        chaining = compress(Node(chaining, block, chunk, BLOCK_BYTES, flags))[:8]
        flags = mode
    last = blocks[-1]
    return Node(chaining, last.ljust(BLOCK_BYTES, b"\0"), chunk, len(last), flags | CHUNK_END)


def chaining_value(node: Node) -> bytes:
    """Return the 32 bytes that a node hands to its parent."""
    return struct.pack("<8I", *compress(node)[:8])


def output(node: Node) -> Iterator[int]:
    """Yield the endless output of a root, byte by byte: its compression under a growing counter."""
    blocks = (compress(node._replace(counter=number, flags=node.flags | ROOT)) for number in count())
    return chain.from_iterable(struct.pack("<16I", *block) for block in blocks)


def compress(node: Node) -> list[int]:
    """Return the 16 words of one compression (section 2.2)."""
    v = [*node.chaining, *IV[:4], node.counter & 0xFFFFFFFF, node.counter >> 32, node.block_bytes, node.flags]
    m = list(struct.unpack("<16I", node.block))
    for _ in range(ROUNDS):
        quarter(v, 0, 4, 8, 12, m[0], m[1])
        quarter(v, 1, 5, 9, 13, m[2], m[3])
        quarter(v, 2, 6, 10, 14, m[4], m[5])
        quarter(v, 3, 7, 11, 15, m[6], m[7])
        quarter(v, 0, 5, 10, 15, m[8], m[9])
        quarter(v, 1, 6, 11, 12, m[10], m[11])
        quarter(v, 2, 7, 8, 13, m[12], m[13])
        quarter(v, 3, 4, 9, 14, m[14], m[15])
        m = [m[i] for i in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)] + [v[i + 8] ^ node.chaining[i] for i in range(8)]


def quarter(v: list[int], a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    """Mix two message words into four words of the state, in place (section 2.2, the function G)."""
    v[a] = (v[a] + v[b] + x) & 0xFFFFFFFF
    v[d] = rotate(v[d] ^ v[a], 16)
    v[c] = (v[c] + v[d]) & 0xFFFFFFFF
    v[b] = rotate(v[b] ^ v[c], 12)
    v[a] = (v[a] + v[b] + y) & 0xFFFFFFFF
    v[d] = rotate(v[d] ^ v[a], 8)
    v[c] = (v[c] + v[d]) & 0xFFFFFFFF
    v[b] = rotate(v[b] ^ v[c], 7)


def rotate(word: int, bits: int) -> int:
    """Rotate a word to the right."""
    return (word >> bits | word << (32 - bits)) & 0xFFFFFFFF


def words(key: bytes) -> Sequence[int]:
    """Read 32 bytes as eight words."""
    return struct.unpack("<8I", key)


def first_bytes(stream: Iterator[int], length: int) -> bytes:
    """Take ``length`` bytes from an output; what is taken later follows on."""
    return bytes(islice(stream, length))
