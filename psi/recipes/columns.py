"""The recipes: operations that bring the values of a column into the one form that is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from psi.errors import UsageError
from psi.recipes.addresses import address_usps
from psi.recipes.dates import ISO, date_pattern, day_of
from psi.recipes.text import fold, folded, is_ascii

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


def check_format(recipe: Recipe, date_format: str | None) -> None:
    """Raise `UsageError` unless a strict date format is given exactly when the operation needs one."""
    if not recipe.needs_format:
        if date_format is not None:
            raise UsageError(f"{recipe.name} takes no date format")
    elif date_format is None:
        raise UsageError(f"{recipe.name} needs the format of the date", hint='for example "%Y-%m-%d"')
    else:
        date_pattern(date_format)


def _date_iso(column: pl.Expr, date_format: str | None) -> pl.Expr:
    import polars as pl

    assert date_format is not None  # check_format
    if date_format == ISO:  # a value in this format is written as it should be
        return pl.when(day_of(column, ISO).is_not_null()).then(column).otherwise(pl.lit(""))
    return day_of(column, date_format).dt.to_string(ISO).fill_null("")


def _digits(column: pl.Expr, _: str | None) -> pl.Expr:
    import polars as pl

    return column.map_batches(_digits_of, return_dtype=pl.String, is_elementwise=True)


def _digits_of(values: pl.Series) -> pl.Series:
    import polars as pl

    from psi import _core

    return pl.Series(values.name, _core.digits(values.to_frame()))


def _nfkd_upper_alnum(column: pl.Expr, _: str | None) -> pl.Expr:
    import polars as pl

    ascii_only = is_ascii(column)
    # On ASCII the steps below come to this, in a quarter of the time.
    plain = pl.when(ascii_only).then(column).str.to_uppercase().str.replace_all("[^0-9A-Z]+", "")
    full = fold(pl.when(~ascii_only).then(column)).str.replace_all(r"[^\p{L}\p{N}]+", "")
    return pl.coalesce(plain, full)


_GENERATIONS = "JR|SR|II|III|IV|V|2ND|3RD|4TH"


def _name_last(column: pl.Expr, date_format: str | None) -> pl.Expr:
    upper = folded(column).str.replace_all(r"[.'\u{2019}\p{M}]+", "").str.replace_all(r"[^\p{L}\p{N}]+", " ")
    return _nfkd_upper_alnum(upper.str.replace(f"^( ?[^ ].*?)(?: (?:{_GENERATIONS}))+ ?$", "$1"), date_format)


def _address_usps(column: pl.Expr, _: str | None) -> pl.Expr:
    return address_usps(column)


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
            Recipe(
                "name-last/1",
                "does what nfkd-upper-alnum/1 does, without the generation at the end (Jr, Sr, II, III, IV, V, 2nd, "
                "3rd, 4th), which counts only where it is the whole name",
                False,
                _name_last,
            ),
            Recipe(
                "address-usps/1",
                "writes the line of a street in upper case without accents and punctuation, and each directional, "
                "suffix, unit and ordinal (First to Twentieth) in the short form of USPS Publication 28",
                False,
                _address_usps,
            ),
        )
    }
)
