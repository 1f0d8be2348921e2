"""Open a source as what it is: a query as what it is called, a file as what its first bytes say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from psi.errors import GateError
from psi.intake.database import QueryTable
from psi.intake.parquet import MAGIC, ParquetTable
from psi.intake.reader import CsvTable, Table, open_file, unreadable
from psi.intake.workbook import WorkbookTable

if TYPE_CHECKING:
    from psi.intake.source import Query
    from psi.intake.spool import Spool
    from psi.terms import Party

ZIP, COMPOUND = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def open_table(
    source: Path | Query, party: Party, *, wanted: Sequence[str], chunk_bytes: int, spool: Spool | None
) -> Table:
    """
    Return a source as a table that has the columns ``wanted``; the gate calls it.

    Raises what the tables raise: `GateError` for a source that is not sound or lacks a column, `UsageError` when there
    is none, `MachineError` when it cannot be read.
    """
    if not isinstance(source, Path):
        return QueryTable(source, party.delimiter, wanted=wanted, spool=spool)
    with open_file(source) as stream:
        try:
            magic = stream.read(len(COMPOUND))
        except OSError as error:
            raise unreadable(source, error) from error
    if magic.startswith(MAGIC):
        return ParquetTable(source, wanted=wanted)
    if magic.startswith(ZIP):
        return WorkbookTable(source, party.delimiter, wanted=wanted, sheet=party.sheet)
    if magic == COMPOUND:
        raise GateError(
            f"{source.name}: a workbook with a password, or of the old kind (.xls)",
            hint="save it as .xlsx without a password, or as CSV in UTF-8",
        )
    return CsvTable(source, party.delimiter, wanted=wanted, encoding=party.encoding, chunk_bytes=chunk_bytes)
