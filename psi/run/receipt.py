"""
State what one run did: what was compared, under which terms, with what outcome. Counts and digests, never an item.

It is written only after both sides' transcripts were compared. ``signatures`` is empty in this version: the receipt is
each side's own record; the transcript in it is the value that both sides checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psi import __version__

SCHEMA = "psi/receipt/1"
FALSE_MATCH = "at most 2^-40 in the whole run"  # security.md, "Tag length"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """
    Hold what one side states about a finished run; ``document`` gives it as a JSON object.

    ``set_bounds`` says how many items the receiver and the sender can have brought at most had they cheated; it is
    there in suites that hold against cheating parties (vole.md, 13).
    """

    side: str
    role: str
    suite: str
    terms_digest: bytes
    parties: Mapping[str, Mapping[str, str]]
    items: Mapping[str, int]
    set_bounds: Mapping[str, int] | None
    overlap: int | None
    matched_file: str | None
    matched_rows: int | None
    transcript: bytes
    gate: Mapping[str, Any]
    bytes_sent: int
    bytes_received: int
    started: str
    ended: str
    seconds: Mapping[str, float]
    peak_rss_bytes: int
    backend: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that is written and shown."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "side": self.side,
            "role": self.role,
            "suite": self.suite,
            "terms_sha256": self.terms_digest.hex(),
            "parties": {side: dict(facts) for side, facts in self.parties.items()},
            "items": dict(self.items),
            "set_bounds": None if self.set_bounds is None else dict(self.set_bounds),
            "overlap": self.overlap,
            "matched": None
            if self.matched_file is None
            else {"file": self.matched_file, "rows": self.matched_rows},
            "transcript": self.transcript.hex(),
            "false_match": FALSE_MATCH,
            "gate": dict(self.gate),
            "bytes": {"sent": self.bytes_sent, "received": self.bytes_received},
            "started": self.started,
            "ended": self.ended,
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "peak_rss_bytes": self.peak_rss_bytes,
            "backend": dict(self.backend),
            "audited": False,
            "signatures": [],
        }
