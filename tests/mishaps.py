"""
What can go wrong in a run, each tried for real: the rows of ``docs/when-things-go-wrong.md``.

A mishap is a function that makes it happen to a real ``psi`` process and returns what that process showed and left
behind. ``python -m tests.mishap_page`` writes the page; the test of the same name holds the page to what happens.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from psi import scenario

ROWS, MATCHES = 400, 20
# Requests of the runs that are stopped on their way. The records are few: the holder has made its tags when the
# first chunk (32768 elements) comes, and evaluating is then all that it does.
MANY, FEW_RECORDS = 140_000, 4_000
NOT_THE_OUTCOME = ("psi: listening", "psi: we: ")  # progress is written when the machine is slow
WAIT_S = 120
# Root without the capabilities that let it read what it may not.
LIKE_ANYBODY = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


@dataclass(frozen=True)
class Outcome:
    """Hold what a person sees of a run that went wrong: the screen, the exit code, the files that are left."""

    shown: tuple[str, ...]
    code: int
    left: tuple[str, ...]


class Bench:
    """
    Hold a small case and start real processes on it, in a folder of its own.

    ``folder`` is where the mishap takes place; the cases are shared and never changed. ``many`` has so many rows that a
    run on it can be stopped in each of its phases.
    """

    def __init__(self, case: Path, many: Path, folder: Path) -> None:
        self.case, self.many, self.folder = case, many, folder

    def copy(self, name: str, change: Callable[[bytes], bytes]) -> Path:
        """Return a changed copy of a file of the case."""
        path = self.folder / name
        path.write_bytes(change((self.case / name).read_bytes()))
        return path

    def arguments(self, verb: str, **changes: str | Path) -> list[str]:
        """Return the command line of one side; ``changes`` replaces an option, ``file`` the input."""
        side, file, address = {
            "serve": ("holder", "records.csv", ("listen", "127.0.0.1:0")),
            "join": ("requester", "requests.csv", ("connect", "127.0.0.1:9")),
        }[verb]
        options: dict[str, str | Path] = {
            "terms": self.case / scenario.TERMS,
            "identity": scenario.identity_folder(self.case, side),
            "out": "run",
            "wait": "20",
            "idle-timeout": "60",
            address[0]: address[1],
        }
        options |= {name.replace("_", "-"): value for name, value in changes.items() if name != "file"}
        command = [sys.executable, "-P", "-m", "psi", verb, str(changes.get("file", self.case / file))]
        return [*command, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    @contextmanager
    def running(
        self, verb: str, *, without_privilege: bool = False, **changes: str | Path
    ) -> Iterator[Running]:
        """Start one side and end it with the block, however the block ends."""
        running = Running(
            self, verb, self.arguments(verb, **changes), str(changes.get("out", "run")), without_privilege
        )
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()

    def alone(self, verb: str, *, without_privilege: bool = False, **changes: str | Path) -> Outcome:
        """Run one side to its end, with nobody on the other."""
        with self.running(verb, without_privilege=without_privilege, **changes) as running:
            return running.outcome()

    @contextmanager
    def holder(self, **changes: str | Path) -> Iterator[tuple[Running, str]]:
        """Start a holder and wait until it listens; yields it and its address."""
        with self.running("serve", **{"out": "holder-run", **changes}) as holder:
            event = holder.wait_for(lambda line: line["event"] == "listening")
            yield holder, f"127.0.0.1:{event['port']}"

    @contextmanager
    def both_sides(self, *, holder_idle_timeout: str = "60") -> Iterator[tuple[Running, Running]]:
        """Start holder and requester on the case with many rows, each with one thread; yields both."""
        bench = Bench(self.many, self.many, self.folder)
        with (
            bench.holder(threads="1", idle_timeout=holder_idle_timeout) as (holder, address),
            bench.running("join", connect=address, threads="1") as requester,
        ):
            yield holder, requester


class Running:
    """Hold one started side."""

    def __init__(
        self, bench: Bench, verb: str, command: list[str], out: str, without_privilege: bool
    ) -> None:
        self._bench, self._run = bench, bench.folder / out
        self._errors = bench.folder / f"{Path(out).name}.{verb}.stderr"
        with self._errors.open("wb") as stream:
            self.process = subprocess.Popen(
                [*(LIKE_ANYBODY if without_privilege and os.geteuid() == 0 else ()), *command],
                cwd=bench.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                env={**os.environ, "HOME": str(bench.folder)},
            )

    def wait_for(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Return the first event of the run that is wanted."""
        events = self._run / "events.ndjson"
        while True:
            if events.exists():
                text = events.read_text(encoding="utf-8")
                for line in text[: text.rfind("\n") + 1].splitlines():
                    if wanted(event := json.loads(line)):
                        return event
            try:
                self.process.wait(timeout=0.01)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"it ended before that event: {self.outcome()}")

    def wait_for_phase(self, phase: str) -> None:
        """Wait until the run is in a phase."""
        self.wait_for(lambda event: event["event"] == "progress" and event["phase"] == phase)

    def outcome(self) -> Outcome:
        """Wait for the end and return what there is to see, without what differs from one time to the next."""
        code = self.process.wait(timeout=WAIT_S)
        shown = self._errors.read_text(encoding="utf-8")
        for pattern, text in (
            (re.escape(f"{self._bench.folder}/"), ""),
            (re.escape(f"{self._bench.case}/"), ""),
            (r"127\.0\.0\.1 port \d+", "127.0.0.1 port 7766"),
            (r"(127\.0\.0\.1:|port |sport = :)\d+", r"\g<1>7766"),
        ):
            shown = re.sub(pattern, text, shown)
        lines = [line for line in shown.splitlines() if line and not line.startswith(NOT_THE_OUTCOME)]
        left = sorted(path.name for path in self._run.iterdir()) if self._run.is_dir() else []
        return Outcome(tuple(lines), code, tuple(left))


def make_case(folder: Path, requests: int = ROWS, records: int = ROWS) -> Path:
    """Write the case that the mishaps share."""
    scenario.write(folder, requests=requests, records=records, matches=MATCHES, seed=3)
    scenario.agree(folder, requests=requests, records=records, suite="ecdh", learns="requester")
    return folder


def without_folder(outcome: Outcome) -> Outcome:
    """Forget which files are left, where that depends on how quick the machine is."""
    return replace(outcome, left=())
