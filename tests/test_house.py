"""The house: one version, files that say what they should, a wheel with the package and nothing else."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tarfile
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DISTRIBUTION = importlib.metadata.distribution("psi-overlap")
IS_IN_PLACE = (
    json.loads(DISTRIBUTION.read_text("direct_url.json") or "{}").get("dir_info", {}).get("editable", False)
)


def cff() -> dict[str, str]:
    """Return the plain fields of CITATION.cff; it is written so that they stand one on a line."""
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r'([a-z-]+): *"?(.*?)"?', line) for line in lines)
    return {field[1]: field[2] for field in found if field}


@pytest.mark.repo
def test_citation_has_the_required_fields_and_the_version_of_the_crate() -> None:
    citation = cff()
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license", "date-released"} <= set(citation)
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", citation["date-released"])
    crate = tomllib.loads((ROOT / "core" / "Cargo.toml").read_text(encoding="utf-8"))
    assert citation["version"] == crate["package"]["version"] == DISTRIBUTION.version


@pytest.mark.repo
def test_rust_version_of_the_crate_is_the_one_that_people_are_told() -> None:
    crate = tomllib.loads((ROOT / "core" / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    for name in ("README.md", "CONTRIBUTING.md", "Makefile", "psi/__init__.py"):
        told = re.findall(r"(1\.\d+) or newer", (ROOT / name).read_text(encoding="utf-8"))
        assert told == [crate["rust-version"]], name


@pytest.mark.repo
def test_license_is_the_whole_apache_text_and_named_everywhere() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == cff()["license"] == "Apache-2.0"


@pytest.mark.repo
def test_changelog_is_in_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert releases[0] == "Unreleased" or releases[0] == DISTRIBUTION.version
    kinds = set(re.findall(r"^### (.+)", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.repo
@pytest.mark.parametrize("name", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"])
def test_links_between_pages_lead_somewhere(name: str) -> None:
    place = ROOT / name
    for page in [place] if place.is_file() else sorted(place.glob("*.md")):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.repo
@pytest.mark.parametrize("name", ["README.md", "SECURITY.md"])
def test_pages_that_outsiders_read_first_say_that_nobody_audited_it(name: str) -> None:
    assert re.search(r"not (been )?audited", (ROOT / name).read_text(encoding="utf-8"), flags=re.IGNORECASE)


@pytest.mark.repo
def test_no_lock_file_of_python_is_tracked_and_no_registry_is_named() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")[:-1]
    assert not [name for name in tracked if re.search(r"(^|/)(uv\.lock|pylock.*\.toml|poetry\.lock)$", name)]
    registry = re.compile(
        r"pypi\.org|pythonhosted\.org|static\.crates\.io|index\.crates\.io|npmjs\.(org|com)"
    )
    texts = [
        ROOT / name for name in tracked if not name.endswith((".lock", ".parquet", ".png", "test_house.py"))
    ]
    found = [
        path.name for path in texts if path.is_file() and registry.search(path.read_text(errors="replace"))
    ]
    assert not found


@pytest.mark.repo
def test_make_offers_what_the_pages_name() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    assert {"demo", "test", "dev", "check", "test-slow", "vectors", "wheel"} <= targets
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(
            re.findall(
                r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE
            )
        )
        assert named <= targets, name
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.skipif(IS_IN_PLACE, reason="installed in place: there is no wheel to look into")
def test_wheel_has_the_package_and_nothing_else() -> None:
    names = [str(file) for file in DISTRIBUTION.files or []]
    assert any(name.startswith("psi/_core.") and name.endswith((".so", ".pyd")) for name in names)
    assert {"psi/py.typed", "psi/_core.pyi", "psi/__main__.py"} <= set(names)
    kinds = re.compile(
        r"psi/[\w/]+\.(py|pyi|pyc)|psi/[\w/.-]+\.pyc|psi/py\.typed|psi/_core\.\S+|psi_overlap-\S+|\S*/bin/psi"
    )
    assert not [name for name in names if not kinds.fullmatch(name)]


@pytest.mark.repo
@pytest.mark.slow
def test_source_distribution_has_what_a_build_needs_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "maturin", "sdist", "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "core/Cargo.toml",
        "core/Cargo.lock",
        "psi/__init__.py",
    } <= names
    allowed = re.compile(
        r"psi/[\w/]+\.(py|pyi)|psi/py\.typed|core/(src|benches|tests)/[\w/]+\.rs|core/(Cargo\.(toml|lock)|rustfmt\.toml)"
        r"|pyproject\.toml|PKG-INFO|LICENSE|README\.md"
    )
    assert not [name for name in names if not allowed.fullmatch(name)]
