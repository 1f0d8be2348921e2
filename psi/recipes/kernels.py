"""Ask the core what it knows of the values of columns, in expressions of the table library."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


def is_plain(column: pl.Expr, max_bytes: int) -> pl.Expr:
    """Return where a text is printable ASCII, not blank and not too long: nearly everywhere, in most columns."""
    from psi import _core

    return _asked([column], lambda values: _core.plain(values, max_bytes=max_bytes))


def is_tax_number(column: pl.Expr) -> pl.Expr:
    """Return where a text is nine digits, alone or grouped as SSN or EIN by one kind of separator."""
    from psi import _core

    return _asked([column], _core.tax_number)


def is_no_phrase(column: pl.Expr, phrases: Sequence[str]) -> pl.Expr:
    """Return where a text has letters A to Z, and the first three, or all, are not those of a phrase."""
    from psi import _core

    listed = list(phrases)
    return _asked([column], lambda values: _core.no_phrase(values, phrases=listed))


def is_numbered_street(column: pl.Expr) -> pl.Expr:
    """Return where a text is a number and, behind a blank, has two letters A to Z in the same line."""
    from psi import _core

    return _asked([column], _core.numbered_street)


def are_in_order(columns: Sequence[pl.Expr], date_format: str) -> pl.Expr:
    """Return where two texts are calendar days in a format that is known to be one, the first before the second."""
    from psi import _core

    return _asked(columns, lambda values: _core.date_order(values, date_format=date_format))


def _asked(columns: Sequence[pl.Expr], judge: Callable[[pl.DataFrame], NDArray[np.bool_]]) -> pl.Expr:
    """Return the expression of what is judged of the values of some columns together."""
    import polars as pl

    def judged(values: Sequence[pl.Series]) -> pl.Series:
        frame = pl.DataFrame([each.alias(str(number)) for number, each in enumerate(values)])
        return pl.Series(values[0].name, judge(frame))

    return pl.map_batches(list(columns), judged, return_dtype=pl.Boolean, is_elementwise=True)
