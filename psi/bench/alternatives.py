"""
Name the ways in which two organisations can find the people on both of their lists.

Each is a program of two processes (`psi.bench.party`) that starts from the same two files, ends with the same matched
rows, and moves its bytes over the transport of this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psi.wire import Suite

if TYPE_CHECKING:
    from psi.terms import Learns, Side

TO_HOLDER, TO_REQUESTER, HASHED, PSI = "list-to-holder", "file-to-requester", "hashed-lists", "psi"
AS_IS, COMPRESSED, COLUMNS = "csv", "csv-zstd", "columns"
FORMS = {
    AS_IS: "the file as it is",
    COMPRESSED: "the file, compressed by zstd",
    COLUMNS: "only the columns that are needed",
}


@dataclass(frozen=True)
class Alternative:
    """
    Describe one way: ``kind`` says what crosses the line, ``form`` how a file does, ``suite`` how `psi` does it.

    ``learns`` and ``first`` are those of the terms; they are there for `psi` alone.
    """

    kind: str
    form: str | None = None
    suite: Suite | None = None
    learns: Learns | None = None
    first: Side | None = None

    @property
    def name(self) -> str:
        """Return the name by which results and the command line know it."""
        parts = [self.kind if self.suite is None else self.suite.value]
        if self.form not in (None, AS_IS):
            parts.append(str(self.form))
        if self.suite is not None:
            parts.append(f"{self.first}-first" if self.learns == "both" else f"{self.learns}-learns")
        return "/".join(parts)

    @property
    def title(self) -> str:
        """Return what a reader calls it."""
        if self.kind == TO_HOLDER:
            return f"request list to the holder, {FORMS[self.form or AS_IS]}"
        if self.kind == TO_REQUESTER:
            return f"record file to the requester, {FORMS[self.form or AS_IS]}"
        if self.kind == HASHED:
            return "exchange of hashed lists (SHA-256)"
        assert self.suite is not None
        who = f"{self.first} first" if self.learns == "both" else f"only the {self.learns} learns"
        return f"psi, {self.suite.value}, {who}"


def _psi(suite: Suite, learns: Learns, first: Side | None = None) -> Alternative:
    return Alternative(PSI, suite=suite, learns=learns, first=first)


BULK = (
    *(Alternative(TO_HOLDER, form=form) for form in FORMS),
    *(Alternative(TO_REQUESTER, form=form) for form in FORMS),
    Alternative(HASHED),
)
VOLE = (
    _psi(Suite.VOLE_MALICIOUS, "both", "holder"),
    _psi(Suite.VOLE_MALICIOUS, "both", "requester"),
    _psi(Suite.VOLE_SEMI_HONEST, "both", "holder"),
    _psi(Suite.VOLE_SEMI_HONEST, "both", "requester"),
)
GROUP = (
    _psi(Suite.ECDH, "holder"),
    _psi(Suite.ECDH, "requester"),
    _psi(Suite.ECDH_CARDINALITY, "holder"),
    _psi(Suite.ECDH_CARDINALITY, "requester"),
)
ALTERNATIVES: dict[str, Alternative] = {each.name: each for each in (*BULK, *VOLE, *GROUP)}
LEAD = VOLE[0].name  # what `psi terms new` makes when nothing is said
HAPPENED = Alternative(TO_HOLDER, form=AS_IS).name  # what the court record describes
DEFAULT = (  # what is measured where nothing is said, and what the pictures of a page show
    HAPPENED,
    "list-to-holder/csv-zstd",
    "list-to-holder/columns",
    "file-to-requester",
    "hashed-lists",
    LEAD,
    "vole-semi-honest/holder-first",
    "ecdh/holder-learns",
)
