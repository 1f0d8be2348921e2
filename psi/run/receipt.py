"""
State what one run did: what was compared, under which terms, with what outcome. Counts and digests, never an item.

It is written only after both sides' transcripts were compared. ``signatures`` is empty in this version: the receipt is
each side's own record; the transcript in it is the value that both sides checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psi import __version__

if TYPE_CHECKING:
    from psi.session import Session
    from psi.terms import Key
    from psi.wire import Suite

SCHEMA = "psi/receipt/1"
FALSE_MATCH = "at most 2^-40 under each key"  # security.md, "Tag length"


@dataclass(frozen=True, kw_only=True)
class KeyOutcome:
    """
    Hold what came of the session of one key; what this side does not learn is ``None``.

    ``set_bounds`` says how many items the receiver and the sender can have brought at most had they cheated; it is
    there in suites that hold against cheating parties (vole.md, 13). ``matched_rows`` are the own rows that matched
    under this key, those among them that did under a stricter one.
    """

    name: str
    compare: str
    suite: str
    items: Mapping[str, int]
    set_bounds: Mapping[str, int] | None
    overlap: int | None
    matched_rows: int | None
    transcript: bytes
    bytes_sent: int
    bytes_received: int

    @classmethod
    def of(cls, key: Key, suite: Suite, done: Session, *, items: int, matched_rows: int | None) -> KeyOutcome:
        """Return the outcome of a finished session over so many own items."""
        return cls(
            name=key.name,
            compare=key.compare,
            suite=suite.value,
            items={"own": items, "peer": done.n_peer or 0},
            set_bounds=done.set_bounds,
            overlap=done.output().overlap,
            matched_rows=matched_rows,
            transcript=done.transcript,
            bytes_sent=done.bytes_sent,
            bytes_received=done.bytes_received,
        )

    def facts(self) -> dict[str, Any]:
        """Return what the receipt says of a key under the names that it has for the first one as well."""
        return {
            "suite": self.suite,
            "items": dict(self.items),
            "set_bounds": None if self.set_bounds is None else dict(self.set_bounds),
            "overlap": self.overlap,
            "transcript": self.transcript.hex(),
        }

    def document(self) -> dict[str, Any]:
        """Return the entry of this key in the list of all."""
        return {
            "name": self.name,
            "compare": self.compare,
            **self.facts(),
            "matched_rows": self.matched_rows,
            "bytes": {"sent": self.bytes_sent, "received": self.bytes_received},
        }


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """
    Hold what one side states about a finished run; ``document`` gives it as a JSON object.

    ``keys`` has what came of each key, in the order of the terms. What the object says outside of that list, suite,
    items, bounds, overlap and transcript, is of the first key; bytes and matched rows are of the whole run.
    """

    side: str
    role: str
    terms_digest: bytes
    parties: Mapping[str, Mapping[str, str]]
    keys: Sequence[KeyOutcome]
    matched_file: str | None
    matched_rows: int | None
    gate: Mapping[str, Any]
    started: str
    ended: str
    seconds: Mapping[str, float]
    peak_rss_bytes: int
    backend: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes_sent(self) -> int:
        """Return the bytes of all frames that this side sent."""
        return sum(key.bytes_sent for key in self.keys)

    @property
    def bytes_received(self) -> int:
        """Return the bytes of all frames that this side received."""
        return sum(key.bytes_received for key in self.keys)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that is written and shown."""
        first = self.keys[0].facts()
        return {
            "schema": SCHEMA,
            "version": __version__,
            "side": self.side,
            "role": self.role,
            "suite": first["suite"],
            "terms_sha256": self.terms_digest.hex(),
            "parties": {side: dict(facts) for side, facts in self.parties.items()},
            "items": first["items"],
            "set_bounds": first["set_bounds"],
            "overlap": first["overlap"],
            "matched": None
            if self.matched_file is None
            else {"file": self.matched_file, "rows": self.matched_rows},
            "transcript": first["transcript"],
            "keys": [key.document() for key in self.keys],
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
