"""Reach the holder's listener, which may not be there yet."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable

from psi.errors import PeerError, PsiError, TransportError
from psi.identity import Identity
from psi.transport.channel import Channel, Clock
from psi.transport.tls import Fault, Handshake, HandshakeError, context

ATTEMPT_S = 5.0  # how long one attempt to reach the listener may take
BETWEEN_ATTEMPTS_S = 0.25
_NOT_THERE = {Fault.GONE, Fault.LATE}  # a forwarder accepts before anybody listens behind it


def connect(
    host: str,
    port: int,
    *,
    identity: Identity,
    peer_certificate: bytes,
    timeout_s: float,
    clock: Clock | None = None,
    on_retry: Callable[[], None] | None = None,
) -> Channel:
    """
    Return the channel to the peer with ``peer_certificate`` (DER); the requester's side of a run calls it.

    The other side may be started later: while nobody listens, it tries again until ``timeout_s`` is over, and calls
    ``on_retry`` when the first attempt has failed, unless there is no time for another. Raises ``TransportError`` when
    nobody was reached, ``PeerError`` when somebody else was, ``MachineError`` when the identity's TLS files cannot be
    used.
    """
    clock = clock or Clock()
    settings = context(server=False, identity=identity, peer_certificate=peer_certificate)
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    end = clock.now() + timeout_s
    tried = False
    while True:
        try:
            connection = _dial(host, port, where, min(ATTEMPT_S, timeout_s))
            handshake = Handshake(
                settings,
                connection,
                server=False,
                peer_certificate=peer_certificate,
                address=where,
                end=end,
            )
            return _shake_hands(handshake, clock)
        except OSError:
            missing = "nobody listens at"
        except HandshakeError as failure:
            if failure.fault not in _NOT_THERE:
                raise _not_the_peer(failure.fault, where) from None
            missing = "no TLS handshake with"
        if on_retry is not None and not tried and timeout_s > 0:
            on_retry()
        tried = True
        if clock.now() >= end:
            raise TransportError(
                f"{missing} {where}, tried for {timeout_s:g} s",
                hint="start `psi serve` on the other side, and look at its --listen address and the firewalls between",
            )
        time.sleep(min(BETWEEN_ATTEMPTS_S, clock.tick_s))


def _dial(host: str, port: int, where: str, timeout_s: float) -> socket.socket:
    """Return a connection; raise ``OSError`` when nobody is there and ``TransportError`` for an unknown name."""
    try:
        return socket.create_connection((host, port), timeout=timeout_s)
    except (socket.gaierror, UnicodeError) as error:
        if getattr(error, "errno", None) == socket.EAI_AGAIN:  # the name service is not there yet
            raise OSError from None
        raise TransportError(
            f"the name in {where} is not known",
            hint="look at the spelling of --connect HOST:PORT; an address in numbers needs no name service",
        ) from None


def _shake_hands(handshake: Handshake, clock: Clock) -> Channel:
    """Finish a handshake and return the channel; raise ``HandshakeError`` and close the connection if it fails."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handshake.stream, handshake.wants)
            while not handshake.advance():
                selector.modify(handshake.stream, handshake.wants)
                selector.select(clock.tick_s)
                if clock.now() >= handshake.end:
                    raise HandshakeError(Fault.LATE)
        return Channel(handshake.stream, clock=clock, peer=handshake.address)
    except BaseException:
        handshake.stream.close()
        raise


def _not_the_peer(fault: Fault, where: str) -> PsiError:
    """Say that somebody answered who is not the peer of the terms."""
    if fault in (Fault.CERTIFICATE, Fault.REFUSED_OURS):
        return PeerError(
            f"the certificate at {where} is not the one in the terms"
            if fault is Fault.CERTIFICATE
            else f"the listener at {where} did not accept this side's certificate",
            hint="compare both fingerprints of the terms with `psi id show` on each side",
        )
    return PeerError(
        f"what listens at {where} is not the other side: {fault.value}",
        hint="look at --connect HOST:PORT: is it the address that `psi serve` prints?",
    )
