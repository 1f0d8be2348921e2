"""Run both parties of one system once and print what it took; started in a network of its own where that can be had."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.systems import ENVIRONMENT, HERE, ROOT, SYSTEMS, System

FILES, SIDES = ("requests.csv", "records.csv"), ("requester", "holder")


def main() -> None:
    """Do what the JSON object on standard input says."""
    given = json.loads(sys.stdin.readline())
    system, folder = SYSTEMS[given["system"]], Path(given["folder"])
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    ports, before = free_ports(), wire_bytes()
    outputs = [out / side if system.package is None else out / f"{side}.csv" for side in SIDES]
    parties = [
        start(
            system,
            {
                "rank": rank,
                "file": str(folder / FILES[rank]),
                "out": str(outputs[rank]),
                "ports": ports,
                "protocol": system.protocol,
                "bucket": given["bucket"],
                "peer_rows": given["rows"],
                "terms": str(folder / f"{system.protocol}.toml"),
                "identity": str(folder / SIDES[rank]),
            },
        )
        for rank in (0, 1)
    ]
    try:
        for party in parties:
            read(party)
        for party in reversed(parties):  # the holder first: it listens
            tell(party, {})
        told = [read(party) for party in parties]
    finally:
        for party in parties:
            end(party)
    shown = {
        "wall_s": max(each["ended_s"] for each in told) - min(each["began_s"] for each in told),
        "cpu_s": sum(each["cpu_s"] for each in told),
        "peak_rss_bytes": [each["peak_rss_bytes"] for each in told],
        "count": told[0]["count"],
        "wire_bytes": wire_bytes() - before,
        "outputs": [str(path / "matched.csv" if system.package is None else path) for path in outputs],
    }
    sys.stdout.write(json.dumps(shown) + "\n")


def start(system: System, given: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a party, in the peers' environment where it is a peer's."""
    python = sys.executable if system.package is None else str(ENVIRONMENT / "bin" / "python")
    party = subprocess.Popen(
        [python, str(HERE / system.script)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    tell(party, given)
    return party


def tell(party: subprocess.Popen[str], word: dict[str, Any]) -> None:
    """Hand a party a line."""
    assert party.stdin is not None
    party.stdin.write(json.dumps(word) + "\n")
    party.stdin.flush()


def read(party: subprocess.Popen[str]) -> dict[str, Any]:
    """Return a party's next line; what a package prints besides is passed over."""
    assert party.stdout is not None
    for line in party.stdout:
        if line.startswith("{"):
            told: dict[str, Any] = json.loads(line)
            return told
    raise EOFError("a party ended without a word")


def end(party: subprocess.Popen[str]) -> None:
    """Let a party end, and end it where it does not."""
    try:
        party.wait(timeout=20)
    except subprocess.TimeoutExpired:
        party.kill()
        party.wait()


def free_ports() -> list[int]:
    """Return two ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wire_bytes() -> int:
    """Return the bytes that the loopback of this network has carried, headers and all."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    return 0


if __name__ == "__main__":
    main()
