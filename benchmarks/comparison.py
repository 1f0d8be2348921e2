"""
Measure this tool beside the other ways and beside other systems, and keep it as the results of a named machine.

``python -m benchmarks compare NAME`` writes ``benchmarks/results/NAME/comparison/*.json``, makes a signed bundle of
them, and the tables of README and docs anew (``python -m benchmarks compare-pages`` does that alone). The tables stand
between marks that name what they show; the rest of those pages is written by hand, and a test holds them together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import suite
from benchmarks.peers import measure as side_by_side
from benchmarks.peers.systems import ENVIRONMENT, SYSTEMS
from benchmarks.record import RESULTS
from benchmarks.suite import ROOT
from psi.bench import benchmark, making, peers, record, tables
from psi.bench import growth as growing
from psi.bench import machine as code
from psi.bench.alternatives import ALTERNATIVES, HAPPENED, LEAD
from psi.bench.benchmark import LEAD_MATCHES, LEAD_ROWS, Plan
from psi.bench.growth import Growth, Point
from psi.wire import Suite

KEPT = "comparison"
BENCH, PEERS, GROWTH, DIRECTIONS = "results.json", "peers.json", "growth.json", "directions.json"
PAGES = ("README.md", "docs/comparison.md", "docs/brief.md")
CURVES = "docs/growth.svg"
#: The machine whose results each part of the pages shows; a part names its own.
SHOWN = dict.fromkeys(("ways", "directions", "peers", "scales", "growth"), "xeon-cascade-lake-2-cores")
SLOW_SYSTEMS = ("psi-ecdh", "spu-ecdh")  # a minute or two a run
SLOWEST_SYSTEM = "openmined"  # ten minutes a run, so it runs once
QUICK = (
    "list-to-holder",
    "list-to-holder/csv-zstd",
    "list-to-holder/columns",
    "file-to-requester",
    "file-to-requester/csv-zstd",
    "file-to-requester/columns",
    "hashed-lists",
    "vole-malicious/holder-first",
    "vole-malicious/requester-first",
    "vole-semi-honest/holder-first",
)
SLOW = ("ecdh/holder-learns", "ecdh-cardinality/holder-learns")
OTHER_DIRECTIONS = tuple(name for name in ALTERNATIVES if name not in (*QUICK, *SLOW))
_MARK = re.compile(r"(<!-- compared: (?P<name>[\w-]+) -->\n?)(?P<inner>.*?)(<!-- end -->)", re.DOTALL)
SCALES = ((700_000, 1_280_000), (1_280_000, 7_600_000), (7_600_000, 1_280_000))  # requests, records
_VOLE_SIZES = tuple(1 << power for power in range(12, 25, 2))
_GROUP_SIZES = tuple(1 << power for power in range(12, 21, 2))
_ONE_RUN_FROM = 1 << 20  # items of the suites over a group, which then take a minute


def measure(machine: str, *, parts: tuple[str, ...], repeat: int, links: tuple[str, ...], slow: bool) -> bool:
    """Measure parts and keep each; return whether every output was right."""
    folder = RESULTS / machine / KEPT
    folder.mkdir(parents=True, exist_ok=True)
    correct = True
    if "ways" in parts:
        made = _lead_case(machine, "ways", (*QUICK, *SLOW), repeat, links)
        (folder / BENCH).write_bytes(record.dumps(made))
        correct = correct and all(line.correct for line in made.lines)
    if "directions" in parts:
        made = _lead_case(machine, "directions", OTHER_DIRECTIONS, repeat, ())
        (folder / DIRECTIONS).write_bytes(record.dumps(made))
        correct = correct and all(line.correct for line in made.lines)
    if "peers" in parts:
        if not ENVIRONMENT.exists():
            side_by_side.install()
        often = dict.fromkeys(SYSTEMS, repeat)
        often |= dict.fromkeys(SLOW_SYSTEMS, -(-repeat // 3) if slow else 0)
        often[SLOWEST_SYSTEM] = 1 if slow else 0
        beside = side_by_side.measure(rows=LEAD_ROWS, repeat=often)
        (folder / PEERS).write_text(json.dumps(beside, indent=1) + "\n", encoding="utf-8")
        correct = correct and all(line["correct"] for line in beside["lines"] if line["measured"])
    if "scales" in parts:
        for requests, records in SCALES:
            made = benchmark.run(
                Plan(
                    requests=requests,
                    records=records,
                    matches=min(requests, records) * LEAD_MATCHES // LEAD_ROWS,
                    repeat=-(-repeat // 3),
                    alternatives=(HAPPENED, "file-to-requester", LEAD, "vole-malicious/requester-first"),
                    links=(),
                    command=f"python -m benchmarks compare {machine} --part scales --repeat {repeat}",
                ),
                progress=lambda what, percent: _say(f"{percent:>3} % {what}"),
            )
            (folder / f"scale-{requests}-{records}.json").write_bytes(record.dumps(made))
            correct = correct and all(line.correct for line in made.lines)
    if "growth" in parts:
        (folder / GROWTH).write_bytes(msgspec.json.format(msgspec.json.encode(_growth()), indent=1) + b"\n")
    return correct


def _lead_case(
    machine: str, part: str, alternatives: tuple[str, ...], repeat: int, links: tuple[str, ...]
) -> record.Results:
    """Measure alternatives at 1.28 million rows."""
    return benchmark.run(
        Plan(
            requests=LEAD_ROWS,
            records=LEAD_ROWS,
            matches=LEAD_MATCHES,
            repeat=repeat,
            alternatives=alternatives,
            links=links,
            reversed_numbers=4_000_000,
            command=f"python -m benchmarks compare {machine} --part {part} --repeat {repeat}"
            + (f" --links {','.join(links)}" if links else ""),
        ),
        progress=lambda what, percent: _say(f"{percent:>3} % {what}"),
    )


def bundle(machine: str, out: Path) -> None:
    """Make a signed bundle of what is kept of a machine."""
    folder = RESULTS / machine / KEPT
    made = record.load(folder / BENCH)
    making.write_bundle(
        out,
        made,
        beside=folder / PEERS if (folder / PEERS).exists() else None,
        growth=folder / GROWTH if (folder / GROWTH).exists() else None,
    )


def _growth() -> Growth:
    """Measure how time and bytes grow with the size of both lists, items in memory."""
    points = []
    for name, sizes in (
        (Suite.VOLE_MALICIOUS, _VOLE_SIZES),
        (Suite.VOLE_SEMI_HONEST, _VOLE_SIZES),
        (Suite.ECDH, _GROUP_SIZES),
    ):
        for size in sizes:
            _say(f"{name.value} at {size:,}")
            repeat = 1 if name is Suite.ECDH and size >= _ONE_RUN_FROM else 3
            found = suite.measure(name, n_receiver=size, n_sender=size, repeat=repeat, threads=0, both=False)
            points.append(
                Point(
                    suite=name.value,
                    items=size,
                    wall_s=found["wall_s"]["median"],
                    cpu_s=found["cpu_s"]["median"],
                    bytes_total=found["bytes_total"],
                    repetitions=found["repetitions"],
                    correct=found["correct"],
                )
            )
    return Growth(commit=code.commit(), machine=suite.machine(), points=tuple(points))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


# --- the tables of the pages ----------------------------------------------------------------------------------------


def _folder(part: str) -> Path:
    return RESULTS / SHOWN[part] / KEPT


def _load() -> dict[str, Any]:
    beside, grown = _folder("peers") / PEERS, _folder("growth") / GROWTH
    found = (_folder("scales") / f"scale-{requests}-{records}.json" for requests, records in SCALES)
    directions = _folder("directions") / DIRECTIONS
    return {
        "ways": record.load(_folder("ways") / BENCH),
        **({"directions": record.load(directions)} if directions.exists() else {}),
        "scales": [record.load(path) for path in found if path.exists()],
        **({"peers": peers.load(beside)} if beside.exists() else {}),
        **({"growth": growing.load(grown)} if grown.exists() else {}),
    }


def _short(kept: dict[str, Any]) -> str:
    """Return the table of README: the ways that a reader asks about first, in four columns."""
    ways: record.Results = kept["ways"]
    rows = ["| way | people exposed without a match | MB sent | seconds |", "|---|---:|---:|---:|"]
    for name in (HAPPENED, "list-to-holder/columns", "hashed-lists", LEAD, "vole-semi-honest/holder-first"):
        line = ways.line(name)
        if line is not None:
            rows.append(
                f"| {line.title} | {tables.number(line.exposed_without_match)} "
                f"| {tables.megabytes(line.bytes_total)} | {tables.with_range(line.wall_s)} |"
            )
    return "\n".join(rows)


def _three_ways(kept: dict[str, Any]) -> str:
    """Return the bytes of bulk in its three forms, beside those of psi."""
    ways: record.Results = kept["ways"]
    rows = ["| what is sent | MB | times those of psi |", "|---|---:|---:|"]
    lead = ways.line(LEAD)
    assert lead is not None
    rows.extend(
        f"| {line.title} | {tables.megabytes(line.bytes_total)} | {line.bytes_total / lead.bytes_total:.2f} |"
        for line in ways.lines
        if line.link == "loopback" and line.alternative not in SLOW
    )
    return "\n".join(rows)


def _ways_table(name: str, part: str = "ways") -> Callable[[dict[str, Any]], str]:
    def made(kept: dict[str, Any]) -> str:
        found = None
        if part in kept:
            found = next((each for each in tables.all_tables(kept[part]) if each.name == name), None)
        return "Not measured." if found is None else found.markdown()

    return made


def _peers_table(kept: dict[str, Any]) -> str:
    return "Not measured." if "peers" not in kept else peers.table(kept["peers"]).markdown()


def _origin(kept: dict[str, Any]) -> str:
    """Return on what the figures were measured, in a sentence."""
    ways: record.Results = kept["ways"]
    return f"{_measured_on(ways, ways.ended)}; facts `{ways.facts_sha256[:16]}`."


def _peers_origin(kept: dict[str, Any]) -> str:
    return f"{_measured_on(kept['peers'], kept['peers'].measured)}." if "peers" in kept else "Not measured."


def _growth_table(kept: dict[str, Any]) -> str:
    return growing.table(kept["growth"]).markdown() if "growth" in kept else "Not measured."


def _growth_origin(kept: dict[str, Any]) -> str:
    if "growth" not in kept:
        return "Not measured."
    grown: Growth = kept["growth"]
    return f"{grown.machine['processor']}, 2 cores, both sides on it; commit `{grown.commit}`."


def _scales_origin(kept: dict[str, Any]) -> str:
    return (
        f"{_measured_on(kept['scales'][0], kept['scales'][-1].ended)}." if kept["scales"] else "Not measured."
    )


def _directions_origin(kept: dict[str, Any]) -> str:
    if "directions" not in kept:
        return "Not measured."
    return f"{_measured_on(kept['directions'], kept['directions'].ended)}."


def _measured_on(kept: record.Results | peers.Peers, day: str) -> str:
    machine = kept.machine
    return (
        f"{machine['processor']}, {machine['processors']} cores, backend {machine['backend_vole']}, both sides on it, "
        f"load of other programs before it began {machine['load_before']}; psi {kept.version} at commit "
        f"`{kept.commit}`, {day[:10]}"
    )


def _value(value: Callable[[record.Results], str]) -> Callable[[dict[str, Any]], str]:
    return lambda kept: value(kept["ways"])


def _line(ways: record.Results, name: str) -> record.Line:
    line = ways.line(name)
    assert line is not None
    return line


def _scales(kept: dict[str, Any]) -> str:
    """Return the table of other sizes of lists."""
    rows = [
        "| requests | records | on both | way | people exposed without a match | MB sent | seconds | runs | correct |",
        "|---:|---:|---:|---|---:|---:|---:|---:|---|",
    ]
    for made in kept["scales"]:
        sizes = " | ".join(tables.number(made.case[name]) for name in ("requests", "records", "matches"))
        rows.extend(
            f"| {sizes} | {line.title} | {tables.number(line.exposed_without_match)} "
            f"| {tables.megabytes(line.bytes_total)} | {tables.with_range(line.wall_s)} "
            f"| {line.repetitions} | {'yes' if line.correct else 'NO'} |"
            for line in made.lines
            if line.basis == record.MEASURED
        )
    return "\n".join(rows) if kept["scales"] else "Not measured yet."


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "short": _short,
    "three-ways": _three_ways,
    "crossed": _ways_table("crossed"),
    "directions": _ways_table("crossed", "directions"),
    "directions-cost": _ways_table("resources", "directions"),
    "directions-origin": _directions_origin,
    "learned": _ways_table("learned"),
    "resources": _ways_table("resources"),
    "links": _ways_table("links"),
    "relay": _ways_table("relay"),
    "reversal": _ways_table("reversal"),
    "peers": _peers_table,
    "scales": _scales,
    "origin": _origin,
    "peers-origin": _peers_origin,
    "scales-origin": _scales_origin,
    "growth": _growth_table,
    "growth-origin": _growth_origin,
    "answer": _value(tables.answer),
}
# Numbers inside a sentence of the brief.
WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "exposed": _value(lambda ways: tables.number(_line(ways, HAPPENED).holder_has.unmatched)),
    "list-megabytes": _value(lambda ways: tables.megabytes(_line(ways, HAPPENED).bytes_total)),
    "columns-megabytes": _value(
        lambda ways: tables.megabytes(_line(ways, "list-to-holder/columns").bytes_total)
    ),
    "psi-megabytes": _value(lambda ways: tables.megabytes(_line(ways, LEAD).bytes_total)),
    "psi-seconds": _value(lambda ways: tables.seconds(_line(ways, LEAD).wall_s.median)),
    "list-seconds": _value(lambda ways: tables.seconds(_line(ways, HAPPENED).wall_s.median)),
    "reversal-time": _value(lambda ways: tables.duration(ways.reversal[0].full_s)),
    "salted-time": _value(lambda ways: tables.duration(ways.reversal[1].full_s)),
    "matches": _value(lambda ways: tables.number(ways.case["matches"])),
    "rows": _value(lambda ways: tables.number(ways.case["requests"])),
}


def filled(text: str) -> str:
    """Return a page with its tables and numbers made anew."""
    kept = _load()

    def made(found: re.Match[str]) -> str:
        name = found["name"]
        if name in WORDS:
            return f"{found[1]}{WORDS[name](kept)}{found[4]}"
        return f"{found[1].rstrip()}\n{TABLES[name](kept)}\n{found[4]}"

    return _MARK.sub(made, text)


def drawn() -> str | None:
    """Return the curves of growth as a picture of its own, if they were measured."""
    kept = _load()
    return f"{growing.chart(kept['growth'])}\n" if "growth" in kept else None


def write_pages() -> None:
    """Make the tables of every page, and the curves, anew."""
    curves = drawn()
    if curves is not None:
        (ROOT / CURVES).write_text(curves, encoding="utf-8")
    for name in PAGES:
        path = ROOT / name
        if path.exists():
            path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
