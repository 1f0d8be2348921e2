"""
Measure everything that ``docs/performance.md`` shows, and keep it as the results of a named machine.

``python -m benchmarks record NAME`` writes ``benchmarks/results/NAME/*.json``; ``python -m benchmarks pages`` makes the
tables of the page from the newest of them. A run of all parts takes half an hour on two quiet cores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import exact, files, forecast, gate, kernels, suite
from benchmarks.workload import LEAD_SIZE
from psi.wire import Suite

RESULTS = Path(__file__).parent / "results"
RECORD_BASE = 7_600_000  # records of a holder in the middle of the real case's range
ALL_RECORDS = 160_000_000  # of the holder with the most
MANY_ROWS = 10_000_000  # of a file that the gate must read in bounded memory


def _suite(
    name: Suite, n_receiver: int, n_sender: int, repeat: int, *, threads: int = 0, generated: bool = False
) -> Callable[[], Any]:
    """Return a measurement of a suite."""
    return lambda: suite.measure(
        name,
        n_receiver=n_receiver,
        n_sender=n_sender,
        repeat=repeat,
        threads=threads,
        both=False,
        generated=generated,
    )


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "kernels": kernels.measure,
    "suite-vole-malicious": _suite(Suite.VOLE_MALICIOUS, LEAD_SIZE, LEAD_SIZE, 9),
    "suite-vole-malicious-one-thread": _suite(Suite.VOLE_MALICIOUS, LEAD_SIZE, LEAD_SIZE, 7, threads=1),
    "suite-vole-semi-honest": _suite(Suite.VOLE_SEMI_HONEST, LEAD_SIZE, LEAD_SIZE, 9),
    "suite-vole-malicious-many-records": _suite(Suite.VOLE_MALICIOUS, LEAD_SIZE, RECORD_BASE, 3),
    "suite-vole-malicious-holder-receives": _suite(Suite.VOLE_MALICIOUS, RECORD_BASE, LEAD_SIZE, 3),
    "suite-vole-malicious-160-million": _suite(
        Suite.VOLE_MALICIOUS, LEAD_SIZE, ALL_RECORDS, 1, generated=True
    ),
    "suite-ecdh": _suite(Suite.ECDH, LEAD_SIZE, LEAD_SIZE, 3),
    "suite-ecdh-cardinality": _suite(Suite.ECDH_CARDINALITY, LEAD_SIZE, LEAD_SIZE, 1),
    "files": lambda: files.measure(Suite.VOLE_MALICIOUS, requests=LEAD_SIZE, records=LEAD_SIZE, repeat=7),
    "gate": lambda: gate.measure(rows=LEAD_SIZE, repeat=7, threads=2),
    "gate-10-million": lambda: gate.measure(rows=MANY_ROWS, repeat=1, threads=2),
    "forecast": lambda: forecast.measure(Suite.VOLE_MALICIOUS, repeat=3),
    "exact": exact.measure,
}


def record(machine: str, parts: list[str]) -> bool:
    """Measure parts, all of them if none is named, and write each; return whether every output was right."""
    folder = RESULTS / machine
    folder.mkdir(parents=True, exist_ok=True)
    correct = True
    for part in parts or PARTS:
        sys.stderr.write(f"measuring {part}\n")
        measured = PARTS[part]()
        correct = correct and measured.get("correct", True)
        (folder / f"{part}.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return correct
