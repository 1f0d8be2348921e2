"""psi and the reference give the same bytes, frame by frame, on inputs that nobody chose."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import blake3, ecdh, items, parameters, randomness
from reference import terms as reference_terms
from reference.errors import SessionError, StateError, VerificationError
from reference.session import Party, Setting, run

from psi import _core, errors, terms, wire
from psi.recipes import RECIPES
from psi.session import Role, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SUITES = st.sampled_from(parameters.ECDH_SUITES)


def digests_of(numbers: Sequence[int]) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in numbers]


def array_of(digests: Sequence[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def settings_of(
    suite: str,
    receiver_items: Sequence[int],
    sender_items: Sequence[int],
    seed: int,
    *,
    receiver_initiates: bool,
) -> tuple[Setting, Setting]:
    """Return what the initiator and what the acceptor bring; everything secret follows from one number."""

    def fixed(label: str) -> bytes:
        return hashlib.sha256(f"{label} {seed}".encode()).digest()

    def setting(*, receives: bool, initiates: bool) -> Setting:
        own, peer = ("first", "second") if initiates else ("second", "first")
        return Setting(
            is_receiver=receives,
            is_initiator=initiates,
            suite=suite,
            terms_digest=fixed("terms"),
            certificate=fixed(f"{own} certificate"),
            peer_certificate=fixed(f"{peer} certificate"),
            max_items=20,
            peer_max_items=20,
            seed=fixed(f"{own} seed"),
            nonce=fixed(f"{own} nonce"),
            digests=digests_of(receiver_items if receives else sender_items),
        )

    return (
        setting(receives=receiver_initiates, initiates=True),
        setting(receives=not receiver_initiates, initiates=False),
    )


def session_of(setting: Setting, *, threads: int = 1) -> Session:
    return Session(
        Role.RECEIVER if setting.is_receiver else Role.SENDER,
        array_of(setting.digests),
        suite=wire.Suite(setting.suite),
        initiator=setting.is_initiator,
        terms_digest=setting.terms_digest,
        certificate=setting.certificate,
        peer_certificate=setting.peer_certificate,
        max_items=setting.max_items,
        peer_max_items=setting.peer_max_items,
        seed=setting.seed,
        nonce=setting.nonce,
        threads=threads,
    )


def sends(session: Session) -> list[bytes]:
    """Let a session do what it can without its peer, and return what it sends."""
    frames = []
    while True:
        frame = session.next_frame()
        if frame is not None:
            frames.append(frame)
        elif session.needs_peer or session.finished:
            return frames


@given(
    SUITES,
    st.lists(st.integers(0, 9), unique=True, max_size=6),
    st.lists(st.integers(0, 9), unique=True, max_size=6),
    st.integers(0, 2**64),
    st.booleans(),
    st.sampled_from((1, 2, 3)),
)
@example("ecdh", [], [], 0, True, 1)
@example("ecdh-cardinality", [1], [], 1, False, 1)
@example("ecdh-cardinality", [1, 2], [2, 1], 2, True, 2)
def test_a_session_of_psi_sends_the_frames_of_the_reference(
    suite: str,
    receiver_items: list[int],
    sender_items: list[int],
    seed: int,
    receiver_initiates: bool,
    threads: int,
) -> None:
    settings = settings_of(suite, receiver_items, sender_items, seed, receiver_initiates=receiver_initiates)
    first, second = (session_of(setting, threads=threads) for setting in settings)
    from_first: list[bytes] = []
    from_second: list[bytes] = []
    while not (first.finished and second.finished):
        for party, other, sent in ((first, second, from_first), (second, first, from_second)):
            for frame in sends(party):
                sent.append(frame)
                other.receive(frame)

    initiator, acceptor = (Party(setting) for setting in settings)
    assert (from_first, from_second) == run(initiator, acceptor)
    assert first.transcript == second.transcript == initiator.transcript

    common = [position for position, item in enumerate(receiver_items) if item in sender_items]
    output = (first if receiver_initiates else second).output()
    assert output.overlap == len(common)
    assert (output.matched is None) == (suite == "ecdh-cardinality")
    assert output.matched is None or output.matched.tolist() == common


def outcome_of_reference(setting: Setting, script: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Return what the reference sends to a peer that follows a script, and the class of the error that ends it."""
    party = Party(setting)
    try:
        for frame in script:
            party.receive(frame)
    except SessionError as error:
        return party.sent, type(error).__name__
    return party.sent, str(party.output) if party.state == "finished" else "it waits for the peer"


def outcome_of_psi(setting: Setting, script: Sequence[bytes]) -> tuple[list[bytes], str]:
    """Return the same of psi."""
    session, sent = session_of(setting), list[bytes]()
    try:
        sent += sends(session)
        for frame in script:
            session.receive(frame)
            while (made := session.next_frame()) is not None or not (session.needs_peer or session.finished):
                sent += [] if made is None else [made]
    except errors.PsiError as error:
        refusal = session.refuse_frame(error)
        return sent + ([] if refusal is None else [refusal]), type(error).__name__
    if not session.finished:
        return sent, "it waits for the peer"
    output = session.output()
    matched = None if output.matched is None else output.matched.tolist()
    return sent, str(None if output.overlap is None else (output.overlap, matched))


@given(SUITES, st.booleans(), st.booleans(), st.integers(0, 2**32), st.data())
def test_psi_and_the_reference_judge_a_damaged_frame_alike(
    suite: str, receives: bool, initiates: bool, seed: int, data: st.DataObject
) -> None:
    settings = settings_of(suite, [1, 2, 3], [3, 4, 1, 5], seed, receiver_initiates=receives == initiates)
    parties = [Party(setting) for setting in settings]
    run(*parties)
    tested, honest = (settings[0], parties[1].sent) if initiates else (settings[1], parties[0].sent)
    at = data.draw(st.integers(0, len(honest) - 1))
    frame = bytearray(honest[at])
    kind = data.draw(st.sampled_from(("flip", "cut", "grow", "skip", "repeat")))
    script = list(honest)
    if kind == "flip":
        frame[data.draw(st.integers(0, len(frame) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        script[at] = bytes(frame)
    elif kind == "cut":
        script[at] = bytes(frame[: data.draw(st.integers(0, len(frame) - 1))])
    elif kind == "grow":
        script[at] = bytes(frame) + b"\0"
    elif kind == "skip":
        del script[at]
    else:
        script.insert(at, bytes(frame))
    expected_sent, expected = outcome_of_reference(tested, script)
    sent, result = outcome_of_psi(tested, script)
    assert result == expected
    assert sent == expected_sent
    if script != honest:  # never a wrong or shorter result
        assert expected.endswith("Error") or (kind == "skip" and expected == "it waits for the peer")


def test_the_reference_has_no_output_after_an_error() -> None:
    settings = settings_of("ecdh", [1, 2], [2, 3], 0, receiver_initiates=True)
    parties = [Party(setting) for setting in settings]
    run(*parties)
    receiver = Party(settings[0])
    *before, finish = parties[1].sent
    assert outcome_of_reference(settings[0], before) == (parties[0].sent, "it waits for the peer")
    for frame in before:
        receiver.receive(frame)
    with pytest.raises(VerificationError):
        receiver.receive(finish[:-1] + bytes([finish[-1] ^ 1]))
    with pytest.raises(StateError):
        receiver.output  # noqa: B018 - reading it raises


def test_both_refuse_own_items_above_the_limit() -> None:
    setting, _ = settings_of("ecdh", [1, 2, 3], [], 0, receiver_initiates=True)
    few = replace(setting, max_items=2)
    with pytest.raises(SessionError):
        Party(few)
    with pytest.raises(errors.LimitError):
        session_of(few)


@pytest.mark.slow
@pytest.mark.parametrize("suite", parameters.ECDH_SUITES)
def test_long_lists_are_cut_where_the_reference_cuts_them(suite: str) -> None:
    # One more than a full frame of elements and one more than a full frame of tags.
    n_receiver, n_sender = parameters.ELEMENTS_PER_FRAME + 1, parameters.TAGS_PER_FRAME + 1
    digests = digests_of(range(n_sender))
    sid, seeds = bytes(range(32)), (b"r" * 32, b"s" * 32)
    cardinality = suite == "ecdh-cardinality"
    receiver = _core.EcdhReceiver(
        array_of(digests[:n_receiver]),
        cardinality=cardinality,
        n_sender=n_sender,
        sid=sid,
        seed=seeds[0],
        threads=2,
    )
    sender = _core.EcdhSender(
        array_of(digests), cardinality=cardinality, n_receiver=n_receiver, sid=sid, seed=seeds[1], threads=2
    )
    from_receiver: list[bytes] = []
    from_sender: list[bytes] = []
    while not (receiver.finished and sender.finished):
        if (frame := receiver.next_frame()) is not None:
            from_receiver.append(frame)
            sender.receive(frame)
        if (frame := sender.next_frame()) is not None:
            from_sender.append(frame)
            receiver.receive(frame)

    length = parameters.tag_bytes(n_sender=n_sender, n_receiver=n_receiver)
    elements = [32 * count for count in parameters.chunk_sizes(n_receiver, parameters.ELEMENTS_PER_FRAME)]
    tags = [length * count for count in parameters.chunk_sizes(n_sender, parameters.TAGS_PER_FRAME)]
    assert [(frame[4], len(frame) - 5) for frame in from_receiver] == [(0x10, size) for size in elements]
    assert [(frame[4], len(frame) - 5) for frame in from_sender] == [
        *((0x11, size) for size in elements),
        *((0x12, size) for size in tags),
    ]
    assert receiver.overlap() == n_receiver
    blinded = b"".join(frame[5:] for frame in from_receiver)
    evaluated = b"".join(frame[5:] for frame in from_sender if frame[4] == 0x11)
    sent_tags = b"".join(frame[5:] for frame in from_sender if frame[4] == 0x12)

    a = randomness.scalar(randomness.role_stream(seeds[0], sid, "ecdh receiver scalar"))
    b = randomness.scalar(randomness.role_stream(seeds[1], sid, "ecdh sender scalar"))
    shuffle = randomness.role_stream(seeds[1], sid, "ecdh sender shuffle")
    order = randomness.permutation(shuffle, n_receiver) if cardinality else range(n_receiver)
    all_tags = {sent_tags[start : start + length] for start in range(0, len(sent_tags), length)}
    for position in (0, 1, parameters.ELEMENTS_PER_FRAME - 1, parameters.ELEMENTS_PER_FRAME):
        [own] = ecdh.blind([digests[position]], a, ecdh.suite_dst(suite, sid))
        assert blinded[32 * position : 32 * position + 32] == own
        source = order[position]
        [answer] = ecdh.evaluate([blinded[32 * source : 32 * source + 32]], b)
        assert evaluated[32 * position : 32 * position + 32] == answer
        [tag] = ecdh.sender_tags([digests[position]], b, suite, sid, length)
        assert tag in all_tags


@given(st.text(max_size=20), st.binary(max_size=70_000))
@example("psi/1 item", bytes(1024))
@example("psi/1 item", bytes(65_537))  # psi lets go of the interpreter above 64 KiB
def test_psi_hashes_as_the_reference_does(context: str, data: bytes) -> None:
    hasher = _core.Hasher(context)
    hasher.update(data[: len(data) // 3])
    hasher.update(data[len(data) // 3 :])
    assert hasher.digest() == blake3.derive(context, data)


@given(st.lists(st.lists(st.text(min_size=1, max_size=40), min_size=3, max_size=3), max_size=5))
def test_psi_makes_the_items_of_the_reference(rows: list[list[str]]) -> None:
    table = pl.DataFrame(
        rows, schema=["a", "b", "c"], orient="row", schema_overrides=dict.fromkeys("abc", pl.String)
    )
    expected = [items.item_digest(items.match_key(row)) for row in rows]
    digests = _core.Digests()
    digests.append(table)
    assert [digest.tobytes() for digest in digests.array()] == expected
    item_of_row = digests.collapse()
    distinct = items.distinct(expected)
    assert [digest.tobytes() for digest in digests.array()] == distinct
    assert [distinct[item] for item in item_of_row] == expected


@given(st.text(max_size=30))
def test_recipes_of_psi_are_those_of_the_reference(value: str) -> None:
    table = pl.DataFrame({"value": [value]})
    for recipe, plain in (("digits/1", items.digits), ("nfkd-upper-alnum/1", items.nfkd_upper_alnum)):
        assert table.select(RECIPES[recipe].expression(pl.col("value"))).item() == plain(value)


@given(
    st.sampled_from(("%Y-%m-%d", "%m/%d/%Y", "%-d.%-m.%Y", "%b %-d, %Y", "%Y%m%d", "%d-%b-%Y")),
    st.tuples(st.integers(0, 10_000), st.integers(0, 13), st.integers(0, 32)),
    st.sampled_from(
        (
            "{0:04}-{1:02}-{2:02}",
            "{1:02}/{2:02}/{0:04}",
            "{2}.{1}.{0}",
            "{0:04}{1:02}{2:02}",
            "Feb {2}, {0:04}",
        )
    ),
)
def test_dates_of_psi_are_those_of_the_reference(
    date_format: str, date: tuple[int, int, int], spelling: str
) -> None:
    value = spelling.format(*date)
    table = pl.DataFrame({"value": [value]})
    result = table.select(RECIPES["date-iso/1"].expression(pl.col("value"), date_format)).item()
    assert result == items.date_iso(value, date_format)


def test_the_digest_of_terms_is_that_of_the_reference(make_terms: Callable[..., terms.Terms]) -> None:
    agreement = make_terms(
        purpose='Na\u00efve "quotes",\nand a second line', authority="\u0001 \U0001f512 \\ \u2028"
    )
    assert terms.digest(agreement) == reference_terms.terms_digest(msgspec.to_builtins(agreement))
