"""The matched file under several keys: which rows, under which key, and the column that says so."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi import intake
from psi.intake import matched
from psi.terms import Key, KeyColumn
from tests.gate_case import Gate, make_party

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

A, B = (KeyColumn(name=name, requester=name, holder=name, recipe="digits/1") for name in "ab")
BOTH = Key(name='both, "a" and b', columns=(A, B))  # a name that a CSV file must put in quotes
ONLY_A, ONLY_B = Key(name="a", columns=(A,)), Key(name="b", compare="count", columns=(B,))
KEYS = (BOTH, ONLY_A, ONLY_B)
PARTY = make_party(required=(), rules=())


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def write(got: intake.Intake, told: Sequence[list[int] | None], folder: Path) -> Path:
    """Write the rows of the items that were told of each key."""
    found = intake.find_rows(
        got, [None if items is None else np.array(items, dtype=np.uint32) for items in told]
    )
    return intake.write_matched(got, found, folder / "matched")


def test_each_row_is_there_once_with_the_strictest_key_under_which_it_matched(
    gate: Gate, tmp_path: Path
) -> None:
    got = gate.run(b"a,b,note\r\n1,2,x\r\n1,,y\r\n3,2,z\r\n,2,u\r\n1,2,again", party=PARTY, keys=KEYS)
    path = write(got, [[0], [0, 1], None], tmp_path)
    assert path.read_bytes() == (
        b'row,key,a,b,note\r\n1,"both, ""a"" and b",1,2,x\r\n2,a,1,,y\r\n3,a,3,2,z\r\n'
        b'5,"both, ""a"" and b",1,2,again\r\n'
    )
    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert [row[:2] for row in rows[1:]] == [["1", BOTH.name], ["2", "a"], ["3", "a"], ["5", BOTH.name]]


def test_key_that_is_not_told_adds_no_row(gate: Gate, tmp_path: Path) -> None:
    got = gate.run(b"a,b\n1,2\n,2\n", party=PARTY, keys=KEYS)
    assert write(got, [None, [0], None], tmp_path).read_bytes() == b"row,key,a,b\n1,a,1,2\n"
    assert write(got, [[], [], None], tmp_path).read_bytes() == b"row,key,a,b\n"


def test_one_key_has_no_column_of_its_own(gate: Gate, tmp_path: Path) -> None:
    got = gate.run(b"a,b\n1,2\n", party=make_party(required=("a",), rules=()), keys=(ONLY_A,))
    assert write(got, [[0]], tmp_path).read_bytes() == b"row,a,b\n1,1,2\n"


def test_name_of_the_column_is_one_that_the_file_does_not_have(gate: Gate, tmp_path: Path) -> None:
    content = b"key;row;a;b;key_1\n7;8;1;2;9\n"
    party = make_party(required=(), rules=(), delimiter=";")
    first = write(gate.run(content, party=party, keys=KEYS), [[0], [], None], tmp_path).read_bytes()
    assert first == b'row_1;key_2;key;row;a;b;key_1\n1;"both, ""a"" and b";7;8;1;2;9\n'
    again = write(gate.run(first, party=party, keys=KEYS), [[], [0], None], tmp_path).read_bytes()
    assert again.splitlines()[0] == b"row_2;key_3;row_1;key_2;key;row;a;b;key_1"
    assert again.splitlines()[1].startswith(b"1;a;1;")


def test_parquet_has_the_same_rows_and_keys(gate: Gate, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"a": ["1", "1", "3", None], "b": ["2", None, "2", "2"], "key": [1.5, 2.5, 3.5, None]}
    )
    frame.write_parquet(tmp_path / "requests.parquet", row_group_size=2)
    got = gate.run(tmp_path / "requests.parquet", party=PARTY, keys=KEYS)
    rows = pl.read_parquet(write(got, [[0], [0, 1], None], tmp_path))
    assert rows.columns == ["row", "key_1", "a", "b", "key"]
    assert rows["row"].to_list() == [1, 2, 3]
    assert rows["key_1"].to_list() == [BOTH.name, "a", "a"]
    assert rows.drop("row", "key_1").equals(frame[[0, 1, 2]])
    empty = pl.read_parquet(write(got, [[], [], None], tmp_path))
    assert empty.schema == rows.schema
    assert empty.height == 0


VALUES = st.sampled_from(["", "1", "2", "3"])


@given(
    records=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30),
    wanted=st.lists(st.one_of(st.none(), st.sets(st.integers(0, 8))), min_size=3, max_size=3),
    window_bytes=st.sampled_from([1, 1 << 20]),
)
def test_rows_and_keys_are_those_of_a_plain_look_up(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[tuple[str, str]],
    wanted: list[set[int] | None],
    window_bytes: int,
) -> None:
    def values(record: tuple[str, str]) -> list[tuple[str, ...] | None]:
        a, b = record
        return [(a, b) if a and b else None, (a,) if a else None, (b,) if b else None]

    items = [
        list(dict.fromkeys(values(record)[place] for record in records if values(record)[place]))
        for place in range(3)
    ]
    if not all(items):
        return
    gate = Gate(tmp_path_factory.mktemp("matched"))
    got = gate.run(b"a,b\n" + "".join(f"{a},{b}\n" for a, b in records).encode(), party=PARTY, keys=KEYS)
    told = [
        None if chosen is None else sorted(item for item in chosen if item < len(of))
        for chosen, of in zip(wanted, items, strict=True)
    ]
    expected = []
    for number, record in enumerate(records, start=1):
        hits = [
            key.name
            for key, value, of, chosen in zip(KEYS, values(record), items, told, strict=True)
            if value is not None and chosen is not None and of.index(value) in chosen
        ]
        if hits:
            expected.append([str(number), hits[0], *record])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matched, "WINDOW_BYTES", window_bytes)
        text = write(got, told, gate.folder).read_text()
    assert list(csv.reader(io.StringIO(text)))[1:] == expected
