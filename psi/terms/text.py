"""The agreement as a page of TOML that a lawyer can read, and who learns what under it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import msgspec
import tomlkit

from psi.identity import pem_value
from psi.recipes import RECIPES, RULES
from psi.terms.fields import SIDES, Side
from psi.terms.model import DEADLINE_S, ColumnRule, Party, Terms, receiver
from psi.wire import TREE_DEPTH, Suite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomlkit.container import Container
    from tomlkit.items import AoT, Item, String, Table

    from psi.terms.keys import Key, KeyColumn


def who_learns_what(terms: Terms) -> dict[Side, str]:
    """Return in plain sentences for each organisation what it learns in a run under these terms."""
    learner = receiver(terms)
    other: Side = "holder" if learner == "requester" else "requester"
    matched = [key.name for key in terms.keys if key.compare == "match"]
    counted = [key.name for key in terms.keys if key.compare == "count"]
    several = len(terms.keys) > 1
    rows = "which of its own rows are also on the other list"
    people = "how many people are on both lists{}, and not who they are"
    size = f"the size of the other list{' by each key' if several else ''}"
    learned = []
    if matched:
        learned.append(rows + (f", by {_quoted(matched)}" if several else ""))
    if counted:
        learned.append(people.format(f" by {_quoted(counted)}" if several else ""))
    output = f"{'; '.join(learned)}{';' if len(learned) > 1 else ','} and {size}."
    if terms.learns != "both":
        return {
            learner: f"The {learner} learns {output}",
            other: f"The {other} learns {size}, and nothing else.",
        }
    nothing = f" It learns nothing of how many are on both lists by {_quoted(counted)}." if counted else ""
    return {
        learner: f"The {learner} learns first {output}",
        other: f"The {other} learns {learned[0]}, as far as the {learner} reports it, and {size}.{nothing}",
    }


def dumps(terms: Terms) -> str:
    """Return terms as TOML that a lawyer can read; ``parse`` gives the same terms back."""
    document = tomlkit.document()
    _comment(document, "Terms of a private comparison of two lists. Both organisations use this same file;")
    _comment(document, "a run in which the two copies differ in any value does not take place.")
    document["schema"] = terms.schema
    document.add(tomlkit.nl())
    _comment(document, "Why the lists are compared, and what allows it.")
    document["purpose"] = _prose(terms.purpose)
    document["authority"] = _prose(terms.authority)
    document.add(tomlkit.nl())
    _comment(document, "Who learns what. Nobody sees a row of the other organisation.")
    for sentence in who_learns_what(terms).values():
        _comment(document, f"  {sentence}")
    document["suite"] = terms.suite.value
    document["learns"] = terms.learns
    if terms.first is not None:
        document["first"] = terms.first
    if terms.suite is Suite.VOLE_MALICIOUS or terms.deadline_s != DEADLINE_S:
        _comment(
            document,
            f"Seconds, besides 20 microseconds for each person, in which the {receiver(terms)} commits to its list.",
        )
        document["deadline_s"] = terms.deadline_s
    if terms.tree_depth != TREE_DEPTH:
        _comment(
            document,
            f"How deep the trees of the correlation are, {TREE_DEPTH} unless said here: deeper ones send less.",
        )
        document["tree_depth"] = terms.tree_depth
    document.add(tomlkit.nl())
    _comment(document, "The last day on which these terms hold.")
    document["expires"] = terms.expires
    document.add(tomlkit.nl())
    _comment(
        document,
        "What is compared. Two rows match by a key when all of its columns agree, each in the form of its recipe.",
    )
    if len(terms.keys) > 1:
        _comment(
            document,
            "Strictest first, each by itself: to match tells which rows agree, to count only how many, and that to "
            f"the {receiver(terms)} alone. A row that lacks a value has no part in a key that asks for it.",
        )
    for name in dict.fromkeys(column.recipe for key in terms.keys for column in key.columns):
        _comment(document, f"  {name} {RECIPES[name].sentence}")
    document["keys"] = _keys(terms.keys)
    for side in SIDES:
        _comment(
            document, f"The {side}: who it is, how many different people it may bring, what its file is like."
        )
        document[side] = _party(getattr(terms, side), side)
    return tomlkit.dumps(document)


def _keys(keys: Sequence[Key]) -> AoT:
    """Write what is compared."""
    array = tomlkit.aot()
    for key in keys:
        table = tomlkit.table()
        table["name"], table["compare"] = key.name, key.compare
        columns = tomlkit.aot()
        for column in key.columns:
            row = tomlkit.table()
            row.update(_there(column))
            if key is keys[-1] and column is key.columns[-1]:
                row.add(tomlkit.nl())
            columns.append(row)
        table["columns"] = columns
        array.append(table)
    return array


def _party(party: Party, side: Side) -> Table:
    """Write one organisation."""
    table = tomlkit.table()
    table["name"] = party.name
    table["max_items"] = party.max_items
    table["delimiter"] = party.delimiter
    table["encoding"] = party.encoding
    if party.sheet is not None:
        table["sheet"] = party.sheet
    _comment(table, "A row without a value in each of these columns is rejected before the comparison.")
    table["required"] = _columns(party.required)
    _comment(table, "So is a row with a value that does not pass its rule.")
    rules = tomlkit.array()
    for rule in party.rules:
        inline = tomlkit.inline_table()
        inline.update(_there(rule))
        rules.append(inline)
    table["rules"] = rules.multiline(bool(party.rules))
    for name in dict.fromkeys(rule.rule for rule in party.rules):
        _comment(table, f"  {name}: {RULES[name].sentence}")
    if party.max_rejected_percent is not None:
        _comment(table, "No comparison takes place when more than so many percent of the rows are rejected.")
        table["max_rejected_percent"] = party.max_rejected_percent
    _comment(table, f"How the {side} is recognised; taken from its card.")
    table["signing_key"] = party.signing_key
    table["sealing_key"] = party.sealing_key
    table["fingerprint"] = party.fingerprint
    table["certificate"] = pem_value(party.certificate)
    table.add(tomlkit.nl())
    return table


def _there(row: KeyColumn | ColumnRule) -> dict[str, object]:
    """Return the fields of a row that are there."""
    fields = msgspec.structs.asdict(row).items()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in fields
        if value is not None
    }


def _columns(names: tuple[str, ...]) -> Item:
    """Write the names of columns, six on a line."""
    quoted = [tomlkit.string(name).as_string() for name in names]
    lines = [", ".join(quoted[at : at + 6]) for at in range(0, len(quoted), 6)]
    return tomlkit.value("[" + "".join(f"\n    {line}," for line in lines) + "\n]")


def _comment(table: Container | Table, text: str) -> None:
    """Write a comment on as many lines as it takes, indented as its text is."""
    indent = text[: len(text) - len(text.lstrip())]
    for line in textwrap.wrap(text, 96, subsequent_indent=indent + "  " * bool(indent)):
        table.add(tomlkit.comment(line))


def _prose(text: str) -> String:
    """Write a text on lines of its own when it has several."""
    return tomlkit.string(text, multiline="\n" in text)


def _quoted(names: Sequence[str]) -> str:
    """Return the names of keys as a sentence has them."""
    *most, last = (f'"{name}"' for name in names)
    return f"{', '.join(most)} and {last}" if most else last
