"""
The gate: run the rules of the terms on every row, write down what is rejected, bring the rest into form.

A rule passes or rejects; nothing is repaired. Rules see the raw value, recipes come after. Nothing is dropped in
silence: ``passed + rejected + collapsed = rows``, where a row passed if it became an item, and collapsed if its
key repeats that of a row before it which did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import polars as pl

from psi.errors import GateError
from psi.intake.output import whole_file
from psi.intake.parquet import MAGIC, ParquetTable
from psi.intake.reader import CHUNK_BYTES, CsvTable, Table, open_file, unreadable
from psi.items import Collector, Items
from psi.recipes import RECIPES, RULES

if TYPE_CHECKING:
    from psi.terms import KeyColumn, Party, Side

SCHEMA = "psi/gate/1"
MISSING = "missing"  # a value that must be there is empty or blank
EMPTY_KEY = "empty-key"  # nothing is left of a key column after its recipe
REJECTS_HEADER = b"row,columns,reasons\n"


@dataclass(frozen=True)
class RecipeEffect:
    """Say how many values of a key column its recipe changed, among the rows that were not rejected."""

    column: str
    recipe: str
    changed: int


@dataclass(frozen=True)
class GateReport:
    """
    Say what became of the rows of one file; it holds no value of it, and both parties' reports compare.

    ``reasons`` counts the rejected rows by reason code; a row with several reasons counts for each.
    """

    file: str
    rows: int
    passed: int
    rejected: int
    collapsed: int
    items: int
    reasons: dict[str, int]
    recipes: tuple[RecipeEffect, ...]

    def document(self) -> dict[str, object]:
        """Return the report as ``gate.json`` holds it."""
        return {"schema": SCHEMA, **asdict(self), "recipes": [asdict(effect) for effect in self.recipes]}


@dataclass(frozen=True)
class Intake:
    """Hold what came of a file: its items, the report, and the table that finds its rows again."""

    items: Items
    report: GateReport
    table: Table = field(repr=False)


def read(
    path: Path,
    *,
    party: Party,
    side: Side,
    key: Sequence[KeyColumn],
    rejects: Path,
    threads: int = 1,
    chunk_bytes: int = CHUNK_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> Intake:
    """
    Read a CSV or Parquet file through the gate; ``run`` calls it with what the terms say of one ``side``.

    ``rejects`` gets a line for each rejected row: its number (data rows count from 1), the columns at fault and, in
    the same order, the reasons. ``progress(done_bytes, total_bytes)`` is called after each batch.

    Raises `GateError` that names row and column by number when the file is not sound, and when no row passes (then
    ``rejects`` is there); `UsageError` when there is no such file; `MachineError` when it cannot be read or a file
    cannot be written.
    """
    gate = _Gate(party, side, key)
    table = _open(path, party.delimiter, list(gate.formats), chunk_bytes)
    collector = Collector(threads=threads)
    rows = 0
    with whole_file(rejects) as stream:
        stream.write(REJECTS_HEADER)
        for batch in table.batches(gate.formats):
            gate.judge(batch.frame, rows, collector, stream)
            rows += batch.frame.height
            if progress is not None:
                progress(batch.done_bytes, table.total_bytes)
    if gate.rejected == rows:
        counts = ", ".join(f"{code} {count}" for code, count in gate.reasons.items())
        raise GateError(
            f"{path.name}: none of {rows} rows passed the gate ({counts})",
            hint=f"{rejects} has the reasons for each row; compare the columns and formats in the terms",
        )
    items = collector.finish()
    effects = tuple(
        RecipeEffect(each.column, each.recipe, count)
        for each, count in zip(gate.key, gate.changed, strict=True)
    )
    report = GateReport(
        path.name,
        rows,
        len(items),
        gate.rejected,
        items.collapsed,
        len(items),
        dict(sorted(gate.reasons.items())),
        effects,
    )
    assert report.passed + report.rejected + report.collapsed == rows
    return Intake(items, report, table)


def _open(path: Path, delimiter: str, wanted: Sequence[str], chunk_bytes: int) -> Table:
    """Open a file as what its first bytes say it is."""
    with open_file(path) as stream:
        try:
            magic = stream.read(len(MAGIC))
        except OSError as error:
            raise unreadable(path, error) from error
    if magic == MAGIC:
        return ParquetTable(path, wanted=wanted)
    return CsvTable(path, delimiter, wanted=wanted, chunk_bytes=chunk_bytes)


@dataclass(frozen=True)
class _KeyPart:
    column: str
    recipe: str
    date_format: str | None


@dataclass(frozen=True)
class _Fault:
    """Say when a value is at fault: an expression over the columns of ``_Gate._seen``."""

    column: str
    reason: str
    expression: pl.Expr


class _Gate:
    """Judge batches of rows by what the terms say of one party, and count."""

    def __init__(self, party: Party, side: Side, key: Sequence[KeyColumn]) -> None:
        self.key = [
            _KeyPart(getattr(part, side), part.recipe, getattr(part, f"{side}_format")) for part in key
        ]
        #: Each column that is read, and how the terms write its dates.
        self.formats: dict[str, str | None] = dict.fromkeys(party.required)
        for column, date_format in (
            *((part.column, part.date_format) for part in self.key),
            *((rule.column, rule.format) for rule in party.rules),
        ):
            self.formats[column] = self.formats.get(column) or date_format
        self.rejected = 0
        self.reasons: Counter[str] = Counter()
        self.changed = [0] * len(self.key)
        self._seen, self._faults = self._compile(party)

    def _compile(self, party: Party) -> tuple[list[pl.Expr], list[_Fault]]:
        """Return what is computed of each value, and the faults that follow from it."""
        seen = [
            (pl.col(column).str.strip_chars_start() == "").alias(f"blank {column}") for column in self.formats
        ]
        must = dict.fromkeys((*party.required, *(part.column for part in self.key)))
        faults = [_Fault(column, MISSING, pl.col(f"blank {column}")) for column in must]
        ruled: dict[str, list[pl.Expr]] = {column: [pl.col(f"blank {column}")] for column in self.formats}
        for number, rule in enumerate(party.rules):
            passes = RULES[rule.rule].expression(pl.col(rule.column), rule.format)
            seen.append(passes.alias(f"passes {number}"))
            # Whether a value may be missing is for `required` to say.
            fails = ~pl.col(f"passes {number}") & ~pl.col(f"blank {rule.column}")
            ruled[rule.column].append(fails)
            faults.append(_Fault(rule.column, RULES[rule.rule].reason, fails))
        for number, part in enumerate(self.key):
            value = RECIPES[part.recipe].expression(pl.col(part.column), part.date_format)
            seen.append(value.alias(f"key {number}"))
            # One fault of a value is told once: what a rule rejects may well leave nothing for the key.
            empty = (pl.col(f"key {number}") == "") & ~pl.any_horizontal(ruled[part.column])
            faults.append(_Fault(part.column, EMPTY_KEY, empty))
        return seen, faults

    def judge(self, frame: pl.DataFrame, first_row: int, collector: Collector, rejects: BinaryIO) -> None:
        """Judge the rows of a batch, of which ``first_row`` (from 0) is the first."""
        seen = frame.lazy().select(self._seen).collect()  # not eager: common parts are computed once
        faults = seen.select(fault.expression.alias(str(number)) for number, fault in enumerate(self._faults))
        faulty = faults.select(pl.any_horizontal(pl.all())).to_series()
        values = seen.select(f"key {number}" for number in range(len(self.key)))
        raw = frame.select(part.column for part in self.key)
        if faulty.any():
            self._reject(faults, faulty, first_row, rejects)
            values, raw = values.filter(~faulty), raw.filter(~faulty)
        for number in range(len(self.key)):
            self.changed[number] += int((values.to_series(number) != raw.to_series(number)).sum())
        rows = np.flatnonzero(~faulty.to_numpy()) + first_row
        collector.add(values, rows.astype(np.uint32))

    def _reject(self, faults: pl.DataFrame, faulty: pl.Series, first_row: int, rejects: BinaryIO) -> None:
        """Count the faults of a batch and write a line for each row that has some."""
        of_rows = faults.filter(faulty)
        self.rejected += of_rows.height
        having: dict[str, list[str]] = {}
        for number, fault in enumerate(self._faults):
            having.setdefault(fault.reason, []).append(str(number))
        counts = of_rows.select(pl.any_horizontal(names).sum().alias(code) for code, names in having.items())
        self.reasons.update({code: count for code, count in counts.row(0, named=True).items() if count})
        named = {
            title: pl.concat_str(
                [pl.when(pl.col(str(number))).then(pl.lit(text)) for number, text in enumerate(texts)],
                separator=";",
                ignore_nulls=True,
            )
            for title, texts in (
                ("columns", [fault.column for fault in self._faults]),
                ("reasons", [fault.reason for fault in self._faults]),
            )
        }
        row = pl.Series("row", faulty.arg_true().cast(pl.UInt64) + (first_row + 1))
        lines = of_rows.select(row, **named).write_csv(include_header=False)
        rejects.write(lines.encode())  # not written by the table library, whose errors do not say why
