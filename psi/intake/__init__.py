"""
From a file to items and rejects: readers, the gate, and the way back from matched items to rows.

`find` says what a source is; `read` takes a file or a query through the rules of the terms; `find_rows` looks up the
rows that matched, and `write_matched` copies them.
"""

from psi.intake.gate import Intake, read
from psi.intake.matched import MatchedRows, find_rows, write_matched
from psi.intake.output import write_json
from psi.intake.report import GateReport, KeyShare, RecipeEffect, RuleEffect, check_limit, percent
from psi.intake.source import Query, check, find
from psi.intake.spool import Spool

__all__ = [
    "GateReport",
    "Intake",
    "KeyShare",
    "MatchedRows",
    "Query",
    "RecipeEffect",
    "RuleEffect",
    "Spool",
    "check",
    "check_limit",
    "find",
    "find_rows",
    "percent",
    "read",
    "write_json",
    "write_matched",
]
