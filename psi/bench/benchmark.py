"""
Run a benchmark: the alternatives over the links that were chosen, into one record.

It goes in rounds, each of them through all alternatives: a machine that is slower for minutes is so for all of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psi import __version__
from psi.bench import case, machine, relay, reversal, runner
from psi.bench.alternatives import ALTERNATIVES, DEFAULT, HAPPENED, LEAD
from psi.bench.record import SCHEMA, Line, RelayAccuracy, Results, facts_digest
from psi.bench.relay import LINKS, LOOPBACK, Link
from psi.bench.runner import Prices
from psi.errors import UsageError

LEAD_ROWS, LEAD_MATCHES = 1_280_000, 47_489
DEFAULT_ROWS = 100_000
DEFAULT_LINKS = ("100mbit-10ms",)
SHAPED = (
    HAPPENED,
    "list-to-holder/columns",
    LEAD,
    "vole-semi-honest/holder-first",
)  # what is measured over links, where nothing else is said
_FAST_LINKS = (LOOPBACK.name, "1gbit-1ms")
_REVERSED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    Hold what is to be measured; ``links`` besides loopback are measured for the alternatives of ``over_links``.

    What is not measured over a link is computed from loopback, and says so. ``repeat`` is for loopback and a fast link;
    what takes minutes at a million rows, thin links and the suites over a group, is run a third of it, rounded up.
    """

    requests: int = DEFAULT_ROWS
    records: int = DEFAULT_ROWS
    matches: int = DEFAULT_ROWS * LEAD_MATCHES // LEAD_ROWS
    seed: int = 1
    repeat: int = 3
    alternatives: tuple[str, ...] = DEFAULT
    links: tuple[str, ...] = DEFAULT_LINKS
    over_links: tuple[str, ...] = SHAPED
    prices: Prices = field(default_factory=Prices)
    reversed_numbers: int = _REVERSED
    command: str = "psi bench"

    def __post_init__(self) -> None:
        for name in (*self.alternatives, *self.over_links):
            if name not in ALTERNATIVES:
                raise UsageError(f"{name} is no alternative", hint="known ones: " + ", ".join(ALTERNATIVES))
        for name in self.links:
            if name not in LINKS:
                raise UsageError(f"{name} is no link", hint="known ones: " + ", ".join(LINKS))
        if self.repeat < 1:
            raise UsageError(f"{self.repeat} repetitions, and 1 is the least")

    def repetitions(self, alternative: str, link: str) -> int:
        """Return how often an alternative is run over a link."""
        suite = ALTERNATIVES[alternative].suite
        is_slow = link not in _FAST_LINKS or (suite is not None and not suite.can_report)
        return -(-self.repeat // 3) if is_slow else self.repeat

    def measured(self) -> list[tuple[str, str]]:
        """Return alternative and link of every line that is measured, in their order."""
        shaped = [name for name in self.links if name != LOOPBACK.name]
        return [
            *((name, LOOPBACK.name) for name in self.alternatives),
            *((name, link) for link in shaped for name in self.over_links if name in self.alternatives),
        ]


def run(plan: Plan, *, progress: Callable[[str, int], None] | None = None) -> Results:
    """
    Run a plan and return its results; ``psi bench`` calls it.

    ``progress`` is called with what comes next and the percentage of runs that are done. The case and the runs lie in a
    temporary folder, which is removed. Raises what a party raises, with its words.
    """
    started = _utc()
    described = machine.describe()
    measured = plan.measured()
    total = sum(plan.repetitions(*each) for each in measured)
    done = 0

    def tell(what: str) -> None:
        if progress is not None:
            progress(what, 100 * done // total)

    folder = Path(tempfile.mkdtemp(prefix="psi-bench-"))
    try:
        tell("the synthetic case")
        made = case.make(
            folder / "case",
            requests=plan.requests,
            records=plan.records,
            matches=plan.matches,
            seed=plan.seed,
        )
        inputs = made.inputs()
        runs: dict[tuple[str, str], list[runner.Run]] = {each: [] for each in measured}
        for number in range(plan.repeat):
            for name, link in measured:
                if number < plan.repetitions(name, link):
                    tell(f"round {number + 1}: {name} over {link}")
                    runs[name, link].append(
                        runner.once(made, ALTERNATIVES[name], LINKS[link], folder / "run")
                    )
                    done += 1
        lines = [
            runner.summary(made, ALTERNATIVES[name], LINKS[link], runs[name, link], plan.prices)
            for name, link in measured
        ]
        lines.extend(_computed(lines))
        tell("how well the relay keeps to its rates")
        shaped = [LINKS[name] for name in plan.links if LINKS[name].is_shaped]
        accuracies = tuple(_accuracy(link) for link in shaped)
        tell("numbers from their hashes")
        reversals = reversal.demonstrate(sample=plan.reversed_numbers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts = {"requests": plan.requests, "records": plan.records, "matches": plan.matches}
    return Results(
        schema=SCHEMA,
        version=__version__,
        commit=machine.commit(),
        command=plan.command,
        started=started,
        ended=_utc(),
        seed=plan.seed,
        case=counts,
        inputs=inputs,
        machine=described,
        versions={**machine.versions(), "names": made.names},
        prices={
            "cpu_hour_usd": plan.prices.cpu_hour,
            "gigabyte_usd": plan.prices.gigabyte,
            "note": "assumed, not quoted from anybody",
        },
        matched_count=made.kinds,
        lines=tuple(lines),
        relay=accuracies,
        reversal=reversals,
        facts_sha256=facts_digest(tuple(lines), counts, inputs),
    )


def _accuracy(link: Link) -> RelayAccuracy:
    """Measure the relay, and the kernel's own token bucket beside it where that can be had."""
    kernel = relay.kernel_accuracy(link)
    return RelayAccuracy(
        **asdict(relay.accuracy(link)),
        kernel_rate_bit_s=None if isinstance(kernel, str) else kernel.rate_bit_s,
        kernel_note=kernel
        if isinstance(kernel, str)
        else "token bucket filter (tbf), in a network of its own",
    )


def _computed(lines: list[Line]) -> list[Line]:
    """Return a line for every alternative and link that was not measured."""
    there = {(line.alternative, line.link) for line in lines}
    return [
        runner.compute(line, link)
        for link in LINKS.values()
        for line in lines
        if line.link == LOOPBACK.name and (line.alternative, link.name) not in there
    ]


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
