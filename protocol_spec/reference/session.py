"""
One execution of a suite, from hello to finish, without a network (psi.md, "Session").

``Party`` is one side: frames in, frames out. ``run`` lets two of them talk and returns every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import blake3
from .ecdh import Receiver, Sender
from .errors import REFUSALS, LimitError, SessionError, StateError, VerificationError
from .frames import Kind, control, fields, frame, split
from .parameters import MAX_ITEMS, PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTSIDE_TRANSCRIPT = (Kind.REFUSE, Kind.ALIVE, Kind.FINISH)
SUITE_KINDS = (Kind.BLINDED, Kind.EVALUATED, Kind.TAGS)


@dataclass(frozen=True)
class Setting:
    """Hold what a party brings to a session: agreed beforehand, or its own."""

    is_receiver: bool
    is_initiator: bool
    suite: str
    terms_digest: bytes
    certificate: bytes
    peer_certificate: bytes
    max_items: int
    peer_max_items: int
    seed: bytes
    nonce: bytes
    digests: Sequence[bytes]


@dataclass
class Party:
    """
    One side of a session; ``state`` is hello, sizes, suite, finish, finished or ended (psi.md, "States").

    ``sent`` has every whole frame of this party in order; ``initiator_frames`` and ``acceptor_frames`` have those of
    both that count for the transcript.
    """

    setting: Setting
    state: str = "hello"
    sent: list[bytes] = field(default_factory=list)
    initiator_frames: list[bytes] = field(default_factory=list)
    acceptor_frames: list[bytes] = field(default_factory=list)
    role: Receiver | Sender | None = None

    def __post_init__(self) -> None:
        if len(self.setting.digests) > min(self.setting.max_items, MAX_ITEMS):
            raise LimitError(
                f"{len(self.setting.digests)} items, at most {self.setting.max_items} are allowed"
            )
        if self.setting.is_initiator:
            self.send(self.hello(Kind.HELLO))

    def receive(self, whole: bytes) -> None:
        """Take one frame of the peer. An error ends the session; the peer is told, unless it was the one to refuse."""
        if self.state in ("finished", "ended"):
            raise StateError("a frame after the end")
        try:
            kind, body = split(whole)
            refusal = str(fields(kind, body)[0]) if kind is Kind.REFUSE else ""
            if not refusal:
                self.step(kind, body, whole)
        except SessionError as error:
            self.state = "ended"
            self.sent.append(control(Kind.REFUSE, error.code))
            raise
        if refusal:
            self.state = "ended"
            raise REFUSALS[refusal](f"the peer refuses: {refusal}", refusal)

    def step(self, kind: Kind, body: bytes, whole: bytes) -> None:
        """Follow the table of states (psi.md, "States")."""
        if kind is Kind.ALIVE and self.state != "hello":
            fields(kind, body)
            return
        if kind not in OUTSIDE_TRANSCRIPT:
            (self.acceptor_frames if self.setting.is_initiator else self.initiator_frames).append(whole)
        if self.state == "hello" and kind is (Kind.HELLO_ACK if self.setting.is_initiator else Kind.HELLO):
            self.on_hello(kind, body)
        elif self.state == "sizes" and kind is Kind.SIZES:
            self.on_sizes(body)
        elif self.state == "suite" and kind in SUITE_KINDS:
            self.after_role(self.the_role.receive(kind, body))
        elif self.state == "finish" and kind is Kind.FINISH:
            self.on_finish(body)
        else:
            raise StateError(f"{kind.name} in the state {self.state}")

    def on_hello(self, kind: Kind, body: bytes) -> None:
        """Answer a hello, then compare it: so both parties can name the difference."""
        theirs = fields(kind, body)
        if not self.setting.is_initiator:
            self.send(self.hello(Kind.HELLO_ACK))
        differences = (
            ("version", theirs[0] != PROTOCOL),
            ("suite", theirs[1] != self.setting.suite),
            ("terms", theirs[2] != self.setting.terms_digest),
            ("certificate", theirs[3:5] != [self.setting.peer_certificate, self.setting.certificate]),
        )
        for code, differs in differences:
            if differs:
                raise REFUSALS[code](f"the peer has another {code}", code)
        self.state = "sizes"
        if self.setting.is_initiator:
            self.send(self.sizes())

    def on_sizes(self, body: bytes) -> None:
        """Check the peer's size, answer with the own one, begin the suite."""
        n_peer = int(fields(Kind.SIZES, body)[0])
        if n_peer > min(self.setting.peer_max_items, MAX_ITEMS):
            raise LimitError(f"{n_peer} items, at most {self.setting.peer_max_items} are allowed", "limit")
        if not self.setting.is_initiator:
            self.send(self.sizes())
        own, suite, sid, seed = self.setting.digests, self.setting.suite, self.sid, self.setting.seed
        if self.setting.is_receiver:
            self.role = Receiver(own, suite=suite, n_sender=n_peer, sid=sid, seed=seed)
        else:
            self.role = Sender(own, suite=suite, n_receiver=n_peer, sid=sid, seed=seed)
        self.state = "suite"
        self.after_role(self.role.start())

    def after_role(self, ready: Sequence[tuple[Kind, bytes]]) -> None:
        """Send what the role made ready, and the finish once the role has nothing left to do."""
        for kind, body in ready:
            self.send(frame(kind, body))
        if self.the_role.finished:
            self.state = "finish"
            self.sent.append(control(Kind.FINISH, self.transcript))

    def on_finish(self, body: bytes) -> None:
        """Compare the transcripts: only now is there an output."""
        if fields(Kind.FINISH, body)[0] != self.transcript:
            raise VerificationError("the transcripts differ")
        self.state = "finished"

    def hello(self, kind: Kind) -> bytes:
        """Return the own hello or hello-ack."""
        s = self.setting
        return control(kind, PROTOCOL, s.suite, s.terms_digest, s.certificate, s.peer_certificate, s.nonce)

    def sizes(self) -> bytes:
        """Return the own sizes."""
        return control(Kind.SIZES, len(self.setting.digests))

    def send(self, whole: bytes) -> None:
        """Send a frame that counts for the transcript."""
        self.sent.append(whole)
        (self.initiator_frames if self.setting.is_initiator else self.acceptor_frames).append(whole)

    @property
    def sid(self) -> bytes:
        """Return the session identifier."""
        return session_identifier(self.initiator_frames[0], self.acceptor_frames[0])

    @property
    def transcript(self) -> bytes:
        """Return the digest of all frames of both directions so far."""
        return transcript_digest(self.initiator_frames, self.acceptor_frames)

    @property
    def the_role(self) -> Receiver | Sender:
        """Return the role, which exists from the sizes on."""
        assert self.role is not None
        return self.role

    @property
    def output(self) -> tuple[int, list[int] | None] | None:
        """Return the output of a receiver, None for a sender; raise ``StateError`` before the transcripts agree."""
        if self.state != "finished":
            raise StateError("there is no output before the transcripts were compared")
        return self.role.output if isinstance(self.role, Receiver) else None


def session_identifier(hello: bytes, hello_ack: bytes) -> bytes:
    """Return the digest of the two hellos, whole frames, with both nonces in them."""
    return blake3.derive("psi/1 session", hello + hello_ack)


def transcript_digest(initiator_frames: Sequence[bytes], acceptor_frames: Sequence[bytes]) -> bytes:
    """Return the digest of the whole frames of each direction, without alive, refuse and finish."""
    d_initiator = blake3.derive("psi/1 transcript initiator", b"".join(initiator_frames))
    d_acceptor = blake3.derive("psi/1 transcript acceptor", b"".join(acceptor_frames))
    return blake3.derive("psi/1 transcript", d_initiator + d_acceptor)


def run(initiator: Party, acceptor: Party) -> tuple[list[bytes], list[bytes]]:
    """Let two parties talk to the end; return the whole frames of the initiator and those of the acceptor."""
    seen_by_initiator = seen_by_acceptor = 0
    while seen_by_acceptor < len(initiator.sent) or seen_by_initiator < len(acceptor.sent):
        if seen_by_acceptor < len(initiator.sent):
            acceptor.receive(initiator.sent[seen_by_acceptor])
            seen_by_acceptor += 1
        else:
            initiator.receive(acceptor.sent[seen_by_initiator])
            seen_by_initiator += 1
    return initiator.sent, acceptor.sent
