"""List the suites: the pair of roles that runs each, and the frames that each role sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from psi import _core
from psi.wire import FrameType, Suite


class CoreRole(Protocol):
    """
    One side of a suite: whole frames in, whole frames out (``psi._core`` makes them).

    A role is made from the digests of its items, the number of the peer's items, the session identifier, a seed and
    a number of threads. All its randomness comes from the seed.
    """

    @property
    def needs_peer(self) -> bool:
        """Say whether nothing can be done before a frame of the peer arrives."""

    @property
    def finished(self) -> bool:
        """Say whether everything is sent, received and worked on."""

    def next_frame(self) -> bytes | None:
        """Work on at most one chunk and return the frame that came of it, if one did."""

    def receive(self, frame: bytes) -> None:
        """Take a frame of the peer."""

    def progress(self) -> tuple[str, int, int]:
        """Return the phase, how much of it is done, and of how much."""


class LearningRole(CoreRole, Protocol):
    """A side that has an output: the receiver, and the sender to whom it reports."""

    def matched(self) -> NDArray[np.uint32]:
        """Return which of the own items the peer has, ascending; only where the suite tells."""


class CountingRole(LearningRole, Protocol):
    """The receiver of a suite that may tell the number of matched items alone."""

    def overlap(self) -> int:
        """Return how many of the own items the peer has."""


@dataclass(frozen=True)
class Roles:
    """
    Hold what runs a suite; a new suite is one more line of ``SUITES``.

    ``receiver`` takes ``(digests, *, n_sender, sid, seed, threads)``, ``sender`` the same with ``n_receiver``, and
    both ``tree_depth`` and ``report`` where there is a frame ``report``, by which the receiver tells the sender what
    matched. ``timed``
    is a frame of the sender and the one that the receiver owes it within a time that the terms state.
    """

    receiver: Callable[..., LearningRole]
    sender: Callable[..., CoreRole]
    from_receiver: tuple[FrameType, ...]
    from_sender: tuple[FrameType, ...]
    report: FrameType | None = None
    timed: tuple[FrameType, FrameType] | None = None


def _ecdh(*, cardinality: bool) -> Roles:
    """Return the line of a suite over the group (ecdh.md)."""
    return Roles(
        receiver=partial(_core.EcdhReceiver, cardinality=cardinality),
        sender=partial(_core.EcdhSender, cardinality=cardinality),
        from_receiver=(FrameType.BLINDED,),
        from_sender=(FrameType.EVALUATED, FrameType.TAGS),
    )


def _vole(*, malicious: bool) -> Roles:
    """Return the line of a suite over a silent correlation (vole.md)."""
    checks = (FrameType.CHALLENGE, FrameType.BIND), (FrameType.PROOF, FrameType.OPEN)
    challenges, answers = checks if malicious else ((), ())
    return Roles(
        receiver=partial(_core.VoleReceiver, malicious=malicious),
        sender=partial(_core.VoleSender, malicious=malicious),
        from_receiver=(FrameType.EXTEND, *challenges, FrameType.OKVS),
        from_sender=(FrameType.CHOOSE, FrameType.PUNCTURED, *answers, FrameType.VOLE_TAGS),
        report=FrameType.REPORT,
        timed=(FrameType.PROOF, FrameType.BIND) if malicious else None,
    )


SUITES: Mapping[Suite, Roles] = {
    Suite.VOLE_MALICIOUS: _vole(malicious=True),
    Suite.VOLE_SEMI_HONEST: _vole(malicious=False),
    Suite.ECDH: _ecdh(cardinality=False),
    Suite.ECDH_CARDINALITY: _ecdh(cardinality=True),
}
