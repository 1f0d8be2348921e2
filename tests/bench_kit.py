"""A record of a benchmark for tests of what is made from one; its numbers are of nothing."""

from __future__ import annotations

from psi.bench.alternatives import ALTERNATIVES
from psi.bench.record import (
    SCHEMA,
    Exposure,
    Line,
    RelayAccuracy,
    Results,
    Reversal,
    Spread,
    facts_digest,
)
from psi.bench.relay import LINKS
from psi.bench.runner import compute

NOTHING = Exposure(
    form="nothing", people=0, unmatched=0, fields=0, copies=0, basis="counted from what arrived"
)
CASE = {"requests": 1000, "records": 2000, "matches": 37}
INPUTS: dict[str, dict[str, int | str]] = {
    "requests.csv": {"rows": 1000, "bytes": 200_000, "sha256": "aa" * 32},
    "records.csv": {"rows": 2000, "bytes": 200_000, "sha256": "bb" * 32},
}


def spread(*values: float) -> Spread:
    return Spread(median=sorted(values)[len(values) // 2], min=min(values), max=max(values), all=values)


def line(name: str, *, correct: bool = True, wall_s: float = 1.25) -> Line:
    """Return a measured line of an alternative on loopback."""
    alternative = ALTERNATIVES[name]
    has = NOTHING
    if alternative.suite is None:
        has = Exposure(
            form="in clear",
            people=1000,
            unmatched=963,
            fields=18,
            copies=1,
            basis="counted from what arrived",
        )
    return Line(
        alternative=name,
        title=alternative.title,
        kind=alternative.kind,
        suite=None if alternative.suite is None else alternative.suite.value,
        link="loopback",
        basis="measured",
        how="two processes",
        repetitions=3,
        wall_s=spread(wall_s - 0.25, wall_s, wall_s + 0.5),
        cpu_s=spread(2.0, 2.5, 3.0),
        phases_s={"holder": {"gate": 0.5}, "requester": {"gate": 0.5}},
        bytes_to_holder=1_000_000 if alternative.suite is None else 200_000,
        bytes_to_requester=3_000,
        keep_alive_bytes=0,
        peak_memory_bytes={"holder": 200_000_000, "requester": 300_000_000},
        people_disclosed=37,
        rejected_rows={"holder": 0, "requester": 12 if alternative.suite else 0},
        holder_has=has,
        requester_has=NOTHING,
        cost_usd=0.0001,
        correct=correct,
        verdict="every row of the holder is right" if correct else "wrong: the holder counts 36 people",
    )


def results(*lines: Line) -> Results:
    """Return a whole record; without lines, of the list that was sent and of the default of psi."""
    given = lines or (
        line("list-to-holder"),
        line("list-to-holder/columns"),
        line("vole-malicious/holder-first"),
    )
    computed = tuple(compute(each, link) for link in LINKS.values() if link.is_shaped for each in given)
    every = (*given, *computed)
    return Results(
        schema=SCHEMA,
        version="0.1.0",
        commit="0123456789ab",
        command="psi bench",
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:02:00+00:00",
        seed=1,
        case=CASE,
        inputs=INPUTS,
        machine={
            "processor": "a <processor>",
            "processors": 2,
            "memory_bytes": 8_000_000_000,
            "system": "Linux 6.1",
            "load_before": 0.1,
            "backend_vole": "portable",
        },
        versions={"python": "3.11.7"},
        prices={"cpu_hour_usd": 0.05, "gigabyte_usd": 0.09, "note": "assumed"},
        matched_count={"match": 37},
        lines=every,
        relay=(
            RelayAccuracy(
                link="100mbit-10ms",
                asked_round_trip_s=0.01,
                round_trip_s=0.0101,
                round_trip_max_s=0.02,
                asked_rate_bit_s=1e8,
                rate_bit_s=9.9e7,
                sent_bytes=12_500_000,
                kernel_rate_bit_s=None,
                kernel_note="unshare is not installed",
            ),
        ),
        reversal=(
            Reversal(
                what="SHA-256 of the nine digits",
                targets=1000,
                recovered=1000,
                tried=1_000_000,
                sample_s=1.0,
                rate_per_s=1_000_000,
                processors=2,
                full_s=1000.0,
            ),
        ),
        facts_sha256=facts_digest(every, CASE, INPUTS),
    )
