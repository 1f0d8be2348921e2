"""
Name the operations on columns: recipes bring a value into one form, rules say which raw values pass.

A name ends in its version, and what a name stands for never changes: other behaviour gets another name. The
terms choose by name, so that both parties compute the same; the intake gate runs rules on raw values and
recipes on what passed. All are polars expressions over string columns without nulls; some call a kernel of the core.

Unicode is pinned to version 14.0 (that of Python 3.11), whatever the tables of polars know: a newer table on
one side alone would change the keys, and a silent mismatch looks like "no overlap".
"""

from psi.recipes.columns import RECIPES, Recipe, check_format
from psi.recipes.dates import DIRECTIVES, date_pattern
from psi.recipes.kernels import is_plain
from psi.recipes.rules import PARAMETERS, RULES, Example, Rule
from psi.recipes.tables import is_zip_of

__all__ = [
    "DIRECTIVES",
    "PARAMETERS",
    "RECIPES",
    "RULES",
    "Example",
    "Recipe",
    "Rule",
    "check_format",
    "date_pattern",
    "is_plain",
    "is_zip_of",
]
