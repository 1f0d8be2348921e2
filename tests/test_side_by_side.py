"""Other systems beside this one: every output is compared with the truth, and what is missing is said to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

measure = pytest.importorskip("benchmarks.peers.measure", reason="benchmarks are in the repository alone")

from psi.bench import peers  # noqa: E402

pytestmark = pytest.mark.repo
ROWS = 2000


@pytest.mark.slow
def test_systems_find_the_same_people_or_say_why_they_were_not_measured(tmp_path: Path) -> None:
    made = measure.measure(rows=ROWS, repeat={"psi-vole-malicious": 1, "spu-rr22": 1, "openmined": 1})
    path = tmp_path / "peers.json"
    path.write_text(json.dumps(made))
    lines = {line.system: line for line in peers.load(path).lines}
    ours = lines["psi-vole-malicious"]
    assert ours.measured
    assert ours.correct
    assert ours.count == made["matches"] == ROWS * 47_489 // 1_280_000
    for name in ("spu-rr22", "openmined"):
        if measure.ENVIRONMENT.exists():
            assert lines[name].correct
            assert lines[name].count == made["matches"]
        else:
            assert not lines[name].measured
            assert lines[name].reason


def test_a_row_too_few_and_a_row_too_many_are_seen(tmp_path: Path) -> None:
    system = measure.SYSTEMS["openmined"]
    done = {"outputs": [str(tmp_path / "found.csv"), ""]}
    for ids, correct in (
        ("1\n5\n", True),
        ("1\n", False),
        ("1\n5\n6\n", False),
        ("1\n1\n", False),
        ("1\n6\n", False),
    ):
        (tmp_path / "found.csv").write_text(f"id\n{ids}")
        assert measure._correct(system, tmp_path, ({"1", "5"}, set()), done) is correct


def test_a_system_that_was_not_measured_stands_in_the_table_with_its_reason() -> None:
    line = peers.System(
        system="x",
        title="A system",
        settings="its own",
        adversary="semi-honest",
        learners=("requester",),
        version="1",
        measured=False,
        reason="no package for this machine",
    )
    made = peers.Peers(
        schema=peers.SCHEMA,
        version="0.1.0",
        commit="0",
        measured="2026-01-01",
        rows=10,
        matches=1,
        inputs={},
        machine={},
        packages={},
        lines=(line,),
    )
    assert peers.table(made).rows[0][-1] == "not measured"
    assert any("no package for this machine" in remark for remark in peers.remarks(made))
