"""
Say where a party's rows are: in a file, or in a PostgreSQL database that a query is put to.

A source is only ever read. What it takes to log in comes from where every PostgreSQL program takes it (``PGPASSWORD``,
``~/.pgpass``, a service file), never from the command line, which other users of the machine can see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from psi.errors import MachineError, UsageError
from psi.intake.output import reason
from psi.intake.reader import open_file

_URL = re.compile(r"postgres(?:ql)?://(?:([^@/?]*)@)?[^@/?]*(?:/[^?]*)?(?:\?(.*))?")
_SECRET = re.compile(r"password|secret")
_MAX_QUERY_BYTES = 1 << 20
_NOT_THERE_HINT = "leave it out, and put it into PGPASSWORD, ~/.pgpass or a service file (PGSERVICEFILE)"


@dataclass(frozen=True)
class Query:
    """
    Name the rows that a query gives.

    ``url`` says where the database is, as every PostgreSQL program takes it, without a password; ``file`` holds one
    SELECT.
    """

    url: str
    file: Path

    @property
    def name(self) -> str:
        """Return what stands for the source in messages and records: the name of the file with the query."""
        return self.file.name

    def options(self) -> dict[str, str]:
        """Return what stands behind the question mark of the address."""
        found = _URL.fullmatch(self.url)
        pairs = ((found[2] if found else None) or "").split("&")
        return {
            _plain(name): _plain(value)
            for name, equals, value in (pair.partition("=") for pair in pairs)
            if equals
        }

    def text(self) -> str:
        """
        Return the query, without the semicolon at its end.

        Raises `UsageError` when there is no such file or it holds none, `MachineError` when it cannot be read.
        """
        with open_file(self.file) as stream:
            try:
                content = stream.read(_MAX_QUERY_BYTES + 1)
            except OSError as error:
                raise MachineError(f"cannot read {self.file}: {reason(error)}") from error
        if len(content) > _MAX_QUERY_BYTES:
            raise UsageError(f"{self.file}: larger than {_MAX_QUERY_BYTES} bytes, so this is no query")
        try:
            query = content.decode("utf-8-sig").strip().removesuffix(";").rstrip()
        except UnicodeDecodeError:
            raise UsageError(f"{self.file}: not UTF-8", hint="save the query as UTF-8") from None
        if not query or "\0" in query:
            raise UsageError(f"{self.file}: no query in it", hint="it must hold one SELECT")
        return query


def find(place: str, query: Path | None) -> Path | Query:
    """
    Return the source that a command line names: a file, or the address of a database with the file of a query.

    Raises `UsageError` when the two do not fit, or the address holds a password.
    """
    if not re.match(r"postgres(ql)?://", place):
        if query is not None:
            raise UsageError(
                "--query belongs to a database",
                hint="psi COMMAND postgresql://HOST/DATABASE --query FILE, or a file and no --query",
            )
        return Path(place)
    found = _URL.fullmatch(place)
    if found is None:
        raise UsageError(
            "the address of the database is not of the form postgresql://USER@HOST:PORT/DATABASE",
            hint="write characters that have a meaning there as %40 (@), %2F (/), %3F (?)",
        )
    user, _ = found.groups()
    if ":" in (user or ""):
        raise UsageError("the address of the database has a password in it", hint=_NOT_THERE_HINT)
    if query is None:
        raise UsageError(
            "a database needs --query FILE", hint="the file holds one SELECT that gives the rows"
        )
    source = Query(place, query)
    if any(_SECRET.search(name.lower()) for name in source.options()):
        raise UsageError("the address of the database has a password in it", hint=_NOT_THERE_HINT)
    return source


def check(source: Path | Query) -> None:
    """
    Look whether a source can be read at all, as far as that is seen without asking a server.

    Raises `UsageError` when there is no such file, `MachineError` when it cannot be read or this machine lacks what it
    takes.
    """
    if isinstance(source, Path):
        open_file(source).close()
        return
    source.text()
    if find_spec("adbc_driver_postgresql") is None:
        raise MachineError(
            "reading from PostgreSQL needs packages that are not installed",
            hint="pip install 'psi-overlap[db]'",
        )


def _plain(text: str) -> str:
    """Return a part of an address without its percent signs."""
    return re.sub(
        r"(?:%[0-9A-Fa-f]{2})+",
        lambda found: bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace"),
        text,
    )
