"""
The suites ``ecdh`` and ``ecdh-cardinality``: their functions, and both roles frame by frame (ecdh.md).

A role is made from its items, the sizes, the session identifier and its seed; ``start`` and ``receive`` return the
frames that it can send from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import blake3
from .errors import DecodeError, StateError, VerificationError
from .frames import Kind
from .hash_to_group import hash_to_group
from .parameters import ELEMENT_BYTES, ELEMENTS_PER_FRAME, TAGS_PER_FRAME, chunk_sizes, tag_bytes
from .randomness import permutation, role_stream, scalar
from .ristretto255 import IDENTITY_ENCODING, ORDER, Point, decode, encode, multiply

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def suite_dst(suite: str, sid: bytes) -> bytes:
    """Return the domain separation tag of a session."""
    return f"psi/1/{suite}/ristretto255_XMD:SHA-512_R255MAP_RO_/".encode() + sid


def blind(digests: Sequence[bytes], a: int, dst: bytes) -> list[bytes]:
    """Return a·H(x) for each item: what the receiver sends."""
    return [encode(multiply(a, hash_to_group(digest, dst))) for digest in digests]


def evaluate(elements: Sequence[bytes], b: int) -> list[bytes]:
    """Return b·E for each element: what the sender answers."""
    return [encode(multiply(b, decode_element(element))) for element in elements]


def finalize(elements: Sequence[bytes], a: int) -> list[bytes]:
    """Return a⁻¹·E for each element: the receiver's b·H(x)."""
    return [encode(multiply(pow(a, -1, ORDER), decode_element(element))) for element in elements]


def decode_element(encoding: bytes) -> Point:
    """Return the point of an element from the peer; raise ``DecodeError`` if it is not canonical or the identity."""
    if encoding == IDENTITY_ENCODING:
        raise DecodeError("element: the identity")
    return decode(encoding)


def tag_key(suite: str, sid: bytes) -> bytes:
    """Return the key of the tags of a session: public, and different for each."""
    return blake3.derive("psi/1 tag key", suite.encode() + sid)


def tag(suite: str, key: bytes, element: bytes, digest: bytes, length: int) -> bytes:
    """Return the tag of an item: of its b·H(y) and, in ``ecdh``, of the item itself."""
    bound = digest if suite == "ecdh" else b""
    return blake3.keyed(key, element + bound, length)


def sender_tags(digests: Sequence[bytes], b: int, suite: str, sid: bytes, length: int) -> list[bytes]:
    """Return the sender's tags in ascending order, which says nothing about the order of its items."""
    elements = blind(digests, b, suite_dst(suite, sid))
    key = tag_key(suite, sid)
    tags = [
        tag(suite, key, element, digest, length) for element, digest in zip(elements, digests, strict=True)
    ]
    return sorted(tags)


def matches(own: Sequence[bytes], theirs: Iterable[bytes]) -> list[int]:
    """Return the positions of the own tags that are among theirs."""
    among = set(theirs)
    return [position for position, own_tag in enumerate(own) if own_tag in among]


class Receiver:
    """The party that learns the output."""

    def __init__(
        self, digests: Sequence[bytes], *, suite: str, n_sender: int, sid: bytes, seed: bytes
    ) -> None:
        self.suite, self.sid, self.digests = suite, sid, digests
        self.a = scalar(role_stream(seed, sid, "ecdh receiver scalar"))
        self.tag_bytes = tag_bytes(n_sender=n_sender, n_receiver=len(digests))
        self.n_sender = n_sender
        self.evaluated: list[bytes] = []
        self.tags: list[bytes] = []
        self.expected: list[tuple[Kind, int]] | None = (
            None  # nothing may come before the own frames have left
        )

    def start(self) -> list[tuple[Kind, bytes]]:
        """Return the frames ``blinded``."""
        self.expected = [
            *((Kind.EVALUATED, count) for count in chunk_sizes(len(self.digests), ELEMENTS_PER_FRAME)),
            *((Kind.TAGS, count) for count in chunk_sizes(self.n_sender, TAGS_PER_FRAME)),
        ]
        blinded = blind(self.digests, self.a, suite_dst(self.suite, self.sid))
        return chunks(Kind.BLINDED, blinded, ELEMENTS_PER_FRAME)

    def receive(self, kind: Kind, body: bytes) -> list[tuple[Kind, bytes]]:
        """Take a frame of the sender; nothing is sent in answer."""
        count = next_count(self.expected, kind)
        if kind is Kind.EVALUATED:
            append_elements(self.evaluated, entries(kind, body, count, ELEMENT_BYTES))
        else:
            append_tags(self.tags, entries(kind, body, count, self.tag_bytes))
        return []

    @property
    def finished(self) -> bool:
        """Say whether everything was received and sent."""
        return self.expected == []

    @property
    def output(self) -> tuple[int, list[int] | None]:
        """Return the size of the overlap and, in ``ecdh``, the positions of the own items in it."""
        key = tag_key(self.suite, self.sid)
        elements = finalize(self.evaluated, self.a)
        own = [
            tag(self.suite, key, e, x, self.tag_bytes) for e, x in zip(elements, self.digests, strict=True)
        ]
        positions = matches(own, self.tags)
        return len(positions), positions if self.suite == "ecdh" else None


class Sender:
    """The party that learns the number of the receiver's items only."""

    def __init__(
        self, digests: Sequence[bytes], *, suite: str, n_receiver: int, sid: bytes, seed: bytes
    ) -> None:
        self.suite, self.sid, self.seed, self.digests = suite, sid, seed, digests
        self.b = scalar(role_stream(seed, sid, "ecdh sender scalar"))
        self.tag_bytes = tag_bytes(n_sender=len(digests), n_receiver=n_receiver)
        self.blinded: list[bytes] = []
        self.expected = [(Kind.BLINDED, count) for count in chunk_sizes(n_receiver, ELEMENTS_PER_FRAME)]

    def start(self) -> list[tuple[Kind, bytes]]:
        """Return the frames that need no item of the receiver: the tags, if it has none."""
        return self.tag_frames() if self.finished else []

    def receive(self, kind: Kind, body: bytes) -> list[tuple[Kind, bytes]]:
        """Take a frame ``blinded`` and return what it makes ready: ``evaluated``, and after the last one ``tags``."""
        count = next_count(self.expected, kind)
        elements = entries(kind, body, count, ELEMENT_BYTES)
        append_elements(self.blinded, elements)
        answer: list[tuple[Kind, bytes]] = []
        if self.suite == "ecdh":
            answer += chunks(Kind.EVALUATED, evaluate(elements, self.b), ELEMENTS_PER_FRAME)
        elif self.finished:
            order = permutation(role_stream(self.seed, self.sid, "ecdh sender shuffle"), len(self.blinded))
            evaluated = evaluate(self.blinded, self.b)
            answer += chunks(Kind.EVALUATED, [evaluated[position] for position in order], ELEMENTS_PER_FRAME)
        return answer + (self.tag_frames() if self.finished else [])

    def tag_frames(self) -> list[tuple[Kind, bytes]]:
        """Return the frames ``tags``."""
        return chunks(
            Kind.TAGS, sender_tags(self.digests, self.b, self.suite, self.sid, self.tag_bytes), TAGS_PER_FRAME
        )

    @property
    def finished(self) -> bool:
        """Say whether everything was received and sent."""
        return not self.expected


def chunks(kind: Kind, values: Sequence[bytes], per_frame: int) -> list[tuple[Kind, bytes]]:
    """Spread a list over frames, each full but the last (psi.md, "Chunks")."""
    return [(kind, b"".join(values[i : i + per_frame])) for i in range(0, len(values), per_frame)]


def next_count(expected: list[tuple[Kind, int]] | None, kind: Kind) -> int:
    """Return how many entries the next frame has; raise ``StateError`` if a frame of this type is not the next."""
    if not expected or expected[0][0] is not kind:
        raise StateError(f"{kind.name} at the wrong time")
    return expected.pop(0)[1]


def entries(kind: Kind, body: bytes, count: int, size: int) -> list[bytes]:
    """Cut a body into its entries; raise ``DecodeError`` unless it has exactly as many as it must."""
    if len(body) != count * size:
        raise DecodeError(f"{kind.name}: {len(body)} bytes for {count} entries of {size}")
    return [body[start : start + size] for start in range(0, len(body), size)]


def append_elements(known: list[bytes], elements: Sequence[bytes]) -> None:
    """Add checked elements to a list; raise ``VerificationError`` if two in it are equal."""
    for element in elements:
        decode_element(element)
    known += elements
    if len(set(known)) != len(known):
        raise VerificationError("two elements are equal")


def append_tags(known: list[bytes], tags: Sequence[bytes]) -> None:
    """Add tags to a list; raise ``VerificationError`` if it descends. Equal neighbours are allowed."""
    known += tags
    if sorted(known) != known:
        raise VerificationError("the tags are not in ascending order")
