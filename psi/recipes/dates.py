"""Read calendar days strictly, in exactly the format that the terms give."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from psi.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

ISO = "%Y-%m-%d"
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


#: Days that every month has.
_EVERY_MONTH: Mapping[str, str] = MappingProxyType(
    {**DIRECTIVES, "%d": "(?:0[1-9]|1[0-9]|2[0-8])", "%-d": "(?:[1-9]|1[0-9]|2[0-8])"}
)


def date_pattern(date_format: str, directives: Mapping[str, str] = DIRECTIVES) -> str:
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
    return "^" + "".join(directives.get(part, f"[{part}]") for part in parts) + "$"


def is_day_of_every_month(column: pl.Expr, date_format: str) -> pl.Expr:
    """Return where a value is a day up to the 28th: true for most days, and no calendar is needed to see it."""
    return column.str.contains(date_pattern(date_format, _EVERY_MONTH))


def day_of(column: pl.Expr, date_format: str) -> pl.Expr:
    """Return the calendar day of years 0001 to 9999, or null where the value is not exactly one."""
    import polars as pl

    # The parser of polars skips blanks and takes short numbers; the pattern lets nothing of that reach it.
    shaped = pl.when(column.str.contains(date_pattern(date_format))).then(column)
    return shaped.str.to_date(date_format, strict=False, cache=False)  # most days differ: a cache costs more
