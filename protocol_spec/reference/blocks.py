"""
Blocks of 16 bytes: AES over many of them, and the two fields (silent-vole.md, "Conventions").

Many blocks are an array of shape (n, 16), uint8. A field element as an integer is a block read little-endian.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_BYTES = 16


def encrypt(key: bytes, blocks: np.ndarray) -> np.ndarray:
    """Encrypt every block under one AES-128 key."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return np.frombuffer(encryptor.update(blocks.tobytes()), dtype=np.uint8).reshape(-1, BLOCK_BYTES)


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
    """Multiply in GF(2^128): modulus x^128 + x^7 + x^2 + x + 1, bit i the coefficient of x^i."""
    product = 0
    for bit in f"{b:b}":
        product = times_x(product, 128) ^ (a if bit == "1" else 0)
    return product
