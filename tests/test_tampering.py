"""
What happens to frames on the way, in memory: every flipped bit and every prefix of every frame, and whole frames
repeated, dropped, swapped, moved, taken from another run or made up.

Each run ends in an error of ours, or with both outputs right; there is never a wrong or a shorter result.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psi import wire
from psi.errors import DecodeError, PeerError, PolicyError, PsiError, StateError, TermsError
from psi.session import Session
from psi.wire import FrameType, Suite
from tests.session_kit import StalledError, check_receiver, exchange, make_pair, record

RECEIVER_ITEMS, SENDER_ITEMS = [7], [7]
SETTINGS = [
    pytest.param(Suite.ECDH, True, id="ecdh-receiver_joins"),
    pytest.param(Suite.ECDH_CARDINALITY, False, id="ecdh-cardinality-sender_joins"),
]
# Its frames are too long to change every bit of: the tests of the vole suites change some.
AND_VOLE = [*SETTINGS, pytest.param(Suite.VOLE_MALICIOUS, True, id="vole-malicious-receiver_joins")]


def ends_well(
    deliver: Callable[[Session, Session, bytes], Sequence[bytes]],
    *,
    suite: Suite,
    receiver_joins: bool,
    receiver_items: Sequence[int] = RECEIVER_ITEMS,
    sender_items: Sequence[int] = SENDER_ITEMS,
    run: int | None = 1,
) -> PsiError | None:
    """Run two sessions with somebody in between; check that no output is wrong, and return how it ended."""
    receiver, sender = make_pair(
        receiver_items, sender_items, suite=suite, receiver_joins=receiver_joins, run=run
    )
    ended: PsiError | None = None
    try:
        exchange(receiver, sender, lambda party, frame: deliver(receiver, party, frame))
    except (PeerError, PolicyError, TermsError, StalledError) as error:
        ended = error
    for party in (receiver, sender):
        if not party.finished:
            with pytest.raises(StateError):
                party.output()
    if receiver.finished:
        check_receiver(receiver, receiver_items, sender_items)
    return ended


@cache
def recorded(suite: Suite, receiver_joins: bool) -> list[tuple[bool, bytes]]:
    return record(*make_pair(RECEIVER_ITEMS, SENDER_ITEMS, suite=suite, receiver_joins=receiver_joins, run=1))


def changed(place: int, change: Callable[[bytes], Sequence[bytes]]) -> Callable[..., Sequence[bytes]]:
    """Return a delivery that changes the frame at one place of a run."""
    places = itertools.count()

    def deliver(_receiver: Session, _party: Session, frame: bytes) -> Sequence[bytes]:
        return change(frame) if next(places) == place else [frame]

    return deliver


def replaced(new: bytes, _frame: bytes) -> list[bytes]:
    return [new]


def flipped(frame: bytes, place: int, bit: int) -> bytes:
    mutated = bytearray(frame)
    mutated[place] ^= 1 << bit
    return bytes(mutated)


def ends_in_a_refusal(suite: Suite, receiver_joins: bool, bits: Callable[[int], Iterable[int]]) -> None:
    """Flip some bits of each byte of every frame, one at a time."""
    for number, (_, frame) in enumerate(recorded(suite, receiver_joins)):
        for place in range(len(frame)):
            for bit in bits(place):
                ended = ends_well(
                    changed(number, partial(replaced, flipped(frame, place, bit))),
                    suite=suite,
                    receiver_joins=receiver_joins,
                )
                assert ended is not None, f"frame {number}"
                assert not isinstance(ended, StalledError), f"frame {number}"


@pytest.mark.slow
@pytest.mark.parametrize(("suite", "receiver_joins"), SETTINGS)
def test_a_flipped_bit_in_any_byte_of_any_frame_ends_in_a_refusal(suite: Suite, receiver_joins: bool) -> None:
    ends_in_a_refusal(suite, receiver_joins, lambda place: [3 * place % 8])


@pytest.mark.scale
@pytest.mark.slow
@pytest.mark.parametrize(("suite", "receiver_joins"), SETTINGS)
def test_every_flipped_bit_of_every_frame_ends_in_a_refusal(suite: Suite, receiver_joins: bool) -> None:
    ends_in_a_refusal(suite, receiver_joins, lambda _: range(8))


@pytest.mark.slow
@pytest.mark.parametrize(("suite", "receiver_joins"), SETTINGS)
def test_every_prefix_of_every_frame_ends_in_a_refusal(suite: Suite, receiver_joins: bool) -> None:
    for place, (_, frame) in enumerate(recorded(suite, receiver_joins)):
        for length in range(len(frame)):
            ended = ends_well(
                changed(place, partial(replaced, frame[:length])),
                suite=suite,
                receiver_joins=receiver_joins,
            )
            assert isinstance(ended, DecodeError)


@pytest.mark.parametrize(("suite", "receiver_joins"), AND_VOLE)
def test_no_frame_can_be_dropped_repeated_or_lengthened(suite: Suite, receiver_joins: bool) -> None:
    changes: list[Callable[[bytes], list[bytes]]] = [
        lambda frame: [],
        lambda frame: [frame, frame],
        lambda frame: [frame + b"\0"],
        lambda frame: [wire.pack(frame[4:] + b"\0")],
        lambda frame: [wire.pack(frame[4:] + bytes(32))],
    ]
    for place in range(len(recorded(suite, receiver_joins))):
        for change in changes:
            assert ends_well(changed(place, change), suite=suite, receiver_joins=receiver_joins) is not None


@pytest.mark.parametrize(("suite", "receiver_joins"), SETTINGS)
def test_no_two_frames_of_a_party_can_be_swapped(suite: Suite, receiver_joins: bool) -> None:
    for by_receiver, place in itertools.product((True, False), range(5)):
        held: list[bytes] = []
        places = itertools.count()

        def swap(
            receiver: Session,
            party: Session,
            frame: bytes,
            *,
            who: bool = by_receiver,
            place: int = place,
            held: list[bytes] = held,
            places: Iterator[int] = places,
        ) -> Sequence[bytes]:
            if (party is receiver) is not who:
                return [frame]
            now = next(places)
            if now == place:
                held.append(frame)
                return []
            return [frame, held.pop()] if now == place + 1 else [frame]

        ended = ends_well(swap, suite=suite, receiver_joins=receiver_joins)
        n_frames = 4 if by_receiver else 5
        assert ended is not None or place >= n_frames


@pytest.mark.parametrize(("suite", "receiver_joins"), AND_VOLE)
@pytest.mark.parametrize("kind", FrameType, ids=lambda kind: kind.label)
def test_no_frame_but_alive_can_be_put_in(suite: Suite, receiver_joins: bool, kind: FrameType) -> None:
    frames = recorded(suite, receiver_joins)
    # Those of other suites are included.
    extra = {each: wire.pack(bytes([each]) + bytes(32)) for each in FrameType}
    extra |= {wire.frame_type(frame): frame for _, frame in frames}
    extra[FrameType.ALIVE] = wire.encode(wire.Alive(wire.Phase.MATCH, 99))
    extra[FrameType.REFUSE] = wire.encode(wire.Refuse(wire.Refusal.LIMIT))
    for place in range(len(frames)):
        for change in (lambda frame: [extra[kind], frame], lambda frame: [frame, extra[kind]]):
            ended = ends_well(changed(place, change), suite=suite, receiver_joins=receiver_joins)
            assert ended is not None or kind is FrameType.ALIVE


@pytest.mark.parametrize(("suite", "receiver_joins"), AND_VOLE)
def test_no_frame_of_another_run_can_take_the_place_of_one(suite: Suite, receiver_joins: bool) -> None:
    """The other run is of the same two parties, the same terms and the same items."""
    other = record(*make_pair(RECEIVER_ITEMS, SENDER_ITEMS, suite=suite, receiver_joins=receiver_joins))
    for place, (by_receiver, frame) in enumerate(recorded(suite, receiver_joins)):
        assert by_receiver is other[place][0]
        ended = ends_well(
            changed(place, partial(replaced, other[place][1])),
            suite=suite,
            receiver_joins=receiver_joins,
        )
        if wire.frame_type(frame) is FrameType.SIZES:
            assert frame == other[place][1]
            assert ended is None
        else:
            assert ended is not None


@pytest.mark.parametrize(("suite", "receiver_joins"), AND_VOLE)
@pytest.mark.parametrize("replayed", ["receiver", "sender"])
def test_a_whole_recorded_party_cannot_be_replayed(suite: Suite, receiver_joins: bool, replayed: str) -> None:
    frames = [
        frame
        for by_receiver, frame in recorded(suite, receiver_joins)
        if by_receiver is (replayed == "receiver")
    ]
    receiver, sender = make_pair(RECEIVER_ITEMS, SENDER_ITEMS, suite=suite, receiver_joins=receiver_joins)
    victim = sender if replayed == "receiver" else receiver
    # The sessions over the group notice at the end, those with checks at the first check.
    found = "the check of " if suite is Suite.VOLE_MALICIOUS else "finish: "
    with pytest.raises(PeerError, match=found):
        for frame in frames:
            while victim.next_frame() is not None or not victim.needs_peer:
                pass
            victim.receive(frame)
        while not victim.finished:
            victim.next_frame()
    with pytest.raises(StateError):
        victim.output()


@pytest.mark.parametrize(("suite", "receiver_joins"), SETTINGS)
def test_a_party_cannot_be_answered_with_its_own_frames(suite: Suite, receiver_joins: bool) -> None:
    for party in make_pair(RECEIVER_ITEMS, SENDER_ITEMS, suite=suite, receiver_joins=receiver_joins):
        if not party.initiator:
            continue
        with pytest.raises(StateError):
            party.receive(party.next_frame() or b"")


@settings(max_examples=80)
@given(
    receiver_items=st.lists(st.integers(0, 9), max_size=6, unique=True),
    sender_items=st.lists(st.integers(0, 9), max_size=6, unique=True),
    suite=st.sampled_from(Suite),
    receiver_joins=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_whatever_is_done_to_frames_no_result_is_wrong(
    receiver_items: list[int], sender_items: list[int], suite: Suite, receiver_joins: bool, seed: int
) -> None:
    choice = random.Random(seed)
    seen: list[bytes] = []

    def deliver(_receiver: Session, _party: Session, frame: bytes) -> Sequence[bytes]:
        seen.append(frame)
        match choice.randrange(16):
            case 0:
                return []
            case 1:
                return [frame, choice.choice(seen)]
            case 2:
                return [choice.choice(seen)]
            case 3:
                at = choice.randrange(len(frame))
                return [frame[:at] + choice.randbytes(1) + frame[at + 1 :]]
            case 4:
                return [wire.pack(frame[4:5] + choice.randbytes(len(frame) - 5))]
            case _:
                return [frame]

    ends_well(
        deliver,
        suite=suite,
        receiver_joins=receiver_joins,
        receiver_items=receiver_items,
        sender_items=sender_items,
        run=None,
    )
