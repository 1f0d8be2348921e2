"""Write the files of a case slice by slice, and the truth about them."""

from __future__ import annotations

import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import MachineError, UsageError
from psi.intake.output import reason, whole_file
from psi.scenario import files, pools
from psi.scenario.plan import DUPLICATE, JUNK_ADDRESS, KINDS, MATCH, PLAIN, Plan

REQUESTS, RECORDS, MATCHES = 1_280_000, 1_280_000, 47_489
SLICE_ROWS = 1 << 16
FILE_MODE = 0o644  # nobody is meant
NAMES = ("requests.csv", "records.csv", "truth.csv", "truth.json")


@dataclass(frozen=True)
class Truth:
    """
    Say what is in a case: data rows of both files, people in both, and how many requests there are of each kind.

    ``kinds`` counts the requests by kind (match, junk-address, duplicate, bad-tax-number, bad-date, plain),
    ``junk_addresses`` the junk ones by what stands there. ``matches`` is the overlap: the distinct keys that both
    files have once their rows have passed the gate. ``names`` is what the names were drawn from: another version of
    it may have others.
    """

    schema: str
    seed: int
    requests: int
    records: int
    matches: int
    names: str
    kinds: dict[str, int]
    junk_addresses: dict[str, int]


def write(
    folder: Path,
    *,
    requests: int = REQUESTS,
    records: int = RECORDS,
    matches: int = MATCHES,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Truth:
    """
    Write ``requests.csv``, ``records.csv``, ``truth.csv`` and ``truth.json`` into a folder, and return the truth.

    ``truth.csv`` has a line for every request that is not plain: its row (data rows count from 1), its kind, and
    the row of the record or of the request that it repeats. The same arguments give the same bytes, on any number
    of threads. ``progress(done, total)`` is called with rows of both files.

    Raises `UsageError` for sizes that cannot be or when one of the files exists, `MachineError` when the disk
    refuses; then no file is left.
    """
    plan = Plan(requests, records, matches, seed)
    _claim(folder)
    truth = Truth(
        "psi/truth/1", seed, requests, records, matches, f"Faker {version('faker')}", plan.counts, {}
    )
    request_slots = plan.request_slots(np.arange(requests, dtype=np.uint64))
    record_slots = plan.record_slots(np.arange(records, dtype=np.uint64))

    def report(done: int) -> None:
        if progress is not None:
            progress(done, requests + records)

    with ExitStack() as stack:

        @contextmanager
        def opened(name: str) -> Iterator[BinaryIO]:
            stream = stack.enter_context(whole_file(folder / name, mode=FILE_MODE))
            yield stream
            stream.flush()  # before any of the files gets its name: all four are there in the end, or none

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            with opened(NAMES[0]) as stream:
                _write_slices(stream, pool, partial(files.requests, plan), request_slots, report)
            with opened(NAMES[1]) as stream:
                make = partial(files.records, plan)
                _write_slices(stream, pool, make, record_slots, lambda done: report(requests + done))
        lines = _truth_lines(plan, request_slots, record_slots)
        junk = lines["address"].drop_nulls().value_counts(sort=False).sort("address")
        truth.junk_addresses.update(junk.iter_rows())
        with opened(NAMES[2]) as stream:
            stream.write(lines.write_csv().encode())
        with opened(NAMES[3]) as stream:
            stream.write(json.dumps(asdict(truth), indent=2).encode() + b"\n")
    return truth


def _claim(folder: Path) -> None:
    """Make the folder unless it is there; refuse one that has a file of a case."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"cannot make the folder {folder}: {reason(error)}") from error
    for name in NAMES:
        if (folder / name).exists():
            raise UsageError(
                f"{folder / name} exists, and a case is never overwritten", hint="choose another folder"
            )


def _write_slices(
    stream: BinaryIO,
    pool: ThreadPoolExecutor,
    make: Callable[[NDArray[np.uint64], NDArray[np.uint64]], pl.DataFrame],
    slots: NDArray[np.uint64],
    report: Callable[[int], None],
) -> None:
    """Write the rows of one file, made slice by slice on all cores and written in order."""

    def text(start: int) -> bytes:
        rows = np.arange(start, min(start + SLICE_ROWS, len(slots)), dtype=np.uint64)
        buffer = io.BytesIO()
        make(rows, slots[start : start + SLICE_ROWS]).write_csv(buffer, include_header=start == 0)
        return buffer.getvalue()

    ahead: deque[Future[bytes]] = deque()
    for start in range(0, len(slots), SLICE_ROWS):
        ahead.append(pool.submit(text, start))
        if len(ahead) > (os.cpu_count() or 1):  # a slice on every core and one to write: memory stays bounded
            stream.write(ahead.popleft().result())
            report(start)
    stream.writelines(slice_text.result() for slice_text in ahead)
    report(len(slots))


def _truth_lines(
    plan: Plan, request_slots: NDArray[np.uint64], record_slots: NDArray[np.uint64]
) -> pl.DataFrame:
    """Return a line for each request that is not plain, in the order of the file; rows count from 1."""
    kinds = plan.kinds(request_slots)
    rows = np.flatnonzero(kinds != PLAIN).astype(np.uint64)
    slots, kinds = request_slots[rows], kinds[rows]
    request_of_slot, record_of_slot = _inverse(request_slots), _inverse(record_slots)
    junk, match, duplicate = (np.flatnonzero(kinds == kind) for kind in (JUNK_ADDRESS, MATCH, DUPLICATE))
    record_rows = record_of_slot[slots[match]]
    address_kinds = pl.Series([kind for kind, *_ in pools.JUNK_ADDRESSES])

    def column(at: NDArray[np.intp], values: pl.Series) -> pl.Series:
        return pl.Series([None], dtype=values.dtype).new_from_index(0, len(rows)).scatter(at, values)

    return pl.DataFrame(
        {
            "request_row": rows + np.uint64(1),
            "request_id": files.request_ids(rows),
            "kind": pl.Series(KINDS).gather(kinds),
            "address": column(junk, address_kinds.gather(files.junk_addresses(plan, rows[junk]))),
            "record_row": column(match, pl.Series(record_rows + np.uint64(1))),
            "record_id": column(match, files.record_ids(record_rows)),
            "repeats_row": column(
                duplicate, pl.Series(request_of_slot[plan.originals(slots[duplicate])] + np.uint64(1))
            ),
        }
    )


def _inverse(slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
    rows = np.empty_like(slots)
    rows[slots] = np.arange(len(slots), dtype=np.uint64)
    return rows
