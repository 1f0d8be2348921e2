"""Read calendar days strictly, in exactly the format that the terms give."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
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
_NO_DAY = -(1 << 31)  # what the core gives for a value that is no day


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


def day_of(column: pl.Expr, date_format: str) -> pl.Expr:
    """Return the calendar day of years 0001 to 9999, or null where the value is not exactly one."""
    import polars as pl

    date_pattern(date_format)  # what is no format is refused here, and not when the first batch is read
    return column.map_batches(
        partial(_days, date_format=date_format), return_dtype=pl.Date, is_elementwise=True
    )


def _days(values: pl.Series, date_format: str) -> pl.Series:
    import polars as pl

    from psi import _core

    days = pl.Series(values.name, _core.days(values.to_frame(), date_format=date_format))
    return days.set(days == _NO_DAY, None).cast(pl.Date)
