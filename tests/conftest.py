"""What the tests share: two identities, terms between them, and the command line in a process of its own."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psi import identity, terms

# One seed, one set of examples: a test that fails, fails again.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, max_examples=50, database=None)
hypothesis.settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent
FAR_AWAY = datetime.date(2999, 12, 31)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the tests at the sizes of the real case, which take ten minutes."""
    parser.addoption(
        "--scale", action="store_true", help="run the tests that are marked scale, and only those"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run either the tests at scale or all the others."""
    at_scale = bool(config.getoption("--scale"))
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        chosen = (item.get_closest_marker("scale") is not None) == at_scale
        (kept if chosen else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[terms.Side, identity.Identity]:
    """Return the identities of a requester and a holder; their folders are named by the paths of their keys."""
    from psi import identity

    folder = tmp_path_factory.mktemp("identities")
    return {
        "requester": identity.create(folder / "requester", "Requesting Agency"),
        "holder": identity.create(folder / "holder", "Holding Agency"),
    }


@pytest.fixture(scope="session")
def make_terms(identities: Mapping[terms.Side, identity.Identity]) -> Callable[..., terms.Terms]:
    """Return a function that drafts terms between the two identities; its arguments are those of ``draft``."""

    from psi import terms

    def make(**changes: object) -> terms.Terms:
        arguments: dict[str, object] = {
            "requester": identities["requester"].public(),
            "holder": identities["holder"].public(),
            "purpose": "a test",
            "authority": "none is needed",
            "expires": FAR_AWAY,
            **changes,
        }
        return terms.draft(**arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture
def psi_command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs ``psi`` in a process of its own, in the test's folder."""

    def run(
        *arguments: str | Path,
        cwd: Path = tmp_path,
        timeout_s: float = 60,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "psi", *map(str, arguments)],
            cwd=cwd,
            timeout=timeout_s,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def psi_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs ``psi`` in this process, in the test's folder: quicker, and all but the same."""
    from psi import cli

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), shown.out, shown.err)

    return run
