"""Sessions in memory: right results, the table of states, and what is said when two sides differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi import wire
from psi.errors import (
    DecodeError,
    LimitError,
    MachineError,
    PeerError,
    PsiError,
    StateError,
    TermsError,
    TransportError,
    UsageError,
    VerificationError,
)
from psi.session import Progress, Role, Session, backend
from psi.session.states import State, table
from psi.session.suites import SUITES
from psi.wire import (
    MAX_ITEMS,
    Alive,
    Finish,
    FrameType,
    Hello,
    HelloAck,
    Phase,
    Refusal,
    Refuse,
    Sizes,
    Suite,
)
from tests.session_kit import (
    LIMIT,
    StalledError,
    check_receiver,
    digests,
    exchange,
    make_pair,
    make_session,
    record,
)

both_suites = pytest.mark.parametrize("suite", Suite, ids=lambda suite: suite.value)
both_joiners = pytest.mark.parametrize(
    "receiver_joins", [True, False], ids=["receiver_joins", "sender_joins"]
)


def agreed(receiver: Session, sender: Session) -> None:
    """Let two sessions talk until the acceptor, which is the sender, has answered the hello."""
    hello = receiver.next_frame()
    assert hello is not None
    sender.receive(hello)
    ack = sender.next_frame()
    assert ack is not None
    receiver.receive(ack)


@settings(max_examples=60)
@given(
    receiver_items=st.lists(st.integers(0, 12), max_size=10, unique=True),
    sender_items=st.lists(st.integers(0, 12), max_size=10, unique=True),
    suite=st.sampled_from(Suite),
    receiver_joins=st.booleans(),
)
def test_the_receiver_learns_the_plaintext_overlap(
    receiver_items: list[int], sender_items: list[int], suite: Suite, receiver_joins: bool
) -> None:
    receiver, sender = make_pair(receiver_items, sender_items, suite=suite, receiver_joins=receiver_joins)
    exchange(receiver, sender)
    check_receiver(receiver, receiver_items, sender_items)
    assert sender.output().overlap is None
    assert sender.output().matched is None
    assert receiver.transcript == sender.transcript
    assert len(receiver.transcript) == 32
    assert (receiver.n_peer, sender.n_peer) == (len(sender_items), len(receiver_items))
    assert receiver.bytes_sent == sender.bytes_received
    assert sender.bytes_sent == receiver.bytes_received
    assert not receiver.needs_peer
    assert receiver.next_frame() is None


@both_suites
@both_joiners
@pytest.mark.parametrize("n_receiver", [0, 1, 2])
@pytest.mark.parametrize("n_sender", [0, 1, 2])
def test_the_smallest_sets(suite: Suite, receiver_joins: bool, n_receiver: int, n_sender: int) -> None:
    for shift in (0, 1, 2):  # from all in common to nothing
        receiver_items, sender_items = range(n_receiver), range(shift, shift + n_sender)
        receiver, sender = make_pair(receiver_items, sender_items, suite=suite, receiver_joins=receiver_joins)
        exchange(receiver, sender)
        check_receiver(receiver, receiver_items, sender_items)


@both_suites
def test_a_result_does_not_depend_on_the_number_of_threads(suite: Suite) -> None:
    frames = []
    for threads in (1, 3):
        receiver, sender = (
            make_session(role, range(9), suite=suite, initiator=role is Role.SENDER, run=1, threads=threads)
            for role in Role
        )
        frames.append(record(receiver, sender))
    assert frames[0] == frames[1]


@both_joiners
def test_the_order_of_frames_is_that_of_the_specification(receiver_joins: bool) -> None:
    receiver, sender = make_pair(range(3), range(2, 7), receiver_joins=receiver_joins)
    frames = record(receiver, sender)
    for receivers in (True, False):
        opening = ["hello" if receivers is receiver_joins else "hello-ack", "sizes"]
        suite_frames = ["blinded"] if receivers else ["evaluated", "tags"]
        sent = [wire.frame_type(frame).label for by_receiver, frame in frames if by_receiver is receivers]
        assert sent == [*opening, *suite_frames, "finish"]


def test_a_party_with_nothing_sends_no_chunks() -> None:
    frames = [wire.frame_type(frame).label for _, frame in record(*make_pair([], []))]
    assert sorted(frames) == ["finish", "finish", "hello", "hello-ack", "sizes", "sizes"]


def test_two_sessions_of_one_seed_share_no_suite_frame_when_a_nonce_differs() -> None:
    first = record(*make_pair(range(3), range(3), run=1))
    receiver = make_session(Role.RECEIVER, range(3), initiator=True, run=1, nonce=b"n" * 32)
    second = record(receiver, make_session(Role.SENDER, range(3), initiator=False, run=1))
    chunks = [
        {frame for _, frame in frames if not wire.frame_type(frame).is_control} for frames in (first, second)
    ]
    assert len(chunks[0]) == len(chunks[1]) == 3
    assert not chunks[0] & chunks[1]


# --- the two sides differ ---


DIFFERENCES = [
    pytest.param({"suite": Suite.ECDH_CARDINALITY}, Refusal.SUITE, TermsError, "suites differ: ", id="suite"),
    pytest.param(
        {"terms_digest": b"u" * 32}, Refusal.TERMS, TermsError, "terms of the two sides differ", id="terms"
    ),
    pytest.param({"certificate": b"c" * 32}, Refusal.CERTIFICATE, PeerError, "certificate", id="certificate"),
    pytest.param(
        {"peer_certificate": b"c" * 32}, Refusal.CERTIFICATE, PeerError, "certificate", id="peer_certificate"
    ),
]


@pytest.mark.parametrize(("changes", "code", "error", "text"), DIFFERENCES)
@pytest.mark.parametrize("joiner_is_wrong", [True, False], ids=["joiner_is_wrong", "holder_is_wrong"])
def test_both_sides_name_what_differs(
    changes: dict[str, Any], code: Refusal, error: type[PsiError], text: str, joiner_is_wrong: bool
) -> None:
    joiner = make_session(Role.RECEIVER, [1], initiator=True, **(changes if joiner_is_wrong else {}))
    holder = make_session(Role.SENDER, [1], initiator=False, **({} if joiner_is_wrong else changes))
    hello = joiner.next_frame()
    assert hello is not None
    holder.receive(hello)
    ack = holder.next_frame()
    assert ack is not None
    for party, step in ((holder, holder.next_frame), (joiner, lambda: joiner.receive(ack))):
        with pytest.raises(error, match=text) as caught:
            step()
        assert caught.value.hint
        refusal = party.refuse_frame(caught.value)
        assert refusal is not None
        assert wire.decode(refusal) == Refuse(code)
        with pytest.raises(StateError):
            party.output()


def test_a_holder_names_the_difference_even_if_the_refusal_comes_first() -> None:
    joiner = make_session(Role.RECEIVER, [1], initiator=True, terms_digest=b"u" * 32)
    holder = make_session(Role.SENDER, [1], initiator=False)
    hello = joiner.next_frame()
    assert hello is not None
    holder.receive(hello)
    assert holder.next_frame() is not None
    with pytest.raises(TermsError, match="terms of the two sides differ"):
        holder.receive(wire.encode(Refuse(Refusal.TERMS)))


@pytest.mark.parametrize("acknowledges", [False, True])
def test_another_protocol_version_is_named(acknowledges: bool) -> None:
    party = make_session(Role.SENDER, [1], initiator=acknowledges)
    fields = ("psi/2", "ecdh", b"t" * 32, b"receiver".ljust(32), b"sender".ljust(32), b"n" * 32)
    with pytest.raises(TermsError, match="does not speak psi/1") as caught:
        if acknowledges:
            assert party.next_frame() is not None
            party.receive(wire.encode(HelloAck(*fields)))
        else:
            party.receive(wire.encode(Hello(*fields)))
            assert party.next_frame() is not None  # the answer all the same
            party.next_frame()
    assert wire.decode(party.refuse_frame(caught.value) or b"") == Refuse(Refusal.VERSION)


def test_an_unknown_suite_of_the_peer_is_not_quoted() -> None:
    party = make_session(Role.SENDER, [1], initiator=False)
    fields = ("psi/1", "John Doe", b"t" * 32, b"receiver".ljust(32), b"sender".ljust(32), b"n" * 32)
    party.receive(wire.encode(Hello(*fields)))
    party.next_frame()
    with pytest.raises(
        TermsError, match="suites differ: ecdh here, one that this release does not know there"
    ):
        party.next_frame()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Refusal.VERSION, TermsError),
        (Refusal.SUITE, TermsError),
        (Refusal.TERMS, TermsError),
        (Refusal.CERTIFICATE, PeerError),
        (Refusal.LIMIT, LimitError),
        (Refusal.PROTOCOL, PeerError),
    ],
)
@pytest.mark.parametrize("when", ["before_the_hello", "in_the_suite"])
def test_a_refusal_of_the_peer_becomes_an_error_with_a_hint(
    code: Refusal, error: type[PsiError], when: str
) -> None:
    receiver, sender = make_pair([1], [1])
    if when == "in_the_suite":
        agreed(receiver, sender)
    with pytest.raises(error, match="the peer refused") as caught:
        sender.receive(wire.encode(Refuse(code)))
    assert type(caught.value) is error
    assert caught.value.hint
    assert sender.refuse_frame(caught.value) is None  # a refusal is not refused
    with pytest.raises(error, match="the peer refused"):  # whoever asks next is told the same
        sender.next_frame()


def test_own_items_above_the_limit_of_the_terms_are_refused_at_once() -> None:
    with pytest.raises(LimitError, match="this side has 3 items, and at most 2 are allowed"):
        make_session(Role.RECEIVER, range(3), initiator=True, max_items=2)


@both_joiners
def test_a_peer_with_more_items_than_its_limit_is_refused(receiver_joins: bool) -> None:
    receiver = make_session(Role.RECEIVER, range(3), initiator=receiver_joins)
    sender = make_session(Role.SENDER, range(3), initiator=not receiver_joins, peer_max_items=2)
    with pytest.raises(LimitError, match="the peer has 3 items, and at most 2 are allowed") as caught:
        exchange(receiver, sender)
    refusal = sender.refuse_frame(caught.value)
    assert wire.decode(refusal or b"") == Refuse(Refusal.LIMIT)
    with pytest.raises(LimitError, match="this side has more items than the peer's terms allow"):
        receiver.receive(refusal or b"")


@pytest.mark.parametrize("items", [MAX_ITEMS + 1, 2**64 - 1])
def test_no_session_takes_more_items_than_any_suite_is_specified_for(items: int) -> None:
    receiver, sender = make_pair([1], [1])
    agreed(receiver, sender)
    with pytest.raises(LimitError, match=f"{items} items, and at most {LIMIT}"):
        sender.receive(wire.encode(Sizes(items)))
    unlimited = make_session(Role.SENDER, [1], initiator=False, peer_max_items=2**40)
    other = make_session(Role.RECEIVER, [1], initiator=True)
    agreed(other, unlimited)
    with pytest.raises(LimitError, match=f"{items} items, and at most {MAX_ITEMS}"):
        unlimited.receive(wire.encode(Sizes(items)))


# --- the table of states ---


def reached(state: State) -> Session:
    """Return the session of a sender, which is the acceptor, in a state."""
    receiver, sender = make_pair([1], [1, 2])
    if state is State.ENDED:
        sender.refuse_frame(KeyboardInterrupt())
    while sender._state is not state:
        frame = receiver.next_frame()
        keeps = (
            state is State.FINISH_SENT and frame is not None and wire.frame_type(frame) is FrameType.FINISH
        )
        if frame is not None and not keeps:
            sender.receive(frame)
        elif keeps or receiver.needs_peer:
            answer = sender.next_frame()
            if answer is not None:
                receiver.receive(answer)
    assert sender._state is state
    return sender


def some_frame(kind: FrameType) -> bytes:
    """Return a frame of a type that decodes."""
    digest = b"d" * 32
    messages: dict[FrameType, wire.Message] = {
        FrameType.HELLO: Hello("psi/1", "ecdh", digest, digest, digest, digest),
        FrameType.HELLO_ACK: HelloAck("psi/1", "ecdh", digest, digest, digest, digest),
        FrameType.SIZES: Sizes(1),
        FrameType.REFUSE: Refuse(Refusal.PROTOCOL),
        FrameType.ALIVE: Alive(Phase.BLIND, 50),
        FrameType.FINISH: Finish(digest),
    }
    return wire.encode(messages[kind]) if kind in messages else wire.pack(bytes([kind]) + digest)


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("kind", FrameType, ids=lambda kind: kind.label)
def test_a_frame_without_a_place_in_the_state_is_the_peers_fault(state: State, kind: FrameType) -> None:
    roles = SUITES[Suite.ECDH]
    places = table(initiator=False, sends=roles.from_sender, receives=roles.from_receiver).receives
    if (state, kind) in places:
        return  # the other tests go there
    session = reached(state)
    with pytest.raises(StateError) as caught:
        session.receive(some_frame(kind))
    if state is State.FINISHED:
        assert session.finished  # what was compared stays true
        assert session.refuse_frame(caught.value) is None
    else:
        assert not session.finished
        with pytest.raises(StateError):
            session.output()


def test_every_state_of_the_table_is_reached_and_left() -> None:
    for initiator in (True, False):
        places = table(initiator=initiator, sends=[FrameType.BLINDED], receives=[FrameType.TAGS])
        steps = {**places.sends, **places.receives}
        assert set(steps.values()) == set(State) - {State.START}
        assert {before for before, _ in steps} == set(State) - {State.FINISHED, State.ENDED}
        for state in set(State) - {State.FINISHED, State.ENDED}:
            assert places.sends[state, FrameType.REFUSE] is State.ENDED
            assert places.receives[state, FrameType.REFUSE] is State.ENDED


def specified() -> dict[str, set[tuple[str, str, str, str]]]:
    """Return the table of psi.md: for initiator, acceptor and both, (sends or receives, state, frame, state after)."""
    text = (Path(__file__).parent.parent / "protocol_spec" / "psi.md").read_text(encoding="utf-8")
    rows = text.split("### States")[1].split("|---|---|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    found: dict[str, set[tuple[str, str, str, str]]] = {}
    party = state = ""
    for row in rows:
        first, sends, then, receives, and_then = (cell.strip() for cell in row.strip("|").split("|"))
        *heading, named = first.rsplit("* ", 1)
        party = heading[0].strip("*: ") if heading else party
        state = named or state
        for way, frame, after in (("sends", sends, then), ("receives", receives, and_then)):
            if frame:
                found.setdefault(party, set()).add((way, state, frame.split(",")[0], after))
    return found


@pytest.mark.parametrize("initiator", [True, False])
def test_the_table_is_that_of_the_specification(initiator: bool) -> None:
    places = table(initiator=initiator, sends=[FrameType.BLINDED], receives=[FrameType.TAGS])
    names = {FrameType.BLINDED: "frames of its role", FrameType.TAGS: "frames of the peer's role"}
    written = {
        (way, before.value, names.get(kind, kind.label), after.value)
        for way, steps in (("sends", places.sends), ("receives", places.receives))
        for (before, kind), after in steps.items()
        if kind not in (FrameType.ALIVE, FrameType.REFUSE)
    }
    assert written == specified()["initiator" if initiator else "acceptor"] | specified()["both"]


def test_a_party_that_finishes_before_it_has_sent_everything_is_refused() -> None:
    receiver, sender = make_pair([1], [1])
    agreed(receiver, sender)
    sizes = receiver.next_frame()
    sender.receive(sizes or b"")
    receiver.receive(sender.next_frame() or b"")
    receiver.receive(wire.encode(Finish(b"f" * 32)))
    with pytest.raises(StateError, match="finish: it came before"):
        for _ in range(10):
            receiver.next_frame()


@pytest.mark.parametrize("forged", [False, True])
def test_a_finish_that_waits_for_the_own_role_is_compared_before_there_is_an_output(forged: bool) -> None:
    receiver, sender = make_pair([1, 2], [2, 3])
    held: list[bytes] = []

    def all_at_once(party: Session, frame: bytes) -> list[bytes]:
        """Let the sender's finish arrive before the receiver has worked on anything."""
        if party is receiver or wire.frame_type(frame) in (FrameType.HELLO_ACK, FrameType.SIZES):
            return [frame]
        held.append(frame)
        if wire.frame_type(frame) is not FrameType.FINISH:
            return []
        return [*held[:-1], wire.encode(Finish(b"f" * 32))] if forged else held

    if forged:
        with pytest.raises(VerificationError, match="did not see the same frames"):
            exchange(receiver, sender, all_at_once)
        with pytest.raises(StateError):
            receiver.output()
    else:
        exchange(receiver, sender, all_at_once)
        check_receiver(receiver, [1, 2], [2, 3])
    assert len(held) == 3


# --- alive, progress, refusals of this side ---


def test_alive_has_a_place_between_hello_ack_and_finish() -> None:
    receiver, sender = make_pair([1], [1])
    assert receiver.alive_frame() is None
    assert sender.alive_frame() is None
    agreed(receiver, sender)
    for party, other in ((receiver, sender), (sender, receiver)):
        alive = party.alive_frame()
        assert alive == wire.encode(Alive(Phase.WAIT, 0))
        other.receive(alive)
    exchange(receiver, sender)
    assert receiver.alive_frame() is None
    assert receiver.transcript == sender.transcript


def test_progress_of_the_peer_is_what_it_last_said() -> None:
    receiver, sender = make_pair([1], [1])
    assert receiver.peer_progress == Progress(Phase.WAIT, 0)
    agreed(receiver, sender)
    receiver.receive(wire.encode(Alive(Phase.TAG, 40)))
    receiver.receive(wire.encode(Alive(Phase.TAG, 41)))
    assert receiver.peer_progress == Progress(Phase.TAG, 41)


def test_own_progress_ends_with_everything_done() -> None:
    receiver, sender = make_pair(range(5), range(5))
    seen: set[Phase] = set()

    def note(party: Session, frame: bytes) -> list[bytes]:
        seen.add(party.progress.phase)
        return [frame]

    exchange(receiver, sender, note)
    assert {Phase.WAIT, Phase.TAG, Phase.MATCH} <= seen
    assert (receiver.progress.percent, sender.progress.percent) == (100, 100)


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), TransportError("gone"), MachineError("full"), ValueError("a mistake")],
    ids=repr,
)
def test_the_peer_is_not_refused_for_what_is_not_its_fault(error: BaseException) -> None:
    receiver, sender = make_pair([1], [1])
    agreed(receiver, sender)
    assert sender.refuse_frame(error) is None
    again = (
        (type(error), str(error)) if isinstance(error, PsiError) else (StateError, "the session has ended")
    )
    with pytest.raises(again[0], match=again[1]):
        sender.next_frame()
    with pytest.raises(again[0], match=again[1]):
        sender.receive(b"")


def test_a_fault_of_the_peer_is_refused_once_and_without_a_reason() -> None:
    receiver, sender = make_pair([1], [1])
    agreed(receiver, sender)
    with pytest.raises(DecodeError) as caught:
        sender.receive(b"")
    assert wire.decode(sender.refuse_frame(caught.value) or b"") == Refuse(Refusal.PROTOCOL)
    assert sender.refuse_frame(caught.value) is None


def test_there_is_no_output_and_no_transcript_before_the_comparison() -> None:
    receiver, sender = make_pair([1], [1])
    sent: list[bytes] = []

    def deliver(party: Session, frame: bytes) -> list[bytes]:
        if wire.frame_type(frame) is FrameType.FINISH:
            sent.append(frame)
            return []
        return [frame]

    with pytest.raises(StalledError):
        exchange(receiver, sender, deliver)
    assert len(sent) == 2
    for party in (receiver, sender):
        assert not party.finished
        with pytest.raises(StateError):
            party.output()
        with pytest.raises(StateError):
            _ = party.transcript


# --- arguments ---


@pytest.mark.parametrize("name", ["terms_digest", "certificate", "peer_certificate", "seed", "nonce"])
@pytest.mark.parametrize("length", [0, 31, 33])
def test_arguments_of_a_wrong_length_are_the_callers_fault(name: str, length: int) -> None:
    changes: dict[str, Any] = {name: bytes(length)}
    with pytest.raises(UsageError, match=f"{name}: {length} bytes, not 32"):
        make_session(Role.RECEIVER, [1], initiator=True, **changes)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 31), np.uint8),
        np.zeros(64, np.uint8),
        np.zeros((2, 32), np.int8),
        np.zeros((2, 4), np.uint64),
    ],
    ids=str,
)
def test_digests_of_another_shape_are_the_callers_fault(array: Any) -> None:
    good = {"terms_digest": b"t" * 32, "certificate": b"c" * 32, "peer_certificate": b"p" * 32}
    with pytest.raises(UsageError, match="digests: not an array of bytes with 32 columns"):
        Session(
            Role.RECEIVER,
            array,
            suite=Suite.ECDH,
            initiator=True,
            **good,
            max_items=9,
            peer_max_items=9,
            seed=b"s" * 32,
            nonce=b"n" * 32,
            threads=1,
        )


def test_equal_items_are_the_callers_fault_and_nothing_is_sent_of_them() -> None:
    receiver = make_session(Role.RECEIVER, [1, 1], initiator=True)
    sender = make_session(Role.SENDER, [1], initiator=False)
    with pytest.raises(UsageError, match="items 0 and 1 are equal") as caught:
        exchange(receiver, sender)
    assert receiver.refuse_frame(caught.value) is None


def test_secrets_do_not_print() -> None:
    session = make_session(Role.RECEIVER, [1, 2], initiator=True, seed=b"S" * 32)
    assert "SSS" not in repr(session)
    receiver, sender = make_pair([1, 2], [1])
    exchange(receiver, sender)
    assert "matched" not in repr(receiver.output())


def test_a_session_forgets_seed_and_items_as_soon_as_the_role_has_them() -> None:
    receiver, sender = make_pair([1], [1])
    agreed(receiver, sender)
    assert receiver._seed
    sender.receive(receiver.next_frame() or b"")
    receiver.receive(sender.next_frame() or b"")
    for party in (receiver, sender):
        assert party._seed == b""
        assert party._digests is None


def test_backend_names_what_runs() -> None:
    kernels = backend()
    assert kernels
    assert all(name and implementation for name, implementation in kernels.items())


def test_digests_of_the_kit_are_distinct() -> None:
    assert len({row.tobytes() for row in digests(range(50))}) == 50
