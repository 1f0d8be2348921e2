"""Hold how the cost of a suite grows with the lists, and show it as curves and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from psi.bench import charts
from psi.bench.charts import Curve
from psi.bench.tables import Table, megabytes, number, seconds
from psi.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "psi/growth/1"


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold one suite at one size of both lists: medians, items in memory when the clock starts."""

    suite: str
    items: int
    wall_s: float
    cpu_s: float
    bytes_total: int
    repetitions: int
    correct: bool


class Growth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold the points of one machine."""

    commit: str
    machine: dict[str, str]
    points: tuple[Point, ...]
    schema: str = SCHEMA


def load(path: Path) -> Growth:
    """Read a record; raises ``UsageError`` when it is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Growth)
    except (OSError, msgspec.DecodeError):
        raise UsageError(f"{path} is no record of growth") from None


def table(growth: Growth) -> Table:
    """Return every point."""
    rows = tuple(
        (
            point.suite,
            number(point.items),
            seconds(point.wall_s),
            seconds(point.cpu_s),
            megabytes(point.bytes_total),
            str(point.repetitions),
            "yes" if point.correct else "NO",
        )
        for point in growth.points
    )
    return Table(
        "growth",
        "How the cost grows: items in memory, both sides on one machine",
        (
            "suite",
            "items on each side",
            "seconds",
            "processor seconds of both",
            "MB both ways",
            "runs",
            "correct",
        ),
        rows,
        tuple(f"points[{place}]" for place in range(len(rows))),
        frozenset(range(1, 6)),
        "growth.json",
    )


def chart(growth: Growth) -> str:
    """Return the curves of time over size as SVG."""
    names = list(dict.fromkeys(point.suite for point in growth.points))
    curves = [
        Curve(name, tuple((point.items, point.wall_s) for point in growth.points if point.suite == name))
        for name in names
    ]
    label = "Seconds over items on each side. " + "; ".join(
        f"{curve.name}: {seconds(curve.points[0][1])} s at {number(curve.points[0][0])}, "
        f"{seconds(curve.points[-1][1])} s at {number(curve.points[-1][0])}"
        for curve in curves
    )
    return charts.curves(curves, label=label, across="items on each side", up="seconds")
