"""
Kernels that Python reaches, one thread each, driven by pytest-benchmark: ``python -m benchmarks kernels`` runs them.

They are no tests of anything but that they run; ``make test`` leaves this folder alone. ``extra_info["items"]`` of each
says by what its time is to be divided.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import workload
from psi import _core
from psi.items import Collector
from psi.wire import TREE_DEPTH, FrameType, frame_type

ROUNDS = 7
COUNT = workload.LEAD_SIZE
GROUP_COUNT = 1 << 13
STREAMED = 1 << 22
SID = bytes(32)


def seed(name: str) -> bytes:
    """Return a seed for invented items: there is nothing to protect."""
    return hashlib.sha256(name.encode()).digest()


def digests(count: int, of: int) -> NDArray[np.uint8]:
    """Return as many digests of nobody."""
    return np.random.default_rng(of).integers(0, 256, (count, 32), dtype=np.uint8)


def carry(receiver: Any, sender: Any) -> Iterator[tuple[str, float]]:
    """Run two roles in turn; yield who worked, and for how long, each time."""
    while not (receiver.finished and sender.finished):
        for name, one, other in (("receiver", receiver, sender), ("sender", sender, receiver)):
            began_s = time.perf_counter()
            frame = one.next_frame()
            yield name, time.perf_counter() - began_s
            if frame is not None:
                began_s = time.perf_counter()
                other.receive(frame)
                yield ("sender" if name == "receiver" else "receiver"), time.perf_counter() - began_s


def group_roles(count: int) -> tuple[Any, Any]:
    """Return the roles of ``ecdh`` over lists of one length."""
    common: dict[str, Any] = {"cardinality": False, "sid": SID, "threads": 1}
    return (
        _core.EcdhReceiver(digests(count, 1), n_sender=count, seed=seed("receiver"), **common),
        _core.EcdhSender(digests(count, 2), n_receiver=count, seed=seed("sender"), **common),
    )


def vole_roles(n_receiver: int, n_sender: int, *, malicious: bool) -> tuple[Any, Any]:
    """Return the roles of a vole suite."""
    common: dict[str, Any] = {
        "malicious": malicious,
        "report": False,
        "tree_depth": TREE_DEPTH,
        "sid": SID,
        "threads": 1,
    }
    return (
        _core.VoleReceiver(digests(n_receiver, 1), n_sender=n_sender, seed=seed("receiver"), **common),
        _core.VoleSender(digests(n_sender, 2), n_receiver=n_receiver, seed=seed("sender"), **common),
    )


def measure(
    benchmark: BenchmarkFixture, items: int, work: Callable[..., Any], setup: Callable[[], Any] | None = None
) -> None:
    """Measure `work` on what `setup` returns, each round afresh."""
    benchmark.extra_info["items"] = items
    prepare: Callable[[], Any] | None = None if setup is None else lambda: (setup(), {})
    warmup_rounds = 0 if setup else 1
    benchmark.pedantic(work, setup=prepare, rounds=ROUNDS, warmup_rounds=warmup_rounds)  # type: ignore[no-untyped-call]


def test_item_digests(benchmark: BenchmarkFixture) -> None:
    """Key columns to digests, repeated keys collapsed."""
    keys = workload.keys(workload.numbers("receiver", COUNT, COUNT))
    numbers = np.arange(COUNT, dtype=np.uint32)

    def work() -> None:
        collector = Collector(threads=1)
        collector.add(keys, numbers)
        collector.finish()

    measure(benchmark, COUNT, work)


def test_ecdh_both_roles(benchmark: BenchmarkFixture) -> None:
    """Four multiplications in the group for each pair of items: blind, evaluate, unblind, and the sender's own."""
    measure(
        benchmark,
        GROUP_COUNT,
        lambda receiver, sender: list(carry(receiver, sender)),
        lambda: group_roles(GROUP_COUNT),
    )


@pytest.mark.parametrize("malicious", [True, False], ids=["malicious", "semi_honest"])
def test_vole_both_roles(benchmark: BenchmarkFixture, malicious: bool) -> None:
    """Everything between two lists of the lead case's size, both roles one after the other."""
    measure(
        benchmark,
        COUNT,
        lambda receiver, sender: list(carry(receiver, sender)),
        lambda: vole_roles(COUNT, COUNT, malicious=malicious),
    )


def test_vole_sender_for_each_item(benchmark: BenchmarkFixture) -> None:
    """What the sender does once the store has arrived: decode, hash, sort, code; for a long list of its own."""

    def prepare() -> tuple[Any]:
        receiver, sender = vole_roles(1 << 16, STREAMED, malicious=True)
        while True:
            for one, other in ((receiver, sender), (sender, receiver)):
                frame = one.next_frame()
                if frame is not None:
                    if one is sender and frame_type(frame) is FrameType.OPEN:  # the store was taken
                        return (sender,)
                    other.receive(frame)

    def work(sender: Any) -> None:
        while not sender.finished:
            sender.next_frame()  # as in a run, nobody keeps it

    measure(benchmark, STREAMED, work, prepare)
