"""Hold ``docs/when-things-go-wrong.md`` to what happens: every mishap of the page is tried for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mishap_page import PAGE, cell, parse, row
from tests.mishap_table import MISHAPS
from tests.mishaps import Bench, make_cases

pytestmark = [pytest.mark.repo, pytest.mark.slow]
ALL = [(section, title) for section, rows in MISHAPS.items() for title in rows]
NEEDS_MOUNT = "The disk is full"


@cache
def documented() -> dict[tuple[str, str], str]:
    return parse((ROOT / PAGE).read_text(encoding="utf-8"))


@cache
def can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_cases(tmp_path_factory.mktemp("cases"))


def test_the_page_has_a_row_for_each_mishap_and_no_other() -> None:
    assert list(documented()) == ALL


@pytest.mark.parametrize(("section", "title"), ALL)
def test_a_mishap_ends_as_the_page_says(
    section: str, title: str, cases: dict[str, Path], tmp_path: Path
) -> None:
    if title == NEEDS_MOUNT and not can_mount():
        pytest.skip("a disk that is full needs the right to mount a small one")
    outcome = MISHAPS[section][title](Bench(cases, tmp_path))
    assert row(title, outcome) == documented()[section, title]
    screen = cell(outcome.shown)
    assert "Traceback" not in screen
    assert not [name for name in outcome.left if name.endswith(".part")]
    results = {"matched.csv", "receipt.json"}
    assert outcome.code == 0 or not results & set(outcome.left)
    assert not results & set(outcome.killed_left or ())
