"""
The layers of the project, and what may be where.

A module of ``psi`` imports only from layers below its own; modules of one layer do not import each other, and a
package counts as one. Imports inside functions and for types alone count like any other.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.repo

LAYERS = [  # from the bottom
    {"errors"},
    {"recipes", "identity", "wire", "transcript"},
    {"terms", "items"},
    {"intake", "approvals", "session"},
    {"transport", "release", "evidence"},
    {"run", "scenario"},
    {"bench"},
    {"cli"},
]
LAYER_OF = {module: number for number, layer in enumerate(LAYERS) for module in layer}
NAMES_OF_THE_PACKAGE = {"__version__"}  # `from psi import ...` that is no module

MAY_IMPORT_THE_COMPILED_MODULE = {"session", "items", "approvals", "intake", "recipes"}
MAY_USE_THE_NETWORK = {"transport"}
STANDS_FOR_A_NETWORK = "psi/bench/relay.py"  # the link between the parties of a benchmark
MAY_DRAW_RANDOMNESS = {"identity", "run"}  # keys; the seed and the nonce of a session

LINES_AT_MOST = 600
CODE = ("psi", "core", "protocol_spec", "tests", "benchmarks", "demos")


def files(*suffixes: str, folders: tuple[str, ...] = CODE) -> list[Path]:
    """Return the source files of the project, without what is built."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes and not {"target", "__pycache__"} & set(path.relative_to(ROOT).parts)
    )


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return what a file imports, as dotted names, wherever in the file it does so."""
    here = list(path.relative_to(ROOT).with_suffix("").parts)
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" for alias in node.names]
    return tuple(names)


def top_module(path: Path) -> str:
    """Return which module of ``psi`` a file belongs to: the first name below the package."""
    return path.relative_to(ROOT / "psi").with_suffix("").parts[0]


PSI = files(".py", folders=("psi",))
MODULES = [path for path in PSI if top_module(path) not in ("__init__", "__main__")]


def roots(path: Path) -> set[str]:
    """Return the top names of what a file imports."""
    return {name.split(".")[0] for name in imports(path)}


def test_every_module_of_the_package_stands_in_a_layer() -> None:
    assert {top_module(path) for path in MODULES} <= set(LAYER_OF)


def test_a_module_imports_only_from_layers_below() -> None:
    faults = []
    for path in MODULES:
        own = top_module(path)
        for name in imports(path):
            package, imported = (*name.split("."), "")[:2]
            if package != "psi" or imported in NAMES_OF_THE_PACKAGE | {own}:
                continue
            if imported == "_core":
                allowed = own in MAY_IMPORT_THE_COMPILED_MODULE
            else:
                allowed = LAYER_OF.get(imported, len(LAYERS)) < LAYER_OF[own]
            if not allowed:
                faults.append(f"{name_of(path)} imports {name}")
    assert not faults


def test_the_package_itself_imports_its_modules_for_types_alone() -> None:
    tree = ast.parse((ROOT / "psi" / "__init__.py").read_text(encoding="utf-8"))
    eager = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    assert eager == ["__future__", "importlib", "typing"]


def test_only_the_command_line_is_imported_by_main() -> None:
    assert set(imports(ROOT / "psi" / "__main__.py")) == {"psi.cli.main"}


def test_psi_imports_nothing_of_the_repository_around_it() -> None:
    around = {"tests", "protocol_spec", "benchmarks", "demos"}
    assert not [name_of(path) for path in PSI if roots(path) & around]


def test_the_reference_never_imports_psi() -> None:
    reference = files(".py", folders=("protocol_spec",))
    assert reference
    assert not [name_of(path) for path in reference if "psi" in roots(path)]


def test_only_the_transport_uses_the_network() -> None:
    network = {"socket", "asyncio", "selectors", "select", "socketserver", "http", "urllib"}
    users = {
        top_module(path)
        for path in MODULES
        if roots(path) & network and name_of(path) != STANDS_FOR_A_NETWORK
    }
    assert users == MAY_USE_THE_NETWORK


def test_randomness_is_drawn_in_two_places() -> None:
    users = {
        top_module(path) for path in MODULES if "secrets" in roots(path) or "urandom" in path.read_text()
    }
    assert users <= MAY_DRAW_RANDOMNESS
    assert not [name_of(path) for path in MODULES if "random" in roots(path)]


def test_python_is_known_in_one_rust_file() -> None:
    users = {name_of(path) for path in files(".rs", folders=("core/src",)) if "pyo3" in path.read_text()}
    assert all(name.startswith("core/src/python") for name in users)


def test_unsafe_stands_in_the_backend_files_alone() -> None:
    for path in files(".rs", folders=("core/src",)):
        code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        assert name_of(path).startswith("core/src/backend/") or not re.search(r"\bunsafe\b", code), name_of(
            path
        )


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in files(".py", ".pyi", ".rs")}
    assert not {name: lines for name, lines in lengths.items() if lines > LINES_AT_MOST}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name_of(path) for path in files(".py", ".pyi") if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_no_path_of_one_machine_is_written_down() -> None:
    texts = [
        *files(".py", ".pyi", ".rs", ".md", ".toml"),
        *files(".md", folders=("docs",)),
        *ROOT.glob("[!.]*.*"),
    ]
    path_of_a_machine = re.compile(r"(?<![\w.])/(?:work|home|root|Users|tmp)/")
    faults = [
        f"{name_of(path)}: {found[0]}"
        for path in texts
        if path.suffix != ".so" and path.is_file()
        for found in [path_of_a_machine.search(path.read_text(encoding="utf-8"))]
        if found
    ]
    assert not faults


def test_no_test_sleeps() -> None:
    faults = [
        f"{name_of(path)} line {node.lineno}"
        for path in files(".py", folders=("tests",))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep"
    ]
    assert not faults


def test_no_work_is_left_for_later_in_the_code() -> None:
    later = re.compile(r"(#|//).*\b(TODO|FIXME|XXX)\b|\b(todo!|unimplemented!|NotImplementedError)")
    places = files(".py", ".rs", folders=("psi", "core/src", "protocol_spec", "benchmarks", "demos"))
    assert not [name_of(path) for path in places if later.search(path.read_text(encoding="utf-8"))]
