"""Measure the systems side by side: the same two files, two processes each, every output compared with the truth."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import workload
from benchmarks.peers.systems import BUCKET, ENVIRONMENT, PACKAGES, ROOT, SYSTEMS, System
from psi import __version__, identity, terms
from psi.bench import machine
from psi.bench.case import sha256
from psi.terms import Key, KeyColumn
from psi.wire import Suite

SCHEMA = "psi/peers/1"
FILES = ("requests.csv", "records.csv")  # by rank
KEY = Key(
    name="key",
    columns=(KeyColumn(name="key", requester="key", holder="key", recipe="nfkd-upper-alnum/1"),),
)
TIMEOUT_S = 3600


def install() -> None:
    """Make the environment of the peers and install their published packages into it."""
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    for name, version in PACKAGES.items():
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "pip", "install", "-q", f"{name}=={version}"], check=False
        )
        if done.returncode != 0:
            sys.stderr.write(f"{name} {version} cannot be installed here; the table will say so\n")


def measure(*, rows: int, repeat: dict[str, int]) -> dict[str, Any]:
    """Return a line for each system, ``repeat`` says how often each is run; 0 leaves one out."""
    with tempfile.TemporaryDirectory(prefix="psi-peers-") as place:
        folder = Path(place)
        expected = _write_files(folder, rows)
        _agree(folder, rows)
        lines = []
        for system in SYSTEMS.values():
            if repeat.get(system.name, 0):
                sys.stderr.write(f"{system.title}, {system.settings}\n")
                lines.append(_line(system, folder, rows, expected, repeat[system.name]))
        inputs = {name: {"rows": rows, "sha256": sha256(folder / name)} for name in FILES}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "commit": machine.commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "matches": len(expected[0]),
        "inputs": inputs,
        "machine": machine.describe(),
        "packages": PACKAGES,
        "lines": lines,
    }


def _write_files(folder: Path, rows: int) -> tuple[set[str], set[str]]:
    """Write both files, a number and a key in each row; return the numbers of the rows that match, by rank."""
    expected = []
    for name, party in zip(FILES, ("receiver", "sender"), strict=True):
        people = workload.numbers(party, rows, rows)
        key = workload.keys(people).select(pl.concat_str(pl.all().str.replace_all("-", "")).alias("key"))
        key.with_row_index("id").write_csv(folder / name)
        matched = workload.expected(rows, rows, party)
        expected.append({str(row) for row in np.asarray(matched).tolist()})
    return expected[0], expected[1]


def _agree(folder: Path, rows: int) -> None:
    """Make two identities, and terms for each suite that is measured."""
    cards = {name: identity.create(folder / name, name).public() for name in ("requester", "holder")}
    for suite in (Suite.VOLE_MALICIOUS, Suite.VOLE_SEMI_HONEST, Suite.ECDH):
        agreement = terms.draft(
            requester=cards["requester"],
            holder=cards["holder"],
            purpose="A comparison of systems on invented people.",
            authority="None is needed.",
            expires=datetime.now(UTC).date(),
            suite=suite,
            max_requests=rows,
            max_records=rows,
            keys=(KEY,),
        )
        (folder / f"{suite.value}.toml").write_text(terms.dumps(agreement), encoding="utf-8")


def _line(
    system: System, folder: Path, rows: int, expected: tuple[set[str], set[str]], repeat: int
) -> dict[str, Any]:
    """Return what a system did, or why it could not be measured."""
    line: dict[str, Any] = {
        "system": system.name,
        "title": system.title,
        "settings": system.settings,
        "adversary": system.adversary,
        "learners": ["requester", "holder"][: len(system.learners)],
        "version": __version__ if system.package is None else PACKAGES[system.package],
    }
    if system.package is not None and not ENVIRONMENT.exists():
        return {**line, "measured": False, "reason": "its package is not installed"}
    runs = []
    for _ in range(repeat):
        shown = subprocess.run(
            [*_own_network(), sys.executable, "-m", "benchmarks.peers.once"],
            cwd=ROOT,
            input=json.dumps({"system": system.name, "folder": str(folder), "rows": rows, "bucket": BUCKET}),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        if shown.returncode != 0:
            said = [line for line in shown.stderr.splitlines() if line.strip() and "EOFError" not in line]
            reason = (said or ["it ended without a word"])[-1].strip()
            return {**line, "measured": False, "reason": reason[:200]}
        done = json.loads(shown.stdout)
        done["correct"] = _correct(system, folder, expected, done)
        runs.append(done)
    return {
        **line,
        "measured": True,
        "repetitions": repeat,
        "wall_s": _spread([run["wall_s"] for run in runs]),
        "cpu_s": _spread([run["cpu_s"] for run in runs]),
        "bytes_on_the_wire": round(statistics.median(run["wire_bytes"] for run in runs)),
        "peak_memory_bytes": {
            name: max(run["peak_rss_bytes"][rank] for run in runs)
            for rank, name in enumerate(("requester", "holder"))
        },
        "count": runs[-1]["count"],
        "correct": all(run["correct"] for run in runs),
    }


def _own_network() -> list[str]:
    """Return the command before a command that gives it a network of its own, whose bytes are nobody else's."""
    probe = [shutil.which("unshare") or "", "--net", "true"]
    if not probe[0] or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        return []
    return [probe[0], "--net", "sh", "-c", 'ip link set lo up; exec "$0" "$@"']


def _correct(system: System, folder: Path, expected: tuple[set[str], set[str]], done: dict[str, Any]) -> bool:
    """Compare the rows that every learner was left with: no row too few, none too many."""
    for rank in system.learners:
        path = Path(done["outputs"][rank])
        found = pl.read_csv(path, infer_schema=False)["id"].to_list()
        if len(found) != len(expected[rank]) or set(found) != expected[rank]:
            return False
    return True


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "all": [round(value, 3) for value in values],
    }
