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
    One side of a suite: frames in, frames out (``psi._core`` makes them; a frame here is type and body).

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


class ReceiverRole(CoreRole, Protocol):
    """The side that has an output."""

    def overlap(self) -> int:
        """Return how many of the own items the peer has."""

    def matched(self) -> NDArray[np.uint32]:
        """Return which they are, ascending; only where the suite tells."""


@dataclass(frozen=True)
class Roles:
    """
    Hold what runs a suite; a new suite is one more line of ``SUITES``.

    ``receiver`` takes ``(digests, *, n_sender, sid, seed, threads)``, ``sender`` the same with ``n_receiver``.
    """

    receiver: Callable[..., ReceiverRole]
    sender: Callable[..., CoreRole]
    from_receiver: tuple[FrameType, ...]
    from_sender: tuple[FrameType, ...]


def _ecdh(*, cardinality: bool) -> Roles:
    """Return the line of a suite over the group (ecdh.md)."""
    return Roles(
        receiver=partial(_core.EcdhReceiver, cardinality=cardinality),
        sender=partial(_core.EcdhSender, cardinality=cardinality),
        from_receiver=(FrameType.BLINDED,),
        from_sender=(FrameType.EVALUATED, FrameType.TAGS),
    )


SUITES: Mapping[Suite, Roles] = {
    Suite.ECDH: _ecdh(cardinality=False),
    Suite.ECDH_CARDINALITY: _ecdh(cardinality=True),
}
