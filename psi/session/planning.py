"""Say what a run will take: bytes and bounds exactly, from both sizes alone."""

from __future__ import annotations

from dataclasses import dataclass

from psi import _core
from psi.wire import MAX_ITEMS, TREE_DEPTH, Suite

_MALICIOUS = {Suite.VOLE_MALICIOUS: True, Suite.VOLE_SEMI_HONEST: False}
_ELEMENT_BYTES, _ELEMENTS_PER_FRAME, _TAGS_PER_FRAME = 32, 1 << 15, 1 << 16
_HEADER_BYTES = 5
_REPORT_BYTES = 16
_BODY_BYTES = 1 << 20
_ECDH_STATISTICAL_BITS = 40


@dataclass(frozen=True)
class Traffic:
    """
    Hold what a suite sends, in bytes of whole frames, and how large the set of a cheating party can be.

    ``columns`` and ``value_bytes`` are those of the receiver's store, ``batch_items`` what the sender works on at a
    time, ``batch_outputs`` what the correlation makes at a time; all are zero for suites that have no such thing.
    """

    from_receiver: int
    from_sender: int
    receiver_items: int | None = None
    sender_items: int | None = None
    columns: int = 0
    value_bytes: int = 0
    batch_items: int = 0
    batch_outputs: int = 0


def traffic(
    suite: Suite,
    *,
    n_receiver: int,
    n_sender: int,
    reported: int | None = None,
    tree_depth: int = TREE_DEPTH,
) -> Traffic:
    """
    Return what a suite sends between lists of these sizes; ``reported`` is the overlap where the receiver reports it.

    ``tree_depth`` is the one of the terms. The hellos, finishes and signs of life, below a kilobyte a second together,
    are not in it. Raises ``UsageError`` for sizes and a depth that no suite takes.
    """
    if suite not in _MALICIOUS:
        return _over_the_group(n_receiver, n_sender)
    malicious = _MALICIOUS[suite]
    numbers = _core.vole_plan(
        malicious=malicious, n_receiver=n_receiver, n_sender=n_sender, tree_depth=tree_depth
    )
    report = 0 if reported is None else _framed(_REPORT_BYTES * (1 + reported), _BODY_BYTES)
    return Traffic(
        numbers["receiver_bytes"] + report,
        numbers["sender_bytes"],
        numbers["n_max"] if malicious else None,
        n_sender if malicious else None,
        numbers["columns"],
        numbers["value_bytes"],
        numbers["batch_items"],
        numbers["batch_outputs"],
    )


def _over_the_group(n_receiver: int, n_sender: int) -> Traffic:
    """Return the same for the suites of ecdh.md."""
    pairs_bits = max(min(n_sender, MAX_ITEMS) * min(n_receiver, MAX_ITEMS) - 1, 0).bit_length()
    tag_bytes = -(-(_ECDH_STATISTICAL_BITS + pairs_bits) // 8)
    elements = _framed(_ELEMENT_BYTES * n_receiver, _ELEMENT_BYTES * _ELEMENTS_PER_FRAME)
    tags = _framed(tag_bytes * n_sender, tag_bytes * _TAGS_PER_FRAME)
    return Traffic(elements, elements + tags)


def _framed(message_bytes: int, body_bytes: int) -> int:
    """Return the length of a message in frames."""
    return message_bytes + _HEADER_BYTES * -(-message_bytes // body_bytes)
