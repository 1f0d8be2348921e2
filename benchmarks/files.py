"""
Measure the product as two organisations run it: ``psi serve`` and ``psi join``, from two files to ``matched.csv``.

The case is written once and is not in the clock, which runs from the start of the first process to the exit of the
last; both start together, and the requester waits for the holder as it would anywhere. Every repetition has new run
folders and is checked against the truth of the case, row by row.
"""

from __future__ import annotations

import compileall
import csv
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.suite import machine, spread
from benchmarks.workload import LEAD_OVERLAP, LEAD_SIZE
from psi import __version__, scenario
from psi.bench.machine import commit
from psi.wire import Suite

SCHEMA = "psi/benchmark-files/1"
ROOT = Path(__file__).parent.parent


def measure(suite: Suite, *, requests: int, records: int, repeat: int) -> dict[str, Any]:
    """Return the record of the benchmark."""
    matches = min(requests, records) * LEAD_OVERLAP // LEAD_SIZE
    # An installation compiles its modules once, and so not in the clock.
    compileall.compile_dir(ROOT / "psi", quiet=1)
    with tempfile.TemporaryDirectory(prefix="psi-benchmark-") as name:
        case = Path(name)
        scenario.write(case, requests=requests, records=records, matches=matches, seed=1)
        scenario.agree(case, requests=requests, records=records, suite=suite)
        runs = [_once(case, number) for number in range(repeat)]
        file_bytes = {name: (case / f"{name}.csv").stat().st_size for name in ("requests", "records")}
    return {
        "schema": SCHEMA,
        "suite": suite.value,
        "requests": requests,
        "records": records,
        "overlap": matches,
        "file_bytes": file_bytes,
        "correct": all(run["correct"] for run in runs),
        "wall_s": spread([run["wall_s"] for run in runs]),
        "cpu_s": spread([run["cpu_s"] for run in runs]),
        "bytes_total": sum(runs[-1][side]["bytes"]["sent"] for side in ("requester", "holder")),
        "seconds": {
            side: {
                phase: spread([run[side]["seconds"][phase] for run in runs])
                for phase in runs[-1][side]["seconds"]
            }
            for side in ("requester", "holder")
        },
        "peak_rss_bytes": {
            side: max(run[side]["peak_rss_bytes"] for run in runs) for side in ("requester", "holder")
        },
        "repetitions": repeat,
        "version": __version__,
        "commit": commit(),
        "machine": machine(),
    }


def _once(case: Path, number: int) -> dict[str, Any]:
    """Run both sides once; return the receipts of both, the time, and whether the result is right."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    used_s = _children_s()
    began_s = time.monotonic()
    sides = {
        side: _start(case, side, command, file, number, flag, address)
        for side, command, file, flag in (
            ("holder", "serve", "records.csv", "--listen"),
            ("requester", "join", "requests.csv", "--connect"),
        )
    }
    shown = {side: process.communicate()[0] for side, process in sides.items()}
    wall_s = time.monotonic() - began_s
    for side, process in sides.items():
        if process.returncode != 0:
            raise RuntimeError(f"the {side} ended with code {process.returncode}")
    receipts: dict[str, Any] = {side: json.loads(text) for side, text in shown.items()}
    correct = all(
        _matched(case / f"{side}-{number}" / "matched.csv") == _truth(case, column)
        for side, column in (("requester", "request_row"), ("holder", "record_row"))
        if receipts[side]["matched"] is not None
    )
    return {**receipts, "wall_s": wall_s, "cpu_s": _children_s() - used_s, "correct": correct}


def _start(
    case: Path, side: str, command: str, file: str, number: int, flag: str, address: str
) -> subprocess.Popen[str]:
    """Start one side."""
    arguments = ["--terms", scenario.TERMS, "--identity", f"{side}.identity", "--out", f"{side}-{number}"]
    return subprocess.Popen(
        [sys.executable, "-m", "psi", command, file, *arguments, flag, address, "--json", "--quiet"],
        cwd=case,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )


def _environment() -> dict[str, str]:
    """Return the environment of both sides: compiled modules are kept and used, as in an installation."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def _children_s() -> float:
    """Return the processor time of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _matched(path: Path) -> list[int]:
    """Return the row numbers of a file of matched rows."""
    with open(path, encoding="utf-8", newline="") as stream:
        return [int(row[0]) for row in csv.reader(stream) if row[0].isdecimal()]


def _truth(case: Path, column: str) -> list[int]:
    """Return the row numbers that the truth of the case has as matches, ascending."""
    with open(case / "truth.csv", encoding="utf-8", newline="") as stream:
        return sorted(int(row[column]) for row in csv.DictReader(stream) if row["kind"] == "match")


def table(record: dict[str, Any]) -> str:
    """Return the record for a person."""
    wall, peak = record["wall_s"], record["peak_rss_bytes"]
    return "\n".join(
        [
            f"{record['suite']}, files of {record['requests']:,} and {record['records']:,} rows to matched rows, "
            f"{record['repetitions']} repetitions",
            f"  correct      {'yes' if record['correct'] else 'NO'}",
            f"  wall         {wall['median']:.2f} s ({wall['min']:.2f} to {wall['max']:.2f})",
            f"  bytes        {record['bytes_total'] / 1e6:.2f} MB",
            f"  peak memory  {peak['requester'] / 1e6:.0f} MB requester, {peak['holder'] / 1e6:.0f} MB holder",
        ]
    )
