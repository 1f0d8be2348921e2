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
from functools import reduce
from itertools import islice
from operator import and_
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
REMEMBERED = 1 << 15  # values of a column that are not judged again
FAULTY_ROWS = (
    1 << 14
)  # whose faults are looked for at once: the many expressions of it cost more than the rows
ROW = "\0row"  # a name that no column has
REJECTS_HEADER = b"row,columns,reasons\n"


@dataclass(frozen=True)
class RecipeEffect:
    """Say how many values of a key column its recipe changed, among the rows that were not rejected."""

    column: str
    recipe: str
    changed: int


@dataclass(frozen=True)
class RuleEffect:
    """Say how many rows a rule rejected in one column; a row with several faults counts for each of them."""

    column: str
    rule: str
    reason: str
    rejected: int


@dataclass(frozen=True)
class GateReport:
    """
    Say what became of the rows of one file; it holds no value of it, and both parties' reports compare.

    ``reasons`` counts the rejected rows by reason code; a row with several reasons counts for each. ``rules`` does so
    by column and rule, where it is not 0; that a value must be there is the rule ``required``, that its recipe leaves
    something of it the rule ``key``.
    """

    file: str
    rows: int
    passed: int
    rejected: int
    collapsed: int
    items: int
    reasons: dict[str, int]
    recipes: tuple[RecipeEffect, ...]
    rules: tuple[RuleEffect, ...]

    def document(self) -> dict[str, object]:
        """Return the report as ``gate.json`` holds it."""
        effects = {name: [asdict(each) for each in getattr(self, name)] for name in ("recipes", "rules")}
        return {"schema": SCHEMA, **asdict(self), **effects}


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
    on_report: Callable[[GateReport], None] | None = None,
) -> Intake:
    """
    Read a CSV or Parquet file through the gate; ``run`` calls it with what the terms say of one ``side``.

    ``rejects`` gets a line for each rejected row: its number (data rows count from 1), the columns at fault and, in
    the same order, the reasons. ``progress(done_bytes, total_bytes)`` is called after each batch, ``on_report`` once,
    before the report may stop the run.

    Raises `GateError` that names row and column by number when the file is not sound, and when no row passes or more
    are rejected than the terms allow (then ``rejects`` is there); `UsageError` when there is no such file;
    `MachineError` when it cannot be read or a file cannot be written.
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
        gate.reject(stream)
    items = collector.finish()
    report = GateReport(
        path.name,
        rows,
        len(items),
        gate.rejected,
        items.collapsed,
        len(items),
        dict(sorted(gate.reasons.items())),
        gate.recipe_effects(),
        gate.rule_effects(),
    )
    assert report.passed + report.rejected + report.collapsed == rows
    if on_report is not None:
        on_report(report)
    _stop(report, party, rejects)
    return Intake(items, report, table)


def _stop(report: GateReport, party: Party, rejects: Path) -> None:
    """Raise `GateError` when no row passed, or more were rejected than the terms allow."""
    counts = ", ".join(f"{code} {count}" for code, count in report.reasons.items())
    hint = f"{rejects} has the reasons for each row; compare the columns and formats in the terms"
    if report.rejected == report.rows:
        raise GateError(f"{report.file}: none of {report.rows} rows passed the gate ({counts})", hint=hint)
    allowed = party.max_rejected_percent
    if allowed is not None and report.rejected * 100 > allowed * report.rows:
        raise GateError(
            f"{report.file}: {report.rejected} of {report.rows} rows were rejected "
            f"({percent(report.rejected, report.rows)} %), and the terms allow {allowed} % ({counts})",
            hint=hint,
        )


def percent(part: int, whole: int) -> str:
    """Return a share in percent with one decimal, rounded up: what is above a limit must look so."""
    tenths = -(-part * 1000 // max(whole, 1))
    return f"{tenths // 10}.{tenths % 10}"


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
    """
    Say when a value of ``column`` is at fault: where ``fails`` is true and none of ``columns`` has a fault before it.

    ``fails`` looks at the columns of ``_Gate._seen``.
    """

    column: str
    columns: tuple[str, ...]
    rule: str
    reason: str
    fails: pl.Expr


class _Column:
    """
    Tell which values of a column pass the rules about it alone.

    Many columns have few different values: what passed once is remembered, and not judged again.
    """

    def __init__(self, name: str, required: bool, rules: list[tuple[pl.Expr, pl.Expr]]) -> None:
        self.name = name
        blank = pl.col(name).str.strip_chars_start() == ""
        full, quick = ([each[which] for each in rules] for which in (0, 1))
        self._quick = [~blank, *quick] if required else [blank | each for each in quick]
        self._passes = (
            pl.all_horizontal(~blank, *full) if required else pl.all_horizontal(pl.lit(True), *full) | blank
        )
        self._remembers = len(rules) > 1
        self._known = pl.Series(name, [], dtype=pl.String)

    def passes(self) -> list[pl.Expr]:
        """Return what is true together where values are known to pass, or are seen to at a glance."""
        if self._remembers:
            return [pl.col(self.name).is_in(self._known.implode())]
        return self._quick

    def judged(self, values: pl.Series, passes: pl.Series) -> pl.Series:
        """Return where the values of a batch pass, given what `passes` found, and remember those that do."""
        if passes.all():
            return passes
        missed = (~passes).arg_true()
        values_missed = values.gather(missed)
        good = values_missed.unique().to_frame().filter(self._passes).to_series()
        if not good.len():
            return passes
        if self._remembers:
            self._known = pl.concat([self._known, good])
            # Where most values are new, or there are very many, remembering costs more than judging.
            self._remembers = len(self._known) <= min(REMEMBERED, max(len(values) // 2, 1))
        return passes.scatter(missed, values_missed.is_in(good.implode()))


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
            *((column, rule.format) for rule in party.rules for column in rule.columns),
        ):
            self.formats[column] = self.formats.get(column) or date_format
        self.rejected = 0
        self._faulty: list[pl.DataFrame] = []
        self.reasons: Counter[str] = Counter()
        self.changed = [0] * len(self.key)
        self._seen: list[pl.Expr] = []
        self._faults: list[_Fault] = []
        self._together: list[
            pl.Expr
        ] = []  # what several values of a row, or their forms in the key, must pass
        self._values: list[pl.Expr] = []
        self._compile(party)
        self._counts = [0] * len(self._faults)
        self._told = [self._first(number) for number in range(len(self._faults))]

    def recipe_effects(self) -> tuple[RecipeEffect, ...]:
        """Return what the recipes changed."""
        pairs = zip(self.key, self.changed, strict=True)
        return tuple(RecipeEffect(part.column, part.recipe, count) for part, count in pairs)

    def rule_effects(self) -> tuple[RuleEffect, ...]:
        """Return how many rows each rule rejected, in the order of the terms, without those that rejected none."""
        pairs = zip(self._faults, self._counts, strict=True)
        return tuple(
            RuleEffect(fault.column, fault.rule, fault.reason, count) for fault, count in pairs if count
        )

    def _compile(self, party: Party) -> None:
        """Say what is computed of each value, and the faults that follow from it, in the order in which they count."""
        must = dict.fromkeys((*party.required, *(part.column for part in self.key)))
        alone: dict[str, list[tuple[pl.Expr, pl.Expr]]] = {column: [] for column in self.formats}
        for column in self.formats:
            self._seen.append((pl.col(column).str.strip_chars_start() == "").alias(f"blank {column}"))
        for column in must:
            self._faults.append(_Fault(column, (column,), "required", MISSING, pl.col(f"blank {column}")))
        for rule in party.rules:
            known = RULES[rule.rule]
            single = len(known.columns) == 1
            for columns in [(column,) for column in rule.columns] if single else [rule.columns]:
                name = f"passes {len(self._seen)}"
                passes = known.expression([pl.col(column) for column in columns], rule.parameters)
                self._seen.append(passes.alias(name))
                # Whether a value may be missing is for `required` to say.
                blank = [pl.col(f"blank {column}") for column in columns]
                fails = ~pl.any_horizontal(pl.col(name), *blank)
                self._faults.append(_Fault(columns[0], columns, rule.rule, known.reason, fails))
                if single:
                    quick = known.quick([pl.col(columns[0])], rule.parameters)
                    alone[columns[0]].append((passes, quick))
                else:
                    missing = [
                        pl.col(column).str.strip_chars_start() == ""
                        for column in columns
                        if column not in must
                    ]
                    self._together.append(
                        (pl.any_horizontal(passes, *missing) if missing else passes).alias(name)
                    )
        for number, part in enumerate(self.key):
            value = RECIPES[part.recipe].expression(pl.col(part.column), part.date_format)
            self._seen.append(value.alias(f"key {number}"))
            self._values.append(value.alias(f"key {number}"))
            empty = pl.col(f"key {number}") == ""
            self._faults.append(_Fault(part.column, (part.column,), "key", EMPTY_KEY, empty))
        self._columns = [_Column(column, column in must, rules) for column, rules in alone.items()]

    def _first(self, number: int) -> pl.Expr:
        """Return where a fault is told: of several of one value, the first in the order of the terms."""
        fault = self._faults[number]
        before = [
            pl.col(str(earlier))
            for earlier, other in enumerate(self._faults[:number])
            if set(fault.columns) & {other.column}
        ]
        return pl.col(str(number)) & ~pl.any_horizontal(before) if before else pl.col(str(number))

    def judge(self, frame: pl.DataFrame, first_row: int, collector: Collector, rejects: BinaryIO) -> None:
        """Judge the rows of a batch, of which ``first_row`` (from 0) is the first."""
        # Whether a row passes is found the short way; which faults it has, for the few that do not. Each expression
        # stands by itself: of those, common parts are computed once.
        glances = [column.passes() for column in self._columns]
        asked = [expression for glance in glances for expression in glance]
        found = frame.lazy().select(
            *(expression.alias(f"glance {number}") for number, expression in enumerate(asked)),
            *self._together,
            *self._values,
        )
        results = iter(found.collect().get_columns())
        passes = [
            column.judged(frame.get_column(column.name), reduce(and_, islice(results, len(glance))))
            for column, glance in zip(self._columns, glances, strict=True)
            if glance
        ]
        others = list(islice(results, len(self._together)))
        values = pl.DataFrame(list(results))
        fine = reduce(and_, (*passes, *others, *(value != "" for value in values.iter_columns())))
        raw = frame.select(part.column for part in self.key)
        if not fine.all():
            faulty = ~fine
            row = (faulty.arg_true().cast(pl.UInt64) + (first_row + 1)).alias(ROW)
            self._faulty.append(frame.filter(faulty).insert_column(0, row))
            if sum(each.height for each in self._faulty) >= FAULTY_ROWS:
                self.reject(rejects)
            values, raw = values.filter(fine), raw.filter(fine)
        for number in range(len(self.key)):
            self.changed[number] += int((values.to_series(number) != raw.to_series(number)).sum())
        rows = np.flatnonzero(fine.to_numpy()) + first_row
        collector.add(values, rows.astype(np.uint32))

    def reject(self, rejects: BinaryIO) -> None:
        """Count the faults of the rows that have some and wait for it, and write a line for each."""
        if not self._faulty:
            return
        frame = pl.concat(self._faulty)
        self._faulty.clear()
        rows, seen = frame.to_series(0), frame.lazy().select(self._seen).collect()
        faults = seen.select(fault.fails.alias(str(number)) for number, fault in enumerate(self._faults))
        told = faults.select(first.alias(str(number)) for number, first in enumerate(self._told))
        self.rejected += told.height
        for number, count in enumerate(told.sum().row(0)):
            self._counts[number] += count
        having: dict[str, list[str]] = {}
        for number, fault in enumerate(self._faults):
            having.setdefault(fault.reason, []).append(str(number))
        counts = told.select(pl.any_horizontal(names).sum().alias(code) for code, names in having.items())
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
        lines = told.select(rows, **named).write_csv(include_header=False)
        rejects.write(lines.encode())  # not written by the table library, whose errors do not say why
