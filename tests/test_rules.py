"""Rules against slow, obvious Python, on random and hostile text."""

# ruff: noqa: RUF001 (characters that look alike are the point)

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum.us import ein, itin, ssn

from psi.cli._story import REASONS
from psi.errors import UsageError
from psi.recipes import PARAMETERS, RECIPES, RULES, is_zip_of, tables
from tests.conftest import ROOT

UNICODE = st.characters(exclude_categories=["Cs"])
ANY_TEXT = st.text(UNICODE, max_size=30)


def judge(name: str, rows: list[tuple[str, ...]], /, *, quick: bool = False, **parameters: Any) -> list[bool]:
    """Return what a rule says of each row of values."""
    rule = RULES[name]
    names = [str(number) for number in range(len(rule.columns))]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    build = rule.quick if quick else rule.expression
    return frame.select(build([pl.col(each) for each in names], parameters)).to_series().to_list()


def one(name: str, texts: list[str], /, **parameters: Any) -> list[bool]:
    return judge(name, [(text,) for text in texts], **parameters)


@pytest.mark.parametrize("name", RULES)
def test_examples_of_a_rule_hold(name: str) -> None:
    rule = RULES[name]
    assert {each.passes for each in rule.examples} == {True, False}
    for each in rule.examples:
        assert judge(name, [each.values], **each.parameters) == [each.passes], each
        assert set(each.parameters) <= set(rule.needs + rule.takes) <= set(PARAMETERS)


@pytest.mark.parametrize("name", RULES)
def test_rules_on_no_rows_give_no_rows(name: str) -> None:
    assert judge(name, [], **RULES[name].examples[0].parameters) == []


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
def test_every_rule_says_yes_or_no_to_any_text_and_the_quick_way_never_yes_to_a_fault(
    name: str, data: st.DataObject
) -> None:
    rule = RULES[name]
    rows = data.draw(st.lists(st.tuples(*[ANY_TEXT] * len(rule.columns)), max_size=20))
    parameters = rule.examples[0].parameters
    full = judge(name, rows, **parameters)
    quick = judge(name, rows, quick=True, **parameters)
    assert all(isinstance(each, bool) for each in full)
    assert not [row for row, fast, slow in zip(rows, quick, full, strict=True) if fast and not slow]


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if len(rule.columns) == 1])
def test_a_field_of_ten_megabytes_is_judged(name: str) -> None:
    values = ["é-" * 3_400_000, "unknown " * 1_300_000, "1" * 10_000_000]
    assert len(one(name, values, **RULES[name].examples[0].parameters)) == 3


# --- tax numbers --------------------------------------------------------------------------------------------------

AREAS = ["000", "001", "078", "219", "457", "665", "666", "667", "899", "900", "912", "999"]
GROUPS = [
    "00",
    "01",
    "05",
    "09",
    "49",
    "50",
    "55",
    "65",
    "66",
    "69",
    "70",
    "88",
    "89",
    "90",
    "92",
    "93",
    "94",
    "99",
]


def stdnum_says(digits: str, kind: str) -> bool:
    """Return what stdnum says; it does not know the ITIN groups 50 to 65, which the IRS assigns."""
    if kind == "itin" and digits[0] == "9" and 50 <= int(digits[3:5]) <= 65:
        return True
    return bool({"ssn": ssn, "itin": itin, "ein": ein}[kind].is_valid(digits))


@pytest.mark.parametrize("kind", ["ssn", "itin", "ein"])
def test_class_of_a_tax_number_is_what_stdnum_says(kind: str) -> None:
    numbers = [
        area + group + serial
        for area in AREAS
        for group in GROUPS
        for serial in ("0000", "0001", "1120", "9999")
    ]
    numbers += [f"{prefix:02}{prefix * 71 % 10_000_000:07}" for prefix in range(100)]
    assert one("tax-number-class/1", numbers, classes=(kind,)) == [
        stdnum_says(each, kind) for each in numbers
    ]


@given(
    st.lists(st.integers(0, 999_999_999), max_size=30),
    st.sets(st.sampled_from(["ssn", "itin", "ein"]), min_size=1),
)
def test_several_classes_take_what_one_of_them_takes(numbers: list[int], classes: set[str]) -> None:
    digits = [f"{number:09}" for number in numbers]
    expected = [any(stdnum_says(each, kind) for kind in classes) for each in digits]
    assert one("tax-number-class/1", digits, classes=tuple(classes)) == expected


# --- dates --------------------------------------------------------------------------------------------------------


def day(text: str) -> datetime.date | None:
    try:
        return (
            datetime.date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
        )
    except ValueError:
        return None


DAYS = st.one_of(
    st.dates().map(str), st.sampled_from(["1985-02-30", "0000-01-01", "", "unknown", "1985-2-3"])
)


@given(values=st.lists(DAYS, max_size=20), earliest=st.dates(), length=st.integers(0, 100_000))
def test_date_range_includes_both_ends(values: list[str], earliest: datetime.date, length: int) -> None:
    latest = min(earliest, datetime.date(9000, 1, 1)) + datetime.timedelta(length)
    earliest = min(earliest, latest)
    values += [str(earliest), str(latest)]
    expected = [(found := day(value)) is not None and earliest <= found <= latest for value in values]
    assert one("date-between/1", values, format="%Y-%m-%d", earliest=earliest, latest=latest) == expected
    assert expected[-2:] == [True, True]


@given(st.lists(st.tuples(DAYS, DAYS), max_size=20))
def test_order_of_days_is_strict(rows: list[tuple[str, str]]) -> None:
    expected = [
        (a := day(first)) is not None and (b := day(second)) is not None and a < b for first, second in rows
    ]
    assert judge("date-order/1", rows, format="%Y-%m-%d") == expected


# --- placeholders and names ---------------------------------------------------------------------------------------


def slow_placeholder(value: str) -> bool:
    """Return whether a value stands for nothing."""
    letters = "".join(c for c in value if c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").lower()
    phrases = [phrase.replace(" ", "") for phrase in tables.PLACEHOLDERS]
    nouns = ["", *(noun.replace(" ", "") for noun in tables.PLACEHOLDER_NOUNS)]
    if any(letters == phrase + noun for phrase in phrases for noun in nouns):
        return True
    if letters == "xx" or (len(letters) >= 3 and len(set(letters)) == 1):
        return True
    if any(unicodedata.category(c)[0] == "L" for c in value):
        return False
    digits = "".join(c for c in value if c in "0123456789")
    return not digits or (len(digits) >= 3 and len(set(digits)) == 1)


SPOILT = st.tuples(
    st.sampled_from(
        [*tables.PLACEHOLDERS, *tables.NAME_PLACEHOLDERS, "Main", "xx", "aaa", "99999", "12", "é"]
    ),
    st.sampled_from(["", " ", "-", "1", "é", "ſ", "\u212a", "\n", "."]),
    st.sampled_from(["", " address", " 12345", "St", " st."]),
    st.sampled_from([str.upper, str.lower, str.title]),
).map(lambda parts: parts[1] + parts[3](parts[0].replace(" ", parts[1] or " ")) + parts[2])


@given(st.lists(st.one_of(SPOILT, ANY_TEXT), max_size=40))
@example(
    [
        "Unknown Address 12345",
        "U-n-k",
        "n\u0131l",
        "\u017fame",
        "12 Same St",
        "K\u212a",
        "---",
        "",
        "99999 99999",
    ]
)
def test_placeholder_is_what_python_says(values: list[str]) -> None:
    expected = [not slow_placeholder(value) for value in values]
    assert one("not-placeholder/1", values) == expected
    quick = one("not-placeholder/1", values, quick=True)
    assert not [value for value, fast, slow in zip(values, quick, expected, strict=True) if fast and not slow]


@given(st.lists(st.one_of(SPOILT, ANY_TEXT), max_size=40))
def test_placeholder_at_sight_is_what_begins_like_one(values: list[str]) -> None:
    known = {phrase.replace(" ", "")[:3] for phrase in [*tables.PLACEHOLDERS, "xx"]}
    known |= {letter * 3 for letter in "abcdefghijklmnopqrstuvwxyz"}
    heads = [re.sub("[^A-Za-z]", "", value).lower()[:3] for value in values]
    expected = [head not in ("", *known) for head in heads]
    assert one("not-placeholder/1", values, quick=True) == expected


def test_every_phrase_of_the_table_is_a_placeholder_with_numbers_around_it() -> None:
    phrases = [*tables.PLACEHOLDERS, *(phrase.upper() for phrase in tables.PLACEHOLDERS)]
    phrases += [f"{phrase} Address 12345" for phrase in tables.PLACEHOLDERS]
    phrases += [f"12345 {phrase.title().replace(' ', '/')}." for phrase in tables.PLACEHOLDERS]
    assert not any(one("not-placeholder/1", phrases))


def test_terms_can_name_further_placeholders() -> None:
    values = ["Néant", " NÉANT ", "Neant", "Néant 1"]
    assert one("not-placeholder/1", values, values=("néant",)) == [False, False, True, True]
    assert one("not-placeholder/1", values, values=("néant",), quick=True)[:2] == [False, False]


@given(st.lists(st.one_of(SPOILT, ANY_TEXT), max_size=40))
def test_name_is_what_python_says(values: list[str]) -> None:
    known = {phrase.replace(" ", "") for phrase in tables.NAME_PLACEHOLDERS}
    expected = []
    for value in values:
        letters = re.sub("[^a-z]", "", re.sub("[^A-Za-z]", "", value).lower())
        stands_for_nothing = letters in known or re.fullmatch("x{2,}|z{3,}", letters)
        expected.append(any(unicodedata.category(c)[0] == "L" for c in value) and not stands_for_nothing)
    assert one("name/1", values) == expected


def test_names_that_people_have_are_names() -> None:
    assert all(
        one(
            "name/1",
            ["Null", "None", "Ng", "O", "Same", "Na", "Moved", "X", "Nguyễn", "李", "Test", "Unk Jr"],
        )
    )


# --- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "street",
    [
        *("1 Main St", "12A Elm Road", "12-34 150th Street", "123 1/2 Oak Ave", "N6W23001 Bluemound Rd"),
        *(
            "One Microsoft Way",
            "4, Rue Sherbrooke",
            "99 Avenue B",
            "123 5th Ave",
            "410 W 500 S",
            " 7 Høyvegen",
        ),
        *("PO Box 12", "P.O. Box 12", "p o box A12", "Post Office Box 7", "Box 9", "POBOX 5"),
        *(
            "RR 2 Box 15",
            "R.R. #2, Box 15",
            "Rural Route 3 Box 4",
            "HC 1 Box 22",
            "Highway Contract Route 5 Box 1",
        ),
        *("PSC 5394 Box 3492", "Unit 3333 Box 9342", "CMR 415, Box 1"),
    ],
)
def test_lines_that_the_post_delivers_to_are_streets(street: str) -> None:
    assert one("street/1", [street, street.upper(), street.lower()]) == [True] * 3


@pytest.mark.parametrize(
    "street",
    [
        *(
            "",
            "Main Street",
            "75201",
            "75201-1234",
            "12",
            "12 3",
            "12 A",
            "99999 99999",
            "Unknown Address 12345",
        ),
        *(
            "Don't care 12345",
            "PO Box",
            "P.O. Box #",
            "Box",
            "RR 2",
            "General Delivery",
            "corner of 5th and Main",
        ),
        *("12Main Street", "No 12", "Apt 4", "\u0661\u0662 Main St"),
    ],
)
def test_lines_that_name_no_place_are_no_streets(street: str) -> None:
    assert one("street/1", [street]) == [False]


@given(st.lists(st.from_regex(r"[0-9]{0,3}[ a]{0,2}[A-Za-z\u00e91\n ]{0,5}", fullmatch=True), max_size=40))
def test_street_at_sight_is_a_number_and_a_name(values: list[str]) -> None:
    quick = one("street/1", values, quick=True)
    assert quick == [re.match("[0-9]+ [^\n]*[A-Za-z][^\n]*[A-Za-z]", value) is not None for value in values]
    full = one("street/1", values)
    assert not [value for value, fast, slow in zip(values, quick, full, strict=True) if fast and not slow]


@given(st.lists(st.text(st.sampled_from("0123456789- "), max_size=12), max_size=30))
@example(
    [
        "75201",
        "752011234",
        "75201-1234",
        "00000",
        "99999-9999",
        "22222",
        "44444",
        "55555",
        "75201\n",
        "\u0667" * 5,
    ]
)
def test_zip_code_is_five_digits_or_nine(values: list[str]) -> None:
    used = {"22222", "44444", "55555"}
    expected = []
    for value in values:
        shaped = re.fullmatch("[0-9]{5}(-?[0-9]{4})?", value) is not None
        expected.append(shaped and (len(set(value[:5])) > 1 or value[:5] in used))
    assert one("zip/1", values) == expected


def test_every_prefix_belongs_to_the_states_of_the_table_and_to_no_other() -> None:
    states = list(tables.ZIP_PREFIXES)
    assert (
        len(states) == 50 + 1 + 3 + 5 + 3
    )  # states; DC; armed forces; territories; freely associated states
    rows = [(f"{prefix:03}17", state) for prefix in range(1000) for state in states]
    assert judge("zip-in-state/1", rows) == [is_zip_of(*row) for row in rows]
    claimed = [
        prefix for prefix in range(1000) if any(is_zip_of(f"{prefix:03}17", state) for state in states)
    ]
    assert len(claimed) == 961  # some of them are not in use: the ranges of the table have them


def test_known_zip_codes_lie_in_their_states() -> None:
    rows = [
        *(
            ("20500", "DC"),
            ("10001", "NY"),
            ("06390", "NY"),
            ("00501", "NY"),
            ("60601", "IL"),
            ("90210", "CA"),
        ),
        *(
            ("99501", "AK"),
            ("96701", "HI"),
            ("00901", "PR"),
            ("00801", "VI"),
            ("96910", "GU"),
            ("83414", "WY"),
        ),
        *(
            ("73301", "TX"),
            ("88510", "tx"),
            ("09012", "AE"),
            ("96201", "AP"),
            ("34002", "AA"),
            ("20101", "VA"),
        ),
        *(("05501", "MA"), ("05601", "VT"), ("75201-1234", "TX"), ("39901", "GA"), ("96799", "AS")),
    ]
    assert judge("zip-in-state/1", rows) == [True] * len(rows)
    others = [("20500", "MD"), ("06390-1", "CT "), ("75201", "NY"), ("", "TX"), ("75201", ""), ("752", "")]
    assert judge("zip-in-state/1", others) == [False] * len(others)


def test_institution_is_known_in_any_way_of_writing_its_address() -> None:
    listed = ("500 Example Road, 78112", "1 North First Street, Suite 4, 10001")
    rows = [
        *(("500 EXAMPLE RD.", "78112-0001"), ("500 Example Rd", "78112"), ("1 N 1st St #4", "10001")),
        *(("500 Example Road", "78113"), ("501 Example Road", "78112"), ("1 N 1st St #5", "10001")),
    ]
    assert judge("not-institution/1", rows, values=listed) == [False] * 3 + [True] * 3


# --- any text -----------------------------------------------------------------------------------------------------


@given(st.lists(ANY_TEXT, max_size=20), st.integers(0, 10), st.integers(0, 20))
def test_length_counts_characters(values: list[str], least: int, more: int) -> None:
    expected = [least <= len(value) <= least + more for value in values]
    assert one("length/1", values, min_length=least, max_length=least + more) == expected


def test_control_characters_of_all_of_unicode_are_found() -> None:
    everything = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    turns = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\ufeff"}
    bad = [c for c in everything if unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in turns]
    passes = one("no-control/1", [f"O{c}Brien" for c in everything])
    assert [c for c, good in zip(everything, passes, strict=True) if not good] == bad


@given(st.lists(st.one_of(ANY_TEXT, st.sampled_from(["FRAUD", "fraud", "FRAUD "])), max_size=20))
def test_list_is_to_the_character(values: list[str]) -> None:
    assert one("one-of/1", values, values=("FRAUD", "REENTRY")) == [
        value in ("FRAUD", "REENTRY") for value in values
    ]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("date/1", {}, "format: date/1 needs how the file writes days"),
        ("date/1", {"format": "%y"}, "format: date format"),
        ("date/1", {"format": "%Y-%m-%d", "values": ("x",)}, "values: date/1 takes no such parameter"),
        ("tax-number-class/1", {"classes": ()}, "classes: an empty list lets nothing pass"),
        ("tax-number-class/1", {"classes": ("ssn", "vat")}, "classes: no class 'vat'"),
        ("length/1", {"min_length": 3, "max_length": 2}, "min_length: nothing lies between the two bounds"),
        ("one-of/1", {"values": ()}, "values: an empty list says nothing"),
        ("one-of/1", {"values": ("a", "\t")}, "values: one of them is blank"),
        (
            "not-institution/1",
            {"values": ("500 Example Road",)},
            "values: an address is a street, a comma and a ZIP",
        ),
    ],
)
def test_parameter_that_cannot_be_is_named(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        RULES[name].check(parameters)


@pytest.mark.repo
def test_page_has_every_rule_and_recipe_as_they_are() -> None:
    page = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    for rule in RULES.values():
        columns = ", ".join(rule.columns) if len(rule.columns) > 1 else "any"
        parameters = [
            *(f"`{name}`" for name in rule.needs),
            *(f"`{name}` (if wanted)" for name in rule.takes),
        ]
        row = f"| `{rule.name}` | {rule.sentence} | `{rule.reason}` | {columns} | {', '.join(parameters) or 'none'} |"
        assert row in page
    for recipe in RECIPES.values():
        assert f"| `{recipe.name}` | {recipe.sentence} |" in page


def test_every_reason_has_words_for_the_screen_of_the_demo() -> None:
    assert set(REASONS) >= {"missing", "empty-key", *(rule.reason for rule in RULES.values())}
