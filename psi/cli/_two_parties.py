"""
Both parties of a demonstration, each in a process of its own, on this machine, over mutual TLS.

The processes are the ones that two organisations would start (`psi serve`, `psi join`); nothing here reaches into
them. What is shown of them is read from the events that each writes into its run folder.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from psi.errors import EXIT_CODES, PsiError, TransportError, exit_code

POLL_S = 0.05
GRACE_S = 10.0
_FAULTS = {
    row.code: raised for row in EXIT_CODES for raised in row.classes[:1] if issubclass(raised, PsiError)
}


class EventTail:
    """Reads the lines that were added to a run's events since the last call; half-written lines wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        with open(self._path, "rb") as stream:
            stream.seek(self._offset)
            added = stream.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


@dataclass
class Party:
    """One running side: its process, its run folder, and what it printed."""

    side: str
    run: Path
    process: subprocess.Popen[bytes]
    errors: Path
    output: Path
    tail: EventTail
    exit_s: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def poll(self) -> int | None:
        """Return the exit code once the process has ended, and note when that was seen."""
        code = self.process.poll()
        if code is not None and self.exit_s is None:
            self.exit_s = time.monotonic()
        return code

    def complaint(self) -> str:
        """Return what the process wrote to stderr, for the person who has to find out why it stopped."""
        return self.errors.read_text(encoding="utf-8", errors="replace").strip()


def start(side: str, arguments: list[str], folder: Path) -> Party:
    """
    Start one party with `psi ARGUMENTS`; its run folder is `folder`/SIDE.

    `-P` keeps the current folder off the module path, so that the program started is the one installed.
    """
    run = folder / side
    errors, output = folder / f"{side}.stderr", folder / f"{side}.stdout"
    command = [sys.executable, "-P", "-m", "psi", *arguments, "--out", str(run), "--json", "-q"]
    with open(errors, "wb") as error_stream, open(output, "wb") as output_stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output_stream, stderr=error_stream
        )
    return Party(side, run, process, errors, output, EventTail(run / "events.ndjson"))


def stop(parties: list[Party]) -> None:
    """End what still runs: first by asking, then, after a while, for good."""
    for party in parties:
        if party.process.poll() is None:
            party.process.terminate()
    for party in parties:
        try:
            party.process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            party.process.kill()
            party.process.wait()


def run_both(
    holder_arguments: list[str],
    requester_arguments: Callable[[int], list[str]],
    folder: Path,
    *,
    watch: Callable[[str, str, int, str], None],
) -> tuple[list[Party], float]:
    """
    Run the holder and the requester to their ends; return them and the seconds from the first start to the last exit.

    ``requester_arguments`` is given the port that the holder listens on, ``watch`` is called with side, phase, percent
    and, where there are several, the key as the parties move on. Raises what has the exit code of the party that
    failed, in its own words; the other is then stopped.
    """
    begin_s = time.monotonic()
    parties = [start("holder", holder_arguments, folder)]
    try:
        while True:
            for party in list(parties):
                for event in party.tail:
                    if event["event"] == "listening":
                        parties.append(start("requester", requester_arguments(int(event["port"])), folder))
                    elif event["event"] == "progress":
                        watch(party.side, event["phase"], int(event["percent"]), event.get("key", ""))
            codes = [party.poll() for party in parties]
            if any(code not in (None, 0) for code in codes):
                _raise(parties)
            if len(parties) == 2 and all(code == 0 for code in codes):
                return parties, max(party.exit_s or 0.0 for party in parties) - begin_s
            time.sleep(POLL_S)
    finally:
        stop(parties)


def _raise(parties: list[Party]) -> NoReturn:
    """Give the other side a moment to say its own piece, then raise what the one that failed first said."""
    for party in parties:
        with contextlib.suppress(subprocess.TimeoutExpired):
            party.process.wait(timeout=GRACE_S)
    failed = [party for party in parties if party.process.returncode not in (None, 0)]
    lost = exit_code(TransportError(""))  # what a side says whose peer has failed
    party = min(failed, key=lambda each: each.process.returncode == lost)
    said = dict(
        line.removeprefix("psi: ").partition(": ")[::2]
        for line in party.complaint().splitlines()
        if line.startswith(("psi: error: ", "psi: hint: "))
    )
    raise _FAULTS.get(party.process.returncode, PsiError)(
        f"the {party.side} stopped with exit code {party.process.returncode}: {said.get('error', 'no message')}",
        hint=said.get("hint", "run `psi doctor`; if nothing is lacking there, please report it"),
    )
