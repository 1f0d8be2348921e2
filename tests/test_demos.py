"""The demos run, and show what their page says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from psi.wire import Suite
from tests.conftest import ROOT

pytestmark = pytest.mark.repo

DEMOS = ROOT / "demos"
BOTH_LEARN = re.compile(r"learned +which 750 of its own [\d,]+ people the (holder|requester) has too")


def run(*command: str, **variables: str) -> str:
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"} | variables
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("suite", Suite, ids=lambda suite: suite.value)
def test_frames_shows_what_crosses_and_what_does_not(suite: Suite) -> None:
    shown = run(sys.executable, str(DEMOS / "frames.py"), suite.value)
    names = "2 people are on both lists" if not suite.learns_items else "on both lists: CHEN 1973, EVANS 1995"
    assert names in shown
    assert re.search(r"Digests of people among the [\d,]+ bytes sent: 0\.", shown)
    assert "a second run of the same lists has as well: sizes, sizes.\n" in shown
    assert "Both saw the same run: True." in shown


@pytest.mark.slow
def test_by_hand_follows_the_readme_to_the_right_result() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shown = run(str(DEMOS / "by_hand.sh"), PORT=str(port))
    assert (
        "rows of the requester that match: 750; people on both lists by the truth of the case: 750" in shown
    )
    assert sorted(BOTH_LEARN.findall(shown)) == ["holder", "requester"]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and iproute2")
def test_two_hosts_find_the_overlap_over_a_network_of_their_own() -> None:
    if subprocess.run(["ip", "netns", "list"], capture_output=True, check=False).returncode:
        pytest.skip("this system has no network namespaces")
    shown = run(str(DEMOS / "two_hosts.sh"))
    found = re.search(r"found (\d+) of its rows; its cable carried (\d+) bytes out and (\d+) bytes in", shown)
    assert found is not None
    assert found[1] == "750"
    assert 0 < int(found[2]) < 1e6
    assert 0 < int(found[3]) < 1e6
    assert sorted(BOTH_LEARN.findall(shown)) == ["holder", "requester"]


def test_every_demo_is_on_the_page() -> None:
    page = (DEMOS / "README.md").read_text()
    for demo in DEMOS.iterdir():
        assert demo.name == "README.md" or demo.suffix not in (".py", ".sh") or f"demos/{demo.name}" in page
