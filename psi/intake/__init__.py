"""
From a file to items and rejects: readers, the gate, and the way back from matched items to rows.

`read` takes a CSV or Parquet file through the rules of the terms; `write_matched` copies the rows that matched.
"""

from psi.intake.gate import GateReport, Intake, RecipeEffect, RuleEffect, percent, read
from psi.intake.matched import write_matched
from psi.intake.output import write_json
from psi.intake.reader import open_file

__all__ = [
    "GateReport",
    "Intake",
    "RecipeEffect",
    "RuleEffect",
    "open_file",
    "percent",
    "read",
    "write_json",
    "write_matched",
]
