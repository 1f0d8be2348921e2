"""
Encode and decode frames (psi.md, "Frames").

Control bodies are MessagePack arrays in their one shortest form. Only what psi/1 sends is read: arrays of up to 15
fields, strings, byte strings and unsigned integers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from .errors import DecodeError
from .parameters import MAX_CONTROL_FRAME_BYTES, MAX_FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(IntEnum):
    """Number the types of frame."""

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


CODES = ("version", "suite", "terms", "certificate", "limit", "protocol")
PHASES = ("wait", "blind", "evaluate", "tag", "finalize", "match", "correlate", "encode")
HELLO_FIELDS = (
    ("protocol", "text"),
    ("suite", "text"),
    ("terms_digest", "bytes32"),
    ("certificate", "bytes32"),
    ("peer_certificate", "bytes32"),
    ("nonce", "bytes32"),
)
FIELDS = {
    Kind.HELLO: HELLO_FIELDS,
    Kind.HELLO_ACK: HELLO_FIELDS,
    Kind.SIZES: (("items", "count"),),
    Kind.REFUSE: (("code", "code"),),
    Kind.ALIVE: (("phase", "phase"), ("percent", "percent")),
    Kind.FINISH: (("transcript", "bytes32"),),
}


def frame(kind: Kind, body: bytes) -> bytes:
    """Return a whole frame: length, type, body."""
    return (1 + len(body)).to_bytes(4, "little") + bytes([kind]) + body


def control(kind: Kind, *fields: str | bytes | int) -> bytes:
    """Return a whole control frame."""
    return frame(kind, pack(fields))


def split(whole: bytes) -> tuple[Kind, bytes]:
    """Take a whole frame apart; raise ``DecodeError`` for a wrong length, an unknown type or a body too long."""
    length = int.from_bytes(whole[:4], "little")
    if len(whole) < 6 or length != len(whole) - 4:
        raise DecodeError(f"frame: {len(whole) - 4} bytes where {length} are announced")
    if whole[4] not in list(Kind):
        raise DecodeError(f"frame: unknown type {whole[4]}")
    kind = Kind(whole[4])
    if length > (MAX_CONTROL_FRAME_BYTES if kind in FIELDS else MAX_FRAME_BYTES):
        raise DecodeError(f"frame: {length} bytes are too many for type {whole[4]}")
    return kind, whole[5:]


def fields(kind: Kind, body: bytes) -> list[str | bytes | int]:
    """Decode the body of a control frame; raise ``DecodeError`` unless it is exactly one message of that type."""
    values = unpack(body)
    if len(values) != len(FIELDS[kind]):
        raise DecodeError(f"{kind.name}: {len(values)} fields")
    for value, (name, wanted) in zip(values, FIELDS[kind], strict=True):
        if not allowed(value, wanted):
            raise DecodeError(f"{kind.name}: the field {name} is not of the kind {wanted}")
    return values


def allowed(value: str | bytes | int, wanted: str) -> bool:
    """Say whether a field is of the kind that a message has there."""
    match wanted:
        case "text":
            return isinstance(value, str)
        case "bytes32":
            return isinstance(value, bytes) and len(value) == 32
        case "count":
            return isinstance(value, int)
        case "percent":
            return isinstance(value, int) and value <= 100
        case "code":
            return value in CODES
        case _:
            return value in PHASES


def pack(values: Sequence[str | bytes | int]) -> bytes:
    """Encode an array of fields in the shortest form of MessagePack."""
    assert len(values) < 16
    return bytes([0x90 | len(values)]) + b"".join(pack_field(value) for value in values)


def pack_field(value: str | bytes | int) -> bytes:
    """Encode one field in its shortest form."""
    if isinstance(value, int):
        return pack_integer(value)
    if isinstance(value, bytes):
        return pack_length(value, (0xC4, 0xC5, 0xC6))
    text = value.encode()
    return bytes([0xA0 | len(text)]) + text if len(text) < 32 else pack_length(text, (0xD9, 0xDA, 0xDB))


def pack_integer(value: int) -> bytes:
    """Encode an unsigned integer below 2^64 in its shortest form."""
    if value < 0x80:
        return bytes([value])
    size = next(size for size in (1, 2, 4, 8) if value < 1 << 8 * size)
    return bytes([{1: 0xCC, 2: 0xCD, 4: 0xCE, 8: 0xCF}[size]]) + value.to_bytes(size, "big")


def pack_length(data: bytes, markers: tuple[int, int, int]) -> bytes:
    """Put the marker of 8, 16 or 32 bits and the length before a string."""
    size, marker = next(pair for pair in zip((1, 2, 4), markers, strict=True) if len(data) < 1 << 8 * pair[0])
    return bytes([marker]) + len(data).to_bytes(size, "big") + data


def unpack(body: bytes) -> list[str | bytes | int]:
    """Decode an array of fields; raise ``DecodeError`` unless the bytes are exactly its shortest form."""
    if not body or body[0] & 0xF0 != 0x90:
        raise DecodeError("control body: not an array of up to 15 fields")
    values: list[str | bytes | int] = []
    rest = body[1:]
    for _ in range(body[0] & 0x0F):
        value, rest = unpack_field(rest)
        values.append(value)
    if pack(values) != body:
        raise DecodeError("control body: not the shortest form, or bytes after its end")
    return values


def unpack_field(data: bytes) -> tuple[str | bytes | int, bytes]:
    """Decode one field in any of its forms and return what follows it."""
    marker = data[0] if data else 0xC1  # 0xC1 is never used
    if marker < 0x80:
        return marker, data[1:]
    if 0xA0 <= marker < 0xC0:
        return text(data[1 : 1 + (marker & 0x1F)], marker & 0x1F), data[1 + (marker & 0x1F) :]
    if marker in (0xCC, 0xCD, 0xCE, 0xCF):
        size = 1 << marker - 0xCC
        return int.from_bytes(exact(data[1 : 1 + size], size), "big"), data[1 + size :]
    for first, is_text in ((0xC4, False), (0xD9, True)):
        if first <= marker <= first + 2:
            start = 1 + (1 << marker - first)
            length = int.from_bytes(data[1:start], "big")
            content = data[start : start + length]
            return (text if is_text else exact)(content, length), data[start + length :]
    raise DecodeError(f"control body: marker {marker} has no place here")


def exact(content: bytes, length: int) -> bytes:
    """Return the bytes of a field; raise ``DecodeError`` if the body ends before it does."""
    if len(content) != length:
        raise DecodeError("control body: it ends inside a field")
    return content


def text(content: bytes, length: int) -> str:
    """Return the text of a field; raise ``DecodeError`` unless it is UTF-8."""
    try:
        return exact(content, length).decode()
    except UnicodeDecodeError as error:
        raise DecodeError("control body: text is not UTF-8") from error
