"""Run a session with the other party over mutual TLS: the only code that touches the network."""

from __future__ import annotations

from psi.transport.channel import Channel, Clock, local_pair
from psi.transport.dialer import connect
from psi.transport.driver import drive
from psi.transport.listener import Listener, Stranger
from psi.transport.tls import Fault

__all__ = ["Channel", "Clock", "Fault", "Listener", "Stranger", "connect", "drive", "local_pair"]
