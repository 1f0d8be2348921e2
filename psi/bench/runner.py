"""Run an alternative with two fresh processes, check the run against the truth, and sum several runs up."""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import subprocess
import sys
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from psi.bench.alternatives import PSI, Alternative
from psi.bench.case import Case, found_rows
from psi.bench.record import COMPUTED, MEASURED, Exposure, Line, Spread
from psi.bench.relay import Link, Relay
from psi.errors import PsiError
from psi.session import traffic
from psi.wire import DIGEST_BYTES, NONCE_BYTES, PROTOCOL, Finish, Hello, Sizes, encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from psi.terms import Side
    from psi.wire import Suite

SIDES: tuple[Side, ...] = ("holder", "requester")
GRACE_S = 2.0  # how long one side may take to say why it stopped once the other has
_BY_PROTOCOL = "by the protocol (leakage tables)"
_COUNTED = "counted from what arrived"


@dataclass(frozen=True)
class Prices:
    """Hold what a benchmark takes an hour of one processor and a gigabyte (10^9 bytes) on a link to cost, in USD."""

    cpu_hour: float = 0.05
    gigabyte: float = 0.09

    def cost(self, cpu_s: float, sent_bytes: int) -> float:
        """Return what a run costs."""
        return round(cpu_s / 3600 * self.cpu_hour + sent_bytes / 1e9 * self.gigabyte, 6)


@dataclass(frozen=True)
class Run:
    """Hold what one run measured: of each side, and of the relay if there was one."""

    parties: dict[Side, dict[str, Any]]
    wall_s: float
    carried: tuple[int, int] | None
    verdict: str


def compute(line: Line, link: Link) -> Line:
    """
    Return a line for a link that was not measured, from one that was measured on loopback.

    The bytes of the busier direction over the rate, and a round trip, are added to the loopback time: what is sent
    while it is computed is counted twice, so the sum is an upper estimate of a run on such a link.
    """
    wall_s = line.wall_s.median + link.floor_s(line.bytes_to_holder, line.bytes_to_requester)
    rounded = round(wall_s, 3)
    return msgspec.structs.replace(
        line,
        link=link.name,
        basis=COMPUTED,
        how="the loopback median, the bytes of the busier direction at the rate of the link, and a round trip",
        repetitions=0,
        wall_s=Spread(median=rounded, min=rounded, max=rounded, all=()),
        cpu_s=None,
        phases_s={},
        peak_memory_bytes={},
    )


def once(case: Case, alternative: Alternative, link: Link, work: Path) -> Run:
    """
    Run both parties once over a link and look at what they left in ``work``, which is emptied first.

    Raises ``PsiError`` with a party's words when one stops.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    agreed = case.agree(alternative)
    relay = Relay(link) if link.is_shaped else None
    parties: dict[Side, _Process] = {}
    try:
        for side in SIDES:
            other: Side = "holder" if side == "requester" else "requester"
            parties[side] = _Process(
                side,
                {
                    "alternative": alternative.name,
                    "side": side,
                    "file": str(case.file(side)),
                    "terms": str(agreed),
                    "identity": str(case.identity(alternative, side)),
                    "peer_identity": str(case.identity(alternative, other)),
                    "out": str(work / side),
                },
            )
        ready = {side: parties[side].read() for side in SIDES}
        parties["holder"].write({})
        port = ready["holder"].get("port") or parties["holder"].read()["port"]
        if relay is not None:
            relay.aim(port)
            port = relay.port
        parties["requester"].write({"port": port})
        measured = _results(parties)
        carried = None if relay is None else relay.carried()
    finally:
        for process in parties.values():
            process.stop()
        if relay is not None:
            relay.stop()
    wall_s = max(each["ended_s"] for each in measured.values()) - min(
        each["began_s"] for each in measured.values()
    )
    return Run(measured, wall_s, carried, _verdict(case, alternative, measured, work))


def _results(parties: dict[Side, _Process]) -> dict[Side, dict[str, Any]]:
    """Wait for what both sides measured; of two that fail, name the one that did not merely lose its peer."""
    pool = ThreadPoolExecutor(len(parties), thread_name_prefix="party")
    try:
        waiting = {side: pool.submit(party.read) for side, party in parties.items()}
        wait(waiting.values(), return_when=FIRST_EXCEPTION)
        # The other side may wait for this one as long as it is allowed to, or have something to say itself.
        ended, _ = wait(waiting.values(), timeout=GRACE_S)
        faults = [fault for each in ended if isinstance(fault := each.exception(), _StoppedError)]
        if faults:
            raise min(faults, key=lambda fault: fault.is_network)
        return {side: each.result() for side, each in waiting.items()}
    finally:
        pool.shutdown(wait=False)


class _StoppedError(PsiError):
    """Say in a party's words why it stopped."""

    def __init__(self, side: Side, words: str, *, is_network: bool) -> None:
        super().__init__(f"the {side} of the benchmark stopped: {words}")
        self.is_network = is_network


class _Process:
    """Hold one party's process and the lines it writes."""

    def __init__(self, side: Side, given: dict[str, Any]) -> None:
        self._side = side
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "psi.bench.party"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.write(given)

    def write(self, word: dict[str, Any]) -> None:
        """Hand the process a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(word) + "\n")
        self._process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Return the next line; raise ``PsiError`` when the process says that it failed, or says nothing."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        told: dict[str, Any] = json.loads(line) if line else {"error": "it ended without a word"}
        if "error" in told:
            raise _StoppedError(self._side, told["error"], is_network=told.get("is_network", False))
        return told

    def stop(self) -> None:
        """End the process, if it still runs, and give its pipes back."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # one that still waits for the word ends
        if self._process.poll() is None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _verdict(case: Case, alternative: Alternative, measured: dict[Side, dict[str, Any]], work: Path) -> str:
    """Compare what every side that learns was left with, row for row; return what was found in words."""
    said = []
    for side in SIDES:
        learns = alternative.kind != PSI or alternative.learns in (side, "both")
        if not learns:
            continue
        overlap = measured[side]["overlap"]
        if overlap != case.matches:
            return f"wrong: the {side} counts {overlap} people, and the truth says {case.matches}"
        if measured[side].get("matched_file", "matched.csv") is None:
            said.append(f"the {side} has the right count")
            continue
        found = found_rows(work / side / "matched.csv")
        if not np.array_equal(found, case.rows[side]):
            return f"wrong: the rows of the {side} are not those of the truth"
        said.append(f"every row of the {side} is right")
    return "; ".join(said)


def summary(case: Case, alternative: Alternative, link: Link, runs: Sequence[Run], prices: Prices) -> Line:
    """Return the line of an alternative over a link: what several runs gave."""
    verdicts = sorted({run.verdict for run in runs})
    sent = [{side: run.parties[side]["bytes_sent"] for side in SIDES} for run in runs]
    exact, keep_alive = _exact_bytes(alternative, runs, sent)
    cpu_s = [sum(party["cpu_s"] for party in run.parties.values()) for run in runs]
    total = sum(exact.values())
    how = (
        "two processes" if not link.is_shaped else "two processes and the relay of this project between them"
    )
    return Line(
        alternative=alternative.name,
        title=alternative.title,
        kind=alternative.kind,
        suite=None if alternative.suite is None else alternative.suite.value,
        link=link.name,
        basis=MEASURED,
        how=how,
        repetitions=len(runs),
        wall_s=spread([run.wall_s for run in runs]),
        cpu_s=spread(cpu_s),
        phases_s={
            side: {
                name: round(statistics.median(run.parties[side]["phases"][name] for run in runs), 3)
                for name in runs[-1].parties[side]["phases"]
            }
            for side in SIDES
        },
        bytes_to_holder=exact["requester"],
        bytes_to_requester=exact["holder"],
        keep_alive_bytes=keep_alive,
        peak_memory_bytes={side: max(run.parties[side]["peak_rss_bytes"] for run in runs) for side in SIDES},
        people_disclosed=case.matches,
        rejected_rows={side: int(runs[-1].parties[side].get("rejected", 0)) for side in SIDES},
        holder_has=_exposure(alternative, runs[-1].parties["holder"]),
        requester_has=_exposure(alternative, runs[-1].parties["requester"]),
        cost_usd=prices.cost(statistics.median(cpu_s), total),
        correct=all(not verdict.startswith("wrong") for verdict in verdicts),
        verdict=" / ".join(verdicts),
    )


def _exact_bytes(
    alternative: Alternative, runs: Sequence[Run], sent: Sequence[dict[Side, int]]
) -> tuple[dict[Side, int], int]:
    """
    Return the bytes of both sides without signs of life, and how many bytes of these there were at most.

    A side of `psi` that computes for a while says so in a short frame; how often depends on the clock, so they are
    counted apart. Everything else follows from suite, sizes and overlap, and must be there to the byte.
    """
    if alternative.kind != PSI:
        return dict(sent[-1]), 0
    assert alternative.suite is not None
    items = runs[-1].parties["holder"]["items"]
    holder_receives = "holder" in (alternative.first, alternative.learns)
    counts = (items["own"], items["peer"]) if holder_receives else (items["peer"], items["own"])
    overlap = next(p["overlap"] for p in runs[-1].parties.values() if p["overlap"] is not None)
    planned = traffic(
        alternative.suite,
        n_receiver=counts[0],
        n_sender=counts[1],
        reported=overlap if alternative.learns == "both" else None,
    )
    receiver: Side = "holder" if holder_receives else "requester"
    sender: Side = "requester" if holder_receives else "holder"
    exact = {
        receiver: planned.from_receiver + _control_bytes(alternative.suite, counts[0]),
        sender: planned.from_sender + _control_bytes(alternative.suite, counts[1]),
    }
    alive = [each[side] - exact[side] for each in sent for side in SIDES]
    if min(alive) < 0:
        raise PsiError(f"{alternative.name}: {-min(alive)} bytes fewer were sent than there must be")
    return exact, max(alive)


def _control_bytes(suite: Suite, items: int) -> int:
    """Return what one side sends besides the frames of the suite: its hello, its size, its finish."""
    digest = bytes(DIGEST_BYTES)
    frames = (
        Hello(PROTOCOL, suite.value, digest, digest, digest, bytes(NONCE_BYTES)),
        Sizes(items),
        Finish(digest),
    )
    return sum(len(encode(frame)) for frame in frames)


def _exposure(alternative: Alternative, party: dict[str, Any]) -> Exposure:
    """Return what a side has of the other's people."""
    basis = _BY_PROTOCOL if alternative.kind == PSI else _COUNTED
    return Exposure(**party["learned"], basis=basis)


def spread(values: Sequence[float]) -> Spread:
    """Return median and extremes, to the millisecond."""
    return Spread(
        median=round(statistics.median(values), 3),
        min=round(min(values), 3),
        max=round(max(values), 3),
        all=tuple(round(value, 3) for value in values),
    )
