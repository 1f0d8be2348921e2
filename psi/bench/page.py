"""Make the page of a benchmark: HTML in one file, Markdown and CSV, all from the same tables."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psi.bench import charts, citation, tables, template
from psi.bench.alternatives import DEFAULT, HAPPENED, LEAD, PSI
from psi.bench.charts import Bar
from psi.bench.record import MEASURED
from psi.bench.relay import LOOPBACK
from psi.bench.tables import Table, duration, megabytes, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jinja2 import Environment
    from markupsafe import Markup

    from psi.bench.record import Line, Results

TITLE = "What crosses the line when two organisations compare lists of people"


@dataclass(frozen=True)
class Figure:
    """Hold a chart and the sentence above it."""

    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """Hold a part of the page between the main comparison and the limits."""

    name: str
    title: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()


LIMITS = (
    "Each side sees how long the other's list is. `psi` hides who is on it, not how many.",
    "A match is as good as its key. If both sides write a name differently, or a number is wrong, the "
    "match is lost or wrong in every way shown here, `psi` included.",
    "Nothing here checks that a request is lawful, that the people on it exist, or that what is on file is "
    "true. A side can put invented rows on its list, and learns whether they are on the other's.",
    "Those who are on both lists become known to whoever learns the result. That is what the comparison is "
    "for; limits on what follows are for the terms, the approvals and the law.",
    "`psi` rests on assumptions of cryptography that are listed with the protocol. Nobody outside the "
    "project has audited the protocol or the code.",
    "Both sides ran on one machine and shared its processors, so times are upper estimates for two "
    "machines. The people are invented, in the shape of the public record.",
    "The ways without `psi` are written to be quick: they read their files without the intake gate, which "
    "checks every row and is in the time of `psi`.",
)


def html(results: Results, *, extra: Sequence[Section] = ()) -> bytes:
    """Return the page as one file of HTML; raises ``MachineError`` where the packages for it are missing."""
    charts.check_installed()
    made = {table.name: table for table in tables.all_tables(results)}
    text = (
        environment()
        .from_string(template.PAGE)
        .render(
            **_words(results),
            style=template.STYLE,
            tables={"reversal": None, **made},
            figures=_figures(results),
            sections=[*_sections(results, made), *extra],
        )
    )
    return text.encode()


def environment() -> Environment:
    """Return what makes pages of templates: everything is escaped, and a missing name is an error."""
    import jinja2

    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    made.filters["prose"] = _prose
    return made


def markdown(results: Results, *, extra: Sequence[Section] = ()) -> bytes:
    """Return the page as Markdown."""
    charts.check_installed()
    import jinja2

    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701
    every = [*tables.all_tables(results), *(table for each in extra for table in each.tables)]
    return (
        environment.from_string(template.MARKDOWN).render(**_words(results), all_tables=every).encode()
        + b"\n"
    )


def comma_separated(results: Results, *, extra: Sequence[Section] = ()) -> bytes:
    """Return every table as CSV, a line for each cell with the names of its table, row and column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("table", "record", "place", "row", "column", "value"))
    for table in (*tables.all_tables(results), *(table for each in extra for table in each.tables)):
        for place, (row, source) in enumerate(zip(table.rows, table.sources, strict=True), start=1):
            for title, cell in zip(table.header, row, strict=True):
                writer.writerow((table.name, table.record, source, place, title, cell))
    return text.getvalue().encode()


def _prose(text: str) -> Markup:
    """Return a text as HTML, what stands between backticks as code."""
    import markupsafe

    parts = str(markupsafe.escape(text)).split("`")
    return markupsafe.Markup(  # noqa: S704 - it was escaped
        "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
    )


def _words(results: Results) -> dict[str, Any]:
    """Return the texts that HTML and Markdown share."""
    case = results.case
    return {
        "title": TITLE,
        "version": results.version,
        "subtitle": f"Measured on {results.ended[:10]} with psi {results.version} on one machine. The "
        "people are invented.",
        "question": (
            f"One organisation has a list of {number(case['requests'])} people, another keeps records on "
            f"{number(case['records'])}. Who is on both? There are several ways to find out. They differ in "
            "how many people who are on one list alone are shown to the other side, in how much is sent, "
            "and in what it costs."
        ),
        "answer": tables.answer(results),
        "remarks": _remarks(results),
        "limits": LIMITS,
        "steps": (
            "Check that nothing was changed: `psi bench --verify BUNDLE` reads the signed manifest and "
            "names the file.",
            f"Repeat it: `{results.command}` at commit {results.commit}. The digest of the facts (counts, "
            f"input digests, bytes, verdicts) is {results.facts_sha256}; a second run has the same, and its "
            "own times.",
            "Follow a number: each row names its place in results.json; that record has every repetition, "
            "and the command is in the same file. results.schema.json says what each field means.",
        ),
        "origin": _origin(results),
        "citation": citation.sentence(results),
        "bibtex": citation.bibtex(results),
    }


def _remarks(results: Results) -> list[str]:
    """Return what a reader must know besides the answer, whatever it says."""
    lead, bulk = results.line(LEAD), results.line(HAPPENED)
    remarks = []
    if lead is not None and bulk is not None:
        lean = results.line("list-to-holder/columns")
        if lean is not None:
            compared = "more" if lead.bytes_total > lean.bytes_total else "less"
            remarks.append(
                f"Sending only the columns that the match needs would take {megabytes(lean.bytes_total)} "
                f"MB, so `psi` sends {compared} than that; it would show the holder the same "
                f"{number(lean.holder_has.unmatched)} people."
            )
    rejected = 0 if lead is None else lead.rejected_rows.get("requester", 0)
    if rejected:
        remarks.append(
            f"Before anything was sent, the intake gate of `psi` held back {number(rejected)} rows of the request list "
            "that the terms do not admit, each with its reason. The ways without it sent every row."
        )
    wrong = [line.title for line in results.lines if not line.correct]
    remarks.append(
        "Every way found exactly the people of the truth, row for row, in every run."
        if not wrong
        else "Not every way found the people of the truth: " + "; ".join(wrong) + "."
    )
    return remarks


def _figures(results: Results) -> list[Figure]:
    """Return the three pictures: people exposed, bytes, time."""
    every = [line for line in results.lines if line.link == LOOPBACK.name and line.basis == MEASURED]
    lines = [line for line in every if line.alternative in DEFAULT] or every
    return [
        _figure(
            lines,
            "People on one list alone whose data, or a hash of it, reached the other side",
            lambda line: line.exposed_without_match,
            number,
        ),
        _figure(
            lines,
            "Megabytes sent, both directions together",
            lambda line: line.bytes_total,
            lambda n: f"{megabytes(n)} MB",
        ),
        _figure(
            lines,
            "Seconds from two files to the matched rows, both sides on one machine",
            lambda line: line.wall_s.median,
            duration,
        ),
    ]


def _figure(
    lines: Sequence[Line], caption: str, value: Callable[[Line], float], words: Callable[[float], str]
) -> Figure:
    """Return a picture with a bar for each line; its text holds every number of it."""
    items = [
        Bar(line.title, float(value(line)), words(float(value(line))), line.kind == PSI) for line in lines
    ]
    label = caption + ". " + "; ".join(f"{bar.name}: {bar.text}" for bar in items) + "."
    return Figure(caption, charts.bars(items, label=label))


def _sections(results: Results, made: dict[str, Table]) -> list[Section]:
    """Return what it costs, and what it costs over links."""
    sections = [
        Section(
            "costs",
            "What it costs",
            ("Processor time is that of both sides together, memory the peak of each.",),
            (made["resources"],),
        )
    ]
    if "links" in made:
        over = tuple(made[name] for name in ("links", "relay") if name in made)
        sections.append(
            Section(
                "links",
                "Over a network",
                (
                    "A line that is measured went through a relay that holds bytes to the rate and the "
                    "delay of the link; what that relay did is in the table after it. A line that is "
                    "computed adds to the loopback time what the bytes of the busier direction take at "
                    "that rate, and a round trip. A relay has neither loss nor other traffic.",
                ),
                over,
            )
        )
    return sections


def _origin(results: Results) -> list[tuple[str, str]]:
    """Return where the figures come from, a pair for each fact."""
    machine = results.machine
    digests = [
        (
            f"SHA-256 of {name}",
            f"{facts['sha256']} ({number(float(facts['bytes']))} bytes, {number(float(facts['rows']))} rows)",
        )
        for name, facts in results.inputs.items()
    ]
    return [
        ("command", results.command),
        ("version and commit", f"{results.version}, {results.commit}"),
        ("from, to", f"{results.started}, {results.ended}"),
        ("processor", f"{machine['processor']}, {machine['processors']} of it used"),
        ("memory of the machine", f"{float(machine['memory_bytes']) / 1e9:.0f} GB"),
        ("system", str(machine["system"])),
        ("load of other programs before it began", str(machine["load_before"])),
        (
            "kernels of psi",
            ", ".join(str(value) for name, value in machine.items() if name.startswith("backend_")),
        ),
        ("versions", ", ".join(f"{name} {value}" for name, value in results.versions.items())),
        ("seed of the synthetic case", str(results.seed)),
        *digests,
        ("digest of the facts", results.facts_sha256),
    ]
