"""Numbers and suites in the words of people who have never heard of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def count(number: int) -> str:
    """Return 1280000 as 1,280,000."""
    return f"{number:,}"


def megabytes(number: int) -> str:
    """Return bytes as MB (10^6) with one decimal, or kB below one."""
    return f"{number / 1e6:,.1f} MB" if number >= 10**6 else f"{number / 1e3:,.1f} kB"


def seconds(number: float) -> str:
    """Return a duration as people say it."""
    return f"{number:.1f} s" if number < 120 else f"{number / 60:.1f} min"


def learned(
    side: str,
    learners: Sequence[str],
    suite: str,
    own: int,
    peer: int,
    overlap: int,
    *,
    one_of_several: bool = False,
) -> list[str]:
    """Return what `side` knows after the comparison of a key that it did not know before, a line for each fact."""
    other = "holder" if side == "requester" else "requester"
    nothing = "by this key nothing" if one_of_several else "nothing"
    facts = [f"how many people the {other} compared: {count(peer)}"]
    if side not in learners:
        return [*facts, f"{nothing} about who is on both lists"]
    if suite == "ecdh-cardinality":
        return [f"how many people are on both lists: {count(overlap)}, not which", *facts]
    return [
        f"which {count(overlap)} of its own {count(own)} people the {other} has too",
        *facts,
        f"{nothing} about the {other}'s remaining {count(peer - overlap)} people",
    ]
