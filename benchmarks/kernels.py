"""Run the kernel benchmarks of the crate and collect what they print."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.suite import commit, machine

CRATE = Path(__file__).parent.parent / "core"
BENCHES = ("okvs", "vole", "group")


def measure() -> dict[str, Any]:
    """Return the lines of every benchmark of the crate, by its name."""
    lines: dict[str, list[str]] = {}
    for name in BENCHES:
        done = subprocess.run(
            [shutil.which("cargo") or "cargo", "bench", "--quiet", "--bench", name],
            cwd=CRATE,
            capture_output=True,
            text=True,
            check=True,
        )
        lines[name] = [line for line in done.stdout.splitlines() if line.strip()]
    return {"schema": "psi/benchmark-kernels/1", "commit": commit(), "machine": machine(), "kernels": lines}


def table(record: dict[str, Any]) -> str:
    """Return the lines for a person."""
    return "\n".join(f"{name}: {line}" for name, lines in record["kernels"].items() for line in lines)
