"""Hold what all families share: the head of a file, fixed inputs, and byte strings that are easy to recognise."""

from __future__ import annotations

from typing import Any

from reference import blake3, items

SCHEMA = "psi/vectors/1"
GENERATED = "protocol_spec/generate.py"


def vector_file(
    family: str, about: str, content: dict[str, Any], *, flags: list[str] | None = None
) -> dict[str, Any]:
    """Return the content of a file: the head that all have, then what the family adds."""
    return {
        "schema": SCHEMA,
        "family": family,
        "about": about,
        "source": GENERATED,
        "flags": sorted(flags or []),
        **content,
    }


def fixed_bytes(label: str, length: int = 32) -> bytes:
    """Return bytes that depend on a label alone and stand for something that a party would draw or be given."""
    return blake3.derive("psi/1 test vectors", label.encode(), length)


def people(first: int, count: int) -> list[bytes]:
    """Return the digests of ``count`` invented people, from number ``first`` on."""
    return [
        items.item_digest(items.match_key([f"{900000000 + number:09d}", f"PERSON{number}", "1970-01-01"]))
        for number in range(first, first + count)
    ]
