"""
Blocks of 16 bytes: AES over many of them, and the two fields (silent-vole.md, "Conventions").

Many blocks are an array of shape (n, 16), uint8. A field element as an integer is a block read little-endian.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

BLOCK_BYTES = 16
EVERY_EIGHTH = int("01" * 256, 16)


def encrypt(key: bytes, blocks: np.ndarray) -> np.ndarray:
    """Encrypt every block under one AES-128 key."""
    encrypted = encryptor(key).update(blocks.tobytes())
    return np.frombuffer(encrypted, dtype=np.uint8).reshape(-1, BLOCK_BYTES)


@lru_cache
def encryptor(key: bytes) -> CipherContext:
    """Return what encrypts under a key, block by block and without a memory of them."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor()


def counter_stream(key: bytes, count: int) -> np.ndarray:
    """Return the first ``count`` blocks of CTR(key)."""
    return encrypt(key, counters(count))


def hashed(key: bytes, blocks: np.ndarray) -> np.ndarray:
    """Return AES_key(v) + v for every block v."""
    result: np.ndarray = encrypt(key, blocks) ^ blocks
    return result


def counters(count: int) -> np.ndarray:
    """Return the blocks 0, 1, ..., ``count`` - 1."""
    blocks = np.zeros((count, BLOCK_BYTES), dtype=np.uint8)
    blocks[:, :8] = np.arange(count, dtype="<u8").view(np.uint8).reshape(count, 8)
    return blocks


def xor_all(blocks: np.ndarray) -> np.ndarray:
    """Add up blocks along the first axis."""
    total: np.ndarray = np.bitwise_xor.reduce(blocks, axis=0)
    return total


def integer(block: np.ndarray) -> int:
    """Read one block as an integer."""
    return int.from_bytes(block.tobytes(), "little")


def block(value: int) -> np.ndarray:
    """Write an integer as one block."""
    return np.frombuffer(value.to_bytes(BLOCK_BYTES, "little"), dtype=np.uint8)


def times_x(value: int, value_bits: int) -> int:
    """Multiply an element of F by the x of V, which has ``value_bits`` bits: 128 or 64."""
    if value_bits == 128:
        return value << 1 & 2**128 - 1 ^ (0x87 if value >> 127 else 0)
    halves = value & 2**64 - 1, value >> 64
    low, high = (half << 1 & 2**64 - 1 ^ (0x1B if half >> 63 else 0) for half in halves)
    return low | high << 64


def multiply(a: int, b: int) -> int:
    """
    Multiply in GF(2^128): modulus x^128 + x^7 + x^2 + x + 1, bit i the coefficient of x^i.

    The bits stand eight apart, so that no carry of the integers' product reaches the next coefficient.
    """
    return reduced(spaced(a) * spaced(b))


def inner_product(a: np.ndarray, b: np.ndarray) -> int:
    """Add up the products of two lists of blocks; only the last bit of each eight counts, before and after."""
    total = 0
    for x, y in zip(spaced_blocks(a), spaced_blocks(b), strict=True):
        total ^= x * y
    return reduced(total)


def reduced(spaced_product: int) -> int:
    """Return what a sum of products of spaced elements stands for, below degree 128."""
    digits = f"{spaced_product & EVERY_EIGHTH:0512x}"
    product = int(digits[1::2], 2)
    for _ in range(2):  # the first time leaves at most seven bits too many
        high = product >> 128
        product = product & 2**128 - 1 ^ high ^ high << 1 ^ high << 2 ^ high << 7
    return product


@lru_cache  # one factor of many products
def spaced(value: int) -> int:
    """Put seven zeros between neighbouring bits."""
    return int("0".join(f"{value:b}"), 16)


def spaced_blocks(blocks: np.ndarray) -> list[int]:
    """Put seven zeros between neighbouring bits of each block: a byte for each bit."""
    spread = np.unpackbits(blocks, bitorder="little").tobytes()
    step = 8 * BLOCK_BYTES
    return [int.from_bytes(spread[at : at + step], "little") for at in range(0, len(spread), step)]
