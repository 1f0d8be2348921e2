"""Keep the rows of a source that cannot be read twice, until the matched ones are known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.errors import MachineError
from psi.intake.output import reason


class Spool:
    """
    Keep batches of rows in a file that has no name: whatever ends the process, the system gives its space back.

    It lies in ``folder``, readable by its owner alone, from the first batch to the end of the ``with`` block. Raises
    `MachineError` when the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closing = ExitStack()
        self._file: IO[bytes] | None = None
        self._parts: list[tuple[int, int]] = []  # rows, bytes

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def add(self, frame: pl.DataFrame) -> None:
        """Keep the next rows."""
        part = BytesIO()
        frame.write_ipc_stream(part, compression="zstd")
        try:
            if self._file is None:
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it is open as long as the run
                self._file = self._closing.enter_context(file)
            self._file.write(part.getbuffer())
            self._file.flush()
        except OSError as error:
            raise MachineError(
                f"cannot keep the rows of the database in {self._folder}: {reason(error)}",
                hint="free some space, or choose another folder with --out",
            ) from error
        self._parts.append((frame.height, part.tell()))

    def rows(self, wanted: NDArray[np.uint32]) -> Iterator[pl.DataFrame]:
        """Yield some rows, by their ascending numbers from 0: a frame for each batch that has some of them."""
        first = place = 0
        for height, length in self._parts:
            low, high = np.searchsorted(wanted, (first, first + height))
            if high > low:
                yield self._read(place, length)[wanted[low:high] - np.uint32(first)]
            first, place = first + height, place + length

    def _read(self, place: int, length: int) -> pl.DataFrame:
        assert self._file is not None
        try:
            self._file.seek(place)
            part = self._file.read(length)
        except OSError as error:
            raise MachineError(f"cannot read the rows that were kept: {reason(error)}") from error
        return pl.read_ipc_stream(BytesIO(part))
