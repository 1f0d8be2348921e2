"""
Set one real run beside what would have crossed the line without it: people and bytes, from the run's own receipt.

The figures of the run are measured; those of the other ways follow from its counts, and each says so. A receipt holds
no item, and neither does this page.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psi import __version__
from psi.bench import charts, page, template
from psi.bench.charts import Bar
from psi.bench.tables import Table, megabytes, number
from psi.errors import TermsError, UsageError
from psi.intake.kinds import ZIP
from psi.intake.parquet import MAGIC
from psi.intake.reader import open_file
from psi.run import RECEIPT

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "psi/compare/1"
TITLE = "What crossed the line in one run, and what would have without it"
HASH_BYTES = 32  # SHA-256
MEASURED, COUNTED, LENGTH = "measured", "computed from the run's counts", "the file's length"
UNKNOWN = "not known to this side"


@dataclass(frozen=True)
class Way:
    """
    Hold one way: people on one list alone who are exposed by it, to whom, in what form, and the bytes both ways.

    ``None`` is what this side cannot know.
    """

    title: str
    exposed: int | None
    to: str
    form: str
    sent_bytes: int | None
    people_basis: str
    bytes_basis: str
    ours: bool = False


@dataclass(frozen=True)
class Comparison:
    """Hold what the page shows; ``items`` are distinct people on the own and on the peer's list."""

    side: str
    suite: str
    own: int
    peer: int
    overlap: int | None
    exchange_s: float
    total_s: float
    receipt: dict[str, Any]
    ways: tuple[Way, ...]
    by: str | None = None  # the key by which people are counted, where the terms have several

    def document(self) -> dict[str, Any]:
        """Return the JSON object that ``psi compare`` prints."""
        return {
            "schema": SCHEMA,
            "side": self.side,
            "suite": self.suite,
            "people": {"own": self.own, "peer": self.peer, "both": self.overlap, "by_key": self.by},
            "seconds": {"exchange": self.exchange_s, "total": self.total_s},
            "transcript": self.receipt["transcript"],
            "ways": [
                {
                    "way": way.title,
                    "exposed_without_match": way.exposed,
                    "exposed_to": way.to,
                    "form": way.form,
                    "bytes": way.sent_bytes,
                    "people_basis": way.people_basis,
                    "bytes_basis": way.bytes_basis,
                }
                for way in self.ways
            ],
        }


def compare(run: Path, *, file: Path | None) -> Comparison:
    """
    Return the comparison for a run's folder; ``file`` is the file that this side brought to it, if it is still there.

    Raises ``UsageError`` when there is no receipt or no such file, ``TermsError`` when the receipt is not one, or the
    file has another name than the one of the run.
    """
    receipt = _receipt(run / RECEIPT)
    try:
        side, items, overlap = receipt["side"], receipt["items"], receipt["overlap"]
        own, peer = int(items["own"]), int(items["peer"])
        sent = int(receipt["bytes"]["sent"]) + int(receipt["bytes"]["received"])
        seconds = {name: float(value) for name, value in receipt["seconds"].items()}
        suite, named = str(receipt["suite"]), str(receipt["gate"]["file"])
        for name in ("transcript", "started", "version"):
            str(receipt[name])
        keys = [str(key["name"]) for key in receipt.get("keys", [])]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise TermsError(f"{run / RECEIPT} is not the receipt of a run") from None
    length, columns = (None, None) if file is None else _measure(file, named)
    other = "holder" if side == "requester" else "requester"
    alone = None if overlap is None else own - overlap
    theirs = None if overlap is None else peer - overlap
    form = "in clear" if columns is None else f"in clear, {columns} columns of each"
    basis = UNKNOWN if overlap is None else COUNTED
    ways = (
        Way(
            f"this side's file sent to the {other}",
            alone,
            f"the {other}",
            form,
            length,
            basis,
            "not known: name the file with --file" if length is None else LENGTH,
        ),
        Way(
            f"the {other}'s file sent to this side",
            theirs,
            f"the {side}",
            "in clear",
            None,
            basis,
            UNKNOWN,
        ),
        Way(
            "both lists sent as hashes of the key (SHA-256)",
            None if alone is None or theirs is None else alone + theirs,
            "each other",
            "a hash that can be reversed",
            HASH_BYTES * (own + peer),
            basis,
            COUNTED,
        ),
        Way(
            "both files sent to a third party who is trusted",
            None if overlap is None else own + peer - 2 * overlap,
            "the third party",
            "in clear",
            None,
            basis,
            UNKNOWN,
        ),
        Way(f"this run: psi, {suite}", 0, "nobody", "nothing", sent, "by the protocol", MEASURED, ours=True),
    )
    return Comparison(
        side,
        suite,
        own,
        peer,
        overlap,
        seconds.get("exchange", 0.0),
        sum(seconds.values()),
        receipt,
        ways,
        by=keys[0] if len(keys) > 1 else None,
    )


def table(made: Comparison) -> Table:
    """Return the ways as a table."""
    rows = tuple(
        (
            way.title,
            UNKNOWN if way.exposed is None else number(way.exposed),
            way.to,
            way.form,
            way.people_basis,
            UNKNOWN if way.sent_bytes is None else megabytes(way.sent_bytes),
            way.bytes_basis,
        )
        for way in made.ways
    )
    return Table(
        "ways",
        "What each way would have shown and sent for the same two lists",
        (
            "way",
            "people exposed without a match",
            "to whom",
            "in what form",
            "basis",
            "MB",
            "basis of the MB",
        ),
        rows,
        tuple(f"ways[{place}]" for place in range(len(rows))),
        frozenset({1, 5}),
        "psi compare --json",
    )


def answer(made: Comparison) -> str:
    """Return the answer in one sentence, with numbers."""
    found = "the people" if made.overlap is None else f"the {number(made.overlap)} people"
    first, ours = made.ways[0], made.ways[-1]
    shown = "an unknown number of" if first.exposed is None else f"{number(first.exposed)}"
    sent = "" if first.sent_bytes is None else f" instead of the file's {megabytes(first.sent_bytes)} MB"
    by = "" if made.by is None else f' (by the key "{made.by}", the first of several)'
    return (
        f"To find {found} who are on both lists of {number(made.own)} and {number(made.peer)}{by}, sending this "
        f"side's file would have shown {first.to} {shown} people who are not on its list; this run showed "
        f"it none of them and sent {megabytes(ours.sent_bytes or 0)} MB both ways{sent}."
    )


def html(made: Comparison) -> bytes:
    """Return the page as one file of HTML; raises ``MachineError`` where the packages for it are missing."""
    charts.check_installed()
    shown = [way for way in made.ways if way.exposed is not None]
    bars = [Bar(way.title, float(way.exposed or 0), number(way.exposed or 0), way.ours) for way in shown]
    caption = "People on one list alone who are exposed"
    label = caption + ". " + "; ".join(f"{bar.name}: {bar.text}" for bar in bars) + "."
    figures = [page.Figure(caption, charts.bars(bars, label=label))] if len(bars) > 1 else []
    return (
        page.environment()
        .from_string(template.COMPARE)
        .render(
            title=TITLE,
            style=template.STYLE,
            version=__version__,
            answer=answer(made),
            figures=figures,
            table=table(made),
            limits=(*_limits(made), *page.LIMITS[:5]),
            origin=_origin(made),
            citation=f"Run of {made.receipt['started'][:10]}, psi {made.receipt['version']}, suite {made.suite}, "
            f"transcript {made.receipt['transcript']}.",
        )
        .encode()
    )


def text(made: Comparison) -> str:
    """Return the comparison for a person at a terminal."""
    rows: Sequence[tuple[str, ...]] = table(made).rows
    lines = [f"{'way':<50} {'exposed without a match':>24} {'MB':>24}"]
    lines += [f"{row[0]:<50} {row[1]:>24} {row[5]:>24}" for row in rows]
    return "\n".join([*lines, "", answer(made)])


def _limits(made: Comparison) -> tuple[str, ...]:
    """Return what must be said about this page besides what holds for every run."""
    said = [
        "Only the line of this run was measured. The others follow from its counts: people on either list "
        "and on both. `psi bench` runs them as programs, on invented people.",
    ]
    if made.overlap is None:
        said.append(
            "This side did not learn the overlap, so it cannot say how many people another way would have exposed."
        )
    if made.by is not None:
        said.append(
            f'The run compared several keys. People are counted by the first of them, "{made.by}"; bytes and seconds '
            "are those of all."
        )
    return tuple(said)


def _origin(made: Comparison) -> list[tuple[str, str]]:
    """Return where the figures come from."""
    receipt = made.receipt
    return [
        ("record", f"{RECEIPT} of the run; each row names its place in what `psi compare RUN --json` prints"),
        ("began, ended", f"{receipt['started']}, {receipt.get('ended', '')}"),
        (
            "seconds of the private comparison, and of the whole run",
            f"{made.exchange_s:.2f}, {made.total_s:.2f}",
        ),
        ("terms (SHA-256)", str(receipt.get("terms_sha256", ""))),
        ("transcript that both sides compared", str(receipt["transcript"])),
    ]


def _receipt(path: Path) -> dict[str, Any]:
    """Read a receipt; a later version may say more than is read here."""
    try:
        made = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UsageError(
            f"no {path.name} in {path.parent}", hint="name the folder that a run has left"
        ) from None
    except ValueError:
        raise TermsError(f"{path} is not the receipt of a run") from None
    if not isinstance(made, dict) or not str(made.get("schema", "")).startswith("psi/receipt/"):
        raise TermsError(f"{path} is not the receipt of a run")
    return made


def _measure(file: Path, named: str) -> tuple[int, int | None]:
    """Return the length of the file that was brought and, of a CSV file, how many columns it has."""
    if file.name != named:
        raise TermsError(f"{file.name} is not the file of the run, which was called {named}")
    with open_file(file) as stream:
        first = stream.readline(1 << 20)
    columns = None
    if not first.startswith((MAGIC, ZIP)):
        columns = len(next(csv.reader([first.decode("utf-8", errors="replace")]), []))
    return file.stat().st_size, columns
