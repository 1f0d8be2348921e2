"""The synthetic case: the truth equals a slow plaintext join, one seed gives one result, nobody is meant."""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.us import itin, ssn

from psi import intake, scenario
from psi.errors import MachineError, UsageError
from psi.recipes import RECIPES
from psi.scenario import draws, files, pools, writing
from psi.terms import SIDES
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from psi.terms import Terms

Row = dict[str, str]


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, strict=True))


def slow_key(row: Row) -> tuple[str, str, str] | None:
    """Return the key of a row, or nothing where the default terms would reject it."""
    try:
        born = datetime.date.fromisoformat(row["dob"]).isoformat()
    except ValueError:
        return None
    tin, apart = row["tin"], unicodedata.normalize("NFKD", row["last_name"]).upper()
    if born != row["dob"] or not re.fullmatch(r"\d{9}|\d{3}-\d\d-\d{4}|\d{3} \d\d \d{4}", tin, re.ASCII):
        return None
    optional = ("middle_name", "suffix")
    if not all(value.strip() for name, value in row.items() if name not in optional):
        return None
    return re.sub("[^0-9]", "", tin), "".join(c for c in apart if unicodedata.category(c)[0] in "LN"), born


@pytest.mark.parametrize(
    ("requests", "records", "matches"),
    [
        (1, 1, 0),
        (1, 1, 1),
        (1, 50, 1),
        (50, 1, 1),
        (20, 20, 20),
        (99, 99, 0),
        (100, 100, 1),  # 4 junk addresses but no duplicate, as the others are 99
        (101, 100, 1),
        (1000, 999, 0),  # the first with a bad number and a bad date
        (3000, 2000, 111),
    ],
)
def test_overlap_is_what_a_slow_join_finds(tmp_path: Path, requests: int, records: int, matches: int) -> None:
    truth = scenario.write(tmp_path, requests=requests, records=records, matches=matches, seed=7)
    asked, held = rows_of(tmp_path / "requests.csv"), rows_of(tmp_path / "records.csv")
    lines = rows_of(tmp_path / "truth.csv")
    assert (len(asked), len(held)) == (truth.requests, truth.records) == (requests, records)

    first: dict[tuple[str, str, str], int] = {}
    repeats: dict[int, int] = {}
    for number, row in enumerate(asked, start=1):
        key = slow_key(row)
        if key is not None and key in first:
            repeats[number] = first[key]
        elif key is not None:
            first[key] = number
    records_of = {slow_key(row): number for number, row in enumerate(held, start=1)}
    assert len(records_of) == records
    assert None not in records_of

    overlap = {first[key]: records_of[key] for key in first if key in records_of}
    told = {int(line["request_row"]): int(line["record_row"]) for line in lines if line["kind"] == "match"}
    assert told == overlap
    assert len(told) == truth.matches == matches
    for line in lines:
        assert line["request_id"] == asked[int(line["request_row"]) - 1]["request_id"]
        assert not line["record_row"] or line["record_id"] == held[int(line["record_row"]) - 1]["record_id"]

    pairs = {frozenset(pair) for pair in repeats.items()}
    told_pairs = {
        frozenset((int(line["request_row"]), int(line["repeats_row"])))
        for line in lines
        if line["repeats_row"]
    }
    assert told_pairs == pairs
    kinds = Counter(line["kind"] for line in lines)
    assert truth.kinds == {**dict.fromkeys(truth.kinds, 0), **kinds, "plain": requests - len(lines)}
    others = requests - matches
    assert kinds["junk-address"] == others * 4 // 100
    assert kinds["duplicate"] == others // 100 == len(repeats)


def test_kinds_of_junk_addresses_are_in_the_file_and_nowhere_else(tmp_path: Path) -> None:
    truth = scenario.write(tmp_path, requests=20_000, records=100, matches=50)
    asked, lines = rows_of(tmp_path / "requests.csv"), rows_of(tmp_path / "truth.csv")
    junk = {int(line["request_row"]): line["address"] for line in lines if line["address"]}
    assert set(truth.junk_addresses) == {kind for kind, *_ in pools.JUNK_ADDRESSES}
    assert Counter(junk.values()) == truth.junk_addresses
    good = re.compile(
        r"[1-9][0-9]{0,3} [A-Z][a-z]+ (Street|Avenue|Road|Drive|Lane|Court|Boulevard|Way)(, Apt\. [0-9]+)?"
    )
    for number, row in enumerate(asked, start=1):
        is_good = bool(
            good.fullmatch(row["street"])
            and row["city"]
            and row["state"]
            and re.fullmatch(r"\d{5}", row["zip"])
        )
        assert is_good == (number not in junk), row["street"]


def test_every_zip_lies_in_its_state(tmp_path: Path) -> None:
    from faker.providers.address.en_US import Provider

    scenario.write(tmp_path, requests=100, records=5_000, matches=50)
    for row in rows_of(tmp_path / "records.csv"):
        low, high = Provider.states_postcode[row["state"]]
        assert low <= int(row["zip"]) <= high


def test_no_tax_number_is_one_that_somebody_can_have(tmp_path: Path) -> None:
    scenario.write(tmp_path, requests=2_000, records=2_000, matches=50)
    numbers = [row["tin"] for row in rows_of(tmp_path / "records.csv")]
    numbers += [row["tin"] for row in rows_of(tmp_path / "requests.csv")]
    assert not [number for number in numbers if ssn.is_valid(number) or itin.is_valid(number)]
    digits = [re.sub("[^0-9]", "", number) for number in numbers]
    assert all(
        number[:1] == "9" and 1 <= int(number[3:5]) <= 49
        for number in digits
        if len(number) == 9 and number.isdigit()
    )


def test_every_way_of_writing_a_name_has_one_key() -> None:
    for names in (pools.last_names(), pools.first_names()):
        recipe = RECIPES["nfkd-upper-alnum/1"].expression(pl.col("name"))
        keys = (
            pl.DataFrame({"name": names.pool})
            .select(recipe)
            .to_series()
            .to_numpy()
            .reshape(names.ways, names.count)
        )
        assert (keys == keys[0]).all()
        assert (keys[0] != "").all()
        assert len(set(names.pool.to_list())) > 3 * names.count  # the ways differ
    accented = [name for name in pools.last_names().pool.to_list() if not name.isascii()]
    assert {"García", "Núñez", "DE-LA-CRUZ", "O'Brien", "McDonald"} <= {
        *accented,
        *pools.last_names().pool.to_list(),
    }


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_one_seed_gives_one_result_on_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SLICE_ROWS", 1000)
    for name in ("first", "second"):
        monkeypatch.setattr(os, "cpu_count", lambda name=name: {"first": 1, "second": 5}[name])
        scenario.write(tmp_path / name, requests=10_500, records=9_001, matches=400, seed=3)
    program = "from psi import scenario; from pathlib import Path; import sys\n"
    program += "scenario.write(Path(sys.argv[1]), requests=10_500, records=9_001, matches=400, seed=3)"
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "5"}
    subprocess.run([sys.executable, "-c", program, tmp_path / "third"], check=True, env=environment, cwd=ROOT)
    assert digests(tmp_path / "first") == digests(tmp_path / "second") == digests(tmp_path / "third")
    scenario.write(tmp_path / "other", requests=10_500, records=9_001, matches=400, seed=4)
    assert digests(tmp_path / "other")["requests.csv"] != digests(tmp_path / "first")["requests.csv"]


def test_draws_are_the_same_as_ever() -> None:
    # Other words would be another case under the same seed: a reason in the changelog is due.
    index = np.arange(3, dtype=np.uint64)
    assert draws.Draws(1).words("x", index).tolist() == [
        12508019555822098388,
        1689499290537057359,
        13747037026902587760,
    ]
    assert draws.Draws(1).permute("x", index, 1_280_000).tolist() == [518512, 1214127, 569141]


def test_files_of_the_two_parties_differ_in_format_alone_where_they_match(tmp_path: Path) -> None:
    scenario.write(tmp_path, requests=4_000, records=4_000, matches=2_000)
    asked, held = rows_of(tmp_path / "requests.csv"), rows_of(tmp_path / "records.csv")
    pairs = [
        (asked[int(line["request_row"]) - 1], held[int(line["record_row"]) - 1])
        for line in rows_of(tmp_path / "truth.csv")
        if line["kind"] == "match"
    ]
    for column in ("last_name", "tin"):
        same = sum(one[column] == other[column] for one, other in pairs)
        assert 0.1 < same / len(pairs) < 0.6
    same_place = sum((one["city"], one["zip"]) == (other["city"], other["zip"]) for one, other in pairs)
    assert 0.8 < same_place / len(pairs) < 0.9  # 15 in 100 moved


def test_headers_are_those_of_the_case(tmp_path: Path) -> None:
    scenario.write(tmp_path, requests=1, records=1, matches=0)
    assert (tmp_path / "requests.csv").read_text().splitlines()[0] == ",".join(scenario.REQUEST_COLUMNS)
    assert (tmp_path / "records.csv").read_text().splitlines()[0] == ",".join(scenario.RECORD_COLUMNS)
    assert len(scenario.REQUEST_COLUMNS) == 18
    assert len(scenario.RECORD_COLUMNS) == 12


def test_gate_with_the_default_terms_finds_the_overlap(
    tmp_path: Path, make_terms: Callable[..., Terms]
) -> None:
    truth = scenario.write(tmp_path, requests=5_000, records=4_000, matches=180, seed=11)
    terms = make_terms()
    sides = {}
    for side in SIDES:
        sides[side] = intake.read(
            tmp_path / {"requester": "requests.csv", "holder": "records.csv"}[side],
            party=getattr(terms, side),
            side=side,
            keys=terms.keys,
            rejects=tmp_path / f"{side}.rejects.csv",
        )
    requester, holder = sides["requester"].items[0].digests, sides["holder"].items[0].digests
    assert len(np.intersect1d(requester.view("V32"), holder.view("V32"))) == truth.matches
    report = sides["requester"].report
    assert report.collapsed == truth.kinds["duplicate"]
    assert report.reasons["tax-number"] == truth.kinds["bad-tax-number"]
    assert report.reasons["date"] == truth.kinds["bad-date"]
    assert sides["holder"].report.rejected == sides["holder"].report.collapsed == 0


@pytest.mark.parametrize("seed", [1, 11, 12])
def test_gate_rejects_every_row_that_the_truth_calls_bad_and_no_other(
    tmp_path: Path, make_terms: Callable[..., Terms], seed: int
) -> None:
    scenario.write(tmp_path, requests=60_000, records=10, matches=5, seed=seed)
    terms = make_terms(max_rejected_percent=10)
    intake.read(
        tmp_path / "requests.csv",
        party=terms.requester,
        side="requester",
        keys=terms.keys,
        rejects=tmp_path / "rejects.csv",
    )
    truth = pl.read_csv(tmp_path / "truth.csv").filter(
        pl.col("kind").is_in(["junk-address", "bad-tax-number", "bad-date"])
    )
    rejected = pl.read_csv(tmp_path / "rejects.csv")
    assert rejected["row"].to_list() == truth["request_row"].to_list()
    reasons = dict(
        truth.join(rejected, left_on="request_row", right_on="row")
        .with_columns(why=pl.coalesce("address", "kind"))
        .group_by("why")
        .agg(pl.col("reasons").unique().sort())
        .iter_rows()
    )
    assert reasons == {
        "unknown-with-number": ["placeholder"],
        "failed-to-provide": ["placeholder"],
        "bare-zip": ["missing;missing;missing"],
        "placeholder-word": ["placeholder", "placeholder;placeholder"],
        "no-city-no-state": ["missing;missing"],
        "no-street": ["missing"],
        "repeated-digits": ["placeholder;zip"],
        "invented-line": ["placeholder"],
        "number-for-street": ["street"],
        "bad-tax-number": ["tax-number"],
        "bad-date": ["date"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"requests": 0}, "requests: 0, and 1 is the least"),
        ({"records": -1}, "records: -1, and 1 is the least"),
        ({"matches": -1}, "matches: -1, and 0 is the least"),
        ({"seed": -1}, "seed: -1, and 0 is the least"),
        ({"matches": 11}, "11 matches do not fit into 10 requests and 20 records"),
        ({"records": 48_995_100}, "48995110 people, and there are 48995100 impossible tax numbers"),
    ],
)
def test_sizes_that_cannot_be_are_refused(tmp_path: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scenario.write(tmp_path / "case", **{"requests": 10, "records": 20, "matches": 0, **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "case").exists()


def test_case_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"truth.csv exists, and a case is never overwritten"):
        scenario.write(tmp_path, requests=1, records=1, matches=0)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.csv"]


def test_folder_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot make the folder .*/file/Case: not a directory"):
        scenario.write(tmp_path / "file" / "Case", requests=1, records=1, matches=0)


def test_what_stops_the_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> pl.DataFrame:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "records", fail)
    with pytest.raises(KeyboardInterrupt):
        scenario.write(tmp_path, requests=10, records=10, matches=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full", writing.NAMES)
def test_disk_that_fills_is_named_with_its_file_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    real = open

    def opened(path: Path, *arguments: object, **options: object) -> object:
        if full in path.name:
            return real("/dev/full", "wb")
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("psi.intake.output.open", opened, raising=False)
    with pytest.raises(MachineError, match=f"cannot write {full}: no space left on device"):
        scenario.write(tmp_path / "Case", requests=200, records=200, matches=10)
    assert list((tmp_path / "Case").iterdir()) == []


@given(size=st.integers(1, 300), label=st.text(max_size=3))
def test_shuffle_of_draws_is_one_to_one(size: int, label: str) -> None:
    places = draws.Draws(5).permute(label, np.arange(size, dtype=np.uint64), size)
    assert sorted(places.tolist()) == list(range(size))


def test_draws_are_spread_evenly() -> None:
    index = np.arange(100_000, dtype=np.uint64)
    counts = np.bincount(draws.Draws(1).below("x", index, 100))
    assert len(counts) == 100
    assert ((counts - 1000) ** 2 / 1000).sum() < 149  # chi-squared with 99 degrees of freedom, 0.1 %
    places = draws.Draws(1).permute("x", index, len(index))
    assert abs(np.corrcoef(places[1:], places[:-1])[0, 1]) < 0.02


def test_weighted_table_has_each_choice_as_often_as_its_weight() -> None:
    assert np.bincount(draws.weighted_table([1.0, 2.0, 1.0])).tolist() == [16384, 32768, 16384]


def test_command_writes_a_case_and_prints_the_truth(
    psi_inside: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    done = psi_inside("scenario", "case", "--requests", "300", "--records", "200", "--matches", "9", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    truth = json.loads(done.stdout)
    assert re.fullmatch(r"Faker [0-9.]+", truth["names"])
    assert truth == json.loads((tmp_path / "case" / "truth.json").read_text())
    assert (truth["schema"], truth["requests"], truth["records"], truth["matches"]) == (
        "psi/truth/1",
        300,
        200,
        9,
    )
    again = psi_inside("scenario", "case", "--requests", "300", "--records", "200", "--matches", "9")
    assert again.returncode == 2
    assert re.fullmatch(r"psi: error: case/requests.csv exists, .*\npsi: hint: .*\n", again.stderr)
    shown = psi_inside("scenario", "other", "--requests", "300", "--records", "200", "--matches", "9")
    assert "300 requests (11 junk-address, 2 duplicate" in shown.stdout
    assert psi_inside("scenario", "third", "--requests", "5").returncode == 2


@pytest.mark.slow
def test_overlap_of_a_million_rows_is_what_a_join_of_polars_finds(tmp_path: Path) -> None:
    truth = scenario.write(tmp_path)
    assert (truth.requests, truth.records, truth.matches) == (1_280_000, 1_280_000, 47_489)
    names = ["request_id", "tin", "last_name", "dob"]

    def keys(file: str) -> pl.DataFrame:
        table = pl.read_csv(tmp_path / file, infer_schema=False).with_row_index("row", offset=1)
        sound = table.filter(
            pl.col("tin").str.contains(r"^\d{3}([- ]?)\d\d([- ]?)\d{4}$"),
            pl.col("dob").str.to_date("%Y-%m-%d", strict=False).is_not_null(),
            pl.all_horizontal(pl.exclude("middle_name", "suffix").is_not_null()),
        )
        return sound.select(
            "row",
            pl.col("tin").str.replace_all("[- ]", ""),
            pl.col("last_name").str.normalize("NFD").str.replace_all(r"[^A-Za-z]", "").str.to_uppercase(),
            "dob",
        )

    asked, held = keys("requests.csv"), keys("records.csv")
    both = asked.join(held, on=names[1:], suffix="_record").sort("row")
    lines = pl.read_csv(tmp_path / "truth.csv").filter(pl.col("kind") == "match")
    assert both["row"].to_list() == lines["request_row"].to_list()
    assert both["row_record"].to_list() == lines["record_row"].to_list()
    assert both.height == 47_489 == both.unique(names[1:]).height
    repeated = asked.height - asked.unique(names[1:]).height
    assert repeated == truth.kinds["duplicate"] == 12_325
