"""
Name the operations on columns: recipes bring a value into one form, rules say which raw values pass.

A name ends in its version, and what a name stands for never changes: other behaviour gets another name. The
terms choose by name, so that both parties compute the same; the intake gate runs rules on raw values and
recipes on what passed. All are polars expressions over string columns without nulls.

Unicode is pinned to version 14.0 (that of Python 3.11), whatever the tables of polars know: a newer table on
one side alone would change the keys, and a silent mismatch looks like "no overlap".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from psi.errors import UsageError

if TYPE_CHECKING:  # polars takes 0.3 s to import, and the terms need the names alone
    import polars as pl


@dataclass(frozen=True)
class Recipe:
    """
    Bring a value into the one form that is compared; the result may be empty, and the gate rejects that.

    ``sentence`` says in plain words what it does; ``needs_format`` that it wants the format of a date.
    """

    name: str
    sentence: str
    needs_format: bool
    _build: Callable[[pl.Expr, str | None], pl.Expr] = field(repr=False)

    def expression(self, column: pl.Expr, date_format: str | None = None) -> pl.Expr:
        """
        Return the expression that applies the recipe to a string column without nulls.

        The result is again a string column without nulls. Raises `UsageError` for a format that is missing,
        not wanted or not allowed.
        """
        check_format(self, date_format)
        return self._build(column, date_format)


@dataclass(frozen=True)
class Rule:
    """
    Judge a raw value, before any recipe; a value passes or its row is rejected, and nothing is repaired.

    ``reason`` is the code that a rejected row gets; the other fields are those of `Recipe`.
    """

    name: str
    sentence: str
    reason: str
    needs_format: bool
    _build: Callable[[pl.Expr, str | None], pl.Expr] = field(repr=False)

    def expression(self, column: pl.Expr, date_format: str | None = None) -> pl.Expr:
        """
        Return the expression that is true where the value passes; for string columns without nulls.

        Raises `UsageError` for a format that is missing, not wanted or not allowed.
        """
        check_format(self, date_format)
        return self._build(column, date_format)


def check_format(operation: Recipe | Rule, date_format: str | None) -> None:
    """Raise `UsageError` unless a strict date format is given exactly when the operation needs one."""
    if not operation.needs_format:
        if date_format is not None:
            raise UsageError(f"{operation.name} takes no date format")
    elif date_format is None:
        raise UsageError(f"{operation.name} needs the format of the date", hint='for example "%Y-%m-%d"')
    else:
        date_pattern(date_format)


DIRECTIVES: Mapping[str, str] = MappingProxyType(
    {
        "%Y": "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])",  # 0000 is in no calendar
        "%m": "(?:0[1-9]|1[0-2])",
        "%d": "(?:0[1-9]|[12][0-9]|3[01])",
        "%-m": "(?:[1-9]|1[0-2])",
        "%-d": "(?:[1-9]|[12][0-9]|3[01])",
        "%b": "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    }
)
_SEPARATORS = " -/.,_"
_ISO = "%Y-%m-%d"


def date_pattern(date_format: str) -> str:
    """
    Return the regular expression of exactly the values that a date format allows, calendar aside.

    A format has year, month and day once each. ``%Y`` is four digits, ``%m`` and ``%d`` are two; ``%-m`` and
    ``%-d`` have no leading zero; ``%b`` is an English month of three letters in any case. Between them stand
    space, ``-``, ``/``, ``.``, ``,`` or ``_``. Raises `UsageError` for anything else, two-digit years
    included, and for a ``%-`` directive that touches digits: both would have to be guessed.
    """
    parts: list[str] = []
    rest = date_format
    while rest:
        part = next((part for part in (rest[:3], rest[:2]) if part in DIRECTIVES), rest[:1])
        if part not in DIRECTIVES and part not in _SEPARATORS:
            raise UsageError(
                f"date format: character {len(date_format) - len(rest) + 1} is not allowed",
                hint=f"use {', '.join(DIRECTIVES)} with one of {_SEPARATORS!r} between them",
            )
        parts.append(part)
        rest = rest[len(part) :]
    if sorted(part[-1].lower() for part in parts if part in DIRECTIVES) not in (list("dmy"), list("bdy")):
        raise UsageError(
            "date format: year, month and day must be there once each", hint='for example "%Y-%m-%d"'
        )
    numeric = [part in DIRECTIVES and part != "%b" for part in parts]
    for at, (first, second) in enumerate(pairwise(parts)):
        if numeric[at] and numeric[at + 1] and "-" in first + second:
            raise UsageError(
                "date format: nothing separates a number without leading zeros from the next",
                hint="use %m and %d, or put a separator between them",
            )
    return "^" + "".join(DIRECTIVES.get(part, f"[{part}]") for part in parts) + "$"


def _date(column: pl.Expr, date_format: str) -> pl.Expr:
    """Return the calendar day of years 0001 to 9999, or null where the value is not exactly one."""
    import polars as pl

    # The parser of polars skips blanks and takes short numbers; the pattern lets nothing of that reach it.
    shaped = pl.when(column.str.contains(date_pattern(date_format))).then(column)
    return shaped.str.to_date(date_format, strict=False, cache=False)  # most days differ: a cache costs more


def _date_iso(column: pl.Expr, date_format: str | None) -> pl.Expr:
    import polars as pl

    assert date_format is not None  # check_format
    day = _date(column, date_format)
    if date_format == _ISO:  # a value in this format is written as it should be
        return pl.when(day.is_not_null()).then(column).otherwise(pl.lit(""))
    return day.dt.to_string(_ISO).fill_null("")


def _is_date(column: pl.Expr, date_format: str | None) -> pl.Expr:
    assert date_format is not None  # check_format
    return _date(column, date_format).is_not_null()


def _digits(column: pl.Expr, _: str | None) -> pl.Expr:
    return column.str.replace_all("[^0-9]+", "")


# Letters of Unicode 14.0 whose capital was added later (15.0 to 17.0): they stay as they are.
_LATER_CAPITALS = MappingProxyType(
    {"\ua7cb": "\u0264", "\ua7dc": "\u019b", "\ua7d2": "\ua7d3", "\ua7d4": "\ua7d5"}
)


def _nfkd_upper_alnum(column: pl.Expr, _: str | None) -> pl.Expr:
    import polars as pl

    ascii_only = column.str.len_bytes() == column.str.len_chars()
    # On ASCII the steps below come to this, in a quarter of the time.
    plain = pl.when(ascii_only).then(column).str.to_uppercase().str.replace_all("[^0-9A-Z]+", "")
    full = (
        pl.when(~ascii_only)
        .then(column)
        .str.replace_all(r"[^\p{Age=14.0}]+", "")
        .str.normalize("NFKD")
        .str.to_uppercase()
        .str.replace_many(dict(_LATER_CAPITALS))
        .str.normalize("NFKD")  # capitals may decompose again
        .str.replace_all(r"[^\p{L}\p{N}]+", "")
    )
    return pl.coalesce(plain, full)


_TAX_NUMBER = (
    "^(?:[0-9]{9}|[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}|[0-9]{2}-[0-9]{7}|[0-9]{2} [0-9]{7})$"
)


def _is_tax_number(column: pl.Expr, _: str | None) -> pl.Expr:
    return column.str.contains(_TAX_NUMBER)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe("digits/1", "keeps the digits 0 to 9 and drops every other character", False, _digits),
            Recipe(
                "nfkd-upper-alnum/1",
                "takes characters apart (NFKD), makes them upper-case, takes them apart again, and keeps "
                "letters and numbers only (Unicode 14.0): accents, case, blanks and punctuation no longer count",
                False,
                _nfkd_upper_alnum,
            ),
            Recipe(
                "date-iso/1",
                "reads a calendar day in exactly the format that the terms give and writes it as YYYY-MM-DD; "
                "anything else becomes empty",
                True,
                _date_iso,
            ),
        )
    }
)

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule(
                "tax-number/1",
                "the value is nine digits, alone or grouped 3-2-4 or 2-7 by one kind of separator, a hyphen "
                "or a blank, with nothing before or after",
                "tax-number",
                False,
                _is_tax_number,
            ),
            Rule(
                "date/1",
                "the value is a real calendar day in exactly the format that the terms give, with nothing "
                "before or after",
                "date",
                True,
                _is_date,
            ),
        )
    }
)
