"""What the tests of several keys share: keys in tiers over the columns tin, last, dob and zip of both files."""

from __future__ import annotations

from psi.terms import Key, KeyColumn

TIN = KeyColumn(name="tin", requester="tin", holder="tin", recipe="digits/1")
LAST = KeyColumn(name="last", requester="last", holder="last", recipe="nfkd-upper-alnum/1")
ZIP = KeyColumn(name="zip", requester="zip", holder="zip", recipe="digits/1")
DOB = KeyColumn(
    name="dob",
    requester="dob",
    holder="dob",
    recipe="date-iso/1",
    requester_format="%Y-%m-%d",
    holder_format="%Y-%m-%d",
)

NUMBER_AND_ZIP = Key(name="number and zip", columns=(TIN, ZIP))
NAME_AND_BIRTH = Key(name="name and birth", columns=(LAST, DOB))
NUMBER = Key(name="number", compare="count", columns=(TIN,))
TIERS = (NUMBER_AND_ZIP, NAME_AND_BIRTH, NUMBER)
