"""Trees of which one party lacks one leaf (silent-vole.md, "Trees"): Goldreich, Goldwasser and Micali, 1986."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import blake3
from .blocks import BLOCK_BYTES, block, encrypt, hashed, integer, times_x, xor_all

SOFTSPOKEN_CONTEXT = "psi/1 softspoken tree"
VOLE_CONTEXT = "psi/1 vole tree"


class NodeKeys(NamedTuple):
    """Hold the two AES keys under which a node has its children."""

    left: bytes
    right: bytes


def node_keys(context: str, sid: bytes) -> NodeKeys:
    """Return the keys of one kind of tree in one session."""
    both = blake3.derive(context, sid, 2 * BLOCK_BYTES)
    return NodeKeys(both[:BLOCK_BYTES], both[BLOCK_BYTES:])


def children(keys: NodeKeys, nodes: np.ndarray) -> np.ndarray:
    """Return the next level: all left children, then all right ones."""
    return np.concatenate([hashed(keys.left, nodes), hashed(keys.right, nodes)])


def expand(keys: NodeKeys, level_keys: list[tuple[bytes, bytes]]) -> tuple[np.ndarray, bytes]:
    """Return all leaves of the owner's tree, and two blocks for each level but the first."""
    level = np.frombuffer(level_keys[0][0] + level_keys[0][1], dtype=np.uint8).reshape(2, BLOCK_BYTES)
    corrections = b""
    for both in level_keys[1:]:
        level = children(keys, level)
        for key, half in zip(both, np.split(level, 2), strict=True):
            corrections += (np.frombuffer(key, dtype=np.uint8) ^ xor_all(half)).tobytes()
    return level, corrections


def puncture(keys: NodeKeys, known: list[tuple[int, bytes]], corrections: bytes) -> tuple[int, np.ndarray]:
    """
    Return the position of the missing leaf, and all leaves with zero in its place.

    ``known`` has for each level the side whose sum can be unmasked, and its key; the path takes the other side.
    """
    (side, first), *rest = known
    position = 1 - side
    level = np.zeros((2, BLOCK_BYTES), dtype=np.uint8)
    level[side] = np.frombuffer(first, dtype=np.uint8)
    for number, (side, key) in enumerate(rest):
        half = len(level)
        level = children(keys, level)
        level[[position, position + half]] = 0
        masked = corrections[(2 * number + side) * BLOCK_BYTES : (2 * number + side + 1) * BLOCK_BYTES]
        whole = np.frombuffer(masked, dtype=np.uint8) ^ np.frombuffer(key, dtype=np.uint8)
        level[position + side * half] = whole ^ xor_all(np.split(level, 2)[side])
        position += (1 - side) * half
    return position, level


def mask(key: bytes, block_value: np.ndarray, index: int) -> bytes:
    """Hash the block of COT number ``index`` to a key (silent-vole.md, "Keys from COTs")."""
    inner = encrypt(key, block_value.reshape(1, BLOCK_BYTES))[0]
    outer: np.ndarray = encrypt(key, (inner ^ block(index)).reshape(1, BLOCK_BYTES))[0] ^ inner
    return outer.tobytes()


def cot_key(sid: bytes) -> bytes:
    """Return the AES key of ``mask`` in one session."""
    return blake3.derive("psi/1 cot key", sid, BLOCK_BYTES)


def packed(blocks: np.ndarray, value_bits: int) -> int:
    """Return the sum of ``blocks[i]`` times x^i, as an integer (silent-vole.md, "Base VOLE")."""
    total = 0
    for row in blocks[::-1]:
        total = times_x(total, value_bits) ^ integer(row)
    return total
