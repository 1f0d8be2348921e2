"""The gate: what is rejected and why, what becomes an item, and that every row is accounted for."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import re
import stat
import unicodedata
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psi import intake
from psi.errors import GateError, MachineError
from psi.intake import GateReport
from psi.intake.output import whole_file
from psi.terms import ColumnRule, KeyColumn, Party
from tests.gate_case import KEY, RULES, Gate, make_party, one

HEADER = b"id,tin,last,dob\n"


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def slow_gate(rows: list[tuple[str, str, str, str]]) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Return the lines of rejects.csv and the keys of the rows that remain, as the terms of these tests say."""
    rejects, keys = [], []
    for number, (_, tin, last, dob) in enumerate(rows, start=1):
        faults = [
            (name, "missing")
            for name, value in (("tin", tin), ("last", last), ("dob", dob))
            if not value.strip()
        ]
        if tin.strip() and not re.fullmatch(
            r"\d{9}|\d{3}-\d\d-\d{4}|\d{3} \d\d \d{4}|\d\d-\d{7}|\d\d \d{7}", tin, re.ASCII
        ):
            faults.append(("tin", "tax-number"))
        try:
            if dob.strip() and datetime.date.fromisoformat(dob).isoformat() != dob:
                faults.append(("dob", "date"))
        except ValueError:
            faults.append(("dob", "date"))
        name = "".join(
            c for c in unicodedata.normalize("NFKD", last).upper() if unicodedata.category(c)[0] in "LN"
        )
        if last.strip() and not name:
            faults.append(("last", "empty-key"))
        if faults:
            columns, reasons = zip(*faults, strict=True)
            rejects.append(f"{number},{';'.join(columns)},{';'.join(reasons)}")
        else:
            keys.append((re.sub("[^0-9]", "", tin), name, dob))
    return rejects, keys


def make_csv(rows: list[tuple[str, str, str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return HEADER + text.getvalue().encode()


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2"]),
        st.sampled_from(
            ["900010001", "900-01-0001", "90 0010002", "", " ", "12345678", "900010001 ", "\uff1900010001"]
        ),
        st.sampled_from(["Garcia", "GARCÍA ", "Núñez", "---", "", "\u00a0", "'", "é\n"]),
        st.sampled_from(["1980-02-29", "1981-02-29", "1980-2-29", "", "\t", "1980-02-28"]),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS, chunk_bytes=st.sampled_from([1, 50, 1 << 20]))
@example(rows=[("1", "", "---", "unknown")], chunk_bytes=1)
def test_every_row_is_rejected_with_its_reasons_or_becomes_an_item_or_repeats_one(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]], chunk_bytes: int
) -> None:
    gate = Gate(tmp_path_factory.mktemp("gate"))
    rejects, keys = slow_gate(rows)
    if not keys:
        with pytest.raises(GateError, match=f"none of {len(rows)} rows passed the gate"):
            gate.run(make_csv(rows), chunk_bytes=chunk_bytes)
        assert gate.rejects == rejects
        return
    got = gate.run(make_csv(rows), chunk_bytes=chunk_bytes)
    report, distinct = got.report, list(dict.fromkeys(keys))
    assert gate.rejects == rejects
    assert (report.rows, report.rejected, report.items) == (len(rows), len(rejects), len(distinct))
    assert report.passed + report.rejected + report.collapsed == report.rows
    assert got.items[0].item_of_row.tolist() == [distinct.index(key) for key in keys]
    reasons = [set(line.split(",")[2].split(";")) for line in rejects]
    assert report.reasons == {
        code: sum(code in row for row in reasons)
        for code in sorted({code for row in reasons for code in row})
    }


def test_reject_names_all_columns_at_fault_and_a_reason_for_each(gate: Gate) -> None:
    content = HEADER + b"1,12,,1980-13-01\n2,900010001,Lee,1980-01-01\n3,900010001,---,1980-01-01\n"
    report = gate.run(content).report
    assert gate.rejects == ["1,last;tin;dob,missing;tax-number;date", "3,last,empty-key"]
    assert report.reasons == {"date": 1, "empty-key": 1, "missing": 1, "tax-number": 1}
    assert (report.rows, report.passed, report.rejected, report.collapsed) == (3, 1, 2, 0)


def test_a_date_of_the_key_in_another_format_is_rejected_without_a_rule(gate: Gate) -> None:
    content = HEADER + b"1,900010001,Lee,01/02/1980\n2,900010001,Lee,1980-01-02\n"
    gate.run(content, party=make_party(rules=()))
    assert gate.rejects == ["1,dob,empty-key"]


def test_a_rule_on_a_column_that_may_be_empty_judges_the_values_that_are_there(gate: Gate) -> None:
    party = make_party(rules=(*RULES, ColumnRule(columns=("id",), rule="tax-number/1")))
    gate.run(HEADER + b",900010001,Lee,1980-01-02\n7,900010001,Lee,1980-01-02\n", party=party)
    assert gate.rejects == ["2,id,tax-number"]


def test_report_counts_what_each_recipe_changed_in_the_rows_that_passed(gate: Gate) -> None:
    content = HEADER + b"1,900-01-0001,LEE,1980-01-02\n2,900010001,Lee,1980-01-02\n3,1-2-3,Lee,1980-01-02\n"
    document = gate.run(content).report.document()
    assert document == {
        "schema": "psi/gate/1",
        "file": "requests.csv",
        "rows": 3,
        "passed": 1,
        "rejected": 1,
        "collapsed": 1,
        "items": 1,
        "reasons": {"tax-number": 1},
        "recipes": [
            {"column": "tin", "recipe": "digits/1", "changed": 1},
            {"column": "last", "recipe": "nfkd-upper-alnum/1", "changed": 1},
            {"column": "dob", "recipe": "date-iso/1", "changed": 0},
        ],
        "rules": [{"column": "tin", "rule": "tax-number/1", "reason": "tax-number", "rejected": 1}],
        "keys": [{"name": "key", "rows": 2, "percent": 66.67, "items": 1, "collapsed": 1}],
    }
    assert json.loads(json.dumps(document)) == document


PLACE = b"id,street,state,zip,dob,order\n"
PLACE_KEY = (KeyColumn(name="street", requester="street", holder="street", recipe="address-usps/1"),)
PLACE_RULES = (
    ColumnRule(rule="not-placeholder/1", columns=("street", "id")),
    ColumnRule(rule="street/1", columns=("street",)),
    ColumnRule(rule="state/1", columns=("state",)),
    ColumnRule(rule="zip/1", columns=("zip",)),
    ColumnRule(rule="zip-in-state/1", columns=("zip", "state")),
    ColumnRule(rule="date-order/1", columns=("dob", "order"), format="%Y-%m-%d"),
)


def place_party(**changes: object) -> Party:
    party = make_party(required=("street", "zip"), rules=PLACE_RULES)
    return msgspec.structs.replace(party, **changes)


def test_of_several_faults_of_a_value_the_first_of_the_terms_is_told(gate: Gate) -> None:
    content = (
        b"1,12 Main St,TX,75201,1980-01-01,2020-01-01\n"  # sound
        b"2,Unknown 5,TX,99999,1980-01-01,2020-01-01\n"  # neither is asked about its state or its number
        b"3,Main St,NY,75201,2020-01-01,2020-01-01\n"
        b"4,12 Main St,ZZ,75201,,\n"  # of a state that is none nothing follows for the ZIP code
        b"n/a,,,,1980-01-01,\n"  # what may be missing is not judged
        b",12 Main St,,75201,1980-01-01,\n"
    )
    report = gate.run(PLACE + content, party=place_party(), key=PLACE_KEY).report
    assert gate.rejects == [
        "2,street;zip,placeholder;zip",
        "3,street;zip;dob,street;zip-state;date-order",
        "4,state,state",
        "5,street;zip;id,missing;missing;placeholder",
    ]
    assert (report.passed, report.rejected, report.collapsed) == (1, 4, 1)
    assert [(effect.column, effect.rule, effect.rejected) for effect in report.rules] == [
        ("street", "required", 1),
        ("zip", "required", 1),
        ("street", "not-placeholder/1", 1),
        ("id", "not-placeholder/1", 1),
        ("street", "street/1", 1),
        ("state", "state/1", 1),
        ("zip", "zip/1", 1),
        ("zip", "zip-in-state/1", 1),
        ("dob", "date-order/1", 1),
    ]


def test_share_of_rejects_above_the_terms_stops_and_leaves_report_and_rejects(gate: Gate) -> None:
    content = PLACE + b"1,12 Main St,TX,75201,,\n" * 96 + b"2,Same,TX,75201,,\n" * 4
    assert gate.run(content, party=place_party(max_rejected_percent=4), key=PLACE_KEY).report.rejected == 4
    reports: list[GateReport] = []
    with pytest.raises(
        GateError, match=r"5 of 101 rows were rejected \(5\.0 %\), and the terms allow 4 %"
    ) as caught:
        gate.run(
            content + b"3,None,TX,75201,,\n",
            party=place_party(max_rejected_percent=4),
            key=PLACE_KEY,
            on_report=reports.append,
        )
    assert "rejects.csv has the reasons" in str(caught.value.hint)
    assert len(gate.rejects) == reports[0].rejected == 5
    with pytest.raises(GateError, match=r"1 of 2 rows were rejected \(50\.0 %\), and the terms allow 0 %"):
        gate.run(
            PLACE + b"1,12 Main St,TX,75201,,\n3,None,TX,75201,,\n",
            party=place_party(max_rejected_percent=0),
            key=PLACE_KEY,
        )


def test_share_of_rejects_never_looks_smaller_than_it_is() -> None:
    assert [
        intake.percent(*pair) for pair in [(0, 0), (0, 5), (1, 3), (1, 1000), (1, 1001), (1, 10**9), (5, 5)]
    ] == [
        *("0.0", "0.0", "33.4", "0.1", "0.1", "0.1", "100.0"),
    ]


VALUES = st.sampled_from(
    ["12 Main St", "Unknown", "75201", "TX", "tx", "NY", "10001", "1980-01-01", "2020-01-01", "", " "]
)


@given(
    rows=st.lists(st.tuples(*[VALUES] * 6), min_size=1, max_size=60),
    remembered=st.sampled_from([0, 2, 1 << 15]),
    together=st.sampled_from([1, 7, 1 << 14]),
    chunk_bytes=st.sampled_from([1, 100, 1 << 20]),
)
def test_outcome_does_not_depend_on_what_is_remembered_or_looked_at_together(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    remembered: int,
    together: int,
    chunk_bytes: int,
) -> None:
    gate = Gate(tmp_path_factory.mktemp("gate"))
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    content, rejects = PLACE + text.getvalue().encode(), []
    for number, row in enumerate(rows, start=1):
        faults = dict(slow_place_faults(dict(zip(PLACE.decode().strip().split(","), row, strict=True))))
        if faults:
            rejects.append(f"{number},{';'.join(faults)},{';'.join(faults.values())}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("psi.intake.shortcuts.REMEMBERED", remembered)
        patch.setattr("psi.intake.judge.FAULTY_ROWS", together)
        if len(rejects) == len(rows):
            with pytest.raises(GateError, match="none of"):
                gate.run(content, party=place_party(), key=PLACE_KEY, chunk_bytes=chunk_bytes)
        else:
            report = gate.run(content, party=place_party(), key=PLACE_KEY, chunk_bytes=chunk_bytes).report
            assert report.rejected == len(rejects)
            assert report.passed + report.rejected + report.collapsed == report.rows == len(rows)
    assert gate.rejects == rejects


def slow_place_faults(row: dict[str, str]) -> list[tuple[str, str]]:
    """Return the faults of a row under ``PLACE_RULES``, in their order."""
    faults: dict[str, str] = {name: "missing" for name in ("street", "zip") if not row[name].strip()}

    def judge(name: str, passes: bool, reason: str, *others: str) -> None:
        there = all(row[column].strip() for column in (name, *others))
        if there and not passes and not faults.keys() & {name, *others}:
            faults[name] = reason

    judge("street", row["street"] != "Unknown", "placeholder")
    judge("id", row["id"] != "Unknown", "placeholder")
    judge("street", row["street"] == "12 Main St", "street")
    judge("state", row["state"] in ("TX", "tx", "NY"), "state")
    judge("zip", row["zip"] in ("75201", "10001"), "zip")
    judge(
        "zip", (row["zip"], row["state"].upper()) in (("75201", "TX"), ("10001", "NY")), "zip-state", "state"
    )
    judge("dob", (row["dob"], row["order"]) == ("1980-01-01", "2020-01-01"), "date-order", "order")
    return sorted(faults.items(), key=lambda item: PLACE_ORDER.index(item))


PLACE_ORDER = [
    *(
        ("street", "missing"),
        ("zip", "missing"),
        ("street", "placeholder"),
        ("id", "placeholder"),
        ("street", "street"),
    ),
    *(("state", "state"), ("zip", "zip"), ("zip", "zip-state"), ("dob", "date-order")),
]


def test_both_sides_get_the_same_items_from_their_own_columns_and_formats(gate: Gate, tmp_path: Path) -> None:
    ours = gate.run(HEADER + b"1,900-01-0001,O'Brien,1980-01-02\n")
    theirs = tmp_path / "records.csv"
    theirs.write_bytes(b"born;surname;number\n01/02/1980;OBRIEN;900010001\n")
    holder = intake.read(
        theirs,
        party=make_party(required=("number", "surname", "born"), rules=(), delimiter=";"),
        side="holder",
        keys=one(),
        rejects=tmp_path / "rejects.csv",
    )
    assert ours.items[0].digests.tobytes() == holder.items[0].digests.tobytes()


def test_when_no_row_passes_the_rejects_stay_and_the_counts_are_told(gate: Gate) -> None:
    with pytest.raises(
        GateError, match=r"none of 2 rows passed the gate \(missing 1, tax-number 1\)"
    ) as caught:
        gate.run(HEADER + b"1,12,Lee,1980-01-02\n2,900010001,,1980-01-02\n")
    assert "rejects.csv" in str(caught.value.hint)
    assert len(gate.rejects) == 2


def test_a_file_that_is_not_sound_leaves_no_rejects(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="row 2 has 2 fields"):
        gate.run(HEADER + b"1,12,Lee,1980-01-02\n2,3\n", chunk_bytes=4)
    assert [path.name for path in tmp_path.iterdir()] == ["requests.csv"]


def test_column_that_the_terms_name_and_the_file_lacks_is_refused(gate: Gate) -> None:
    with pytest.raises(GateError, match="no column 'case_number' among its 4"):
        gate.run(HEADER + b"1,900010001,Lee,1980-01-02\n", party=make_party(required=("case_number",)))


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_bytes(HEADER + b"1,900010001,Lee,1980-01-02\n" * 100)
    seen: list[tuple[int, int]] = []
    intake.read(
        path,
        party=make_party(),
        side="requester",
        keys=one(),
        rejects=tmp_path / "rejects.csv",
        chunk_bytes=500,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def test_rejects_are_for_their_owner_alone(gate: Gate, tmp_path: Path) -> None:
    gate.run(HEADER + b"1,900010001,Lee,1980-01-02\n2,,Lee,1980-01-02\n")
    assert stat.S_IMODE((tmp_path / "rejects.csv").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejects.csv", "requests.csv"]


def test_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match="cannot write out: no space left on device"),
        whole_file(tmp_path / "out") as stream,
    ):
        stream.write(b"x")
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is needed")
def test_disk_that_fills_while_rejects_are_written_is_the_machines_fault(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    real = builtins.open

    def full(path: object, *arguments: object, **options: object) -> object:
        if str(path).endswith(".part"):
            return real("/dev/full", "wb")
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("psi.intake.output.open", full, raising=False)
    with pytest.raises(MachineError, match="no space left on device"):
        gate.run(HEADER + b"1,,Lee,1980-01-02\n2,900010001,Lee,1980-01-02\n")
    assert not (tmp_path / "rejects.csv").exists()


def test_what_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    leftover = tmp_path / ".Out.part"
    leftover.write_text("half")
    leftover.chmod(0o644)
    with whole_file(tmp_path / "Out") as stream:
        stream.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["Out"]
    assert (tmp_path / "Out").read_bytes() == b"whole"
    assert stat.S_IMODE((tmp_path / "Out").stat().st_mode) == 0o600


def test_folder_that_cannot_be_written_to_is_the_machines_fault(tmp_path: Path) -> None:
    with (
        pytest.raises(MachineError, match="cannot write Out: no such file or directory"),
        whole_file(tmp_path / "no" / "Out"),
    ):
        pass


def parquet(gate: Gate, frame: pl.DataFrame, **options: object) -> intake.Intake:
    path = gate.folder / "requests.parquet"
    frame.write_parquet(path)
    return gate.run(path, **options)  # type: ignore[arg-type]


FRAME = pl.DataFrame(
    {
        "id": [1.5, 2.5, 3.5, None],
        "tin": ["900-01-0001", "900010002", None, "900010001"],
        "last": ["Lee", "Núñez", "Kim", "LEE"],
        "dob": ["1980-02-29", "1980-13-01", "1980-02-28", "1980-02-29"],
    }
)


def test_parquet_goes_through_the_same_gate(gate: Gate) -> None:
    got = parquet(gate, FRAME)
    assert gate.rejects == ["2,dob,date", "3,tin,missing"]
    assert (got.report.rows, got.report.passed, got.report.rejected, got.report.collapsed) == (4, 1, 2, 1)
    text = gate.run(HEADER + b"1,900010001,LEE,1980-02-29\n")
    assert got.items[0].digests.tobytes() == text.items[0].digests.tobytes()


def test_dates_of_parquet_take_the_format_of_the_terms(gate: Gate) -> None:
    dates = FRAME.with_columns(
        dob=pl.Series([datetime.date(1980, 2, 29), None, datetime.date(1980, 2, 28), None])
    )
    american = KeyColumn(
        name="dob",
        requester="dob",
        holder="b",
        recipe="date-iso/1",
        requester_format="%m/%d/%Y",
        holder_format="%Y%m%d",
    )
    got = parquet(gate, dates, key=(*KEY[:2], american), party=make_party(rules=RULES[:1]))
    assert gate.rejects == ["2,dob,missing", "3,tin,missing", "4,dob,missing"]
    assert got.report.recipes[2].changed == 1


def test_date_format_of_a_rule_holds_for_dates_of_parquet_that_are_no_date_of_the_key(gate: Gate) -> None:
    born = pl.Series([datetime.date(1980, 2, 29)] * 4)
    key = (KeyColumn(name="dob", requester="dob", holder="dob", recipe="digits/1"),)
    rules = (ColumnRule(columns=("dob",), rule="date/1", format="%m/%d/%Y"),)
    got = parquet(
        gate, FRAME.with_columns(dob=born), key=key, party=make_party(required=("dob",), rules=rules)
    )
    text = gate.run(b"dob\n02291980\n", key=key, party=make_party(required=("dob",), rules=()))
    assert got.items[0].digests.tobytes() == text.items[0].digests.tobytes()


@pytest.mark.parametrize("kind", [pl.Int32, pl.UInt64, pl.Categorical, pl.Enum(["900010001", "12345678"])])
def test_whole_numbers_and_categories_of_parquet_are_their_text(gate: Gate, kind: pl.DataType) -> None:
    numbers = pl.Series("tin", ["900010001", "12345678"]).cast(kind)
    parquet(gate, pl.DataFrame({"tin": numbers, "last": ["Lee", "Lee"], "dob": ["1980-02-29"] * 2}))
    assert gate.rejects == ["2,tin,tax-number"]


@pytest.mark.parametrize(
    "values",
    [[1.5], [True], [b"x"], [datetime.datetime(1980, 1, 1)], [["x"]]],
    ids=["number with a point", "truth value", "bytes", "time", "list"],
)
def test_other_types_of_parquet_are_refused(gate: Gate, values: list[object]) -> None:
    with pytest.raises(
        GateError, match=r"requests.parquet: column 2 \('tin'\) is neither text, date nor whole number"
    ):
        parquet(gate, pl.DataFrame({"last": ["Lee"], "tin": values, "dob": ["1980-02-29"]}))


def test_broken_parquet_is_refused_without_a_word_of_the_table_library(gate: Gate, tmp_path: Path) -> None:
    path = tmp_path / "requests.parquet"
    FRAME.write_parquet(path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for content in (b"PAR1", whole[:-9], b"PAR1" + b"\xff" * (footer - 4) + whole[footer:]):
        path.write_bytes(content)
        with pytest.raises(GateError, match="not a sound Parquet file"):
            gate.run(path)


def test_parquet_without_rows_or_column_is_refused(gate: Gate) -> None:
    with pytest.raises(GateError, match="columns and no rows"):
        parquet(gate, FRAME.clear())
    with pytest.raises(GateError, match="no column 'dob' among its 3"):
        parquet(gate, FRAME.drop("dob"))


def test_parquet_in_many_batches_is_the_file(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psi.intake.parquet.BATCH_ROWS", 7)
    names = [f"L{n:04}" if n % 10 else "" for n in range(1000)]
    frame = pl.DataFrame({"tin": ["900010001"] * 1000, "last": names, "dob": ["1980-02-29"] * 1000})
    path = gate.folder / "requests.parquet"
    frame.write_parquet(path, row_group_size=64)
    got = gate.run(path)
    assert [int(line.split(",")[0]) for line in gate.rejects] == list(range(1, 1000, 10))
    assert got.items[0].rows.tolist() == [n for n in range(1000) if n % 10]
    assert got.items[0].item_of_row.tolist() == np.arange(900).tolist()
