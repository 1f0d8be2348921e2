"""
The keys of an agreement, in tiers: what is compared, strictest first, and what becomes of what agrees.

A key is one or several columns. Of a key to *match* the rows that agree are told, by the suite of the terms; of a key
to *count* only how many agree, to the receiver alone, by ``ecdh-cardinality``. Each takes a session of its own.
"""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from psi.errors import TermsError, UsageError
from psi.recipes import RECIPES, check_format
from psi.terms.fields import SIDES, Column, Strict, check_distinct
from psi.wire import Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psi.terms.fields import Side

MAX_KEYS = 8
_NAME = re.compile(r"[!-~](?:[ -~]*[!-~])?")  # it stands in the matched file, whatever that one's encoding

Compare = Literal["match", "count"]


class KeyColumn(Strict, frozen=True, kw_only=True):
    """
    Name one part of a key: a column on each side and the recipe that brings both into one form.

    A format (``"%m/%d/%Y"``) is given for each side exactly when the recipe reads dates.
    """

    name: Column
    requester: Column
    holder: Column
    recipe: str
    requester_format: str | None = None
    holder_format: str | None = None


class Key(Strict, frozen=True, kw_only=True):
    """
    Name a key: rows agree under it when all of its columns do, each in the form of its recipe.

    ``compare`` says what is learned of those that do: which they are (``match``), or only how many (``count``).
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    compare: Compare = "match"
    columns: Annotated[tuple[KeyColumn, ...], msgspec.Meta(min_length=1, max_length=16)]

    @property
    def compared(self) -> frozenset[tuple[str | None, ...]]:
        """Return what is compared, without order and names: two keys of which it is the same are one."""
        return frozenset(
            (column.requester, column.holder, column.recipe, column.requester_format, column.holder_format)
            for column in self.columns
        )


def check_keys(keys: Sequence[Key], *, suite: Suite, required: Mapping[Side, Sequence[str]]) -> None:
    """
    Check the keys by themselves, against each other and against the suite.

    ``required`` are the columns in which every row has a value; those of an only key are among them, those of several
    need not be. Raises ``TermsError`` that names the key.
    """
    for number, key in enumerate(keys):
        _check_key(key, f"keys[{number}]")
    check_distinct([key.name for key in keys], "keys: name")
    for (earlier, one), (later, other) in combinations(enumerate(keys), 2):
        _check_overlap(one, other, f"keys[{earlier}]", f"keys[{later}]")
    _check_suite(keys, suite)
    if len(keys) == 1:
        for number, column in enumerate(keys[0].columns):
            for side in SIDES:
                if getattr(column, side) not in required[side]:
                    raise TermsError(
                        f"keys[0].columns[{number}].{side}: column {getattr(column, side)!r} is not in {side}.required",
                        hint="with one key, a row without a value in each of its columns could not be compared at all",
                    )


def _check_key(key: Key, where: str) -> None:
    """Check the columns of a key on both sides."""
    if _NAME.fullmatch(key.name) is None:
        raise TermsError(
            f"{where}.name: not printable ASCII",
            hint='letters, digits and signs on one line: "number and birth"',
        )
    check_distinct([column.name for column in key.columns], f"{where}.columns: name")
    for side in SIDES:
        check_distinct([getattr(column, side) for column in key.columns], f"{where}.columns: {side}")
    for number, column in enumerate(key.columns):
        here = f"{where}.columns[{number}]"
        if column.recipe not in RECIPES:
            raise TermsError(
                f"{here}.recipe: no recipe {column.recipe!r}", hint=f"there are {', '.join(RECIPES)}"
            )
        for side in SIDES:
            try:
                check_format(RECIPES[column.recipe], getattr(column, f"{side}_format"))
            except UsageError as error:
                raise TermsError(f"{here}.{side}_format: {error.message}", hint=error.hint) from None


def _check_overlap(earlier: Key, later: Key, where_earlier: str, where_later: str) -> None:
    """Check that a key can say something that one before it has not said."""
    both = f"{where_later} ({later.name!r}) and {where_earlier} ({earlier.name!r})"
    if later.compared == earlier.compared:
        raise TermsError(
            f"{both} compare the same columns by the same recipes",
            hint="one of them is enough: remove the other",
        )
    if later.compare == earlier.compare == "match" and later.compared > earlier.compared:
        raise TermsError(
            f"{where_later} ({later.name!r}) asks for all that {where_earlier} ({earlier.name!r}) asks for and more, "
            "so it can match no further row",
            hint="the strictest key stands first: exchange the two, or remove one",
        )


def _check_suite(keys: Sequence[Key], suite: Suite) -> None:
    """Check that the suite of the terms is for something, and tells no more than the keys say."""
    matched = [key.name for key in keys if key.compare == "match"]
    if suite is Suite.ECDH_CARDINALITY and matched:
        raise TermsError(
            f"keys: {matched[0]!r} is to match, and suite {suite.value} only counts",
            hint='write compare = "count" for every key, or choose another suite',
        )
    if suite is not Suite.ECDH_CARDINALITY and not matched:
        raise TermsError(
            f"suite: every key is to count, and {suite.value} is for keys to match",
            hint=f'write suite = "{Suite.ECDH_CARDINALITY.value}"',
        )
