"""
Correlated OTs from 128 base OTs (silent-vole.md, "OT extension").

SoftSpokenOT (Roy, CRYPTO 2022) with k = 4 and both checks of its malicious form. The receiver has bits x_j and blocks
M_j, the sender delta and blocks K_j, with M_j = K_j + x_j·delta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import blake3, pprf
from .blocks import BLOCK_BYTES, block, counters, hashed, inner_product, integer, xor_all
from .errors import DecodeError, VerificationError

DEPTH = 4
GROUPS = 32
LEAVES = 2**DEPTH
CHUNK_BITS = 128
TREE_BYTES = (DEPTH - 1) * 2 * BLOCK_BYTES
LEAF_CHECK_BYTES = 64
SUBSPACE_CHECK_BYTES = 48


class Extended(NamedTuple):
    """Hold what a party has of all COTs: its bits (receiver only) and its blocks, one a row."""

    bits: np.ndarray
    blocks: np.ndarray


def message_bytes(count: int, *, malicious: bool) -> int:
    """Return the length of the receiver's message for ``count`` COTs, sacrificed ones included."""
    checks = GROUPS * LEAF_CHECK_BYTES + SUBSPACE_CHECK_BYTES if malicious else 0
    return GROUPS * TREE_BYTES + (GROUPS - 1) * count // 8 + checks


def receiver(
    sid: bytes, prefix: bytes, base_keys: list[tuple[bytes, bytes]], count: int, *, malicious: bool
) -> tuple[bytes, Extended]:
    """Return the message and the receiver's COTs; ``prefix`` is what precedes the message on the wire."""
    tree_keys = pprf.node_keys(pprf.SOFTSPOKEN_CONTEXT, sid)
    trees, checks, sums, columns = b"", b"", [], []
    for group in range(GROUPS):
        level_keys = [base_keys[DEPTH * group + level - 1] for level in range(1, DEPTH + 1)]
        leaves, corrections = pprf.expand(tree_keys, level_keys)
        trees += corrections
        if malicious:
            leaves, values = leaf_values(sid, leaves)
            checks += xor_all(values).tobytes() + leaf_digest(sid, group, values)
        total, own = fold(sid, leaves, count)
        sums.append(total)
        columns += own
    choice = sums[0]
    message = trees + b"".join((choice ^ total).tobytes() for total in sums[1:]) + checks
    if malicious:
        coefficients = subspace_coefficients(sid, prefix + message, count)
        hashes = [subspace_hash(coefficients, column) for column in columns]
        message += block(subspace_hash(coefficients, choice)).tobytes() + column_digest(sid, hashes)
    return message, Extended(np.unpackbits(choice, bitorder="little"), rows(columns))


def sender(
    sid: bytes,
    prefix: bytes,
    delta: int,
    base_keys: list[bytes],
    message: bytes,
    count: int,
    *,
    malicious: bool,
) -> Extended:
    """Return the sender's COTs; raise ``DecodeError`` or, if one of the checks fails, ``VerificationError``."""
    if len(message) != message_bytes(count, malicious=malicious):
        raise DecodeError(f"extension: {len(message)} bytes")
    tree_keys = pprf.node_keys(pprf.SOFTSPOKEN_CONTEXT, sid)
    corrections = np.frombuffer(message, dtype=np.uint8)[GROUPS * TREE_BYTES :]
    corrections = corrections[: (GROUPS - 1) * count // 8].reshape(GROUPS - 1, count // 8)
    checks = message[GROUPS * TREE_BYTES + corrections.size :]
    columns = []
    for group in range(GROUPS):
        missing = delta >> DEPTH * group & LEAVES - 1
        # Level l decides bit l - 1 of the leaf; the sender knows the key of the side that its path does not take.
        known = [
            (1 - (missing >> level - 1 & 1), base_keys[DEPTH * group + level - 1])
            for level in range(1, DEPTH + 1)
        ]
        tree = message[group * TREE_BYTES : (group + 1) * TREE_BYTES]
        position, leaves = pprf.puncture(tree_keys, known, tree)
        assert position == missing
        if malicious:
            leaves, values = leaf_values(sid, leaves)
            values[missing] = 0
            check = checks[group * LEAF_CHECK_BYTES : (group + 1) * LEAF_CHECK_BYTES]
            values[missing] = np.frombuffer(check[:32], dtype=np.uint8) ^ xor_all(values)
            if leaf_digest(sid, group, values) != check[32:]:
                raise VerificationError("extension: the leaf check failed")
        total, own = fold(sid, leaves, count, missing)
        offset = total if group == 0 else total ^ corrections[group - 1]
        columns += [column ^ offset * (missing >> bit & 1) for bit, column in enumerate(own)]
    if malicious:
        before = message[:-SUBSPACE_CHECK_BYTES]
        coefficients = subspace_coefficients(sid, prefix + before, count)
        choice = int.from_bytes(checks[-SUBSPACE_CHECK_BYTES:-32], "little")
        hashes = [
            subspace_hash(coefficients, column) ^ choice * (delta >> bit & 1)
            for bit, column in enumerate(columns)
        ]
        if column_digest(sid, hashes) != checks[-32:]:
            raise VerificationError("extension: the subspace check failed")
    return Extended(np.zeros(count, dtype=np.uint8), rows(columns))


def leaf_values(sid: bytes, leaves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the seed of each leaf and its check value of 32 bytes."""
    expanded = streams(blake3.derive("psi/1 softspoken leaf", sid, BLOCK_BYTES), leaves, 3)
    return expanded[:, 32:], expanded[:, :32].copy()


def streams(key: bytes, seeds: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` blocks for each seed: the hash of seed + 0, seed + 1, ..."""
    inputs = seeds[:, None, :] ^ counters(count)[None, :, :]
    return hashed(key, inputs.reshape(-1, BLOCK_BYTES)).reshape(len(seeds), count * BLOCK_BYTES)


def leaf_digest(sid: bytes, group: int, values: np.ndarray) -> bytes:
    """Hash the check values of one tree."""
    return blake3.derive("psi/1 softspoken leaves", sid + bytes([group]) + values.tobytes())


def fold(
    sid: bytes, leaves: np.ndarray, count: int, missing: int | None = None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the sum of all leaves' streams, and for each bit of the leaf number that of the leaves which have it."""
    expanded = streams(
        blake3.derive("psi/1 softspoken stream", sid, BLOCK_BYTES), leaves, count // CHUNK_BITS
    )
    if missing is not None:
        expanded[missing] = 0
    numbers = np.arange(LEAVES)
    return xor_all(expanded), [xor_all(expanded[numbers >> bit & 1 == 1]) for bit in range(DEPTH)]


def rows(columns: list[np.ndarray]) -> np.ndarray:
    """Turn 128 columns of bits into one block a row."""
    bits = np.stack([np.unpackbits(column, bitorder="little") for column in columns], axis=1)
    return np.packbits(bits, axis=1, bitorder="little")


def subspace_coefficients(sid: bytes, transcript: bytes, count: int) -> np.ndarray:
    """Return the coefficients of the subspace check, fixed by all that the receiver sent before it."""
    length = BLOCK_BYTES * (count // CHUNK_BITS - 1)
    stream = blake3.derive("psi/1 softspoken subspace", sid + transcript, length)
    return np.frombuffer(stream, dtype=np.uint8).reshape(-1, BLOCK_BYTES)


def subspace_hash(coefficients: np.ndarray, column: np.ndarray) -> int:
    """Hash a column linearly to 128 bits; its last chunk is the sacrificed mask."""
    chunks = column.reshape(-1, BLOCK_BYTES)
    return integer(chunks[-1]) ^ inner_product(coefficients, chunks[:-1])


def column_digest(sid: bytes, hashes: list[int]) -> bytes:
    """Hash what the subspace check compares."""
    return blake3.derive(
        "psi/1 softspoken columns", sid + b"".join(block(value).tobytes() for value in hashes)
    )
