"""Read a record of other systems measured beside this one, which ``python -m benchmarks.peers`` makes, into a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from psi.bench.record import Spread
from psi.bench.tables import Table, megabytes, number, seconds, with_range
from psi.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "psi/peers/1"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decode exactly."""


class System(_Part, frozen=True, kw_only=True):
    """
    Hold what one system did, or in ``reason`` why it was not measured.

    ``learners`` are the sides that end with their matched rows. ``bytes_on_the_wire`` is what the loopback of a network
    of its own carried, headers and all.
    """

    system: str
    title: str
    settings: str
    adversary: str
    learners: tuple[str, ...]
    version: str
    measured: bool
    reason: str | None = None
    repetitions: int = 0
    wall_s: Spread | None = None
    cpu_s: Spread | None = None
    bytes_on_the_wire: int = 0
    peak_memory_bytes: dict[str, int] = {}
    count: int | None = None
    correct: bool = False


class Peers(_Part, frozen=True, kw_only=True):
    """Hold one comparison: the same two files, two processes each, every output compared with the truth."""

    schema: str
    version: str
    commit: str
    measured: str
    rows: int
    matches: int
    inputs: dict[str, dict[str, int | str]]
    machine: dict[str, str | int | float]
    packages: dict[str, str]
    lines: tuple[System, ...]


def load(path: Path) -> Peers:
    """Read a record; raises ``UsageError`` when it is none."""
    try:
        made = msgspec.json.decode(path.read_bytes(), type=Peers)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or '').lower()}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is no record of peers: {str(error)[:1].lower()}{str(error)[1:]}") from None
    if made.schema != SCHEMA:
        raise UsageError(f"{path}: schema {made.schema!r}, and {SCHEMA!r} is known")
    return made


def table(peers: Peers) -> Table:
    """Return the systems side by side."""
    rows = []
    for each in peers.lines:
        learns = "both learn" if len(each.learners) == 2 else f"the {each.learners[0]} learns"
        about = (f"{each.title} ({each.version})", each.settings, f"{each.adversary}; {learns}")
        if each.wall_s is None or each.cpu_s is None:
            rows.append((*about, *[""] * 5, "not measured"))
            continue
        rows.append(
            (
                *about,
                with_range(each.wall_s),
                seconds(each.cpu_s.median),
                megabytes(each.bytes_on_the_wire),
                megabytes(max(each.peak_memory_bytes.values())),
                str(each.repetitions),
                "yes" if each.correct else "NO",
            )
        )
    return Table(
        "peers",
        f"{number(peers.rows)} rows on each side, {number(peers.matches)} in both: from the same two CSV files to the "
        "matched rows",
        (
            "system",
            "settings",
            "holds against",
            "seconds: median (least to most)",
            "processor seconds of both",
            "MB on the wire",
            "MB of memory, larger side",
            "runs",
            "correct",
        ),
        tuple(rows),
        tuple(f"lines[{place}]" for place in range(len(rows))),
        frozenset(range(3, 8)),
        "peers.json",
    )


def remarks(peers: Peers) -> tuple[str, ...]:
    """Return what a reader must know about the comparison."""
    missing = [f"{each.title} ({each.settings}): {each.reason}" for each in peers.lines if not each.measured]
    return (
        "Each system read the same two files, keyed on the same column that was brought into form beforehand, in two "
        "processes on this machine, at its best settings, which are named. The clock runs from a word given to "
        "processes that have loaded their packages to the last matched row on the disk. The bytes are those of the "
        "loopback, headers and all. Our own runs include mutual TLS and the intake gate; the others' have neither.",
        *(f"Not measured here: {each}." for each in missing),
    )
