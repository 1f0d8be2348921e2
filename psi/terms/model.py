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
from psi.recipes import PARAMETERS, RULES
from psi.terms.fields import SIDES, Column, Length, Side, Strict, Text, check_distinct
from psi.terms.keys import MAX_KEYS, Key, check_keys
from psi.wire import MAX_ITEMS, TREE_DEPTH, TREE_DEPTHS, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "psi/terms/1"
_MAX_FILE_BYTES = 1 << 20  # a page of text; anything larger is not terms
_DIGEST_PREFIX, _KEY_PREFIX = b"psi/terms/1\0", b"psi/terms/1 key\0"

Learns = Literal["requester", "holder", "both"]
Encoding = Literal["utf-8", "windows-1252", "latin-1", "utf-16", "utf-16-le", "utf-16-be"]  # docs/sources.md
_UNKNOWN_FIELDS = {
    **dict.fromkeys(
        ("key", "tiers", "tier"),
        "keys are tables, strictest first: [[keys]] with a name, in it [[keys.columns]]; `psi terms new` writes them",
    ),
    "column": 'a rule names its columns: columns = ["tin"]',
}
DEADLINE_S = 10  # vole.md, "Deadline"


class ColumnRule(Strict, frozen=True, kw_only=True):
    """
    Name a rule that raw values must pass, or their row is rejected.

    A rule about one value holds for each of ``columns`` by itself; one about several values of a row wants them in its
    order. The other fields are its parameters (`psi.recipes.PARAMETERS`), of which each rule takes some.
    """

    rule: str
    columns: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=256)]
    format: str | None = None
    earliest: datetime.date | None = None
    latest: datetime.date | None = None
    min_length: Length | None = None
    max_length: Length | None = None
    classes: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] | None = None
    values: Annotated[tuple[Text, ...], msgspec.Meta(max_length=10_000)] | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """Return the parameters that are there."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}


class Party(Strict, frozen=True, kw_only=True):
    """
    Describe one organisation: who it is (the fields of its card), what its file is like, how much it may bring.

    A row needs a value in every ``required`` column and must pass every rule. No run takes place when more than
    ``max_rejected_percent`` of the rows are rejected, if that is there. ``max_items`` limits the distinct values of
    each key. ``delimiter`` and ``encoding`` are those of a CSV file, ``sheet`` names a sheet of a workbook that is not
    the first.
    """

    name: str
    signing_key: str
    sealing_key: str
    fingerprint: str
    certificate: str
    max_items: Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS)]
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    encoding: Encoding = "utf-8"
    sheet: Column | None = None
    required: tuple[Column, ...]
    rules: tuple[ColumnRule, ...] = ()
    max_rejected_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


class Terms(Strict, frozen=True, kw_only=True):
    """
    Hold the whole agreement; ``load`` makes it from a file, and its fields have been checked then.

    ``first`` says who learns first where both learn, and is not there otherwise. ``deadline_s`` is the time, besides 20
    microseconds for each of its items, in which a receiver of ``vole-malicious`` commits to its list. ``tree_depth``
    trades bytes for time in both vole suites: deeper trees send less and take longer; `psi plan --link` compares them.
    """

    schema: Literal["psi/terms/1"]
    purpose: Text
    authority: Text
    suite: Suite
    learns: Learns
    first: Side | None = None
    deadline_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = DEADLINE_S
    tree_depth: Annotated[int, msgspec.Meta(ge=min(TREE_DEPTHS), le=max(TREE_DEPTHS))] = TREE_DEPTH
    expires: datetime.date
    requester: Party
    holder: Party
    keys: Annotated[tuple[Key, ...], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]


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


def key_digest(terms: Terms, number: int) -> bytes:
    """Return the 32 bytes that both sides compare in the session of a key: of the first one the digest of the terms."""
    whole = digest(terms)
    return hashlib.sha256(_KEY_PREFIX + number.to_bytes(4, "little") + whole).digest() if number else whole


def suite_of(terms: Terms, key: Key) -> Suite:
    """Return the suite by which a key is compared."""
    return terms.suite if key.compare == "match" else Suite.ECDH_CARDINALITY


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
    check_keys(
        terms.keys, suite=terms.suite, required={side: getattr(terms, side).required for side in SIDES}
    )
    return msgspec.structs.replace(terms, **parties)


def _check_file(party: Party, side: Side) -> None:
    """Check what the terms say of one organisation's file."""
    check_distinct(party.required, f"{side}.required")
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
    check_distinct(rule.columns, f"{where}.columns")
    try:
        known.check(rule.parameters)
    except UsageError as error:
        raise TermsError(f"{where}.{error.message}", hint=error.hint) from None


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
    if field.endswith(".encoding"):
        hint = f"there are {', '.join(get_args(Encoding))}"
    return TermsError(f"{field}: {_lower(what.replace('`', ''))}", hint=hint)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
