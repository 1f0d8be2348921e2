"""The last screen of `psi demo`: what happened, for a reader who decides about policy and not about code."""

from __future__ import annotations

from typing import Any

from psi.cli._words import count, learned, megabytes, seconds

PHASES = (
    ("gate", "reading and checking rows"),
    ("connect", "waiting for the other side"),
    ("exchange", "the private comparison"),
    ("write", "writing the result"),
)


def _row(label: str, requester: str, holder: str) -> str:
    return f"  {label:<38}{requester:>18}{holder:>18}"


def story(result: dict[str, Any]) -> str:
    """Return the screen for a finished demonstration; `result` is its JSON object (schema psi/demo/1)."""
    gate, items = result["gate"], result["items"]
    suite, overlap = result["suite"], result["overlap"]
    lines = [
        "",
        "Two organisations compared their lists. Neither list left its owner.",
        "",
        _row("", "requester", "holder"),
        _row("rows in the file", *(count(gate[side]["rows"]) for side in ("requester", "holder"))),
        _row(
            "rejected by the intake gate",
            *(count(gate[side]["rejected"]) for side in ("requester", "holder")),
        ),
    ]
    reasons = sorted({reason for side in gate.values() for reason in side["reasons"]})
    lines += [
        _row(
            f"  {reason}", *(count(gate[side]["reasons"].get(reason, 0)) for side in ("requester", "holder"))
        )
        for reason in reasons
    ]
    lines += [
        _row(
            "repeated people, counted once",
            *(count(gate[side]["collapsed"]) for side in ("requester", "holder")),
        ),
        _row("people compared", *(count(items[side]) for side in ("requester", "holder"))),
        "",
        f"  On both lists: {count(overlap)} people.",
        f"  Checked against the truth of the synthetic case: {'correct' if result['correct'] else 'WRONG'}.",
        "",
        "What crossed the line",
        _row("", "to the holder", "to the requester"),
        _row(
            "this tool",
            megabytes(result["bytes"]["requester_to_holder"]),
            megabytes(result["bytes"]["holder_to_requester"]),
        ),
        _row(
            "sending the request list instead",
            megabytes(result["bulk_bytes"]["requests_file"]),
            "matched rows",
        ),
        _row("sending the record file instead", "nothing", megabytes(result["bulk_bytes"]["records_file"])),
        "",
        "Time and memory",
        _row("", "requester", "holder"),
    ]
    phases = result["phases"]
    lines += [
        _row(words, *(seconds(phases[side].get(key, 0.0)) for side in ("requester", "holder")))
        for key, words in PHASES
    ]
    lines += [
        _row("peak memory", *(megabytes(result["peak_rss_bytes"][side]) for side in ("requester", "holder"))),
        f"  Both processes, first start to last exit: {seconds(result['seconds']['exchange'])}.",
        "",
        "Who learned what",
    ]
    for side, other in (("requester", "holder"), ("holder", "requester")):
        facts = learned(side, result["learners"], suite, items[side], items[other], overlap)
        lines.append(f"  {side:<11}{facts[0]}")
        lines += [f"  {'':<11}{fact}" for fact in facts[1:]]
    lines += [
        f"  {'others':<11}that the two parties talked, when, and how much",
        "",
        f"Suite {suite}: {result['assurance']}",
        "All people are invented; their tax numbers cannot exist. This software has not been audited.",
        "",
    ]
    return "\n".join(lines)
