"""
A peer that cheats, falls silent, disconnects or dies, over real TLS on this machine.

Each time the honest side ends with a named error and without an output, the peer hears one generic refusal if it is
to blame, and no thread is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from psi import wire
from psi.errors import (
    DecodeError,
    LimitError,
    PeerError,
    PsiError,
    StateError,
    TermsError,
    TransportError,
    VerificationError,
    exit_code,
)
from psi.identity import Identity
from psi.session import Role, Session
from psi.transport import Listener, drive
from psi.wire import Finish, FrameType, Refusal, Refuse, Suite
from tests.conftest import ROOT
from tests.peers import QUICK, CheatingPeer, cheated, instead, replacing
from tests.session_kit import RacingClock, check_threads, make_session

ITEMS = {Role.RECEIVER: range(4), Role.SENDER: range(2, 7)}
OTHER = {Role.RECEIVER: Role.SENDER, Role.SENDER: Role.RECEIVER}

both_joiners = pytest.mark.parametrize("victim_joins", [True, False], ids=["victim_joins", "victim_serves"])
both_roles = pytest.mark.parametrize("victim", Role, ids=lambda role: f"victim_is_{role.value}")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    check_threads()


def honest(victim: Role, *, joins: bool, suite: Suite = Suite.ECDH) -> Session:
    return make_session(victim, ITEMS[victim], initiator=joins, suite=suite)


def parts(
    kind: FrameType, change: Callable[[list[bytes]], list[bytes]], size: int = 32
) -> Callable[[CheatingPeer, int, bytes], None]:
    """Return a script that changes the list of elements or tags in a frame."""
    return replacing(
        kind, lambda body: b"".join(change([body[at : at + size] for at in range(0, len(body), size)]))
    )


TAG_BYTES = 6  # for 4 and 5 items: 40 + 5 bits
NOT_CANONICAL = b"\xff" * 32
NEGATIVE = b"\x01" + bytes(31)  # RFC 9496, 4.3.1: not an encoding, its lowest bit is set
IDENTITY = bytes(32)

BLINDED, EVALUATED, TAGS, SIZES = FrameType.BLINDED, FrameType.EVALUATED, FrameType.TAGS, FrameType.SIZES

CHEATS_OF_THE_RECEIVER = [
    ("too_few", parts(BLINDED, lambda e: e[:-1]), DecodeError),
    ("too_many", parts(BLINDED, lambda e: [*e, e[0]]), DecodeError),
    ("half_an_element", replacing(BLINDED, lambda body: body[:-16]), DecodeError),
    ("not_canonical", parts(BLINDED, lambda e: [NOT_CANONICAL, *e[1:]]), DecodeError),
    ("negative", parts(BLINDED, lambda e: [*e[:-1], NEGATIVE]), DecodeError),
    ("identity", parts(BLINDED, lambda e: [e[0], IDENTITY, *e[2:]]), DecodeError),
    ("repeated", parts(BLINDED, lambda e: [*e[:-1], e[0]]), VerificationError),
    ("size_too_large", replacing(SIZES, lambda _: b"\x91\x05"), DecodeError),
    ("size_too_small", replacing(SIZES, lambda _: b"\x91\x03"), DecodeError),
    ("size_zero", replacing(SIZES, lambda _: b"\x91\x00"), StateError),
    ("size_not_shortest", replacing(SIZES, lambda _: b"\x91\xcc\x04"), DecodeError),
    ("frame_of_the_other_role", instead(BLINDED, wire.pack(b"\x11" + bytes(128))), StateError),
    ("tags", instead(BLINDED, wire.pack(b"\x12" + bytes(30))), StateError),
    ("finish_too_early", instead(BLINDED, wire.encode(Finish(bytes(32)))), StateError),
    ("finish_differs", replacing(FrameType.FINISH, lambda _: b"\x91\xc4\x20" + bytes(32)), VerificationError),
]
CHEATS_OF_THE_SENDER = [
    ("too_few", parts(EVALUATED, lambda e: e[:-1]), DecodeError),
    ("not_canonical", parts(EVALUATED, lambda e: [NOT_CANONICAL, *e[1:]]), DecodeError),
    ("identity", parts(EVALUATED, lambda e: [*e[:-1], IDENTITY]), DecodeError),
    ("repeated", parts(EVALUATED, lambda e: [e[0], e[0], *e[2:]]), VerificationError),
    ("swapped", parts(EVALUATED, lambda e: e[::-1]), VerificationError),
    ("tags_descend", parts(TAGS, lambda t: t[::-1], TAG_BYTES), VerificationError),
    ("tags_too_few", parts(TAGS, lambda t: t[:-1], TAG_BYTES), DecodeError),
    ("tags_too_short", parts(TAGS, lambda t: [tag[:-1] for tag in t], TAG_BYTES), DecodeError),
    ("tags_all_equal", parts(TAGS, lambda t: [t[0]] * len(t), TAG_BYTES), VerificationError),
    ("tags_first", instead(EVALUATED, wire.pack(b"\x12" + bytes(5 * TAG_BYTES))), StateError),
    ("size_too_large", replacing(SIZES, lambda _: b"\x91\x06"), DecodeError),
    ("finish_too_early", instead(TAGS, wire.encode(Finish(bytes(32)))), StateError),
]

NOISE = [
    ("oversized_length", b"\xff\xff\xff\xff\x10", "a body of 4294967294 bytes"),
    ("one_byte_too_long", (2 + 2**20).to_bytes(4, "little") + b"\x10", "from 1 to 1048576 are possible"),
    ("control_too_long", (2 + 2**10).to_bytes(4, "little") + b"\x03", "from 1 to 1024 are possible"),
    ("empty_body", b"\x01\x00\x00\x00\x03", "a body of 0 bytes"),
    ("no_type", b"\x00\x00\x00\x00\x03", "a body of -1 bytes"),
    ("http", b"GET / HTTP/1.1\r\nHost: psi\r\n\r\n", "type 0x2f is not known"),
    ("garbage", bytes(range(200, 256)), "type 0xcc is not known"),
    ("zeros", bytes(64), "type 0x00 is not known"),
    ("reserved_type", b"\x02\x00\x00\x00\x2a\x00", "type 0x2a is not known"),
]


@both_joiners
@pytest.mark.parametrize(
    ("cheater", "cheat", "error"),
    [
        pytest.param(cheater, cheat, error, id=f"{cheater.value}-{name}")
        for cheater, cheats in ((Role.RECEIVER, CHEATS_OF_THE_RECEIVER), (Role.SENDER, CHEATS_OF_THE_SENDER))
        for name, cheat, error in cheats
    ],
)
def test_a_cheating_peer_is_refused_and_nothing_comes_out(
    identities: Mapping[str, Identity],
    victim_joins: bool,
    cheater: Role,
    cheat: Callable[[CheatingPeer, int, bytes], None],
    error: type[PsiError],
) -> None:
    victim = honest(OTHER[cheater], joins=victim_joins)
    raised, heard = cheated(identities, victim, honest(cheater, joins=not victim_joins), cheat, error)
    assert type(raised) is error
    assert exit_code(raised) == 5
    refusals = [frame for frame in heard if wire.frame_type(frame) is FrameType.REFUSE]
    assert refusals == [heard[-1]] == [wire.encode(Refuse(Refusal.PROTOCOL))]


@both_roles
@pytest.mark.parametrize("when", [FrameType.SIZES, FrameType.FINISH], ids=lambda kind: f"for_{kind.label}")
@pytest.mark.parametrize(("noise", "match"), [pytest.param(*noise[1:], id=noise[0]) for noise in NOISE])
def test_bytes_that_are_no_frame_are_refused(
    identities: Mapping[str, Identity], victim: Role, when: FrameType, noise: bytes, match: str
) -> None:
    cheater = honest(OTHER[victim], joins=True)
    raised, heard = cheated(
        identities, honest(victim, joins=False), cheater, instead(when, noise), DecodeError, match
    )
    assert exit_code(raised) == 5
    assert heard[-1] == wire.encode(Refuse(Refusal.PROTOCOL))


@both_joiners
def test_differing_terms_reach_both_sides_by_name(
    identities: Mapping[str, Identity], victim_joins: bool
) -> None:
    victim = honest(Role.RECEIVER, joins=victim_joins)
    other = make_session(Role.SENDER, [1], initiator=not victim_joins, terms_digest=b"u" * 32)
    raised, heard = cheated(identities, victim, other, lambda peer, _, frame: peer.send(frame), TermsError)
    assert exit_code(raised) == 4
    assert victim.initiator or wire.frame_type(heard[0]) is FrameType.HELLO_ACK
    with pytest.raises(StateError):
        other.output()


def test_a_peer_above_its_limit_is_told_so(identities: Mapping[str, Identity]) -> None:
    victim = make_session(Role.SENDER, [1], initiator=False, peer_max_items=3)
    other = honest(Role.RECEIVER, joins=True)
    raised, heard = cheated(
        identities, victim, other, lambda peer, _, frame: peer.send(frame), LimitError, "the peer has 4 items"
    )
    assert exit_code(raised) == 7
    assert heard[-1] == wire.encode(Refuse(Refusal.LIMIT))


@both_joiners
@both_roles
@pytest.mark.parametrize("place", range(4))
def test_a_silent_peer_is_given_up_after_the_idle_timeout(
    identities: Mapping[str, Identity], victim: Role, victim_joins: bool, place: int
) -> None:
    clock = RacingClock()

    def fall_silent(peer: CheatingPeer, now: int, frame: bytes) -> None:
        if now < place:
            peer.send(frame)
            return
        clock.race()
        peer.fall_silent()

    raised, heard = cheated(
        identities,
        honest(victim, joins=victim_joins),
        honest(OTHER[victim], joins=not victim_joins),
        fall_silent,
        TransportError,
        "nothing came from the peer for 300 s",
        clock=clock.clock,
    )
    assert exit_code(raised) == 6
    assert raised.hint  # type: ignore[attr-defined]
    assert FrameType.REFUSE not in [wire.frame_type(frame) for frame in heard]


@both_joiners
@both_roles
@pytest.mark.parametrize("place", range(4))
def test_a_peer_that_disconnects_is_named(
    identities: Mapping[str, Identity], victim: Role, victim_joins: bool, place: int
) -> None:
    def disconnect(peer: CheatingPeer, now: int, frame: bytes) -> None:
        if now == place:
            peer.disconnect()
        peer.send(frame)

    before_any_answer = victim_joins and place == 0
    raised, _ = cheated(
        identities,
        honest(victim, joins=victim_joins),
        honest(OTHER[victim], joins=not victim_joins),
        disconnect,
        PeerError if before_any_answer else TransportError,
        "before it greeted" if before_any_answer else "ended before the run was over",
    )
    assert exit_code(raised) == (5 if before_any_answer else 6)
    assert raised.hint  # type: ignore[attr-defined]


@both_roles
def test_a_peer_that_disconnects_inside_a_frame_is_named(
    identities: Mapping[str, Identity], victim: Role
) -> None:
    def break_off(peer: CheatingPeer, now: int, frame: bytes) -> None:
        if now == 2:
            peer.send(frame[:-1])
            peer.disconnect()
        peer.send(frame)

    cheated(
        identities, honest(victim, joins=False), honest(OTHER[victim], joins=True), break_off, TransportError
    )


@both_roles
def test_an_interrupt_ends_the_wait_for_a_silent_peer(
    identities: Mapping[str, Identity], victim: Role
) -> None:
    # A shell that starts the tests in the background has them ignore interrupts.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(peer: CheatingPeer, now: int, frame: bytes) -> None:
        if now < 2:
            peer.send(frame)
            return
        os.kill(os.getpid(), signal.SIGINT)
        peer.fall_silent()

    try:
        _, heard = cheated(
            identities,
            honest(victim, joins=False),
            honest(OTHER[victim], joins=True),
            interrupt,
            KeyboardInterrupt,
        )
    finally:
        signal.signal(signal.SIGINT, previous)
    assert FrameType.REFUSE not in [wire.frame_type(frame) for frame in heard]


@pytest.mark.slow
@both_roles
@pytest.mark.parametrize("place", range(4))
def test_a_peer_that_is_killed_is_a_fault_of_the_network(
    identities: Mapping[str, Identity], tmp_path: Path, victim: Role, place: int
) -> None:
    requester, holder = identities["requester"], identities["holder"]
    certificate = tmp_path / "holder.der"
    certificate.write_bytes(holder.certificate_der)
    with Listener(
        "127.0.0.1", 0, identity=holder, peer_certificate=requester.certificate_der, clock=QUICK
    ) as listener:
        arguments = (
            str(requester.tls_key_path.parent),
            str(certificate),
            str(listener.address[1]),
            OTHER[victim].value,
            str(place),
        )
        with subprocess.Popen([sys.executable, "-m", "tests.peers", *arguments], cwd=ROOT) as process:
            session = honest(victim, joins=False)
            with pytest.raises(TransportError) as caught:
                drive(session, listener.accept(timeout_s=60), idle_timeout_s=60, clock=QUICK)
    assert process.returncode == -signal.SIGKILL
    assert exit_code(caught.value) == 6
    with pytest.raises(StateError):
        session.output()
