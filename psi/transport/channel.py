"""Carry whole frames over one connection: TLS to the other party, or a pair inside this process."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from psi import wire
from psi.errors import TransportError

_SCRATCH_BYTES = 1 << 16


@dataclass(frozen=True)
class Clock:
    """
    Tell the time in seconds, and how long anything here sleeps before it looks at the time again.

    Every time-out is decided by ``now``, so that a test can hand in a clock of its own.
    """

    now: Callable[[], float] = time.monotonic
    tick_s: float = 0.2


class ConnectionLostError(TransportError):
    """Say that the connection ended; ``drive`` knows what that means at the time."""


class Channel:
    """
    Send and receive whole frames; ``connect``, ``Listener.accept`` and ``local_pair`` make channels.

    One thread may send while another receives. A TLS object must not be read and written at the same time, so the
    socket does not block, one lock is held for each call on it, and waiting is done without the lock.
    """

    def __init__(self, stream: socket.socket, *, clock: Clock, peer: str = "") -> None:
        stream.setblocking(False)
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = False
        self._unsent = memoryview(b"")
        self._room = bytearray()  # for every frame that arrives: fresh memory costs more than a copy
        self._readable, self._writable = selectors.DefaultSelector(), selectors.DefaultSelector()
        self._readable.register(stream, selectors.EVENT_READ)
        self._writable.register(stream, selectors.EVENT_WRITE)
        self.peer = peer
        self.quiet_since: float | None = None
        """Since when the reader has been waiting for the next byte; ``None`` while it is busy with a frame."""

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, frame: bytes, *, while_blocked: Callable[[], None]) -> None:
        """
        Send a whole frame, after what an interrupted call has left.

        ``while_blocked`` is called at every tick in which the peer takes nothing; what it raises interrupts the call.
        Raises ``ConnectionLostError``.
        """
        self._flush(while_blocked)
        self._unsent = memoryview(frame)
        self._flush(while_blocked)

    def receive(self) -> bytes:
        """
        Return the next whole frame.

        Its length is checked before there is room made for it. Raises ``DecodeError`` for a header that no frame has
        and ``ConnectionLostError`` at the end of the connection, however it comes.
        """
        header = memoryview(bytearray(wire.HEADER_BYTES))
        self.quiet_since = self._clock.now()
        try:
            self._fill(header)
            length = wire.frame_bytes(bytes(header))
            if len(self._room) < length:
                self._room = bytearray(length)
            frame = memoryview(self._room)[:length]
            frame[: wire.HEADER_BYTES] = header
            self._fill(frame[wire.HEADER_BYTES :])
            return bytes(frame)
        finally:
            self.quiet_since = None

    def discard(self) -> None:
        """Read until the connection ends and keep nothing: closing with unread bytes would cut off what we sent."""
        scratch = memoryview(bytearray(_SCRATCH_BYTES))
        with contextlib.suppress(ConnectionLostError):
            while True:
                self._read(scratch)

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes; receiving goes on."""
        with self._lock:
            if isinstance(self._stream, ssl.SSLSocket):
                # It also asks for the peer's goodbye, which `discard` waits for.
                with contextlib.suppress(OSError, ValueError):
                    self._stream.unwrap()
            self._shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """End the connection at once, so that a thread which waits in ``receive`` comes back."""
        with self._lock:
            self._stopped = True
            self._shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; no thread may use the channel any more."""
        self.stop()
        self._readable.close()
        self._writable.close()
        self._stream.close()

    def _shutdown(self, how: int) -> None:
        """Shut the connection down below TLS; ``SSLSocket.shutdown`` would make later reads plain ones."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._stream, how)

    def _flush(self, while_blocked: Callable[[], None]) -> None:
        """Send what is left of the frame that was begun."""
        while self._unsent:
            try:
                with self._lock:
                    self._check_open()
                    sent = self._stream.send(self._unsent)
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._writable.select(self._clock.tick_s)
                while_blocked()
            except ssl.SSLWantReadError:
                self._readable.select(self._clock.tick_s)
                while_blocked()
            except OSError as error:
                raise ConnectionLostError("the connection broke while this side was sending") from error
            else:
                self._unsent = self._unsent[sent:]

    def _fill(self, room: memoryview) -> None:
        """Receive exactly as many bytes as there is room for."""
        while room:
            room = room[self._read(room) :]
            self.quiet_since = self._clock.now()

    def _read(self, room: memoryview) -> int:
        """Wait for bytes and return how many came, at least one; raise ``ConnectionLostError`` at the end."""
        while True:
            try:
                with self._lock:
                    self._check_open()
                    count = self._stream.recv_into(room)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._readable.select(self._clock.tick_s)
            except ssl.SSLWantWriteError:
                self._writable.select(self._clock.tick_s)
            except OSError as error:
                raise ConnectionLostError("the connection broke") from error
            else:
                if count == 0:
                    raise ConnectionLostError("the peer ended the connection")
                return count

    def _check_open(self) -> None:
        """Keep a stopped socket, whose TLS layer may be gone, from being used."""
        if self._stopped:
            raise ConnectionLostError("this side ended the connection")


def local_pair(*, clock: Clock | None = None) -> tuple[Channel, Channel]:
    """
    Return both ends of a connection inside this process, without TLS: it cannot be reached from outside.

    For two parties in one program, as in a test or a benchmark.
    """
    first, second = socket.socketpair()
    return Channel(first, clock=clock or Clock()), Channel(second, clock=clock or Clock())
