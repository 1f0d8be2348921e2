"""Several sessions over one connection: a key each, in the order of the terms, and every ending a named one."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from psi import wire
from psi.errors import PeerError, StateError, TermsError, TransportError, VerificationError
from psi.identity import Identity
from psi.session import Role, Session
from psi.transport import Channel, Clock, drive, local_pair
from psi.wire import FrameType, Suite
from tests.session_kit import (
    RacingClock,
    check_receiver,
    check_threads,
    in_thread,
    make_session,
    tls_channels,
)

QUICK = Clock(tick_s=0.005)
SUITES = (Suite.VOLE_MALICIOUS, Suite.ECDH, Suite.ECDH_CARDINALITY)
RECEIVERS = (range(40), range(10, 50), range(5))
SENDERS = (range(30, 90), range(0, 60, 2), range(4, 9))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    check_threads()


def key_digest(number: int) -> bytes:
    return hashlib.sha256(b"key %d" % number).digest()


def sessions(role: Role, *, joins: bool, suites: Sequence[Suite] = SUITES) -> list[Session]:
    """Return the sessions of one side, one for each key."""
    lists = RECEIVERS if role is Role.RECEIVER else SENDERS
    return [
        make_session(role, lists[number], suite=suite, initiator=joins, terms_digest=key_digest(number))
        for number, suite in enumerate(suites)
    ]


def run(own: list[Session], channel: Channel, **options: object) -> None:
    drive(own[0], channel, then=own[1:], **{"idle_timeout_s": 60, "clock": QUICK, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("receiver_joins", [True, False])
@pytest.mark.parametrize("transport", ["tls", "local"])
def test_keys_are_compared_one_after_another_over_one_connection(
    identities: Mapping[str, Identity], transport: str, receiver_joins: bool
) -> None:
    receivers = sessions(Role.RECEIVER, joins=receiver_joins)
    senders = sessions(Role.SENDER, joins=not receiver_joins)
    requester, holder = tls_channels(identities) if transport == "tls" else local_pair()
    mine, theirs = (requester, holder) if receiver_joins else (holder, requester)
    told: list[int] = []
    other = in_thread(lambda: run(senders, theirs))
    run(receivers, mine, on_progress=lambda number, _own, _peer: told.append(number))
    other.result(timeout=60)
    for receiver, sender, ours, others in zip(receivers, senders, RECEIVERS, SENDERS, strict=True):
        check_receiver(receiver, ours, others)
        assert receiver.transcript == sender.transcript
        assert receiver.bytes_sent == sender.bytes_received
    assert len({receiver.transcript for receiver in receivers}) == 3
    assert told == sorted(told)
    assert set(told) == {0, 1, 2}


def test_finished_session_keeps_its_output_and_no_role() -> None:
    receivers, senders = sessions(Role.RECEIVER, joins=True), sessions(Role.SENDER, joins=False)
    mine, theirs = local_pair(clock=QUICK)
    other = in_thread(lambda: run(senders, theirs))
    run(receivers, mine)
    other.result(timeout=60)
    for session in (*receivers, *senders):
        assert session._core is session._learner is None
        assert session.finished
    check_receiver(receivers[0], RECEIVERS[0], SENDERS[0])


class Wrapped:
    """A channel whose ``send`` a test has its hands on."""

    def __init__(
        self, channel: Channel, before: Callable[[bytes], None], after: Callable[[bytes], None]
    ) -> None:
        self._channel, self._before, self._after = channel, before, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)

    def send(self, frame: bytes, *, while_blocked: Callable[[], None]) -> None:
        self._before(frame)
        self._channel.send(frame, while_blocked=while_blocked)
        self._after(frame)


@pytest.mark.parametrize("receiver_joins", [True, False])
def test_next_hello_that_comes_before_this_side_has_moved_on_is_kept(receiver_joins: bool) -> None:
    """The acceptor's thread that sends is held where its finish has left until the next hello has arrived."""
    receivers = sessions(Role.RECEIVER, joins=receiver_joins)
    senders = sessions(Role.SENDER, joins=not receiver_joins)
    joining, accepting = (receivers, senders) if receiver_joins else (senders, receivers)
    mine, theirs = local_pair(clock=QUICK)
    greeted = [threading.Event() for _ in accepting]
    held: list[bool] = []

    def listen(number: int) -> None:
        receive = accepting[number].receive

        def hear(frame: bytes) -> None:
            receive(frame)
            greeted[number].set()

        accepting[number].receive = hear  # type: ignore[method-assign]

    def hold(frame: bytes) -> None:
        if wire.frame_type(frame) is FrameType.FINISH and len(held) < 2:
            held.append(greeted[len(held) + 1].wait(timeout=30))

    listen(1)
    listen(2)
    other = in_thread(lambda: run(joining, mine))
    run(accepting, Wrapped(theirs, lambda _: None, hold))  # type: ignore[arg-type]
    other.result(timeout=60)
    assert held == [True, True]
    for receiver, ours, others in zip(receivers, RECEIVERS, SENDERS, strict=True):
        check_receiver(receiver, ours, others)


@pytest.mark.parametrize(
    ("order", "finished"), [((1, 0, 2), 0), ((0, 2, 1), 1), ((0, 0, 1), 1), ((0, 1, 1), 2)]
)
def test_peer_with_another_order_of_keys_or_a_repeated_one_is_refused(
    order: tuple[int, ...], finished: int
) -> None:
    victims = sessions(Role.RECEIVER, joins=True)
    # The suite of each place is the one that the victim expects: what differs is the key alone.
    peers = [
        make_session(
            Role.SENDER,
            SENDERS[number],
            suite=SUITES[place],
            initiator=False,
            terms_digest=key_digest(number),
        )
        for place, number in enumerate(order)
    ]
    mine, theirs = local_pair(clock=QUICK)
    other = in_thread(lambda: run(peers, theirs))
    with pytest.raises(TermsError, match="the terms of the two sides differ"):
        run(victims, mine)
    with pytest.raises(TermsError, match="the terms of the two sides differ"):
        other.result(timeout=60)
    assert [session.finished for session in victims] == [place < finished for place in range(3)]


def test_hello_of_the_session_before_is_no_hello_of_the_next() -> None:
    """A session sent anew, byte for byte, does not pass as that of another key."""
    same = [Suite.ECDH] * 3
    victims = sessions(Role.RECEIVER, joins=False, suites=same)
    peers = sessions(Role.SENDER, joins=True, suites=same)
    mine, theirs = local_pair(clock=QUICK)
    hello = peers[0].next_frame()
    assert hello is not None

    def cheat() -> None:
        theirs.send(hello, while_blocked=lambda: None)
        while not peers[0].finished:
            frame = peers[0].next_frame()
            if frame is not None:
                theirs.send(frame, while_blocked=lambda: None)
            elif peers[0].needs_peer:
                peers[0].receive(theirs.receive())
        theirs.send(hello, while_blocked=lambda: None)
        assert wire.frame_type(theirs.receive()) is FrameType.HELLO_ACK
        assert wire.decode(theirs.receive()) == wire.Refuse(wire.Refusal.TERMS)
        theirs.close()

    other = in_thread(cheat)
    with pytest.raises(TermsError):
        run(victims, mine)
    other.result(timeout=60)
    assert [session.finished for session in victims] == [True, False, False]


def after_first(peers: list[Session], channel: Channel, last_words: bytes | None) -> None:
    """Take part in the first session and then say something else, or hang up."""
    while not peers[0].finished:
        frame = peers[0].next_frame()
        if frame is not None:
            channel.send(frame, while_blocked=lambda: None)
        elif peers[0].needs_peer:
            peers[0].receive(channel.receive())
    if last_words is not None:
        channel.send(last_words, while_blocked=lambda: None)
        channel.discard()
    channel.close()


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize(
    ("last_words", "error"),
    [
        (None, TransportError),  # and not "it did not accept this side's certificate"
        (wire.encode(wire.Refuse(wire.Refusal.PROTOCOL)), PeerError),
        (wire.encode(wire.Finish(bytes(32))), StateError),
        (wire.encode(wire.Sizes(3)), StateError),
    ],
)
def test_peer_that_does_not_go_on_to_the_next_key_is_named_by_what_it_did(
    joins: bool, last_words: bytes | None, error: type[Exception]
) -> None:
    victims, peers = sessions(Role.RECEIVER, joins=joins), sessions(Role.SENDER, joins=not joins)
    mine, theirs = local_pair(clock=QUICK)
    other = in_thread(lambda: after_first(peers, theirs, last_words))
    with pytest.raises(error) as raised:
        run(victims, mine)
    assert type(raised.value) is error
    other.result(timeout=60)
    assert [session.finished for session in victims] == [True, False, False]


def test_silence_between_two_keys_ends_in_the_idle_timeout() -> None:
    clock = RacingClock()
    victims, peers = sessions(Role.RECEIVER, joins=False), sessions(Role.SENDER, joins=True)
    mine, theirs = local_pair(clock=clock.clock)

    def fall_silent() -> None:
        while not peers[0].finished:
            frame = peers[0].next_frame()
            if frame is not None:
                theirs.send(frame, while_blocked=lambda: None)
            elif peers[0].needs_peer:
                peers[0].receive(theirs.receive())
        clock.race()
        theirs.discard()
        theirs.close()

    other = in_thread(fall_silent)
    with pytest.raises(TransportError, match="nothing came from the peer for 600 s"):
        run(victims, mine, clock=clock.clock, idle_timeout_s=600)
    other.result(timeout=60)


def test_time_for_the_commitment_is_counted_in_each_session() -> None:
    """A receiver that is quick under the first key and late under the second is refused."""
    clock = RacingClock()

    def pair(role: Role) -> list[Session]:
        return [
            make_session(
                role,
                range(20),
                suite=Suite.VOLE_MALICIOUS,
                initiator=role is Role.RECEIVER,
                terms_digest=key_digest(number),
            )
            for number in range(2)
        ]

    receivers, senders = pair(Role.RECEIVER), pair(Role.SENDER)
    mine, theirs = local_pair(clock=clock.clock)

    bound: list[bytes] = []

    def be_late(frame: bytes) -> None:
        if wire.frame_type(frame) is FrameType.BIND:
            bound.append(frame)
            if len(bound) == 2:
                clock.race()

    late = Wrapped(mine, be_late, lambda _: None)
    joined = in_thread(lambda: run(receivers, late, idle_timeout_s=1e9))  # type: ignore[arg-type]
    with pytest.raises(VerificationError, match="did not commit to its list within the time"):
        run(senders, theirs, clock=clock.clock, idle_timeout_s=1e9)
    with pytest.raises(PeerError):
        joined.result(timeout=60)
    assert [session.finished for session in senders] == [True, False]
