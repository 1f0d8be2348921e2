"""What the gate says of a file: counts by reason, rule, recipe and key, and what stops a run because of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from psi.errors import GateError, LimitError

if TYPE_CHECKING:
    from pathlib import Path

    from psi.terms import Party, Side

SCHEMA = "psi/gate/1"


@dataclass(frozen=True)
class RecipeEffect:
    """Say how many values of a key column its recipe changed, among the rows that were not rejected."""

    column: str
    recipe: str
    changed: int


@dataclass(frozen=True)
class RuleEffect:
    """Say how many rows a rule rejected in one column; a row with several faults counts for each of them."""

    column: str
    rule: str
    reason: str
    rejected: int


@dataclass(frozen=True)
class KeyShare:
    """
    Say how many rows have a key: those that were not rejected and have a value in each of its columns.

    ``percent`` is their share of all rows of the file. They have ``items`` different values of it, and ``collapsed``
    of them repeat the value of a row before: ``items + collapsed = rows``.
    """

    name: str
    rows: int
    percent: float
    items: int
    collapsed: int


@dataclass(frozen=True)
class GateReport:
    """
    Say what became of the rows of one file; it holds no value of it, and both parties' reports compare.

    ``passed`` rows brought something new, ``collapsed`` ones nothing: each key that they have repeats that of a row
    before. ``items`` is the number of items under the key that has most. ``reasons`` counts the rejected rows by reason
    code; a row with several reasons counts for each. ``rules`` does so by column and rule, where it is not 0; that a
    value must be there is the rule ``required``, that a row must have a key is the rule ``key``.
    """

    file: str
    rows: int
    passed: int
    rejected: int
    collapsed: int
    items: int
    reasons: dict[str, int]
    recipes: tuple[RecipeEffect, ...]
    rules: tuple[RuleEffect, ...]
    keys: tuple[KeyShare, ...]

    def document(self) -> dict[str, object]:
        """Return the report as ``gate.json`` holds it."""
        lists = {
            name: [asdict(each) for each in getattr(self, name)] for name in ("recipes", "rules", "keys")
        }
        return {"schema": SCHEMA, **asdict(self), **lists}


def percent(part: int, whole: int) -> str:
    """Return a share in percent with one decimal, rounded up: what is above a limit must look so."""
    tenths = -(-part * 1000 // max(whole, 1))
    return f"{tenths // 10}.{tenths % 10}"


def check_rejects(report: GateReport, party: Party, rejects: Path) -> None:
    """Raise `GateError` when no row passed, more were rejected than the terms allow, or nobody has one of the keys."""
    counts = ", ".join(f"{code} {count}" for code, count in report.reasons.items())
    hint = f"{rejects} has the reasons for each row; compare the columns and formats in the terms"
    if report.rejected == report.rows:
        raise GateError(f"{report.file}: none of {report.rows} rows passed the gate ({counts})", hint=hint)
    allowed = party.max_rejected_percent
    if allowed is not None and report.rejected * 100 > allowed * report.rows:
        raise GateError(
            f"{report.file}: {report.rejected} of {report.rows} rows were rejected "
            f"({percent(report.rejected, report.rows)} %), and the terms allow {allowed} % ({counts})",
            hint=hint,
        )
    for key in report.keys:
        if not key.rows:
            raise GateError(
                f"{report.file}: no row has the key {key.name!r}",
                hint="each of its columns needs a value of which its recipe leaves something; compare the columns and "
                "formats in the terms, or agree on terms without this key",
            )


def check_limit(report: GateReport, party: Party, side: Side) -> None:
    """Raise `LimitError` when there are more people under a key than the terms allow."""
    for key in report.keys:
        if key.items > party.max_items:
            by = f" by the key {key.name!r}" if len(report.keys) > 1 else ""
            raise LimitError(
                f"{report.file} has {key.items} different people{by}, and the terms allow the {side} {party.max_items}",
                hint="bring fewer rows, or agree on terms with another max_items",
            )
