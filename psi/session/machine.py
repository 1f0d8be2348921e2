"""Run one suite with one peer, from hello to finish: whole frames in, whole frames out, no I/O, no clock."""

from __future__ import annotations

import contextlib
import enum
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from psi import _core, wire
from psi.errors import LimitError, PeerError, PsiError, StateError, TermsError, UsageError, VerificationError
from psi.session.planning import traffic
from psi.session.refusals import difference, told
from psi.session.states import State, table
from psi.session.suites import SUITES, CoreRole, CountingRole, LearningRole
from psi.transcript import Transcript, session_identifier
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

SEED_BYTES = 32
DEADLINE_S = 10.0  # vole.md, "Deadline"; the terms may say another
DEADLINE_PER_ITEM_S = 20e-6


class Role(enum.Enum):
    """Say which side of a suite a party is: the one that has the output, or the other."""

    RECEIVER = "receiver"
    SENDER = "sender"


@dataclass(frozen=True)
class Progress:
    """Say what a party is doing and how much of that is done."""

    phase: Phase
    percent: int


@dataclass(frozen=True)
class Output:
    """
    Hold what a suite tells a party: ``None`` is what it does not tell.

    A sender learns what is reported to it, if anything is. ``matched`` are the positions of the own items that the peer
    has, ascending (uint32).
    """

    suite: Suite
    overlap: int | None
    matched: NDArray[np.uint32] | None = field(repr=False)


class Session:
    """
    Hold one execution of a suite. ``run`` makes one for each connection, ``drive`` of the transport runs it.

    ``digests`` are the 32-byte digests of the own items, distinct: those of the core, which its role then shares, or
    an array (uint8, shape (n, 32)), which it copies; ``certificate`` and ``peer_certificate`` the SHA-256 of both TLS
    certificates; ``max_items`` and ``peer_max_items`` the limits of the terms. ``seed`` (secret) and ``nonce``
    (public) are 32 fresh bytes each from the operating system: one seed, one session; it is forgotten as soon as the
    role exists. The party that joins is the ``initiator``. With ``report`` the receiver tells the sender which of its
    items matched. ``deadline_s`` is what the terms give the receiver for its commitment, besides 20 microseconds for
    each of its items, where the suite has one; ``tree_depth`` is the one of the terms, for the suites that have trees.

    One thread may call ``next_frame``, ``alive_frame`` and ``refuse_frame`` while another calls ``receive``. Any
    exception ends the session: later steps raise it again, and there will be no output. Raises ``UsageError`` for
    arguments of a wrong length or shape and ``LimitError`` when the own items are more than the terms allow.
    """

    def __init__(
        self,
        role: Role,
        digests: NDArray[np.uint8] | _core.Digests,
        *,
        suite: Suite,
        initiator: bool,
        terms_digest: bytes,
        certificate: bytes,
        peer_certificate: bytes,
        max_items: int,
        peer_max_items: int,
        seed: bytes,
        nonce: bytes,
        threads: int,
        report: bool = False,
        deadline_s: float = DEADLINE_S,
        tree_depth: int = wire.TREE_DEPTH,
    ) -> None:
        for name, value, length in (
            ("terms_digest", terms_digest, wire.DIGEST_BYTES),
            ("certificate", certificate, wire.DIGEST_BYTES),
            ("peer_certificate", peer_certificate, wire.DIGEST_BYTES),
            ("seed", seed, SEED_BYTES),
            ("nonce", nonce, wire.NONCE_BYTES),
        ):
            if len(value) != length:
                raise UsageError(f"{name}: {len(value)} bytes, not {length}")
        if isinstance(digests, np.ndarray) and (
            digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != wire.DIGEST_BYTES
        ):
            raise UsageError(f"digests: not an array of bytes with {wire.DIGEST_BYTES} columns")
        _check_limit("this side", len(digests), max_items)
        roles = SUITES[suite]
        if tree_depth not in wire.TREE_DEPTHS:
            raise UsageError(
                f"tree_depth: {tree_depth} is not one of {', '.join(map(str, wire.TREE_DEPTHS))}"
            )
        if report and roles.report is None:
            raise UsageError(f"suite {suite.value}: the receiver cannot report what matched")
        from_receiver = (*roles.from_receiver, *([roles.report] if report and roles.report else []))
        is_receiver = role is Role.RECEIVER
        own, peer = (from_receiver, roles.from_sender) if is_receiver else (roles.from_sender, from_receiver)
        greeting = Hello if initiator else HelloAck
        self._role, self._suite, self._initiator, self._threads = role, suite, initiator, threads
        self._table = table(initiator=initiator, sends=own, receives=peer)
        self._hello = greeting(wire.PROTOCOL, suite.value, terms_digest, certificate, peer_certificate, nonce)
        self._digests: NDArray[np.uint8] | _core.Digests | None = digests
        self._seed = seed
        self._n_own, self._peer_max_items = len(digests), peer_max_items
        self._state = State.START
        self._hello_frames: dict[bool, bytes] = {}  # by whether the initiator sent it
        self._transcript = Transcript(_core.Hasher)
        self._core: CoreRole | None = None
        self._learner: LearningRole | None = None
        self._report, self._deadline_s, self._tree_depth = report, deadline_s, tree_depth
        self._timed = None if is_receiver else roles.timed
        self._owes = False
        self._peer_finish = b""
        self._output: Output | None = None
        self._difference: PsiError | None = None
        self._ended_by: PsiError | None = None
        self._refusal: Refusal | None = None
        self._may_refuse = True
        self._lock = threading.Lock()
        self._none_waits = threading.Event()
        self._none_waits.set()
        self.needs_peer = False
        self.n_peer: int | None = None
        self.bytes_sent = self.bytes_received = 0
        self.progress = self.peer_progress = Progress(Phase.WAIT, 0)
        self._digest = b""

    @property
    def initiator(self) -> bool:
        """Say whether this party is the one that joins and greets first."""
        return self._initiator

    @property
    def finished(self) -> bool:
        """Say whether both finishes were exchanged and compared."""
        return self._state is State.FINISHED

    @property
    def set_bounds(self) -> dict[str, int] | None:
        """
        Return how many items a cheating receiver and a cheating sender can have brought at most, by role.

        ``None`` while the sizes are not known, and in suites that hold against parties that follow the protocol only.
        """
        if self.n_peer is None:
            return None
        counts = (self._n_own, self.n_peer) if self._role is Role.RECEIVER else (self.n_peer, self._n_own)
        sent = traffic(self._suite, n_receiver=counts[0], n_sender=counts[1], tree_depth=self._tree_depth)
        if sent.receiver_items is None or sent.sender_items is None:
            return None
        return {Role.RECEIVER.value: sent.receiver_items, Role.SENDER.value: sent.sender_items}

    @property
    def owed_within_s(self) -> float | None:
        """
        Return within how many seconds after the last frame sent the peer owes a certain answer, if it owes one.

        The transport has the clock. A receiver of ``vole-malicious`` owes its commitment (vole.md, "Deadline").
        """
        return self._deadline_s + DEADLINE_PER_ITEM_S * (self.n_peer or 0) if self._owes else None

    @property
    def transcript(self) -> bytes:
        """Return the 32 bytes that both parties agreed on; raise ``StateError`` before that."""
        if not self.finished:
            raise StateError("the transcripts were not compared yet")
        return self._digest

    def output(self) -> Output:
        """Return what the suite tells this party; raise ``StateError`` before the transcripts were compared."""
        if self._output is None:
            raise StateError("there is no output before the transcripts were compared")
        return self._output

    def next_frame(self) -> bytes | None:
        """
        Work on at most one chunk and return the whole frame that came of it, if one did.

        ``None`` means: a frame of the peer must come first if ``needs_peer``, it is over if ``finished``, and else
        call again. Raises what the peer is guilty of, or that the two sides differ.
        """
        # The lock is not fair: a role that computes on its own would keep a frame that has arrived waiting.
        self._none_waits.wait()
        with self._step():
            frame = self._next_frame()
            if self._core is not None:
                phase, done, total = self._core.progress()
                self.progress = Progress(Phase(phase), 100 * done // total if total else 100)
            self._let_go()
            return frame

    def receive(self, frame: bytes) -> None:
        """
        Take one whole frame of the peer.

        Raises ``PeerError`` (``DecodeError``, ``StateError``, ``VerificationError``) when the peer misbehaves,
        ``TermsError`` when the two sides differ, ``LimitError`` when the peer has too many items, and what the peer
        says when it refuses.
        """
        self._none_waits.clear()
        try:
            with self._step():
                self.needs_peer = False
                self.bytes_received += len(frame)
                self._receive(frame)
                self._let_go()
        finally:
            self._none_waits.set()

    def alive_frame(self) -> bytes | None:
        """Return a frame that says what this party is at, or ``None`` where such a frame has no place."""
        with self._lock:
            if (self._state, FrameType.ALIVE) not in self._table.sends:
                return None
            frame = wire.encode(Alive(self.progress.phase, self.progress.percent))
            self.bytes_sent += len(frame)
            return frame

    def refuse_frame(self, error: BaseException) -> bytes | None:
        """
        End the session because of an error and return the frame that tells the peer, if the peer is to know.

        It says which of version, suite, terms, certificate and limit differs; of everything else it says
        ``protocol``. A fault of this side's own is not refused, nor is a refusal, nor a session that is finished.
        """
        with self._lock:
            tells = self._may_refuse and isinstance(error, (PeerError, TermsError, LimitError))
            self._end(error)
            if not tells:
                return None
            self._may_refuse = False
            frame = wire.encode(Refuse(self._refusal or Refusal.PROTOCOL))
            self.bytes_sent += len(frame)
            return frame

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """Hold the lock for one step; a step that fails ends the session."""
        with self._lock:
            if self._state is State.ENDED:
                raise self._ended_by or StateError("the session has ended")
            try:
                yield
            except BaseException as error:
                self._end(error)
                raise

    def _end(self, error: BaseException) -> None:
        """Forget every secret; what was compared before stays true."""
        if self._ended_by is None and isinstance(error, PsiError):
            self._ended_by = error
        self._core = self._learner = self._digests = None
        self._seed = b""
        if self._state is State.FINISHED:
            self._may_refuse = False
        else:
            self._state = State.ENDED

    def _let_go(self) -> None:
        """Keep the output alone of a role that is done: the next session needs the memory."""
        if self._state is State.FINISHED:
            self._core = self._learner = None

    def _next_frame(self) -> bytes | None:
        """Make the next frame, whichever the state asks for."""
        if self._difference is not None and self._state is not State.GREETED:
            raise self._difference
        if (self._state, self._hello.kind) in self._table.sends:
            frame = wire.encode(self._hello)
            self._hello_frames[self._initiator] = frame
            return self._sent(self._hello.kind, frame)
        if (self._state, FrameType.SIZES) in self._table.sends:
            frame = self._sent(FrameType.SIZES, wire.encode(Sizes(self._n_own)))
            self._begin_suite()
            return frame
        if self._state not in (State.SUITE, State.FINISH_RECEIVED):
            self.needs_peer = self._state is not State.FINISHED
            return None
        assert self._core is not None
        chunk = self._core.next_frame()
        if chunk is not None:
            return self._sent(wire.frame_type(chunk), chunk)
        if self._core.finished:
            return self._finish()
        self.needs_peer = self._core.needs_peer
        if self.needs_peer and self._state is State.FINISH_RECEIVED:
            raise StateError("finish: it came before all frames of the peer")
        return None

    def _receive(self, frame: bytes) -> None:
        """Take a frame, whichever the state allows."""
        if self._difference is not None:
            raise self._difference
        kind = wire.frame_type(frame)
        state = self._table.receives.get((self._state, kind))
        if state is None:
            raise StateError(f"{kind.label}: it has no place in the state {self._state.value!r}")
        if kind.is_in_transcript:
            self._transcript.add(frame, from_initiator=not self._initiator)
        if self._timed is not None and kind is self._timed[1]:
            self._owes = False
        if kind.is_control:
            self._receive_message(wire.decode(frame), frame)
        else:
            assert self._core is not None
            self._core.receive(frame)
        if state is State.FINISHED:
            self._compare()  # while the session is not finished: a difference is refused like every fault
        self._state = state
        if kind is FrameType.SIZES:
            self._begin_suite()

    def _receive_message(self, message: wire.Message, frame: bytes) -> None:
        """Take the message of a control frame."""
        match message:
            case Hello():
                self._hello_frames[not self._initiator] = frame
                self._compare_hellos(message)
            case Sizes():
                self.n_peer = message.items
                if message.items > min(self._peer_max_items, MAX_ITEMS):
                    self._refusal = Refusal.LIMIT
                _check_limit("the peer", message.items, self._peer_max_items)
            case Alive():
                self.peer_progress = Progress(message.phase, message.percent)
            case Finish():
                self._peer_finish = message.transcript
            case Refuse():
                self._may_refuse = False
                raise told(message.code)

    def _compare_hellos(self, peer: Hello) -> None:
        """Find what differs; an acceptor answers all the same, so that both sides can name it."""
        found = difference(self._hello, peer)
        if found is None:
            return
        self._refusal, self._difference = found
        if self._initiator:
            raise self._difference

    def _begin_suite(self) -> None:
        """Make the role once both sizes are known, and forget the seed."""
        if self._state is not State.SUITE:
            return
        sid = session_identifier(self._hello_frames[True], self._hello_frames[False], _core.Hasher)
        roles, digests = SUITES[self._suite], self._digests
        options = {} if roles.report is None else {"report": self._report, "tree_depth": self._tree_depth}
        if self._role is Role.RECEIVER:
            self._core = self._learner = roles.receiver(
                digests, n_sender=self.n_peer, sid=sid, seed=self._seed, threads=self._threads, **options
            )
        else:
            self._core = roles.sender(
                digests, n_receiver=self.n_peer, sid=sid, seed=self._seed, threads=self._threads, **options
            )
            if self._report:
                self._learner = cast(LearningRole, self._core)
        self._digests, self._seed = None, b""

    def _sent(self, kind: FrameType, frame: bytes) -> bytes:
        """Note a frame that is about to be sent."""
        state = self._table.sends.get((self._state, kind))
        if state is None:
            raise StateError(f"finish: it came before this side had sent its last {kind.label}")
        if kind.is_in_transcript:
            self._transcript.add(frame, from_initiator=self._initiator)
        if self._timed is not None and kind is self._timed[0]:
            self._owes = True
        self._state = state
        self.bytes_sent += len(frame)
        return frame

    def _finish(self) -> bytes:
        """Say what this side saw; if the peer has said so already, compare first."""
        self._digest = self._transcript.digest()
        if self._state is State.FINISH_RECEIVED:
            self._compare()
        return self._sent(FrameType.FINISH, wire.encode(Finish(self._digest)))

    def _compare(self) -> None:
        """Compare the transcripts; only now is there an output."""
        if self._peer_finish != self._digest:
            raise VerificationError("finish: the two sides did not see the same frames")
        if self._learner is None:
            self._output = Output(self._suite, None, None)
        elif self._suite.learns_items:
            matched = self._learner.matched()
            self._output = Output(self._suite, len(matched), matched)
        else:
            self._output = Output(self._suite, cast(CountingRole, self._learner).overlap(), None)


def _check_limit(party: str, items: int, limit: int) -> None:
    """Raise ``LimitError`` when a party has more items than the terms, or any session, allow."""
    if items > min(limit, MAX_ITEMS):
        raise LimitError(
            f"{party} has {items} items, and at most {min(limit, MAX_ITEMS)} are allowed",
            hint="the limits are in the terms (max_items); `psi check` counts the items of a file",
        )
