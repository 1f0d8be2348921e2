"""
Say what a run will take before anyone connects: bytes and bounds exactly, time and memory by a model.

The model's constants were measured with ``psi demo`` at 40,000 to 1,280,000 rows on two cores of one machine; a short
rehearsal between two sessions of invented items tells how quick this one is in comparison.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from psi import terms
from psi.errors import GateError, LimitError, UsageError
from psi.intake.kinds import ZIP
from psi.intake.parquet import MAGIC
from psi.intake.reader import open_file
from psi.session import SEED_BYTES, Role, Session, Traffic, traffic
from psi.wire import DIGEST_BYTES, NONCE_BYTES, TREE_DEPTHS, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psi.terms import Key, Side, Terms

SCHEMA = "psi/plan/1"
_READ_BYTES = 1 << 22

# Seconds on the machine of the measurements: of the gate at all, for each byte and for each value that is looked at, of
# a vole exchange at all and for each item of the receiver and of the sender, of a group exchange for each element.
_GATE_S, _GATE_BYTE_S, _GATE_VALUE_S = 0.05, 1.0e-9, 0.78e-7
_VOLE_S, _VOLE_RECEIVER_S, _VOLE_SENDER_S = 0.039, 0.195e-6, 0.065e-6
_SEMI_HONEST = 0.9
# Of the exchange, by the depth of its trees, at 1.28 million: 9 cost 40 ms a run on one machine and nothing on another.
_TREES_S = {7: 1.0, 8: 1.0, 9: 1.04}
_REHEARSED_ITEMS = 1 << 17
_REHEARSED_GROUP_ITEMS = 256
_REHEARSAL_S = 0.077  # of vole-malicious, at that number of items on either side

# Bytes while a file is read: of the process, for each byte of the file up to a limit, for each row.
_READING_BYTES, _READ_BYTE_BYTES, _READ_FILE_BYTES, _READ_ROW_BYTES = 150_000_000, 2.5, 55_000_000, 80
# Bytes of the exchange: of the process, of what is left of the file's reading, of an item and of a column of the store.
_PROCESS_BYTES = 165_000_000
_LEFT_BYTES = 70_000_000
_ROW_BYTES = 110  # of a file that is not here
_RECEIVER_ITEM_BYTES, _SENDER_ITEM_BYTES = 84, 76
_BATCH_ITEM_BYTES, _BATCHES_ITEM_BYTES = 18, 50  # of a batch that is the whole list, and of one of several
_SENDER_COLUMN_BYTES, _BLOCK_BYTES = 20, 16
_GROUP_ITEM_BYTES = 160
_IDLE_ITEM_BYTES = (
    100  # of each further key: 80 to 117 with three keys at 400,000 rows, 40 of them in use later
)


@dataclass(frozen=True)
class SidePlan:
    """Hold what one organisation should expect."""

    role: Role
    items: int
    sends_bytes: int
    memory_bytes: int
    gate_s: float | None


@dataclass(frozen=True)
class KeyPlan:
    """Hold what the session of one key will take; ``exchange_s`` is without the link."""

    name: str
    suite: Suite
    sends_bytes: Mapping[Side, int]
    role_bytes: Mapping[Side, int]
    exchange_s: float
    set_bounds: Mapping[str, int] | None


@dataclass(frozen=True)
class TreesPlan:
    """Hold what all sessions of a run would send and take with trees of some depth; ``exchange_s`` without the link."""

    tree_depth: int
    bytes_total: int
    exchange_s: float
    link_s: float


@dataclass(frozen=True)
class Plan:
    """
    Hold what a run will take; ``exchange_s`` is without the link if ``link_mbit_s`` is not there.

    ``trees`` are the depths that the terms could name, empty where no suite has trees.
    """

    own: Side
    sides: Mapping[Side, SidePlan]
    keys: Sequence[KeyPlan]
    exchange_s: float
    link_mbit_s: float | None
    link_s: float
    tree_depth: int
    trees: Sequence[TreesPlan]

    def document(self) -> dict[str, object]:
        """Return the JSON object that ``psi plan`` shows; suite and bounds outside of ``keys`` are of the first key."""
        keys = [
            {
                "name": key.name,
                "suite": key.suite.value,
                "sends_bytes": dict(key.sends_bytes),
                "exchange_s": round(key.exchange_s, 2),
                "set_bounds": None if key.set_bounds is None else dict(key.set_bounds),
            }
            for key in self.keys
        ]
        return {
            "schema": SCHEMA,
            "suite": keys[0]["suite"],
            "own_side": self.own,
            "sides": {
                side: {
                    "role": plan.role.value,
                    "items": plan.items,
                    "sends_bytes": plan.sends_bytes,
                    "memory_bytes": plan.memory_bytes,
                    "gate_s": None if plan.gate_s is None else round(plan.gate_s, 2),
                }
                for side, plan in self.sides.items()
            },
            "bytes_total": sum(plan.sends_bytes for plan in self.sides.values()),
            "exchange_s": round(self.exchange_s, 2),
            "link_mbit_s": self.link_mbit_s,
            "link_s": round(self.link_s, 2),
            "tree_depth": self.tree_depth if self.trees else None,
            "tree_depths": [
                {
                    "tree_depth": each.tree_depth,
                    "bytes_total": each.bytes_total,
                    "exchange_s": round(each.exchange_s, 2),
                    "link_s": round(each.link_s, 2),
                }
                for each in self.trees
            ],
            "set_bounds": keys[0]["set_bounds"],
            "keys": keys,
        }


def plan(
    file: Path,
    agreement: Terms,
    *,
    side: Side,
    peer_rows: int,
    threads: int,
    link_mbit_s: float | None = None,
) -> Plan:
    """
    Return what a run of this file against a peer with so many rows will take; ``psi plan`` calls it.

    Every row counts as an item under each key: rows that are rejected, repeat another or lack a key make a run smaller.
    Raises ``LimitError`` for more rows than
    the terms allow either side, ``UsageError`` and ``MachineError`` for a file that cannot be read.
    """
    rows, file_bytes = count_rows(file)
    counts: dict[Side, int] = {side: rows, _other(side): peer_rows}
    for each, count in counts.items():
        limit = getattr(agreement, each).max_items
        if count > limit:
            raise LimitError(
                f"the {each} has {count} rows, and the terms allow {limit} people",
                hint="bring fewer rows, or agree on terms with another max_items",
            )
    slowness = _Slowness(threads)
    values = rows * _columns_looked_at(agreement, side)
    gate_s = (_GATE_S + _GATE_BYTE_S * file_bytes + _GATE_VALUE_S * values) * slowness.vole
    keys = [_plan_key(agreement, key, counts, slowness) for key in agreement.keys]
    receiver = terms.receiver(agreement)
    sides: dict[Side, SidePlan] = {}
    for each, role in ((receiver, Role.RECEIVER), (_other(receiver), Role.SENDER)):
        own_bytes = file_bytes if each == side else _ROW_BYTES * counts[each]
        idle_bytes = _IDLE_ITEM_BYTES * counts[each] * (len(keys) - 1)
        sides[each] = SidePlan(
            role,
            counts[each],
            sum(key.sends_bytes[each] for key in keys),
            _memory_bytes(own_bytes, counts[each], idle_bytes + max(key.role_bytes[each] for key in keys)),
            gate_s if each == side else None,
        )

    def link_s(sent_bytes: int) -> float:
        return 0.0 if link_mbit_s is None else sent_bytes * 8 / (link_mbit_s * 1e6)

    total = sum(plan.sends_bytes for plan in sides.values())
    exchange_s = sum(key.exchange_s for key in keys)
    trees = []
    for tree_depth in TREE_DEPTHS if any(key.suite.can_report for key in keys) else ():
        other = msgspec.structs.replace(agreement, tree_depth=tree_depth)
        others = [_plan_key(other, key, counts, slowness) for key in agreement.keys]
        sent = sum(sum(key.sends_bytes.values()) for key in others)
        trees.append(TreesPlan(tree_depth, sent, sum(key.exchange_s for key in others), link_s(sent)))
    return Plan(side, sides, keys, exchange_s, link_mbit_s, link_s(total), agreement.tree_depth, trees)


def _columns_looked_at(agreement: Terms, side: Side) -> int:
    """Return how many columns of a file the gate looks at."""
    party = getattr(agreement, side)
    names = {*party.required, *(column for rule in party.rules for column in rule.columns)}
    return len(names | {getattr(part, side) for key in agreement.keys for part in key.columns})


def _plan_key(agreement: Terms, key: Key, counts: Mapping[Side, int], slowness: _Slowness) -> KeyPlan:
    """Return what the session of one key will take."""
    receiver = terms.receiver(agreement)
    sender = _other(receiver)
    suite = terms.suite_of(agreement, key)
    sent = traffic(
        suite,
        n_receiver=counts[receiver],
        n_sender=counts[sender],
        reported=0 if agreement.learns == "both" and key.compare == "match" else None,
        tree_depth=agreement.tree_depth,
    )
    bounds = None
    if sent.receiver_items is not None and sent.sender_items is not None:
        bounds = {Role.RECEIVER.value: sent.receiver_items, Role.SENDER.value: sent.sender_items}
    return KeyPlan(
        key.name,
        suite,
        {receiver: sent.from_receiver, sender: sent.from_sender},
        {
            receiver: _role_bytes(Role.RECEIVER, counts[receiver], sent, suite),
            sender: _role_bytes(Role.SENDER, counts[sender], sent, suite),
        },
        _exchange_s(suite, counts[receiver], counts[sender], agreement.tree_depth, slowness),
        bounds,
    )


def _other(side: Side) -> Side:
    return "holder" if side == "requester" else "requester"


def count_rows(file: Path) -> tuple[int, int]:
    """
    Return how many data rows a file has, and its length; a line break inside quotes counts as a row more.

    Raises what ``open_file`` raises, ``GateError`` for a file that is empty, ``UsageError`` for a workbook.
    """
    with open_file(file) as stream:
        start = stream.read(len(MAGIC))
        if start == ZIP:
            raise UsageError(
                f"{file.name}: the rows of a workbook cannot be counted beforehand",
                hint="`psi check` counts them; name any CSV file with as many rows",
            )
        if start == MAGIC:
            import polars as pl

            rows = int(pl.scan_parquet(file).select(pl.len()).collect().item())
            return rows, file.stat().st_size
        lines, length, last = start.count(b"\n"), len(start), start[-1:]
        while block := stream.read(_READ_BYTES):
            lines, length, last = lines + block.count(b"\n"), length + len(block), block[-1:]
    if length == 0:
        raise GateError(f"{file.name}: the file is empty", hint="it needs a header line and rows")
    return max(lines + (last != b"\n") - 1, 0), length


def _memory_bytes(file_bytes: int, rows: int, role_bytes: int) -> int:
    """Return the memory of a process at its peak: while it reads its file, or later."""
    reading = (
        _READING_BYTES + int(_READ_BYTE_BYTES * min(file_bytes, _READ_FILE_BYTES)) + _READ_ROW_BYTES * rows
    )
    return max(reading, _PROCESS_BYTES + min(file_bytes, _LEFT_BYTES) + role_bytes)


def _role_bytes(role: Role, items: int, sent: Traffic, suite: Suite) -> int:
    """Return the memory of a role and its items at their peak."""
    if suite in (Suite.ECDH, Suite.ECDH_CARDINALITY):
        return _GROUP_ITEM_BYTES * items
    if role is Role.RECEIVER:
        return _RECEIVER_ITEM_BYTES * items + (_BLOCK_BYTES + sent.value_bytes) * sent.columns
    single = items <= sent.batch_items
    return (
        _SENDER_ITEM_BYTES * items
        + (_BATCH_ITEM_BYTES * items if single else _BATCHES_ITEM_BYTES * sent.batch_items)
        + _SENDER_COLUMN_BYTES * sent.columns
    )


def _exchange_s(suite: Suite, n_receiver: int, n_sender: int, tree_depth: int, slowness: _Slowness) -> float:
    """Return the time of the exchange on machines like this, a link aside."""
    if not suite.can_report:
        return slowness.element_s(suite) * (3 * n_receiver + n_sender)
    time_s = _VOLE_S + _VOLE_RECEIVER_S * n_receiver + _VOLE_SENDER_S * n_sender
    semi_honest = _SEMI_HONEST if suite is Suite.VOLE_SEMI_HONEST else 1.0
    return time_s * slowness.vole * semi_honest * _TREES_S[tree_depth]


class _Slowness:
    """Rehearse how much longer this machine takes than the one of the measurements; each rehearsal takes place once."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._elements_s: dict[Suite, float] = {}
        rehearsals = (_rehearse(Suite.VOLE_MALICIOUS, _REHEARSED_ITEMS, threads) for _ in range(5))
        self.vole = statistics.median(rehearsals) / _REHEARSAL_S

    def element_s(self, suite: Suite) -> float:
        """Return the time that an element of the group takes in a suite."""
        if suite not in self._elements_s:
            rehearsed = min(_rehearse(suite, _REHEARSED_GROUP_ITEMS, self._threads) for _ in range(3))
            self._elements_s[suite] = rehearsed / (4 * _REHEARSED_GROUP_ITEMS)
        return self._elements_s[suite]


def _rehearse(suite: Suite, count: int, threads: int) -> float:
    """Return how long two sessions over invented items take in this process."""
    digests = np.random.default_rng(1).integers(0, 256, (count, DIGEST_BYTES), dtype=np.uint8)
    receiver, sender = (
        Session(
            role,
            digests,
            suite=suite,
            initiator=role is Role.RECEIVER,
            terms_digest=bytes(DIGEST_BYTES),
            certificate=bytes(DIGEST_BYTES),
            peer_certificate=bytes(DIGEST_BYTES),
            max_items=count,
            peer_max_items=count,
            seed=bytes(SEED_BYTES),  # of invented items: there is nothing to protect
            nonce=bytes(NONCE_BYTES),
            threads=threads,
        )
        for role in Role
    )
    began_s = time.perf_counter()
    while not (receiver.finished and sender.finished):
        for one, other in ((receiver, sender), (sender, receiver)):
            frame = one.next_frame()
            if frame is not None:
                other.receive(frame)
    return time.perf_counter() - began_s
