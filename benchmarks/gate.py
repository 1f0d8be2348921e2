"""Time the whole gate on the files of the synthetic case: from a file to items, rejects and the report."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.suite import machine
from psi import scenario
from psi.bench.machine import commit

SCHEMA = "psi/benchmark-gate/1"
FILES = {"requester": "requests.csv", "holder": "records.csv"}
COLUMNS = {"requester": scenario.REQUEST_COLUMNS, "holder": scenario.RECORD_COLUMNS}

# What one repetition runs, in a process of its own: its peak memory is that of the gate.
_ONCE = """
import json, os, resource, sys, time
from pathlib import Path
from psi import intake, terms
folder, side, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
agreement = terms.load(folder / "terms.toml")
file = folder / {"requester": "requests.csv", "holder": "records.csv"}[side]
start, cpu = time.perf_counter(), time.process_time()
taken = intake.read(file, party=getattr(agreement, side), side=side, keys=agreement.keys,
                    rejects=folder / f"{side}.{os.getpid()}.csv", threads=threads)
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_rss_bytes": peak, "report": taken.report.document()}))
"""


def measure(*, rows: int, repeat: int, threads: int) -> dict[str, Any]:
    """Write a case of so many rows and run the gate on both of its files; correct if exactly the bad rows go."""
    with tempfile.TemporaryDirectory(prefix="psi-gate-") as name:
        folder = Path(name)
        truth = scenario.write(
            folder, requests=rows, records=rows, matches=rows * scenario.MATCHES // scenario.REQUESTS
        )
        scenario.agree(folder, requests=rows, records=rows)
        bad = sum(truth.kinds[kind] for kind in ("junk-address", "bad-tax-number", "bad-date"))
        sides: dict[str, Any] = {}
        for side, file in FILES.items():
            runs = [_once(folder, side, threads) for _ in range(repeat)]
            report = runs[0]["report"]
            sides[side] = {
                "rows": report["rows"],
                "columns": len(COLUMNS[side]),
                "file_bytes": (folder / file).stat().st_size,
                "rejected": report["rejected"],
                "wall_s": [run["wall_s"] for run in runs],
                "cpu_s": [run["cpu_s"] for run in runs],
                "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs),
            }
        correct = (sides["requester"]["rejected"], sides["holder"]["rejected"]) == (bad, 0)
    return {
        "schema": SCHEMA,
        "threads": threads,
        "repetitions": repeat,
        "sides": sides,
        "correct": correct,
        "commit": commit(),
        "machine": machine(),
    }


def _once(folder: Path, side: str, threads: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _ONCE, str(folder), side, str(threads)],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(measured: dict[str, Any]) -> str:
    """Return the result for a person."""
    lines = [
        "| file | rows | columns | MB | rejected | wall s, median (least to most) | CPU s | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for side, of in measured["sides"].items():
        wall = of["wall_s"]
        spread = f"{statistics.median(wall):.2f} ({min(wall):.2f} to {max(wall):.2f})"
        lines.append(
            f"| {FILES[side]} | {of['rows']:,} | {of['columns']} | {of['file_bytes'] / 1e6:.0f} | {of['rejected']:,} "
            f"| {spread} | {statistics.median(of['cpu_s']):.2f} | {of['peak_rss_bytes'] / 1e6:.0f} |"
        )
    if not measured["correct"]:
        lines.append("WRONG: the rows rejected are not those that the truth of the case calls bad")
    return "\n".join(lines)
