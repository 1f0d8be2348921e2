"""Whole runs over TLS and inside one process, and channels: two sides that send at once, full pipes, broken ones."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from psi import wire
from psi.errors import DecodeError, MachineError, PeerError, TransportError
from psi.identity import Identity
from psi.session import Progress, Session
from psi.transport import Channel, Clock, drive, local_pair
from psi.transport.channel import ConnectionLostError
from psi.wire import FrameType, Phase, Suite
from tests.session_kit import (
    RacingClock,
    check_receiver,
    check_threads,
    in_thread,
    make_pair,
    tls_channels,
)

QUICK = Clock(tick_s=0.005)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    check_threads()


def never() -> None:
    """Wait on."""


# --- whole runs ---


@pytest.mark.parametrize("suite", Suite, ids=lambda suite: suite.value)
@pytest.mark.parametrize("receiver_joins", [True, False])
def test_two_sides_find_the_overlap_over_tls(
    identities: Mapping[str, Identity], suite: Suite, receiver_joins: bool
) -> None:
    receiver, sender = make_pair(range(30), range(20, 60), suite=suite, receiver_joins=receiver_joins)
    requester, holder = tls_channels(identities)
    mine, theirs = (requester, holder) if receiver_joins else (holder, requester)
    other = in_thread(lambda: drive(sender, theirs, idle_timeout_s=60))
    drive(receiver, mine, idle_timeout_s=60)
    other.result(timeout=60)
    check_receiver(receiver, range(30), range(20, 60))
    assert receiver.transcript == sender.transcript
    assert receiver.bytes_sent == sender.bytes_received
    assert receiver.bytes_received == sender.bytes_sent


@pytest.mark.slow
def test_lists_of_more_than_one_chunk_cross_each_other(identities: Mapping[str, Identity]) -> None:
    # One above a chunk of 32,768 elements; the chunks of tags are counted in the crate's tests.
    receiver_items, sender_items = range(32_769), range(32_000, 33_000)
    receiver, sender = make_pair(receiver_items, sender_items)
    requester, holder = tls_channels(identities)
    other = in_thread(lambda: drive(sender, holder, idle_timeout_s=60))
    drive(receiver, requester, idle_timeout_s=60)
    other.result(timeout=60)
    check_receiver(receiver, receiver_items, sender_items)


def test_two_sides_in_one_process_need_no_tls() -> None:
    receiver, sender = make_pair(range(3), range(1, 5))
    mine, theirs = local_pair()
    other = in_thread(lambda: drive(sender, theirs, idle_timeout_s=60))
    drive(receiver, mine, idle_timeout_s=60)
    other.result(timeout=60)
    check_receiver(receiver, range(3), range(1, 5))


def test_progress_of_both_sides_is_told_in_the_callers_thread() -> None:
    receiver, sender = make_pair(range(3), range(3))
    mine, theirs = local_pair(clock=QUICK)
    told: list[tuple[Progress, Progress, str]] = []
    sender_says = threading.Event()

    def slow_down(_number: int, own: Progress, _peer: Progress) -> None:
        if own.phase is Phase.TAG and not sender_says.is_set():
            sender_says.set()
            clock.race()  # five seconds without a frame: an alive is due

    clock = RacingClock()
    other = in_thread(
        lambda: drive(sender, theirs, idle_timeout_s=1e9, clock=clock.clock, on_progress=slow_down)
    )
    drive(
        receiver,
        mine,
        idle_timeout_s=1e9,
        on_progress=lambda _, own, peer: told.append((own, peer, threading.current_thread().name)),
    )
    other.result(timeout=60)
    assert {name for _, _, name in told} == {threading.current_thread().name}
    assert told[-1][0].percent == 100
    assert any(peer.phase is Phase.TAG for _, peer, _ in told)
    assert all(before[:2] != after[:2] for before, after in itertools.pairwise(told))


def test_what_a_progress_callback_raises_ends_the_run() -> None:
    receiver, sender = make_pair(range(3), range(3))
    mine, theirs = local_pair(clock=QUICK)
    other = in_thread(lambda: drive(sender, theirs, idle_timeout_s=60, clock=QUICK))

    def fail(_number: int, _own: Progress, _peer: Progress) -> None:
        raise MachineError("the disk is full")

    with pytest.raises(MachineError, match="the disk is full"):
        drive(receiver, mine, idle_timeout_s=60, clock=QUICK, on_progress=fail)
    with pytest.raises(TransportError, match="ended before the run was over"):
        other.result(timeout=60)


# --- a channel ---


def frames_of(sizes: list[int]) -> list[bytes]:
    return [
        wire.pack(bytes([FrameType.TAGS]) + bytes([place % 251]) * size) for place, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("transport", ["tls", "local"])
def test_big_frames_both_ways_at_once_do_not_lock_up(
    identities: Mapping[str, Identity], transport: str
) -> None:
    ends = tls_channels(identities) if transport == "tls" else local_pair()
    frames = frames_of([1 << 20] * 24 + [1, 2, 16_383, 16_384, 16_385])  # a TLS record holds 16,384 bytes

    def send_all(end: Channel) -> None:
        for frame in frames:
            end.send(frame, while_blocked=never)

    def receive_all(end: Channel) -> list[bytes]:
        return [end.receive() for _ in frames]

    sending = [in_thread(partial(send_all, end)) for end in ends]
    receiving = [in_thread(partial(receive_all, end)) for end in ends]
    for future in receiving:
        assert future.result(timeout=60) == frames
    for future in sending:
        future.result(timeout=60)
    for end in ends:
        end.close()


def small_pair(clock: Clock = QUICK) -> tuple[Channel, Channel]:
    """Return a local pair that holds a few thousand bytes on the way; the clock is the first one's."""
    first, second = socket.socketpair()
    for end in (first, second):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return Channel(first, clock=clock), Channel(second, clock=QUICK)


def test_an_interrupted_frame_is_finished_before_the_next_one() -> None:
    first, second = small_pair()
    long, short = frames_of([1 << 18, 5])

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.send(long, while_blocked=interrupt)
    receiving = in_thread(lambda: [second.receive(), second.receive()])
    first.send(short, while_blocked=never)
    assert receiving.result(timeout=30) == [long, short]
    first.close()
    second.close()


def deaf_after_sizes(sender: Session, channel: Channel, last_words: bytes) -> None:
    """Answer until the own sizes are out, say something more, and from then on take nothing."""
    frame: bytes | None = None
    while frame is None or wire.frame_type(frame) is not FrameType.SIZES:
        frame = sender.next_frame()
        if frame is not None:
            channel.send(frame, while_blocked=never)
        elif sender.needs_peer:
            sender.receive(channel.receive())
    channel.send(last_words, while_blocked=never)


def test_a_peer_that_takes_nothing_is_given_up_after_the_idle_timeout() -> None:
    clock = RacingClock()
    mine, theirs = small_pair(clock.clock)
    receiver, sender = make_pair(range(3000), range(3))

    def go_deaf() -> None:
        deaf_after_sizes(sender, theirs, b"")
        clock.race()

    other = in_thread(go_deaf)
    with pytest.raises(TransportError, match="nothing came from the peer for 60 s"):
        drive(receiver, mine, idle_timeout_s=60, clock=clock.clock)
    other.result(timeout=30)
    theirs.close()


def test_a_refusal_that_is_not_taken_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psi.transport.driver.LINGER_S", 0.05)
    mine, theirs = small_pair()
    receiver, sender = make_pair(range(3000), range(3))
    other = in_thread(lambda: deaf_after_sizes(sender, theirs, b"no frame"))
    with pytest.raises(DecodeError):
        drive(receiver, mine, idle_timeout_s=1e9, clock=QUICK)
    other.result(timeout=30)
    theirs.close()


def test_a_closed_channel_says_so_in_both_directions() -> None:
    first, second = local_pair(clock=QUICK)
    first.close()
    first.close()  # again, for good measure
    with pytest.raises(ConnectionLostError, match="this side ended"):
        first.receive()
    with pytest.raises(ConnectionLostError, match="the peer ended"):
        second.receive()
    with pytest.raises(ConnectionLostError, match="the connection broke while this side was sending"):
        second.send(frames_of([1])[0], while_blocked=never)
    second.close()


def test_a_thread_that_waits_for_a_frame_comes_back_when_the_channel_stops() -> None:
    first, second = local_pair(clock=Clock(tick_s=1000.0))
    waiting = threading.Event()

    def receive() -> bytes:
        waiting.set()
        return first.receive()

    receiving = in_thread(receive)
    assert waiting.wait(timeout=30)
    first.stop()
    with pytest.raises(ConnectionLostError):
        receiving.result(timeout=30)
    first.close()
    second.close()


class MoodySocket(socket.socket):
    """A socket whose every other call wants the opposite direction first, as TLS does when it changes its keys."""

    moods = 0

    def send(self, *arguments: Any) -> int:
        self.moods += 1
        if self.moods % 2:
            raise ssl.SSLWantReadError
        return super().send(*arguments)

    def recv_into(self, *arguments: Any) -> int:
        self.moods += 1
        if self.moods % 2:
            raise ssl.SSLWantWriteError
        return super().recv_into(*arguments)


def test_a_direction_that_wants_the_other_one_first_gets_it() -> None:
    first, second = socket.socketpair()
    ends = [Channel(MoodySocket(fileno=end.detach()), clock=Clock(tick_s=0.001)) for end in (first, second)]
    frames = frames_of([70_000, 1])

    def send_all() -> None:
        for frame in frames:
            ends[0].send(frame, while_blocked=never)

    sending = in_thread(send_all)
    assert [ends[1].receive() for _ in frames] == frames
    sending.result(timeout=30)
    for end in ends:
        end.close()


@pytest.mark.parametrize(
    "last_words", [b"", wire.encode(wire.Refuse(wire.Refusal.PROTOCOL))], ids=["", "refusal"]
)
def test_a_connection_that_breaks_under_a_long_frame_is_named_by_what_came_last(last_words: bytes) -> None:
    mine, theirs = small_pair()
    receiver, sender = make_pair(range(3000), range(3))

    def hang_up() -> None:
        deaf_after_sizes(sender, theirs, last_words)
        theirs.close()

    other = in_thread(hang_up)
    expected = "the peer refused" if last_words else "ended before the run was over"
    with pytest.raises(PeerError if last_words else TransportError, match=expected):
        drive(receiver, mine, idle_timeout_s=1e9, clock=QUICK)
    other.result(timeout=30)


def test_a_refusal_into_a_broken_connection_does_not_hide_the_error() -> None:
    mine, theirs = small_pair()
    receiver, sender = make_pair([1], [1])

    def hang_up() -> None:
        deaf_after_sizes(sender, theirs, b"no frame")
        theirs.close()

    other = in_thread(hang_up)
    with pytest.raises(DecodeError):
        drive(receiver, mine, idle_timeout_s=1e9, clock=QUICK)
    other.result(timeout=30)
