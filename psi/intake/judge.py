"""
Judge the rows of a file batch by batch: which pass the rules of the terms, and which keys those have.

Whether a row passes is found the short way; which faults it has is asked only of the few that do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import and_, or_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import polars as pl

from psi.intake.report import RecipeEffect, RuleEffect
from psi.intake.shortcuts import KeyPart, Look
from psi.recipes import RULES

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from psi.items import Collector
    from psi.recipes import Rule
    from psi.terms import Key, Party, Side

MISSING = "missing"  # a value that must be there is empty or blank
EMPTY_KEY = "empty-key"  # nothing is left of a key column after its recipe
FAULTY_ROWS = (
    1 << 14
)  # whose faults are looked for at once: the many expressions of it cost more than the rows
ROW, LOOK, KEY = "\0row", "\0look {}", "\0key {}"  # names that no column has


@dataclass(frozen=True)
class _Fault:
    """
    Say when a value of ``column`` is at fault: where ``fails`` is true and none of ``columns`` has a fault before it.

    ``fails`` looks at the columns of ``Judge._seen`` and at the forms of keys. Where the look of this number lets a row
    pass, it is no fault of it; without a number that is not known.
    """

    column: str
    columns: tuple[str, ...]
    rule: str
    reason: str
    fails: pl.Expr
    look: int | None = None


#: What the columns of the file of rejected rows say of a fault.
_TITLES: Mapping[str, Callable[[_Fault], str]] = MappingProxyType(
    {"columns": lambda fault: fault.column, "reasons": lambda fault: fault.reason}
)


class Judge:
    """Judge batches of rows by what the terms say of one party, and count."""

    def __init__(self, party: Party, side: Side, keys: Sequence[Key]) -> None:
        named = [
            [
                KeyPart(getattr(part, side), part.recipe, getattr(part, f"{side}_format"))
                for part in key.columns
            ]
            for key in keys
        ]
        self._parts = list(dict.fromkeys(part for parts in named for part in parts))
        self._keys = [[self._parts.index(part) for part in parts] for parts in named]
        #: Each column that is read, and how the terms write its dates.
        self.formats: dict[str, str | None] = dict.fromkeys(party.required)
        for column, date_format in (
            *((part.column, part.date_format) for part in self._parts),
            *((column, rule.format) for rule in party.rules for column in rule.columns),
        ):
            self.formats[column] = self.formats.get(column) or date_format
        self.rejected = 0
        self._faulty: list[pl.DataFrame] = []
        self.reasons: Counter[str] = Counter()
        self._changed = [0] * len(self._parts)
        self._seen: dict[str, pl.Expr] = {}
        self._faults: list[_Fault] = []
        self._looks: list[Look] = []
        #: Of each part of a key the column's place among the looks, and its place among the forms of that column.
        self._places: list[tuple[int, int]] = []
        self._compile(party)
        self._counts = [0] * len(self._faults)
        self._told = [self._first(number) for number in range(len(self._faults))]

    def recipe_effects(self) -> tuple[RecipeEffect, ...]:
        """Return what the recipes changed."""
        pairs = zip(self._parts, self._changed, strict=True)
        return tuple(RecipeEffect(part.column, part.recipe, count) for part, count in pairs)

    def rule_effects(self) -> tuple[RuleEffect, ...]:
        """Return how many rows each rule rejected, in the order of the terms, without those that rejected none."""
        pairs = zip(self._faults, self._counts, strict=True)
        return tuple(
            RuleEffect(fault.column, fault.rule, fault.reason, count) for fault, count in pairs if count
        )

    def _compile(self, party: Party) -> None:
        """Say what is computed of each value, and the faults that follow from it, in the order in which they count."""
        must = dict.fromkeys(party.required)
        alone: dict[str, list[tuple[Rule, Mapping[str, Any]]]] = {column: [] for column in self.formats}
        together = [rule for rule in party.rules if len(RULES[rule.rule].columns) > 1]
        look_of = {column: len(together) + number for number, column in enumerate(self.formats)}
        for column in self.formats:
            self._seen[f"blank {column}"] = pl.col(column).str.strip_chars_start() == ""
        for column in must:
            blank = pl.col(f"blank {column}")
            self._faults.append(_Fault(column, (column,), "required", MISSING, blank, look_of[column]))
        # A row may lack a key as long as it has another one.
        has = [pl.all_horizontal([pl.col(KEY.format(part)) != "" for part in parts]) for parts in self._keys]
        has_none = ~pl.any_horizontal(has)
        for column in dict.fromkeys(part.column for part in self._parts if part.column not in must):
            fails = pl.col(f"blank {column}") & has_none
            self._faults.append(_Fault(column, (column,), "key", MISSING, fails))
        for rule in party.rules:
            known = RULES[rule.rule]
            single = len(known.columns) == 1
            for columns in [(column,) for column in rule.columns] if single else [rule.columns]:
                name = f"passes {len(self._seen)}"
                self._seen[name] = known.expression([pl.col(column) for column in columns], rule.parameters)
                # Whether a value may be missing is for `required` to say.
                fails = ~pl.any_horizontal(pl.col(name), *(pl.col(f"blank {column}") for column in columns))
                look = look_of[columns[0]] if single else len(self._looks)
                self._faults.append(_Fault(columns[0], columns, rule.rule, known.reason, fails, look))
                if single:
                    alone[columns[0]].append((known, rule.parameters))
                else:
                    self._looks.append(Look.at_rule(columns, known, rule.parameters, required=must))
        forms: dict[str, list[pl.Expr]] = {column: [] for column in self.formats}
        for number, part in enumerate(self._parts):
            empty = (pl.col(KEY.format(number)) == "") & has_none
            self._faults.append(_Fault(part.column, (part.column,), "key", EMPTY_KEY, empty))
            self._places.append((look_of[part.column], len(forms[part.column])))
            forms[part.column].append(part.form())
        self._looks += [
            Look.at_column(column, column in must, rules, forms[column]) for column, rules in alone.items()
        ]

    def _first(self, number: int) -> pl.Expr:
        """Return where a fault is told: of several of one value, the first in the order of the terms."""
        fault = self._faults[number]
        before = [
            pl.col(str(earlier))
            for earlier, other in enumerate(self._faults[:number])
            if set(fault.columns) & {other.column}
        ]
        return pl.col(str(number)) & ~pl.any_horizontal(before) if before else pl.col(str(number))

    def judge(
        self,
        frame: pl.DataFrame,
        first_row: int,
        collectors: Sequence[Collector],
        rejects: BinaryIO,
        pool: Executor,
    ) -> None:
        """
        Judge the rows of a batch, of which ``first_row`` (from 0) is the first; ``pool`` looks at columns side by side.

        There is a collector for each key: it gets the rows that pass and have the key. The others go to ``rejects``,
        in a while.
        """
        findings = list(pool.map(lambda look: look.recalled(frame), self._looks))
        asked = [
            look.asked if finding is None else [] for look, finding in zip(self._looks, findings, strict=True)
        ]
        # Each expression stands by itself: of those, common parts are computed once.
        expressions = [expression for each in asked for expression in each]
        answers = iter(
            frame.lazy()
            .select(each.alias(f"asked {number}") for number, each in enumerate(expressions))
            .collect()
            .get_columns()
        )
        found = [
            look.judged(frame, list(islice(answers, len(each)))) if finding is None else finding
            for look, each, finding in zip(self._looks, asked, findings, strict=True)
        ]
        passes = [each.passes for each in found if each.passes is not None]
        values = [found[look].forms[form] for look, form in self._places]
        there = [value != "" for value in values]
        has = [reduce(and_, (there[part] for part in parts)) for parts in self._keys]
        fine = reduce(and_, (*passes, reduce(or_, has)))
        if not fine.all():
            faulty = np.flatnonzero(~fine.to_numpy()).astype(np.uint32)
            lets_pass = pl.Series(np.ones(len(faulty), dtype=np.bool_))
            known = [
                *(
                    (lets_pass if each.passes is None else each.passes[faulty]).alias(LOOK.format(number))
                    for number, each in enumerate(found)
                ),
                *(value[faulty].alias(KEY.format(number)) for number, value in enumerate(values)),
            ]
            row = pl.Series(ROW, faulty.astype(np.uint64) + (first_row + 1))
            self._faulty.append(frame[faulty].insert_column(0, row).hstack(known))
            if sum(each.height for each in self._faulty) >= FAULTY_ROWS:
                self.reject(rejects)
        for number, part in enumerate(self._parts):
            changed = values[number] != frame.get_column(part.column)
            self._changed[number] += int((changed & fine).sum())
        for parts, has_key, collector in zip(self._keys, has, collectors, strict=True):
            taken = fine & has_key
            key = pl.DataFrame([values[part].alias(f"key {part}") for part in parts])
            rows = np.flatnonzero(taken.to_numpy()) + first_row
            collector.add(key if taken.all() else key.filter(taken), rows.astype(np.uint32))

    def reject(self, rejects: BinaryIO) -> None:
        """Count the faults of the rows that have some and wait for it, and write a line for each."""
        if not self._faulty:
            return
        frame = pl.concat(self._faulty)
        self._faulty.clear()
        looks = [pl.col(LOOK.format(number)).all() for number in range(len(self._looks))]
        lets_pass = frame.select(looks).row(0)
        # What nobody has failed is not looked for.
        fails = [
            pl.lit(False) if fault.look is not None and lets_pass[fault.look] else fault.fails
            for fault in self._faults
        ]
        needed = {name for each in fails for name in each.meta.root_names()} & self._seen.keys()
        seen = frame.lazy().with_columns(self._seen[name].alias(name) for name in needed).collect()
        faults = seen.select(each.alias(str(number)) for number, each in enumerate(fails))
        told = faults.select(first.alias(str(number)) for number, first in enumerate(self._told))
        self.rejected += told.height
        there: dict[int, int] = {number: count for number, count in enumerate(told.sum().row(0)) if count}
        having: dict[str, list[str]] = {}
        for number, count in there.items():
            self._counts[number] += count
            having.setdefault(self._faults[number].reason, []).append(str(number))
        counts = told.select(pl.any_horizontal(names).sum().alias(code) for code, names in having.items())
        self.reasons.update({code: count for code, count in counts.row(0, named=True).items() if count})
        named = {
            title: pl.concat_str(
                [pl.when(pl.col(str(number))).then(pl.lit(text(self._faults[number]))) for number in there],
                separator=";",
                ignore_nulls=True,
            )
            for title, text in _TITLES.items()
        }
        lines = told.select(frame.to_series(0), **named).write_csv(include_header=False)
        rejects.write(lines.encode())  # not written by the table library, whose errors do not say why
