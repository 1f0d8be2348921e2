"""
Write the synthetic case: a request file, a record file and the truth about them.

It has the shape of the real case (docs: how many requests, records and matches; rows with junk addresses; rows written
twice) and no real person: the tax numbers are impossible ones. Whoever holds the truth can check a run to the row.
"""

from psi.scenario.files import RECORD_COLUMNS, REQUEST_COLUMNS
from psi.scenario.parties import NAMES, TERMS, agree, identity_folder
from psi.scenario.writing import MATCHES, RECORDS, REQUESTS, Truth, write

__all__ = [
    "MATCHES",
    "NAMES",
    "RECORDS",
    "RECORD_COLUMNS",
    "REQUESTS",
    "REQUEST_COLUMNS",
    "TERMS",
    "Truth",
    "agree",
    "identity_folder",
    "write",
]
