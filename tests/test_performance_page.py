"""The page of performance shows the results that are kept, and nothing that was typed."""

from __future__ import annotations

import json

import pytest

from benchmarks import pages

pytestmark = pytest.mark.repo


def test_the_tables_are_made_from_the_kept_results() -> None:
    page = pages.PAGE.read_text(encoding="utf-8")
    assert page.count("<!-- generated: ") == len(pages.TABLES)
    assert pages.filled(page) == page


def test_every_kept_output_was_right() -> None:
    results = pages.load()
    assert results
    for name, record in results.items():
        assert record.get("correct", True), name
        assert "-dirty" not in record["commit"], name


def test_a_changed_result_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.PAGE.read_text(encoding="utf-8")
    results = json.loads(json.dumps(pages.load()))
    results["suite-vole-malicious"]["wall_s"]["median"] += 1
    monkeypatch.setattr(pages, "load", lambda: results)
    assert pages.filled(page) != page
