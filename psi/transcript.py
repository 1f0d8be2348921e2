"""
Hash every frame of a session, so that both parties can compare what they saw (psi.md, "Transcript").

The hash is handed in, because the compiled module is reached through ``session``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

SESSION_CONTEXT = "psi/1 session"
INITIATOR_CONTEXT = "psi/1 transcript initiator"
ACCEPTOR_CONTEXT = "psi/1 transcript acceptor"
TRANSCRIPT_CONTEXT = "psi/1 transcript"


class Hasher(Protocol):
    """Take bytes piece by piece and give their digest of 32 bytes: BLAKE3 in its key derivation mode."""

    def update(self, data: bytes) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""


class Transcript:
    """
    Hash the frames of both directions, each in the order in which it travels.

    ``hasher`` makes a hasher for a context. The session calls ``add`` for whole frames, all but alive, refuse and
    finish.
    """

    def __init__(self, hasher: Callable[[str], Hasher]) -> None:
        self._hasher = hasher
        self._initiator = hasher(INITIATOR_CONTEXT)
        self._acceptor = hasher(ACCEPTOR_CONTEXT)

    def add(self, frame: bytes, *, from_initiator: bool) -> None:
        """Take the next whole frame of one direction."""
        (self._initiator if from_initiator else self._acceptor).update(frame)

    def digest(self) -> bytes:
        """Return the 32 bytes that both parties must agree on, over all frames so far."""
        both = self._hasher(TRANSCRIPT_CONTEXT)
        both.update(self._initiator.digest())
        both.update(self._acceptor.digest())
        return both.digest()


def session_identifier(hello: bytes, hello_ack: bytes, hasher: Callable[[str], Hasher]) -> bytes:
    """Return the 32 bytes that separate this session from all others: the digest of the two whole hello frames."""
    both = hasher(SESSION_CONTEXT)
    both.update(hello)
    both.update(hello_ack)
    return both.digest()
