"""
One party of OpenMined PSI, in a process of the peers' own environment; nothing of this project is imported.

The package makes and reads messages and leaves their transport to its user: here a plain connection on loopback. The
requester is its client, which learns; its server learns nothing. The set is sent raw, so that the result is exact.
"""

from __future__ import annotations

import csv
import json
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any

LENGTH_BYTES = 8


def main() -> None:
    """Run one party and print what it took."""
    given = json.loads(sys.stdin.readline())
    import private_set_intersection.python as psi

    server = None
    if given["rank"] == 1:
        server = socket.create_server(("127.0.0.1", given["ports"][1]))
    show({"ready": True})
    sys.stdin.readline()
    began_s, began_cpu_s = time.monotonic(), cpu_s()
    with open(given["file"], newline="") as stream:
        rows = list(csv.reader(stream))
    header, rows = rows[0], rows[1:]
    keys = [row[header.index("key")] for row in rows]
    found: list[int] = []
    if server is not None:
        party = psi.server.CreateWithNewKey(True)
        # No client is known yet, so the set is made ready while the client makes its request.
        setup = party.CreateSetupMessage(1e-9, given["peer_rows"], keys, psi.DataStructure.RAW)
        connection, _ = server.accept()
        with connection:
            request = psi.Request()
            request.ParseFromString(receive(connection))
            send(connection, setup.SerializeToString())
            send(connection, party.ProcessRequest(request).SerializeToString())
    else:
        client = psi.client.CreateWithNewKey(True)
        request = client.CreateRequest(keys)
        with socket.create_connection(("127.0.0.1", given["ports"][1])) as connection:
            send(connection, request.SerializeToString())
            setup, response = psi.ServerSetup(), psi.Response()
            setup.ParseFromString(receive(connection))
            response.ParseFromString(receive(connection))
        found = sorted(client.GetIntersection(setup, response))
        with open(given["out"], "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            writer.writerows(rows[place] for place in found)
    show(
        {
            "began_s": began_s,
            "ended_s": time.monotonic(),
            "cpu_s": cpu_s() - began_cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
            "count": len(found),
        }
    )


def send(connection: socket.socket, message: bytes) -> None:
    """Send a message after its length."""
    connection.sendall(len(message).to_bytes(LENGTH_BYTES, "little"))
    connection.sendall(message)


def receive(connection: socket.socket) -> bytes:
    """Return the next message."""
    length = int.from_bytes(exactly(connection, LENGTH_BYTES), "little")
    return exactly(connection, length)


def exactly(connection: socket.socket, length: int) -> bytes:
    """Return exactly so many bytes; raise ``EOFError`` where the connection ends before."""
    data = bytearray(length)
    room = memoryview(data)
    while room:
        count = connection.recv_into(room)
        if count == 0:
            raise EOFError("the connection ended")
        room = room[count:]
    return bytes(data)


def cpu_s() -> float:
    """Return the processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_bytes() -> int:
    """Return the largest resident set of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def show(record: dict[str, Any]) -> None:
    """Write a JSON line for the process that started this one."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
