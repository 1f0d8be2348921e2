"""Fold text to upper case the way all recipes do: by the tables of Unicode 14.0, whatever newer ones are at hand."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# Letters of Unicode 14.0 whose capital was added later (15.0 to 17.0): they stay as they are.
_LATER_CAPITALS = MappingProxyType(
    {"\ua7cb": "\u0264", "\ua7dc": "\u019b", "\ua7d2": "\ua7d3", "\ua7d4": "\ua7d5"}
)


def is_ascii(column: pl.Expr) -> pl.Expr:
    """Return where a text is ASCII; most are, and folding them takes a quarter of the time."""
    return column.str.len_bytes() == column.str.len_chars()


def fold(column: pl.Expr) -> pl.Expr:
    """Return text taken apart (NFKD), in upper case, taken apart again (psi.md, nfkd-upper-alnum/1, steps 1 to 4)."""
    return (
        column.str.replace_all(r"[\P{Age=14.0}\p{Noncharacter_Code_Point}]+", "")  # these have an age too
        .str.normalize("NFKD")
        .str.to_uppercase()
        .str.replace_many(dict(_LATER_CAPITALS))
        .str.normalize("NFKD")  # capitals may decompose again
    )


def folded(column: pl.Expr) -> pl.Expr:
    """Return `fold` of a column, ASCII by the short way."""
    import polars as pl

    ascii_only = is_ascii(column)
    return pl.coalesce(
        pl.when(ascii_only).then(column).str.to_uppercase(), fold(pl.when(~ascii_only).then(column))
    )
