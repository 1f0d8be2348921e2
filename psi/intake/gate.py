"""
The gate: run the rules of the terms on every row, write down what is rejected, bring the rest into form.

A rule passes or rejects; nothing is repaired. Rules see the raw value, recipes come after. Nothing is dropped in
silence: ``passed + rejected + collapsed = rows``, where a row passed if it brought an item that no row before it has,
and collapsed if each key that it has repeats that of a row before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psi.intake.judge import Judge
from psi.intake.kinds import open_table
from psi.intake.output import whole_file
from psi.intake.reader import CHUNK_BYTES, Table
from psi.intake.report import GateReport, KeyShare, check_rejects
from psi.items import Collector, Items

if TYPE_CHECKING:
    from psi.intake.source import Query
    from psi.intake.spool import Spool
    from psi.terms import Key, Party, Side

REJECTS_HEADER = b"row,columns,reasons\n"


@dataclass(frozen=True)
class Intake:
    """Hold what came of a file: the items under each key of the terms, the report, the table that finds its rows."""

    items: tuple[Items, ...]
    report: GateReport
    table: Table = field(repr=False)


def read(
    source: Path | Query,
    *,
    party: Party,
    side: Side,
    keys: Sequence[Key],
    rejects: Path,
    threads: int = 1,
    chunk_bytes: int = CHUNK_BYTES,
    spool: Spool | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_report: Callable[[GateReport], None] | None = None,
) -> Intake:
    """
    Read a file or a query through the gate; ``run`` calls it with what the terms say of one ``side``.

    ``rejects`` gets a line for each rejected row: its number (data rows count from 1), the columns at fault and, in
    the same order, the reasons. ``spool`` keeps the rows of a query, whose matched rows could not be written without.
    ``progress(done_bytes, total_bytes)`` is called after each batch, ``on_report`` once, before the report may stop the
    run.

    Raises `GateError` that names row and column by number when the file is not sound, and when no row passes, more
    are rejected than the terms allow, or no row has one of the keys (then ``rejects`` is there); `UsageError` when
    there is no such file or the query cannot be; `MachineError` when the source cannot be read or a file cannot be
    written.
    """
    judge = Judge(party, side, keys)
    table = open_table(source, party, wanted=list(judge.formats), chunk_bytes=chunk_bytes, spool=spool)
    collectors = [Collector(threads=threads) for _ in keys]
    rows = 0
    with whole_file(rejects) as stream, ThreadPoolExecutor(threads, thread_name_prefix="gate") as pool:
        stream.write(REJECTS_HEADER)
        for batch in table.batches(judge.formats):
            judge.judge(batch.frame, rows, collectors, stream, pool)
            rows += batch.frame.height
            if progress is not None:
                progress(batch.done_bytes, table.total_bytes)
        judge.reject(stream)
    items = tuple(collector.finish() for collector in collectors)
    passed, collapsed = _account(items, rows)
    assert passed + judge.rejected + collapsed == rows
    report = GateReport(
        file=source.name,
        rows=rows,
        passed=passed,
        rejected=judge.rejected,
        collapsed=collapsed,
        items=max(map(len, items)),
        reasons=dict(sorted(judge.reasons.items())),
        recipes=judge.recipe_effects(),
        rules=judge.rule_effects(),
        keys=tuple(
            KeyShare(key.name, len(own.rows), round(100 * len(own.rows) / rows, 2), len(own), own.collapsed)
            for key, own in zip(keys, items, strict=True)
        ),
    )
    if on_report is not None:
        on_report(report)
    check_rejects(report, party, rejects)
    return Intake(items, report, table)


def _account(items: Sequence[Items], rows: int) -> tuple[int, int]:
    """Return how many rows are the first of an item under some key, and how many have only items of rows before."""
    if len(items) == 1:
        return len(items[0]), items[0].collapsed
    there, first = np.zeros(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
    for own in items:
        there[own.rows] = True
        first[own.first_rows] = True
    return int(first.sum()), int((there & ~first).sum())
