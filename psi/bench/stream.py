"""Move a whole file or a table of numbers over a channel, as the alternatives to `psi` do."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from psi import wire
from psi.errors import DecodeError
from psi.wire import FrameType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psi.transport import Channel

CHUNK_BYTES = 1 << 20
_LENGTH_BYTES = 8
# The transport carries whole frames and looks at nothing but their length and that their type is known.
_KIND = bytes([FrameType.TAGS])


class Sender:
    """Send byte strings over a channel and count what goes, frames and all."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.bytes_sent = 0

    def send(self, source: BinaryIO, length: int) -> None:
        """Send exactly ``length`` bytes of a file."""
        self._frame(length.to_bytes(_LENGTH_BYTES, "little"))
        while length:
            chunk = source.read(min(CHUNK_BYTES, length))
            if not chunk:
                raise EOFError("the file became shorter while it was sent")
            self._frame(chunk)
            length -= len(chunk)

    def _frame(self, body: bytes) -> None:
        frame = wire.pack(_KIND + body)
        self._channel.send(frame, while_blocked=_wait)
        self.bytes_sent += len(frame)


def receive(channel: Channel) -> Iterator[memoryview]:
    """Yield the chunks of what the peer's ``Sender.send`` sends; raises ``DecodeError`` when it is something else."""
    head = _body(channel)
    if len(head) != _LENGTH_BYTES:
        raise DecodeError(f"stream: {len(head)} bytes where a length is due")
    left = int.from_bytes(head, "little")
    while left:
        chunk = _body(channel)
        if len(chunk) > left:
            raise DecodeError(f"stream: {len(chunk)} bytes where {left} are left")
        left -= len(chunk)
        yield chunk


def _body(channel: Channel) -> memoryview:
    return memoryview(channel.receive())[wire.HEADER_BYTES :]


def _wait() -> None:
    """Go on waiting: the process that started both parties ends them when it has waited long enough."""
