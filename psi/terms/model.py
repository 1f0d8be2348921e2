"""The agreement as a struct: what its fields are, how they fit each other, the digest both sides compare."""

from __future__ import annotations

import datetime
import hashlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import msgspec
import rfc8785

from psi.errors import MachineError, TermsError, UsageError
from psi.identity import Card, check_card
from psi.recipes import PARAMETERS, RECIPES, RULES, Recipe, check_format
from psi.wire import MAX_ITEMS, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "psi/terms/1"
_MAX_FILE_BYTES = 1 << 20  # a page of text; anything larger is not terms
_DIGEST_PREFIX = b"psi/terms/1\0"

Side = Literal["requester", "holder"]
SIDES: tuple[Side, ...] = get_args(Side)
Learns = Literal["requester", "holder", "both"]
_ONE_KEY = "one key is compared in a run; for a second one agree on other terms and run again"
_UNKNOWN_FIELDS = {
    **dict.fromkeys(("keys", "tiers", "tier"), _ONE_KEY),
    "column": 'a rule names its columns: columns = ["tin"]',
}
DEADLINE_S = 10  # vole.md, "Deadline"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
_Length = Annotated[int, msgspec.Meta(ge=0, le=1 << 26)]
_Column = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decode exactly: an unknown field, a missing one or another type is an error."""


class KeyColumn(_Strict, frozen=True, kw_only=True):
    """
    Name one part of the key: a column on each side and the recipe that brings both into one form.

    A format (``"%m/%d/%Y"``) is given for each side exactly when the recipe reads dates.
    """

    name: _Column
    requester: _Column
    holder: _Column
    recipe: str
    requester_format: str | None = None
    holder_format: str | None = None


class ColumnRule(_Strict, frozen=True, kw_only=True):
    """
    Name a rule that raw values must pass, or their row is rejected.

    A rule about one value holds for each of ``columns`` by itself; one about several values of a row wants them in its
    order. The other fields are its parameters (`psi.recipes.PARAMETERS`), of which each rule takes some.
    """

    rule: str
    columns: Annotated[tuple[_Column, ...], msgspec.Meta(min_length=1, max_length=256)]
    format: str | None = None
    earliest: datetime.date | None = None
    latest: datetime.date | None = None
    min_length: _Length | None = None
    max_length: _Length | None = None
    classes: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] | None = None
    values: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=10_000)] | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """Return the parameters that are there."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}


class Party(_Strict, frozen=True, kw_only=True):
    """
    Describe one organisation: who it is (the fields of its card), what its file is like, how much it may bring.

    A row needs a value in every ``required`` column and must pass every rule. No run takes place when more than
    ``max_rejected_percent`` of the rows are rejected, if that is there. ``max_items`` counts distinct keys.
    """

    name: str
    signing_key: str
    sealing_key: str
    fingerprint: str
    certificate: str
    max_items: Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS)]
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    required: tuple[_Column, ...]
    rules: tuple[ColumnRule, ...] = ()
    max_rejected_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class Terms(_Strict, frozen=True, kw_only=True):
    """
    Hold the whole agreement; ``load`` makes it from a file, and its fields have been checked then.

    ``first`` says who learns first where both learn, and is not there otherwise. ``deadline_s`` is the time, besides 20
    microseconds for each of its items, in which a receiver of ``vole-malicious`` commits to its list.
    """

    schema: Literal["psi/terms/1"]
    purpose: _Text
    authority: _Text
    suite: Suite
    learns: Learns
    first: Side | None = None
    deadline_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = DEADLINE_S
    expires: datetime.date
    requester: Party
    holder: Party
    key: Annotated[tuple[KeyColumn, ...], msgspec.Meta(min_length=1, max_length=16)]


def load(path: Path) -> Terms:
    """
    Read terms from a file and check everything but the date; ``check`` adds that.

    Raises ``TermsError`` that names the field, ``UsageError`` when there is no such file, ``MachineError`` when it
    cannot be read.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise TermsError(f"{path}: larger than {_MAX_FILE_BYTES} bytes, so these are no terms")
        text = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"no file {path}", hint="`psi terms new` makes terms") from None
    except OSError as error:
        raise MachineError(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    try:
        return parse(text)
    except TermsError as error:
        raise TermsError(f"{path}: {error.message}", hint=error.hint) from None


def parse(text: bytes) -> Terms:
    """Decode terms from the bytes of a TOML file; ``load`` calls it, and raises what it raises with the path."""
    try:
        values = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TermsError(f"byte {error.start + 1} is not UTF-8", hint="save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise TermsError(f"not TOML: {_lower(str(error))}") from None
    return from_values(values)


def from_values(values: Mapping[str, object]) -> Terms:
    """
    Make terms from plain values, as TOML or JSON holds them; ``parse`` and ``draft`` call it.

    Raises ``TermsError`` that names the field which is missing, unknown, of another type, or does not fit.
    """
    try:
        terms = msgspec.convert(values, Terms)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from None
    return _consistent(terms)


def check(terms: Terms, *, today: datetime.date) -> None:
    """
    Check that terms hold on a day, the last one included, and that their fields fit each other.

    ``run`` calls it before anything else. Raises ``TermsError`` that names the field.
    """
    _consistent(terms)
    if today > terms.expires:
        raise TermsError(
            f"expires: these terms ended on {terms.expires.isoformat()}",
            hint="agree on new terms: `psi terms new --help`",
        )


def receiver(terms: Terms) -> Side:
    """Return which organisation is the receiver of the suite: the one that learns the output, or learns it first."""
    if terms.learns != "both":
        return terms.learns
    assert terms.first is not None  # checked when the terms were made
    return terms.first


def learners(terms: Terms) -> tuple[Side, ...]:
    """Return which organisations learn the output, the receiver of the suite before the other one."""
    first = receiver(terms)
    return (first, *(side for side in SIDES if side != first)) if terms.learns == "both" else (first,)


def side_of(terms: Terms, fingerprint: str) -> Side | None:
    """Return which organisation has the certificate with this fingerprint; ``None`` when neither has."""
    return next((side for side in SIDES if getattr(terms, side).fingerprint == fingerprint), None)


def digest(terms: Terms) -> bytes:
    """
    Return the 32 bytes that both sides compare: SHA-256 over ``psi/terms/1``, a zero byte and canonical JSON.

    The JSON (RFC 8785) holds every field of the struct under its name, those that have their default included: the
    date as ``YYYY-MM-DD``, a format that is not there as ``null``, a certificate as 64-column PEM. So comments,
    order and layout of the TOML do not count.
    """
    return hashlib.sha256(_DIGEST_PREFIX + rfc8785.dumps(msgspec.to_builtins(terms))).digest()


def _consistent(terms: Terms) -> Terms:
    """Check the fields against each other and return the terms with both certificates in their one spelling."""
    parties: dict[str, Party] = {}
    for side in SIDES:
        party: Party = getattr(terms, side)
        card = Card(*(getattr(party, name) for name in Card.__dataclass_fields__))
        spelled = check_card(card, where=f"{side}.")
        _check_file(party, side)
        parties[side] = msgspec.structs.replace(party, certificate=spelled.certificate)
    for name in ("fingerprint", "signing_key", "sealing_key"):
        if getattr(terms.requester, name) == getattr(terms.holder, name):
            raise TermsError(
                f"requester.{name} and holder.{name} are the same",
                hint="each organisation makes its own: `psi id new`",
            )
    if terms.learns == "both" and not terms.suite.can_report:
        raise TermsError(
            f"learns: with suite {terms.suite.value} one side can learn only",
            hint="the suites vole-malicious and vole-semi-honest let both learn",
        )
    if (terms.learns == "both") != (terms.first is not None):
        raise TermsError(
            "first: it says who learns first where both learn, and has no place otherwise",
            hint='learns = "both" needs first = "holder" or first = "requester"',
        )
    for name in ("purpose", "authority"):
        if not getattr(terms, name).strip():
            raise TermsError(f"{name} is blank")
    _check_key(terms)
    return msgspec.structs.replace(terms, **parties)


def _check_file(party: Party, side: Side) -> None:
    """Check what the terms say of one organisation's file."""
    _distinct(party.required, f"{side}.required")
    if party.delimiter in '"\r\n\0' or not party.delimiter.isascii() or party.delimiter.isalnum():
        raise TermsError(f"{side}.delimiter is not a character that can separate columns")
    seen: set[tuple[str, ...]] = set()
    for number, rule in enumerate(party.rules):
        where = f"{side}.rules[{number}]"
        _check_rule(rule, where)
        alone = len(RULES[rule.rule].columns) == 1
        for columns in [(column,) for column in rule.columns] if alone else [rule.columns]:
            if (rule.rule, *columns) in seen:
                raise TermsError(f"{where}: {rule.rule} is there twice for column {columns[0]!r}")
            seen.add((rule.rule, *columns))


def _check_rule(rule: ColumnRule, where: str) -> None:
    """Check that a rule is known, and that its columns and parameters are those it wants."""
    known = RULES.get(rule.rule)
    if known is None:
        raise TermsError(
            f"{where}.rule: no rule {rule.rule!r}",
            hint=f"there are {', '.join(RULES)}; `psi check --explain RULE`",
        )
    if len(known.columns) > 1 and len(rule.columns) != len(known.columns):
        raise TermsError(
            f"{where}.columns: {rule.rule} is about {len(known.columns)} columns, and {len(rule.columns)} are named",
            hint=f"in this order: {', '.join(known.columns)}",
        )
    _distinct(rule.columns, f"{where}.columns")
    try:
        known.check(rule.parameters)
    except UsageError as error:
        raise TermsError(f"{where}.{error.message}", hint=error.hint) from None


def _check_key(terms: Terms) -> None:
    """Check the columns of the key on both sides."""
    _distinct([column.name for column in terms.key], "key: name")
    for side in SIDES:
        _distinct([getattr(column, side) for column in terms.key], f"key: {side}")
    for number, column in enumerate(terms.key):
        where = f"key[{number}]"
        if column.recipe not in RECIPES:
            raise TermsError(
                f"{where}.recipe: no recipe {column.recipe!r}", hint=f"there are {', '.join(RECIPES)}"
            )
        for side in SIDES:
            _check_format(RECIPES[column.recipe], getattr(column, f"{side}_format"), f"{where}.{side}_format")
            _check_required(getattr(terms, side), getattr(column, side), side, f"{where}.{side}")


def _check_format(operation: Recipe, date_format: str | None, where: str) -> None:
    try:
        check_format(operation, date_format)
    except UsageError as error:
        raise TermsError(f"{where}: {error.message}", hint=error.hint) from None


def _check_required(party: Party, column: str, side: Side, where: str) -> None:
    if column not in party.required:
        raise TermsError(
            f"{where}: column {column!r} is not in {side}.required",
            hint="a value that may be missing is not compared",
        )


def _distinct(values: Sequence[object], where: str) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise TermsError(f"{where}: {value!r} is there twice")


def _named(message: str) -> TermsError:
    """Turn the text of msgspec into ours: the field first, in the spelling of the file."""
    what, _, where = message.partition(" - at `")
    field = where.rstrip("`").removeprefix("$").removeprefix(".")
    inner = re.match(r"Object (missing required|contains unknown) field `(.*)`", what)
    if inner:
        name = f"{field}.{inner[2]}" if field else inner[2]
        missing = inner[1].startswith("missing")
        return TermsError(
            f"{name}: {'is missing' if missing else 'unknown field'}",
            hint=None if missing else _UNKNOWN_FIELDS.get(inner[2]),
        )
    hint = f"there are {', '.join(suite.value for suite in Suite)}" if field == "suite" else None
    return TermsError(f"{field}: {_lower(what.replace('`', ''))}", hint=hint)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
