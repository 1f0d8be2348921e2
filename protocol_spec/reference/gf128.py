"""
The fields of the vole suites on integers (okvs.md, "Fields"): an element is a block read little-endian.

GF(2^128) has its product in ``blocks``; here are its relations to GHASH and POLYVAL, and GF(2^64) with its extension.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .blocks import multiply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HALF",
    "extension_product",
    "gf64_product",
    "ghash_element",
    "multiply",
    "polyval_dot",
    "product",
    "scale",
]

HALF = 2**64 - 1
GF64_MODULUS = 2**64 | 0x1B
EXTENSION_CONSTANT = 2**61


def gf64_product(a: int, b: int) -> int:
    """Multiply in GF(2^64): modulus x^64 + x^4 + x^3 + x + 1, bit i the coefficient of x^i."""
    product = 0
    for bit in reversed(range(64)):
        product <<= 1
        if product >> 64:
            product ^= GF64_MODULUS
        if b >> bit & 1:
            product ^= a
    return product


def scale(element: int, factor: int) -> int:
    """Multiply an element of the extension of GF(2^64) by one of GF(2^64): both halves."""
    return gf64_product(element & HALF, factor) | gf64_product(element >> 64, factor) << 64


def extension_product(a: int, b: int) -> int:
    """Multiply in GF(2^64)[z]/(z^2 + z + x^61), the coefficient of 1 in the low 64 bits."""
    a0, a1, b0, b1 = a & HALF, a >> 64, b & HALF, b >> 64
    high = gf64_product(a1, b1)
    low = gf64_product(a0, b0) ^ gf64_product(high, EXTENSION_CONSTANT)
    return low | (gf64_product(a0, b1) ^ gf64_product(a1, b0) ^ high) << 64


def product(value_bits: int) -> Callable[[int, int], int]:
    """Return the product of an element of F and one of V, which has ``value_bits`` bits: 128 or 64."""
    return multiply if value_bits == 128 else scale


def ghash_element(block: bytes) -> int:
    """Read a block of GHASH (SP 800-38D, section 6.3): the bits of each byte are in the other order."""
    return int(f"{int.from_bytes(block, 'big'):0128b}"[::-1], 2)


def polyval_dot(a: bytes, b: bytes) -> bytes:
    """Return dot(a, b) of POLYVAL (RFC 8452, section 3): all bits reversed, the product here, and one factor x."""
    reversed_a, reversed_b = (int(f"{int.from_bytes(x, 'little'):0128b}"[::-1], 2) for x in (a, b))
    dot = multiply(multiply(reversed_a, reversed_b), 2)
    return int(f"{dot:0128b}"[::-1], 2).to_bytes(16, "little")
