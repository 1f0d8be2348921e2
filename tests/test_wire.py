"""Frames and control messages: one encoding each, and every other byte string is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol_spec.reference import frames as reference
from protocol_spec.reference.errors import DecodeError as ReferenceDecodeError
from psi import wire
from psi.errors import DecodeError
from psi.wire import Alive, Finish, FrameType, Hello, HelloAck, Phase, Refusal, Refuse, Sizes, Suite

DIGESTS = [bytes([value]) * 32 for value in (1, 2, 3, 4)]
MESSAGES = [
    Hello("psi/1", "ecdh", *DIGESTS),
    HelloAck("psi/1", "ecdh-cardinality", *DIGESTS),
    Hello("", "\u00e9" * 100, *DIGESTS),
    *[Sizes(count) for count in (0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1)],
    *[Refuse(code) for code in Refusal],
    *[Alive(phase, percent) for phase in Phase for percent in (0, 1, 100)],
    Finish(DIGESTS[0]),
]


def control(kind: int, body: bytes) -> bytes:
    return (1 + len(body)).to_bytes(4, "little") + bytes([kind]) + body


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_decode_gives_back_the_message_that_was_encoded(message: wire.Message) -> None:
    frame = wire.encode(message)
    assert wire.decode(frame) == message
    assert type(wire.decode(frame)) is type(message)
    assert wire.frame_bytes(frame[:5]) == len(frame)
    assert wire.frame_type(frame) is message.kind


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_the_reference_encodes_every_message_to_the_same_frame(message: wire.Message) -> None:
    fields = [str(value) if isinstance(value, str) else value for value in msgspec.structs.astuple(message)]
    assert reference.control(reference.Kind(message.kind), *fields) == wire.encode(message)


def test_a_frame_of_sizes_has_the_bytes_of_the_specification() -> None:
    assert wire.encode(Sizes(1_280_000)) == bytes.fromhex("070000000391ce00138800")


def test_types_on_the_wire_are_those_of_the_reference() -> None:
    assert {kind.name: kind.value for kind in FrameType} == {k.name: k.value for k in reference.Kind}
    assert [str(code) for code in Refusal] == list(reference.CODES)
    assert [str(phase) for phase in Phase] == list(reference.PHASES)
    assert [int(kind) for kind in FrameType if kind.is_control] == [int(kind) for kind in reference.FIELDS]


def test_only_the_suite_for_the_size_hides_the_items() -> None:
    hides = {suite.value for suite in Suite if not suite.learns_items}
    assert hides == {"ecdh-cardinality"}


def test_only_the_vole_suites_can_report_to_the_sender() -> None:
    assert {suite.value for suite in Suite if suite.can_report} == {"vole-malicious", "vole-semi-honest"}


@pytest.mark.parametrize("message", [*MESSAGES[:2], *MESSAGES[3:]], ids=str)
def test_every_prefix_and_every_longer_frame_is_refused(message: wire.Message) -> None:
    frame = wire.encode(message)
    for end in range(len(frame)):
        with pytest.raises(DecodeError):
            wire.decode(frame[:end])
    with pytest.raises(DecodeError):
        wire.decode(frame + b"\0")
    with pytest.raises(DecodeError):  # the length covers the byte after the message
        wire.decode(control(message.kind, frame[5:] + b"\0"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(3, b"\x91\xcc\x01", id="integer_not_shortest"),
        pytest.param(3, b"\x91\xcf\0\0\0\0\0\0\0\x01", id="integer_of_eight_bytes"),
        pytest.param(3, b"\x91\xff", id="negative_integer"),
        pytest.param(3, b"\x91\xca\x3f\x80\x00\x00", id="float"),
        pytest.param(3, b"\x91\xc3", id="boolean"),
        pytest.param(3, b"\x91\xc0", id="nil"),
        pytest.param(3, b"\x91\xa15", id="number_as_text"),
        pytest.param(3, b"\xdc\x00\x01\x05", id="array_not_shortest"),
        pytest.param(3, b"\x90", id="no_field"),
        pytest.param(3, b"\x92\x05\x05", id="a_field_too_many"),
        pytest.param(3, b"\x05", id="no_array"),
        pytest.param(3, b"\x81\xa5items\x05", id="map"),
        pytest.param(3, b"\xdd\xff\xff\xff\xff", id="array_of_four_thousand_million"),
        pytest.param(3, b"\x91" * 1024, id="deep_array"),
        pytest.param(3, b"\x91\xc6\xff\xff\xff\xff", id="bytes_of_four_thousand_million"),
        pytest.param(3, b"\x91\xd9\x01", id="ends_inside_a_field"),
        pytest.param(4, b"\x91\xa3all", id="code_not_listed"),
        pytest.param(4, b"\x91\xa5TERMS", id="code_in_capitals"),
        pytest.param(4, b"\x91\xd9\x05terms", id="text_not_shortest"),
        pytest.param(4, b"\x91\xc4\x05terms", id="text_as_bytes"),
        pytest.param(5, b"\x92\xa4wait\x65", id="percent_101"),
        pytest.param(5, b"\x92\xa4wait\xff", id="percent_minus_1"),
        pytest.param(5, b"\x92\xa5sleep\x01", id="phase_not_listed"),
        pytest.param(6, b"\x91\xc4\x1f" + bytes(31), id="digest_of_31_bytes"),
        pytest.param(6, b"\x91\xc4\x21" + bytes(33), id="digest_of_33_bytes"),
        pytest.param(6, b"\x91\xd9\x20" + bytes(32), id="digest_as_text"),
        pytest.param(6, b"\x91\xc5\x00\x20" + bytes(32), id="length_not_shortest"),
        pytest.param(1, b"\x96\xa1\xff\xa4ecdh" + (b"\xc4\x20" + bytes(32)) * 4, id="text_not_utf8"),
        pytest.param(1, b"\x96\xa3\xed\xa0\x80\xa4ecdh" + (b"\xc4\x20" + bytes(32)) * 4, id="surrogate"),
    ],
)
def test_bytes_that_are_not_exactly_a_message_are_refused(kind: int, body: bytes) -> None:
    with pytest.raises(DecodeError, match=rf"^{FrameType(kind).label}: {len(body)} bytes that are not"):
        wire.decode(control(kind, body))
    with pytest.raises(ReferenceDecodeError):
        reference.fields(reference.Kind(kind), body)


def test_unknown_types_are_refused_by_their_header() -> None:
    for kind in sorted(set(range(256)) - set(FrameType)):
        with pytest.raises(DecodeError, match=f"type 0x{kind:02x} is not known"):
            wire.frame_bytes(b"\x02\0\0\0" + bytes([kind]))


@pytest.mark.parametrize("kind", FrameType, ids=lambda kind: kind.label)
def test_lengths_are_limited_before_anything_is_allocated(kind: FrameType) -> None:
    limit = 1024 if kind.is_control else 2**20
    for length in (2, 1 + limit):  # the shortest and the longest frame: type and body
        assert wire.frame_bytes(length.to_bytes(4, "little") + bytes([kind])) == 4 + length
    for length in (0, 1, 2 + limit, 2**32 - 1):
        with pytest.raises(DecodeError, match=f"{kind.label}: a body of {length - 1} bytes"):
            wire.frame_bytes(length.to_bytes(4, "little") + bytes([kind]))


def test_a_chunk_of_a_suite_has_a_type_and_is_no_message() -> None:
    frame = wire.pack(bytes([FrameType.TAGS]) + bytes(11))
    assert wire.frame_type(frame) is FrameType.TAGS
    with pytest.raises(DecodeError, match="tags: not a control frame"):
        wire.decode(frame)


def test_error_texts_do_not_quote_the_peer() -> None:
    for body in (b"\x91\xa6secret", b"\x96\xa6secret\xa6secret" + (b"\xc4\x06secret") * 4):
        for kind in (1, 2, 3, 4, 5, 6):
            with pytest.raises(DecodeError) as caught:
                wire.decode(control(kind, body))
            assert "secret" not in str(caught.value)
            assert caught.value.__cause__ is None


@settings(max_examples=400, deadline=None)
@given(
    message=st.sampled_from(MESSAGES),
    position=st.integers(0, 200),
    change=st.one_of(st.just(b""), st.binary(max_size=4)),
    length=st.integers(0, 4),
)
def test_a_changed_body_is_read_as_the_reference_reads_it(
    message: wire.Message, position: int, change: bytes, length: int
) -> None:
    frame = wire.encode(message)
    at = 5 + position % (len(frame) - 4)
    body = frame[5:at] + change + frame[at + length :]
    if not body:
        return
    try:
        expected: list[str | bytes | int] | None = reference.fields(reference.Kind(message.kind), body)
    except ReferenceDecodeError:
        expected = None
    try:
        decoded = wire.decode(control(message.kind, body))
    except DecodeError:
        assert expected is None
    else:
        assert expected == list(msgspec.structs.astuple(decoded))
