"""One real run beside the other ways: the run's own counts, what is measured, what is computed, what is not known."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import pytest

from psi.bench import compare
from psi.errors import TermsError, UsageError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

RECEIPT = {
    "schema": "psi/receipt/1",
    "version": "0.1.0",
    "side": "holder",
    "suite": "vole-malicious",
    "items": {"own": 5000, "peer": 1200},
    "overlap": 37,
    "transcript": "ab" * 32,
    "terms_sha256": "cd" * 32,
    "gate": {"file": "records.csv"},
    "bytes": {"sent": 400_000, "received": 300_000},
    "seconds": {"gate": 0.5, "connect": 0.1, "exchange": 0.4, "write": 0.1},
    "started": "2026-01-01T00:00:00Z",
    "ended": "2026-01-01T00:00:02Z",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "receipt.json").write_text(json.dumps(RECEIPT))
    return tmp_path


def test_people_and_bytes_follow_from_the_receipt(run: Path) -> None:
    file = run / "records.csv"
    file.write_bytes(b"record_id,tin,last_name,dob\n" + b"x" * 900_000)
    made = compare.compare(run, file=file)
    sent, taken, hashed, third, ours = made.ways
    assert (sent.exposed, sent.to, sent.sent_bytes) == (5000 - 37, "the requester", 900_028)
    assert "4 columns" in sent.form
    assert (taken.exposed, taken.to, taken.sent_bytes) == (1200 - 37, "the holder", None)
    assert (hashed.exposed, hashed.sent_bytes) == (5000 + 1200 - 2 * 37, 32 * 6200)
    assert third.exposed == 5000 + 1200 - 2 * 37
    assert (ours.exposed, ours.sent_bytes, ours.bytes_basis) == (0, 700_000, "measured")
    assert [way.bytes_basis for way in made.ways if way.sent_bytes is None] == [compare.UNKNOWN] * 2
    assert "4,963 people" in compare.answer(made)


def test_what_this_side_did_not_learn_is_not_made_up(run: Path) -> None:
    (run / "receipt.json").write_text(json.dumps({**RECEIPT, "overlap": None}))
    made = compare.compare(run, file=None)
    assert [way.exposed for way in made.ways] == [None, None, None, None, 0]
    page = compare.html(made).decode()
    assert "did not learn the overlap" in page
    assert "<figure>" not in page  # nothing to draw


def test_of_several_keys_people_are_counted_by_the_first_and_that_is_said(run: Path) -> None:
    assert compare.compare(run, file=None).document()["people"] == {
        "own": 5000,
        "peer": 1200,
        "both": 37,
        "by_key": None,
    }
    keys = [{"name": "number & place"}, {"name": "number"}]
    (run / "receipt.json").write_text(json.dumps({**RECEIPT, "keys": keys[:1]}))
    assert "by the key" not in compare.answer(compare.compare(run, file=None))
    (run / "receipt.json").write_text(json.dumps({**RECEIPT, "keys": keys}))
    made = compare.compare(run, file=None)
    assert made.by == "number & place"
    assert '5,000 and 1,200 (by the key "number & place", the first of several)' in compare.answer(made)
    page = html.unescape(compare.html(made).decode())
    assert 'People are counted by the first of them, "number & place"' in page


def test_the_page_says_every_number_of_its_table(run: Path) -> None:
    made = compare.compare(run, file=None)
    page = html.unescape(compare.html(made).decode())
    for row in compare.table(made).rows:
        assert all(cell in page for cell in row)
    assert "<script" not in page


@pytest.mark.parametrize(
    "receipt", ["", "[]", "{}", json.dumps({**RECEIPT, "items": 3}), '{"schema": "psi/gate/1"}']
)
def test_what_is_no_receipt_is_refused(run: Path, receipt: str) -> None:
    (run / "receipt.json").write_text(receipt)
    with pytest.raises(TermsError, match="not the receipt"):
        compare.compare(run, file=None)


def test_a_folder_without_a_receipt_and_another_file_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no receipt\.json"):
        compare.compare(tmp_path / "nothing", file=None)
    (run / "others.csv").write_text("a,b\n")
    with pytest.raises(TermsError, match="not the file of the run"):
        compare.compare(run, file=run / "others.csv")


@pytest.mark.slow
def test_a_real_run_is_compared_from_either_side(
    psi_command: Callable[..., subprocess.CompletedProcess[str]],
    psi_inside: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    sizes = ("--requests", "300", "--records", "500", "--matches", "21")
    assert psi_command("demo", *sizes, "--out", "demo", "-q").returncode == 0
    exposed = {}
    for side, name in (("requester", "requests.csv"), ("holder", "records.csv")):
        shown = psi_inside("compare", f"demo/{side}", "--file", f"demo/case/{name}", "--json")
        assert shown.returncode == 0, shown.stderr
        exposed[side] = [way["exposed_without_match"] for way in json.loads(shown.stdout)["ways"]]
        assert (tmp_path / "demo" / side / "compare.html").exists()
    assert exposed["holder"][0] == 500 - 21
    # What one side calls its own the other calls the peer's.
    assert exposed["requester"][:2] == exposed["holder"][1::-1]
    assert exposed["requester"][2:] == exposed["holder"][2:]
