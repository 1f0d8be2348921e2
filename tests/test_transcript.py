"""The running hash over all frames, against the reference and against what it must tell apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol_spec.reference import blake3
from protocol_spec.reference import session as reference
from psi.transcript import Transcript, session_identifier


class ReferenceHasher:
    """BLAKE3 of the reference, as a hasher."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._data = b""

    def update(self, data: bytes) -> None:
        self._data += data

    def digest(self) -> bytes:
        return blake3.derive(self._context, self._data)


def transcript(initiator: list[bytes], acceptor: list[bytes]) -> bytes:
    running = Transcript(ReferenceHasher)
    for frame in initiator:
        running.add(frame, from_initiator=True)
    for frame in acceptor:
        running.add(frame, from_initiator=False)
    return running.digest()


FRAMES = st.lists(st.binary(max_size=40), max_size=4)


@given(FRAMES, FRAMES)
def test_transcript_is_that_of_the_reference(initiator: list[bytes], acceptor: list[bytes]) -> None:
    assert transcript(initiator, acceptor) == reference.transcript_digest(initiator, acceptor)


def test_transcript_does_not_depend_on_how_the_directions_interleave() -> None:
    running = Transcript(ReferenceHasher)
    for from_initiator, frame in [(False, b"c"), (True, b"a"), (False, b"d"), (True, b"b")]:
        running.add(frame, from_initiator=from_initiator)
    assert running.digest() == transcript([b"a", b"b"], [b"c", b"d"])


def test_transcript_can_be_read_before_more_frames_come() -> None:
    running = Transcript(ReferenceHasher)
    assert running.digest() == transcript([], [])
    running.add(b"a", from_initiator=True)
    assert running.digest() == transcript([b"a"], [])


@pytest.mark.parametrize(
    ("initiator", "acceptor"),
    [
        pytest.param([b"b", b"a"], [b"c"], id="order"),
        pytest.param([b"c"], [b"a", b"b"], id="direction"),
        pytest.param([b"a", b"b", b"c"], [], id="a_frame_changes_sides"),
        pytest.param([b"a"], [b"c"], id="one_less"),
        pytest.param([b"a", b"b", b"b"], [b"c"], id="one_more"),
    ],
)
def test_transcript_tells_apart(initiator: list[bytes], acceptor: list[bytes]) -> None:
    assert transcript(initiator, acceptor) != transcript([b"a", b"b"], [b"c"])


def test_session_identifier_is_that_of_the_reference() -> None:
    expected = reference.session_identifier(b"hello", b"hello-ack")
    assert session_identifier(b"hello", b"hello-ack", ReferenceHasher) == expected
    assert session_identifier(b"hello-ack", b"hello", ReferenceHasher) != expected
