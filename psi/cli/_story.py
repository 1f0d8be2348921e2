"""The last screen of `psi demo`: what happened, for a reader who decides about policy and not about code."""

from __future__ import annotations

import textwrap
from typing import Any

from psi.cli._words import count, learned, megabytes, seconds

WIDTH = 80
SIDES = ("requester", "holder")
PHASES = (
    ("gate", "reading and checking rows"),
    ("connect", "waiting for the other side"),
    ("exchange", "the private comparison"),
    ("write", "writing the matched rows"),
)
REASONS = {
    "missing": "something is missing",
    "empty-key": "nothing that could be compared",
    "date": "a date that does not exist",
    "date-range": "a date that cannot be",
    "date-order": "two dates in the wrong order",
    "tax-number": "a tax number of the wrong shape",
    "tax-number-class": "a tax number that nobody can have",
    "name": "no name",
    "placeholder": "words that stand for nothing",
    "street": "a street without a number or a name",
    "city": "no city",
    "state": "a state that does not exist",
    "zip": "a ZIP code that does not exist",
    "zip-state": "a ZIP code of another state",
    "institution": "the address of an institution",
    "not-listed": "a value that is not on the list",
    "length": "too long or too short",
    "control": "a control character",
}


def story(result: dict[str, Any]) -> str:
    """Return the screen for a finished demonstration; `result` is its JSON object (schema psi/demo/1)."""
    parts = (
        ["Two organisations compared their lists. Neither list left its owner."],
        _lists(result),
        [
            f"  On both lists: {count(result['overlap'])} people.",
            f"  Checked against the truth of this invented case: {'correct' if result['correct'] else 'WRONG'}.",
        ],
        _learned(result),
        _crossed(result),
        _spent(result),
        _fine_print(result),
    )
    return "\n".join(["", *("\n".join([*part, ""]) for part in parts)])


def _row(label: str, *values: str) -> str:
    return f"  {label:<40}" + "".join(f"{value:>18}" for value in values)


def _wrapped(text: str, *, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH - 1,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _lists(result: dict[str, Any]) -> list[str]:
    """Say what each side brought, and what became of it."""
    gate, items, bounds = result["gate"], result["items"], result["set_bounds"]
    reasons = sorted({reason for side in SIDES for reason in gate[side]["reasons"]})
    lines = [
        _row("", *SIDES),
        _row("rows in the file", *(count(gate[side]["rows"]) for side in SIDES)),
        _row("rejected by the intake gate", *(count(gate[side]["rejected"]) for side in SIDES)),
        *(
            _row(
                f"  {REASONS.get(reason, reason)}",
                *(count(gate[side]["reasons"].get(reason, 0)) for side in SIDES),
            )
            for reason in reasons
        ),
        _row("repeated people, counted once", *(count(gate[side]["collapsed"]) for side in SIDES)),
        _row("people compared", *(count(items[side]) for side in SIDES)),
    ]
    if bounds is not None:
        lines.append(_row("the most a cheat could have compared", *(count(bounds[side]) for side in SIDES)))
    return lines


def _learned(result: dict[str, Any]) -> list[str]:
    """Say who knows what now that it did not know before, in the order in which they learned it."""
    learners, items = result["learners"], result["items"]
    lines = [f"Who learned what{f', the {learners[0]} first' if len(learners) > 1 else ''}"]
    for side in (*learners, *(side for side in SIDES if side not in learners)):
        other = "holder" if side == "requester" else "requester"
        facts = learned(side, learners, result["suite"], items[side], items[other], result["overlap"])
        for place, fact in enumerate(facts):
            lines += _wrapped(fact, indent=" " * 13, first=f"  {side if not place else '':<11}")
    return [*lines, f"  {'others':<11}that the two parties talked, when, and how much"]


def _crossed(result: dict[str, Any]) -> list[str]:
    """Set the bytes on the line beside those of a list."""
    sent, bulk = result["bytes"], result["bulk_bytes"]
    return [
        "What crossed the line",
        _row("", "to the holder", "to the requester"),
        _row("this tool", megabytes(sent["requester_to_holder"]), megabytes(sent["holder_to_requester"])),
        _row("sending the request list instead", megabytes(bulk["requests_file"]), "matched rows"),
        _row("sending the record file instead", "nothing", megabytes(bulk["records_file"])),
    ]


def _spent(result: dict[str, Any]) -> list[str]:
    """Say what it took of each side's machine, which here is the same one."""
    phases = result["phases"]
    return [
        "Time and memory",
        _row("", *SIDES),
        *(_row(words, *(seconds(phases[side].get(key, 0.0)) for side in SIDES)) for key, words in PHASES),
        _row("peak memory", *(megabytes(result["peak_rss_bytes"][side]) for side in SIDES)),
        f"  Both processes, first start to last exit: {seconds(result['seconds']['exchange'])}.",
    ]


def _fine_print(result: dict[str, Any]) -> list[str]:
    """Say what holds, and what nobody has checked."""
    return [
        *_wrapped(f"Suite {result['suite']}: {result['assurance']}"),
        *_wrapped(
            "All people are invented; their tax numbers cannot exist. This software has not been audited."
        ),
    ]
