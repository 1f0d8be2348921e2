"""
Make the run folder: one directory for each run, fresh, readable by its owner alone.

Every file in it is written under a temporary name and renamed when it is whole, so that a name that exists is a file
that is complete. ``events.ndjson`` is the exception: it grows line by line while the run goes on, and another
program may follow it. It holds phases, percentages and counts, never an item.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from psi.errors import MachineError, UsageError
from psi.intake.output import OWNER_ONLY, reason

GATE = "gate.json"
REJECTS = "rejects.csv"
EVENTS = "events.ndjson"
MATCHED = "matched.csv"
RECEIPT = "receipt.json"


def utc_now() -> str:
    """Return the present time in UTC as ISO 8601 with seconds, for records that people read."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def default_name(side: str) -> str:
    """Return the name of the run folder of a side when none was chosen."""
    return f"psi-run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{side}"


class EventLog:
    """
    Record one run, a line of JSON for each event, flushed as it happens.

    ``progress`` may be called as often as one likes; a line is written when a phase changes and then at most once in
    ``interval_s``. The clock is an argument so that tests need not wait. Raises ``MachineError`` when the disk refuses.
    """

    def __init__(
        self, path: Path, *, interval_s: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream: TextIO = open(  # noqa: SIM115 - it is open as long as the run goes on
            path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, OWNER_ONLY)
        )
        self._clock, self._interval_s = clock, interval_s
        self._start_s = clock()
        self._written_s = float("-inf")
        self._phases = ("", "", "")

    def write(self, event: str, **facts: object) -> None:
        """Append one event with its facts: numbers and names of phases, never a value of a file."""
        line = {"t_s": round(self._clock() - self._start_s, 3), "utc": utc_now(), "event": event, **facts}
        try:
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()
        except OSError as error:
            raise MachineError(
                f"cannot write {EVENTS}: {reason(error)}",
                hint="free some space and start both sides again",
            ) from error

    def progress(
        self, phase: str, percent: int, *, peer_phase: str = "", peer_percent: int = 0, key: str = ""
    ) -> None:
        """Append where both sides are, and with which of several keys, unless that was written a moment ago."""
        now_s, phases = self._clock(), (phase, peer_phase, key)
        if self._phases == phases and now_s - self._written_s < self._interval_s:
            return
        self._phases, self._written_s = phases, now_s
        which = {"key": key} if key else {}
        self.write(
            "progress",
            phase=phase,
            percent=percent,
            peer_phase=peer_phase,
            peer_percent=peer_percent,
            **which,
        )

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class RunFolder:
    """
    Hold the directory of one run, mode 0700, and its events; a context manager that closes them.

    Raises ``UsageError`` when the path exists, since a run is never overwritten, and ``MachineError`` when it cannot
    be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            if path.exists():
                raise UsageError(
                    f"{path} exists, and a run folder is never overwritten",
                    hint="choose another folder with --out",
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)  # fails where somebody else has just made it
            self.events = EventLog(path / EVENTS)
        except OSError as error:
            raise MachineError(
                f"cannot make the run folder {path}: {reason(error)}",
                hint="choose a folder that you may write to with --out",
            ) from error
        self.path = path

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.events.close()

    def __truediv__(self, name: str) -> Path:
        """Return the path of a file in the folder."""
        return self.path / name
