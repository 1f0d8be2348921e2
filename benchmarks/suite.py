"""
Run a suite between two processes over the product's own TLS transport on loopback, again and again.

The clock runs from the end of the TLS handshake of the party that is ready first to the row indices of the overlap at
the party that has them last. In between is everything: digests of the raw keys, collapsing equal ones, hello, suite,
comparison of transcripts. Every repetition has two fresh processes, seeds and nonces; nothing is computed beforehand.
With generated items, for lists that are too long for text, the clock starts with digests: 32 bytes an item.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from psi import __version__, identity
from psi.bench.machine import commit
from psi.wire import TREE_DEPTH, Suite

ROOT = Path(__file__).parent.parent
SCHEMA = "psi/benchmark-suite/1"


def measure(
    suite: Suite,
    *,
    n_receiver: int,
    n_sender: int,
    repeat: int,
    threads: int,
    both: bool,
    generated: bool = False,
    tree_depth: int = TREE_DEPTH,
) -> dict[str, Any]:
    """Return the record of a benchmark."""
    with tempfile.TemporaryDirectory(prefix="psi-benchmark-") as folder:
        for name in ("receiver", "sender"):
            identity.create(Path(folder) / name, name)
        setting = {
            "folder": folder,
            "suite": suite.value,
            "n_receiver": n_receiver,
            "n_sender": n_sender,
            "threads": threads,
            "both": both,
            "generated": generated,
            "tree_depth": tree_depth,
        }
        runs = [once(setting) for _ in range(repeat)]
    walls = [max(party["ended_s"] for party in run) - min(party["began_s"] for party in run) for run in runs]
    return {
        "schema": SCHEMA,
        "suite": suite.value,
        "n_receiver": n_receiver,
        "n_sender": n_sender,
        "both_learn": both,
        "generated": generated,
        "tree_depth": tree_depth,
        "link": "loopback, TLS 1.3",
        "correct": all(party["correct"] for run in runs for party in run),
        "wall_s": spread(walls),
        "cpu_s": spread([sum(party["cpu_s"] for party in run) for run in runs]),
        "cpu_s_receiver": spread([run[0]["cpu_s"] for run in runs]),
        "cpu_s_sender": spread([run[1]["cpu_s"] for run in runs]),
        "bytes_total": sum(party["bytes_sent"] for party in runs[-1]),
        "bytes_sent": {"receiver": runs[-1][0]["bytes_sent"], "sender": runs[-1][1]["bytes_sent"]},
        "peak_rss_bytes": {
            name: max(run[place]["peak_rss_bytes"] for run in runs)
            for place, name in enumerate(("receiver", "sender"))
        },
        "backend": runs[-1][0]["backend"],
        "threads": runs[-1][0]["threads"],
        "repetitions": repeat,
        "version": __version__,
        "commit": commit(),
        "machine": machine(),
    }


def once(setting: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run both parties once; return what the receiver and the sender measured."""
    sender = start({**setting, "role": "sender", "peer": "receiver"})
    assert sender.stdout is not None
    port = json.loads(sender.stdout.readline())["port"]
    receiver = start({**setting, "role": "receiver", "peer": "sender", "port": port})
    results = []
    for process in (receiver, sender):
        shown, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"a party ended with code {process.returncode}")
        results.append(json.loads(shown))
    return results[0], results[1]


def start(given: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a party."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.party"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    return process


def spread(values: list[float]) -> dict[str, float]:
    """Return median and extremes."""
    return {
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4),
        "max": round(max(values), 4),
    }


def machine() -> dict[str, Any]:
    """Return what processor and system this is."""
    model = platform.processor()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"processor": model, "system": platform.platform(), "python": platform.python_version()}


def table(record: dict[str, Any]) -> str:
    """Return a record for a person."""
    wall, cpu = record["wall_s"], record["cpu_s"]
    return "\n".join(
        [
            f"{record['suite']}, {record['n_receiver']:,} x {record['n_sender']:,}, "
            f"{record['threads']} threads each, {record['repetitions']} repetitions",
            f"  correct      {'yes' if record['correct'] else 'NO'}",
            f"  wall         {wall['median'] * 1e3:.0f} ms ({wall['min'] * 1e3:.0f} to {wall['max'] * 1e3:.0f})",
            f"  processors   {cpu['median'] * 1e3:.0f} ms ({cpu['min'] * 1e3:.0f} to {cpu['max'] * 1e3:.0f})",
            f"  bytes        {record['bytes_total'] / 1e6:.2f} MB",
            f"  peak memory  {record['peak_rss_bytes']['receiver'] / 1e6:.0f} MB receiver, "
            f"{record['peak_rss_bytes']['sender'] / 1e6:.0f} MB sender",
            f"  backend      {record['backend']['vole']} on {record['machine']['processor']}",
        ]
    )
