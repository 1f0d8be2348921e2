"""
What can go wrong in a run, each tried for real: the rows of ``docs/when-things-go-wrong.md``.

A mishap is a function that makes it happen to a real ``psi`` process and returns what that process showed and left
behind. ``python -m tests.mishap_page`` writes the page; the test of the same name holds the page to what happens.
A side that is to be stopped is struck by itself, at a moment that has a name: no outcome depends on who is quicker.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from psi import scenario, wire

ROWS, MATCHES = 400, 20
NOT_THE_OUTCOME = ("psi: listening", "psi: we: ")  # progress is written when the machine is slow
WAIT_S = 240
STRUCK = Path(__file__).with_name("struck.py")
# Root without the capabilities that let it read what it may not.
LIKE_ANYBODY = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


@dataclass(frozen=True)
class Outcome:
    """
    Hold what a person sees of a run that went wrong: the screen, the exit code, the files that are left.

    ``killed_left`` are the files that the other side left, where it was killed.
    """

    shown: tuple[str, ...]
    code: int
    left: tuple[str, ...]
    killed_left: tuple[str, ...] | None = None


class Bench:
    """
    Hold a small case and start real processes on it, in a folder of its own.

    ``folder`` is where the mishap takes place; ``cases`` has one for each suite, shared and never changed.
    """

    def __init__(
        self, cases: dict[str, Path], folder: Path, suite: wire.Suite = wire.Suite.VOLE_MALICIOUS
    ) -> None:
        self.cases, self.case, self.folder = cases, cases[suite.value], folder

    def of(self, suite: wire.Suite) -> Bench:
        """Return the same bench with the case of another suite."""
        return Bench(self.cases, self.folder, suite)

    def copy(self, name: str, change: Callable[[bytes], bytes]) -> Path:
        """Return a changed copy of a file of the case."""
        path = self.folder / name
        path.write_bytes(change((self.case / name).read_bytes()))
        return path

    def arguments(self, verb: str, **changes: str | Path) -> list[str]:
        """Return the arguments of one side; ``changes`` replaces an option, ``file`` the input."""
        side, file, address = {
            "serve": ("holder", "records.csv", ("listen", "127.0.0.1:0")),
            "join": ("requester", "requests.csv", ("connect", "127.0.0.1:9")),
        }[verb]
        options: dict[str, str | Path] = {
            "terms": self.case / scenario.TERMS,
            "identity": scenario.identity_folder(self.case, side),
            "out": "run",
            "wait": str(WAIT_S // 2),
            "idle-timeout": str(WAIT_S // 2),
            address[0]: address[1],
        }
        options |= {name.replace("_", "-"): value for name, value in changes.items() if name != "file"}
        command = [verb, str(changes.get("file", self.case / file))]
        return [*command, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    @contextmanager
    def running(
        self,
        verb: str,
        *,
        struck: tuple[signal.Signals, str] | None = None,
        without_privilege: bool = False,
        **changes: str | Path,
    ) -> Iterator[Running]:
        """Start one side and end it with the block, however the block ends; ``struck`` is a signal and its moment."""
        program = ["-m", "psi"] if struck is None else [str(STRUCK), struck[0].name, struck[1]]
        command = [sys.executable, "-P", *program, *self.arguments(verb, **changes)]
        if without_privilege and os.geteuid() == 0:
            command = [*LIKE_ANYBODY, *command]
        running = Running(self, verb, command, str(changes.get("out", "run")))
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()

    def alone(
        self,
        verb: str,
        *,
        struck: tuple[signal.Signals, str] | None = None,
        without_privilege: bool = False,
        **changes: str | Path,
    ) -> Outcome:
        """Run one side to its end."""
        with self.running(verb, struck=struck, without_privilege=without_privilege, **changes) as running:
            return running.outcome()

    @contextmanager
    def holder(
        self, *, struck: tuple[signal.Signals, str] | None = None, **changes: str | Path
    ) -> Iterator[tuple[Running, str]]:
        """Start a holder and wait until it listens; yields it and its address."""
        with self.running("serve", struck=struck, **{"out": "holder-run", **changes}) as holder:
            event = holder.wait_for(lambda line: line["event"] == "listening")
            yield holder, f"127.0.0.1:{event['port']}"

    def kill(self, victim: str, moment: str) -> Outcome:
        """Let one side be killed at a moment and return what the other one shows, and what both leave."""
        kill = signal.SIGKILL, moment
        meets = moment not in NEVER_MET
        if victim == "requester":
            with self.holder(**({} if meets else {"wait": "1"})) as (survivor, address):
                with self.running("join", struck=kill, connect=address) as killed:
                    killed.wait_for_death()
                return replace(survivor.outcome(), killed_left=killed.left())
        with self.holder(struck=kill) as (killed, address):
            if meets:
                seen = self.alone("join", connect=address)
            killed.wait_for_death()
            if not meets:
                seen = self.alone("join", connect=address, wait="1")
            return replace(seen, killed_left=killed.left())


NEVER_MET = ("renames rejects.csv", "enters connect")  # the other side comes to nobody, or waits for nobody


class Running:
    """Hold one started side."""

    def __init__(self, bench: Bench, verb: str, command: list[str], out: str) -> None:
        self._bench, self._run = bench, bench.folder / out
        self._errors = bench.folder / f"{Path(out).name}.{verb}.stderr"
        with self._errors.open("wb") as stream:
            self.process = subprocess.Popen(
                command,
                cwd=bench.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                env={**os.environ, "HOME": str(bench.folder)},
            )

    def wait_for(self, wanted: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Return the first event of the run that is wanted."""
        ended = False
        while True:
            for event in self._events():
                if wanted(event):
                    return event
            if ended:
                raise AssertionError(f"it ended before that event: {self.outcome()}")
            try:
                self.process.wait(timeout=0.01)
                ended = True  # what it wrote last is still to be read
            except subprocess.TimeoutExpired:
                continue

    def _events(self) -> list[dict[str, object]]:
        """Return the events that the run has written."""
        path = self._run / "events.ndjson"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for_death(self) -> None:
        """Wait until the process was killed at its moment, and by nothing else."""
        code = self.process.wait(timeout=WAIT_S)
        assert code == -signal.SIGKILL, self.outcome()

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
        return Outcome(tuple(lines), code, self.left())

    def left(self) -> tuple[str, ...]:
        """Return the names of the files in the run folder."""
        return tuple(sorted(path.name for path in self._run.iterdir())) if self._run.is_dir() else ()


def make_cases(folder: Path) -> dict[str, Path]:
    """Write the cases that the mishaps share, by suite: with what the terms say when nobody says more."""
    cases = {}
    for suite in (wire.Suite.VOLE_MALICIOUS, wire.Suite.ECDH):
        case = cases[suite.value] = folder / suite.value
        scenario.write(case, requests=ROWS, records=ROWS, matches=MATCHES, seed=3)
        scenario.agree(case, requests=ROWS, records=ROWS, suite=suite.value)
    return cases
