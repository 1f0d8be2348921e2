"""
Write the tables of ``docs/performance.md`` from the results that are kept; a test holds the page to them.

What stands between two marks of the page is generated, the rest is written by hand.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.suite import ROOT

PAGE = ROOT / "docs" / "performance.md"
MACHINE = "xeon-cascade-lake-2-cores"  # whose results the page shows
_MARK = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Goal:
    """Hold one line of the goals: what, the figure that must hold, the figure aimed at, and where it is measured."""

    what: str
    must: str
    aim: str
    part: str
    figure: Callable[[dict[str, Any]], str]


def _ms(spread: dict[str, float]) -> str:
    return f"{spread['median'] * 1e3:.0f} ms ({spread['min'] * 1e3:.0f} to {spread['max'] * 1e3:.0f})"


def _s(spread: dict[str, float]) -> str:
    return f"{spread['median']:.2f} s ({spread['min']:.2f} to {spread['max']:.2f})"


def _mb(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _kernel(name: str, digits: int = 1) -> Callable[[dict[str, Any]], str]:
    def figure(record: dict[str, Any]) -> str:
        for kernel in record["kernels"]:
            if kernel["name"] == name:
                unit = "ns" if kernel["unit"] == "ns per item" else kernel["unit"]
                return f"{kernel['median']:.{digits}f} {unit} (least {kernel['min']:.{digits}f})"
        return "not measured"

    return figure


def _wall_ms(record: dict[str, Any]) -> str:
    return _ms(record["wall_s"])


def _wall(record: dict[str, Any]) -> str:
    return _s(record["wall_s"])


def _processors(record: dict[str, Any]) -> str:
    return _ms(record["cpu_s"])


def _bytes(record: dict[str, Any]) -> str:
    return _mb(record["bytes_total"])


def _peak(record: dict[str, Any]) -> str:
    return _mb(max(record["peak_rss_bytes"].values()))


def _peak_beyond_items(record: dict[str, Any]) -> str:
    """Return the most that a party used besides its digests, 32 bytes an item."""
    peak = record["peak_rss_bytes"]
    return _mb(max(peak[role] - 32 * record[f"n_{role}"] for role in ("receiver", "sender")))


def _gate(record: dict[str, Any]) -> str:
    of = record["sides"]["requester"]
    wall = of["wall_s"]
    middle = statistics.median(wall)
    return f"{middle:.2f} s ({min(wall):.2f} to {max(wall):.2f}), {_mb(of['peak_rss_bytes'])}"


_LEAD, _THIN, _HUGE = "suite-vole-malicious", "suite-vole-semi-honest", "suite-vole-malicious-160-million"
GOALS = [
    Goal("`vole-malicious`, 1.28 M by 1.28 M, wall", "450 ms", "220 ms", _LEAD, _wall_ms),
    Goal("the same, processor time of both processes", "800 ms", "400 ms", _LEAD, _processors),
    Goal("the same, bytes both ways", "56 MB", "49 MB", _LEAD, _bytes),
    Goal("`vole-semi-honest`, the same sizes, wall", "350 ms", "170 ms", _THIN, _wall_ms),
    Goal("the same, bytes both ways", "36 MB", "30 MB", _THIN, _bytes),
    Goal("OKVS encode, an item", "40 ns", "18 ns", "kernels", _kernel("GF(2^128) encode (both)")),
    Goal("OKVS decode, an item", "8 ns", "4 ns", "kernels", _kernel("GF(2^128) decode")),
    Goal("silent VOLE of 1.7 M, sender", "80 ms", "30 ms", "kernels", _kernel("sender: trees and code", 0)),
    Goal("silent VOLE, receiver", "120 ms", "50 ms", "kernels", _kernel("receiver: trees and code", 0)),
    Goal("sender, an item when streaming", "90 ns", "45 ns", "kernels", _kernel("vole sender for each item")),
    Goal("1.28 M by 160 M, wall", "40 s", "12 s", _HUGE, _wall),
    Goal("the same, peak memory beyond the items", "1.5 GB", "0.8 GB", _HUGE, _peak_beyond_items),
    Goal("peak memory a process at 1.28 M by 1.28 M, from files", "800 MB", "550 MB", "files", _peak),
    Goal("the whole gate on the request file", "4 s, 450 MB", "2 s", "gate", _gate),
    Goal("the same on 10 million requests, once", "memory bounded", "", "gate-10-million", _gate),
    Goal("`psi serve` and `psi join`, two files to `matched.csv`", "5 s", "3 s", "files", _wall),
]


def goals(results: Results) -> str:
    """Return the table of the goals."""
    lines = ["| what | must | aim | measured |", "|---|---|---|---|"]
    for goal in GOALS:
        record = results.get(goal.part)
        figure = "not measured" if record is None else goal.figure(record)
        lines.append(f"| {goal.what} | {goal.must} | {goal.aim} | {figure} |")
    return "\n".join(lines)


def suites(results: Results) -> str:
    """Return the table of whole suites."""
    lines = [
        "| suite | receiver | sender | threads each | wall | processors, both | bytes "
        "| peak memory, receiver; sender | runs, all correct |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(results):
        if name.startswith("suite-"):
            record = results[name]
            peak = record["peak_rss_bytes"]
            lines.append(
                f"| `{record['suite']}` | {record['n_receiver']:,} | {record['n_sender']:,} | {record['threads']} "
                f"| {_s(record['wall_s'])} | {_s(record['cpu_s'])} | {_mb(record['bytes_total'])} "
                f"| {_mb(peak['receiver'])}; {_mb(peak['sender'])} "
                f"| {record['repetitions']}, {'yes' if record['correct'] else 'NO'} |"
            )
    return "\n".join(lines)


def kernel_table(results: Results) -> str:
    """Return the table of single kernels."""
    if "kernels" not in results:
        return "Not measured at this commit."
    lines = ["| kernel, one thread | median | least | measured by |", "|---|---|---|---|"]
    for kernel in results["kernels"]["kernels"]:
        unit = "ns" if kernel["unit"] == "ns per item" else kernel["unit"]
        lines.append(
            f"| {kernel['name']} | {kernel['median']:,.1f} {unit} | {kernel['min']:,.1f} {unit} | {kernel['by']} |"
        )
    return "\n".join(lines)


def exact(results: Results) -> str:
    """Return how many runs at full size gave exactly the plain join."""
    if "exact" not in results:
        return "Not run at this commit."
    lines = ["| suite, receiver x sender | runs | exact | minutes |", "|---|---:|---:|---:|"]
    for each in results["exact"]["runs"]:
        name, _, sizes = each["name"].partition(" ")
        counts = " x ".join(f"{int(count):,}" for count in sizes.split(" x "))
        lines.append(
            f"| `{name}`, {counts} | {each['runs']} | {each['right']} | {each['seconds'] / 60:.1f} |"
        )
    return "\n".join(lines)


def phases(results: Results) -> str:
    """Return where the time of a run from files goes."""
    requester, holder = (results["files"]["seconds"][side] for side in ("requester", "holder"))
    rows = [f"| {phase} | {_s(requester[phase])} | {_s(holder[phase])} |" for phase in requester]
    return "\n".join(["| phase | requester | holder |", "|---|---|---|", *rows])


def origin(results: Results) -> str:
    """Return machine, versions and commits of the results."""
    record = results["suite-vole-malicious"]
    commits = sorted({each["commit"] for each in results.values()})
    machine = record["machine"]
    return (
        f"{machine['processor']}, 2 cores, backend {record['backend']['vole']}; {machine['system']}; "
        f"Python {machine['python']}. Commits of the results: {', '.join(f'`{commit}`' for commit in commits)}."
    )


TABLES: dict[str, Callable[[Results], str]] = {
    "exact": exact,
    "goals": goals,
    "kernels": kernel_table,
    "origin": origin,
    "phases": phases,
    "suites": suites,
}


def load() -> Results:
    """Return the results of the machine that the page shows, by part."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((RESULTS / MACHINE).glob("*.json"))}


def filled(text: str) -> str:
    """Return the page with its tables made anew."""
    results = load()
    return _MARK.sub(lambda found: f"{found[1]}{TABLES[found['name']](results)}\n{found[3]}", text)


def write() -> None:
    """Make the tables of the page anew."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
