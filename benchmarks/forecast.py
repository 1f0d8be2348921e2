"""
Set what ``psi plan`` says before a run beside what the run then takes: time, memory and bytes of both sides.

The ratios are predicted over measured; the plan promises to be within a quarter. Rows that the gate rejects and people
that are written twice make a run a little smaller than the plan, which counts every row.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import files
from benchmarks.suite import machine
from benchmarks.workload import LEAD_OVERLAP, LEAD_SIZE
from psi import scenario
from psi.bench.machine import commit
from psi.wire import Suite

SCHEMA = "psi/benchmark-forecast/1"
SIZES = ((40_000, 40_000), (320_000, 320_000), (LEAD_SIZE, LEAD_SIZE), (320_000, 2_500_000))


def measure(suite: Suite, *, repeat: int) -> dict[str, Any]:
    """Return predicted and measured figures of runs between files of several sizes."""
    return {
        "schema": SCHEMA,
        "suite": suite.value,
        "runs": [_run(suite, requests, records, repeat) for requests, records in SIZES],
        "repetitions": repeat,
        "commit": commit(),
        "machine": machine(),
    }


def _run(suite: Suite, requests: int, records: int, repeat: int) -> dict[str, Any]:
    """Predict and measure runs of one size."""
    matches = min(requests, records) * LEAD_OVERLAP // LEAD_SIZE
    with tempfile.TemporaryDirectory(prefix="psi-benchmark-") as name:
        case = Path(name)
        scenario.write(case, requests=requests, records=records, matches=matches, seed=1)
        scenario.agree(case, requests=requests, records=records, suite=suite)
        planned = _plan(case, "requester", "requests.csv", records)
        other = _plan(case, "holder", "records.csv", requests)
    measured = files.measure(suite, requests=requests, records=records, repeat=repeat)
    sides = {}
    for side, own in (("requester", planned), ("holder", other)):
        sides[side] = {
            "gate": _pair(own["sides"][side]["gate_s"], measured["seconds"][side]["gate"]["median"]),
            "memory": _pair(own["sides"][side]["memory_bytes"], measured["peak_rss_bytes"][side]),
        }
    exchanges = [measured["seconds"][side]["exchange"]["median"] for side in ("requester", "holder")]
    return {
        "requests": requests,
        "records": records,
        "exchange": _pair(planned["exchange_s"], max(exchanges)),
        "bytes": _pair(planned["bytes_total"], measured["bytes_total"]),
        **sides,
    }


def _plan(case: Path, side: str, file: str, peer_rows: int) -> dict[str, Any]:
    """Return what ``psi plan`` says for one side of a case."""
    command = [sys.executable, "-m", "psi", "plan", file, "--terms", scenario.TERMS, "--side", side]
    done = subprocess.run(
        [*command, "--peer-rows", str(peer_rows), "--json"],
        cwd=case,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def _pair(predicted: float, measured: float) -> dict[str, float]:
    """Return both figures and their ratio."""
    return {"predicted": predicted, "measured": measured, "ratio": round(predicted / measured, 3)}


def table(record: dict[str, Any]) -> str:
    """Return the ratios for a person."""
    lines = [f"{record['suite']}: predicted over measured, medians of {record['repetitions']} runs"]
    for run in record["runs"]:
        gates = "; ".join(f"{run[side]['gate']['ratio']:.2f}" for side in ("requester", "holder"))
        memory = "; ".join(f"{run[side]['memory']['ratio']:.2f}" for side in ("requester", "holder"))
        lines.append(
            f"  {run['requests']:>9,} x {run['records']:>9,}  exchange {run['exchange']['ratio']:.2f}  "
            f"bytes {run['bytes']['ratio']:.2f}  gates {gates}  memory {memory}"
        )
    return "\n".join(lines)
