"""Bring values into one form, join them into match keys, and digest these (psi.md, "Items")."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from . import blake3, postal, unicode14
from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

DATE_DIRECTIVES = {
    "%Y": "(?P<year>[0-9]{4})",
    "%m": "(?P<month>0[1-9]|1[0-2])",
    "%d": "(?P<day>0[1-9]|[12][0-9]|3[01])",
    "%-m": "(?P<month>[1-9]|1[0-2])",
    "%-d": "(?P<day>[1-9]|[12][0-9]|3[01])",
    "%b": "(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
}
GENERATIONS = ("JR", "SR", "II", "III", "IV", "V", "2ND", "3RD", "4TH")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def digits(value: str) -> str:
    """Apply the recipe ``digits/1``."""
    return "".join(character for character in value if character in "0123456789")


def _known(value: str) -> str:
    """Drop the characters that Unicode 14.0 has not assigned."""
    return "".join(character for character in value if unicode14.assigned(character))


def nfkd_upper_alnum(value: str) -> str:
    """Apply the recipe ``nfkd-upper-alnum/1``."""
    upper = unicode14.upper(unicodedata.normalize("NFKD", _known(value)))
    apart = unicodedata.normalize("NFKD", upper)
    return "".join(character for character in apart if unicode14.letter_or_number(character))


def words(value: str, *, also: str = "") -> list[str]:
    """Split a text into its words: folded, without marks, points and apostrophes; of other characters ``also`` stay."""
    apart = unicodedata.normalize("NFKD", unicode14.upper(unicodedata.normalize("NFKD", _known(value))))
    kept = [c for c in apart if c not in ".'\u2019" and not unicodedata.category(c).startswith("M")]
    return "".join(c if unicode14.letter_or_number(c) or c in also else " " for c in kept).split(" ")


def name_last(value: str) -> str:
    """Apply the recipe ``name-last/1``."""
    parts = [word for word in words(value) if word]
    while len(parts) > 1 and parts[-1] in GENERATIONS:
        parts.pop()
    return nfkd_upper_alnum(" ".join(parts))


def address_usps(value: str) -> str:
    """Apply the recipe ``address-usps/1``."""
    parts = [word for word in words(value.replace("#", " # "), also="#") if word]
    short = [postal.SHORT_FORMS.get(word, word) for word in parts]
    return " ".join(word for at, word in enumerate(short) if word != "#" or short[at - 1 : at] != ["#"])


def date_iso(value: str, date_format: str) -> str:
    """Apply the recipe ``date-iso/1``; the result is empty for what is no date in this format."""
    match = re.fullmatch(date_pattern(date_format), value, re.ASCII | re.IGNORECASE)
    if match is None:
        return ""
    parts = match.groupdict()
    month = MONTHS.index(parts["name"].lower()) + 1 if "name" in parts else int(parts["month"])
    try:
        return date(int(parts["year"]), month, int(parts["day"])).isoformat()
    except ValueError:  # 30 February, or the year 0000
        return ""


def date_pattern(date_format: str) -> str:
    """Return the regular expression of a date format; raise ``UsageError`` for one that is not allowed."""
    parts = re.findall(r"%-?[a-zA-Z]|.", date_format, re.DOTALL)
    directives = [part for part in parts if part in DATE_DIRECTIVES]
    if any(part not in DATE_DIRECTIVES and part not in " -/.,_" for part in parts):
        raise UsageError("date format: a character is not allowed")
    if sorted(part[-1].lower() for part in directives) not in (["d", "m", "y"], ["b", "d", "y"]):
        raise UsageError("date format: year, month and day must be there once each")
    for first, second in pairwise(parts):
        both_numbers = all(part in DATE_DIRECTIVES and part != "%b" for part in (first, second))
        if both_numbers and "-" in first + second:
            raise UsageError("date format: nothing separates a number without leading zeros from the next")
    return "".join(DATE_DIRECTIVES.get(part, re.escape(part)) for part in parts)


def match_key(values: Sequence[str]) -> bytes:
    """Join the normalised values of the key columns, in the order of the terms; none may be empty."""
    if not values or "" in values:
        raise UsageError("match key: a value is empty")
    encoded = [value.encode() for value in values]
    return b"".join(len(value).to_bytes(4, "little") + value for value in encoded)


def item_digest(key: bytes) -> bytes:
    """Return the 32 bytes that stand for an item."""
    return blake3.derive("psi/1 item", key)


def distinct(digests: Sequence[bytes]) -> list[bytes]:
    """Return each digest once, in the order in which it occurs first: the items of a party."""
    return list(dict.fromkeys(digests))
