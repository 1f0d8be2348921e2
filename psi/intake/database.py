"""
Read what a query gives in a PostgreSQL database, in batches of text columns.

Everything happens in one transaction that can only read, over one snapshot. The server turns each value into text by
its own rules, under settings that are fixed here, so that no type has to be known on this side.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import GateError
from psi.intake.reader import Batch, check_names
from psi.intake.server import Server, wait
from psi.intake.source import check

if TYPE_CHECKING:
    from psi.intake.source import Query
    from psi.intake.spool import Spool

BATCH_ROWS = 1 << 15
_SETTINGS = {
    "default_transaction_read_only": "on",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "cursor_tuple_fraction": "1",  # all rows are wanted
}


class QueryTable:
    """
    Read the rows of a query in the order in which the server gives them.

    A value becomes the text that PostgreSQL makes of it: a date ``YYYY-MM-DD``, or what the format of the terms says of
    its column; a number its digits; a truth value ``true`` or ``false``; a null an empty text. With a ``spool`` all
    columns are fetched and kept, to be looked up again; without one, only those that the terms name.
    """

    def __init__(self, query: Query, delimiter: str, *, wanted: Sequence[str], spool: Spool | None) -> None:
        check(query)
        self.query = query
        self.delimiter = delimiter
        self.spool = spool
        self._closing = ExitStack()
        with ExitStack() as closing:
            self._server = closing.enter_context(Server(query))
            self._begin()
            self._rows = f"FROM (\n{query.text()}\n) AS q"
            self._kinds = self._schema()
            self.names = tuple(self._kinds)
            check_names(
                query.name, self.names, wanted, hint="the query must name its columns as the terms do: AS"
            )
            self._expected, self.total_bytes = self._estimate()
            self._closing = closing.pop_all()

    def batches(self, formats: Mapping[str, str | None]) -> Iterator[Batch]:
        """Yield all rows, and end the connection with the last one; the next are fetched while the caller works."""
        fetched = [name for name in self.names if self.spool is not None or name in formats]
        texts = [self._text(name, formats.get(name)) for name in fetched]
        asked = ", ".join(f"q.{_quoted(name)}::text" for name in fetched)
        done, more = 0, f"FETCH {BATCH_ROWS} FROM psi"
        with self._closing:
            self._server.ask(f"DECLARE psi NO SCROLL CURSOR FOR SELECT {asked} {self._rows}", pl.DataFrame)
            coming = self._server.send(more, pl.DataFrame)
            while (found := wait(coming)).height:
                coming = self._server.send(more, pl.DataFrame)
                frame = found.select(texts)
                if self.spool is not None:
                    self.spool.add(frame)
                done += frame.height
                part = self.total_bytes * done // max(done, self._expected)
                yield Batch(frame.select(name for name in fetched if name in formats), part)
        if not done:
            raise GateError(f"{self.query.name}: columns and no rows", hint="look at what the query asks for")

    def texts(self, rows: NDArray[np.uint32]) -> Iterator[pl.DataFrame]:
        """Yield some rows, by their ascending numbers from 0, as they were compared, from where they were kept."""
        assert self.spool is not None  # a run in which this side learns which rows match has one
        return self.spool.rows(rows)

    def _begin(self) -> None:
        """Settle how the server writes values, and begin a transaction that can only read."""
        settings = (f"set_config('{name}', '{value}', false) AS {name}" for name, value in _SETTINGS.items())
        asked = ", ".join(("current_setting('server_encoding') AS encoding", *settings))
        if self._server.ask(f"SELECT {asked}", pl.DataFrame)["encoding"].item() == "SQL_ASCII":
            raise GateError(
                f"{self.query.name}: the database has no encoding (SQL_ASCII)",
                hint="its texts cannot be told from bytes: dump it into a database in UTF8",
            )
        self._server.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", pl.DataFrame)

    def _text(self, name: str, date_format: str | None) -> pl.Expr:
        """Return the expression that finishes what the server made of a column."""
        column = pl.col(name)
        if date_format is not None and self._kinds[name] == pl.Date:
            # What is no day of the calendar here (infinity, years before 1) stays as the server writes it.
            day = column.str.to_date("%Y-%m-%d", strict=False)
            column = pl.coalesce(day.dt.to_string(date_format), column)
        return column.fill_null("").alias(name)

    def _schema(self) -> pl.Schema:
        """Return the columns of the query, with what this side makes of their types."""
        try:
            return self._server.ask(f"SELECT * {self._rows} LIMIT 0", pl.Schema)
        except pl.exceptions.DuplicateError:
            raise GateError(
                f"{self.query.name}: two columns of the query have the same name",
                hint="rename one of them with AS",
            ) from None
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            raise GateError(
                f"{self.query.name}: a column of the query has a type that is not read (interval)",
                hint="leave it out, or write it as text: COLUMN::text",
            ) from None

    def _estimate(self) -> tuple[int, int]:
        """Return how many rows the server expects, and their bytes: for the progress, and for nothing else."""
        plan = self._server.ask(f"EXPLAIN (FORMAT JSON) SELECT * {self._rows}", pl.DataFrame)
        with suppress(ValueError, KeyError, IndexError, TypeError):  # another server may write it otherwise
            top = json.loads(plan.item())[0]["Plan"]
            return int(top["Plan Rows"]), int(top["Plan Rows"]) * int(top["Plan Width"])
        return 1, 1


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
