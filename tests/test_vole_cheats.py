"""
Peers that cheat in the vole suites, over real TLS on this machine: each check has one that it finds.

Two kinds of them. One changes bytes of an honest run. The other is a role of the reference that cheats from within, and
makes everything anew that depends on its lie, so that no check but the one that is meant can find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import silent_vole, softspoken, tag_code, vole
from reference.blocks import block

from psi import scenario, wire
from psi.errors import DecodeError, PsiError, VerificationError, exit_code
from psi.identity import Identity
from psi.session import Role, Session
from psi.session.states import State
from psi.transcript import session_identifier
from psi.wire import FrameType, Refusal, Refuse, Suite
from tests.mishap_table import cheating_requester
from tests.mishaps import Bench
from tests.peers import CheatingPeer, cheated, replacing
from tests.session_kit import check_threads, make_session

ITEMS = {Role.RECEIVER: range(4), Role.SENDER: range(2, 7)}
OTHER = {Role.RECEIVER: Role.SENDER, Role.SENDER: Role.RECEIVER}
REFUSED = wire.encode(Refuse(Refusal.PROTOCOL))
Cheat = Callable[[CheatingPeer, int, bytes], None]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    check_threads()


def party(role: Role, *, suite: Suite = Suite.VOLE_MALICIOUS, joins: bool) -> Session:
    return make_session(role, ITEMS[role], suite=suite, initiator=joins, report=True)


def honestly(peer: CheatingPeer, _place: int, frame: bytes) -> None:
    peer.send(frame)


def found(
    identities: Mapping[str, Identity],
    cheater: Session,
    cheat: Cheat,
    error: type[PsiError],
    match: str | None = None,
    *,
    suite: Suite = Suite.VOLE_MALICIOUS,
) -> None:
    """Let one side cheat; the other one refuses it in one word and has no output."""
    role = Role.SENDER if cheater._role is Role.RECEIVER else Role.RECEIVER
    victim = party(role, suite=suite, joins=not cheater.initiator)
    raised, heard = cheated(identities, victim, cheater, cheat, error, match)
    assert type(raised) is error
    assert exit_code(raised) == 5
    refusals = [frame for frame in heard if wire.frame_type(frame) is FrameType.REFUSE]
    assert refusals == [heard[-1]] == [REFUSED]


# --- bytes of an honest run that are changed --------------------------------------------------------------------------


def flip(place: int) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        changed = bytearray(body)
        changed[place] ^= 1
        return bytes(changed)

    return change


def blocks(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Change a list of blocks of 16 bytes: the five tags of this page's sender, or a report."""
    return lambda body: b"".join(change([body[at : at + 16] for at in range(0, len(body), 16)]))


def count(number: int) -> bytes:
    return number.to_bytes(16, "little")


SHORT, LONG = (lambda body: body[:-1]), (lambda body: body + b"\0")
IDENTITY, NOT_CANONICAL = bytes(32), b"\xff" * 32
EXTENSION_CHECKS = 3584 + 64  # what stands before the corrections of the columns

OF_THE_RECEIVER: dict[str, tuple[FrameType, Callable[[bytes], bytes], type[PsiError]]] = {
    # Up to 64 items have the same lengths: this lie shows only when both say what they saw.
    "another size": (FrameType.SIZES, lambda _: b"\x91\x05", VerificationError),
    "a size of another length": (FrameType.SIZES, lambda _: b"\x91\x64", DecodeError),
    "element not canonical": (FrameType.EXTEND, lambda body: NOT_CANONICAL + body[32:], DecodeError),
    "element the identity": (FrameType.EXTEND, lambda body: IDENTITY + body[32:], DecodeError),
    "another code seed": (FrameType.EXTEND, flip(32), VerificationError),
    "column of one group": (FrameType.EXTEND, flip(EXTENSION_CHECKS), VerificationError),
    "leaf check": (FrameType.EXTEND, flip(-48 - 64), VerificationError),
    "subspace check, bits": (FrameType.EXTEND, flip(-48), VerificationError),
    "subspace check, digest": (FrameType.EXTEND, flip(-1), VerificationError),
    "extension cut": (FrameType.EXTEND, SHORT, DecodeError),
    "challenge cut": (FrameType.CHALLENGE, SHORT, DecodeError),
    "commitment to the items": (FrameType.BIND, flip(0), VerificationError),
    "commitment longer": (FrameType.BIND, LONG, DecodeError),
    "another row seed": (FrameType.OKVS, flip(0), VerificationError),
    "another mask": (FrameType.OKVS, flip(16), VerificationError),
    "other encoded items": (FrameType.OKVS, flip(-1), VerificationError),
    "encoded items cut": (FrameType.OKVS, blocks(lambda entries: entries[:-1]), DecodeError),
    "report of a stranger": (FrameType.REPORT, flip(-1), VerificationError),
    "report of all zeros": (FrameType.REPORT, lambda _: count(1) + bytes(16), VerificationError),
    "report twice the same": (FrameType.REPORT, blocks(lambda b: [b[0], b[1], b[1]]), VerificationError),
    "report descending": (FrameType.REPORT, blocks(lambda b: [b[0], b[2], b[1]]), VerificationError),
    "report of more than there are": (FrameType.REPORT, lambda b: count(5) + b[16:], VerificationError),
    "report of 2^127": (FrameType.REPORT, lambda b: count(1 << 127) + b[16:], VerificationError),
    "report counts one too few": (FrameType.REPORT, lambda b: count(1) + b[16:], DecodeError),
    "report counts one too many": (FrameType.REPORT, lambda b: count(3) + b[16:], DecodeError),
    "report without its count": (FrameType.REPORT, lambda _: b"\0" * 15, DecodeError),
}
OF_THE_SENDER: dict[str, tuple[FrameType, Callable[[bytes], bytes], type[PsiError]]] = {
    "another size": (FrameType.SIZES, lambda _: b"\x91\x06", DecodeError),
    "choice not canonical": (FrameType.CHOOSE, lambda b: b[:32] + NOT_CANONICAL + b[64:], DecodeError),
    "choice the identity": (FrameType.CHOOSE, lambda b: b[:-32] + IDENTITY, DecodeError),
    "choice cut": (FrameType.CHOOSE, SHORT, DecodeError),
    "commitment to the mask": (FrameType.CHOOSE, flip(0), VerificationError),
    "correction of a leaf": (FrameType.PUNCTURED, flip(-1), VerificationError),
    "trees cut": (FrameType.PUNCTURED, SHORT, DecodeError),
    "proof": (FrameType.PROOF, flip(0), VerificationError),
    "proof longer": (FrameType.PROOF, LONG, DecodeError),
    "another mask": (FrameType.OPEN, flip(0), VerificationError),
    "mask cut": (FrameType.OPEN, SHORT, DecodeError),
    "tags descending": (FrameType.VOLE_TAGS, blocks(lambda tags: tags[::-1]), VerificationError),
    "tags all the same": (FrameType.VOLE_TAGS, blocks(lambda tags: tags[:1] * 5), VerificationError),
    "a tag too few": (FrameType.VOLE_TAGS, blocks(lambda tags: tags[:-1]), DecodeError),
    "a tag too many": (FrameType.VOLE_TAGS, blocks(lambda tags: [*tags, b"\xff" * 16]), DecodeError),
}


@pytest.mark.parametrize(
    ("cheater", "kind", "change", "error"),
    [
        pytest.param(role, *cheat, id=f"{role.value}: {name}")
        for role, cheats in ((Role.RECEIVER, OF_THE_RECEIVER), (Role.SENDER, OF_THE_SENDER))
        for name, cheat in cheats.items()
    ],
)
def test_a_changed_message_is_refused_in_one_word(
    identities: Mapping[str, Identity],
    cheater: Role,
    kind: FrameType,
    change: Callable[[bytes], bytes],
    error: type[PsiError],
) -> None:
    joins = cheater is Role.RECEIVER
    found(identities, party(cheater, joins=joins), replacing(kind, change), error)


@pytest.mark.parametrize("cheater", Role, ids=lambda role: role.value)
def test_the_semi_honest_suite_refuses_wrong_lengths_and_orders_too(
    identities: Mapping[str, Identity], cheater: Role
) -> None:
    suite = Suite.VOLE_SEMI_HONEST
    tags = lambda body: b"".join(body[at : at + 6] for at in range(24, -1, -6))  # noqa: E731
    cheats: list[tuple[FrameType, Callable[[bytes], bytes], type[PsiError]]] = {
        Role.RECEIVER: [
            (FrameType.EXTEND, SHORT, DecodeError),
            (FrameType.OKVS, LONG, DecodeError),
            (FrameType.REPORT, flip(-1), VerificationError),
        ],
        Role.SENDER: [
            (FrameType.CHOOSE, LONG, DecodeError),
            (FrameType.PUNCTURED, SHORT, DecodeError),
            (FrameType.VOLE_TAGS, tags, VerificationError),
        ],
    }[cheater]
    for kind, change, error in cheats:
        peer = party(cheater, suite=suite, joins=True)
        found(identities, peer, replacing(kind, change), error, suite=suite)


# --- roles of the reference that cheat from within --------------------------------------------------------------------


class Receiver(vole.Receiver):
    """The receiver of the reference, with the names that a session knows."""

    def matched(self) -> np.ndarray:
        return np.array(self.output, dtype=np.uint32)


class Sender(vole.Sender):
    """The sender of the reference, with the names that a session knows."""

    def matched(self) -> np.ndarray:
        return np.array(self.output, dtype=np.uint32)


class Played:
    """A role of the reference as a session runs one."""

    def __init__(self, role: Receiver | Sender) -> None:
        self.role = role
        self.ready = list(role.start())

    @property
    def needs_peer(self) -> bool:
        return not self.ready

    @property
    def finished(self) -> bool:
        return not self.ready and self.role.finished

    def next_frame(self) -> bytes | None:
        if not self.ready:
            return None
        kind, body = self.ready.pop(0)
        return wire.pack(bytes([kind]) + body)

    def receive(self, frame: bytes) -> None:
        self.ready += self.role.receive(vole.Kind(frame[4]), frame[5:])

    def progress(self) -> tuple[str, int, int]:
        return "wait", 0, 1

    def matched(self) -> np.ndarray:
        return self.role.matched()


class PlayedSession(Session):
    """A session whose role is one of the reference."""

    make: Callable[..., Receiver | Sender]

    def _begin_suite(self) -> None:
        if self._state is not State.SUITE:
            return
        from psi import _core

        sid = session_identifier(self._hello_frames[True], self._hello_frames[False], _core.Hasher)
        own, other = self._n_own, self.n_peer or 0
        receives = self._role is Role.RECEIVER
        numbers = vole.sizes(
            self._suite.value,
            n_receiver=own if receives else other,
            n_sender=other if receives else own,
        )
        digests = [row.tobytes() for row in self._digests if self._digests is not None]  # type: ignore[union-attr]
        self._core = self._learner = Played(  # type: ignore[assignment]
            self.make(digests, numbers, sid=sid, seed=self._seed, report=True)
        )


def played(role: Role, make: Callable[..., Receiver | Sender], *, joins: bool) -> Session:
    session = party(role, joins=joins)
    session.__class__ = PlayedSession
    session.make = make  # type: ignore[attr-defined]
    return session


def extension_with(
    change_trees: Callable[[bytearray], None], change_columns: Callable[[bytearray], None]
) -> Callable[..., tuple[bytes, Any]]:
    """Return a receiver of the OT extension that lies, and hashes everything anew over what it sends."""
    honest = softspoken.receiver

    def lie(
        sid: bytes, prefix: bytes, base_keys: list[tuple[bytes, bytes]], size: int, *, malicious: bool
    ) -> tuple[bytes, Any]:
        message, extended = honest(sid, prefix, base_keys, size, malicious=malicious)
        trees_bytes = softspoken.GROUPS * softspoken.TREE_BYTES
        trees = bytearray(message[:trees_bytes])
        columns = bytearray(message[trees_bytes : trees_bytes + (softspoken.GROUPS - 1) * size // 8])
        leaves = message[trees_bytes + len(columns) : -softspoken.SUBSPACE_CHECK_BYTES]
        change_trees(trees)
        change_columns(columns)
        lied = bytes(trees) + bytes(columns) + leaves
        coefficients = softspoken.subspace_coefficients(sid, prefix + lied, size)
        bits = np.unpackbits(extended.blocks, axis=1, bitorder="little")
        own = [np.packbits(bits[:, bit], bitorder="little") for bit in range(128)]
        choice = np.packbits(extended.bits, bitorder="little")
        hashes = [softspoken.subspace_hash(coefficients, column) for column in own]
        check = block(softspoken.subspace_hash(coefficients, choice)).tobytes()
        return lied + check + softspoken.column_digest(sid, hashes), extended

    return lie


def nothing(_: bytearray) -> None:
    pass


def both_sides_of_a_level(trees: bytearray) -> None:
    """Change both corrections of one level: the sender unmasks one of them, whatever its delta."""
    for place in (5, 21):
        trees[5 * softspoken.TREE_BYTES + 64 + place] ^= 1


def other_bits_in_every_group(columns: bytearray) -> None:
    """Change one bit in the columns of all groups but the first: unseen only if delta is zero in all of them."""
    corrections = softspoken.GROUPS - 1
    for group in range(corrections):
        columns[group * len(columns) // corrections] ^= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trees", "columns", "check"),
    [
        pytest.param(both_sides_of_a_level, nothing, "leaves of the extension", id="leaf check"),
        pytest.param(nothing, other_bits_in_every_group, "columns of the extension", id="subspace check"),
    ],
)
def test_both_checks_of_the_extension_find_a_receiver_that_lies_in_good_form(
    identities: Mapping[str, Identity],
    monkeypatch: pytest.MonkeyPatch,
    trees: Callable[[bytearray], None],
    columns: Callable[[bytearray], None],
    check: str,
) -> None:
    monkeypatch.setattr(silent_vole.softspoken, "receiver", extension_with(trees, columns))
    cheater = played(Role.RECEIVER, Receiver, joins=True)
    found(identities, cheater, honestly, VerificationError, f"the check of {check} failed")


class OtherItems(Receiver):
    """Commit to one store and send another, as good as the first: of another row seed, found after the commitment."""

    def encode(self) -> list[tuple[vole.Kind, bytes]]:
        bind, *_ = super().encode()
        self.r = bytes(16)
        _, *okvs = super().encode()
        return [bind, *okvs]


class ReportsAGuess(Receiver):
    """Report an item that it has not encoded, as well as it can: with the tag where the report value should be."""

    def match(self, code: bytes) -> list[tuple[vole.Kind, bytes]]:
        super().match(code)
        return vole.report_frames([self.tags[0]])


class SpoiledLeaf(silent_vole.Sender):
    """Send a wrong correction for the missing leaf of the last tree of the first batch."""

    def trees(self, extension: bytes) -> list[bytes]:
        first, *others = super().trees(extension)
        return [flip(-1)(first), *others]


class UnevenCorrelation(Sender):
    """Spoil one leaf of the correlation, and go on with everything else as it should be."""

    def __init__(self, digests: list[bytes], numbers: vole.Numbers, **arguments: Any) -> None:
        super().__init__(digests, numbers, **arguments)
        self.correlation = SpoiledLeaf(numbers.correlation, arguments["sid"], arguments["seed"])


class ChoosesItsMaskLate(Sender):
    """Open a mask that makes w what it likes, with tags that fit it."""

    def evaluate(self, message: bytes) -> list[tuple[vole.Kind, bytes]]:
        self.mask = message[16:32]  # w is zero
        return super().evaluate(message)


class SendsOneTagTwice(Sender):
    """Send as many tags as it has items, one of them twice: fewer guesses than it may have, and no set."""

    def tag_frames(self) -> list[tuple[vole.Kind, bytes]]:
        tags = sorted(tag for tag, _ in self.outputs)
        return vole.frames(vole.Kind.VOLE_TAGS, tag_code.encode_tags([*tags[:-1], tags[-2]]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "make", "match"),
    [
        pytest.param(
            Role.RECEIVER, OtherItems, "check of the commitment to the encoded items", id="other items"
        ),
        pytest.param(Role.RECEIVER, ReportsAGuess, "check of the reported items", id="guessed report"),
        pytest.param(Role.SENDER, UnevenCorrelation, "check of the correlation", id="uneven correlation"),
        pytest.param(Role.SENDER, ChoosesItsMaskLate, "check of the opened mask", id="late mask"),
        pytest.param(Role.SENDER, SendsOneTagTwice, "does not follow the one before it", id="a tag twice"),
    ],
)
def test_a_role_that_cheats_from_within_is_found_by_the_check_that_is_meant(
    identities: Mapping[str, Identity], role: Role, make: Callable[..., Receiver | Sender], match: str
) -> None:
    found(identities, played(role, make, joins=True), honestly, VerificationError, match)


@pytest.mark.slow
@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_the_role_that_the_cheats_are_made_from_is_honest(role: Role) -> None:
    from tests.session_kit import check_receiver, exchange

    make = Receiver if role is Role.RECEIVER else Sender
    sessions = {role: played(role, make, joins=True), OTHER[role]: party(OTHER[role], joins=False)}
    exchange(sessions[Role.RECEIVER], sessions[Role.SENDER])
    check_receiver(sessions[Role.RECEIVER], ITEMS[Role.RECEIVER], ITEMS[Role.SENDER])
    check_receiver(sessions[Role.SENDER], ITEMS[Role.SENDER], ITEMS[Role.RECEIVER])


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "change", "shown"),
    [
        pytest.param(FrameType.CHOOSE, flip(0), "the check of the opened mask failed", id="commitment"),
        pytest.param(FrameType.PUNCTURED, flip(-1), "the check of the correlation failed", id="correlation"),
        pytest.param(FrameType.VOLE_TAGS, blocks(lambda tags: tags[::-1]), "tags: tag 1 does not", id="tags"),
    ],
)
def test_the_command_ends_with_5_and_writes_nothing(
    tmp_path: Path, kind: FrameType, change: Callable[[bytes], bytes], shown: str
) -> None:
    case = tmp_path / "case"
    scenario.write(case, requests=60, records=60, matches=20, seed=3)
    scenario.agree(case, requests=60, records=60)
    bench = Bench({Suite.VOLE_MALICIOUS.value: case}, tmp_path)
    with bench.holder() as (holder, address):
        heard = cheating_requester(bench, address, Role.SENDER, replacing(kind, change))
        outcome = holder.outcome()
    assert heard[-1] == REFUSED
    assert outcome.code == 5
    assert any(shown in line for line in outcome.shown)
    assert outcome.left == (
        "events.ndjson",
        "gate.json",
        "rejects.csv",
    )  # what the own gate said of the own file
