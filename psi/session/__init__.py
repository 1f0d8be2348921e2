"""Run one suite with one peer, without I/O: bytes in, bytes out, no output before both sides saw the same."""

from __future__ import annotations

from psi import _core
from psi.session.machine import DEADLINE_S, SEED_BYTES, Output, Progress, Role, Session
from psi.session.planning import Traffic, traffic

__all__ = [
    "DEADLINE_S",
    "SEED_BYTES",
    "Output",
    "Progress",
    "Role",
    "Session",
    "Traffic",
    "backend",
    "traffic",
]


def backend() -> dict[str, str]:
    """Return which implementation of each kernel runs on this machine; ``psi doctor`` prints it."""
    return _core.backend()
