"""The vole suites in sessions: the output of both sides, the reference's frames, deadlines, peers that cheat."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import okvs, vole

from psi import wire
from psi.errors import LimitError, PeerError, TermsError, UsageError, VerificationError
from psi.session import DEADLINE_S, Role, Session
from psi.transport import drive
from psi.wire import FrameType, Suite
from tests.conftest import ROOT
from tests.session_kit import (
    RacingClock,
    check_receiver,
    check_threads,
    digests,
    exchange,
    in_thread,
    make_session,
    record,
    tls_channels,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from psi.identity import Identity

VOLE = (Suite.VOLE_MALICIOUS, Suite.VOLE_SEMI_HONEST)
both_suites = pytest.mark.parametrize("suite", VOLE, ids=lambda suite: suite.value)


def pair(
    suite: Suite,
    receiver_items: Sequence[int],
    sender_items: Sequence[int],
    *,
    report: bool,
    threads: int = 1,
) -> tuple[Session, Session]:
    receiver = make_session(
        Role.RECEIVER, receiver_items, suite=suite, initiator=True, report=report, threads=threads
    )
    sender = make_session(
        Role.SENDER, sender_items, suite=suite, initiator=False, report=report, threads=threads
    )
    return receiver, sender


@both_suites
@settings(max_examples=25, deadline=None)
@given(
    receiver_items=st.lists(st.integers(0, 400), max_size=300, unique=True),
    sender_items=st.lists(st.integers(0, 400), max_size=300, unique=True),
    report=st.booleans(),
)
def test_both_sides_learn_what_they_are_to_learn(
    suite: Suite, receiver_items: list[int], sender_items: list[int], report: bool
) -> None:
    receiver, sender = pair(suite, receiver_items, sender_items, report=report)
    exchange(receiver, sender)
    check_receiver(receiver, receiver_items, sender_items)
    if report:
        check_receiver(sender, sender_items, receiver_items)
    else:
        assert (sender.output().overlap, sender.output().matched) == (None, None)
    assert receiver.transcript == sender.transcript


@both_suites
# 16,384 items of the receiver are one bin; 65,536 of the sender have a prefix of two bytes and fill a frame.
@pytest.mark.parametrize(("n_receiver", "n_sender"), [(16_384, 65_535), (16_385, 70_000), (70_000, 256)])
def test_lists_of_several_bins_and_frames(suite: Suite, n_receiver: int, n_sender: int) -> None:
    receiver_items = range(n_receiver)
    sender_items = range(n_receiver - 200, n_receiver - 200 + n_sender)
    receiver, sender = pair(suite, receiver_items, sender_items, report=True, threads=2)
    exchange(receiver, sender)
    check_receiver(receiver, receiver_items, sender_items)
    check_receiver(sender, sender_items, receiver_items)


@both_suites
def test_the_frames_of_a_run_come_in_the_order_of_the_specification(suite: Suite) -> None:
    frames = record(*pair(suite, range(3), range(2, 7), report=True))
    malicious = suite is Suite.VOLE_MALICIOUS
    own = ["extend", *(["challenge", "bind"] if malicious else []), "okvs", "report"]
    other = ["choose", "punctured", *(["proof", "open"] if malicious else []), "vole-tags"]
    for of_receiver, expected in ((True, own), (False, other)):
        labels = [
            wire.frame_type(frame).label for from_receiver, frame in frames if from_receiver is of_receiver
        ]
        assert labels[2:-1] == expected


def test_no_suite_frame_repeats_in_another_run_of_the_same_items() -> None:
    runs = [record(*pair(Suite.VOLE_MALICIOUS, range(3), range(3), report=True)) for _ in range(2)]
    first, second = ({frame for _, frame in run if wire.frame_type(frame) >= 0x20} for run in runs)
    assert len(first) == 10
    assert not first & second


@pytest.mark.parametrize("suite", [Suite.ECDH, Suite.ECDH_CARDINALITY])
def test_only_the_vole_suites_report(suite: Suite) -> None:
    with pytest.raises(UsageError, match="cannot report"):
        make_session(Role.RECEIVER, range(2), suite=suite, initiator=True, report=True)


def test_equal_items_are_refused_on_either_side_as_the_callers_fault() -> None:
    for receiver_items, sender_items in (([1, 2, 1], [2]), ([2], [1, 2, 1])):
        with pytest.raises(UsageError, match="items 0 and 2 are equal"):
            exchange(*pair(Suite.VOLE_MALICIOUS, receiver_items, sender_items, report=False))


def test_a_receiver_without_a_report_is_refused_when_both_are_to_learn() -> None:
    receiver = make_session(Role.RECEIVER, range(3), suite=Suite.VOLE_MALICIOUS, initiator=True, report=False)
    sender = make_session(Role.SENDER, range(3), suite=Suite.VOLE_MALICIOUS, initiator=False, report=True)
    with pytest.raises(PeerError):
        exchange(receiver, sender)


# --- cheating peers: each fault is found by one side, which says nothing but `refuse protocol` ------------------------


def flipped(kind: FrameType, place: int) -> Callable[[Session, bytes], list[bytes]]:
    """Change one bit of the first frame of a type."""
    seen = itertools.count()

    def deliver(_sender: Session, frame: bytes) -> list[bytes]:
        if wire.frame_type(frame) is kind and next(seen) == 0:
            changed = bytearray(frame)
            changed[place] ^= 1
            return [bytes(changed)]
        return [frame]

    return deliver


FAULTS = {
    "commitment to the mask": (FrameType.CHOOSE, 5, Role.RECEIVER),
    "leaf check of the extension": (FrameType.EXTEND, 5 + 64 + 3584 + 1, Role.SENDER),
    "subspace check of the extension": (FrameType.EXTEND, -1, Role.SENDER),
    "trees": (FrameType.PUNCTURED, 200, Role.RECEIVER),
    "challenge": (FrameType.CHALLENGE, -1, Role.RECEIVER),
    "proof": (FrameType.PROOF, 5, Role.RECEIVER),
    "commitment to the items": (FrameType.BIND, 5, Role.SENDER),
    "row seed": (FrameType.OKVS, 5, Role.SENDER),
    "encoded items": (FrameType.OKVS, -1, Role.SENDER),
    "opened mask": (FrameType.OPEN, 5, Role.RECEIVER),
    "report": (FrameType.REPORT, -1, Role.SENDER),
}


@pytest.mark.parametrize(("kind", "place", "finder"), FAULTS.values(), ids=FAULTS)
def test_every_check_finds_its_cheater_and_tells_it_nothing(
    kind: FrameType, place: int, finder: Role
) -> None:
    receiver, sender = pair(Suite.VOLE_MALICIOUS, range(40), range(20, 80), report=True)
    with pytest.raises(PeerError) as caught:
        exchange(receiver, sender, flipped(kind, place))
    found = receiver if finder is Role.RECEIVER else sender
    refusal = found.refuse_frame(caught.value)
    assert refusal is not None
    assert wire.decode(refusal) == wire.Refuse(wire.Refusal.PROTOCOL)
    for session in (receiver, sender):
        assert not session.finished


@pytest.mark.slow
def test_no_flipped_bit_passes_in_the_malicious_suite() -> None:
    """Some bits of every frame: whatever changes, one side finds it, or in the end both see that they differ."""
    draw = random.Random(1)
    frames = record(*pair(Suite.VOLE_MALICIOUS, range(9), range(5, 12), report=True))
    for place, (_, frame) in enumerate(frames):
        bits = {draw.randrange(40, 8 * len(frame)) for _ in range(10)} | {8 * len(frame) - 1}
        for bit in bits:
            places = itertools.count()

            def deliver(
                _session: Session,
                sent: bytes,
                bit: int = bit,
                place: int = place,
                places: Iterator[int] = places,
            ) -> list[bytes]:
                if next(places) != place:
                    return [sent]
                changed = bytearray(sent)
                changed[bit // 8] ^= 1 << bit % 8
                return [bytes(changed)]

            receiver, sender = pair(Suite.VOLE_MALICIOUS, range(9), range(5, 12), report=True)
            with pytest.raises((PeerError, TermsError, LimitError)):
                exchange(receiver, sender, deliver)
            assert not (receiver.finished and sender.finished)


@both_suites
def test_frames_of_another_run_are_refused(suite: Suite) -> None:
    """Every frame of the sender, replayed from a run of the same items into another one, is found out."""
    earlier = [
        frame
        for of_receiver, frame in record(*pair(suite, range(9), range(5, 12), report=False))
        if not of_receiver
    ]
    kinds = {wire.frame_type(frame): frame for frame in earlier if wire.frame_type(frame) >= 0x20}
    for kind, old in kinds.items():
        receiver, sender = pair(suite, range(9), range(5, 12), report=False)

        def deliver(session: Session, frame: bytes, kind: FrameType = kind, old: bytes = old) -> list[bytes]:
            return [old if wire.frame_type(frame) is kind else frame]

        with pytest.raises(PeerError):
            exchange(receiver, sender, deliver)


# --- the deadline -----------------------------------------------------------------------------------------------------


def test_the_receiver_owes_its_commitment_between_proof_and_bind() -> None:
    receiver, sender = pair(Suite.VOLE_MALICIOUS, range(50), range(5), report=False)
    owed: dict[str, float | None] = {}

    def deliver(_session: Session, frame: bytes) -> list[bytes]:
        owed[wire.frame_type(frame).label] = sender.owed_within_s
        assert receiver.owed_within_s is None
        return [frame]

    exchange(receiver, sender, deliver)
    within_s = DEADLINE_S + 50 * 20e-6
    assert {label for label, value in owed.items() if value is not None} == {"proof", "bind"}
    assert owed["proof"] == pytest.approx(within_s)
    assert sender.owed_within_s is None


def test_a_late_commitment_ends_the_run_as_the_peers_fault(identities: Mapping[str, Identity]) -> None:
    clock = RacingClock()
    requester, holder = tls_channels(identities, clock=clock.clock)
    receiver, sender = pair(Suite.VOLE_MALICIOUS, range(50), range(5), report=False)

    class Late:
        """Hold the commitment back until the holder's clock has jumped."""

        def __getattr__(self, name: str) -> object:
            return getattr(requester, name)

        def send(self, frame: bytes, **options: object) -> None:
            if wire.frame_type(frame) is FrameType.BIND:
                clock.race()
            requester.send(frame, **options)

    joined = in_thread(lambda: drive(receiver, Late(), idle_timeout_s=1e9))
    with pytest.raises(VerificationError, match="did not commit"):
        drive(sender, holder, idle_timeout_s=1e9, clock=clock.clock)
    with pytest.raises(PeerError):
        joined.result(timeout=30)
    check_threads()


# --- the reference ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@both_suites
def test_core_and_reference_agree_on_random_small_lists(suite: Suite) -> None:
    from psi import _core

    own, other = digests(range(40)), digests(range(30, 100))
    sid, seeds = b"s" * 32, (b"r" * 32, b"t" * 32)
    numbers = vole.sizes(suite.value, n_receiver=40, n_sender=70)
    malicious = suite is Suite.VOLE_MALICIOUS
    core_receiver = _core.VoleReceiver(
        own, malicious=malicious, report=True, n_sender=70, tree_depth=8, sid=sid, seed=seeds[0], threads=2
    )
    reference_sender = vole.Sender(
        [row.tobytes() for row in other], numbers, sid=sid, seed=seeds[1], report=True
    )
    to_receiver = [wire.pack(bytes([kind]) + body) for kind, body in reference_sender.start()]
    while not core_receiver.finished:
        while to_receiver and core_receiver.needs_peer:
            core_receiver.receive(to_receiver.pop(0))
        frame = core_receiver.next_frame()
        if frame is not None:
            answers = reference_sender.receive(vole.Kind(frame[4]), frame[5:])
            to_receiver += [wire.pack(bytes([kind]) + body) for kind, body in answers]
    assert core_receiver.matched().tolist() == list(range(30, 40))
    assert reference_sender.output == list(range(10))


@both_suites
def test_a_run_states_the_bounds_on_cheating_sets(suite: Suite) -> None:
    sessions = pair(suite, range(3), range(100), report=False)
    assert [session.set_bounds for session in sessions] == [None, None]
    exchange(*sessions)
    # 3 items have the columns of 64, and a cheating receiver's bound is that of vole.md, 13.
    bounds = {"receiver": 358, "sender": 100} if suite is Suite.VOLE_MALICIOUS else None
    assert [session.set_bounds for session in sessions] == [bounds, bounds]


@pytest.mark.repo
def test_the_table_of_bounds_is_what_reference_and_core_compute() -> None:
    from psi import _core

    text = (ROOT / "protocol_spec" / "vole.md").read_text()
    lines = re.findall(
        r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d,]+) \|$", text, re.MULTILINE
    )
    assert len(lines) == 11
    for line in lines:
        count, columns, low, middle, share, high = (number.replace(",", "") for number in line)
        assert int(columns) == okvs.parameters(int(count)).columns
        bounds = [vole.n_max(int(columns), log2_q) for log2_q in (50, 64, 80)]
        assert [int(low), int(middle), int(high)] == bounds
        assert share == f"{bounds[1] / int(count):.2f}"
        plan = _core.vole_plan(malicious=True, n_receiver=int(count), n_sender=5, tree_depth=8)
        assert (plan["columns"], plan["n_max"]) == (int(columns), bounds[1])
