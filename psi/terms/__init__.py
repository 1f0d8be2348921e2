"""
Hold what two organisations agreed on: one page of TOML, its digest, what differs between two of them.

Both sides read the same file. Its digest is compared in the hello before anything else happens, so a run takes
place under one text or not at all. (A signature file ``terms.sig`` beside it is not read yet.)
"""

from psi.terms.difference import Difference, diff
from psi.terms.draft import DEFAULT_MAX_ITEMS, DEFAULT_MAX_REJECTED_PERCENT, draft
from psi.terms.fields import SIDES, Side
from psi.terms.keys import Compare, Key, KeyColumn
from psi.terms.model import (
    SCHEMA,
    ColumnRule,
    Encoding,
    Learns,
    Party,
    Terms,
    check,
    digest,
    key_digest,
    learners,
    load,
    parse,
    receiver,
    side_of,
    suite_of,
)
from psi.terms.text import dumps, who_learns_what

__all__ = [
    "DEFAULT_MAX_ITEMS",
    "DEFAULT_MAX_REJECTED_PERCENT",
    "SCHEMA",
    "SIDES",
    "ColumnRule",
    "Compare",
    "Difference",
    "Encoding",
    "Key",
    "KeyColumn",
    "Learns",
    "Party",
    "Side",
    "Terms",
    "check",
    "diff",
    "digest",
    "draft",
    "dumps",
    "key_digest",
    "learners",
    "load",
    "parse",
    "receiver",
    "side_of",
    "suite_of",
    "who_learns_what",
]
