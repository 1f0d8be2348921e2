"""
Put results into tables: the page, the Markdown, the CSV and the tables of README and docs are all made from these.

A table holds texts that are ready to be read. Each row says at which place of a record its numbers stand, so that
anybody can go from the number to the record, and from the record to the command in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psi.bench.alternatives import HAPPENED, LEAD, PSI
from psi.bench.record import COMPUTED, Exposure, Line, Results, Spread
from psi.bench.relay import LINKS, LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Table:
    """
    Hold a table: ``numeric`` are the columns that hold numbers.

    ``sources`` has the place of each row's record in the file ``record``.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sources: tuple[str, ...]
    numeric: frozenset[int] = field(default_factory=frozenset)
    record: str = "results.json"

    def is_ours(self, row: tuple[str, ...]) -> bool:
        """Say whether a row is about this tool, by what its first two cells begin with."""
        return any(cell.startswith(("psi,", "this run")) for cell in row[:2])

    def markdown(self) -> str:
        """Return the table as Markdown."""
        rule = ["---:" if place in self.numeric else "---" for place in range(len(self.header))]
        rows = [self.header, tuple(rule), *self.rows]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def number(value: float) -> str:
    """Return 1280000 as 1,280,000."""
    return f"{value:,.0f}"


def megabytes(value: float) -> str:
    """Return bytes in MB (10^6) with three digits that count."""
    size = value / 1e6
    return f"{size:,.0f}" if size >= 100 else f"{size:.1f}" if size >= 1 else f"{size:.3f}"


def seconds(value: float) -> str:
    """Return a time in seconds with the digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(value: float) -> str:
    """Return a time as a sentence has it."""
    if value < 120:
        return f"{seconds(value)} s"
    return f"{value / 60:.0f} minutes" if value < 7200 else f"{value / 3600:.1f} hours"


def with_range(spread: Spread) -> str:
    """Return the median and, where there are several, the extremes."""
    if len(spread.all) < 2:
        return seconds(spread.median)
    return f"{seconds(spread.median)} ({seconds(spread.min)} to {seconds(spread.max)})"


def crossed(results: Results) -> Table:
    """Return what crosses the line in each alternative, and what it costs, on loopback."""
    rows, sources = [], []
    for line, source in _on_loopback(results):
        rows.append(
            (
                line.title,
                number(line.exposed_without_match),
                number(line.people_disclosed),
                megabytes(line.bytes_to_holder),
                megabytes(line.bytes_to_requester),
                with_range(line.wall_s),
                str(line.repetitions),
                "yes" if line.correct else "NO",
            )
        )
        sources.append(source)
    return Table(
        "crossed",
        f"{_sizes(results)}: what crosses the line",
        (
            "way",
            "people exposed without a match",
            "people on both lists",
            "MB to the holder",
            "MB to the requester",
            "seconds: median (least to most)",
            "runs",
            "correct",
        ),
        tuple(rows),
        tuple(sources),
        frozenset(range(1, 7)),
    )


def resources(results: Results) -> Table:
    """Return processor time, memory and money of each alternative on loopback."""
    rows, sources = [], []
    for line, source in _on_loopback(results):
        memory = line.peak_memory_bytes
        rows.append(
            (
                line.title,
                "" if line.cpu_s is None else with_range(line.cpu_s),
                megabytes(memory["requester"]),
                megabytes(memory["holder"]),
                "" if line.cost_usd is None else f"{line.cost_usd:.4f}",
            )
        )
        sources.append(source)
    prices = results.prices
    return Table(
        "resources",
        f"{_sizes(results)}: what it costs, at {prices['cpu_hour_usd']} USD an hour of a processor and "
        f"{prices['gigabyte_usd']} USD a gigabyte (assumed prices)",
        ("way", "processor seconds of both", "MB of memory, requester", "MB of memory, holder", "USD a run"),
        tuple(rows),
        tuple(sources),
        frozenset(range(1, 5)),
    )


def learned(results: Results) -> Table:
    """Return who has what of the other's people afterwards."""
    rows, sources = [], []
    for line, source in _on_loopback(results):
        rows.append((line.title, _has(line.holder_has), _has(line.requester_has), _basis(line)))
        sources.append(source)
    return Table(
        "learned",
        f"{_sizes(results)}: what each side has of the other's people when it is over",
        ("way", "the holder has", "the requester has", "how it is known"),
        tuple(rows),
        tuple(sources),
    )


def _has(has: Exposure) -> str:
    """Say what a side has besides the people on both lists."""
    if not has.people:
        return "of people on one list alone: nothing; how long the other list is"
    return (
        f"of {number(has.unmatched)} people on one list alone: {has.fields} "
        f"column{'s' if has.fields > 1 else ''} each, {has.form}, in {has.copies} "
        f"file{'s' if has.copies > 1 else ''} it keeps"
    )


def _basis(line: Line) -> str:
    known = {has.basis for has in (line.holder_has, line.requester_has) if has.people or line.kind == PSI}
    return "; ".join(sorted(known))


def links(results: Results) -> Table:
    """Return the time of the main alternatives over each link, measured or computed, and how they compare."""
    rows, sources = [], []
    for link in LINKS.values():
        happened = results.line(HAPPENED, link.name)
        for place, line in enumerate(results.lines):
            if line.link != link.name or line.alternative not in _over_links(results):
                continue
            compared = ""
            if happened is not None and happened.basis == line.basis:
                compared = f"{line.wall_s.median / happened.wall_s.median:.2f}"
            rows.append(
                (link.title, line.title, with_range(line.wall_s), compared, line.basis, str(line.repetitions))
            )
            sources.append(f"lines[{place}]")
    return Table(
        "links",
        f"{_sizes(results)}: seconds over links, and how many times as long as the request list",
        ("link", "way", "seconds: median (least to most)", "times the list's", "basis", "runs"),
        tuple(rows),
        tuple(sources),
        frozenset({2, 3, 5}),
    )


def relay(results: Results) -> Table:
    """Return how well the relay kept to what it was asked for."""
    rows = [
        (
            LINKS[each.link].title,
            f"{each.rate_bit_s / 1e6:,.1f}",
            f"{each.asked_rate_bit_s / 1e6:,.0f}",
            f"{each.round_trip_s * 1e3:.2f}",
            f"{each.asked_round_trip_s * 1e3:.0f}",
            each.kernel_note
            if each.kernel_rate_bit_s is None
            else f"{each.kernel_rate_bit_s / 1e6:,.1f} Mbit/s by its {each.kernel_note}",
        )
        for each in results.relay
    ]
    return Table(
        "relay",
        "The relay that stands for a link: what it did, and what it was asked for",
        ("link", "Mbit/s", "asked", "ms round trip", "asked", "the kernel, asked for the same rate"),
        tuple(rows),
        tuple(f"relay[{place}]" for place in range(len(rows))),
        frozenset({1, 2, 3, 4}),
    )


def reversal(results: Results) -> Table:
    """Return how quickly hashes give their numbers back."""
    rows = [
        (
            each.what,
            number(each.tried),
            f"{number(each.recovered)} of {number(each.targets)}",
            seconds(each.sample_s),
            number(each.rate_per_s),
            f"{duration(each.full_s)} (computed)",
        )
        for each in results.reversal
    ]
    return Table(
        "reversal",
        "Nine-digit numbers from their hashes, tried one after the other on this machine",
        ("what was hashed", "numbers tried", "found", "seconds", "numbers a second", "all 10^9 numbers"),
        tuple(rows),
        tuple(f"reversal[{place}]" for place in range(len(rows))),
        frozenset({1, 2, 3, 4}),
    )


def all_tables(results: Results) -> tuple[Table, ...]:
    """Return every table of a benchmark that has rows."""
    made = (crossed, learned, resources, links, relay, reversal)
    return tuple(table for table in (make(results) for make in made) if table.rows)


def answer(results: Results) -> str:
    """Return the answer in one sentence, with numbers."""
    lead, bulk = results.line(LEAD), results.line(HAPPENED)
    if lead is None or bulk is None:
        return "This benchmark left out what the answer compares: the request list sent whole, and the default of psi."
    return (
        f"To find the {number(lead.people_disclosed)} people who are on both lists, sending the request list shows the "
        f"holder {number(bulk.holder_has.unmatched)} people who are not on its own; this tool shows it none of them, "
        f"sends {megabytes(lead.bytes_total)} MB instead of {megabytes(bulk.bytes_total)} MB, and takes "
        f"{duration(lead.wall_s.median)} instead of {duration(bulk.wall_s.median)} with both sides on one machine."
    )


def _sizes(results: Results) -> str:
    return f"{number(results.case['requests'])} requests, {number(results.case['records'])} records"


def _on_loopback(results: Results) -> list[tuple[Line, str]]:
    return [
        (line, f"lines[{place}]")
        for place, line in enumerate(results.lines)
        if line.link == LOOPBACK.name and line.basis != COMPUTED
    ]


def _over_links(results: Results) -> set[str]:
    """Return the alternatives that the table of links shows: the list, and `psi` where both learn, or what there is."""
    shown = {HAPPENED, "list-to-holder/columns", LEAD, "vole-semi-honest/holder-first"}
    there = {line.alternative for line in results.lines}
    return (shown & there) or {line.alternative for line in results.lines if line.kind == PSI}


def select(tables: Sequence[Table], name: str) -> Table | None:
    """Return a table by its name, if it is there."""
    return next((table for table in tables if table.name == name), None)
