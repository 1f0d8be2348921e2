"""Keys in tiers: what terms may hold, the one message for each mistake, the digest of each key, who learns what."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from psi import terms
from psi.errors import TermsError
from psi.terms import Key
from psi.wire import Suite
from tests.conftest import ROOT
from tests.keys_kit import DOB, LAST, NUMBER, NUMBER_AND_ZIP, TIERS, TIN, ZIP
from tests.test_terms import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from psi.terms import KeyColumn

    Make = Callable[..., terms.Terms]


def key(name: str, *columns: KeyColumn, compare: terms.Compare = "match") -> Key:
    return Key(name=name, compare=compare, columns=columns)


def renamed(column: KeyColumn, **changes: str) -> KeyColumn:
    return msgspec.structs.replace(column, **changes)


def test_several_keys_come_back_from_their_text_and_ask_for_no_column_in_every_row(make_terms: Make) -> None:
    made = make_terms(keys=TIERS)
    text = terms.dumps(made)
    assert terms.parse(text.encode()) == made
    assert made.keys == TIERS
    assert made.requester.required == made.holder.required == ()
    assert text.count("[[keys]]") == 3
    assert text.count("[[keys.columns]]") == 5


def test_only_key_is_asked_of_every_row(make_terms: Make) -> None:
    made = make_terms(keys=(NUMBER_AND_ZIP,))
    assert made.requester.required == made.holder.required == ("tin", "zip")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ((key("a", TIN), key("a", LAST)), "keys: name: 'a' is there twice"),
        (
            (key("a", TIN, LAST), key("b", renamed(LAST, name="surname"), TIN)),
            "keys[1] ('b') and keys[0] ('a') compare the same columns by the same recipes",
        ),
        (
            (key("a", TIN), key("b", TIN, compare="count")),
            "keys[1] ('b') and keys[0] ('a') compare the same columns by the same recipes",
        ),
        (
            (key("a", ZIP), key("b", TIN, LAST), key("c", DOB, LAST, TIN)),
            "keys[2] ('c') asks for all that keys[1] ('b') asks for and more, so it can match no further row",
        ),
        ((key("né", TIN),), "keys[0].name: not printable ASCII"),
        ((key("two\nlines", TIN),), "keys[0].name: not printable ASCII"),
        ((key(" ", TIN),), "keys[0].name: not printable ASCII"),
        ((key("a", TIN), key("", LAST)), "keys[1].name: expected str of length >= 1"),
        ((key("a", TIN), key("b")), "keys[1].columns: expected array of length >= 1"),
        (
            tuple(key(str(n), renamed(TIN, holder=str(n))) for n in range(9)),
            "keys: expected array of length <= 8",
        ),
        (
            (key("a", TIN), key("b", renamed(LAST, recipe="soundex/1"))),
            "keys[1].columns[0].recipe: no recipe 'soundex/1'",
        ),
        (
            (NUMBER, key("b", LAST, compare="count")),
            "suite: every key is to count, and vole-malicious is for keys to match",
        ),
    ],
)
def test_keys_that_cannot_be_are_refused_in_one_message(
    make_terms: Make, keys: tuple[Key, ...], message: str
) -> None:
    with pytest.raises(TermsError) as raised:
        make_terms(keys=keys)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("keys[0].columns[0].recipe", "digits/9", "keys[0].columns[0].recipe: no recipe 'digits/9'"),
        (
            "keys[0].columns[1].recipe",
            "date-iso/1",
            "keys[0].columns[1].requester_format: date-iso/1 needs the format of the date",
        ),
        (
            "keys[0].columns[0].holder_format",
            "%Y-%m-%d",
            "keys[0].columns[0].holder_format: digits/1 takes no date format",
        ),
        (
            "keys[0].columns[2].holder_format",
            "%y-%m-%d",
            "keys[0].columns[2].holder_format: date format: character 1 is not allowed",
        ),
        (
            "keys[0].columns[0].requester",
            "ssn",
            "keys[0].columns[0].requester: column 'ssn' is not in requester.required",
        ),
        (
            "keys[0].columns[0].holder",
            "ssn",
            "keys[0].columns[0].holder: column 'ssn' is not in holder.required",
        ),
        ("keys[0].columns[0].name", "dob", "keys[0].columns: name: 'dob' is there twice"),
        ("keys[0].columns[0].holder", "dob", "keys[0].columns: holder: 'dob' is there twice"),
    ],
)
def test_column_of_a_key_that_does_not_fit_is_named(
    make_terms: Make, path: str, value: object, message: str
) -> None:
    with pytest.raises(TermsError) as raised:
        terms.parse(edited(make_terms(), path, value))
    assert raised.value.message == message


@pytest.mark.parametrize(
    "keys",
    [
        TIERS,
        (key("a", TIN, LAST), key("b", TIN)),  # looser
        (key("a", TIN), key("b", TIN, ZIP, compare="count")),  # how many of those that match agree in more
        (key("a", TIN, compare="count"), key("b", TIN, LAST)),
        (key("a", LAST), key("b", renamed(LAST, recipe="name-last/1"))),  # the same columns in another form
        (key("a", TIN), key("b", renamed(TIN, requester="spouse_tin"))),  # another column of one side
        tuple(key(str(n), renamed(TIN, holder=str(n))) for n in range(8)),
    ],
)
def test_keys_that_say_something_each_are_accepted(make_terms: Make, keys: tuple[Key, ...]) -> None:
    assert make_terms(keys=keys).keys == keys


def test_suite_that_only_counts_goes_with_keys_that_count(make_terms: Make) -> None:
    made = make_terms(keys=TIERS, suite=Suite.ECDH_CARDINALITY)
    assert [each.compare for each in made.keys] == ["count"] * 3  # `draft` knows what the suite means
    text = terms.dumps(made).replace('compare = "count"', 'compare = "match"', 1)
    with pytest.raises(TermsError) as raised:
        terms.parse(text.encode())
    assert (
        raised.value.message == "keys: 'number and zip' is to match, and suite ecdh-cardinality only counts"
    )


def test_each_key_has_its_suite_and_its_digest(make_terms: Make) -> None:
    made = make_terms(keys=TIERS)
    suites = [terms.suite_of(made, each) for each in made.keys]
    assert suites == [Suite.VOLE_MALICIOUS, Suite.VOLE_MALICIOUS, Suite.ECDH_CARDINALITY]
    whole = terms.digest(made)
    assert [terms.key_digest(made, number) for number in range(3)] == [
        whole,
        hashlib.sha256(b"psi/terms/1 key\0\1\0\0\0" + whole).digest(),
        hashlib.sha256(b"psi/terms/1 key\0\2\0\0\0" + whole).digest(),
    ]
    swapped = make_terms(keys=(TIERS[1], TIERS[0], TIERS[2]))
    assert not {terms.key_digest(made, n) for n in range(3)} & {
        terms.key_digest(swapped, n) for n in range(3)
    }


def test_digest_of_each_key_is_that_of_the_vectors(monkeypatch: pytest.MonkeyPatch, make_terms: Make) -> None:
    path = ROOT / "protocol_spec" / "vectors" / "terms.json"
    (case,) = json.loads(path.read_text(encoding="utf-8"))["cases"]
    monkeypatch.setattr(
        "psi.terms.model.digest", lambda _: bytes.fromhex(case["digest"])
    )  # its cards are none
    digests = [terms.key_digest(make_terms(), number).hex() for number in range(len(case["values"]["keys"]))]
    assert digests == case["key_digests"]


def test_text_says_what_each_side_learns_by_which_key(make_terms: Make) -> None:
    rows = 'which of its own rows are also on the other list, by "number and zip" and "name and birth"'
    people = 'how many people are on both lists by "number", and not who they are'
    size = "the size of the other list by each key"
    both = make_terms(keys=TIERS)
    assert terms.who_learns_what(both) == {
        "holder": f"The holder learns first {rows}; {people}; and {size}.",
        "requester": f"The requester learns {rows}, as far as the holder reports it, and {size}. "
        'It learns nothing of how many are on both lists by "number".',
    }
    one = make_terms(keys=TIERS, learns="requester")
    assert terms.who_learns_what(one) == {
        "requester": f"The requester learns {rows}; {people}; and {size}.",
        "holder": f"The holder learns {size}, and nothing else.",
    }
    counted = make_terms(keys=TIERS[1:], suite=Suite.ECDH_CARDINALITY)
    assert terms.who_learns_what(counted)["requester"] == (
        'The requester learns how many people are on both lists by "name and birth" and "number", and not who they '
        f"are, and {size}."
    )
    page = terms.dumps(both)
    assert "to count only how many, and that to the holder" in " ".join(page.replace("\n# ", " ").split())


def test_difference_between_keys_is_named_by_its_place(make_terms: Make) -> None:
    one, other = make_terms(keys=TIERS), make_terms(keys=(*TIERS[:2], key("number", TIN)))
    assert [each.sentence() for each in terms.diff(one, other)] == [
        "keys[2].compare: 'count' in the first, 'match' in the second"
    ]
    assert (
        terms.diff(one, make_terms(keys=TIERS[:2]))[0].sentence()
        == "keys[2].name: 'number' in the first only"
    )
