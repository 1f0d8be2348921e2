"""
A peer that cheats: a real session over a real channel, honest but for what a script does with its frames.

Run as a program it is one whole party that kills itself with SIGKILL when it is about to send a chosen frame.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from psi import identity, wire
from psi.errors import PsiError, StateError
from psi.identity import Identity
from psi.session import Role, Session
from psi.transport import Channel, Clock, connect, drive
from psi.transport.channel import ConnectionLostError
from psi.wire import FrameType
from tests.session_kit import in_thread, make_session, tls_channels

QUICK = Clock(tick_s=0.005)


def _nothing() -> None:
    """Wait on; whoever is cheated ends the connection sooner or later."""


class CheatingPeer:
    """
    One party whose frames go through ``cheat(peer, place, frame)``, which sends what it likes; places count from 0.

    ``heard`` are the frames it was sent. It listens until the other side ends the connection.
    """

    def __init__(
        self, channel: Channel, session: Session, cheat: Callable[[CheatingPeer, int, bytes], None]
    ) -> None:
        self._channel, self._session, self._cheat = channel, session, cheat
        self.heard: list[bytes] = []

    def run(self) -> list[bytes]:
        """Take part in a run and return what was heard."""
        place = 0
        try:
            while not self._session.finished:
                frame = self._session.next_frame()
                if frame is not None:
                    self._cheat(self, place, frame)
                    place += 1
                elif self._session.needs_peer:
                    self._session.receive(self._hear())
            self.listen()
        except ConnectionLostError:
            pass
        except PsiError:  # it was refused, or its own lies confused it
            self.listen()
        finally:
            self._channel.close()
        return self.heard

    def send(self, data: bytes) -> None:
        """Send bytes, a frame or not."""
        self._channel.send(data, while_blocked=_nothing)

    def listen(self) -> None:
        """Say nothing more and listen until the connection ends."""
        try:
            while True:
                self._hear()
        except ConnectionLostError:
            return

    def fall_silent(self) -> None:
        """Say nothing more; the script goes no further."""
        self.listen()
        raise ConnectionLostError("the other side has ended it")

    def disconnect(self) -> None:
        """End the connection at once."""
        self._channel.close()
        raise ConnectionLostError("as the script says")

    def _hear(self) -> bytes:
        frame = self._channel.receive()
        self.heard.append(frame)
        return frame


def cheated(
    identities: Mapping[str, Identity],
    victim: Session,
    cheater: Session,
    cheat: Callable[[CheatingPeer, int, bytes], None],
    error: type[BaseException],
    match: str | None = None,
    *,
    clock: Clock = QUICK,
) -> tuple[BaseException, list[bytes]]:
    """Run a victim against a cheating peer; return the victim's error and what the peer heard."""
    requester, holder = tls_channels(identities, clock=clock)
    mine, theirs = (requester, holder) if victim.initiator else (holder, requester)
    heard = in_thread(CheatingPeer(theirs, cheater, cheat).run)
    with pytest.raises(error, match=match) as caught:
        drive(victim, mine, idle_timeout_s=300, clock=clock)
    assert not victim.finished
    with pytest.raises(StateError):
        victim.output()
    return caught.value, heard.result(timeout=30)


def replacing(
    kind: FrameType, change: Callable[[bytes], bytes]
) -> Callable[[CheatingPeer, int, bytes], None]:
    """Return a script that sends ``change(body)`` as the body of every frame of a type."""

    def cheat(peer: CheatingPeer, _place: int, frame: bytes) -> None:
        if wire.frame_type(frame) is kind:
            peer.send(wire.pack(frame[4:5] + change(frame[5:])))
        else:
            peer.send(frame)

    return cheat


def instead(kind: FrameType, data: bytes) -> Callable[[CheatingPeer, int, bytes], None]:
    """Return a script that sends these bytes instead of the first frame of a type, and then listens."""

    def cheat(peer: CheatingPeer, _place: int, frame: bytes) -> None:
        if wire.frame_type(frame) is kind:
            peer.send(data)
            peer.fall_silent()
        peer.send(frame)

    return cheat


def _die_at(fatal: int) -> Callable[[CheatingPeer, int, bytes], None]:
    def cheat(peer: CheatingPeer, place: int, frame: bytes) -> None:
        if place == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        peer.send(frame)

    return cheat


def main(folder: str, certificate: str, port: str, role: str, fatal: str) -> None:
    """Join a run over TLS on this machine and die at a frame."""
    channel = connect(
        "127.0.0.1",
        int(port),
        identity=identity.load(Path(folder)),
        peer_certificate=Path(certificate).read_bytes(),
        timeout_s=30,
    )
    session = make_session(Role(role), range(3), initiator=True)
    CheatingPeer(channel, session, _die_at(int(fatal))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
