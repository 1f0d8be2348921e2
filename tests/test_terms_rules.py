"""Rules in terms: their parameters, and what is said of fields that there are not."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import pytest

from psi import terms
from psi.errors import TermsError
from psi.terms import ColumnRule
from tests.test_terms import edited

if TYPE_CHECKING:
    from tests.test_terms import Make

KEYS_ARE_TABLES = (
    "keys are tables, strictest first: [[keys]] with a name, in it [[keys.columns]]; "
    "`psi terms new` writes them"
)


def test_addresses_of_institutions_are_checked_before_any_file_is_read(make_terms: Make) -> None:
    listed = ColumnRule(
        rule="not-institution/1", columns=("street", "zip"), values=("500 Example Road, 78112",)
    )
    assert make_terms(rules={"requester": (listed,)}).requester.rules[-1] == listed
    for wrong in ("500 Example Road", "500 Example Road, 7811", ", 78112", "500 Example Road, 7811\u0662"):
        bad = ColumnRule(rule="not-institution/1", columns=("street", "zip"), values=(wrong,))
        with pytest.raises(
            TermsError, match=r"requester\.rules\[13\]\.values: an address is a street, a comma"
        ):
            make_terms(rules={"requester": (bad,)})


def test_parameters_of_rules_survive_the_file(make_terms: Make) -> None:
    rules = (
        ColumnRule(
            rule="date-between/1",
            columns=("final_order_date",),
            format="%Y-%m-%d",
            earliest=datetime.date(1990, 1, 1),
            latest=datetime.date(2025, 12, 31),
        ),
        ColumnRule(rule="tax-number-class/1", columns=("tin",), classes=("ssn", "itin")),
        ColumnRule(rule="one-of/1", columns=("reason_code",), values=("FRAUD", 'RE"ENTRY')),
        ColumnRule(rule="length/1", columns=("middle_name",), min_length=0, max_length=40),
    )
    made = make_terms(rules={"requester": rules}, max_rejected_percent=7)
    again = terms.parse(terms.dumps(made).encode())
    assert again == made
    assert again.requester.rules[-4:] == rules
    assert again.holder.max_rejected_percent == 7


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("key", KEYS_ARE_TABLES),
        ("tiers", KEYS_ARE_TABLES),
        ("keys[0].tier", KEYS_ARE_TABLES),
        ("holder.rules[0].column", 'a rule names its columns: columns = ["tin"]'),
        ("surprise", None),
    ],
)
def test_field_of_what_there_is_not_says_what_to_do_instead(
    make_terms: Make, path: str, hint: str | None
) -> None:
    with pytest.raises(TermsError, match="unknown field") as raised:
        terms.parse(edited(make_terms(), path, 1))
    assert raised.value.hint == hint
