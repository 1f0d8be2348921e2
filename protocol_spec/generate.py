"""
Write the test vectors from the reference, or check that they are what it gives.

``python protocol_spec/generate.py`` writes; with ``--check`` it writes nothing and fails if a byte differs, a file is
missing or there is one too many. The files in ``vectors/official`` come from elsewhere and are never written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = Path(__file__).parent / "vectors"
# The longest first.
FAMILIES = ("vole", "silent_vole", "okvs", "session_files", "role_files", "values", "frame_files")
LINE_CHARACTERS = 110
NOT_GENERATED = ("README.md", "schema.json", "official")


def contents() -> Iterator[tuple[str, str]]:
    """Yield the path below ``vectors`` and the text of every generated file."""
    with ProcessPoolExecutor() as processes:
        for files in processes.map(texts, FAMILIES):
            yield from files


def texts(family: str) -> list[tuple[str, str]]:
    """Return path and text of every file of one family."""
    module = importlib.import_module(f"families.{family}")
    return [(path, text(content)) for path, content in module.files()]


def text(content: dict[str, Any]) -> str:
    """Return the one spelling of a vector file: ASCII, and on one line whatever fits on one."""
    return spelled(content, 0) + "\n"


def spelled(value: object, depth: int) -> str:
    """Return JSON on one line if that is short, else each member on lines of its own."""
    line = json.dumps(value)
    if not isinstance(value, dict | list) or depth + len(line) <= LINE_CHARACTERS:
        return line
    if isinstance(value, list):
        members = [spelled(member, depth + 1) for member in value]
    else:
        members = [f"{json.dumps(name)}: {spelled(member, depth + 1)}" for name, member in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    indented = ",\n".join(" " * (depth + 1) + member for member in members)
    return f"{opening}\n{indented}\n{' ' * depth}{closing}"


def differences(generated: dict[str, str]) -> list[str]:
    """Return what differs between the folder and the generated files, a line each."""
    there = {
        path.relative_to(VECTORS).as_posix(): path
        for path in sorted(VECTORS.rglob("*"))
        if path.is_file() and path.relative_to(VECTORS).parts[0] not in NOT_GENERATED
    }
    missing = [f"{path}: is missing" for path in generated if path not in there]
    extra = [f"{path}: nothing makes it" for path in there if path not in generated]
    changed = [
        f"{path}: differs"
        for path, file in there.items()
        if path in generated and file.read_bytes() != generated[path].encode()
    ]
    return [*missing, *extra, *changed]


def main() -> int:
    """Write or check; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description="write or check the test vectors")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a byte differs")
    check = parser.parse_args().check
    generated = dict(contents())
    if not check:
        for path, content in generated.items():
            (VECTORS / path).parent.mkdir(parents=True, exist_ok=True)
            (VECTORS / path).write_bytes(content.encode())
    found = differences(generated)
    for line in found:
        print(f"vectors: {line}", file=sys.stderr)
    print(f"{len(generated)} files of vectors, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
