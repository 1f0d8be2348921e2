"""``psi check``: the gate without a network, as a new user meets it."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from psi import scenario, terms
from psi.intake import page
from psi.recipes import RECIPES, RULES

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Command = Callable[..., subprocess.CompletedProcess[str]]

COUNTS = {"rows": 3_000, "rejected": 122, "collapsed": 29, "passed": 2_849}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case")
    scenario.write(folder, requests=3_000, records=3_000, matches=50, seed=3)
    scenario.agree(folder, requests=3_000, records=3_000)
    return folder


@pytest.fixture
def check(case: Path, psi_inside: Command, tmp_path: Path) -> Command:
    """Return a function that checks the requests of the case; changes of the terms are arguments."""

    def run(
        *arguments: str, file: str = "requests.csv", **changes: object
    ) -> subprocess.CompletedProcess[str]:
        agreement = terms.load(case / scenario.TERMS)
        party = msgspec.structs.replace(agreement.requester, **changes)
        path = tmp_path / "terms.toml"
        path.write_text(terms.dumps(msgspec.structs.replace(agreement, requester=party)), encoding="utf-8")
        return psi_inside("check", str(case / file), "--terms", str(path), "--side", "requester", *arguments)

    return run


def test_summary_says_what_is_rejected_and_why(check: Command) -> None:
    result = check()
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["rows", "3,000"]
    assert lines[2] == "rejected            122    4.1 %  (the terms allow 10 %)"
    assert re.search(r"^  street +not-placeholder/1 +[0-9]+  placeholder$", result.stdout, re.MULTILINE)
    assert re.search(r"^  tin +digits/1 +1,9[0-9]{2}  6[0-9]\.[0-9] %$", result.stdout, re.MULTILINE)
    assert max(map(len, lines)) <= 80


def test_record_adds_up_and_holds_no_value_of_the_file(check: Command, case: Path, tmp_path: Path) -> None:
    result = check("--json", "--out", str(tmp_path / "out"))
    assert result.returncode == 0
    record = json.loads(result.stdout)
    assert {name: record[name] for name in COUNTS} == COUNTS
    assert record["schema"] == "psi/check/1"
    assert (record["side"], record["max_rejected_percent"], record["stopped_by"]) == ("requester", 10, None)
    assert json.loads((tmp_path / "out" / "gate.json").read_text()) == record
    cells = {
        cell for line in (case / "requests.csv").read_text().splitlines()[1:] for cell in line.split(",")
    }
    shown = result.stdout + (tmp_path / "out" / "gate.html").read_text()
    assert not [cell for cell in cells if len(cell) > 7 and cell in shown]


def test_folder_has_rejects_for_its_owner_alone(check: Command, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    assert check("--out", str(out)).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["gate.html", "gate.json", "rejects.csv"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert len((out / "rejects.csv").read_text().splitlines()) == 1 + COUNTS["rejected"]
    again = check("--out", str(out))
    assert again.returncode == 2
    assert "exists, and results are never overwritten" in again.stderr


def test_share_of_rejects_above_the_terms_is_exit_code_3_with_the_whole_summary(
    check: Command, tmp_path: Path
) -> None:
    result = check("--json", "--out", str(tmp_path / "out"), max_rejected_percent=4)
    assert result.returncode == 3
    fault = "requests.csv: 122 of 3000 rows were rejected (4.1 %), and the terms allow 4 %"
    assert result.stderr.splitlines()[0].startswith(f"psi: error: {fault} (")
    assert (
        result.stderr.splitlines()[1]
        == f"psi: hint: {tmp_path / 'out' / 'rejects.csv'} has the reasons for each row"
    )
    assert json.loads(result.stdout)["stopped_by"].startswith(fault)
    assert "A run with this file would be stopped." in (tmp_path / "out" / "gate.html").read_text()
    assert "psi: hint: --out DIR keeps the reasons for each row" in check(max_rejected_percent=4).stderr


def test_more_people_than_the_terms_allow_is_exit_code_7(check: Command) -> None:
    result = check(max_items=2_848)
    assert result.returncode == 7
    assert "requests.csv has 2849 different people, and the terms allow the requester 2848" in result.stderr


def test_records_are_checked_under_the_same_terms_as_the_holders(case: Path, psi_inside: Command) -> None:
    keys = str(scenario.identity_folder(case, "holder"))
    result = psi_inside(
        "check",
        str(case / "records.csv"),
        "--terms",
        str(case / scenario.TERMS),
        "--identity",
        keys,
        "--json",
    )
    record = json.loads(result.stdout)
    assert (result.returncode, record["side"], record["rejected"]) == (0, "holder", 0)


@pytest.mark.parametrize(
    ("file", "code", "message"),
    [
        ("nothing.csv", 2, "no file"),
        (".", 2, "is a folder"),
        ("records.csv", 3, "records.csv: no column 'request_id' among its 12"),
        ("truth.json", 3, "truth.json: no column 'request_id' among its 1"),
    ],
)
def test_file_that_cannot_be_checked_gets_one_clear_message_and_no_folder(
    check: Command, tmp_path: Path, file: str, code: int, message: str
) -> None:
    result = check("--out", str(tmp_path / "out"), file=file)
    assert result.returncode == code
    assert message in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_file_or_terms_that_are_not_named_are_asked_for(psi_inside: Command) -> None:
    result = psi_inside("check", "requests.csv")
    assert result.returncode == 2
    assert "psi: error: a source and --terms are needed, or --explain RULE" in result.stderr


@pytest.mark.parametrize("name", [*RULES, *RECIPES])
def test_every_rule_and_recipe_is_explained(psi_inside: Command, name: str) -> None:
    result = psi_inside("check", "--explain", name)
    assert (result.returncode, result.stderr) == (0, "")
    operation = {**RULES, **RECIPES}[name]
    assert " ".join(operation.sentence.split()) in " ".join(result.stdout.split())
    assert json.loads(psi_inside("check", "--explain", name, "--json").stdout)["name"] == name


def test_list_of_explanations_has_all_of_them(psi_inside: Command) -> None:
    text = psi_inside("check", "--explain", "all").stdout
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in (*RULES, *RECIPES))
    assert max(map(len, text.splitlines())) <= 80
    assert "tax-number/1 " in psi_inside("check", "--explain", "tax-number").stdout
    unknown = psi_inside("check", "--explain", "iban/1")
    assert unknown.returncode == 2
    assert "no rule or recipe 'iban/1'" in unknown.stderr


RECORD = {
    "file": "a<b>&.csv",
    "rows": 10,
    "passed": 7,
    "rejected": 2,
    "collapsed": 1,
    "reasons": {"missing": 1, "street": 2},
    "rules": [
        {"column": "$x$ <script>", "rule": "required", "reason": "missing", "rejected": 1},
        {"column": "street", "rule": "street/1", "reason": "street", "rejected": 2},
    ],
    "recipes": [{"column": "a" * 80, "recipe": "digits/1", "changed": 3}],
    "keys": [{"name": "a & b", "rows": 8, "percent": 80.0, "items": 7, "collapsed": 1}],
    "side": "requester",
    "terms_digest": "ab" * 32,
    "max_rejected_percent": 20,
    "stopped_by": None,
}


def test_page_needs_nothing_from_elsewhere_and_is_the_same_each_time(tmp_path: Path) -> None:
    page.write(RECORD, tmp_path / "one.html")
    page.write(RECORD, tmp_path / "two.html")
    text = (tmp_path / "one.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "two.html").read_text(encoding="utf-8")
    assert "a&lt;b&gt;&amp;.csv" in text
    assert "<td>a &amp; b</td>" in text
    assert "Who has the key" in text
    assert "<script" not in text
    assert not re.search(r"""(src|href)=["'](?!#)""", text)
    assert not re.search(r"url\((?!#)|@import|<link|<iframe|<img", text)
    assert text.count("<svg") == 2
    assert "2 (20.0 %)" in " ".join(text.split())


def test_page_of_a_file_without_rejects_says_so(tmp_path: Path) -> None:
    clean = {**RECORD, "rejected": 0, "reasons": {}, "rules": [], "max_rejected_percent": None}
    page.write(clean, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "None was." in text
    assert text.count("<svg") == 1


def test_without_the_packages_of_the_page_everything_else_is_there(
    check: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    result = check("--out", str(tmp_path / "out"))
    assert result.returncode == 0
    assert "psi: no page: jinja2 and matplotlib not installed" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["gate.json", "rejects.csv"]
