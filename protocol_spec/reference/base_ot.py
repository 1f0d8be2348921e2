"""
128 random oblivious transfers over ristretto255 (silent-vole.md, "Base OT").

The endemic two-point form of Masny and Rindal, "Endemic Oblivious Transfer" (ACM CCS 2019), section 5. Not constant
time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import blake3, randomness
from .errors import DecodeError
from .ristretto255 import (
    ELEMENT_BYTES,
    GENERATOR,
    IDENTITY_ENCODING,
    Point,
    add,
    decode,
    encode,
    from_uniform_bytes,
    multiply,
    multiply_again,
    negated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 128
PAIR_BYTES = 2 * ELEMENT_BYTES
KEY_BYTES = 16


class Choice(NamedTuple):
    """Hold what the chooser keeps of one transfer."""

    bit: int
    scalar: int
    pair: bytes


def choose(stream: Iterator[int], sid: bytes, bits: list[int]) -> list[Choice]:
    """Choose in every transfer; the message is all pairs in order."""
    choices = []
    for index, bit in enumerate(bits):
        scalar = randomness.scalar(stream)
        other = encode(from_uniform_bytes(blake3.first_bytes(stream, 2 * ELEMENT_BYTES)))
        mask = hash_to_point(sid, index, bit, other)
        own = encode(add(multiply_again(scalar, GENERATOR), negated(mask)))
        choices.append(Choice(bit, scalar, other + own if bit else own + other))
    return choices


def sender_keys(stream: Iterator[int], sid: bytes, pairs: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the sender's element and both keys of every transfer; raise ``DecodeError`` for a bad element."""
    if len(pairs) != COUNT * PAIR_BYTES:
        raise DecodeError(f"choice: {len(pairs)} bytes, not {COUNT * PAIR_BYTES}")
    scalar = randomness.scalar(stream)
    element = encode(multiply_again(scalar, GENERATOR))
    keys = []
    for index in range(COUNT):
        pair = pairs[index * PAIR_BYTES : (index + 1) * PAIR_BYTES]
        halves = pair[:ELEMENT_BYTES], pair[ELEMENT_BYTES:]
        both = []
        for side in (0, 1):
            public = add(decode_element(halves[side]), hash_to_point(sid, index, side, halves[1 - side]))
            if encode(public) == IDENTITY_ENCODING:
                raise DecodeError("choice: a key would not depend on the sender's scalar")
            both.append(derive_key(sid, element, index, side, pair, multiply(scalar, public)))
        keys.append((both[0], both[1]))
    return element, keys


def chooser_keys(sid: bytes, choices: list[Choice], element: bytes) -> list[bytes]:
    """Return the chosen key of every transfer; raise ``DecodeError`` for a bad element."""
    point = decode_element(element)
    return [
        derive_key(sid, element, index, choice.bit, choice.pair, multiply_again(choice.scalar, point))
        for index, choice in enumerate(choices)
    ]


def decode_element(encoding: bytes) -> Point:
    """Decode an element that must not be the identity."""
    if encoding == IDENTITY_ENCODING:
        raise DecodeError("element: the identity")
    return decode(encoding)


def hash_to_point(sid: bytes, index: int, side: int, element: bytes) -> Point:
    """Hash the other element of a pair to the group."""
    data = sid + index.to_bytes(4, "little") + bytes([side]) + element
    return from_uniform_bytes(blake3.derive("psi/1 base ot point", data, 2 * ELEMENT_BYTES))


def derive_key(sid: bytes, element: bytes, index: int, side: int, pair: bytes, shared: Point) -> bytes:
    """Derive a key; the index is in it because one element of the sender serves all transfers."""
    data = sid + element + index.to_bytes(4, "little") + bytes([side]) + pair + encode(shared)
    return blake3.derive("psi/1 base ot key", data, KEY_BYTES)
