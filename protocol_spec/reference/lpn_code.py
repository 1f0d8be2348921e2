"""
The binary expand-convolute code of rate one half, in blocks of eight (silent-vole.md, "The code").

After Raghuraman, Rindal and Tanguy, "Expand-Convolute Codes for Pseudorandom Correlation Generators from LPN"
(CRYPTO 2023). Values are an array whose first axis is the position.
"""

from __future__ import annotations

import numpy as np

from . import blake3
from .blocks import BLOCK_BYTES, counter_stream, xor_all

BLOCK = 8
PASSES = 2
TAPS = 11
THIRDS = 3
USE_TAPS = 3


def code_stream(seed: bytes, outputs: int, use: int, count: int) -> np.ndarray:
    """Return ``count`` bytes of the public stream of one use: 1 and 2 are the passes, 3 the taps."""
    key = blake3.derive("psi/1 lpn code", seed + outputs.to_bytes(4, "little") + bytes([use]), BLOCK_BYTES)
    return counter_stream(key, -(-count // BLOCK_BYTES)).reshape(-1)[:count]


def matrices(stream: np.ndarray) -> np.ndarray:
    """Return bits [block, matrix, row, column]: L unit lower and M3 unit upper triangular, M1 and M2 as drawn."""
    columns = np.unpackbits(stream.reshape(-1, 4, BLOCK, 1), axis=3, bitorder="little")
    bits = columns.swapaxes(2, 3).copy()
    unit = np.eye(BLOCK, dtype=np.uint8)
    bits[:, 0] = np.tril(bits[:, 0]) | unit
    bits[:, 3] = np.triu(bits[:, 3]) | unit
    return bits


def apply(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Multiply a bit matrix by a block of eight values."""
    product: np.ndarray = np.bitwise_xor.reduce(matrix[:, :, None] * values[None, :, :], axis=1)
    return product


def convolve(values: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Run one pass over the values."""
    x = values.reshape(-1, BLOCK, values.shape[-1])
    y = np.zeros_like(x)
    count = len(x)
    for number in range(count):
        total = x[number].copy()
        for back in (1, 2, 3):
            if number >= back:
                total ^= apply(bits[number, back], y[number - back])
        y[number] = apply(bits[number, 0], total)
    end = y.copy()
    for number in range(3):
        total = np.zeros_like(x[0])
        for back in range(number + 1, 4):
            total ^= apply(bits[number, back], end[count + number - back])
        y[number] ^= apply(bits[number, 0], total)
    return y.reshape(values.shape)


def taps(stream: np.ndarray, outputs: int) -> np.ndarray:
    """Return the 11 taps of every output: three in thirds, the others anywhere."""
    words = stream.view("<u4").astype(np.uint64).reshape(outputs, TAPS)
    drawn = np.empty((outputs, TAPS), dtype=np.uint64)
    for tap in range(THIRDS):
        start, end = tap * outputs // THIRDS, (tap + 1) * outputs // THIRDS
        drawn[:, tap] = start + (words[:, tap] * np.uint64(end - start) >> np.uint64(32))
    drawn[:, THIRDS:] = words[:, THIRDS:] * np.uint64(outputs) >> np.uint64(32)
    return drawn.astype(np.int64)


def encode(seed: bytes, values: np.ndarray) -> np.ndarray:
    """Compress 2M values to M."""
    outputs = len(values) // 2
    z = values[outputs:]
    for use in range(1, PASSES + 1):
        z = convolve(z, matrices(code_stream(seed, outputs, use, 4 * outputs)))
    drawn = taps(code_stream(seed, outputs, USE_TAPS, 4 * TAPS * outputs), outputs)
    encoded: np.ndarray = values[:outputs] ^ xor_all(z[drawn.T])
    return encoded
