"""
Find the short way which rows pass and what is compared of them: what was found out of a value is remembered.

Most columns have few different values, and most values of the others are plain. What is not seen at a glance is judged
in full, so that the result is that of the rules and recipes by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from psi import _core
from psi.recipes import RECIPES, is_plain

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from psi.recipes import Rule

REMEMBERED = 1 << 15  # different values of a column; of more, judging costs less than remembering


@dataclass(frozen=True)
class KeyPart:
    """Name a column of this side and the form in which it is compared, whichever keys ask for that."""

    column: str
    recipe: str
    date_format: str | None

    def form(self) -> pl.Expr:
        """Return the expression of the form."""
        return RECIPES[self.recipe].expression(pl.col(self.column), self.date_format)


@dataclass(frozen=True)
class Finding:
    """Hold what was found of a batch by one `Look`: which rows pass, ``None`` for all, and the forms of the values."""

    passes: pl.Series | None
    forms: Sequence[pl.Series]


class Look:
    """
    Look at the values of one column, or at those of several together that a rule is about.

    ``passes`` is true where a row passes all that is asked of them; ``quick`` are true together for most that pass and
    for no other, and for all of them if the look is ``exact``. ``forms`` are computed beside, of a single column.
    """

    def __init__(
        self,
        columns: Sequence[str],
        passes: pl.Expr,
        quick: Sequence[pl.Expr],
        forms: Sequence[pl.Expr] = (),
        *,
        exact: bool = False,
    ) -> None:
        self._columns = list(columns)
        self._exact = exact
        self._passes, self._quick, self._forms = passes, list(quick), list(forms)
        self._memory: _Memory | None = _Memory(passes, forms)

    @classmethod
    def at_column(
        cls,
        name: str,
        required: bool,
        rules: Sequence[tuple[Rule, Mapping[str, Any]]],
        forms: Sequence[pl.Expr],
    ) -> Look:
        """Look at the values of one column by themselves."""
        column = pl.col(name)
        blank = column.str.strip_chars_start() == ""
        full = [rule.expression([column], parameters) for rule, parameters in rules]
        # Several rules let pass whatever is plain, and not too long: one look is enough for all of them.
        plain = [rule.plain_bytes(parameters) for rule, parameters in rules]
        lengths = [length for length in plain if length is not None]
        quick = [
            rule.quick([column], parameters)
            for (rule, parameters), length in zip(rules, plain, strict=True)
            if length is None
        ]
        if lengths:
            quick.insert(0, is_plain(column, min(lengths)))  # and so not blank
        elif required:
            quick.insert(0, ~blank)
        passes = pl.all_horizontal(pl.lit(True), *full)
        if not required:
            quick, passes = [blank | each for each in quick], blank | passes
        return cls([name], passes & ~blank if required else passes, quick, forms)

    @classmethod
    def at_rule(
        cls, columns: Sequence[str], rule: Rule, parameters: Mapping[str, Any], *, required: Container[str]
    ) -> Look:
        """Look at the values that a rule judges together; whether one of them may be missing is not its affair."""
        values = [pl.col(each) for each in columns]
        missing = [
            each.str.strip_chars_start() == "" for each in values if each.meta.output_name() not in required
        ]
        passes, quick = (
            pl.any_horizontal(expression, *missing) if missing else expression
            for expression in (rule.expression(values, parameters), rule.quick(values, parameters))
        )
        return cls(columns, passes, [quick], exact=not rule.has_quick)

    def recalled(self, frame: pl.DataFrame) -> Finding | None:
        """Return what is remembered of a batch and of its new values; ``None`` where there are too many different."""
        if self._memory is None or not self._quick + self._forms:
            return None
        finding = self._memory.finding(frame[self._columns])
        if finding is None:
            self._memory = None
        return finding

    @property
    def asked(self) -> list[pl.Expr]:
        """Return what is to be computed of a batch that is not remembered."""
        return [*self._quick, *self._forms]

    def judged(self, frame: pl.DataFrame, answers: Sequence[pl.Series]) -> Finding:
        """Return what was found of a batch, given its answers to what was ``asked``."""
        quick, forms = answers[: len(self._quick)], answers[len(self._quick) :]
        if not quick:
            return Finding(None, forms)
        passes = reduce(and_, quick)
        if passes.all():
            return Finding(None, forms)
        if self._exact:
            return Finding(passes, forms)
        missed = pl.Series(np.flatnonzero(~passes.to_numpy()), dtype=pl.UInt32)
        closely = frame[self._columns][missed].lazy().select(self._passes).collect().to_series()
        return Finding(passes.scatter(missed, closely), forms)


class _Memory:
    """Know of each different row of some columns whether it passes, and its forms."""

    def __init__(self, passes: pl.Expr, forms: Sequence[pl.Expr]) -> None:
        self._expressions = [each.alias(str(number)) for number, each in enumerate([passes, *forms])]
        self._vocabulary = _core.Vocabulary()
        self._known: list[pl.Series] = []

    def finding(self, rows: pl.DataFrame) -> Finding | None:
        """Return what is known of some rows, or ``None`` and be of no more use where too many are different."""
        # Where most values are new, remembering costs more than judging.
        numbered = self._vocabulary.number(rows, limit=min(REMEMBERED, max(rows.height // 2, 1)))
        if numbered is None:
            return None
        numbers, new_rows = map(pl.Series, numbered)
        if len(new_rows):
            new = rows[new_rows].lazy().select(self._expressions).collect().get_columns()
            known = zip(self._known, new, strict=True)
            self._known = [pl.concat(pair, rechunk=True) for pair in known] if self._known else new
        passes, *forms = self._known
        # Not by `gather`, which is run as a query.
        return Finding(None if passes.all() else passes[numbers], [each[numbers] for each in forms])
