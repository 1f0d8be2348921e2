"""
Encode and decode frames: what goes over the connection between the two parties (psi.md, "Frames").

A frame is a length, a type and a body. The body of a control frame is one message, a MessagePack array in its one
shortest form; the body of a suite's frame is a chunk of a long list, which only the role can judge. Bytes of the
peer become a message that has nothing left to check, or a ``DecodeError``. Its text never quotes them.
"""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar

import msgspec

from psi.errors import DecodeError

PROTOCOL = "psi/1"
MAX_ITEMS = 1 << 28  # psi.md, "Limits"; positions then fit 32 bits
TREE_DEPTHS = (7, 8, 9)  # silent-vole.md, "Sizes": deeper trees send less and may take longer
TREE_DEPTH = 8  # where the terms say nothing else
DIGEST_BYTES = 32  # SHA-256 and BLAKE3
NONCE_BYTES = 32
LENGTH_BYTES = 4  # little-endian; counts the type and the body
HEADER_BYTES = LENGTH_BYTES + 1
MAX_BODY_BYTES = 1 << 20
MAX_CONTROL_BODY_BYTES = 1 << 10


class Suite(enum.Enum):
    """Name a complete choice of protocol, output included; terms and hello carry the value."""

    VOLE_MALICIOUS = "vole-malicious"
    VOLE_SEMI_HONEST = "vole-semi-honest"
    ECDH = "ecdh"
    ECDH_CARDINALITY = "ecdh-cardinality"

    @property
    def learns_items(self) -> bool:
        """Say whether the receiver learns which of its items matched, and not only how many."""
        return self is not Suite.ECDH_CARDINALITY

    @property
    def can_report(self) -> bool:
        """Say whether the receiver can tell the sender which of the sender's items matched: whether both can learn."""
        return self in (Suite.VOLE_MALICIOUS, Suite.VOLE_SEMI_HONEST)


class FrameType(enum.IntEnum):
    """Number the frames; the values are those on the wire (psi.md, "Frames")."""

    HELLO = 0x01
    HELLO_ACK = 0x02
    SIZES = 0x03
    REFUSE = 0x04
    ALIVE = 0x05
    FINISH = 0x06
    BLINDED = 0x10
    EVALUATED = 0x11
    TAGS = 0x12
    CHOOSE = 0x20
    EXTEND = 0x21
    PUNCTURED = 0x22
    CHALLENGE = 0x23
    PROOF = 0x24
    BIND = 0x25
    OKVS = 0x26
    OPEN = 0x27
    VOLE_TAGS = 0x28
    REPORT = 0x29

    @property
    def is_control(self) -> bool:
        """Say whether the body is a message of this module, and not a chunk for a role."""
        return self < 0x10

    @property
    def is_in_transcript(self) -> bool:
        """Say whether the transcript covers the frame: all but the advisory and the last ones."""
        return self not in (FrameType.REFUSE, FrameType.ALIVE, FrameType.FINISH)

    @property
    def label(self) -> str:
        """Return the name that specification and error texts use."""
        return self.name.lower().replace("_", "-")


class Refusal(enum.StrEnum):
    """Name what a party refuses; nothing about data is ever said (psi.md, "Errors")."""

    VERSION = "version"
    SUITE = "suite"
    TERMS = "terms"
    CERTIFICATE = "certificate"
    LIMIT = "limit"
    PROTOCOL = "protocol"


class Phase(enum.StrEnum):
    """Name what a party is doing."""

    WAIT = "wait"
    BLIND = "blind"
    EVALUATE = "evaluate"
    TAG = "tag"
    FINALIZE = "finalize"
    MATCH = "match"
    CORRELATE = "correlate"
    ENCODE = "encode"


_Digest = Annotated[bytes, msgspec.Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
_Nonce = Annotated[bytes, msgspec.Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class Message(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Stand for the body of a control frame."""

    kind: ClassVar[FrameType]


class Hello(Message, frozen=True):
    """
    Say what the initiator wants to run and whom it believes to talk to.

    ``certificate`` is the SHA-256 of the sender's own TLS certificate, ``peer_certificate`` that of the other party.
    """

    kind: ClassVar[FrameType] = FrameType.HELLO
    protocol: str
    suite: str
    terms_digest: _Digest
    certificate: _Digest
    peer_certificate: _Digest
    nonce: _Nonce


class HelloAck(Hello, frozen=True):
    """Say the same for the acceptor."""

    kind: ClassVar[FrameType] = FrameType.HELLO_ACK


class Sizes(Message, frozen=True):
    """Say how many items a party has; the session compares it with the terms' limit."""

    kind: ClassVar[FrameType] = FrameType.SIZES
    items: Annotated[int, msgspec.Meta(ge=0)]


class Refuse(Message, frozen=True):
    """End the session; the last frame of its sender."""

    kind: ClassVar[FrameType] = FrameType.REFUSE
    code: Refusal


class Alive(Message, frozen=True):
    """Say that a party still works although it sends nothing; advisory, outside the transcript."""

    kind: ClassVar[FrameType] = FrameType.ALIVE
    phase: Phase
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]


class Finish(Message, frozen=True):
    """Say that a party's role is finished and what it saw."""

    kind: ClassVar[FrameType] = FrameType.FINISH
    transcript: _Digest


_DECODERS: dict[FrameType, msgspec.msgpack.Decoder[Message]] = {
    message.kind: msgspec.msgpack.Decoder(message)
    for message in (Hello, HelloAck, Sizes, Refuse, Alive, Finish)
}


def frame_bytes(header: bytes) -> int:
    """
    Return the length of a whole frame from its first ``HEADER_BYTES`` bytes.

    The transport calls it before it makes room for the rest. Raises ``DecodeError`` for an unknown type, an empty body
    and a body longer than its type may have.
    """
    length = int.from_bytes(header[:LENGTH_BYTES], "little")
    try:
        kind = FrameType(header[LENGTH_BYTES])
    except ValueError:
        raise DecodeError(f"frame: type 0x{header[LENGTH_BYTES]:02x} is not known") from None
    limit = MAX_CONTROL_BODY_BYTES if kind.is_control else MAX_BODY_BYTES
    if not 2 <= length <= 1 + limit:
        raise DecodeError(f"{kind.label}: a body of {length - 1} bytes, from 1 to {limit} are possible")
    return LENGTH_BYTES + length


def frame_type(frame: bytes) -> FrameType:
    """Return the type of a whole frame; raise ``DecodeError`` unless its length is the one that it announces."""
    if len(frame) < HEADER_BYTES:
        raise DecodeError(f"frame: {len(frame)} bytes, at least {HEADER_BYTES + 1} are possible")
    announced = frame_bytes(frame[:HEADER_BYTES])
    if len(frame) != announced:
        raise DecodeError(f"frame: {len(frame)} bytes where {announced} are announced")
    return FrameType(frame[LENGTH_BYTES])


def encode(message: Message) -> bytes:
    """Return the whole frame of a message."""
    return pack(bytes([message.kind]) + msgspec.msgpack.encode(message))


def decode(frame: bytes) -> Message:
    """
    Return the message of a whole control frame.

    The message is encoded again and compared, because one message must have one encoding: the transcript covers bytes.
    Raises ``DecodeError`` unless the frame is exactly what ``encode`` makes of a message.
    """
    kind = frame_type(frame)
    if not kind.is_control:
        raise DecodeError(f"{kind.label}: not a control frame")
    body = frame[HEADER_BYTES:]
    try:
        message = _DECODERS[kind].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):  # their texts may quote the peer
        raise DecodeError(f"{kind.label}: {len(body)} bytes that are not such a message") from None
    if encode(message) != frame:
        raise DecodeError(f"{kind.label}: {len(body)} bytes that are not the shortest encoding")
    return message


def pack(typed_body: bytes) -> bytes:
    """Return the whole frame of a type and a body."""
    return len(typed_body).to_bytes(LENGTH_BYTES, "little") + typed_body
