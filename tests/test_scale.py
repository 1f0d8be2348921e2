"""
The overlap equals a plain join at the sizes that the project exists for: a hundred times at 1.28 million, three at ten.

Left out unless ``--scale`` is given (``make test-slow``): ten minutes, and 4 GB. Each run has other people,
another overlap, other seeds; items are compared as digests, so that a run takes no longer than the suite.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from psi.session import Role, Session
from psi.wire import MAX_ITEMS, Suite
from tests.session_kit import exchange

pytestmark = [pytest.mark.scale, pytest.mark.slow]

MILLION, TEN_MILLIONS = 1_280_000, 10_000_000


def people(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Return digests of people that nobody else has: 256 random bits each."""
    return rng.integers(0, 2**64, (count, 4), dtype=np.uint64).view(np.uint8)


def session(role: Role, digests: NDArray[np.uint8], suite: Suite, run: int) -> Session:
    def secret(name: str) -> bytes:
        return hashlib.sha256(f"{name} of the {role.value} in run {run}".encode()).digest()

    parties = {Role.RECEIVER: b"r" * 32, Role.SENDER: b"s" * 32}
    other = Role.SENDER if role is Role.RECEIVER else Role.RECEIVER
    return Session(
        role,
        digests,
        suite=suite,
        initiator=role is Role.RECEIVER,
        terms_digest=b"t" * 32,
        certificate=parties[role],
        peer_certificate=parties[other],
        max_items=MAX_ITEMS,
        peer_max_items=MAX_ITEMS,
        seed=secret("seed"),
        nonce=secret("nonce"),
        threads=2,
        report=True,
    )


def joins(suite: Suite, n_receiver: int, n_sender: int, run: int) -> bool:
    """Run a suite over fresh lists with a random overlap; return whether both outputs are those of a plain join."""
    rng = np.random.default_rng([n_receiver, n_sender, run])
    overlap = int(rng.integers(0, min(n_receiver, n_sender), endpoint=True))
    shared = people(rng, overlap)
    sides = {}
    for role, count in ((Role.RECEIVER, n_receiver), (Role.SENDER, n_sender)):
        order = rng.permutation(count)
        digests = np.concatenate([shared, people(rng, count - overlap)])[order]
        sides[role] = digests, np.flatnonzero(order < overlap)
    receiver, sender = (session(role, sides[role][0], suite, run) for role in Role)
    exchange(receiver, sender)
    outputs = [(receiver.output(), sides[Role.RECEIVER][1]), (sender.output(), sides[Role.SENDER][1])]
    return all(
        output.overlap == overlap and output.matched is not None and np.array_equal(output.matched, expected)
        for output, expected in outputs
    )


def note(name: str, runs: int, right: int, began_s: float) -> None:
    """Leave a line of what was run where ``PSI_SCALE_RECORD`` says, for who keeps a record."""
    path = os.environ.get("PSI_SCALE_RECORD")
    if path:
        record = {"name": name, "runs": runs, "right": right, "seconds": round(time.monotonic() - began_s, 1)}
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")


@pytest.mark.parametrize(
    ("suite", "count", "runs"),
    [
        (Suite.VOLE_MALICIOUS, MILLION, 100),
        (Suite.VOLE_SEMI_HONEST, MILLION, 20),
        (Suite.VOLE_MALICIOUS, TEN_MILLIONS, 3),
    ],
    ids=lambda value: value.value if isinstance(value, Suite) else f"{value:,}",
)
def test_every_run_equals_a_plain_join(suite: Suite, count: int, runs: int) -> None:
    began_s = time.monotonic()
    right = sum(joins(suite, count, count, run) for run in range(runs))
    note(f"{suite.value} {count} x {count}", runs, right, began_s)
    assert right == runs
