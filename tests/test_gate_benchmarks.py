"""The commands behind docs/keys.md and the gate's figures, at a small size."""

from __future__ import annotations

import pytest

from benchmarks import gate, keys
from tests.conftest import ROOT

pytestmark = pytest.mark.repo


def test_keys_are_set_beside_the_truth() -> None:
    measured = keys.measure(rows=4_000, matches=300, seed=5)
    of = {key["key"]: key for key in measured["keys"]}
    default = of["tax number, last name, birth (the default)"]
    assert (default["pairs"], default["right"], default["precision"], default["recall"]) == (
        300,
        300,
        1.0,
        1.0,
    )
    as_written, moved = of["tax number, last name, birth, as written"], of["tax number, street, ZIP"]
    assert as_written["recall"] < 0.3 < 0.75 < moved["recall"] < 0.95
    assert of["the same, street letter by letter"]["recall"] < moved["recall"] / 4
    assert len(keys.table(measured).splitlines()) == 2 + 1 + len(keys.KEYS) + 3 + len(keys.TIERS)


def test_each_tier_adds_to_those_before_it() -> None:
    tiers = keys.measure(rows=4_000, matches=300, seed=5)["tiers"]
    assert [tier["key"] for tier in tiers] == [key.name for key in keys.TIERS]
    assert tiers[0]["added"] == tiers[0]["added_right"] == tiers[0]["pairs"]  # nobody was found before
    assert sum(tier["added_right"] for tier in tiers[:2]) == 300
    assert (tiers[1]["precision"], tiers[1]["recall"]) == (1.0, 1.0)
    recalls, precisions = ([tier[name] for tier in tiers] for name in ("recall", "precision"))
    assert recalls == sorted(recalls)
    assert precisions == sorted(precisions, reverse=True)
    assert all(tier["added"] <= tier["pairs"] for tier in tiers)


def test_page_of_keys_has_every_key_that_is_measured() -> None:
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    for words, key in keys.KEYS:
        assert f"| {words} | {', '.join(part.recipe for part in key)} |" in page
    for number, tier in enumerate(keys.TIERS, start=1):
        assert f"| {number}. {tier.name} |" in page


def test_gate_is_measured_and_found_correct() -> None:
    measured = gate.measure(rows=2_000, repeat=1, threads=1)
    assert measured["correct"]
    requests = measured["sides"]["requester"]
    assert (requests["rows"], requests["columns"]) == (2_000, 18)
    assert requests["peak_rss_bytes"] > 10_000_000
    assert "| requests.csv | 2,000 | 18 | " in gate.table(measured)
