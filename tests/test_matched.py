"""The matched file: a party's own rows in the overlap, byte for byte, with their row numbers."""

from __future__ import annotations

import datetime
import os
import stat
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi import intake
from psi.errors import GateError, MachineError
from psi.intake import matched, reader
from psi.terms import KeyColumn
from tests.gate_case import Gate, make_party

if TYPE_CHECKING:
    from pathlib import Path

KEY = (KeyColumn(name="tin", requester="tin", holder="tin", recipe="digits/1"),)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def run(gate: Gate, content: bytes | Path, **options: object) -> intake.Intake:
    return gate.run(content, party=make_party(required=("tin",), rules=()), key=KEY, **options)  # type: ignore[arg-type]


def write(got: intake.Intake, items: list[int], folder: Path) -> bytes:
    found = intake.find_rows(got, [np.array(items, dtype=np.uint32)])
    path = intake.write_matched(got, found, folder / "matched")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name in ("matched.csv", "matched.parquet")
    return path.read_bytes()


def test_matched_rows_keep_their_bytes_their_order_and_their_line_ends(gate: Gate, tmp_path: Path) -> None:
    content = (
        '\ufeffid,tin, note \r\n"1",\t11 ,"x ""y"",\n\r\n"\n2,,gone\n3,22,é\r\n4,33,"lone"\n5,1-1,again\r\n6,44,no end'
    ).encode()
    got = run(gate, content)
    assert gate.rejects == ["2,tin,missing"]
    assert write(got, [0, 3], tmp_path).decode() == (
        '\ufeffrow,id,tin, note \r\n1,"1",\t11 ,"x ""y"",\n\r\n"\n5,5,1-1,again\r\n6,6,44,no end\r\n'
    )
    assert write(got, [], tmp_path).decode() == "\ufeffrow,id,tin, note \r\n"


@given(
    records=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "3", "4", "", "-"]), st.sampled_from(["x", '"a\nb"', "é" * 9, ""])
        ),
        min_size=1,
        max_size=30,
    ),
    wanted=st.sets(st.integers(0, 3)),
    chunk_bytes=st.sampled_from([1, 13, 1 << 20]),
    window_bytes=st.sampled_from([1, 20, 1 << 20]),
    delimiter=st.sampled_from(",\t"),
)
def test_matched_rows_are_the_rows_of_the_file_with_a_matched_key(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str]],
    wanted: set[int],
    chunk_bytes: int,
    window_bytes: int,
    delimiter: str,
) -> None:
    lines = [f"{tin}{delimiter}{note}\n" for tin, note in records]
    keys = list(dict.fromkeys(tin for tin, _ in records if tin.isdigit()))
    if not keys:
        return
    gate = Gate(tmp_path_factory.mktemp("matched"))
    party = make_party(required=("tin",), rules=(), delimiter=delimiter)
    content = f"tin{delimiter}note\n{''.join(lines)}".encode()
    got = gate.run(content, party=party, key=KEY, chunk_bytes=chunk_bytes)
    items = sorted(item for item in wanted if item < len(keys))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matched, "WINDOW_BYTES", window_bytes)
        text = write(got, items, gate.folder).decode()
    chosen = {keys[item] for item in items}
    expected = [
        f"{n}{delimiter}{lines[n - 1]}" for n, (tin, _) in enumerate(records, start=1) if tin in chosen
    ]
    assert text == f"row{delimiter}tin{delimiter}note\n{''.join(expected)}"


def test_name_of_the_row_column_is_one_that_the_file_does_not_have(gate: Gate, tmp_path: Path) -> None:
    got = run(gate, b"row,tin,row_1\n7,11,8\n")
    first = write(got, [0], tmp_path)
    assert first == b"row_2,row,tin,row_1\n1,7,11,8\n"
    again = run(gate, first)
    assert write(again, [0], tmp_path) == b"row_3,row_2,row,tin,row_1\n1,1,7,11,8\n"


def test_file_that_was_changed_since_it_was_read_is_refused(gate: Gate, tmp_path: Path) -> None:
    got = run(gate, b"tin\n11\n22\n")
    (tmp_path / "requests.csv").write_bytes(b"tin\n11\n23\n3\n")
    with pytest.raises(GateError, match="requests.csv: the file was changed"):
        write(got, [1], tmp_path)
    assert not (tmp_path / "matched.csv").exists()


def test_file_that_shrinks_while_its_rows_are_copied_is_refused(gate: Gate, tmp_path: Path) -> None:
    run(gate, b"tin\n11\n22\n")
    with (tmp_path / "requests.csv").open("rb") as stream, pytest.raises(GateError, match="was changed"):
        matched._read(stream.fileno(), 100, 4, tmp_path / "requests.csv")


def test_read_error_while_rows_are_copied_is_the_machines_fault(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = run(gate, b"tin\n11\n22\n")

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(MachineError, match="cannot read .*requests.csv: input/output error"):
        write(got, [1], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejects.csv", "requests.csv"]


FRAME = pl.DataFrame(
    {
        "tin": ["1-1", None, "22", "11", "33"],
        "born": [datetime.date(1980, 2, 29), None, datetime.date(1990, 1, 1), None, None],
        "amount": [1.5, 2.5, None, 4.5, 5.5],
    }
)


def test_parquet_gives_parquet_with_its_types_and_row_numbers(gate: Gate, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "requests.parquet", row_group_size=2)
    got = run(gate, tmp_path / "requests.parquet")
    write(got, [0, 2], tmp_path)
    rows = pl.read_parquet(tmp_path / "matched.parquet")
    assert rows.columns == ["row", "tin", "born", "amount"]
    assert rows["row"].to_list() == [1, 4, 5]
    assert rows.drop("row").equals(FRAME[[0, 3, 4]])
    write(got, [], tmp_path)
    assert pl.read_parquet(tmp_path / "matched.parquet").drop("row").equals(FRAME.clear())


def test_parquet_that_was_changed_is_refused_and_leaves_nothing(gate: Gate, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "requests.parquet")
    got = run(gate, tmp_path / "requests.parquet")
    FRAME.head(3).write_parquet(tmp_path / "requests.parquet")
    with pytest.raises(GateError, match="was changed"):
        write(got, [0], tmp_path)
    assert not (tmp_path / "matched.parquet").exists()


def test_parquet_that_cannot_be_written_is_the_machines_fault(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FRAME.write_parquet(tmp_path / "requests.parquet")
    got = run(gate, tmp_path / "requests.parquet")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", fail)
    with pytest.raises(MachineError, match=r"cannot write matched.parquet: no space left on device"):
        write(got, [0], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejects.csv", "requests.parquet"]


def test_names_with_signs_of_a_pattern_are_names(tmp_path: Path) -> None:
    folder = tmp_path / "year=2024"
    folder.mkdir()
    gate = Gate(folder)
    FRAME.write_parquet(folder / "requests[1]*.parquet")
    got = run(gate, folder / "requests[1]*.parquet")
    assert got.table.names == ("tin", "born", "amount")
    assert isinstance(run(gate, b"tin\n11\n").table, reader.CsvTable)
    write(got, [0], folder)
    assert pl.read_parquet(folder / "matched.parquet", hive_partitioning=False)["row"].to_list() == [1, 4]
