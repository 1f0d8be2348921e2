"""Write files that are whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from psi.errors import MachineError

OWNER_ONLY = 0o600  # for every file that holds identifiers


def reason(error: OSError) -> str:
    """Return what the system says of an error, as the messages of this project are written."""
    return (error.strerror or "unknown reason").lower()


@contextmanager
def whole_file(path: Path, *, mode: int = OWNER_ONLY) -> Iterator[BinaryIO]:
    """
    Open a file under a temporary name beside ``path`` and rename it when the block ends without an exception.

    The gate and the synthetic case write through it; whatever stops the block, nothing is left. A file at ``path`` is
    replaced. Raises `MachineError` when the disk refuses, is full, or the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.unlink(missing_ok=True)  # what a killed run left may have another owner or mode
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise MachineError(
            f"cannot write {path.name}: {reason(error)}",
            hint="free some space, or choose a folder that you may write to",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, document: object) -> None:
    """Write a JSON document, whole or not at all; raises `MachineError` when the disk refuses."""
    with whole_file(path) as stream:
        stream.write(json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")
