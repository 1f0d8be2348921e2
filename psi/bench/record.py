"""
Hold the results of a benchmark as values that are checked when they are read; their JSON Schema is made from them.

Times are in seconds, sizes in bytes, money in US dollars at the prices that stand in the record.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import rfc8785

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "psi/bench/1"
MEASURED, COMPUTED = "measured", "computed"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decode exactly: an unknown field, a missing one or another type is an error."""


class Spread(_Part, frozen=True, kw_only=True):
    """Hold what repetitions gave: the median, the least and the most, and every one in its order."""

    median: float
    min: float
    max: float
    all: tuple[float, ...]


class Exposure(_Part, frozen=True, kw_only=True):
    """
    Say what one side has of the other's people when a run is over.

    ``form`` is how it has them. ``people`` are those it received anything of that it could read or test guesses
    against; ``unmatched`` those of them who are on one list alone. ``fields`` are the columns that came with each,
    ``copies`` the files that hold them. ``basis`` says how it is known: counted from what arrived, or by the protocol.
    """

    form: str
    people: int
    unmatched: int
    fields: int
    copies: int
    basis: str


class Line(_Part, frozen=True, kw_only=True):
    """
    Hold one line of results: an alternative over a link.

    ``basis`` is measured or computed, and ``how`` says by what or from what; a computed line has no repetitions.
    ``wall_s`` is from the word to begin, given to two processes that stand ready, to the last file on the disk.
    ``bytes_to_holder`` and ``bytes_to_requester`` are what the programs handed to TLS without signs of life, of which
    ``keep_alive_bytes`` is the most that one side sent in a run. ``rejected_rows`` are the rows of each side that its
    own intake gate held back; only `psi` has one.
    """

    alternative: str
    title: str
    kind: str
    suite: str | None
    link: str
    basis: str
    how: str
    repetitions: int
    wall_s: Spread
    cpu_s: Spread | None
    phases_s: dict[str, dict[str, float]]
    bytes_to_holder: int
    bytes_to_requester: int
    keep_alive_bytes: int
    peak_memory_bytes: dict[str, int]
    people_disclosed: int
    rejected_rows: dict[str, int]
    holder_has: Exposure
    requester_has: Exposure
    cost_usd: float | None
    correct: bool
    verdict: str

    @property
    def bytes_total(self) -> int:
        """Return the bytes of both directions."""
        return self.bytes_to_holder + self.bytes_to_requester

    @property
    def exposed_without_match(self) -> int:
        """Return how many people on one list alone the other side got something of."""
        return self.holder_has.unmatched + self.requester_has.unmatched


class RelayAccuracy(_Part, frozen=True, kw_only=True):
    """
    Say how well the relay kept to the rate and the delay it was asked for.

    ``kernel_rate_bit_s`` is what the kernel's own token bucket made of the same rate, measured in the same way; it is
    not there where ``kernel_note`` says why.
    """

    link: str
    asked_round_trip_s: float
    round_trip_s: float
    round_trip_max_s: float
    asked_rate_bit_s: float
    rate_bit_s: float
    sent_bytes: int
    kernel_rate_bit_s: float | None
    kernel_note: str


class Reversal(_Part, frozen=True, kw_only=True):
    """
    Say how quickly nine-digit numbers come back from their hashes on this machine.

    ``tried`` numbers were hashed and looked up among ``targets`` hashes, all of which were found (``recovered``).
    ``full_s`` is how long all 10^9 take at that rate on ``processors`` processors: computed, not measured.
    """

    what: str
    targets: int
    recovered: int
    tried: int
    sample_s: float
    rate_per_s: float
    processors: int
    full_s: float


class Results(_Part, frozen=True, kw_only=True):
    """Hold one benchmark; ``facts`` are what a second run must repeat, and ``facts_sha256`` is their digest."""

    schema: str
    version: str
    commit: str
    command: str
    started: str
    ended: str
    seed: int
    case: dict[str, int]
    inputs: dict[str, dict[str, int | str]]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    prices: dict[str, float | str]
    matched_count: dict[str, int]
    lines: tuple[Line, ...]
    relay: tuple[RelayAccuracy, ...]
    reversal: tuple[Reversal, ...]
    facts_sha256: str

    def line(self, alternative: str, link: str = "loopback") -> Line | None:
        """Return the line of an alternative over a link, if it is there."""
        return next(
            (line for line in self.lines if (line.alternative, line.link) == (alternative, link)), None
        )


def facts(lines: tuple[Line, ...], case: dict[str, int], inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what does not depend on how quick a machine is: counts, digests, bytes and verdicts."""
    return {
        "case": case,
        "inputs": inputs,
        "lines": [
            {
                "alternative": line.alternative,
                "link": line.link,
                "basis": line.basis,
                "bytes": [line.bytes_to_holder, line.bytes_to_requester],
                "people_disclosed": line.people_disclosed,
                "rejected_rows": line.rejected_rows,
                "holder_has": msgspec.to_builtins(line.holder_has),
                "requester_has": msgspec.to_builtins(line.requester_has),
                "correct": line.correct,
                "verdict": line.verdict,
            }
            for line in lines
        ],
    }


def facts_digest(lines: tuple[Line, ...], case: dict[str, int], inputs: dict[str, Any]) -> str:
    """Return the SHA-256 of the facts in canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(facts(lines, case, inputs))).hexdigest()


def dumps(results: Results) -> bytes:
    """Return results as the JSON text that is kept."""
    return msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n"


def load(path: Path) -> Results:
    """Read results and check that they are what the schema says; raises ``msgspec.ValidationError``."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def schema() -> bytes:
    """Return the JSON Schema of results."""
    made = msgspec.json.schema(Results)
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **made}
    return msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
