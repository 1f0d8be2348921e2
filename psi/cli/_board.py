"""
Progress as people see it: one row for each party, drawn on a terminal, a plain line now and then elsewhere.

Everything goes to stderr; stdout is for results. Drawing needs rich, which is imported only when a terminal is there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

WORDS = {
    "gate": "reading and checking rows",
    "connect": "waiting for the other side",
    "wait": "waiting for the other side",
    "blind": "blinding own items",
    "evaluate": "evaluating the other side's items",
    "tag": "tagging own items",
    "finalize": "removing the blinding",
    "match": "matching",
    "correlate": "making the shared randomness",
    "encode": "encoding own items",
    "write": "writing the result",
    "done": "done",
    "scenario": "making the synthetic case",
}

WAITING = ("", "connect", "wait")  # nobody knows for how long
PLAIN_INTERVAL_S = 30.0


class Board:
    """
    Shows where each named row stands; use it as a context manager.

    `draw` forces or forbids drawing; by default it is on when stderr is a terminal that can move its cursor. Without
    it, a plain line is written every 30 s, and none at all when `quiet`. The clock is an argument for tests.
    """

    def __init__(
        self,
        rows: list[str],
        *,
        quiet: bool = False,
        draw: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = rows
        self._state = dict.fromkeys(rows, ("", 0, ""))
        self._quiet = quiet
        self._draw = (sys.stderr.isatty() if draw is None else draw) and not quiet
        self._clock = clock
        self._last_s = clock()
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        if self._draw:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bars = Progress(
                TextColumn("{task.fields[row]:<10}"),
                BarColumn(bar_width=18),
                TextColumn("{task.fields[share]:>5}"),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bars.start()
            for row in self._rows:
                self._tasks[row] = self._bars.add_task(
                    "not heard of yet", total=100, row=row, share="", start=False
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, row: str, phase: str, percent: int, key: str = "") -> None:
        """Show that `row` is at `percent` of `phase`, and with which of several keys."""
        if self._state[row] == (phase, percent, key):
            return
        self._state[row] = (phase, percent, key)
        if self._bars is not None:
            waits = phase in WAITING
            self._bars.start_task(self._tasks[row])
            self._bars.update(
                self._tasks[row],
                total=None if waits else 100,
                completed=percent,
                share="" if waits else f"{percent} %",
                description=_doing(phase, key),
            )
        elif not self._quiet and self._clock() - self._last_s >= PLAIN_INTERVAL_S:
            self._last_s = self._clock()
            parts = [
                f"{name}: {_doing(at, key)}{'' if at in WAITING else f' {done} %'}"
                for name, (at, done, key) in self._state.items()
                if at
            ]
            print("psi: " + "; ".join(parts), file=sys.stderr, flush=True)


def _doing(phase: str, key: str) -> str:
    """Return a phase in words, with the key that it is about."""
    return f"{WORDS.get(phase, phase)}, {key}" if key else WORDS.get(phase, phase)
