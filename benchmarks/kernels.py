"""
Measure kernels on one thread, and collect the results in one record.

Two programs measure: pytest-benchmark what Python reaches (``test_kernels``), and the benchmarks of the crate what it
does not (the store, the correlation, the group). Every figure is nanoseconds for an item, or milliseconds where a
benchmark of the crate says so.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.suite import ROOT, machine
from psi.bench.machine import commit
from psi.session import backend

SCHEMA = "psi/benchmark-kernels/1"
CRATE = ROOT / "core" / "Cargo.toml"
BENCHES = ("okvs", "vole", "group")
_LINE = re.compile(
    r"(?P<name>.+?)\s+(?:median\s+(?P<median>[\d.]+)\s+minimum\s+(?P<minimum>[\d.]+) ns"
    r"|least\s+(?P<least>[\d.]+) ms, median\s+(?P<median_ms>[\d.]+) ms)"
)


def measure() -> dict[str, Any]:
    """Return the record of every kernel: name, unit, median and minimum, and which program measured it."""
    return {
        "schema": SCHEMA,
        "backend": backend(),
        "commit": commit(),
        "machine": machine(),
        "kernels": [*of_python(), *(line for name in BENCHES for line in of_crate(name))],
    }


def of_python() -> list[dict[str, Any]]:
    """Run ``test_kernels`` by pytest-benchmark; return what it measured, for each item."""
    with tempfile.TemporaryDirectory(prefix="psi-benchmark-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-disable-gc"]
        subprocess.run(
            [*command, f"--benchmark-json={report}", str(Path(__file__).with_name("test_kernels.py"))],
            cwd=ROOT,
            stdout=sys.stderr,
            check=True,
        )
        measured = json.loads(report.read_text())["benchmarks"]
    return [
        {
            "name": case["name"].removeprefix("test_").replace("_", " "),
            "unit": "ns per item",
            "median": round(case["stats"]["median"] * 1e9 / case["extra_info"]["items"], 2),
            "min": round(case["stats"]["min"] * 1e9 / case["extra_info"]["items"], 2),
            "max": round(case["stats"]["max"] * 1e9 / case["extra_info"]["items"], 2),
            "rounds": case["stats"]["rounds"],
            "by": "pytest-benchmark",
        }
        for case in measured
    ]


def of_crate(name: str) -> list[dict[str, Any]]:
    """Run a benchmark of the crate; return the figures of its lines."""
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo" / "bin" / "cargo")
    command = [cargo, "bench", "--locked", "--quiet", "--manifest-path", str(CRATE), "--bench", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = []
    for line in done.stdout.splitlines():
        if (found := _LINE.match(line)) is not None:
            in_ns = found["median"] is not None
            figures.append(
                {
                    "name": found["name"].strip(),
                    "unit": "ns per item" if in_ns else "ms",
                    "median": float(found["median"] if in_ns else found["median_ms"]),
                    "min": float(found["minimum"] if in_ns else found["least"]),
                    "by": f"cargo bench --bench {name}",
                }
            )
    return figures


def table(record: dict[str, Any]) -> str:
    """Return the record for a person."""
    head = f"one thread; backend {record['backend']['vole']} on {record['machine']['processor']}"
    return "\n".join([head, *(_line(kernel) for kernel in record["kernels"])])


def _line(kernel: dict[str, Any]) -> str:
    return (
        f"  {kernel['name']:<44} {kernel['median']:>10.2f} {kernel['unit']:<12} minimum {kernel['min']:.2f}"
    )
