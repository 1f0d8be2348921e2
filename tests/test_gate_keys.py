"""The gate under several keys: who has which, what is repeated, what is rejected, a key that nobody has."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import msgspec
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psi import intake
from psi.errors import GateError, LimitError
from psi.terms import ColumnRule
from tests.gate_case import Gate, make_party
from tests.keys_kit import NAME_AND_BIRTH, NUMBER, NUMBER_AND_ZIP, TIERS

if TYPE_CHECKING:
    from pathlib import Path

    from psi.terms import Key

HEADER = b"tin,last,dob,zip\n"
PARTY = make_party(required=(), rules=(ColumnRule(columns=("zip",), rule="zip/1"),))

Row = tuple[str, str, str, str]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def content(*rows: Row) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return HEADER + text.getvalue().encode()


def slow_forms(row: Row) -> dict[str, str]:
    """Return the compared form of each column of a row, empty where nothing is left."""
    tin, last, dob, place = row
    return {
        "tin": re.sub("[^0-9]", "", tin),
        "last": "".join(c for c in last.upper() if c.isascii() and c.isalnum()),
        "dob": dob if re.fullmatch(r"1980-0[1-9]-0[1-9]", dob) else "",
        "zip": re.sub("[^0-9]", "", place),
    }


def slow_keys(row: Row, keys: tuple[Key, ...]) -> list[tuple[str, ...] | None]:
    """Return the value of each key of a row, or ``None`` where it lacks the key."""
    forms = slow_forms(row)
    values = [tuple(forms[part.requester] for part in key.columns) for key in keys]
    return [value if all(value) else None for value in values]


def slow_faults(row: Row, keys: tuple[Key, ...]) -> dict[str, str]:
    """Return the faults of a row, by column."""
    columns = ("tin", "last", "dob", "zip")
    raw, forms = dict(zip(columns, row, strict=True)), slow_forms(row)
    asked = list(dict.fromkeys(part.requester for key in keys for part in key.columns))
    none = not any(slow_keys(row, keys))
    faults = {name: "missing" for name in asked if none and not raw[name].strip()}
    if raw["zip"].strip() and not re.fullmatch(r"\d{5}", raw["zip"]):
        faults["zip"] = "zip"
    return faults | {name: "empty-key" for name in asked if none and not forms[name] and name not in faults}


def order(faults: dict[str, str], keys: tuple[Key, ...]) -> list[tuple[str, str]]:
    asked = list(dict.fromkeys(part.requester for key in keys for part in key.columns))
    rank = ["missing", "zip", "empty-key"]
    return sorted(faults.items(), key=lambda fault: (rank.index(fault[1]), asked.index(fault[0])))


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["900010001", "900-01-0001", "900010002", "", " ", "none"]),
        st.sampled_from(["Lee", "LEE ", "Roe", "--", ""]),
        st.sampled_from(["1980-01-02", "1980-02-01", "unknown", "", "\t"]),
        st.sampled_from(["75201", "10001", "7520", "", " "]),
    ),
    min_size=1,
    max_size=30,
)


@given(
    rows=ROWS,
    keys=st.sampled_from([TIERS, TIERS[:2], (NAME_AND_BIRTH, NUMBER), (NUMBER_AND_ZIP,)]),
    chunk_bytes=st.sampled_from([1, 50, 1 << 20]),
)
@example(rows=[("900010001", "", "", ""), ("", "Lee", "1980-01-02", "")], keys=TIERS[:2], chunk_bytes=1)
def test_every_row_is_rejected_brings_something_new_or_repeats_what_it_has(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], keys: tuple[Key, ...], chunk_bytes: int
) -> None:
    gate = Gate(tmp_path_factory.mktemp("gate"))
    columns = {part.requester for key in keys for part in key.columns}
    rule = [ColumnRule(columns=("zip",), rule="zip/1")] if "zip" in columns else []
    party = msgspec.structs.replace(PARTY, rules=tuple(rule))
    rejects, seen, news = [], [dict[tuple[str, ...], int]() for _ in keys], 0
    having = [list[int]() for _ in keys]
    item_of_row = [list[int]() for _ in keys]
    for number, row in enumerate(rows):
        faults = slow_faults(row, keys)
        if "zip" not in columns:
            faults.pop("zip", None)
        if faults:
            names, reasons = zip(*order(faults, keys), strict=True)
            rejects.append(f"{number + 1},{';'.join(names)},{';'.join(reasons)}")
            continue
        new = False
        for place, value in enumerate(slow_keys(row, keys)):
            if value is not None:
                new |= value not in seen[place]
                having[place].append(number)
                item_of_row[place].append(seen[place].setdefault(value, len(seen[place])))
        news += new
    reports: list[intake.GateReport] = []
    if not all(having):
        expected = "none of" if len(rejects) == len(rows) else "no row has the key"
        with pytest.raises(GateError, match=expected):
            gate.run(
                content(*rows), party=party, keys=keys, chunk_bytes=chunk_bytes, on_report=reports.append
            )
    else:
        got = gate.run(
            content(*rows), party=party, keys=keys, chunk_bytes=chunk_bytes, on_report=reports.append
        )
        assert [items.rows.tolist() for items in got.items] == having
        assert [items.item_of_row.tolist() for items in got.items] == item_of_row
        firsts = [
            [place for place, item in zip(own, of, strict=True) if of.index(item) == own.index(place)]
            for own, of in zip(having, item_of_row, strict=True)
        ]
        assert [items.first_rows.tolist() for items in got.items] == firsts
    (report,) = reports
    assert gate.rejects == rejects
    assert (report.rows, report.passed, report.rejected) == (len(rows), news, len(rejects))
    assert report.passed + report.rejected + report.collapsed == report.rows
    assert report.items == max(map(len, seen))
    assert [(each.name, each.rows, each.items, each.collapsed) for each in report.keys] == [
        (key.name, len(own), len(distinct), len(own) - len(distinct))
        for key, own, distinct in zip(keys, having, seen, strict=True)
    ]
    assert [each.percent for each in report.keys] == [round(100 * len(own) / len(rows), 2) for own in having]


def test_row_may_lack_a_key_as_long_as_it_has_another(gate: Gate) -> None:
    got = gate.run(
        content(
            ("900010001", "Lee", "1980-01-02", "75201"),
            ("900010001", "", "", ""),
            ("", "Lee", "1980-01-02", ""),  # repeats what it has
            ("900010002", "Lee", "1980-01-02", "x"),  # a rule rejects what is there
            ("", "Lee", "", "75201"),  # no key
            ("none", "--", "1980-01-02", ""),  # nothing is left of two columns
        ),
        party=PARTY,
        keys=TIERS,
    )
    assert gate.rejects == [
        "4,zip,zip",
        "5,tin;dob,missing;missing",
        "6,zip;tin;last,missing;empty-key;empty-key",
    ]
    assert [items.rows.tolist() for items in got.items] == [[0], [0, 2], [0, 1]]
    assert (got.report.passed, got.report.rejected, got.report.collapsed) == (1, 3, 2)
    assert next((each.rule, each.reason) for each in got.report.rules) == ("key", "missing")
    assert got.report.document()["keys"] == [
        {"name": "number and zip", "rows": 1, "percent": 16.67, "items": 1, "collapsed": 0},
        {"name": "name and birth", "rows": 2, "percent": 33.33, "items": 1, "collapsed": 1},
        {"name": "number", "rows": 2, "percent": 33.33, "items": 1, "collapsed": 1},
    ]


def test_required_column_is_asked_of_every_row_whatever_keys_it_has(gate: Gate) -> None:
    gate.run(
        content(("900010001", "Lee", "1980-01-02", ""), ("", "Lee", "1980-01-02", "")),
        party=make_party(required=("tin",), rules=()),
        keys=(NAME_AND_BIRTH, NUMBER),
    )
    assert gate.rejects == ["2,tin,missing"]


def test_recipe_of_a_column_in_two_keys_is_counted_once(gate: Gate) -> None:
    report = gate.run(content(("900-01-0001", "Lee", "1980-01-02", "75201")), party=PARTY, keys=TIERS).report
    assert [(each.column, each.changed) for each in report.recipes] == [
        ("tin", 1),
        ("zip", 0),
        ("last", 1),
        ("dob", 0),
    ]


def test_key_that_no_row_has_is_refused_with_its_name(gate: Gate) -> None:
    rows = content(("900010001", "", "", "75201"), ("900010002", "Lee", "", ""))
    reports: list[intake.GateReport] = []
    with pytest.raises(GateError) as raised:
        gate.run(rows, party=PARTY, keys=TIERS, on_report=reports.append)
    assert raised.value.message == "requests.csv: no row has the key 'name and birth'"
    assert "without this key" in str(raised.value.hint)
    assert [each.rows for each in reports[0].keys] == [1, 0, 2]


def test_column_of_a_key_that_the_file_lacks_is_refused(gate: Gate) -> None:
    with pytest.raises(GateError, match="no column 'dob' among its 3"):
        gate.run(b"tin,last,zip\n1,2,3\n", party=PARTY, keys=TIERS)


def test_limit_holds_for_each_key(gate: Gate) -> None:
    report = gate.run(
        content(*(("900010001", f"N{n}", "1980-01-02", "75201") for n in range(4))), party=PARTY, keys=TIERS
    ).report
    assert report.items == 4
    intake.check_limit(report, msgspec.structs.replace(PARTY, max_items=4), "requester")
    with pytest.raises(LimitError) as raised:
        intake.check_limit(report, msgspec.structs.replace(PARTY, max_items=3), "requester")
    assert raised.value.message == (
        "requests.csv has 4 different people by the key 'name and birth', and the terms allow the requester 3"
    )


def test_parquet_has_the_same_keys_as_the_text(gate: Gate, tmp_path: Path) -> None:
    rows = [
        ("900010001", "Lee", "1980-01-02", "75201"),
        ("", "Roe", "1980-01-02", ""),
        ("900010001", "", "", ""),
    ]
    text = gate.run(content(*rows), party=PARTY, keys=TIERS)
    frame = pl.DataFrame(rows, schema=["tin", "last", "dob", "zip"], orient="row")
    frame.with_columns(pl.all().replace({"": None})).write_parquet(tmp_path / "requests.parquet")
    table = gate.run(tmp_path / "requests.parquet", party=PARTY, keys=TIERS)
    assert [own.digests.tobytes() for own in text.items] == [own.digests.tobytes() for own in table.items]
    assert [own.rows.tolist() for own in text.items] == [own.rows.tolist() for own in table.items]
