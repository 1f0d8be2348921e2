"""Run a real PostgreSQL server on loopback for the tests, from the programs that this machine has."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

OWNER, OWNER_PASSWORD = "owner", "a password of the owner"
READER, READER_PASSWORD = "reader", "a password of the reader"
QUICK = (
    "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_wal_size=256MB -c autovacuum=off"
)


def programs() -> Path | None:
    """Return the folder of a server's programs, the newest of Debian's or what is on the path; ``None`` for none."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    return Path(found).parent if found else None


@dataclass(frozen=True)
class Server:
    """Hold a server that runs: where it is, and who it lets in."""

    port: int

    def url(self, *, user: str = READER, database: str = "people", options: str = "") -> str:
        """Return the address of a database, without a password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}{options}"

    def run(self, *statements: str, database: str = "people") -> None:
        """Run statements as the owner of everything."""
        with self._cursor(database) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def number(self, statement: str) -> int:
        """Return the one number that a statement of the owner gives."""
        with self._cursor("people") as cursor:
            cursor.execute(statement)
            return int(pl.DataFrame(cursor.fetch_arrow()).item())

    @contextmanager
    def _cursor(self, database: str) -> Iterator[Any]:
        from adbc_driver_postgresql import dbapi

        password = OWNER_PASSWORD.replace(" ", "%20")
        url = f"postgresql://{OWNER}:{password}@127.0.0.1:{self.port}/{database}"
        with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            yield cursor


@contextmanager
def running(bin_folder: Path) -> Iterator[Server]:
    """
    Start a server with an empty database ``people`` in a folder of its own, and stop it with the block.

    PostgreSQL does not run as root: there it is somebody who may do little.
    """
    somebody: dict[str, Any] = {}
    # Not the folder of the test, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix="psi-postgres-"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        somebody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def run(program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [bin_folder / program, "-D", folder / "data", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            **somebody,
        )
        assert done.returncode == 0, done.stderr.decode()

    try:
        password = folder / "password"
        password.write_text(OWNER_PASSWORD)
        password.chmod(0o644)
        run(
            "initdb",
            "-U",
            OWNER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            password,
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' {QUICK}"
        run("pg_ctl", "-w", "-t", "60", "-l", folder / "log", "-o", settings, "start")
        try:
            server = Server(port)
            server.run(
                f"CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}'",
                "CREATE DATABASE people",
                database="postgres",
            )
            yield server
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")  # by the number that the server left in its folder
    finally:
        shutil.rmtree(folder)
