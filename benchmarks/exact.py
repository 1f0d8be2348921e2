"""Run whole suites at a million items and more against plain joins, as ``make test-slow`` does, and keep the record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import suite
from psi import __version__
from psi.bench.machine import commit

SCHEMA = "psi/benchmark-exact/1"
RECORD = "PSI_SCALE_RECORD"  # the variable that names the file to which the tests add a line each
TESTS = ["-m", "pytest", "-q", "--scale", "tests/test_scale.py"]


def measure() -> dict[str, Any]:
    """Run the tests and return their record."""
    with tempfile.TemporaryDirectory(prefix="psi-exact-") as folder:
        path = Path(folder) / "record"
        path.touch()
        subprocess.run(
            [sys.executable, *TESTS], cwd=suite.ROOT, env={**os.environ, RECORD: str(path)}, check=False
        )
        return gathered(path)


def gathered(path: Path) -> dict[str, Any]:
    """Return the record of what the tests noted."""
    runs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {
        "schema": SCHEMA,
        "command": f"{RECORD}=FILE python {' '.join(TESTS)}",
        "correct": bool(runs) and all(each["right"] == each["runs"] for each in runs),
        "runs": runs,
        "version": __version__,
        "commit": commit(),
        "machine": suite.machine(),
    }
