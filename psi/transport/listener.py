"""Wait for the one peer that the terms name, however many others knock."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass

from psi.errors import MachineError, TransportError, UsageError
from psi.identity import Identity
from psi.transport.channel import Channel, Clock
from psi.transport.tls import Fault, Handshake, HandshakeError, context

HANDSHAKE_S = 10.0  # how long a stranger may take; a handshake is two round trips
MAX_HANDSHAKES = 16  # at a time; when one more comes, the oldest goes


@dataclass(frozen=True)
class Stranger:
    """Describe a connection that was refused: the address it came from, and why."""

    address: str
    fault: Fault


class Listener:
    """
    Listen for the peer with ``peer_certificate`` (DER); the holder's side of a run makes one.

    Port 0 lets the system choose. Raises ``MachineError`` when the address cannot be had or the identity's TLS files
    cannot be used, and ``UsageError`` when the host has no address.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        identity: Identity,
        peer_certificate: bytes,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._peer_certificate = peer_certificate
        self._settings = context(server=True, identity=identity, peer_certificate=peer_certificate)
        self._socket = _bind(host, port)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._handshakes: list[Handshake] = []  # the oldest first
        self.refused = 0

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and the port that were bound."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Stop listening; a channel that was accepted stays."""
        self._selector.close()
        self._socket.close()

    def accept(self, *, timeout_s: float, on_refused: Callable[[Stranger], None] | None = None) -> Channel:
        """
        Return the channel to the right peer once it has shown its certificate.

        Whoever else connects (a port scanner, a browser, a peer with another certificate) is refused, counted, told
        to ``on_refused``, and the wait goes on: nobody but the right peer can end it, and a slow handshake holds up
        no other. Raises ``TransportError`` when the right peer has not come within ``timeout_s``.
        """
        end = self._clock.now() + timeout_s
        try:
            while self._clock.now() < end:
                refused: dict[Handshake, Fault] = {}
                for key, _ in self._selector.select(self._clock.tick_s):
                    if key.data is None:
                        self._greet()
                        continue
                    try:
                        if key.data.advance():
                            return self._admit(key.data)
                        self._selector.modify(key.data.stream, key.data.wants, key.data)
                    except HandshakeError as failure:
                        refused[key.data] = failure.fault
                for handshake, fault in {**self._too_late(), **refused}.items():
                    self._forget(handshake)
                    handshake.stream.close()
                    self.refused += 1
                    if on_refused is not None:
                        on_refused(Stranger(handshake.address, fault))
        finally:
            for handshake in list(self._handshakes):
                self._forget(handshake)
                handshake.stream.close()
        raise TransportError(
            f"the other party did not come within {timeout_s:g} s; others refused: {self.refused}",
            hint="start both sides again, and let the other side connect to the address this side listens on",
        )

    def _greet(self) -> None:
        """Begin a handshake with whoever knocks."""
        with contextlib.suppress(OSError, HandshakeError):  # gone again before it was let in
            connection, address = self._socket.accept()
            handshake = Handshake(
                self._settings,
                connection,
                server=True,
                peer_certificate=self._peer_certificate,
                address=str(address[0]),
                end=self._clock.now() + HANDSHAKE_S,
            )
            self._handshakes.append(handshake)
            self._selector.register(handshake.stream, handshake.wants, handshake)

    def _admit(self, handshake: Handshake) -> Channel:
        """Make a channel of a handshake that is done."""
        self._forget(handshake)
        return Channel(handshake.stream, clock=self._clock, peer=handshake.address)

    def _forget(self, handshake: Handshake) -> None:
        """Stop watching a handshake."""
        self._handshakes.remove(handshake)
        self._selector.unregister(handshake.stream)

    def _too_late(self) -> dict[Handshake, Fault]:
        """Return the handshakes whose time is up, and the oldest when there are too many."""
        now, too_many = self._clock.now(), max(len(self._handshakes) - MAX_HANDSHAKES, 0)
        return {
            handshake: Fault.LATE
            for place, handshake in enumerate(self._handshakes)
            if place < too_many or handshake.end <= now
        }


def _bind(host: str, port: int) -> socket.socket:
    """Return a listening socket at the first address of the host that can be had."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UsageError(
            f"the name {host} has no address",
            hint="--listen 127.0.0.1:PORT for this machine alone, --listen 0.0.0.0:PORT for all networks",
        ) from None
    faults: list[MachineError] = []
    for family, _, _, _, address in addresses:
        try:
            made = socket.create_server(address, family=family, backlog=MAX_HANDSHAKES)
        except OSError as error:
            faults.append(_bind_fault(error, host, port))
        else:
            made.setblocking(False)
            return made
    raise faults[0]


def _bind_fault(error: OSError, host: str, port: int) -> MachineError:
    """Say why an address cannot be listened on, and which option chooses another."""
    if error.errno == errno.EADDRINUSE:
        return MachineError(
            f"port {port} on {host} is in use by another program",
            hint=f"end that program (`ss -ltnp 'sport = :{port}'` names it) or choose --listen HOST:PORT",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return MachineError(
            f"{host} is not an address of this machine",
            hint="--listen 127.0.0.1:PORT for this machine alone, --listen 0.0.0.0:PORT for all networks",
        )
    return MachineError(
        f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0).lower()}",
        hint="choose another --listen HOST:PORT; ports up to 1023 need a permission",
    )
