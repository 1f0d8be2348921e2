"""
Stand between two parties as a link of a certain rate and delay; ``python -m psi.bench.relay`` is the process.

Many kernels have no netem, and changing a machine's network needs the rights of its administrator, so the link is made
here: in each direction a bucket lets bytes go at the rate, and a line holds them for half of the round trip. It models
rate and delay; it models no loss, no other traffic and no slow start of TCP. ``accuracy`` measures how well it keeps to
what it promises, and every result that came through it says so.
"""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

PIECE_BYTES = 1 << 16
_QUEUE_S = 0.02  # what a router would hold besides what is under way
_PINGS = 21


@dataclass(frozen=True)
class Link:
    """Describe a link: ``rate_bit_s`` in each direction (0: as quick as it goes), ``round_trip_s`` both ways."""

    name: str
    title: str
    rate_bit_s: float
    round_trip_s: float

    @property
    def is_shaped(self) -> bool:
        """Say whether bytes go through the relay."""
        return self.rate_bit_s > 0

    def floor_s(self, to_holder: int, to_requester: int) -> float:
        """Return the time that the bytes of the busier direction take on the link, and one round trip."""
        if not self.is_shaped:
            return 0.0
        return max(to_holder, to_requester) * 8 / self.rate_bit_s + self.round_trip_s


LOOPBACK = Link("loopback", "one machine, no link between", 0, 0)
LINKS = {
    link.name: link
    for link in (
        LOOPBACK,
        Link("1gbit-1ms", "1 Gbit/s, 1 ms round trip", 1e9, 0.001),
        Link("100mbit-10ms", "100 Mbit/s, 10 ms round trip", 1e8, 0.010),
        Link("20mbit-80ms", "20 Mbit/s, 80 ms round trip", 2e7, 0.080),
    )
}


class _Line:
    """Carry one direction: bytes leave ``source`` at the rate and reach ``sink`` after the delay."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, rate_bytes_s: float, delay_s: float
    ) -> None:
        self._source, self._sink, self._delay_s = source, sink, delay_s
        self._rate = rate_bytes_s
        self._room = max(int(rate_bytes_s * (delay_s + _QUEUE_S)), PIECE_BYTES) if rate_bytes_s else 1 << 30
        # A piece is a millisecond of the link at most, so that a thin one is not served in gulps.
        self._piece = min(PIECE_BYTES, max(int(rate_bytes_s / 1000), 1500)) if rate_bytes_s else PIECE_BYTES
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self.carried_bytes = 0
        self.threads = [threading.Thread(target=self._take), threading.Thread(target=self._give)]

    def _take(self) -> None:
        free_s = 0.0  # when the bucket has let everything before go
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held < self._room)
            try:
                data = self._source.recv(self._piece)
            except OSError:
                data = b""
            now = time.monotonic()
            if self._rate:
                free_s = max(now, free_s) + len(data) / self._rate
            with self._changed:
                self._waiting.append(((free_s if self._rate else now) + self._delay_s, data))
                self._held += len(data)
                self._changed.notify_all()
            if not data:
                return

    def _give(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                due_s, data = self._waiting.popleft()
            ahead_s = due_s - time.monotonic()
            if ahead_s > 0:
                time.sleep(ahead_s)
            with contextlib.suppress(OSError):
                if data:
                    self._sink.sendall(data)
                else:
                    self._sink.shutdown(socket.SHUT_WR)
            with self._changed:
                self._held -= len(data)
                self.carried_bytes += len(data)
                self._changed.notify_all()
            if not data:
                return


def forward(front: socket.socket, target_port: int, link: Link) -> tuple[int, int]:
    """Carry one connection to the target and back until both ends are done; return the bytes to it and from it."""
    back = socket.create_connection(("127.0.0.1", target_port))
    for end in (front, back):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rate, delay_s = link.rate_bit_s / 8, link.round_trip_s / 2
    there, again = _Line(front, back, rate, delay_s), _Line(back, front, rate, delay_s)
    threads = [*there.threads, *again.threads]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join()
    front.close()
    back.close()
    return there.carried_bytes, again.carried_bytes


class Relay:
    """Run a relay process: ``port`` is where to connect, ``carried`` says what it carried once it is over."""

    def __init__(self, link: Link) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "psi.bench.relay", link.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(_line(self._process.stdout)["port"])

    def aim(self, port: int) -> None:
        """Say which port of this machine it leads to; a connection made before waits for that."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{port}\n")
        self._process.stdin.flush()

    def carried(self) -> tuple[int, int]:
        """Wait for the connection's end and return the bytes to the target and from it, TLS records and all."""
        told = _line(self._process.stdout)
        self._process.wait()
        return int(told["to_target"]), int(told["from_target"])

    def stop(self) -> None:
        """End the process whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _line(stream: IO[str] | None) -> dict[str, int]:
    assert stream is not None
    line = stream.readline()
    if not line:
        raise EOFError("the relay ended early")
    told: dict[str, int] = json.loads(line)
    return told


@dataclass(frozen=True)
class Accuracy:
    """Say what a relay did with a ping of one byte and with a long message, beside what it was asked for."""

    link: str
    asked_round_trip_s: float
    round_trip_s: float
    round_trip_max_s: float
    asked_rate_bit_s: float
    rate_bit_s: float
    sent_bytes: int


def accuracy(link: Link, *, send_s: float = 1.0) -> Accuracy:
    """Measure a relay: the round trips of single bytes, and the rate of ``send_s`` seconds of bytes one way."""
    amount = int(link.rate_bit_s / 8 * send_s)
    with _echo(amount) as port:
        relay = Relay(link)
        try:
            relay.aim(port)
            trips, took_s = _measure(relay.port, amount)
            relay.carried()
        finally:
            relay.stop()
    return _judged(link, trips, took_s, amount)


def kernel_accuracy(link: Link, *, send_s: float = 1.0) -> Accuracy | str:
    """
    Measure the kernel's token bucket (tbf) in a network of its own, at the same rate and in the same way.

    It delays nothing, so the round trip is that of the loopback. Returns why not where the kernel has no such thing, or
    this user may not make a network.
    """
    amount = int(link.rate_bit_s / 8 * send_s)
    bucket = f"rate {int(link.rate_bit_s)}bit burst 64kb latency 400ms"
    script = (
        "ip link set lo up mtu 1500 && "
        f"tc qdisc add dev lo root tbf {bucket} && "
        f'exec "$0" -P -m psi.bench.relay {link.name} {amount}'
    )
    try:
        done = subprocess.run(
            ["unshare", "--net", "sh", "-c", script, sys.executable],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unshare is not installed"
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1].lower()
    told = json.loads(done.stdout)
    return _judged(link, told["trips"], told["took_s"], amount)


def _judged(link: Link, trips: list[float], took_s: float, amount: int) -> Accuracy:
    return Accuracy(
        link.name,
        link.round_trip_s,
        round(statistics.median(trips), 6),
        round(max(trips), 6),
        link.rate_bit_s,
        round(amount * 8 / took_s),
        amount,
    )


def _measure(port: int, amount: int) -> tuple[list[float], float]:
    """Return the round trips of single bytes to an echo, and how long ``amount`` bytes one way took."""
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        trips = []
        for _ in range(_PINGS):
            began_s = time.monotonic()
            stream.sendall(b"p")
            stream.recv(1)
            trips.append(time.monotonic() - began_s)
        began_s = time.monotonic()
        stream.sendall(bytes(amount))
        stream.recv(1)
        took_s = time.monotonic() - began_s - statistics.median(trips)
    return trips, took_s


@contextlib.contextmanager
def _echo(amount: int) -> Iterator[int]:
    """Answer one connection to the port that is yielded as ``_measure`` expects it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer, args=(server, amount), daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join()


def _answer(server: socket.socket, amount: int) -> None:
    """Send pings back, and one byte when ``amount`` more bytes have come."""
    stream, _ = server.accept()
    with stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(_PINGS):
            stream.sendall(stream.recv(1))
        while amount > 0:
            got = stream.recv(min(amount, 1 << 20))
            if not got:
                return
            amount -= len(got)
        stream.sendall(b"d")


def main() -> None:
    """
    Carry one connection over the link named by the first argument, as the lines of standard input say.

    With a second argument, a number of bytes, measure the loopback as it is instead, in the way of ``accuracy``.
    """
    link = LINKS[sys.argv[1]]
    if len(sys.argv) > 2:
        amount = int(sys.argv[2])
        with _echo(amount) as port:
            trips, took_s = _measure(port, amount)
        sys.stdout.write(json.dumps({"trips": trips, "took_s": took_s}) + "\n")
        return
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(json.dumps({"port": server.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        target_port = int(sys.stdin.readline())
        front, _ = server.accept()
        there, again = forward(front, target_port, link)
    sys.stdout.write(json.dumps({"to_target": there, "from_target": again}) + "\n")


if __name__ == "__main__":
    main()
