"""
Hold Unicode at version 14.0, whatever version the running Python has (psi.md, "Recipes").

Python 3.11 has exactly 14.0. What later versions added, and what of it could show through a recipe, is listed here up
to version 16.0: letters, numbers, and characters that decompose into them.
"""

from __future__ import annotations

import unicodedata

# First and last code point of each range, without the characters that a recipe drops anyway.
ADDED_LATER = (
    (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0xA7F1, 0xA7F1), (0x105C0, 0x105F3),
    (0x10D40, 0x10D65), (0x10D6F, 0x10D85), (0x10EC2, 0x10EC4), (0x1123F, 0x11240), (0x11380, 0x11389),
    (0x1138B, 0x1138B), (0x1138E, 0x1138E), (0x11390, 0x113B5), (0x113B7, 0x113B7), (0x113D1, 0x113D1),
    (0x113D3, 0x113D3), (0x116D0, 0x116E3), (0x11BC0, 0x11BE0), (0x11BF0, 0x11BF9), (0x11F02, 0x11F02),
    (0x11F04, 0x11F10), (0x11F12, 0x11F33), (0x11F50, 0x11F59), (0x1342F, 0x1342F), (0x13441, 0x13446),
    (0x13460, 0x143FA), (0x16100, 0x1611D), (0x16130, 0x16139), (0x16D40, 0x16D6C), (0x16D70, 0x16D79),
    (0x18CFF, 0x18CFF), (0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1CCD6, 0x1CCF9), (0x1D2C0, 0x1D2D3),
    (0x1DF25, 0x1DF2A), (0x1E030, 0x1E06D), (0x1E4D0, 0x1E4EB), (0x1E4F0, 0x1E4F9), (0x1E5D0, 0x1E5ED),
    (0x1E5F0, 0x1E5FA), (0x2B739, 0x2B739), (0x2EBF0, 0x2EE5D), (0x31350, 0x323AF),
)  # fmt: skip

# Capitals that later versions gave to letters of 14.0, and those letters.
CAPITALS_LATER = {"\ua7cb": "\u0264", "\ua7dc": "\u019b", "\ua7d2": "\ua7d3", "\ua7d4": "\ua7d5"}


def assigned(character: str) -> bool:
    """Say whether Unicode 14.0 has this character."""
    later = any(first <= ord(character) <= last for first, last in ADDED_LATER)
    return unicodedata.category(character) != "Cn" and not later


def upper(text: str) -> str:
    """Return the full upper-case form, in no language in particular (Unicode 14.0, section 3.13, toUppercase)."""
    return "".join(CAPITALS_LATER.get(character, character) for character in text.upper())


def letter_or_number(character: str) -> bool:
    """Say whether a character is in one of the general categories L* or N*."""
    return unicodedata.category(character)[0] in "LN"
