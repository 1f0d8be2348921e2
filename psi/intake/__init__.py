"""
From a file to items and rejects: readers, the gate, and the way back from matched items to rows.

`read` takes a CSV or Parquet file through the rules of the terms; `find_rows` looks up the rows that matched, and
`write_matched` copies them.
"""

from psi.intake.gate import Intake, read
from psi.intake.matched import MatchedRows, find_rows, write_matched
from psi.intake.output import write_json
from psi.intake.reader import open_file
from psi.intake.report import GateReport, KeyShare, RecipeEffect, RuleEffect, check_limit, percent

__all__ = [
    "GateReport",
    "Intake",
    "KeyShare",
    "MatchedRows",
    "RecipeEffect",
    "RuleEffect",
    "check_limit",
    "find_rows",
    "open_file",
    "percent",
    "read",
    "write_json",
    "write_matched",
]
