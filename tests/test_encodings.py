"""CSV in other encodings: the rows that UTF-8 gives, their own bytes in what matched, faults by row and column."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi.errors import GateError
from psi.intake import reader
from psi.terms import Encoding, KeyColumn
from tests.gate_case import Gate, make_party, write_items
from tests.test_reader import CHUNKS, read, refusal

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
CODECS = {"windows-1252": "cp1252", "utf-16": "utf-16-le"}
MARKS = {"utf-16": b"\xff\xfe"}
# Of one, two, three and four bytes in UTF-8, and what every encoding here has.
COMMON = 'aé,"\n\r ;ÿ\xa0'
WIDE = COMMON + "€Ω漢\ufeff\U0001f600\U0010ffff\ud7ff\ue000"


def encoded(text: str, encoding: str) -> bytes:
    return MARKS.get(encoding, b"") + text.encode(CODECS.get(encoding, encoding))


def fields_of(encoding: str) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(WIDE if encoding.startswith("utf") else COMMON), max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Encoding, list[tuple[str, str, str]]]:
    encoding = draw(st.sampled_from(ENCODINGS))
    field = fields_of(encoding)
    return encoding, draw(st.lists(st.tuples(field, field, field), min_size=1, max_size=12))


def as_csv(rows: list[tuple[str, ...]], header: tuple[str, ...], line_end: str) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=line_end).writerows([header, *rows])
    return text.getvalue()


@given(table=tables(), chunk_bytes=st.sampled_from(CHUNKS), line_end=st.sampled_from(["\n", "\r\n"]))
def test_a_text_in_any_encoding_gives_the_rows_that_it_gives_in_utf_8(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[Encoding, list[tuple[str, str, str]]],
    chunk_bytes: int,
    line_end: str,
) -> None:
    encoding, rows = table
    text = as_csv(list(rows), ("a", "b", "c"), line_end)
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    path.write_bytes(text.encode())
    expected = read(path)
    path.write_bytes(encoded(text, encoding))
    assert read(path, encoding=encoding, chunk_bytes=chunk_bytes) == expected == rows


@given(table=tables(), data=st.data(), chunk_bytes=st.sampled_from([1, 7, 1 << 20]))
def test_matched_rows_keep_their_bytes_in_their_encoding(
    tmp_path_factory: pytest.TempPathFactory,
    table: tuple[Encoding, list[tuple[str, str, str]]],
    data: st.DataObject,
    chunk_bytes: int,
) -> None:
    encoding, rows = table
    gate = Gate(tmp_path_factory.mktemp("matched"))
    numbered = [(str(number), *row[1:]) for number, row in enumerate(rows)]
    text = as_csv(numbered, ("tin", "b", "ç"), "\r\n")
    got = gate.run(
        encoded(text, encoding),
        party=make_party(required=("tin",), rules=(), encoding=encoding),
        key=(KeyColumn(name="tin", requester="tin", holder="tin", recipe="digits/1"),),
        chunk_bytes=chunk_bytes,
    )
    wanted = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1))))
    path = write_items(got, wanted, gate.folder / "matched.csv")
    header = as_csv([], ("tin", "b", "ç"), "\r\n")
    lines = [f"{number + 1}," + as_csv([], numbered[number], "\r\n") for number in wanted]
    assert path.read_bytes() == encoded("".join([f"row,{header}", *lines]), encoding)


@pytest.mark.parametrize("byte", [0x81, 0x8D, 0x8F, 0x90, 0x9D])
def test_byte_that_windows_1252_does_not_have_is_named_by_row_and_column(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b'a,b,c\n\xe9,"\x80\n",3\n1,2,%c\n' % byte)
    for chunk_bytes in CHUNKS:
        error = refusal(path, encoding="windows-1252", chunk_bytes=chunk_bytes)
        assert error.message == "file.csv: row 2, column 3: not windows-1252"
        assert "encoding" in str(error.hint)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"1\0,\0" + b"\x00\xd8" + b",\0003\0\n\0", "row 1, column 2"),  # a high surrogate alone
        (b"1\0,\0" + b"\x00\xdc" + b",\0003\0\n\0", "row 1, column 2"),  # a low one
        (b"1\0,\0002\0,\0003\0\n\0004\0,\0005\0,\0006\0\n", "row 2, column 3"),  # half a character at the end
        (b"1\0,\0002\0,\0003\0\n\0004\0,\0005\0,\0\x00\xd8", "row 2, column 3"),  # half a pair at the end
    ],
)
def test_half_a_character_of_utf_16_is_named_by_row_and_column(
    tmp_path: Path, text: bytes, where: str
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("a,b,c\n".encode("utf-16") + text)
    for chunk_bytes in CHUNKS:
        assert where in refusal(path, encoding="utf-16", chunk_bytes=chunk_bytes).message


OTHERS = {
    "UTF-8 with a mark": ("windows-1252", "a,b,c\né,2,3\n".encode("utf-8-sig"), "those of UTF-8", '"utf-8"'),
    "UTF-8 and no UTF-16": ("utf-16", b"a,b,c\n1,2,3\n", "the file is not UTF-16", '"utf-8"'),
    "the other order": ("utf-16-be", "a,b,c\n".encode("utf-16"), "those of UTF-16-LE", '"utf-16-le"'),
    "no mark": ("utf-16", "a,b,c\n".encode("utf-16-be"), "no byte order mark", '"utf-16-be"'),
    "UTF-16 and no Latin-1": ("latin-1", "a,b,c\n".encode("utf-16"), "UTF-16 or UTF-32", '"utf-16"'),
    "UTF-32 and no UTF-16": ("utf-16-le", "a,b,c\n".encode("utf-32"), "UTF-16 or UTF-32", "iconv"),
    "header": ("windows-1252", b"a,b,c\x81\n1,2,3\n", "the header is not windows-1252", "encoding"),
    "empty": ("utf-16", b"", "the file is empty", "export"),
    "only a mark": ("utf-16", b"\xff\xfe", "the file is empty", "export"),
    "NUL": ("utf-16-le", "a,b,c\n1,\0,3\n".encode("utf-16-le"), "row 1, column 2: a NUL byte", "UTF-8"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_file_in_another_encoding_than_the_terms_say_is_refused_with_a_hint(
    tmp_path: Path, name: str
) -> None:
    encoding, content, fact, hint = OTHERS[name]
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    error = refusal(path, encoding=encoding)
    assert fact in error.message
    assert hint in str(error.hint)


def test_mark_of_the_order_that_the_terms_name_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes("a,b,c\n1,2,€\n".encode("utf-16"))
    assert read(path, encoding="utf-16-le") == [("1", "2", "€")]
    path.write_bytes(b"\xfe\xff" + "a,b,c\n1,2,€\n".encode("utf-16-be"))
    assert read(path, encoding="utf-16") == [("1", "2", "€")]


def test_header_longer_than_what_is_looked_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_HEADER_BYTES", 10)
    path = tmp_path / "file.csv"
    path.write_bytes("a,\U0001f600,c\n1,2,3\n".encode("utf-16-le"))
    with pytest.raises(GateError, match="longer than 10 bytes"):
        read(path, encoding="utf-16-le")
