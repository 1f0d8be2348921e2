"""The page of mishaps: its rows from outcomes, and back. ``python -m tests.mishap_page`` writes it anew."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.mishap_table import MISHAPS
from tests.mishaps import Bench, Outcome, make_cases

ROOT = Path(__file__).resolve().parent.parent
PAGE = "docs/when-things-go-wrong.md"
HEAD = """\
# When things go wrong

Each row was tried for real: a test makes it happen to real `psi` processes and compares what they show, the exit code
and what is left in the run folder with this page. `python -m tests.mishap_page` writes the page anew. Paths are
shortened, ports are shown as 7766. Exit codes: [exit-codes.md](exit-codes.md).

Whatever happens, three things hold. No message holds a name, a number or any other value of a row: rows and columns
are named by number. No `matched.csv` and no `receipt.json` exists unless both sides compared their transcripts and
found them equal. Nothing half-written is left, and a run that broke is started afresh on both sides, never resumed.

One thing cannot be tidied up: a process that is killed by force, or whose machine loses its power, may leave a hidden
`.NAME.part` in its run folder, readable by its owner alone. Delete the folder.
"""
COLUMNS = "| what happened | what you see | exit | left in the run folder |\n|---|---|---|---|\n"


WITH_THE_KILLED = (
    "| what was killed | what the other side sees | exit | left in its run folder | left in the killed one's |\n"
    "|---|---|---|---|---|\n"
)


def cell(lines: tuple[str, ...]) -> str:
    """Return lines of a screen as a cell of a table."""
    return "<br>".join(line.replace("|", "\\|") for line in lines) or "the result"


def row(title: str, outcome: Outcome) -> str:
    """Return the row of one mishap."""
    folders = [outcome.left, *([] if outcome.killed_left is None else [outcome.killed_left])]
    left = " | ".join(", ".join(files) or "no folder" for files in folders)
    return f"| {title} | {cell(outcome.shown)} | {outcome.code} | {left} |"


def outcomes() -> Iterator[tuple[str, str, Outcome]]:
    """Make every mishap happen, one after the other, and yield what came of it."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        cases = make_cases(base)
        for section, rows in MISHAPS.items():
            for number, (title, mishap) in enumerate(rows.items()):
                folder = base / f"{section}-{number}"
                folder.mkdir()
                yield section, title, mishap(Bench(cases, folder))


def parse(page: str) -> dict[tuple[str, str], str]:
    """Return the rows of the page by section and title."""
    rows, section = {}, ""
    for line in page.splitlines():
        if heading := re.fullmatch(r"## (.+)", line):
            section = heading[1]
        elif (found := re.match(r"\| ([^|]+) \|", line)) and section and not found[1].startswith("what "):
            rows[section, found[1]] = line
    return rows


def main() -> None:
    """Write the page."""
    text, last = HEAD, ""
    for section, title, outcome in outcomes():
        if section != last:
            columns = COLUMNS if outcome.killed_left is None else WITH_THE_KILLED
            text, last = f"{text}\n## {section}\n\n{columns}", section
        text += row(title, outcome) + "\n"
        print(title, outcome.code, flush=True)
    (ROOT / PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
