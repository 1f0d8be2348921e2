"""Queries to a real PostgreSQL server: what values become, what matched, what is refused; nothing is changed."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import threading
import time
from typing import TYPE_CHECKING

import polars as pl
import pytest

from psi import intake, scenario
from psi.errors import GateError, MachineError, PsiError, UsageError
from psi.intake import database
from psi.intake.database import QueryTable
from psi.terms import KeyColumn
from tests import postgres
from tests.gate_case import Gate, make_party, one, write_items
from tests.mishaps import Bench

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import Server

PROGRAMS = postgres.programs()
pytestmark = pytest.mark.skipif(
    PROGRAMS is None, reason="no PostgreSQL server on this machine (Debian: apt install postgresql)"
)
SECRET = "123-45-6789"  # a value that no message may hold
ROWS = 100_000
CASE_ROWS, CASE_MATCHES = 400, 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    assert PROGRAMS is not None
    with postgres.running(PROGRAMS) as started:
        started.run(
            "CREATE TABLE people AS SELECT to_char(n, 'FM000000000') AS tin, 'Né ' || n AS last, "
            f"DATE '1950-01-01' + n % 20000 AS dob FROM generate_series(1, {ROWS}) AS n",
            f"CREATE TABLE hidden AS SELECT '{SECRET}' AS tin",
            "CREATE TABLE written (tin text)",
            "CREATE FUNCTION writes() RETURNS text LANGUAGE sql AS "
            "$$ INSERT INTO written VALUES ('x') RETURNING tin $$",
            f"GRANT SELECT ON people TO {postgres.READER}",
            f"GRANT ALL ON written TO {postgres.READER}",
        )
        yield started


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGUSER", "PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE", "PGSSLMODE", "PGOPTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGPASSWORD", postgres.READER_PASSWORD)


@pytest.fixture
def query(server: Server, tmp_path: Path) -> Callable[..., intake.Query]:
    def make(text: str, url: str | None = None) -> intake.Query:
        path = tmp_path / "people.sql"
        path.write_text(text, encoding="utf-8")
        found = intake.find(url or server.url(), path)
        assert isinstance(found, intake.Query)
        return found

    return make


def texts_of(query: intake.Query, **formats: str | None) -> list[tuple[str, ...]]:
    table = QueryTable(query, ",", wanted=list(formats), spool=None)
    return [row for batch in table.batches(formats) for row in batch.frame.select(list(formats)).iter_rows()]


VALUES = [
    ("'é€😀'", "é€😀"),
    ("' a '::text", " a "),
    ("'a'::char(4)", "a"),
    ("''", ""),
    ("NULL", ""),
    ("123456789", "123456789"),
    ("123456789.50::numeric", "123456789.50"),
    ("0.1::float8 + 0.2", "0.30000000000000004"),
    ("1e20::float8", "1e+20"),
    ("true", "true"),
    ("DATE '1980-02-29'", "1980-02-29"),
    ("DATE 'infinity'", "infinity"),
    ("TIMESTAMP '2020-01-02 03:04:05'", "2020-01-02 03:04:05"),
    ("TIMESTAMPTZ '2020-01-02 03:04:05+02'", "2020-01-02 01:04:05+00"),
    ("'00000000-0000-0000-0000-00000000000A'::uuid", "00000000-0000-0000-0000-00000000000a"),
    ("'\\x00ff'::bytea", "\\x00ff"),
    ("ARRAY[1, 2]", "{1,2}"),
    ("""'{"a": 1}'::jsonb""", '{"a": 1}'),
]


def test_values_become_the_texts_that_the_server_makes_of_them(
    query: Callable[..., intake.Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c datestyle=German -c timezone=Asia/Tokyo -c extra_float_digits=0")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    names = [f'a "{number}"' for number in range(len(VALUES))]
    quoted = ('"' + name.replace('"', '""') + '"' for name in names)
    asked = ", ".join(f"{value} AS {name}" for (value, _), name in zip(VALUES, quoted, strict=True))
    (row,) = texts_of(query(f"SELECT {asked}"), **dict.fromkeys(names))
    assert dict(zip([value for value, _ in VALUES], row, strict=True)) == dict(VALUES)


def test_day_takes_the_format_of_the_terms_and_what_is_no_day_stays(
    query: Callable[..., intake.Query],
) -> None:
    days = "VALUES (DATE '1980-02-29'), ('infinity'), ('0044-03-15 BC'), (NULL)"
    found = texts_of(
        query(f"SELECT day, day::text AS text FROM ({days}) AS d (day)"), day="%m/%d/%Y", text="%m/%d/%Y"
    )
    assert found == [
        ("02/29/1980", "1980-02-29"),
        ("infinity", "infinity"),
        ("0044-03-15 BC", "0044-03-15 BC"),
        ("", ""),
    ]


KEY = (
    KeyColumn(name="tin", requester="tin", holder="tin", recipe="digits/1"),
    KeyColumn(
        name="dob",
        requester="dob",
        holder="dob",
        recipe="date-iso/1",
        requester_format="%m/%d/%Y",
        holder_format="%m/%d/%Y",
    ),
)
PARTY = make_party(required=("tin", "dob"), rules=(), delimiter=";")


def test_rows_of_a_database_become_the_items_that_a_file_of_them_does(
    server: Server, query: Callable[..., intake.Query], tmp_path: Path
) -> None:
    gate = Gate(tmp_path)
    seen: list[int] = []
    with intake.Spool(tmp_path) as spool:
        table = QueryTable(query("SELECT * FROM people ORDER BY tin"), ";", wanted=("tin",), spool=None)
        heights = [batch.frame.height for batch in table.batches({"tin": None})]
        assert (sum(heights), max(heights)) == (ROWS, database.BATCH_ROWS)
        got = intake.read(
            query("SELECT *, tin AS row FROM people ORDER BY tin;"),
            party=PARTY,
            side="requester",
            keys=one(KEY),
            rejects=tmp_path / "rejects.csv",
            spool=spool,
            progress=lambda done, total: seen.append(100 * done // total),
        )
        assert seen == sorted(seen)
        assert 0 < seen[-1] <= 100
        assert (got.report.file, got.report.rows, got.report.passed) == ("people.sql", ROWS, ROWS)
        wanted = [0, database.BATCH_ROWS, ROWS - 1]
        path = write_items(got, wanted, tmp_path / "matched.csv")
        assert sorted(each.name for each in tmp_path.iterdir()) == [
            "matched.csv",
            "people.sql",
            "rejects.csv",
        ]
    with path.open(encoding="utf-8", newline="") as stream:
        header, first, second, last = csv.reader(stream, delimiter=";")
    assert header == ["row_1", "tin", "last", "dob", "row"]
    assert first == ["1", "000000001", "Né 1", "01/02/1950", "000000001"]
    assert second[:2] == [str(database.BATCH_ROWS + 1), f"{database.BATCH_ROWS + 1:09d}"]
    assert last[:3] == [str(ROWS), f"{ROWS:09d}", f"Né {ROWS}"]
    again = gate.run(path, party=PARTY, key=KEY)
    assert again.items[0].digests.tolist() == got.items[0].digests[wanted].tolist()


FAULTS: dict[str, tuple[str, type[PsiError], str]] = {
    "no SQL": ("SELEC tin", UsageError, "does not understand the query as one SELECT (SQLSTATE 42601)"),
    "two statements": ("SELECT 1 AS tin; SELECT 2", UsageError, "as one SELECT (SQLSTATE 42601)"),
    "out of its brackets": (
        "SELECT tin FROM people) AS q; DELETE FROM written; SELECT * FROM (SELECT 1 AS tin",
        UsageError,
        "as one SELECT (SQLSTATE 42601)",
    ),
    "deletes": ("DELETE FROM written RETURNING tin", UsageError, "as one SELECT (SQLSTATE 42601)"),
    "deletes within": (
        "WITH w AS (DELETE FROM written RETURNING tin) SELECT * FROM w",
        UsageError,
        "the query is not one SELECT (SQLSTATE 0A000)",
    ),
    "locks": ("SELECT tin FROM written FOR UPDATE", UsageError, "would change the database (SQLSTATE 25006)"),
    "function that writes": (
        "SELECT writes() AS tin",
        UsageError,
        "would change the database (SQLSTATE 25006)",
    ),
    "leaves reading": (
        "SELECT set_config('transaction_read_only', 'off', false) AS tin",
        UsageError,
        "would end or change the transaction (SQLSTATE 25001)",
    ),
    "no such table": (
        "SELECT tin FROM nothing",
        UsageError,
        "names a table that is not there (SQLSTATE 42P01)",
    ),
    "no such column": (
        "SELECT tim FROM people",
        UsageError,
        "names a column that is not there (SQLSTATE 42703)",
    ),
    "parameters": (
        "SELECT tin FROM people WHERE tin = $1",
        UsageError,
        "has parameters ($1) (SQLSTATE 08P01)",
    ),
    "not granted": ("SELECT tin FROM hidden", MachineError, "this login may not read"),
    "value that is no number": (
        f"SELECT CASE WHEN tin > '000050000' THEN '{SECRET}' END::int AS tin FROM people ORDER BY people.tin",
        MachineError,
        "failed on a value in the database (SQLSTATE 22P02)",
    ),
    "connection that ends": (
        "SELECT pg_terminate_backend(pg_backend_pid())::text AS tin",
        MachineError,
        "the connection to the database broke",
    ),
    "column of the terms": ("SELECT tin AS number FROM people", GateError, "no column 'tin' among its 1"),
    "two of one name": (
        "SELECT tin, dob AS tin FROM people",
        GateError,
        "two columns of the query have the same",
    ),
    "type that is not read": (
        "SELECT INTERVAL '1 day' AS tin",
        GateError,
        "a type that is not read (interval)",
    ),
    "no rows": ("SELECT tin FROM people WHERE false", GateError, "columns and no rows"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_query_that_cannot_be_read_gets_one_clear_message_without_a_value(
    query: Callable[..., intake.Query], name: str
) -> None:
    text, kind, fact = FAULTS[name]
    with pytest.raises(kind) as caught:
        texts_of(query(text), tin=None)
    assert caught.value.message.startswith("people.sql: ")
    assert fact in caught.value.message
    assert caught.value.hint
    assert caught.value.__cause__ is None
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"


def test_query_that_takes_longer_than_its_login_may_is_told(
    query: Callable[..., intake.Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=200")
    with pytest.raises(MachineError, match=r"the server cancelled the query \(SQLSTATE 57014\)"):
        texts_of(query("SELECT tin FROM people, pg_sleep(20)"), tin=None)


def test_interrupt_ends_a_query_that_the_server_works_on(
    query: Callable[..., intake.Query], server: Server
) -> None:
    table = QueryTable(query("SELECT pg_sleep(60)::text AS tin"), ",", wanted=("tin",), spool=None)
    began_s = time.monotonic()

    def interrupt() -> None:
        at_work = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'FETCH%'"
        while not server.number(at_work):
            pass  # each question takes a connection of its own
        os.kill(os.getpid(), signal.SIGINT)

    # What runs in the background of a shell ignores the signal.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(table.batches({"tin": None}))
    finally:
        signal.signal(signal.SIGINT, previous)
    assert time.monotonic() - began_s < 30


def test_nothing_that_a_query_does_stays_in_the_database(query: Callable[..., intake.Query]) -> None:
    for text in (
        "SELECT lo_create(0)::text AS tin",
        "SELECT writes() AS tin",
        "DELETE FROM written RETURNING tin",
    ):
        try:
            texts_of(query(text), tin=None)
        except UsageError:
            continue
    counts = "(SELECT count(*) FROM written) + (SELECT count(*) FROM pg_largeobject_metadata)"
    assert texts_of(query(f"SELECT {counts} AS tin"), tin=None) == [("0",)]


CONNECTIONS = {
    "no such database": ("postgresql://reader@127.0.0.1:{port}/nothing", "the server has no such database"),
    "no such user": ("postgresql://stranger@127.0.0.1:{port}/people", "the database refused the login"),
    "nobody there": ("postgresql://reader@127.0.0.1:1/people", "no PostgreSQL server answers there"),
    "no such socket": ("postgresql:///people?host=/nowhere", "no PostgreSQL server answers there"),
    "no TLS": ("postgresql://reader@127.0.0.1:{port}/people?sslmode=require", "no secure connection"),
    "no certificate": (
        "postgresql://reader@127.0.0.1:{port}/people?sslmode=verify-full&sslrootcert=/nowhere",
        "no secure connection",
    ),
    "no such option": (
        "postgresql://127.0.0.1:{port}/people?nonsense=1",
        "address of the database is not understood",
    ),
    "no such service": ("postgresql://?service=nothing", "no such service"),
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_database_that_cannot_be_reached_is_the_machines_fault(
    server: Server, query: Callable[..., intake.Query], name: str
) -> None:
    url, fact = CONNECTIONS[name]
    with pytest.raises(MachineError) as caught:
        texts_of(query("SELECT tin FROM people", url.format(port=server.port)), tin=None)
    assert fact in caught.value.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("given", ["wrong", None])
def test_login_that_is_refused_is_told_without_the_password(
    query: Callable[..., intake.Query], monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv("PGPASSWORD", given or "")
    with pytest.raises(MachineError, match="the database refused the login") as caught:
        texts_of(query("SELECT tin FROM people"), tin=None)
    assert "PGPASSWORD" in str(caught.value.hint)
    assert "wrong" not in f"{caught.value.message} {caught.value.hint}"


def test_password_may_come_from_a_file_and_the_address_from_a_service(
    server: Server, query: Callable[..., intake.Query], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD")
    secret = tmp_path / "pgpass"
    secret.write_text(f"127.0.0.1:{server.port}:people:{postgres.READER}:{postgres.READER_PASSWORD}\n")
    secret.chmod(0o600)
    services = tmp_path / "services"
    services.write_text(
        f"[people]\nhost=127.0.0.1\nport={server.port}\ndbname=people\nuser={postgres.READER}\npassfile={secret}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert texts_of(query("SELECT 1 AS tin", "postgresql://?service=people"), tin=None) == [("1",)]


def test_texts_of_a_database_without_an_encoding_are_refused(
    server: Server, query: Callable[..., intake.Query]
) -> None:
    server.run("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0", database="postgres")
    with pytest.raises(GateError, match=r"the database has no encoding \(SQL_ASCII\)"):
        texts_of(query("SELECT 1 AS tin", server.url(database="bytes")), tin=None)


@pytest.fixture(scope="module")
def case(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a case whose files are also tables of a database, under other types."""
    folder = tmp_path_factory.mktemp("case")
    scenario.write(folder, requests=CASE_ROWS, records=CASE_ROWS, matches=CASE_MATCHES, seed=3)
    scenario.agree(folder, requests=CASE_ROWS, records=CASE_ROWS)
    server.run("CREATE DATABASE agency", database="postgres")
    for name in ("requests", "records"):
        frame = pl.read_csv(folder / f"{name}.csv", infer_schema=False, empty_string_is_null=False)
        columns = ", ".join(f'"{column}" text' for column in frame.columns)
        values = ", ".join(
            "(" + ", ".join("'" + value.replace("'", "''") + "'" for value in row) + ")"
            for row in frame.iter_rows()
        )
        server.run(
            f"CREATE TABLE {name} ({columns})",
            f"INSERT INTO {name} VALUES {values}",
            f"GRANT SELECT ON {name} TO {postgres.READER}",
            database="agency",
        )
    return folder


@pytest.mark.slow
def test_run_between_two_databases_finds_what_a_run_between_files_does(
    server: Server, case: Path, tmp_path: Path
) -> None:
    url = server.url(database="agency")
    (tmp_path / "requests.sql").write_text("SELECT * FROM requests ORDER BY request_id")
    (tmp_path / "records.sql").write_text("SELECT * FROM records ORDER BY record_id")
    bench = Bench({"vole-malicious": case}, tmp_path)
    with bench.holder(file=url, query="records.sql") as (holder, address):
        joined = bench.alone("join", file=url, query="requests.sql", connect=address)
        served = holder.outcome()
    assert (joined.code, served.code, joined.shown, served.shown) == (0, 0, (), ())
    whole = ("events.ndjson", "gate.json", "matched.csv", "receipt.json", "rejects.csv")
    assert (joined.left, served.left) == (whole, whole)
    truth = json.loads((case / "truth.json").read_text())
    for folder, name, column in (("run", "requests", "request_id"), ("holder-run", "records", "record_id")):
        matched = pl.read_csv(tmp_path / folder / "matched.csv", infer_schema=False).fill_null("")
        source = pl.read_csv(case / f"{name}.csv", infer_schema=False).fill_null("").sort(column)
        assert matched.height >= truth["matches"] == CASE_MATCHES
        assert matched.drop("row").equals(source[[int(row) - 1 for row in matched["row"]]])


@pytest.mark.slow
def test_side_that_is_killed_leaves_none_of_the_rows_it_had_read(
    server: Server, case: Path, tmp_path: Path
) -> None:
    (tmp_path / "requests.sql").write_text("SELECT * FROM requests")
    bench = Bench({"vole-malicious": case}, tmp_path)
    url = server.url(database="agency")
    with bench.running(
        "join", file=url, query="requests.sql", struck=(signal.SIGKILL, "enters connect")
    ) as killed:
        killed.wait_for_death()
    assert killed.left() == ("events.ndjson", "gate.json", "rejects.csv")


def test_check_of_a_database_ends_as_that_of_a_file(
    server: Server,
    case: Path,
    tmp_path: Path,
    psi_inside: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check(*source: str) -> subprocess.CompletedProcess[str]:
        terms = str(case / scenario.TERMS)
        return psi_inside("check", *source, "--terms", terms, "--side", "requester", "--json")

    query, url = tmp_path / "requests.sql", server.url(database="agency")
    query.write_text("SELECT * FROM requests")
    result = check(url, "--query", str(query))
    assert (result.returncode, result.stderr) == (0, "")
    record, of_file = json.loads(result.stdout), json.loads(check(str(case / "requests.csv")).stdout)
    assert record == {**of_file, "file": "requests.sql"}
    query.write_text("SELECT last_name FROM requests")
    assert check(url, "--query", str(query)).returncode == 3
    query.write_text("SELECT * FROM nothing")
    assert check(url, "--query", str(query)).returncode == 2
    assert check(url).returncode == 2
    monkeypatch.setenv("PGPASSWORD", "wrong")
    result = check(url, "--query", str(query))
    assert (result.returncode, result.stdout) == (8, "")
    assert re.fullmatch(
        r"psi: error: requests\.sql: the database refused the login\npsi: hint: .*\n", result.stderr
    )
