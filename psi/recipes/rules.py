"""
Say which raw values pass: the rules of the gate, each with its reason code, its parameters and examples.

A rule sees a value as it stands in the file. It passes, or the row is rejected under the rule's reason; nothing is
repaired. A rule about one value is given to as many columns as the terms name; a rule about several values of a row
(a ZIP code and its state) names them in a fixed order, and the first of them is the one at fault.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from psi.errors import UsageError
from psi.recipes import tables
from psi.recipes.addresses import address_usps
from psi.recipes.dates import date_pattern, day_of
from psi.recipes.kernels import are_in_order, is_no_phrase, is_numbered_street, is_tax_number

if TYPE_CHECKING:
    import polars as pl

    Build = Callable[[Sequence[pl.Expr], Mapping[str, Any]], pl.Expr]

#: What each parameter is, in the words of an explanation.
PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "format": 'how the file writes days, as "%m/%d/%Y"',
        "earliest": "the first day that passes",
        "latest": "the last day that passes",
        "min_length": "the least number of characters",
        "max_length": "the greatest number of characters",
        "classes": 'which classes pass: "ssn", "itin", "ein"',
        "values": "a list of texts",
    }
)


@dataclass(frozen=True)
class Example:
    """Show what a rule makes of the values of a row; ``parameters`` are those it was given."""

    values: tuple[str, ...]
    passes: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """
    Judge raw values, before any recipe; ``sentence`` says what passes, ``reason`` is the code of a rejected row.

    ``columns`` are the values it looks at together; ``needs`` and ``takes`` name the parameters that must and that may
    be given. A value that is not there passes: whether it may be missing is for ``required`` to say.
    """

    name: str
    sentence: str
    reason: str
    _build: Build = field(repr=False)
    columns: tuple[str, ...] = ("value",)
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = field(default=(), repr=False)
    _quick: Build | None = field(default=None, repr=False)
    _plain_bytes: Callable[[Mapping[str, Any]], int | None] | None = field(default=None, repr=False)

    def expression(
        self, columns: Sequence[pl.Expr], parameters: Mapping[str, Any] = MappingProxyType({})
    ) -> pl.Expr:
        """
        Return the expression that is true where the values pass; for string columns without nulls.

        Raises `UsageError` that names the parameter which is missing, not wanted or not allowed.
        """
        self.check(parameters)
        assert len(columns) == len(self.columns)
        return self._build(columns, parameters)

    def quick(
        self, columns: Sequence[pl.Expr], parameters: Mapping[str, Any] = MappingProxyType({})
    ) -> pl.Expr:
        """Return an expression that is true for most values that pass and for no other, in less time."""
        return (self._quick or self.expression)(columns, parameters)

    @property
    def has_quick(self) -> bool:
        """Return whether the quick expression is another than that of the rule."""
        return self._quick is not None

    def plain_bytes(self, parameters: Mapping[str, Any] = MappingProxyType({})) -> int | None:
        """Return up to which length every value that `is_plain` passes, ``None`` where that is no reason to pass."""
        return self._plain_bytes(parameters) if self._plain_bytes else None

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise `UsageError` that begins with the name of a parameter which is missing, not wanted or not allowed."""
        for name in self.needs:
            if parameters.get(name) is None:
                raise UsageError(f"{name}: {self.name} needs {PARAMETERS[name]}")
        for name, value in parameters.items():
            if value is None:
                continue
            if name not in self.needs + self.takes:
                wanted = ", ".join(self.needs + self.takes) or "none"
                raise UsageError(f"{name}: {self.name} takes no such parameter", hint=f"it takes {wanted}")
            _check_parameter(name, value)
        if self.columns == _ADDRESS:
            for text in parameters["values"]:
                _address_of(text)
        for least, most in _BOUNDS:
            low, high = parameters.get(least), parameters.get(most)
            if low is not None and high is not None and low > high:
                raise UsageError(f"{least}: nothing lies between the two bounds of {self.name}")


_ADDRESS = ("street", "ZIP code")
_BOUNDS = (("earliest", "latest"), ("min_length", "max_length"))
CLASSES = ("ssn", "itin", "ein")


def _check_parameter(name: str, value: Any) -> None:
    """Check one parameter by itself; raises `UsageError` that begins with its name."""
    if name == "format":
        try:
            date_pattern(value)
        except UsageError as error:
            raise UsageError(f"format: {error.message}", hint=error.hint) from None
    elif name == "classes":
        unknown = [each for each in value if each not in CLASSES]
        if unknown or not value:
            what = f"no class {unknown[0]!r}" if unknown else "an empty list lets nothing pass"
            raise UsageError(f"classes: {what}", hint=f"there are {', '.join(CLASSES)}")
    elif name == "values":
        if not value:
            raise UsageError("values: an empty list says nothing")
        if any(not each.strip() for each in value):
            raise UsageError("values: one of them is blank")


def _all(parts: Sequence[pl.Expr]) -> pl.Expr:
    return reduce(lambda one, other: one & other, parts)


# --- single values ------------------------------------------------------------------------------------------------


def _tax_number(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return is_tax_number(columns[0])


# Numbers that were printed in advertisements, and so are nobody's.
_PUBLISHED = "^(?:078[- ]?05[- ]?1120|219[- ]?09[- ]?9999|457[- ]?55[- ]?5462)$"
_SSN = (
    "^(?:[1-57-8][0-9]{2}|0[1-9][0-9]|00[1-9]|6[0-57-9][0-9]|66[0-57-9])[- ]?"
    "(?:0[1-9]|[1-9][0-9])[- ]?(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])$"
)
_ITIN = "^9[0-9]{2}[- ]?(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[- ]?[0-9]{4}$"
_EIN = f"^(?:{'|'.join(tables.EIN_PREFIXES)})[- ]?[0-9]{{7}}$"
_THREE_PARTS, _TWO_PARTS = "^[0-9]{3}[^0-9]?[0-9]{2}[^0-9]?[0-9]{4}$", "^[0-9]{2}[^0-9]?[0-9]{7}$"


def _tax_number_class(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    value = columns[0].str
    of_class = {
        "ssn": value.contains(_SSN) & ~value.contains(_PUBLISHED),
        "itin": value.contains(_ITIN),
        "ein": value.contains(_EIN),
    }
    return reduce(lambda one, other: one | other, [of_class[name] for name in parameters["classes"]])


def _date(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    return day_of(columns[0], parameters["format"]).is_not_null()


def _date_between(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    day = day_of(columns[0], parameters["format"])
    parts = [day.is_not_null()]
    if parameters.get("earliest") is not None:
        parts.append(day >= parameters["earliest"])
    if parameters.get("latest") is not None:
        parts.append(day <= parameters["latest"])
    return _all(parts).fill_null(False)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_REPEATED_LETTER = "^(?:" + "|".join(f"{letter}{{3,}}" for letter in _LETTERS) + "|xx)$"
_REPEATED_DIGIT = "^(?:" + "|".join(f"{digit}{{3,}}" for digit in "0123456789") + ")?$"


def _heads(phrases: Iterable[str]) -> list[str]:
    """Return the first three letters of each phrase, or all that it has."""
    return sorted({phrase.replace(" ", "")[:3] for phrase in phrases})


def _begins(phrases: Iterable[str]) -> str:
    """Return the pattern of what begins like a phrase: few values do, and only they are looked at closely."""
    heads = []
    for head in _heads(phrases):
        letters = [f"[{letter}{letter.upper()}]" for letter in head]
        heads.append("[^A-Za-z]*".join(letters) + ("" if len(letters) > 2 else "[^A-Za-z]*$"))
    return f"^[^A-Za-z]*(?:{'|'.join(heads)})"


def _letters_of(column: pl.Expr, begins: str) -> pl.Expr:
    """Return the letters a to z, small, of values that begin so, and null for the others."""
    import polars as pl

    return (
        pl.when(column.str.contains(begins)).then(column).str.replace_all("[^A-Za-z]+", "").str.to_lowercase()
    )


@cache
def _placeholders() -> tuple[list[str], list[str]]:
    """Return the first letters of placeholders, and the letters of every placeholder."""
    phrases = {phrase.replace(" ", "") for phrase in tables.PLACEHOLDERS}
    phrases |= {phrase + noun.replace(" ", "") for phrase in phrases for noun in tables.PLACEHOLDER_NOUNS}
    return _heads([*phrases, *(letter * 3 for letter in _LETTERS), "xx"]), sorted(phrases)


@cache
def _name_placeholders() -> tuple[str, list[str]]:
    """Return the same for names."""
    phrases = {phrase.replace(" ", "") for phrase in tables.NAME_PLACEHOLDERS}
    return _begins([*tables.NAME_PLACEHOLDERS, "xx", "xxx", "zzz"]), sorted(phrases)


def _not_placeholder(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    import polars as pl

    column = columns[0]
    heads, phrases = _placeholders()
    letters = _letters_of(column, _begins(heads))
    is_phrase = letters.is_in(phrases) | letters.str.contains(_REPEATED_LETTER)
    wordless = pl.when(~column.str.contains(r"\p{L}")).then(column)
    is_digit = wordless.str.replace_all("[^0-9]+", "").str.contains(_REPEATED_DIGIT)
    passes = ~(is_phrase.fill_null(False) | is_digit.fill_null(False))
    if parameters.get("values"):
        trimmed = column.str.strip_chars().str.to_lowercase()
        passes &= ~trimmed.is_in([text.strip().lower() for text in parameters["values"]])
    return passes


def _no_placeholder_at_sight(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    passes = is_no_phrase(columns[0], _placeholders()[0])
    return passes & _not_placeholder(columns, parameters) if parameters.get("values") else passes


def _name(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    begins, phrases = _name_placeholders()
    letters = _letters_of(columns[0], begins)
    is_phrase = letters.is_in(phrases) | letters.str.contains("^(?:x{2,}|z{3,})$")
    return columns[0].str.contains(r"\p{L}") & ~is_phrase.fill_null(False)


_NUMBER_WORDS = "one|two|three|four|five|six|seven|eight|nine|ten"
_HOUSE = (
    rf"(?:[0-9]+[a-z]?(?:[-/][0-9]+[a-z]?)?(?:\s+[0-9]/[0-9])?|[nsew][0-9]+(?:[nsew][0-9]+)?|{_NUMBER_WORDS})"
)
_STREET = (
    rf"(?i)^\s*(?:{_HOUSE}[\s,]+.*\p{{L}}.*\p{{L}}"
    r"|(?:p\.?\s*o\.?\s*|post\s+office\s+)?box\s*#?\s*[0-9a-z]*[0-9][0-9a-z]*\b"
    r"|(?:r\.?\s*r\.?|rural\s+route|h\.?\s*c\.?r?|highway\s+contract(?:\s+route)?|star\s+route)\s*#?[0-9]+[a-z]?[\s,]+"
    r"box\s*#?[0-9]"
    r"|(?:psc|cmr|unit)\s*[0-9]+[\s,]+box\s*[0-9])"
)


def _street(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return columns[0].str.contains(_STREET)


def _street_at_sight(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return is_numbered_street(columns[0])


def _city(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return columns[0].str.contains(r"\p{L}.*\p{L}")


def _state(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return columns[0].str.to_uppercase().is_in(list(tables.ZIP_PREFIXES))


_ZIP = "^[0-9]{5}(?:-?[0-9]{4})?$"
_REPEATED_ZIP = (
    "^(?:"
    + "|".join(f"{digit}{{5}}" for digit in "0123456789" if digit * 5 not in tables.REPEATED_ZIPS)
    + ")"
)


def _zip(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    value = columns[0].str
    return value.contains(_ZIP) & ~value.contains(_REPEATED_ZIP)


def _length(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    length = columns[0].str.len_chars()
    least: int = parameters.get("min_length") or 0
    most: int = parameters["max_length"]
    return length.is_between(least, most)


_CONTROL = r"[\p{Cc}\p{Zl}\p{Zp}\u{202A}-\u{202E}\u{2066}-\u{2069}\u{FEFF}]"


def _no_control(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    return ~columns[0].str.contains(_CONTROL)


def _any_plain(_: Mapping[str, Any]) -> int:
    return 1 << 26  # the longest value that there is


def _plain_of_length(parameters: Mapping[str, Any]) -> int | None:
    return int(parameters["max_length"]) if (parameters.get("min_length") or 0) <= 1 else None


def _one_of(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    return columns[0].is_in(list(parameters["values"]))


# --- several values of a row --------------------------------------------------------------------------------------


def _date_order(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    return are_in_order(columns, parameters["format"])


def _zip_in_state(columns: Sequence[pl.Expr], _: Mapping[str, Any]) -> pl.Expr:
    zip_code, state = columns[0], columns[1].str.to_uppercase()
    across = [code + name for code, name in tables.ZIPS_ACROSS_A_BORDER.items()]
    return (zip_code.str.slice(0, 3) + state).is_in(list(tables.prefixes_with_states())) | (
        zip_code.str.slice(0, 5) + state
    ).is_in(across)


def _not_institution(columns: Sequence[pl.Expr], parameters: Mapping[str, Any]) -> pl.Expr:
    import polars as pl

    listed = [_address_of(text) for text in parameters["values"]]
    frame = pl.DataFrame({"street": [street for street, _ in listed], "zip": [code for _, code in listed]})
    known = frame.select(address_usps(pl.col("street")) + pl.lit("\0") + pl.col("zip")).to_series()
    return ~(address_usps(columns[0]) + pl.lit("\0") + columns[1].str.slice(0, 5)).is_in(known.to_list())


def _address_of(text: str) -> tuple[str, str]:
    """Take "12 Main Street, 12345" apart; raises `UsageError` for what is written in another way."""
    street, _, code = text.rpartition(",")
    code = code.strip()
    if not street.strip() or len(code) != 5 or not (code.isascii() and code.isdigit()):
        raise UsageError(
            "values: an address is a street, a comma and a ZIP code of five digits",
            hint='for example "500 Example Road, 78112"',
        )
    return street, code


def _passes(*values: str, **parameters: Any) -> Example:
    return Example(values, True, parameters)


def _fails(*values: str, **parameters: Any) -> Example:
    return Example(values, False, parameters)


_YEARS = {"format": "%Y-%m-%d", "earliest": datetime.date(1900, 1, 1), "latest": datetime.date(2025, 12, 31)}

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule(
                "tax-number/1",
                "the value is nine digits, alone or grouped 3-2-4 or 2-7 by one kind of separator, a hyphen "
                "or a blank, with nothing before or after",
                "tax-number",
                _tax_number,
                examples=(
                    _passes("900-01-0001"),
                    _passes("12-3456789"),
                    _fails("12345678"),
                    _fails("XXX-XX-1234"),
                ),
            ),
            Rule(
                "tax-number-class/1",
                "the number is one that the named classes can have: as SSN no area 000, 666 or 900 to 999, no "
                "group 00, no serial 0000, none of three that were printed in advertisements; as ITIN an area from "
                "900 with a group of 50-65, 70-88, 90-92 or 94-99; as EIN a prefix that the IRS assigns",
                "tax-number-class",
                _tax_number_class,
                needs=("classes",),
                examples=(
                    _passes("123-45-6789", classes=("ssn",)),
                    _fails("666-45-6789", classes=("ssn", "itin")),
                    _passes("912-70-1234", classes=("itin",)),
                    _fails("078-05-1120", classes=("ssn",)),
                ),
            ),
            Rule(
                "date/1",
                "the value is a real calendar day in exactly the format that the terms give, with nothing "
                "before or after",
                "date",
                _date,
                needs=("format",),
                examples=(_passes("1985-02-28", format="%Y-%m-%d"), _fails("1985-02-30", format="%Y-%m-%d")),
            ),
            Rule(
                "date-between/1",
                "the value is a calendar day in the format of the terms, from the earliest to the latest that they "
                "give",
                "date-range",
                _date_between,
                needs=("format",),
                takes=("earliest", "latest"),
                examples=(_passes("1985-02-28", **_YEARS), _fails("1885-02-28", **_YEARS)),
            ),
            Rule(
                "date-order/1",
                "both values are calendar days in the format of the terms, and the first comes before the second",
                "date-order",
                _date_order,
                columns=("first day", "second day"),
                needs=("format",),
                examples=(
                    _passes("1985-02-28", "2020-01-01", format="%Y-%m-%d"),
                    _fails("2020-01-01", "2020-01-01", format="%Y-%m-%d"),
                ),
            ),
            Rule(
                "name/1",
                "the value has a letter and does not say that a name is not known (FNU, LNU, unknown, no name, …)",
                "name",
                _name,
                examples=(_passes("Null"), _passes("Ng"), _fails("FNU"), _fails("UNKNOWN"), _fails("--")),
            ),
            Rule(
                "not-placeholder/1",
                "the value, of which only the letters A to Z count here, is not a phrase that stands for nothing "
                "(unknown, failed to provide, N/A, same as above, homeless, …), nor one letter repeated; without "
                "letters it is not one digit repeated; and it is none of the further values that the terms may give",
                "placeholder",
                _not_placeholder,
                takes=("values",),
                _quick=_no_placeholder_at_sight,
                examples=(
                    _passes("12 Unknown Soldier Road"),
                    _fails("Unknown Address 12345"),
                    _fails("Failed to Provide"),
                    _fails("N/A"),
                    _fails("99999 99999"),
                ),
            ),
            Rule(
                "street/1",
                "the value begins with a house number that a name follows, or is a PO box, a rural route with a "
                "box, or a military box",
                "street",
                _street,
                _quick=_street_at_sight,
                examples=(
                    _passes("12 Main Street, Apt. 4"),
                    _passes("P.O. Box 77"),
                    _passes("RR 2 Box 15"),
                    _fails("75201"),
                    _fails("Don't care 12345"),
                ),
            ),
            Rule(
                "city/1",
                "the value has two letters at least",
                "city",
                _city,
                examples=(_passes("Ely"), _fails("12")),
            ),
            Rule(
                "state/1",
                "the value is the code of a state, of DC, of a territory or of the armed forces' mail, in two letters "
                "of any case",
                "state",
                _state,
                examples=(_passes("TX"), _passes("pr"), _fails("Texas"), _fails("ZZ")),
            ),
            Rule(
                "zip/1",
                "the value is a ZIP code of five digits or of nine, and not one digit repeated",
                "zip",
                _zip,
                examples=(_passes("75201"), _passes("75201-1234"), _fails("2138"), _fails("99999")),
            ),
            Rule(
                "zip-in-state/1",
                "the first three digits of the ZIP code belong to the state",
                "zip-state",
                _zip_in_state,
                columns=("ZIP code", "state"),
                examples=(_passes("75201", "TX"), _fails("75201", "NY")),
            ),
            Rule(
                "not-institution/1",
                'the address is none of those on the list of the terms ("500 Example Road, 78112"), both sides '
                "in the form of address-usps/1",
                "institution",
                _not_institution,
                columns=_ADDRESS,
                needs=("values",),
                examples=(
                    _passes("12 Main Street", "78112", values=("500 Example Road, 78112",)),
                    _fails("500 EXAMPLE RD.", "78112-0001", values=("500 Example Road, 78112",)),
                ),
            ),
            Rule(
                "one-of/1",
                "the value is one of the list, to the character",
                "not-listed",
                _one_of,
                needs=("values",),
                examples=(
                    _passes("FRAUD", values=("FRAUD", "REENTRY")),
                    _fails("other", values=("FRAUD", "REENTRY")),
                ),
            ),
            Rule(
                "length/1",
                "the value has no fewer and no more characters than the terms give",
                "length",
                _length,
                needs=("max_length",),
                takes=("min_length",),
                _plain_bytes=_plain_of_length,
                examples=(_passes("abc", max_length=3), _fails("abcd", max_length=3)),
            ),
            Rule(
                "no-control/1",
                "the value has no control character, line break or character that turns the direction of writing",
                "control",
                _no_control,
                _plain_bytes=_any_plain,
                examples=(_passes("O'Brien"), _fails("O\u0007Brien")),
            ),
        )
    }
)
