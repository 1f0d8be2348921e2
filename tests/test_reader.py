"""CSV files: what is read equals Python's csv module, what is refused is named by row and column number."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psi import _core
from psi.errors import GateError, MachineError, PsiError, UsageError
from psi.intake import framing, reader

CHUNKS = [1, 2, 3, 5, 7, 16, 64, 1 << 20]
HEADER = b"a,b,c\n"


def read(
    path: Path,
    *,
    chunk_bytes: int = 1 << 20,
    names: tuple[str, ...] = ("a", "b", "c"),
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> list[tuple[str, ...]]:
    table = reader.CsvTable(path, delimiter, wanted=names, encoding=encoding, chunk_bytes=chunk_bytes)
    batches = list(table.batches(dict.fromkeys(names)))
    assert batches[-1].done_bytes == table.total_bytes == path.stat().st_size
    content = path.read_bytes()
    rows = [row for batch in batches for row in batch.frame.select(names).iter_rows()]
    records = [content[start:end] for start, end in zip(table.offsets, table.offsets[1:], strict=False)]
    assert len(records) == len(rows)
    assert table.encoding.mark + table.header + b"".join(records) == content
    return rows


def refusal(path: Path, **options: object) -> GateError:
    with pytest.raises(GateError) as caught:
        read(path, **options)  # type: ignore[arg-type]
    assert caught.value.hint
    assert path.name in caught.value.message
    return caught.value


class NotCsvError(Exception):
    """Stand for the number of the first row that is not one."""


def slow_rows(content: bytes, *, columns: int) -> list[tuple[str, ...]]:
    """Read the rows of a file without header, byte by byte, or raise `NotCsvError` with the first row at fault."""
    rows: list[tuple[str, ...]] = []
    at = 0

    def require(holds: bool) -> None:
        if not holds:
            raise NotCsvError(len(rows) + 1)

    def line_end() -> int:
        return next((len(end) for end in (b"\r\n", b"\n") if content.startswith(end, at)), 0)

    while at < len(content):
        fields: list[bytes] = []
        require(line_end() == 0)  # a blank line
        while True:
            field = b""
            if content.startswith(b'"', at):
                at += 1
                while True:
                    end = content.find(b'"', at)
                    require(end >= 0)
                    field += content[at:end]
                    at = end + 1
                    if not content.startswith(b'"', at):
                        break
                    field += b'"'
                    at += 1
            else:
                while at < len(content) and not line_end() and content[at : at + 1] != b",":
                    require(content[at : at + 1] not in (b'"', b"\r"))
                    field += content[at : at + 1]
                    at += 1
            fields.append(field)
            if content.startswith(b",", at):
                at += 1
                continue
            require(line_end() > 0 or at == len(content))
            at += line_end()
            break
        require(len(fields) == columns)
        require(b"\0" not in b"".join(fields))
        try:
            rows.append(tuple(field.decode() for field in fields))
        except UnicodeDecodeError:
            raise NotCsvError(len(rows) + 1) from None
    return rows


PIECES = st.sampled_from(
    [b"x", b",", b",", b",", b"\n", b"\n", b"\r\n", b"\r", b'"', b'""', b"\xc3\xa9", b"\xe9", b"\0", b" "]
)
FIELDS = st.text(st.sampled_from('aé,"\n\r ;\t\ufeff#'), max_size=6)


@given(pieces=st.lists(PIECES, max_size=25), chunk_bytes=st.sampled_from(CHUNKS))
def test_reader_takes_and_refuses_what_a_slow_reader_does(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], chunk_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    content = b"".join(pieces)
    path.write_bytes(b"a,b\n" + content)
    expected: list[tuple[str, ...]] = []
    fault = 0
    try:
        expected = slow_rows(content, columns=2)
    except NotCsvError as found:
        (fault,) = found.args
    if fault:
        message = refusal(path, chunk_bytes=chunk_bytes, names=("a", "b")).message
        assert re.match(rf"file\.csv: row {fault}\b", message)
        return
    if not expected:
        assert "no rows" in refusal(path, chunk_bytes=chunk_bytes, names=("a", "b")).message
        return
    assert read(path, chunk_bytes=chunk_bytes, names=("a", "b")) == expected


@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS), min_size=1, max_size=20),
    line_ends=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=1, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
    chunk_bytes=st.sampled_from(CHUNKS),
    last_line_ends=st.booleans(),
    mark=st.booleans(),
)
def test_reader_equals_the_csv_module(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    line_ends: list[str],
    delimiter: str,
    chunk_bytes: int,
    last_line_ends: bool,
    mark: bool,
) -> None:
    text = io.StringIO(newline="")
    # Before Python 3.13 the writer leaves a carriage return without quotes, which no reader gives back.
    quote_all = any("\r" in field for row in rows for field in row)
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    for number, row in enumerate([("a", "b", "c"), *rows]):
        csv.writer(
            text, delimiter=delimiter, quoting=quoting, lineterminator=line_ends[number % len(line_ends)]
        ).writerow(row)
    content = text.getvalue().encode()
    if not last_line_ends:
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    path.write_bytes(b"\xef\xbb\xbf" * mark + content)
    expected = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))[1:]
    assert (
        read(path, chunk_bytes=chunk_bytes, delimiter=delimiter) == [tuple(row) for row in expected] == rows
    )


@given(pieces=st.lists(PIECES, max_size=25), final=st.booleans())
def test_the_core_frames_a_block_as_the_closer_look_does(pieces: list[bytes], final: bool) -> None:
    block, layout = b"".join(pieces), framing.Layout("file.csv", ord(","), 2)
    found: list[list[int] | str] = []
    for look in (framing.record_ends, framing.looked_at_closely):
        try:
            found.append(look(block, layout, first_row=1, final=final).tolist())
        except GateError as error:
            found.append(error.message)
    assert found[0] == found[1]


def test_sound_blocks_are_framed_by_the_core_alone() -> None:
    for block, ends in {
        b"": [],
        b"a": [],
        b'a,"b': [],
        b"a,b\nc,d": [4],
        b"a,b\r\n,\r\n": [5, 8],
        b'"a","b"\n"","""\n,"\n': [8, 18],
        '"é\r\n",ü\r\nx,"y"'.encode(): [11],
    }.items():
        assert _core.record_ends(block, delimiter=ord(","), columns=2).tolist() == ends, block
    for block in (b"a\n", b"a,b,c\n", b"\n", b'a,b"\n', b'"a"b,c\n', b"a,b\rc\n", b"a,\0\n", b"a,\xff\n"):
        assert _core.record_ends(block, delimiter=ord(","), columns=2) is None, block


def test_every_cut_of_a_file_into_chunks_gives_the_same_rows(tmp_path: Path) -> None:
    # With these sizes a chunk ends in a quoted field, between CR and LF, between two quotes, within a character.
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + '1,"x ""y"",\r\n\n",ü\r\n"","é€",\n"\ufeff",😀,"""\n"\r\n'.encode())
    expected = [("1", 'x "y",\r\n\n', "ü"), ("", "é€", ""), ("\ufeff", "😀", '"\n')]
    for chunk_bytes in range(1, path.stat().st_size + 2):
        assert read(path, chunk_bytes=chunk_bytes) == expected


def test_quoted_line_breaks_are_read_right_in_blocks_that_the_table_library_splits(tmp_path: Path) -> None:
    # Megabytes of quoted line breaks and delimiters: a reader on several threads that guesses where rows begin fails.
    path = tmp_path / "file.csv"
    rows = [(str(n), "\n1,2,3\n" * (n % 50), 'x","y\n' if n % 3 else "") for n in range(30_000)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("a", "b", "c"), *rows])
    assert path.stat().st_size > 4 << 20
    assert read(path, chunk_bytes=4 << 20) == rows


def test_a_character_like_a_byte_order_mark_at_the_begin_of_a_block_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + "\ufeff1,2,3\n".encode() * 3)
    assert read(path, chunk_bytes=9) == [("\ufeff1", "2", "3")] * 3


def test_a_field_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b'1,"' + b"x\n" * 5_000_000 + b'",3\n4,5,6\n')
    (first, second) = read(path, chunk_bytes=1 << 20)
    assert (first[0], len(first[1]), first[2]) == ("1", 10_000_000, "3")
    assert second == ("4", "5", "6")


def test_a_quote_that_is_never_closed_is_refused_before_the_file_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_RECORD_BYTES", 1000)
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b'1,2,3\n4,"5,6\n' + b"7,8,9\n" * 10_000)
    assert "row 2 is longer than 1000 bytes" in refusal(path, chunk_bytes=100).message


@pytest.mark.parametrize("columns", [1, 2])
def test_files_of_few_columns_are_read(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "file.csv"
    names = ("a", "b")[:columns]
    path.write_text(
        "\n".join([",".join(names), *[",".join("x" * columns)] * 3, '""' + ',""' * (columns - 1)])
    )
    assert read(path, names=names) == [("x",) * columns] * 3 + [("",) * columns]


FAULTS = {
    "empty": (b"", "the file is empty", "export it again"),
    "only a byte order mark": (b"\xef\xbb\xbf", "the file is empty", "export it again"),
    "only blanks": (b" \r\n\n", "the file is empty", "export it again"),
    "blank first line": (b"\na,b,c\n1,2,3\n", "the first line is blank", "first row"),
    "header only": (b"a,b,c\n", "a header and no rows", "with its rows"),
    "header without line end": (b"a,b,c", "a header and no rows", "with its rows"),
    "UTF-16 with mark": (
        "a,b,c\n1,2,3\n".encode("utf-16"),
        "the file is UTF-16 or UTF-32",
        'encoding = "utf-16"',
    ),
    "UTF-16 without mark": (
        "a,b,c\n1,2,3\n".encode("utf-16-le"),
        "the file is UTF-16 or UTF-32",
        'encoding = "utf-16-le"',
    ),
    "UTF-16 without mark, the other way round": (
        "a,b,c\n1,2,3\n".encode("utf-16-be"),
        "the file is UTF-16 or UTF-32",
        'encoding = "utf-16-be"',
    ),
    "UTF-32": ("a,b,c\n1,2,3\n".encode("utf-32-be"), "the file is UTF-16 or UTF-32", "iconv -f utf-32"),
    "UTF-32, the other way round": (
        "a,b,c\n1,2,3\n".encode("utf-32-le"),
        "the file is UTF-16 or UTF-32",
        "iconv -f utf-32",
    ),
    "latin-1 in a row": (
        HEADER + b"1,2,3\n4,caf\xe9,6\n",
        "row 2, column 2: not UTF-8",
        'encoding = "windows-1252"',
    ),
    "latin-1 in the header": (
        b"a,b,c\xe9\n1,2,3\n",
        "the header is not UTF-8",
        'encoding = "windows-1252"',
    ),
    "neither UTF-8 nor windows-1252": (
        HEADER + b"1,\x81,3\n",
        "row 1, column 2: not UTF-8",
        "not windows-1252 either",
    ),
    "cut character": (HEADER + b"1,2,\xc3\n", "row 1, column 3: not UTF-8", "windows-1252"),
    "surrogate": (HEADER + b"1,\xed\xa0\x80,3\n", "row 1, column 2: not UTF-8", "windows-1252"),
    "semicolons": (b"a;b;c\n1;2;3\n", "no column 'a' among its 1", "a semicolon, and the terms say a comma"),
    "tabs": (b"a\tb\tc\n1\t2\t3\n", "no column 'a' among its 1", "a tab, and the terms say a comma"),
    "no header": (
        b"17,name,x\n18,name,y\n",
        "no column 'a' among its 3",
        "the first row must name the columns",
    ),
    "missing column": (b"a,b,d\n1,2,3\n", "no column 'c' among its 3", "the first row must name"),
    "almost the column": (b"a,b, C \n1,2,3\n", "no column 'c' among its 3", "column 3 is called almost so"),
    "duplicate header": (b"a,b,a,c\n1,2,3,4\n", "columns 1 and 3 have the same name", "rename"),
    "blank header cell": (b"a,b,c,\n1,2,3,4\n", "column 4 has no name", "give it one"),
    "NUL in the header": (b"a,b,c\0\n1,2,3\n", "a NUL byte in the header", "UTF-8"),
    "stray quote in the header": (b'a,b"x",c\n1,2,3\n', "the header has a quote", "in quotes as a whole"),
    "line break in a quoted header": (b'a,b,"c\n1,2,3\n', "the header has a quote", "in quotes as a whole"),
    "NUL": (HEADER + b"1,2,3\n4,\x005,6\n", "row 2, column 2: a NUL byte", "UTF-8"),
    "old Mac line ends": (b"a,b,c\r1,2,3\r4,5,6\r", "a carriage return without a line feed", "tr "),
    "bare CR": (
        HEADER + b"1,2,3\n4,5\r,6\n",
        "row 2, column 2: a carriage return without a line feed",
        "tr ",
    ),
    "bare CR at the end": (HEADER + b"1,2,3\r", "row 1, column 3: a carriage return without", "tr "),
    "long row": (
        HEADER + b"1,2,3\n4,5,6,7\n8,9,10\n",
        "row 2 has 4 fields, and the header has 3",
        "in quotes",
    ),
    "short row": (HEADER + b"1,2,3\n4,5\n6,7,8,9\n", "row 2 has 2 fields, and the header has 3", "in quotes"),
    "short last row": (HEADER + b"1,2,3\n4", "row 2 has 1 field, and the header has 3", "in quotes"),
    "blank line": (HEADER + b"1,2,3\n\n4,5,6\n", "row 2 is a blank line", "remove blank lines"),
    "blank line at the end": (HEADER + b"1,2,3\r\n\r\n", "row 2 is a blank line", "at the end of the file"),
    "quote in a field": (HEADER + b'1,2"x,3\n', "row 1, column 2: a quote where none can be", "as a whole"),
    "text after a quote": (
        HEADER + b'1,"2"x,3\n',
        "row 1, column 2: a quote where none can be",
        "as a whole",
    ),
    "blank before a quote": (
        HEADER + b'1, "2",3\n',
        "row 1, column 2: a quote where none can be",
        "as a whole",
    ),
    "quote never closed": (
        HEADER + b'1,2,3\n4,"5,6\n7,8,9\n',
        "row 2, column 2: a quote where none",
        "as a whole",
    ),
    "quote closed rows later": (
        HEADER + b'1,"2,3\n4,5,6\n7,"8",9\n',
        "row 1, column 2: a quote where",
        "as a whole",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_named_by_row_and_column_with_a_hint_and_no_value(tmp_path: Path, name: str) -> None:
    content, fact, hint = FAULTS[name]
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    for chunk_bytes in CHUNKS:
        error = refusal(path, chunk_bytes=chunk_bytes)
        assert error.message.startswith(f"file.csv: {fact}")
        assert hint in str(error.hint)
        assert "name" not in error.message.replace("no name", "").replace("the same name", "")


def test_missing_file_folder_and_pipe_are_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        read(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is a folder"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):  # nobody writes to it, and nobody waits
        read(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(UsageError, match="not a regular file"):
            read(tmp_path / "pipe")
    finally:
        os.close(descriptor)


def test_unreadable_file_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b"1,2,3\n")

    def refuse(name: str, flags: int) -> int:  # the tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(MachineError, match="cannot read .*: permission denied"):
        read(path)


def test_disk_that_fails_halfway_is_the_machines_fault(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b"1,2,3\n")
    table = reader.CsvTable(path, ",", wanted=("a",))
    with pytest.raises(MachineError, match="input/output error"):
        next(table._parsed(Failing(), [0]))


def test_file_that_changes_between_two_looks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b"1,2,3\n")
    table = reader.CsvTable(path, ",", wanted=("a",))
    path.write_bytes(HEADER + b"1,2,3\n4,5,6\n")
    with pytest.raises(GateError, match="was changed"):
        list(table.batches({"a": None}))


def test_disagreement_of_the_table_library_is_our_fault_and_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(HEADER + b"secret,2,3\n")

    def complain(*_: object, **__: object) -> pl.DataFrame:
        raise pl.exceptions.ComputeError("could not parse `secret`")

    monkeypatch.setattr(pl, "read_csv", complain)
    with pytest.raises(PsiError, match="the table library differs on rows 1 to 1") as caught:
        read(path)
    assert caught.value.__cause__ is None
    assert "secret" not in str(caught.value)
