"""
Find the short way which rows pass and what is compared of them: what was found out of a value is remembered.

Most columns have few different values, and most values are plain. What is not seen at a glance is judged in full, so
that the result is that of the rules and recipes by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from psi.recipes import RECIPES, is_plain

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from psi.recipes import Rule

REMEMBERED = 1 << 15  # values of a column that are not judged again


@dataclass(frozen=True)
class KeyPart:
    """Name a column of this side and the form in which it is compared, whichever keys ask for that."""

    column: str
    recipe: str
    date_format: str | None


class RowTest:
    """
    Tell which rows pass the rules about one column, or one rule about several.

    Many columns have few different values, and so have a ZIP code and its state together: what passed once is
    remembered, and not judged again. ``quick`` are true together for most that pass and for no other.
    """

    def __init__(
        self, columns: Sequence[str], passes: pl.Expr, quick: Sequence[pl.Expr], *, remembers: bool
    ) -> None:
        self.columns = list(columns)
        self._text = pl.col(columns[0]) if len(columns) == 1 else pl.concat_str(columns, separator="\0")
        self._passes, self._quick = passes, list(quick)
        self._remembers = remembers
        self._known = pl.Series([], dtype=pl.String)

    @classmethod
    def of_column(cls, name: str, required: bool, rules: Sequence[tuple[Rule, Mapping[str, Any]]]) -> RowTest:
        """Return the test of what is asked of the values of one column by themselves."""
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
        if required and lengths:
            quick = [is_plain(column, min(lengths)), *quick]
        elif required:
            quick = [~blank, *quick]
        elif lengths:
            quick = [blank | each for each in (is_plain(column, min(lengths)), *quick)]
        else:
            quick = [blank | each for each in quick]
        passes = (
            pl.all_horizontal(~blank, *full) if required else pl.all_horizontal(pl.lit(True), *full) | blank
        )
        return cls([name], passes, quick, remembers=len(rules) > 1)

    @classmethod
    def of_rule(
        cls, columns: Sequence[str], rule: Rule, parameters: Mapping[str, Any], *, required: Container[str]
    ) -> RowTest:
        """Return the test of a rule about several columns; whether a value may be missing is not its affair."""
        values = [pl.col(each) for each in columns]
        missing = [
            each.str.strip_chars_start() == "" for each in values if each.meta.output_name() not in required
        ]
        passes, quick = (
            pl.any_horizontal(expression, *missing) if missing else expression
            for expression in (rule.expression(values, parameters), rule.quick(values, parameters))
        )
        return cls(columns, passes, [quick], remembers=True)

    def passes(self) -> list[pl.Expr]:
        """Return what is true together where rows are known to pass, or are seen to at a glance."""
        if self._remembers:
            return [self._text.is_in(self._known.implode())]
        return self._quick

    def judged(self, frame: pl.DataFrame, passes: pl.Series) -> pl.Series:
        """Return which rows of a batch pass, given what `passes` found, and remember what does."""
        if passes.all():
            return passes
        missed = (~passes).arg_true()
        values = frame.select(self.columns)[missed]
        if not self._remembers:
            return passes.scatter(missed, values.lazy().select(self._passes).collect().to_series())
        different = values.unique()
        good = different.filter(self._passes)
        if not good.height:
            return passes
        # A value with a NUL of its own could be taken for several: it is judged each time.
        alone = pl.col("").str.count_matches("\0", literal=True) == len(self.columns) - 1
        text = good.select(self._text.alias("")).filter(alone | (len(self.columns) == 1)).to_series()
        self._known = pl.concat([self._known, text])
        # Where most values are new, or there are very many, remembering costs more than judging.
        self._remembers = len(self._known) <= min(REMEMBERED, max(frame.height // 2, 1))
        if good.height == different.height:
            return passes.scatter(missed, True)
        marked = good.with_columns(pl.lit(True).alias("\0good"))
        found = values.join(marked, on=self.columns, how="left", maintain_order="left").to_series(-1)
        return passes.scatter(missed, found.is_not_null())


class Form:
    """Bring the values of a column into the form that is compared, each different one once if they are few."""

    def __init__(self, part: KeyPart) -> None:
        self.column = part.column
        self.expression = RECIPES[part.recipe].expression(pl.col(part.column), part.date_format)
        self._known = self._formed(pl.DataFrame({part.column: pl.Series([], dtype=pl.String)}))
        self.repeats = True

    def of(self, frame: pl.DataFrame) -> pl.Series:
        """Return the forms of a batch, text without nulls, while `repeats` is true; else ask for ``expression``."""
        values = frame.select(self.column)
        found = self._looked_up(values, self._known)
        missed = found.is_null().arg_true()
        if not missed.len():
            return found
        new = self._formed(values[missed])
        self._known = pl.concat([self._known, new])
        self.repeats = len(self._known) <= min(REMEMBERED, max(frame.height // 2, 1))
        return found.scatter(missed, self._looked_up(values[missed], new))

    def _looked_up(self, values: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
        return values.join(known, on=self.column, how="left", maintain_order="left").to_series(1)

    def _formed(self, values: pl.DataFrame) -> pl.DataFrame:
        """Return the different ones of some values, and their forms beside them."""
        return values.unique().lazy().select(self.column, self.expression.alias("\0form")).collect()
