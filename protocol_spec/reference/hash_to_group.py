"""Hash strings to ristretto255: the suite ristretto255_XMD:SHA-512_R255MAP_RO_ (RFC 9380, appendix B)."""

from __future__ import annotations

from hashlib import sha512

from .ristretto255 import Point, from_uniform_bytes

SHA512_BYTES = 64
SHA512_BLOCK_BYTES = 128
UNIFORM_BYTES = 64


def hash_to_group(message: bytes, dst: bytes) -> Point:
    """Return the point of a message under a domain separation tag of 1..255 bytes (RFC 9380, appendix B)."""
    return from_uniform_bytes(expand_message_xmd(message, dst, UNIFORM_BYTES))


def expand_message_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """Return ``length`` uniform bytes (RFC 9380, section 5.3.1, with SHA-512)."""
    if not 1 <= len(dst) <= 255:
        raise ValueError(f"dst: {len(dst)} bytes, not 1..255")
    dst_prime = dst + bytes([len(dst)])
    prefix = bytes(SHA512_BLOCK_BYTES) + message + length.to_bytes(2, "big") + b"\0"
    b_0 = sha512(prefix + dst_prime).digest()
    block = bytes(SHA512_BYTES)
    uniform = b""
    for number in range(1, -(-length // SHA512_BYTES) + 1):
        mixed = bytes(x ^ y for x, y in zip(b_0, block, strict=True))
        block = sha512(mixed + bytes([number]) + dst_prime).digest()
        uniform += block
    return uniform[:length]
