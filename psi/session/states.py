"""
State the order of frames: two tables, (state, frame type) to state, for what a party sends and what it receives.

The initiator and the acceptor differ until the sizes are known; a receiver and a sender differ in the frames of
their suite. The order among the frames of a suite is the role's own affair. A pair that is not in a table has no
place: received, it is the peer's fault (psi.md, "States").
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psi.wire import FrameType


class State(enum.Enum):
    """Say how far a session has come."""

    START = "start"
    GREETED = "greeted"  # the hello has been sent or received
    AGREED = "agreed"  # the hello-ack too
    SIZED = "sized"  # the initiator's sizes too
    SUITE = "suite"  # both sizes are known; the roles talk
    FINISH_SENT = "finish sent"
    FINISH_RECEIVED = "finish received"
    FINISHED = "finished"  # the transcripts were equal
    ENDED = "ended"  # by a fault, a refusal or the caller


@dataclass(frozen=True)
class Table:
    """Hold the transitions of one party."""

    sends: Mapping[tuple[State, FrameType], State]
    receives: Mapping[tuple[State, FrameType], State]


_INITIATOR = Table(
    sends={
        (State.START, FrameType.HELLO): State.GREETED,
        (State.AGREED, FrameType.SIZES): State.SIZED,
    },
    receives={
        (State.GREETED, FrameType.HELLO_ACK): State.AGREED,
        (State.SIZED, FrameType.SIZES): State.SUITE,
    },
)
_ACCEPTOR = Table(sends=_INITIATOR.receives, receives=_INITIATOR.sends)
_BOTH = Table(
    sends={
        (State.SUITE, FrameType.FINISH): State.FINISH_SENT,
        (State.FINISH_RECEIVED, FrameType.FINISH): State.FINISHED,
        (State.AGREED, FrameType.ALIVE): State.AGREED,
        (State.SIZED, FrameType.ALIVE): State.SIZED,
        (State.SUITE, FrameType.ALIVE): State.SUITE,
        (State.FINISH_RECEIVED, FrameType.ALIVE): State.FINISH_RECEIVED,
    },
    receives={
        (State.SUITE, FrameType.FINISH): State.FINISH_RECEIVED,
        (State.FINISH_SENT, FrameType.FINISH): State.FINISHED,
        (State.AGREED, FrameType.ALIVE): State.AGREED,
        (State.SIZED, FrameType.ALIVE): State.SIZED,
        (State.SUITE, FrameType.ALIVE): State.SUITE,
        (State.FINISH_SENT, FrameType.ALIVE): State.FINISH_SENT,
    },
)
_REFUSE: dict[tuple[State, FrameType], State] = {
    (state, FrameType.REFUSE): State.ENDED for state in State if state not in (State.FINISHED, State.ENDED)
}


def table(*, initiator: bool, sends: Iterable[FrameType], receives: Iterable[FrameType]) -> Table:
    """Return the table of a party whose role sends and receives these frames of its suite."""
    opening = _INITIATOR if initiator else _ACCEPTOR
    return Table(
        sends={
            **opening.sends,
            **{(State.SUITE, kind): State.SUITE for kind in sends},
            **_BOTH.sends,
            **_REFUSE,
        },
        receives={
            **opening.receives,
            **{(State.SUITE, kind): State.SUITE for kind in receives},
            **_BOTH.receives,
            **_REFUSE,
        },
    )
