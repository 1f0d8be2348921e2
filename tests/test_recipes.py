"""Recipes and rules against slow, obvious Python, on all of Unicode and on random text."""

# ruff: noqa: RUF001 (characters that look alike are the point)

from __future__ import annotations

import datetime
import re
import unicodedata
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import items, postal
from stdnum.us import ein, ssn

from psi.errors import UsageError
from psi.recipes import RECIPES, RULES, Recipe, Rule, addresses, date_pattern, is_plain

NAME = "nfkd-upper-alnum/1"
UNICODE = st.characters(exclude_categories=["Cs"])
FORMATS = [
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
    "%-m/%-d/%Y",
    "%d-%b-%Y",
    "%b %-d, %Y",
    "%d%b%Y",
    " %d/%m/%Y ",
]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@cache
def all_of_unicode() -> list[str]:
    return [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def apply(name: str, values: list[str], date_format: str | None = None) -> list[str]:
    operation = RECIPES[name]
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    return frame.select(operation.expression(pl.col("value"), date_format))["value"].to_list()


def passes(name: str, values: list[str], date_format: str | None = None) -> list[bool]:
    frame = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
    parameters = {} if date_format is None else {"format": date_format}
    return frame.select(RULES[name].expression([pl.col("value")], parameters)).to_series().to_list()


@cache
def assigned_in_unicode_14() -> set[str]:
    """Ask Python where its tables are of that version, polars otherwise."""
    if unicodedata.unidata_version == "14.0.0":
        return {c for c in all_of_unicode() if unicodedata.category(c) != "Cn"}
    old = pl.Series(all_of_unicode()).str.contains(r"^\p{Age=14.0}$").to_list()
    return {
        c
        for c, is_old in zip(all_of_unicode(), old, strict=True)
        if is_old and unicodedata.category(c) != "Cn"
    }


CAPITAL_CAME_LATER = {"\u019b", "\u0264", "\ua7d3", "\ua7d5"}  # Unicode 15.0 to 17.0


def upper(text: str) -> str:
    return "".join(c if c in CAPITAL_CAME_LATER else c.upper() for c in text)


def slow_name(text: str) -> str:
    assigned = assigned_in_unicode_14()
    known = "".join(c for c in text if c in assigned)
    if not known:
        return ""
    apart = unicodedata.normalize("NFKD", upper(unicodedata.normalize("NFKD", known)))
    return "".join(c for c in apart if unicodedata.category(c)[0] in "LN")


def slow_date(text: str, date_format: str) -> str:
    """Try every day that the digits could mean, and keep the one that is written exactly so."""
    numbers = [int(n) for n in re.findall("[0-9]{1,4}", text)]
    words = [w.lower() for w in re.findall("[A-Za-z]{3}", text)]
    numbers += [MONTHS.index(w) + 1 for w in words if w in MONTHS]
    if re.fullmatch("[0-9]{8}", text):
        numbers = [int(text[:4]), int(text[4:6]), int(text[6:])]
    elif date_format == "%d%b%Y":
        numbers += [int(n) for n in (text[:2], text[-4:]) if re.fullmatch("[0-9]+", n)]
    for year in {n for n in numbers if 1 <= n <= 9999}:
        for month in {n for n in numbers if n <= 12}:
            for day in {n for n in numbers if n <= 31}:
                try:
                    date = datetime.date(year, month, day)
                except ValueError:
                    continue
                if write_date(date, date_format).lower() == text.lower():
                    return date.isoformat()
    return ""


def write_date(date: datetime.date, date_format: str) -> str:
    parts = {
        "%Y": f"{date.year:04}",
        "%m": f"{date.month:02}",
        "%d": f"{date.day:02}",
        "%-m": f"{date.month}",
        "%-d": f"{date.day}",
        "%b": MONTHS[date.month - 1].title(),
    }
    for directive, text in parts.items():
        date_format = date_format.replace(directive, text)
    return date_format


@pytest.mark.slow
def test_name_recipe_equals_python_on_every_character() -> None:
    assert apply(NAME, all_of_unicode()) == [slow_name(c) for c in all_of_unicode()]


def test_name_recipe_is_idempotent_on_every_character() -> None:
    once = apply(NAME, all_of_unicode())
    assert apply(NAME, once) == once


@given(st.lists(st.text(UNICODE), max_size=30))
@example(
    [
        "",
        "é",
        "e\u0301",
        "ﬃ",
        "ŉ",
        "ǰ",
        "ß",
        "ΐ",
        "İ",
        "α\u0345\u0301x",
        "\u1100\u1161\u11a8",
        "각",
        "①",
        "Ⅷ",
        "\U0001e030",
    ]
)
def test_name_recipe_equals_python_on_text(values: list[str]) -> None:
    once = apply(NAME, values)
    assert once == [slow_name(value) for value in values]
    assert apply(NAME, once) == once


def test_name_recipe_removes_what_unicode_14_did_not_know() -> None:
    outlined_capital_a = "\U0001ccd6"  # Unicode 16.0; newer tables take it apart into "A"
    assert apply(NAME, [f"x{outlined_capital_a}y", outlined_capital_a]) == ["XY", ""]


def test_name_recipe_makes_formatting_variants_equal() -> None:
    variants = [
        "García-López",
        "GARCIA LOPEZ",
        "garcia lopez ",
        "Garci\u0301a‐Lo\u0301pez",
        "Garcialopez",
        "ＧarcíaLópez",
    ]
    assert set(apply(NAME, variants)) == {"GARCIALOPEZ"}
    assert set(apply(NAME, ["O'Brien", "O’BRIEN", "obrien", "O`Brien."])) == {"OBRIEN"}


WORDS = st.sampled_from(
    [
        "JR",
        "Sr.",
        "iii",
        "2nd",
        "V",
        "García",
        "O’Brien",
        "STREET",
        "St.",
        "#",
        "##",
        "Apt",
        "No",
        "north",
        "1st",
        "é",
        "²",
    ]
)
LINES = st.lists(st.one_of(WORDS, st.text(UNICODE, max_size=4)), max_size=6).flatmap(
    lambda words: st.sampled_from([" ", "-", ", ", "  ", "", "\u00a0", "\n"]).map(
        lambda blank: blank.join(words)
    )
)


@given(st.lists(LINES, max_size=20))
@example(
    [
        "",
        " ",
        "Jr Jr",
        "Jr",
        "# #",
        "#4#",
        "Apt # 4 # Suite",
        "NORTH NORTH",
        "\u0301Street",
        "Streeẗ",
        "ſtreet",
        "ß 2ND",
        "1\ufdd0Jr",  # no character, and none ever
    ]
)
def test_recipes_of_words_equal_the_reference(values: list[str]) -> None:
    for name, reference in (("name-last/1", items.name_last), ("address-usps/1", items.address_usps)):
        once = apply(name, values)
        assert once == [reference(value) for value in values]
        assert name == "name-last/1" or apply(name, once) == once


@pytest.mark.scale
@pytest.mark.slow
def test_recipes_of_words_equal_the_reference_on_characters_of_all_kinds() -> None:
    values = [f"1{c}Jr" for c in all_of_unicode()[::7]]
    assert apply("name-last/1", values) == [items.name_last(value) for value in values]
    assert apply("address-usps/1", values) == [items.address_usps(value) for value in values]


def test_short_forms_are_those_of_the_reference_and_have_no_shorter_ones() -> None:
    assert addresses.words() == postal.SHORT_FORMS
    assert not set(addresses.words()) & set(addresses.words().values())


@given(st.lists(st.text(st.one_of(UNICODE, st.sampled_from("0123456789 -٣３²"))), max_size=30))
def test_digits_recipe_keeps_ascii_digits_alone(values: list[str]) -> None:
    once = apply("digits/1", values)
    assert once == ["".join(c for c in value if c in "0123456789") for value in values]
    assert apply("digits/1", once) == once


@pytest.mark.parametrize("date_format", FORMATS)
@given(
    date=st.dates(),
    junk=st.text(st.sampled_from("0123456789-/ .,abcdejnJ\n+\u0663"), max_size=2),
    at=st.integers(0, 12),
)
def test_date_recipe_takes_the_format_and_nothing_else(
    date_format: str, date: datetime.date, junk: str, at: int
) -> None:
    good = write_date(date, date_format)
    spoilt = good[:at] + junk + good[at:]
    expected = [date.isoformat(), slow_date(spoilt, date_format)]
    assert apply("date-iso/1", [good, spoilt], date_format) == expected
    assert passes("date/1", [good, spoilt], date_format) == [True, expected[1] != ""]


@given(st.lists(st.text(st.sampled_from("0123456789-"), min_size=8, max_size=11), max_size=20))
@example(
    [
        "2000-02-29",
        "1900-02-29",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "2001-04-31",
        "2001-13-01",
    ]
)
def test_date_recipe_knows_the_calendar_and_is_idempotent(values: list[str]) -> None:
    once = apply("date-iso/1", values, "%Y-%m-%d")
    assert once == [slow_date(value, "%Y-%m-%d") for value in values]
    assert apply("date-iso/1", once, "%Y-%m-%d") == once


def test_date_recipe_knows_every_day_of_four_centuries() -> None:
    days = np.datetime_as_string(np.arange("1800-01-01", "2200-01-01", dtype="datetime64[D]")).tolist()
    assert len(days) == 146_097
    written = [f"{day[5:7]}/{day[8:]}/{day[:4]}" for day in days]
    assert apply("date-iso/1", written, "%m/%d/%Y") == days


@pytest.mark.parametrize(
    "date_format",
    [
        "",
        "%Y",
        "%Y-%m",
        "%y-%m-%d",
        "%Y-%m-%d-%d",
        "%Y-%m-%b",
        "%Y-%m-%d %H",
        "%Yx%m%d",
        "%",
        "%Y-%m-%d%%",
        "%-m%d%Y",
        "%Y%-d%b",
    ],
)
def test_format_that_would_need_a_guess_is_refused(date_format: str) -> None:
    with pytest.raises(UsageError, match="date format"):
        date_pattern(date_format)
    with pytest.raises(UsageError, match="date format"):
        RECIPES["date-iso/1"].expression(pl.col("value"), date_format)


def test_format_must_be_there_exactly_when_it_is_needed() -> None:
    with pytest.raises(UsageError, match="needs the format"):
        RECIPES["date-iso/1"].expression(pl.col("value"))
    with pytest.raises(UsageError, match="takes no date format"):
        RECIPES["digits/1"].expression(pl.col("value"), "%Y-%m-%d")


@given(st.lists(st.text(st.one_of(UNICODE, st.characters(max_codepoint=0x80)), max_size=6), max_size=30))
@example(["", " ", "  ", " a", "a ", "~", "\x7f", "\x1f", "abcde", "abcdef", "é"])
def test_plain_is_printable_ascii_that_is_not_blank_nor_too_long(values: list[str]) -> None:
    found = pl.DataFrame({"value": values}, schema={"value": pl.String}).select(is_plain(pl.col("value"), 5))
    expected = [
        value.isascii() and value.isprintable() and value.strip() != "" and len(value) <= 5
        for value in values
    ]
    assert found.to_series().to_list() == expected


@given(st.lists(st.text(st.sampled_from("0123456789- \n"), max_size=12), max_size=30))
@example(
    [
        "123456789",
        "123-45-6789",
        "123 45 6789",
        "12-3456789",
        "12 3456789",
        "123-45 6789",
        "123456789 ",
        "123456789\n",
    ]
)
@example(
    [
        "",
        "12345678",
        "1234567890",
        "123-456-789",
        "１２３４５６７８９",
        "٣٣٣٣٣٣٣٣٣",
        "123–45–6789",
        "000000000",
    ]
)
def test_tax_number_rule_is_nine_digits_with_usual_separators(values: list[str]) -> None:
    shapes = ["ddddddddd", "ddd-dd-dddd", "ddd dd dddd", "dd-ddddddd", "dd ddddddd"]
    expected = [re.sub("[0-9]", "d", value) in shapes for value in values]
    assert passes("tax-number/1", values) == expected


@given(st.integers(0, 999_999_999))
def test_tax_number_rule_takes_every_shape_that_stdnum_writes(number: int) -> None:
    digits = f"{number:09}"
    assert passes("tax-number/1", [digits, ssn.format(digits), ein.format(digits)]) == [True, True, True]


def test_every_operation_is_named_with_a_version_and_one_sentence() -> None:
    operations: dict[str, Recipe | Rule] = {**RECIPES, **RULES}
    for name, operation in operations.items():
        assert operation.name == name
        assert re.fullmatch(r"[a-z-]+/[1-9][0-9]*", name)
        assert operation.sentence
        assert not operation.sentence.endswith(".")
    assert len({rule.reason for rule in RULES.values()}) == len(RULES)


def test_operations_on_no_rows_give_no_rows() -> None:
    assert apply(NAME, []) == apply("digits/1", []) == apply("date-iso/1", [], "%Y-%m-%d") == []
    assert passes("tax-number/1", []) == passes("date/1", [], "%Y-%m-%d") == []


def test_a_field_of_ten_megabytes_is_brought_into_form() -> None:
    value = "é-" * 3_400_000
    assert apply(NAME, [value]) == ["E" * 3_400_000]
    assert apply("digits/1", [value + "7"]) == ["7"]
    assert passes("tax-number/1", [value]) == [False]
