"""Workbooks: what each kind of cell becomes, and that a hostile book is refused before it takes memory."""

from __future__ import annotations

import csv
import datetime
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi import intake
from psi.errors import GateError, MachineError, PsiError
from psi.intake import workbook
from psi.intake.workbook import WorkbookTable
from psi.terms import Key, KeyColumn
from tests import workbooks
from tests.gate_case import Gate, make_party, write_items
from tests.workbooks import Cell, Fault, sheet, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

DAY = datetime.date(1980, 2, 29)
MOMENT = datetime.datetime(2020, 1, 2, 3, 4, 5)
# What no XML can hold, and what the format writes otherwise, is no text of a cell.
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="_"), max_size=8
)


def book(folder: Path, rows: Sequence[Sequence[Cell]], **more: str) -> Path:
    return write(folder / "people.xlsx", {"People": sheet(rows), **more})


def rows_of(path: Path, formats: dict[str, str | None], *, sheet: str | None = None) -> list[tuple[str, ...]]:
    table = WorkbookTable(path, ",", wanted=list(formats), sheet=sheet)
    batches = list(table.batches(formats))
    assert batches[-1].done_bytes == table.total_bytes == path.stat().st_size
    return [row for batch in batches for row in batch.frame.select(list(formats)).iter_rows()]


def refusal(path: Path, kind: type[PsiError] = GateError, **options: str) -> PsiError:
    with pytest.raises(kind) as caught:
        WorkbookTable(path, ",", wanted=("tin",), sheet=options.get("sheet"))
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456789, "123456789"),
        (123456789012345, "123456789012345"),
        (1e20, "100000000000000000000"),
        (0.1, "0.1"),
        (1.5e-7, "0.00000015"),
        (100.0, "100"),
        ("00123", "00123"),
        (" a ", " a "),
        ("1980-02-29", "1980-02-29"),
        (DAY, "1980-02-29"),
        (datetime.datetime(1980, 2, 29), "1980-02-29"),
        (MOMENT, "2020-01-02 03:04:05"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ("", ""),
        (Fault("#N/A"), ""),
    ],
)
def test_cell_becomes_the_text_that_a_person_means(tmp_path: Path, value: Cell, text: str) -> None:
    # Beside cells of other kinds: a column has no type.
    path = book(tmp_path, [["tin", "b"], ["x", 1], [value, 1], [7, 1]])
    assert rows_of(path, {"tin": None}) == [("x",), (text,), ("7",)]


def test_day_takes_the_format_of_the_terms_and_a_text_stays(tmp_path: Path) -> None:
    path = book(tmp_path, [["tin", "dob"], [1, DAY], [2, "02/28/1981"], [3, MOMENT], [4, None]])
    assert rows_of(path, {"tin": None, "dob": "%m/%d/%Y"}) == [
        ("1", "02/29/1980"),
        ("2", "02/28/1981"),
        ("3", "2020-01-02 03:04:05"),
        ("4", ""),
    ]


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = book(tmp_path_factory.mktemp("book"), [["a", "b"], *rows, ["end", "x"]])
    assert rows_of(path, {"a": None, "b": None}) == [*rows, ("end", "x")]


def test_rows_between_are_counted_and_rows_before_the_header_are_not(tmp_path: Path) -> None:
    path = book(
        tmp_path,
        [[], [None, None, None], [None, "tin", "b"], [None, 1, 2], [], [None, 3, None], [None, None]],
    )
    assert rows_of(path, {"tin": None, "b": None}) == [("1", "2"), ("", ""), ("3", "")]


def test_sheet_of_the_terms_is_read_and_the_first_one_otherwise(tmp_path: Path) -> None:
    path = book(tmp_path, [["tin"], [1]], **{"Ä & B": sheet([["tin"], [2]])})
    assert rows_of(path, {"tin": None}) == [("1",)]
    assert rows_of(path, {"tin": None}, sheet="Ä & B") == [("2",)]
    assert refusal(path, sheet="C").message == "people.xlsx: no sheet 'C' among its 2"


HEADERS: dict[str, tuple[list[list[Cell]], str]] = {
    "merged": ([["tin", None, "b"], [1, 2, 3]], "column 2 has no name"),
    "twice": ([["tin", "b", "tin"], [1, 2, 3]], "columns 1 and 3 have the same name"),
    "missing": ([["number", "b"], [1, 2]], "no column 'tin' among its 2"),
    "alone": ([["tin", "b"]], "a header and no rows"),
    "empty": ([], "the sheet is empty"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_header_is_held_to_what_holds_for_every_file(tmp_path: Path, name: str) -> None:
    rows, fact = HEADERS[name]
    merged = '<mergeCells count="1"><mergeCell ref="A1:B1"/></mergeCells>' if name == "merged" else ""
    path = write(tmp_path / "people.xlsx", {"People": sheet(rows, more=merged)})
    assert refusal(path).message == f"people.xlsx: {fact}"


def cells(text: str) -> str:
    return f'<worksheet xmlns="{workbooks.NAMESPACE}"><sheetData>{text}</sheetData></worksheet>'


FIRST, FAR_ROW = '<row r="1"><c r="A1"><v>1</v></c></row>', '<row r="9">%s<v>1</v></c></row>'
FAR = {
    "a cell in the last corner": '<c r="XFD1048576">',
    "in small letters": '<c r="xfd1048576">',
    "below the format": '<c r="A1050000">',
    "far below it": '<c r="A2000000">',
    "beside the format": '<c r="XFE1">',
    "four letters": '<c r="AAAA1">',
    "so many letters that the number begins again": f'<c r="{"A" * 200}1">',
    "so many digits": '<c r="A99999999999">',
    "zeros before the number": f'<c r="A{"0" * 200}1048577">',
    "in single quotes": "<c r='XFD1048576'>",
    "with a blank": '<c r ="XFD1048576">',
    "with line breaks": '<c s="0"\nr\n\n=\t\t\n"XFD1048576">',
    "with many blanks": f'<c r{" " * 300}={" " * 300}"XFD1048576">',
}


@pytest.mark.parametrize("name", FAR)
def test_cell_far_away_is_refused_before_its_rectangle_takes_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(workbook, "_BLOCK_BYTES", 128)
    path = tmp_path / "people.xlsx"
    for before in range(0, 128, 5):  # in one block, in the next, and in both
        text = cells(" " * before + FIRST + FAR_ROW % FAR[name])
        write(path, {"People": text})
        message = refusal(path).message
        assert (
            message == "people.xlsx: the workbook is too large: xl/worksheets/sheet1.xml has cells far away"
        )


def test_row_far_away_counts_with_the_columns_of_another(tmp_path: Path) -> None:
    wide = '<row r="1"><c r="AB1"><v>1</v></c></row><row r="1048576"><c><v>1</v></c></row>'
    assert "far away" in refusal(write(tmp_path / "people.xlsx", {"People": cells(wide)})).message


def test_table_of_all_rows_with_columns_to_z_is_not_too_large(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    path = write(tmp_path / "people.xlsx", {"People": cells(f'<row r="1"><c r="A1"><v>1</v></c></row>{far}')})
    with path.open("rb") as stream:
        workbook._look_through(stream, path)


def test_archive_that_unpacks_to_too_much_is_refused_by_what_it_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MAX_UNPACKED_BYTES", 8 << 20)
    path = write(
        tmp_path / "people.xlsx", {"People": sheet([["tin"], [1]])}, further={"xl/media/a": " " * (9 << 20)}
    )
    assert path.stat().st_size < 20_000
    assert refusal(path).message == "people.xlsx: the workbook is too large: more than 8 MiB unpacked"


def test_archive_that_declares_less_than_it_unpacks_to_is_not_sound(tmp_path: Path) -> None:
    text = sheet([["tin"], ["x" * 100_000]])
    path = write(tmp_path / "people.xlsx", {"People": text})
    size = len(text).to_bytes(4, "little")
    content = path.read_bytes()
    assert content.count(size) == 2  # at the part, and in the list of parts
    path.write_bytes(content.replace(size, (50).to_bytes(4, "little")))
    assert refusal(path).message == "people.xlsx: not a sound workbook (.xlsx)"


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "a byte changed": lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
    "nothing behind the first bytes": lambda content: content[:4],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_workbook_gets_one_clear_message(tmp_path: Path, name: str) -> None:
    path = book(tmp_path, [["tin"], [1]])
    path.write_bytes(BROKEN[name](path.read_bytes()))
    assert refusal(path).message == "people.xlsx: not a sound workbook (.xlsx)"


def test_archive_of_another_kind_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    assert refusal(path).message == "people.xlsx: not a sound workbook (.xlsx)"


def test_sheet_that_is_no_xml_is_not_sound_and_not_quoted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "people.xlsx", {"People": cells('<row r="1"><c r="A1" t="s"><v>123-45</v></c><x')}
    )
    assert refusal(path).message == "people.xlsx: not a sound workbook (.xlsx)"


def test_workbook_with_a_password_is_told_from_a_broken_one(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    with pytest.raises(GateError, match="a workbook with a password, or of the old kind"):
        gate.run(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), name="people.xlsx")
    path = book(tmp_path, [["tin"], [1]])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # in the list of parts: the first is encrypted
    path.write_bytes(content)
    assert refusal(path).message == "people.xlsx: the workbook is encrypted"


def test_without_its_package_a_workbook_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "find_spec", lambda name: None)
    error = refusal(book(tmp_path, [["tin"], [1]]), MachineError)
    assert "pip install 'psi-overlap[xlsx]'" in str(error.hint)


PARTY = make_party(required=("tin",), rules=(), delimiter=";")
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


def test_matched_rows_of_a_workbook_are_the_texts_that_were_compared(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    rows: list[list[Cell]] = [
        ["tin", "row", "dob"],
        [123456789, 'a;"b"\n', DAY],
        [None, "gone", DAY],
        ["12-3456789", "ü", "02/29/1980"],
        [5, None, DAY],
    ]
    got = gate.run(book(tmp_path, rows), party=PARTY, key=KEY)
    assert (got.report.file, got.report.rows, got.report.rejected) == ("people.xlsx", 4, 1)
    assert gate.rejects == ["2,tin,missing"]
    path = write_items(got, [0], tmp_path / "matched.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream, delimiter=";")) == [
            ["row_1", "tin", "row", "dob"],
            ["1", "123456789", 'a;"b"\n', "02/29/1980"],
            ["3", "12-3456789", "ü", "02/29/1980"],
        ]
    again = gate.run(path, party=PARTY, key=KEY)
    assert again.items[0].digests.tolist() == got.items[0].digests[:1].tolist()
    assert (again.report.rows, again.report.passed, again.report.collapsed) == (2, 1, 1)
    nothing = write_items(got, [], tmp_path / "none.csv")
    assert nothing.read_text() == "row_1;tin;row;dob\n"


def test_matched_rows_of_a_workbook_name_their_key_where_there_are_several(tmp_path: Path) -> None:
    keys = (Key(name="all", columns=KEY), Key(name="tin; only", columns=KEY[:1]))
    path = book(tmp_path, [["tin", "dob"], [1, DAY], [2, None], [3, DAY]])
    got = Gate(tmp_path).run(path, party=make_party(required=(), rules=(), delimiter=";"), keys=keys)
    matched = [np.array([1], dtype=np.uint32), np.array([0, 1, 2], dtype=np.uint32)]
    written = intake.write_matched(got, intake.find_rows(got, matched), tmp_path / "matched.csv")
    assert written.read_text(encoding="utf-8").splitlines() == [
        "row;key;tin;dob",
        '1;"tin; only";1;02/29/1980',
        '2;"tin; only";2;""',
        "3;all;3;02/29/1980",
    ]


def test_workbook_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    got = Gate(tmp_path).run(book(tmp_path, [["tin", "dob"], [1, DAY]]), party=PARTY, key=KEY)
    book(tmp_path, [["tin", "dob"], [1, DAY], [2, DAY]])
    with pytest.raises(GateError, match="was changed"):
        write_items(got, [0], tmp_path / "matched.csv")
    assert not (tmp_path / "matched.csv").exists()
