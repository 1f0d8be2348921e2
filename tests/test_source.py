"""What a command line names as the source: a file, or a database whose address holds no password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi import intake
from psi.errors import MachineError, UsageError
from psi.intake import source

if TYPE_CHECKING:
    from pathlib import Path

URLS = [
    "postgresql://",
    "postgres://host",
    "postgresql://reader@host:5433/people",
    "postgresql://reader@[::1]:5433/people?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "postgresql://one:1,two:2/people?target_session_attrs=any",
    "postgresql:///people?host=/var/run/postgresql",
    "postgresql://?service=people",
    "postgresql://user%3Awith%40signs@host/people",
]


@pytest.mark.parametrize("url", URLS)
def test_address_of_a_database_is_kept_as_it_is(tmp_path: Path, url: str) -> None:
    found = intake.find(url, tmp_path / "people.sql")
    assert found == intake.Query(url, tmp_path / "people.sql")
    assert found.name == "people.sql"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:hunter2@host/people",
        "postgres://:hunter2@host",
        "postgresql://reader:@host/people",
        "postgresql://reader@host/people?password=hunter2",
        "postgresql://reader@host/people?sslmode=require&PASSWORD=hunter2",
        "postgresql://reader@host/people?pass%77ord=hunter2",
        "postgresql://host?sslpassword=hunter2",
        "postgresql://host?oauth_client_secret=hunter2",
    ],
)
def test_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="has a password in it") as caught:
        intake.find(url, tmp_path / "people.sql")
    assert "PGPASSWORD" in str(caught.value.hint)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_address_and_query_belong_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a database needs --query FILE"):
        intake.find("postgresql://host/people", None)
    with pytest.raises(UsageError, match="--query belongs to a database"):
        intake.find("requests.csv", tmp_path / "people.sql")
    with pytest.raises(UsageError, match="not of the form"):
        intake.find("postgresql://a@b@host/people", tmp_path / "people.sql")
    assert str(intake.find("requests.csv", None)) == "requests.csv"
    assert str(intake.find("postgresql:/host", None)) == "postgresql:/host"  # a file may be called so


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no query in it"),
        (b" ;\n", "no query in it"),
        (b"SELECT '\0'", "no query in it"),
        (b"SELECT '\xe9'", "not UTF-8"),
        (b"-" * (1 << 20) + b"-", "larger than 1048576 bytes"),
    ],
)
def test_file_without_a_query_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "people.sql"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        intake.check(intake.Query("postgresql://host", path))


def test_query_is_the_text_of_its_file_without_the_last_semicolon(tmp_path: Path) -> None:
    path = tmp_path / "people.sql"
    path.write_bytes("\ufeffSELECT 'é;'\n  ; \r\n".encode())
    assert intake.Query("postgresql://host", path).text() == "SELECT 'é;'"
    with pytest.raises(UsageError, match="no file"):
        intake.check(intake.Query("postgresql://host", tmp_path / "none.sql"))


def test_without_its_packages_a_database_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.sql"
    path.write_text("SELECT 1")
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    with pytest.raises(MachineError, match="not installed") as caught:
        intake.check(intake.Query("postgresql://host", path))
    assert "pip install 'psi-overlap[db]'" in str(caught.value.hint)


@given(heights=st.lists(st.integers(1, 5), max_size=6), data=st.data())
def test_spool_gives_the_rows_that_are_wanted_and_has_no_name(
    tmp_path_factory: pytest.TempPathFactory, heights: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    texts = [f"row {number} é" for number in range(sum(heights))]
    wanted = sorted(data.draw(st.sets(st.sampled_from(range(len(texts)))))) if texts else []
    with intake.Spool(folder) as spool:
        done = 0
        for height in heights:
            spool.add(pl.DataFrame({"a": texts[done : done + height]}))
            done += height
            assert not list(folder.iterdir())
        frames = list(spool.rows(np.array(wanted, dtype=np.uint32)))
    assert [text for frame in frames for text in frame["a"]] == [texts[number] for number in wanted]


def test_folder_that_takes_no_rows_is_the_machines_fault(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": ["x"]})
    with intake.Spool(tmp_path / "none") as spool, pytest.raises(MachineError, match="cannot keep the rows"):
        spool.add(frame)
