"""Digest the agreement of the two parties (psi.md, "Terms digest")."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def canonical_json(values: Mapping[str, object]) -> str:
    """
    Return the values in the one spelling of RFC 8785.

    For what terms hold, this is it: ASCII names, texts, whole numbers, null, and arrays and objects of these.
    """
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def terms_digest(values: Mapping[str, object]) -> bytes:
    """Return the 32 bytes that the hello carries."""
    return sha256(b"psi/terms/1\0" + canonical_json(values).encode()).digest()


def key_digest(terms: bytes, number: int) -> bytes:
    """Return the 32 bytes that the hello of a key carries; keys count from 0, and the first has the terms digest."""
    if number == 0:
        return terms
    return sha256(b"psi/terms/1 key\0" + number.to_bytes(4, "little") + terms).digest()
