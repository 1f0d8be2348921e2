"""
Speak with a PostgreSQL server: connect, send one statement after the other, and say in our words what it refuses.

What a server or its library says is never passed on: their texts quote values, and the address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from psi.errors import MachineError, PsiError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from adbc_driver_manager import Error
    from adbc_driver_manager.dbapi import Connection

    from psi.intake.source import Query

T = TypeVar("T")
_CONNECT_S = "10"
_HEARING_S = 0.2
_IN_RESULTS = {"adbc.postgresql.use_copy": "false"}  # FETCH bounds the memory already, and cannot be copied
_ONE_SELECT = "it must hold one SELECT that only reads; `psql -f FILE` says more about what is wrong"
# What the server says by code (PostgreSQL, Appendix A), in words of our own: its texts may hold values. The longest
# beginning of the code decides.
_ANSWERS: dict[str, tuple[type[PsiError], str, str]] = {
    "08P01": (UsageError, "the query has parameters ($1)", "write the values themselves into it"),
    "0A": (UsageError, "the query is not one SELECT", _ONE_SELECT),
    "21": (MachineError, "the query failed on the rows there", "`psql -f FILE` says more"),
    "22": (MachineError, "the query failed on a value in the database", "`psql -f FILE` says which"),
    "25006": (UsageError, "the query would change the database", _ONE_SELECT),
    "25": (UsageError, "the query would end or change the transaction", _ONE_SELECT),
    "42": (UsageError, "the server does not accept the query", _ONE_SELECT),
    "42501": (
        MachineError,
        "this login may not read what the query asks for",
        "let the owner of the tables GRANT SELECT on them",
    ),
    "42601": (UsageError, "the server does not understand the query as one SELECT", _ONE_SELECT),
    "42702": (UsageError, "the query names a column that could be one of several", _ONE_SELECT),
    "42703": (UsageError, "the query names a column that is not there", _ONE_SELECT),
    "42P01": (UsageError, "the query names a table that is not there", "look at its name and its schema"),
    "53": (MachineError, "the server has no room or memory left for the query", "speak to who runs it"),
    "57014": (MachineError, "the server cancelled the query", "a statement_timeout may be too short for it"),
    "57": (MachineError, "the server ended the connection", "try again when it is up"),
    "40001": (MachineError, "the server could not keep its snapshot", "run again"),
}
# How libpq says that there is no connection: it has no codes for it, so these words of its texts decide.
_REFUSALS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("authentication", "no password supplied", "pg_hba.conf", "not permitted to log in"),
        "the database refused the login",
        "look at the user of the address, at PGPASSWORD, ~/.pgpass or the service file, and at sslmode",
    ),
    (
        ("certificate", "ssl", "tls"),
        "no secure connection to the database",
        "look at sslmode, sslrootcert and the server's certificate",
    ),
    (("role",), "the database knows no such user", "name one: postgresql://USER@HOST/DATABASE"),
    (("database",), "the server has no such database", "look at the end of the address"),
    (("definition of service", "service file"), "no such service", "look at PGSERVICEFILE and at service="),
    (
        ("invalid", "missing"),
        "the address of the database is not understood",
        "postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE",
    ),
    (
        ("refused", "could not translate", "timeout", "no such file", "unreachable", "no route"),
        "no PostgreSQL server answers there",
        "look at host and port of the address, at the firewalls between, and whether it is up",
    ),
)
_NOT_IN = ("no connection to the database", "`psql` with the same address says why")


class Server:
    """
    Hold a connection to a PostgreSQL server; a context manager that ends it.

    Statements run one after the other on a thread of its own, so that an interrupt is heard while the server works.
    Raises `MachineError` when there is no server to connect to.
    """

    def __init__(self, query: Query) -> None:
        self._name = query.name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._connection = wait(self._thread.submit(_connect, query))

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not None:
            self._connection.adbc_cancel()  # what it may still be at work on
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()

    def ask(self, statement: str, take: Callable[[Any], T]) -> T:
        """Send a statement and return what ``take`` makes of its rows; raises in our words what the server refuses."""
        return wait(self.send(statement, take))

    def send(self, statement: str, take: Callable[[Any], T]) -> Future[T]:
        """Send a statement and return at once; its result is that of `ask`."""
        return self._thread.submit(self._send, statement, take)

    def _send(self, statement: str, take: Callable[[Any], T]) -> T:
        from adbc_driver_manager import Error

        try:
            with self._connection.cursor(adbc_stmt_kwargs=_IN_RESULTS) as cursor:
                cursor.execute(statement)
                return take(cursor.fetch_arrow())
        except Error as error:
            raise _answer(self._name, error) from None


def wait(future: Future[T]) -> T:
    """
    Return the result of a future, and hear an interrupt meanwhile.

    The table library has its own handler of SIGINT, which begins an interrupted wait anew: only one with a limit ends.
    """
    while True:
        try:
            return future.result(timeout=_HEARING_S)
        except TimeoutError:
            if future.done():
                raise  # its own


def _connect(query: Query) -> Connection:
    """Return a connection, of which nothing is settled yet."""
    from adbc_driver_manager import Error
    from adbc_driver_postgresql import dbapi

    options = query.options()
    ours = {"connect_timeout": (_CONNECT_S, "PGCONNECT_TIMEOUT"), "application_name": ("psi", "PGAPPNAME")}
    added = "&".join(
        f"{name}={value}"
        for name, (value, variable) in ours.items()
        if name not in options and variable not in os.environ
    )
    joint = "" if not added else "&" if "?" in query.url else "?"
    try:
        connection: Connection = dbapi.connect(query.url + joint + added, autocommit=True)
    except Error as error:
        raise _refusal(query.name, str(error)) from None  # and not its text, which quotes the address
    return connection


def _refusal(name: str, text: str) -> MachineError:
    """Return what says that there is no connection."""
    said = re.sub('"[^"]*"', "", text).lower()  # what is quoted comes from the address
    fact, hint = next(
        ((fact, hint) for words, fact, hint in _REFUSALS if any(word in said for word in words)), _NOT_IN
    )
    return MachineError(f"{name}: {fact}", hint=hint)


def _answer(name: str, error: Error) -> PsiError:
    """Return what says in our words why the server did not do what it was asked."""
    code = error.sqlstate or ""
    if not code:
        return MachineError(f"{name}: the connection to the database broke", hint="run again when it is up")
    known = max((each for each in _ANSWERS if code.startswith(each)), key=len, default=None)
    if known is None:
        return MachineError(
            f"{name}: the server refused the query (SQLSTATE {code})", hint="`psql -f FILE` says more"
        )
    kind, fact, hint = _ANSWERS[known]
    return kind(f"{name}: {fact} (SQLSTATE {code})", hint=hint)
