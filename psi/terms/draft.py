"""A first version of an agreement, from the cards of two organisations."""

from __future__ import annotations

import dataclasses
import datetime

import msgspec

from psi.identity import Card
from psi.terms.fields import SIDES, Side
from psi.terms.keys import Key, KeyColumn
from psi.terms.model import SCHEMA, ColumnRule, Learns, Terms, from_values
from psi.wire import TREE_DEPTH, Suite

ISO_DATE = "%Y-%m-%d"

# The columns of the synthetic case, which are those that requests of its kind have in the public record.
DEFAULT_KEY = Key(
    name="number, name and birth",
    columns=(
        KeyColumn(name="tin", requester="tin", holder="tin", recipe="digits/1"),
        KeyColumn(name="last_name", requester="last_name", holder="last_name", recipe="nfkd-upper-alnum/1"),
        KeyColumn(
            name="dob",
            requester="dob",
            holder="dob",
            recipe="date-iso/1",
            requester_format=ISO_DATE,
            holder_format=ISO_DATE,
        ),
    ),
)
DEFAULT_REQUIRED: dict[Side, tuple[str, ...]] = {
    "requester": (
        "request_id",
        "first_name",
        "last_name",
        "tin",
        "street",
        "city",
        "state",
        "zip",
        "dob",
        "final_order_date",
        "case_number",
        "statute",
        "taxable_periods",
        "officer_id",
        "reason_code",
    ),
    "holder": ("record_id", "last_name", "tin", "dob"),
}
_REASONED = ("case_number", "statute", "taxable_periods", "officer_id", "reason_code")
DEFAULT_RULES: dict[Side, tuple[ColumnRule, ...]] = {
    "requester": (
        ColumnRule(rule="tax-number/1", columns=("tin",)),
        ColumnRule(rule="name/1", columns=("first_name", "last_name")),
        ColumnRule(rule="date/1", columns=("dob", "final_order_date"), format=ISO_DATE),
        ColumnRule(
            rule="date-between/1", columns=("dob",), format=ISO_DATE, earliest=datetime.date(1900, 1, 1)
        ),
        ColumnRule(rule="date-order/1", columns=("dob", "final_order_date"), format=ISO_DATE),
        ColumnRule(rule="not-placeholder/1", columns=("street", "city", *_REASONED)),
        ColumnRule(rule="street/1", columns=("street",)),
        ColumnRule(rule="city/1", columns=("city",)),
        ColumnRule(rule="state/1", columns=("state",)),
        ColumnRule(rule="zip/1", columns=("zip",)),
        ColumnRule(rule="zip-in-state/1", columns=("zip", "state")),
        ColumnRule(rule="length/1", columns=DEFAULT_REQUIRED["requester"], max_length=200),
        ColumnRule(rule="no-control/1", columns=DEFAULT_REQUIRED["requester"]),
    ),
    "holder": (
        ColumnRule(rule="tax-number/1", columns=("tin",)),
        ColumnRule(rule="date/1", columns=("dob",), format=ISO_DATE),
        ColumnRule(rule="name/1", columns=("last_name",)),
        ColumnRule(rule="no-control/1", columns=DEFAULT_REQUIRED["holder"]),
    ),
}
DEFAULT_MAX_REJECTED_PERCENT = 10  # of new terms on the command line, and of the synthetic case
DEFAULT_MAX_ITEMS = 1_280_000


def draft(
    *,
    requester: Card,
    holder: Card,
    purpose: str,
    authority: str,
    expires: datetime.date,
    suite: Suite | str = Suite.VOLE_MALICIOUS,
    learns: Learns | None = None,
    first: Side | None = None,
    max_requests: int = DEFAULT_MAX_ITEMS,
    max_records: int = DEFAULT_MAX_ITEMS,
    keys: tuple[Key, ...] = (),
    required: dict[Side, tuple[str, ...]] | None = None,
    rules: dict[Side, tuple[ColumnRule, ...]] | None = None,
    max_rejected_percent: int | None = None,
    tree_depth: int = TREE_DEPTH,
) -> Terms:
    """
    Return terms between two organisations; ``psi terms new`` and the synthetic case call it.

    Without ``learns`` both learn where the suite can do that, the holder first unless ``first`` says otherwise, and
    else the requester does. Without ``keys`` the key, required columns and rules are those of the synthetic case. With
    them, ``required`` and ``rules`` name what is wanted besides, and the columns of an only key are required in any
    case. With suite ``ecdh-cardinality`` every key is to count. ``max_rejected_percent`` holds for both.
    Raises ``TermsError`` that names the field.
    """
    name = suite.value if isinstance(suite, Suite) else suite
    can_report = any(known.can_report for known in Suite if known.value == name)
    learns = learns or ("both" if can_report else "requester")
    given = keys or (DEFAULT_KEY,)
    if name == Suite.ECDH_CARDINALITY.value:
        given = tuple(msgspec.structs.replace(key, compare="count") for key in given)
    only = given[0].columns if len(given) == 1 else ()
    cards: dict[Side, Card] = {"requester": requester, "holder": holder}
    limits: dict[Side, int] = {"requester": max_requests, "holder": max_records}
    parties: dict[str, object] = {}
    for side in SIDES:
        columns = (
            *(() if keys else DEFAULT_REQUIRED[side]),
            *(getattr(column, side) for column in only),
            *(required or {}).get(side, ()),
        )
        parties[side] = {
            **dataclasses.asdict(cards[side]),
            "max_items": limits[side],
            "required": tuple(dict.fromkeys(columns)),
            "rules": (*(() if keys else DEFAULT_RULES[side]), *(rules or {}).get(side, ())),
            "max_rejected_percent": max_rejected_percent,
        }
    return from_values(
        msgspec.to_builtins(
            {
                "schema": SCHEMA,
                "purpose": purpose,
                "authority": authority,
                "suite": suite,
                "learns": learns,
                "first": first or ("holder" if learns == "both" else None),
                "tree_depth": tree_depth,
                "expires": expires,
                "keys": given,
                **parties,
            },
            builtin_types=(datetime.date,),
        )
    )
