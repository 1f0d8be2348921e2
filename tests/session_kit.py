"""What the tests of session and transport share: items, pairs of sessions, a clock that jumps, channels over TLS."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from psi.errors import PsiError
from psi.identity import Identity
from psi.session import Role, Session
from psi.transport import Channel, Clock, Listener, connect
from psi.wire import Suite

LIMIT = 1 << 20
RUNS = itertools.count()


class StalledError(PsiError):
    """Say that both parties wait for each other; over a network the idle time-out ends that."""


def digests(items: Iterable[int]) -> NDArray[np.uint8]:
    """Return the digests of items, each named by a number."""
    data = b"".join(hashlib.sha256(item.to_bytes(8, "big")).digest() for item in items)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, 32)


def make_session(
    role: Role,
    items: Iterable[int],
    *,
    initiator: bool,
    suite: Suite = Suite.ECDH,
    run: int | None = None,
    **changes: Any,
) -> Session:
    """Return a session of one side; seed and nonce follow from role and run, and no two runs have the same."""
    party = f"{role.value} {next(RUNS) if run is None else -1 - run}"
    arguments: dict[str, Any] = {
        "suite": suite,
        "initiator": initiator,
        "terms_digest": b"t" * 32,
        "certificate": role.value.encode().ljust(32),
        "peer_certificate": (b"sender" if role is Role.RECEIVER else b"receiver").ljust(32),
        "max_items": LIMIT,
        "peer_max_items": LIMIT,
        "seed": hashlib.sha256(f"seed {party}".encode()).digest(),
        "nonce": hashlib.sha256(f"nonce {party}".encode()).digest(),
        "threads": 1,
    }
    return Session(role, digests(items), **{**arguments, **changes})


def make_pair(
    receiver_items: Iterable[int],
    sender_items: Iterable[int],
    *,
    suite: Suite = Suite.ECDH,
    receiver_joins: bool = True,
    run: int | None = None,
) -> tuple[Session, Session]:
    """Return the sessions of a receiver and a sender that agree."""
    return (
        make_session(Role.RECEIVER, receiver_items, suite=suite, initiator=receiver_joins, run=run),
        make_session(Role.SENDER, sender_items, suite=suite, initiator=not receiver_joins, run=run),
    )


def exchange(
    first: Session,
    second: Session,
    deliver: Callable[[Session, bytes], Sequence[bytes]] = lambda _sender, frame: [frame],
) -> None:
    """
    Carry frames between two sessions until both are finished.

    ``deliver`` is given who sends and the frame, and returns what arrives. Raises what either session raises, and
    ``StalledError`` when both wait.
    """
    while not (first.finished and second.finished):
        busy = False
        for sender, other in ((first, second), (second, first)):
            frame = sender.next_frame()
            busy = busy or frame is not None or not (sender.needs_peer or sender.finished)
            for arrived in deliver(sender, frame) if frame is not None else ():
                other.receive(arrived)
        if not busy:
            raise StalledError("both sides wait")


def record(first: Session, second: Session) -> list[tuple[bool, bytes]]:
    """Run two sessions and return every frame with whether the first one sent it, in the order of sending."""
    frames: list[tuple[bool, bytes]] = []

    def note(sender: Session, frame: bytes) -> list[bytes]:
        frames.append((sender is first, frame))
        return [frame]

    exchange(first, second, note)
    return frames


def check_receiver(session: Session, receiver_items: Sequence[int], sender_items: Iterable[int]) -> None:
    """Check the output of a receiver against the plaintext overlap."""
    output, theirs = session.output(), set(sender_items)
    expected = [place for place, item in enumerate(receiver_items) if item in theirs]
    assert output.overlap == len(expected)
    if output.suite.learns_items:
        assert output.matched is not None
        assert output.matched.tolist() == expected
    else:
        assert output.matched is None


class RacingClock:
    """A clock that runs with the machine's until a test lets it race: then each look at it is a minute later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead_s = self._step_s = 0.0
        self.clock = Clock(self.now, tick_s=0.005)

    def now(self) -> float:
        with self._lock:
            self._ahead_s += self._step_s
            return time.monotonic() + self._ahead_s

    def race(self) -> None:
        self._step_s = 60.0


def tls_channels(
    identities: Mapping[str, Identity], *, clock: Clock | None = None
) -> tuple[Channel, Channel]:
    """Return the requester's and the holder's end of a connection over mutual TLS on this machine."""
    requester, holder = identities["requester"], identities["holder"]
    with (
        Listener(
            "127.0.0.1",
            0,
            identity=holder,
            peer_certificate=requester.certificate_der,
            clock=clock,
        ) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        joining = pool.submit(
            connect,
            *listener.address,
            identity=requester,
            peer_certificate=holder.certificate_der,
            timeout_s=30,
            clock=clock,
        )
        accepted = listener.accept(timeout_s=30)
        return joining.result(), accepted


def in_thread(function: Callable[[], Any]) -> Future[Any]:
    """Run a function in a thread of its own and return what will come of it."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name="test").start()
    return future


def check_threads() -> None:
    """Check that no thread of ours is left, and that those of the test come to an end."""
    names = [thread.name for thread in threading.enumerate()]
    assert "psi reader" not in names
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(timeout=30)
            assert not thread.is_alive()
