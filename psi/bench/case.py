"""Make what a benchmark compares: the synthetic case, two identities, and terms for each way of running `psi`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from psi import scenario
from psi.wire import Suite

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psi.bench.alternatives import Alternative
    from psi.terms import Side

REQUESTS, RECORDS = "requests.csv", "records.csv"
FILES: dict[Side, str] = {"requester": REQUESTS, "holder": RECORDS}
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Case:
    """Hold a case on the disk: ``rows`` are the matched rows that each side should find, from 1, ascending."""

    folder: Path
    requests: int
    records: int
    matches: int
    seed: int
    kinds: dict[str, int]
    names: str
    rows: dict[Side, NDArray[np.uint32]]

    def file(self, side: Side) -> Path:
        """Return the file that a side brings."""
        return self.folder / FILES[side]

    def identity(self, alternative: Alternative, side: Side) -> Path:
        """Return the folder of a side's keys, which go with the terms of an alternative."""
        return scenario.identity_folder(self.agree(alternative).parent, side)

    def agree(self, alternative: Alternative) -> Path:
        """Make the terms of an alternative, unless they are there, and return where; the others have default ones."""
        folder = (
            self.folder / "terms" / (alternative.name.replace("/", "-") if alternative.suite else "default")
        )
        path = folder / scenario.TERMS
        if not path.exists():
            folder.mkdir(parents=True)
            scenario.agree(
                folder,
                requests=self.requests,
                records=self.records,
                suite=alternative.suite or Suite.VOLE_MALICIOUS,
                learns=alternative.learns,
                first=alternative.first,
            )
        return path

    def inputs(self) -> dict[str, dict[str, int | str]]:
        """Return length, rows and SHA-256 of both files."""
        counts = {REQUESTS: self.requests, RECORDS: self.records}
        return {
            name: {
                "rows": rows,
                "bytes": (self.folder / name).stat().st_size,
                "sha256": sha256(self.folder / name),
            }
            for name, rows in counts.items()
        }


def make(
    folder: Path,
    *,
    requests: int,
    records: int,
    matches: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Case:
    """Write a case and return it; raises what ``scenario.write`` raises."""
    truth = scenario.write(
        folder, requests=requests, records=records, matches=matches, seed=seed, progress=progress
    )
    return Case(folder, requests, records, matches, seed, truth.kinds, truth.names, _matched_rows(folder))


def _matched_rows(folder: Path) -> dict[Side, NDArray[np.uint32]]:
    """Return which rows of either file are the truth."""
    matched = pl.read_csv(folder / "truth.csv", infer_schema=False).filter(pl.col("kind") == "match")
    return {
        "requester": matched["request_row"].cast(pl.UInt32).sort().to_numpy(),
        "holder": matched["record_row"].cast(pl.UInt32).sort().to_numpy(),
    }


def found_rows(path: Path) -> NDArray[np.uint32]:
    """Return the row numbers of a file of matched rows, as it has them."""
    return pl.read_csv(path, columns=["row"], infer_schema=False)["row"].cast(pl.UInt32).to_numpy()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    whole = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            whole.update(block)
    return whole.hexdigest()
