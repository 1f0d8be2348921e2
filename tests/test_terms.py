"""Terms: every field checked and named, one digest for one agreement, differences in words, a text that comes back."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from psi import terms
from psi.errors import MachineError, TermsError, UsageError
from psi.terms import ColumnRule, Key, KeyColumn
from psi.wire import MAX_ITEMS, TREE_DEPTHS, Suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., terms.Terms]

# A fixed agreement: its cards were made by `psi id new`, and the digest was computed by the script that is the
# test below, without this project's code.
FIXED = """
schema = "psi/terms/1"
purpose = "Überprüfung 12-345"
authority = "26 U.S.C. 6103(i)(2)"
suite = "ecdh"
learns = "requester"
expires = 2027-01-31

[[keys]]
name = "number"

[[keys.columns]]
name = "tin"
requester = "tin"
holder = "ssn"
recipe = "digits/1"

[requester]
name = "Requesting Agency"
max_items = 1000
required = ["tin"]
@REQUESTER@

[holder]
name = "Holding Agency"
max_items = 268435456
delimiter = "\\t"
required = ["ssn"]
rules = [{rule = "tax-number/1", columns = ["ssn"]}]
max_rejected_percent = 5
@HOLDER@
"""


def key_column(name: str = "tin", **changes: str | None) -> KeyColumn:
    return msgspec.structs.replace(
        KeyColumn(name=name, requester=name, holder=name, recipe="digits/1"), **changes
    )


def one_key(*columns: KeyColumn, name: str = "key") -> tuple[Key, ...]:
    return (Key(name=name, columns=columns),)


def edited(agreement: terms.Terms, path: str, value: object) -> bytes:
    """Return the terms as TOML with one field changed; ``None`` removes it. ``path`` is as errors name fields."""
    document = tomlkit.parse(terms.dumps(agreement))
    *parents, name = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    table: object = document
    for part in parents:
        table = table[part]  # type: ignore[index]
    if value is None:
        del table[name]  # type: ignore[attr-defined]
    else:
        table[name] = value  # type: ignore[index]
    return tomlkit.dumps(document).encode()


def test_terms_come_back_from_their_text(make_terms: Make) -> None:
    agreement = make_terms()
    assert terms.parse(terms.dumps(agreement).encode()) == agreement


text = st.text(min_size=1, max_size=200).filter(lambda value: value.strip() != "")
columns = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    min_size=1,
    max_size=12,
    unique=True,
)


@given(
    purpose=text,
    authority=text,
    names=columns,
    delimiter=st.sampled_from(",;|\t ~"),
    tree_depth=st.sampled_from(TREE_DEPTHS),
)
def test_any_text_and_any_column_names_come_back(
    make_terms: Make, purpose: str, authority: str, names: list[str], delimiter: str, tree_depth: int
) -> None:
    keys = one_key(*(key_column(name) for name in names[:16]))
    agreement = make_terms(purpose=purpose, authority=authority, keys=keys, tree_depth=tree_depth)
    holder = msgspec.structs.replace(agreement.holder, delimiter=delimiter)
    agreement = msgspec.structs.replace(agreement, holder=holder)
    back = terms.parse(terms.dumps(agreement).encode())
    assert back == agreement
    assert terms.digest(back) == terms.digest(agreement)


def test_draft_without_columns_has_those_of_the_synthetic_case(make_terms: Make) -> None:
    agreement = make_terms()
    assert [(column.name, column.recipe) for column in agreement.keys[0].columns] == [
        ("tin", "digits/1"),
        ("last_name", "nfkd-upper-alnum/1"),
        ("dob", "date-iso/1"),
    ]
    assert {"request_id", "street", "case_number", "statute"} < set(agreement.requester.required)
    assert agreement.holder.required == ("record_id", "last_name", "tin", "dob")


def test_draft_with_a_key_asks_for_nothing_else(make_terms: Make) -> None:
    agreement = make_terms(keys=one_key(key_column("nr")), required={"holder": ("name",)})
    assert agreement.requester.required == ("nr",)
    assert agreement.holder.required == ("nr", "name")
    assert agreement.requester.rules == ()


@pytest.mark.parametrize("path", ["schema", "purpose", "authority", "suite", "learns", "expires", "keys"])
def test_a_missing_field_is_named(make_terms: Make, path: str) -> None:
    with pytest.raises(TermsError, match=f"^{path}: is missing$"):
        terms.parse(edited(make_terms(), path, None))


@pytest.mark.parametrize("side", terms.SIDES)
@pytest.mark.parametrize(
    "name", ["name", "signing_key", "sealing_key", "fingerprint", "certificate", "max_items", "required"]
)
def test_a_missing_field_of_a_party_is_named(make_terms: Make, side: str, name: str) -> None:
    with pytest.raises(TermsError, match=rf"^{side}\.{name}: is missing$"):
        terms.parse(edited(make_terms(), f"{side}.{name}", None))


@pytest.mark.parametrize(
    "path",
    [
        *("surprise", "requester.surprise", "holder.surprise", "holder.rules[0].surprise"),
        *("keys[0].surprise", "keys[0].columns[1].surprise"),
    ],
)
def test_an_unknown_field_is_named(make_terms: Make, path: str) -> None:
    with pytest.raises(TermsError, match=f"^{re.escape(path)}: unknown field$"):
        terms.parse(edited(make_terms(), path, "x"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "psi/terms/2"),
        ("schema", 1),
        ("purpose", 1),
        ("purpose", ""),
        ("purpose", "   "),
        ("purpose", "x" * 10_001),
        ("authority", ["a"]),
        ("authority", "\n"),
        ("suite", "ecdh-fast"),
        ("learns", "neither"),
        ("first", "both"),
        ("first", None),
        ("deadline_s", 0),
        ("deadline_s", 3601),
        ("tree_depth", 6),
        ("tree_depth", 10),
        ("expires", "soon"),
        ("expires", 20270131),
        ("keys", []),
        ("keys[0].name", ""),
        ("keys[0].name", "x" * 65),
        ("keys[0].compare", "report"),
        ("keys[0].columns", []),
        ("keys[0].columns[0].recipe", 1),
        ("keys[0].columns[0].name", ""),
        ("requester.name", ""),
        ("requester.name", "two\nlines"),
        ("requester.max_items", 0),
        ("requester.max_items", -1),
        ("requester.max_items", MAX_ITEMS + 1),
        ("requester.max_items", "many"),
        ("requester.max_items", 1.5),
        ("requester.max_items", True),
        ("requester.delimiter", ""),
        ("requester.delimiter", ",,"),
        ("requester.delimiter", '"'),
        ("requester.delimiter", "\n"),
        ("requester.delimiter", "a"),
        ("requester.delimiter", "ä"),
        ("requester.encoding", "UTF-8"),
        ("requester.encoding", "cp1252"),
        ("requester.encoding", 1),
        ("requester.required", "tin"),
        ("requester.required", []),
        ("requester.rules", [{"columns": ["tin"]}]),
        ("requester.rules", [{"columns": [], "rule": "tax-number/1"}]),
        ("requester.rules", [{"column": "tin", "rule": "tax-number/1"}]),
        ("requester.max_rejected_percent", 101),
        ("requester.max_rejected_percent", 0.5),
        ("requester.certificate", "none"),
        ("requester.fingerprint", "0" * 64),
        ("requester.fingerprint", "0" * 63),
        ("requester.signing_key", "0" * 64),
        ("requester.sealing_key", "g" * 64),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_field(
    make_terms: Make, path: str, value: object
) -> None:
    with pytest.raises(TermsError) as raised:
        terms.parse(edited(make_terms(), path, value))
    named = raised.value.message
    if path in ("requester.required", "requester.signing_key"):  # another field shows it
        path = path.partition(".")[0]
    assert path in named


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("holder.required", ["tin", "tin", "last_name", "dob"], "holder.required: 'tin' is there twice"),
        ("holder.rules[0].rule", "iban/1", "holder.rules[0].rule: no rule 'iban/1'"),
        ("holder.rules[0].format", "%Y", "holder.rules[0].format: tax-number/1 takes no such parameter"),
        (
            "holder.rules[1].format",
            None,
            'holder.rules[1].format: date/1 needs how the file writes days, as "%m/%d/%Y"',
        ),
        (
            "holder.rules[1].format",
            "%Y",
            "holder.rules[1].format: date format: year, month and day must be there once each",
        ),
        ("holder.rules[1].latest", "2020-01-01", "holder.rules[1].latest: date/1 takes no such parameter"),
        ("holder.rules[0].columns", ["tin", "tin"], "holder.rules[0].columns: 'tin' is there twice"),
        (
            "requester.rules[3].latest",
            "1899-12-31",
            "requester.rules[3].earliest: nothing lies between the two bounds of date-between/1",
        ),
        (
            "requester.rules[4].columns",
            ["dob"],
            "requester.rules[4].columns: date-order/1 is about 2 columns, and 1 are named",
        ),
        ("requester.rules[5].values", [], "requester.rules[5].values: an empty list says nothing"),
        ("requester.rules[5].values", [" "], "requester.rules[5].values: one of them is blank"),
        (
            "requester.rules[11].max_length",
            None,
            "requester.rules[11].max_length: length/1 needs the greatest number of characters",
        ),
        ("holder.name", "Somebody", "holder.certificate was made for another name than holder.name"),
    ],
)
def test_fields_that_do_not_fit_each_other_are_named(
    make_terms: Make, path: str, value: object, message: str
) -> None:
    with pytest.raises(TermsError) as raised:
        terms.parse(edited(make_terms(), path, value))
    assert raised.value.message == message


def test_a_rule_that_stands_twice_is_named(make_terms: Make) -> None:
    rule = ColumnRule(columns=("tin",), rule="tax-number/1")
    with pytest.raises(TermsError, match=r"holder\.rules\[4\]: tax-number/1 is there twice for column 'tin'"):
        make_terms(rules={"holder": (rule,)})


def test_one_certificate_for_both_parties_is_refused(make_terms: Make) -> None:
    card = make_terms().requester
    both = {
        name: getattr(card, name)
        for name in ("name", "signing_key", "sealing_key", "fingerprint", "certificate")
    }
    agreement = make_terms()
    document = tomlkit.parse(terms.dumps(agreement))
    document["holder"].update(both)  # type: ignore[union-attr]
    with pytest.raises(TermsError, match=r"requester\.fingerprint and holder\.fingerprint are the same"):
        terms.parse(tomlkit.dumps(document).encode())


def test_a_certificate_of_the_other_party_does_not_fit_the_fingerprint(make_terms: Make) -> None:
    agreement = make_terms()
    with pytest.raises(TermsError, match=r"holder\.fingerprint is not the SHA-256 of holder\.certificate"):
        terms.parse(edited(agreement, "holder.certificate", agreement.requester.certificate))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "schema: is missing"),
        (b"schema = ", "not TOML: "),
        (b"\xff\xfe", "byte 1 is not UTF-8"),
        ("schema = 'ä'".encode("latin-1"), "byte 11 is not UTF-8"),
        (b"schema = 'psi/terms/1'\nschema = 'psi/terms/1'\n", "not TOML: "),
        (b"\0", "not TOML: "),
    ],
)
def test_a_file_that_is_no_terms_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "terms.toml"
    path.write_bytes(content)
    with pytest.raises(TermsError) as raised:
        terms.load(path)
    assert raised.value.message.startswith(f"{path}: {message}")
    assert "\n" not in raised.value.message


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(TermsError, match="larger than 1048576 bytes"):
        terms.load(path)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file") as raised:
        terms.load(tmp_path / "terms.toml")
    assert "psi terms new" in (raised.value.hint or "")
    with pytest.raises(UsageError, match="no file"):
        terms.load(tmp_path)


def test_a_file_that_cannot_be_read_is_this_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot read .*: not a directory"):
        terms.load(tmp_path / "file" / "terms.toml")


def test_terms_hold_on_their_last_day_and_not_after(make_terms: Make) -> None:
    agreement = make_terms(expires=datetime.date(2026, 1, 31))
    terms.check(agreement, today=datetime.date(2026, 1, 31))
    with pytest.raises(TermsError, match="these terms ended on 2026-01-31"):
        terms.check(agreement, today=datetime.date(2026, 2, 1))


@pytest.mark.parametrize("first", terms.SIDES)
@pytest.mark.parametrize("suite", [suite for suite in Suite if suite.can_report])
def test_text_says_who_learns_first_where_both_learn(
    make_terms: Make, first: terms.Side, suite: Suite
) -> None:
    agreement = make_terms(learns="both", first=first, suite=suite)
    sentences = terms.who_learns_what(agreement)
    (other,) = set(terms.SIDES) - {first}
    assert (terms.receiver(agreement), terms.learners(agreement)) == (first, (first, other))
    assert sentences[first].startswith(f"The {first} learns first which of its own rows")
    assert f"as far as the {first} reports it" in sentences[other]
    assert terms.parse(terms.dumps(agreement).encode()) == agreement


def test_both_learn_unless_somebody_says_otherwise_the_holder_first(make_terms: Make) -> None:
    agreement = make_terms()
    assert (agreement.learns, agreement.first) == ("both", "holder")
    assert terms.receiver(agreement) == "holder"


def test_one_side_that_learns_is_not_first(make_terms: Make) -> None:
    with pytest.raises(TermsError, match="first: it says who learns first where both learn"):
        make_terms(learns="holder", first="holder")


def test_both_learn_only_where_the_receiver_can_report(make_terms: Make) -> None:
    for suite in Suite:
        if suite.can_report:
            assert make_terms(suite=suite).learns == "both"
        else:
            assert make_terms(suite=suite).learns == "requester"
            with pytest.raises(TermsError, match="learns: with suite"):
                make_terms(suite=suite, learns="both")


@pytest.mark.parametrize("learns", terms.SIDES)
@pytest.mark.parametrize("suite", Suite)
def test_text_says_who_learns_what(make_terms: Make, learns: terms.Side, suite: Suite) -> None:
    agreement = make_terms(learns=learns, suite=suite)
    sentences = terms.who_learns_what(agreement)
    assert (terms.receiver(agreement), terms.learners(agreement)) == (learns, (learns,))
    assert ("which of its own rows" in sentences[learns]) == suite.learns_items
    (other,) = set(terms.SIDES) - {learns}
    assert sentences[other] == f"The {other} learns the size of the other list, and nothing else."
    plain = " ".join(terms.dumps(agreement).replace("#", " ").split())
    assert all(sentence in plain for sentence in sentences.values())


def test_side_is_found_by_fingerprint(make_terms: Make) -> None:
    agreement = make_terms()
    assert terms.side_of(agreement, agreement.requester.fingerprint) == "requester"
    assert terms.side_of(agreement, agreement.holder.fingerprint) == "holder"
    assert terms.side_of(agreement, "0" * 64) is None


def test_digest_is_sha_256_of_canonical_json_of_every_field(make_terms: Make) -> None:
    agreement = make_terms()
    fields = FIXED
    for side in ("requester", "holder"):
        party = getattr(agreement, side)
        names = ("signing_key", "sealing_key", "fingerprint", "certificate")
        block = "\n".join(f"{name} = '''{getattr(party, name)}'''" for name in names)
        fields = fields.replace(f"@{side.upper()}@", block)
    parsed = terms.parse(fields.encode())
    # By RFC 8785 the keys of each object are sorted, nothing stands between tokens, and text is UTF-8.
    plain = json.dumps(
        {
            "authority": "26 U.S.C. 6103(i)(2)",
            "deadline_s": 10,
            "expires": "2027-01-31",
            "first": None,
            "holder": {
                "certificate": agreement.holder.certificate,
                "delimiter": "\t",
                "encoding": "utf-8",
                "fingerprint": agreement.holder.fingerprint,
                "max_items": 268435456,
                "max_rejected_percent": 5,
                "name": "Holding Agency",
                "required": ["ssn"],
                "rules": [
                    {
                        **dict.fromkeys(["classes", "columns", "earliest", "format", "latest", "max_length"]),
                        **dict.fromkeys(["min_length", "rule", "values"]),
                        "columns": ["ssn"],
                        "rule": "tax-number/1",
                    }
                ],
                "sealing_key": agreement.holder.sealing_key,
                "sheet": None,
                "signing_key": agreement.holder.signing_key,
            },
            "keys": [
                {
                    "columns": [
                        {
                            "holder": "ssn",
                            "holder_format": None,
                            "name": "tin",
                            "recipe": "digits/1",
                            "requester": "tin",
                            "requester_format": None,
                        }
                    ],
                    "compare": "match",
                    "name": "number",
                }
            ],
            "learns": "requester",
            "purpose": "Überprüfung 12-345",
            "requester": {
                "certificate": agreement.requester.certificate,
                "delimiter": ",",
                "encoding": "utf-8",
                "fingerprint": agreement.requester.fingerprint,
                "max_items": 1000,
                "max_rejected_percent": None,
                "name": "Requesting Agency",
                "required": ["tin"],
                "rules": [],
                "sealing_key": agreement.requester.sealing_key,
                "sheet": None,
                "signing_key": agreement.requester.signing_key,
            },
            "schema": "psi/terms/1",
            "suite": "ecdh",
            "tree_depth": 8,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    assert terms.digest(parsed) == hashlib.sha256(b"psi/terms/1\0" + plain.encode()).digest()


def test_digest_ignores_comments_order_and_the_spelling_of_certificates(make_terms: Make) -> None:
    agreement = make_terms()
    document = tomlkit.parse(terms.dumps(agreement)).unwrap()
    document["requester"]["certificate"] = (
        "\n\n" + agreement.requester.certificate.replace("\n", "\r\n") + "\n"
    )
    turned = tomlkit.dumps(
        {name: document[name] for name in reversed(document) if not isinstance(document[name], (dict, list))}
        | document
    )
    assert "#" not in turned
    assert terms.digest(terms.parse(turned.encode())) == terms.digest(agreement)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("purpose", "another", "purpose: 'a test' in the first, 'another' in the second"),
        (
            "suite",
            "vole-semi-honest",
            "suite: 'vole-malicious' in the first, 'vole-semi-honest' in the second",
        ),
        (
            "expires",
            datetime.date(2030, 1, 1),
            "expires: '2999-12-31' in the first, '2030-01-01' in the second",
        ),
        ("holder.max_items", 5, "holder.max_items: 1280000 in the first, 5 in the second"),
        (
            "holder.rules[1].format",
            "%m/%d/%Y",
            "holder.rules[1].format: '%Y-%m-%d' in the first, '%m/%d/%Y' in the second",
        ),
        (
            "holder.required",
            ["tin", "dob", "last_name", "city"],
            "holder.required: record_id in the first only, city in the second only",
        ),
        (
            "holder.required",
            ["tin", "dob", "last_name", "record_id"],
            "holder.required: record_id, last_name, tin, dob in the first, "
            "tin, dob, last_name, record_id in the second",
        ),
        ("holder.required", ["tin", "dob", "last_name"], "holder.required: record_id in the first only"),
    ],
)
def test_a_difference_is_told_in_words(make_terms: Make, path: str, value: object, sentence: str) -> None:
    first = make_terms()
    second = terms.parse(edited(first, path, value))
    assert [each.sentence() for each in terms.diff(first, second)] == [sentence]
    assert terms.digest(first) != terms.digest(second)


def test_a_rule_that_only_one_side_has_is_told(make_terms: Make) -> None:
    first = make_terms()
    second = terms.parse(edited(first, "holder.rules", []))
    assert [each.sentence() for each in terms.diff(first, second)] == [
        "holder.rules[0].rule: 'tax-number/1' in the first only",
        "holder.rules[0].columns: tin in the first only",
        "holder.rules[1].rule: 'date/1' in the first only",
        "holder.rules[1].columns: dob in the first only",
        "holder.rules[1].format: '%Y-%m-%d' in the first only",
        "holder.rules[2].rule: 'name/1' in the first only",
        "holder.rules[2].columns: last_name in the first only",
        "holder.rules[3].rule: 'no-control/1' in the first only",
        "holder.rules[3].columns: record_id, last_name, tin, dob in the first only",
    ]
    assert next(each.sentence() for each in terms.diff(second, first)) == (
        "holder.rules[0].rule: 'tax-number/1' in the second only"
    )


def test_another_identity_is_told_without_the_whole_certificate(tmp_path: Path, make_terms: Make) -> None:
    from psi import identity

    other = identity.create(tmp_path / "other", "Holding Agency").public()
    differences = terms.diff(make_terms(), make_terms(holder=other))
    assert [each.field for each in differences] == [
        "holder.signing_key",
        "holder.sealing_key",
        "holder.fingerprint",
        "holder.certificate",
    ]
    assert "BEGIN" not in "".join(each.sentence() for each in differences)


@given(
    first=st.fixed_dictionaries(
        {"purpose": text, "max_requests": st.integers(1, 9), "suite": st.sampled_from(Suite)}
    ),
    second=st.fixed_dictionaries(
        {"purpose": text, "max_requests": st.integers(1, 9), "suite": st.sampled_from(Suite)}
    ),
)
def test_terms_differ_exactly_when_their_digests_do(
    make_terms: Make, first: dict[str, object], second: dict[str, object]
) -> None:
    one, other = make_terms(**first), make_terms(**second)
    assert bool(terms.diff(one, other)) == (terms.digest(one) != terms.digest(other)) == (first != second)


@given(content=st.binary(max_size=300))
def test_bytes_that_are_no_terms_are_refused_and_nothing_else_happens(content: bytes) -> None:
    with pytest.raises(TermsError):
        terms.parse(content)
