"""Make the vectors of frames: good control frames, and bad frames with one fault each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference import frames
from reference.frames import Kind

from .common import fixed_bytes, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

TERMS_DIGEST, CERTIFICATE, PEER_CERTIFICATE, NONCE = (
    fixed_bytes(f"hello {name}") for name in ("terms", "certificate", "peer", "nonce")
)
DIGESTS = (TERMS_DIGEST, CERTIFICATE, PEER_CERTIFICATE, NONCE)
HELLO = ("psi/1", "ecdh", *DIGESTS)
GOOD: tuple[tuple[Kind, tuple[str | bytes | int, ...]], ...] = (
    (Kind.HELLO, HELLO),
    (Kind.HELLO_ACK, ("psi/1", "ecdh-cardinality", *DIGESTS)),
    (Kind.HELLO, ("psi/2", "a suite with a name of more than 31 bytes", *DIGESTS)),
    (Kind.SIZES, (0,)),
    (Kind.SIZES, (127,)),  # the last positive fixint
    (Kind.SIZES, (128,)),
    (Kind.SIZES, (255,)),  # the last uint 8
    (Kind.SIZES, (256,)),
    (Kind.SIZES, (65_535,)),  # the last uint 16
    (Kind.SIZES, (65_536,)),
    (Kind.SIZES, (1_280_000,)),
    (Kind.SIZES, (2**28,)),
    *((Kind.REFUSE, (code,)) for code in frames.CODES),
    *(
        (Kind.ALIVE, (phase, percent))
        for phase, percent in zip(frames.PHASES, (0, 1, 50, 99, 100, 42, 3, 97), strict=True)
    ),
    (Kind.FINISH, (fixed_bytes("transcript"),)),
)


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of this module."""
    yield "frames.json", good()
    for name, (flag, whole) in bad().items():
        content = {"frame": whole.hex(), "raises": "DecodeError"}
        about = f"one frame with one fault: {name.replace('_', ' ')}"
        yield f"frames_bad/{name}.json", vector_file("bad-frame", about, content, flags=[flag])


def good() -> dict[str, Any]:
    """Return control frames and their fields."""
    cases = []
    for kind, values in GOOD:
        named = {
            name: value.hex() if isinstance(value, bytes) else value
            for (name, _), value in zip(frames.FIELDS[kind], values, strict=True)
        }
        cases.append(
            {"kind": kind.name.lower(), "fields": named, "frame": frames.control(kind, *values).hex()}
        )
    return vector_file("frames", "control frames (psi.md, Frames)", {"cases": cases})


def bad() -> dict[str, tuple[str, bytes]]:
    """Return bad frames by name, each with the flag of its fault."""
    hello, finish = frames.control(Kind.HELLO, *HELLO), frames.control(Kind.FINISH, fixed_bytes("transcript"))
    body = hello[5:]
    text, digest = b"\xa4ecdh", b"\xc4\x20" + TERMS_DIGEST
    return {
        "frame_bad_length_zero": ("FrameLength", bytes(4)),
        "frame_bad_header_cut": ("FrameLength", hello[:3]),
        "frame_bad_body_cut": ("FrameLength", hello[:-1]),
        "frame_bad_byte_after_end": ("TrailingByte", hello + b"\0"),
        "frame_bad_unknown_type": ("UnknownType", frames_of(0x7F, b"\x90")),
        "frame_bad_type_of_no_suite": ("UnknownType", frames_of(0x20, bytes(32))),
        "frame_bad_control_too_long": ("FrameLength", frames_of(Kind.FINISH, finish[5:] + bytes(1024))),
        "hello_bad_five_fields": ("FieldCount", frames_of(Kind.HELLO, b"\x95" + body[1 : -len(digest)])),
        "hello_bad_seven_fields": ("FieldCount", frames_of(Kind.HELLO, b"\x97" + body[1:] + digest)),
        "hello_bad_map": ("FieldType", frames_of(Kind.HELLO, b"\x83" + body[1:])),
        "hello_bad_array16": ("NotShortest", frames_of(Kind.HELLO, b"\xdc\x00\x06" + body[1:])),
        "hello_bad_text8": ("NotShortest", frames_of(Kind.HELLO, body.replace(text, b"\xd9\x04ecdh", 1))),
        "hello_bad_bytes16": (
            "NotShortest",
            frames_of(Kind.HELLO, body.replace(b"\xc4\x20", b"\xc5\x00\x20", 1)),
        ),
        "hello_bad_text_as_bytes": (
            "FieldType",
            frames_of(Kind.HELLO, body.replace(text, b"\xc4\x04ecdh", 1)),
        ),
        "hello_bad_bytes_as_text": (
            "FieldType",
            frames_of(Kind.HELLO, body.replace(digest, b"\xd9\x20" + b"a" * 32, 1)),
        ),
        "hello_bad_nil": ("FieldType", frames_of(Kind.HELLO, body.replace(digest, b"\xc0", 1))),
        "hello_bad_not_utf8": ("NotUtf8", frames_of(Kind.HELLO, body.replace(text, b"\xa4\xffcdh", 1))),
        "hello_bad_surrogate": (
            "NotUtf8",
            frames_of(Kind.HELLO, body.replace(text, b"\xa4\xed\xa0\x80h", 1)),
        ),
        "hello_bad_short_digest": (
            "FieldLength",
            frames_of(Kind.HELLO, body.replace(digest, b"\xc4\x1f" + TERMS_DIGEST[:31], 1)),
        ),
        "hello_bad_long_nonce": (
            "FieldLength",
            frames_of(Kind.HELLO, body[:-34] + b"\xc4\x21" + NONCE + b"\0"),
        ),
        "hello_bad_byte_after_array": ("TrailingByte", frames_of(Kind.HELLO, body + b"\0")),
        "hello_bad_field_cut": ("FieldLength", frames_of(Kind.HELLO, body[:-1])),
        "sizes_bad_empty_body": ("FieldCount", frames_of(Kind.SIZES, b"")),
        "sizes_bad_uint8": ("NotShortest", frames_of(Kind.SIZES, b"\x91\xcc\x05")),
        "sizes_bad_uint32": ("NotShortest", frames_of(Kind.SIZES, b"\x91\xce\x00\x00\xff\xff")),
        "sizes_bad_int8": ("NotShortest", frames_of(Kind.SIZES, b"\x91\xd0\x05")),
        "sizes_bad_negative": ("FieldType", frames_of(Kind.SIZES, b"\x91\xff")),
        "sizes_bad_float": ("FieldType", frames_of(Kind.SIZES, b"\x91\xcb\x40\x14\x00\x00\x00\x00\x00\x00")),
        "sizes_bad_true": ("FieldType", frames_of(Kind.SIZES, b"\x91\xc3")),
        "sizes_bad_text": ("FieldType", frames_of(Kind.SIZES, b"\x91\xa15")),
        "sizes_bad_nested": ("FieldType", frames_of(Kind.SIZES, b"\x91\x91\x05")),
        "refuse_bad_unknown_code": ("UnknownName", frames_of(Kind.REFUSE, b"\x91\xa6reason")),
        "alive_bad_unknown_phase": ("UnknownName", frames_of(Kind.ALIVE, b"\x92\xa4idle\x05")),
        "alive_bad_percent_101": ("FieldRange", frames_of(Kind.ALIVE, b"\x92\xa4wait\x65")),
        "finish_bad_short_transcript": ("FieldLength", frames_of(Kind.FINISH, b"\x91\xc4\x1f" + bytes(31))),
    }


def frames_of(kind: int, body: bytes) -> bytes:
    """Return a whole frame of any type byte, known or not."""
    return (1 + len(body)).to_bytes(4, "little") + bytes([kind]) + body
