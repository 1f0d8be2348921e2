"""Kept results fit their schema, their digests hold, everything in them was right, and the pages say what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from psi.bench import peers, record
from tests.conftest import ROOT

comparison = pytest.importorskip("benchmarks.comparison", reason="benchmarks are in the repository alone")

pytestmark = pytest.mark.repo
RESULTS = ROOT / "benchmarks" / "results"

KEPT = sorted(
    path
    for name in (comparison.BENCH, comparison.DIRECTIONS)
    for path in RESULTS.glob(f"*/{comparison.KEPT}/{name}")
)
SIDE_BY_SIDE = sorted(RESULTS.glob(f"*/{comparison.KEPT}/{comparison.PEERS}"))


def test_results_of_a_named_machine_are_kept() -> None:
    assert comparison.SHOWN["ways"] in {path.parent.parent.name for path in KEPT}
    assert comparison.SHOWN["peers"] in {path.parent.parent.name for path in SIDE_BY_SIDE}


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_kept_results_hold(path: Path) -> None:
    made = record.load(path)
    jsonschema.validate(json.loads(path.read_text()), json.loads((RESULTS / "schema.json").read_text()))
    assert made.facts_sha256 == record.facts_digest(made.lines, made.case, made.inputs)
    assert all(line.correct for line in made.lines)
    for line in made.lines:
        assert (line.basis == record.COMPUTED) == (line.repetitions == 0)
        assert len(line.wall_s.all) == line.repetitions
        if line.kind == "psi":
            assert line.exposed_without_match == 0


@pytest.mark.parametrize("path", SIDE_BY_SIDE, ids=lambda path: path.parent.parent.name)
def test_kept_comparisons_with_other_systems_hold(path: Path) -> None:
    made = peers.load(path)
    for each in made.lines:
        assert each.measured or each.reason
        if each.measured:
            assert each.count == made.matches
            assert each.wall_s is not None
            assert len(each.wall_s.all) == each.repetitions


@pytest.mark.parametrize("name", comparison.PAGES)
def test_pages_say_what_the_kept_results_say(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    marks = len(re.findall(r"compared:\s", text))
    assert marks == len(comparison._MARK.findall(text)) > 0  # none is broken
    assert comparison.filled(text) == text, "python -m benchmarks compare-pages makes it anew"


def test_the_curves_are_those_of_the_kept_results() -> None:
    picture = (ROOT / comparison.CURVES).read_text(encoding="utf-8")
    drawn = comparison.drawn()
    label = re.compile(
        r'aria-label="([^"]*)"'
    )  # it says each end of each curve; the rest depends on the library
    assert label.findall(picture) == label.findall(drawn) != []


def test_a_page_with_another_number_is_seen() -> None:
    text = (ROOT / "docs" / "brief.md").read_text(encoding="utf-8")
    changed = re.sub(r"(<!-- compared: exposed -->)[\d,]+", r"\g<1>7", text)
    assert changed != text
    assert comparison.filled(changed) == text


def test_every_source_of_the_brief_is_used_and_every_use_has_a_source() -> None:
    text = (ROOT / "docs" / "brief.md").read_text(encoding="utf-8")
    body, _, sources = text.partition("## Sources")
    used = {int(number) for group in re.findall(r"\[([\d, ]+)\]", body) for number in group.split(",")}
    named = {int(number) for number in re.findall(r"^(\d+)\. ", sources, flags=re.MULTILINE)}
    assert used == named
