"""``psi terms``: make, check or compare the terms both organisations agree on."""

from __future__ import annotations

import textwrap
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from psi.cli._options import Screen, identity_option, outcome_options, screen_options

if TYPE_CHECKING:
    from psi.identity import Card
    from psi.terms import ColumnRule, Key, KeyColumn, Learns, Side, Terms

V = TypeVar("V")
_KEY_COLUMN = "[KEY/]NAME=REQUESTER_COLUMN:HOLDER_COLUMN:RECIPE[:FORMAT[:FORMAT]]"
_ONLY_KEY = "key"  # the name of one that was given none
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("terms", epilog="Example:  psi terms check terms.toml")
def command() -> None:
    """Make, check or compare the terms both organisations agree on."""


@command.command(
    "new",
    epilog="Example:  psi terms new --requester agency.card --holder registry.card "
    '--purpose "Case 12-345" --authority "26 U.S.C. 6103(i)(2)" --out terms.toml',
)
@click.option("--requester", required=True, type=_FILE, metavar="CARD", help="The requester's card.")
@click.option("--holder", required=True, type=_FILE, metavar="CARD", help="The holder's card.")
@click.option("--purpose", required=True, metavar="TEXT", help="Why the lists are compared.")
@click.option("--authority", required=True, metavar="TEXT", help="The law or agreement that allows it.")
@outcome_options
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The last day on which the terms hold (default: in one year).",
)
@click.option(
    "--max-requests",
    type=int,
    default=1_280_000,
    show_default=True,
    metavar="N",
    help="How many different people the requester may bring.",
)
@click.option(
    "--max-records",
    type=int,
    default=1_280_000,
    show_default=True,
    metavar="N",
    help="How many different people the holder may bring.",
)
@click.option(
    "--key",
    "key_columns",
    multiple=True,
    metavar=_KEY_COLUMN,
    help="A column of the key; several times for several. KEY names the key it belongs to where there are several, "
    "the strictest first. Default: tax number, last name and date of birth. Recipes: digits/1, nfkd-upper-alnum/1, "
    "name-last/1, address-usps/1, and date-iso/1 with each side's format (%Y-%m-%d).",
)
@click.option(
    "--count",
    "counted",
    multiple=True,
    metavar="KEY",
    help="Tell of this key only how many agree, to the side that learns first alone, and not which rows.",
)
@click.option(
    "--require",
    "required",
    multiple=True,
    metavar="PARTY:COLUMN",
    help="A column in which every row needs a value, besides those of the key.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="PARTY:COLUMN[,COLUMN]:RULE[:FORMAT]",
    help="A rule that raw values must pass (`psi check --explain all`); other parameters are written into the file.",
)
@click.option(
    "--max-rejected",
    "max_rejected_percent",
    type=click.IntRange(0, 100),
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="A run does not take place when more of a file's rows are rejected.",
)
@click.option(
    "--tree-depth",
    type=click.IntRange(7, 9),
    default=8,
    show_default=True,
    help="Of the vole suites: 7 for a quick link, 9 for a slow one; `psi plan --link` compares them.",
)
@click.option("--out", type=_FILE, metavar="FILE", help="Write to a new file (default: standard output).")
@screen_options
def new(
    *,
    requester: Path,
    holder: Path,
    purpose: str,
    authority: str,
    suite: str,
    learns: Learns | None,
    first: Side | None,
    expires: datetime | None,
    max_requests: int,
    max_records: int,
    key_columns: tuple[str, ...],
    counted: tuple[str, ...],
    required: tuple[str, ...],
    rules: tuple[str, ...],
    max_rejected_percent: int,
    tree_depth: int,
    out: Path | None,
    screen: Screen,
) -> None:
    """
    Fill a file of terms from two cards and print it; it asks nothing.

    Without --key, --require and --rule the columns are those of the synthetic case (psi scenario).
    """
    from psi.terms import draft, dumps

    made = draft(
        requester=_card(requester),
        holder=_card(holder),
        purpose=purpose,
        authority=authority,
        suite=suite,
        learns=learns,
        first=first,
        expires=expires.date() if expires else _in_one_year(_today()),
        max_requests=max_requests,
        max_records=max_records,
        keys=_keys(key_columns, counted),
        required=_by_side([_required(text) for text in required]),
        rules=_by_side([_rule(text) for text in rules]),
        max_rejected_percent=max_rejected_percent,
        tree_depth=tree_depth,
    )
    text = dumps(made)
    if out is not None:
        _write(out, text)
        screen.note(f"psi: terms in {out}; read them, and give the other organisation the same file")
    if screen.json or out is None:
        screen.result(_record(made), text.rstrip())


@command.command("check", epilog="Example:  psi terms check terms.toml --identity keys/tax-agency")
@click.argument("path", type=_FILE, metavar="TERMS")
@identity_option
@screen_options
def check(path: Path, identity: Path | None, screen: Screen) -> None:
    """
    Say whether terms hold today, what they say, and which party this organisation is.

    The digest is what both sides compare when they meet: it is the same text when the digests are equal.
    """
    from psi import terms as agreement
    from psi.identity import default_folder, load

    terms = agreement.load(path)
    agreement.check(terms, today=_today())
    record = _record(terms)
    lines = _summary(terms)
    if identity is not None or (default_folder() / "tls.crt").exists():
        side = agreement.side_of(terms, load(identity or default_folder()).fingerprint)
        record["you"] = side
        lines.append(f"you        {f'the {side}' if side else 'neither of the two: another identity'}")
    screen.result(record, "\n".join(lines))


@command.command("diff", epilog="Example:  psi terms diff ours.toml theirs.toml")
@click.argument("first", type=_FILE, metavar="TERMS")
@click.argument("second", type=_FILE, metavar="TERMS")
@screen_options
def diff(first: Path, second: Path, screen: Screen) -> None:
    """Name every difference between two files of terms; exit code 4 when there is one."""
    from psi import terms as agreement
    from psi.errors import TermsError

    one, other = agreement.load(first), agreement.load(second)
    found = agreement.diff(one, other)
    record = {
        "schema": "psi/terms-diff/1",
        "equal": not found,
        "digests": [agreement.digest(one).hex(), agreement.digest(other).hex()],
        "differences": [{"field": each.field, "first": each.first, "second": each.second} for each in found],
    }
    screen.result(record, "\n".join(each.sentence() for each in found) or "the same terms")
    if found:
        count = "1 field differs" if len(found) == 1 else f"{len(found)} fields differ"
        raise TermsError(count, hint="agree on one of the two files and use it on both sides")


def _today() -> date:
    """Return the day in UTC, which is the same day on both sides."""
    return datetime.now(UTC).date()


def _in_one_year(day: date) -> date:
    """Return the same day of the next year; the last of February for the day that is not there."""
    return day.replace(year=day.year + 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _card(path: Path) -> Card:
    """Read a card from a file."""
    from psi.errors import TermsError, UsageError
    from psi.identity import parse_card

    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UsageError(f"no file {path}", hint="`psi id show` prints a card") from None
    except UnicodeDecodeError:
        raise TermsError(f"{path}: card: not UTF-8") from None
    try:
        return parse_card(text)
    except TermsError as error:
        raise TermsError(f"{path}: {error.message}", hint=error.hint) from None


def _keys(texts: tuple[str, ...], counted: tuple[str, ...]) -> tuple[Key, ...]:
    """Gather the columns of each key, in the order in which keys are named first."""
    from psi.terms import Key

    columns: dict[str, list[KeyColumn]] = {}
    for text in texts:
        name, column = _key_column(text)
        columns.setdefault(name, []).append(column)
    for name in counted:
        if name not in columns:
            raise click.BadParameter(f"no --key belongs to a key {name!r}", param_hint="--count")
    return tuple(
        Key(name=name, compare="count" if name in counted else "match", columns=tuple(parts))
        for name, parts in columns.items()
    )


def _key_column(text: str) -> tuple[str, KeyColumn]:
    """Read a column of a key, and the name of the key."""
    from psi.terms import KeyColumn

    name, _, rest = text.partition("=")
    key, slash, column = name.partition("/")
    parts = rest.split(":")
    if not 3 <= len(parts) <= 5:
        raise click.BadParameter(f"{text!r} is not {_KEY_COLUMN}", param_hint="--key")
    requester_format, holder_format = [*parts[3:], *parts[3:4], None, None][:2]
    return key if slash else _ONLY_KEY, KeyColumn(
        name=column if slash else name,
        requester=parts[0],
        holder=parts[1],
        recipe=parts[2],
        requester_format=requester_format,
        holder_format=holder_format,
    )


def _required(text: str) -> tuple[Side, str]:
    """Read ``PARTY:COLUMN``."""
    party, _, column = text.partition(":")
    return _side(party, text, "PARTY:COLUMN", "--require"), column


def _rule(text: str) -> tuple[Side, ColumnRule]:
    """Read ``PARTY:COLUMN[,COLUMN]:RULE[:FORMAT]``."""
    from psi.terms import ColumnRule

    shape = "PARTY:COLUMN[,COLUMN]:RULE[:FORMAT]"
    party, *parts = text.split(":")
    side = _side(party, text, shape, "--rule")
    if not 2 <= len(parts) <= 3:
        raise click.BadParameter(f"{text!r} is not {shape}", param_hint="--rule")
    columns, rule, date_format = (*parts, None)[:3]
    return side, ColumnRule(columns=tuple(str(columns).split(",")), rule=str(rule), format=date_format)


def _side(party: str, text: str, shape: str, option: str) -> Side:
    """Read ``requester`` or ``holder`` at the beginning of an option's value."""
    if party == "requester":
        return "requester"
    if party == "holder":
        return "holder"
    raise click.BadParameter(
        f"{text!r} is not {shape}, where PARTY is requester or holder", param_hint=option
    )


def _by_side(pairs: list[tuple[Side, V]]) -> dict[Side, tuple[V, ...]]:
    """Gather what belongs to each party."""
    return {side: tuple(value for owner, value in pairs if owner == side) for side, _ in pairs}


def _write(path: Path, text: str) -> None:
    """Write a new file, never over another."""
    from psi.errors import UsageError

    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(
            f"{path} exists, and terms are never overwritten", hint="choose another --out"
        ) from None


def _record(terms: Terms) -> dict[str, object]:
    """Return terms as the object that ``--json`` prints."""
    import msgspec

    from psi.terms import digest

    return {"schema": "psi/terms-check/1", "digest": digest(terms).hex(), "terms": msgspec.to_builtins(terms)}


def _summary(terms: Terms) -> list[str]:
    """Return what terms say, a line for each fact."""
    from psi.terms import digest, who_learns_what

    return [
        f"digest     {digest(terms).hex()}",
        f"purpose    {' '.join(terms.purpose.split())}",
        f"authority  {' '.join(terms.authority.split())}",
        f"requester  {terms.requester.name}, at most {terms.requester.max_items:,} people",
        f"holder     {terms.holder.name}, at most {terms.holder.max_items:,} people",
        *_compared(terms),
        f"suite      {terms.suite.value}",
        *(
            textwrap.fill(sentence, 88, initial_indent=" " * 11, subsequent_indent=" " * 11)
            for sentence in who_learns_what(terms).values()
        ),
        f"expires    {terms.expires.isoformat()}",
    ]


def _compared(terms: Terms) -> list[str]:
    """Return what is compared: the columns of one key on a line, or of several on a line each, with their names."""
    columns = [", ".join(f"{column.name} ({column.recipe})" for column in key.columns) for key in terms.keys]
    if len(columns) > 1:
        columns = [f"{key.name} ({key.compare}): {of}" for key, of in zip(terms.keys, columns, strict=True)]
    return [f"{'' if number else 'compared':<11}{line}" for number, line in enumerate(columns)]
