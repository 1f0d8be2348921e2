"""``psi terms`` as people type it: cards in, a page out, checked, compared, refused in two lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest

from psi import terms
from psi.cli.terms import new
from psi.recipes import RECIPES
from psi.wire import TREE_DEPTH, TREE_DEPTHS, Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from subprocess import CompletedProcess

    from psi.identity import Identity

    Command = Callable[..., CompletedProcess[str]]

NEEDED = (
    "--requester",
    "a.card",
    "--holder",
    "b.card",
    "--purpose",
    "a test",
    "--authority",
    "none is needed",
)


@pytest.fixture
def folder(tmp_path: Path, identities: Mapping[terms.Side, Identity]) -> Path:
    """Return the folder in which the commands run, with the two cards in it."""
    (tmp_path / "a.card").write_text(identities["requester"].card(), encoding="utf-8")
    (tmp_path / "b.card").write_text(identities["holder"].card(), encoding="utf-8")
    return tmp_path


def refusal(done: CompletedProcess[str], code: int) -> str:
    """Return the error line of a command that was refused as it should be."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("psi: error: ")
    assert all(line.startswith("psi: hint: ") for line in rest)
    return first.removeprefix("psi: error: ")


def test_new_writes_a_page_that_check_accepts(folder: Path, psi_command: Command) -> None:
    made = psi_command("terms", "new", *NEEDED, "--out", "terms.toml")
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    assert "give the other organisation the same file" in made.stderr
    checked = psi_command("terms", "check", "terms.toml")
    assert (checked.returncode, checked.stderr) == (0, "")
    digest = terms.digest(terms.load(folder / "terms.toml")).hex()
    assert checked.stdout.splitlines()[0] == f"digest     {digest}"
    assert "Requesting Agency, at most 1,280,000 people" in checked.stdout
    assert "The holder learns first which of its own rows are also on the other list" in " ".join(
        checked.stdout.split()
    )


def test_new_prints_the_page_when_no_file_is_named(folder: Path, psi_inside: Command) -> None:
    made = psi_inside("terms", "new", *NEEDED)
    assert (made.returncode, made.stderr) == (0, "")
    assert terms.parse(made.stdout.encode()).purpose == "a test"
    assert not (folder / "terms.toml").exists()


def test_new_takes_every_choice_from_flags(folder: Path, psi_inside: Command) -> None:
    made = psi_inside(
        "terms", "new", *NEEDED, "-q", "--out", "terms.toml", "--suite", "ecdh-cardinality", "--learns", "holder",
        "--expires", "2999-01-31", "--max-requests", "700000", "--max-records", "160000000",
        "--key", "number=ssn:tin:digits/1", "--key", "born=birth:dob:date-iso/1:%m/%d/%Y:%Y-%m-%d",
        "--key", "died=death:dod:date-iso/1:%Y-%m-%d",
        "--require", "requester:case", "--rule", "holder:tin:tax-number/1", "--rule", "requester:birth:date/1:%m/%d/%Y",
    )  # fmt: skip
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    agreement = terms.load(folder / "terms.toml")
    assert (agreement.suite.value, agreement.learns) == ("ecdh-cardinality", "holder")
    assert agreement.expires.isoformat() == "2999-01-31"
    assert (agreement.requester.max_items, agreement.holder.max_items) == (700_000, 160_000_000)
    formats = [
        (column.name, column.requester_format, column.holder_format) for column in agreement.keys[0].columns
    ]
    assert [(key.name, key.compare) for key in agreement.keys] == [("key", "count")]  # as its suite is
    assert formats == [
        ("number", None, None),
        ("born", "%m/%d/%Y", "%Y-%m-%d"),
        ("died", "%Y-%m-%d", "%Y-%m-%d"),
    ]
    assert agreement.requester.required == ("ssn", "birth", "death", "case")
    assert agreement.holder.required == ("tin", "dob", "dod")
    assert [(rule.columns, rule.rule, rule.format) for rule in agreement.requester.rules] == [
        (("birth",), "date/1", "%m/%d/%Y")
    ]
    assert [rule.rule for rule in agreement.holder.rules] == ["tax-number/1"]


def test_new_never_overwrites(folder: Path, psi_inside: Command) -> None:
    (folder / "terms.toml").write_text("mine")
    text = refusal(psi_inside("terms", "new", *NEEDED, "--out", "terms.toml"), 2)
    assert text == "terms.toml exists, and terms are never overwritten"
    assert (folder / "terms.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "code", "text"),
    [
        (("--suite", "rsa"), 4, "suite: invalid enum value 'rsa'"),
        (("--learns", "neither"), 2, "invalid value for '--learns'"),
        (("--suite", "ecdh", "--learns", "both"), 4, "learns: with suite ecdh one side can learn only"),
        (("--learns", "holder", "--first", "holder"), 4, "first: it says who learns first where both learn"),
        (("--expires", "soon"), 2, "invalid value for '--expires'"),
        (("--max-requests", "0"), 4, "requester.max_items: expected int >= 1"),
        (("--max-requests", "many"), 2, "invalid value for '--max-requests'"),
        (("--max-records", "300000000"), 4, "holder.max_items: expected int <= 268435456"),
        (("--key", "tin"), 2, "invalid value for --key"),
        (("--key", "tin=a:b"), 2, "invalid value for --key"),
        (("--key", "tin=a:b:rot13/1"), 4, "keys[0].columns[0].recipe: no recipe 'rot13/1'"),
        (("--key", "tin=:b:digits/1"), 4, "keys[0].columns[0].requester: expected str of length >= 1"),
        (
            ("--key", "tin=a:b:digits/1", "--count", "born"),
            2,
            "invalid value for --count: no --key belongs to a key",
        ),
        (("--key", "tin=a:b:digits/1", "--count", "key"), 4, "suite: every key is to count"),
        (("--require", "tin"), 2, "invalid value for --require"),
        (("--require", "nobody:tin"), 2, "invalid value for --require"),
        (("--rule", "holder:tin"), 2, "invalid value for --rule"),
        (("--rule", "holder:tin:iban/1"), 4, "holder.rules[4].rule: no rule 'iban/1'"),
        (("--purpose", ""), 4, "purpose: expected str of length >= 1"),
        (("--purpose", "  "), 4, "purpose is blank"),
        (("--holder", "c.card"), 2, "no file c.card"),
        (("--holder", "a.card"), 4, "requester.fingerprint and holder.fingerprint are the same"),
        (("--nonsense",), 2, "no such option '--nonsense'"),
    ],
)
def test_new_refuses_each_wrong_flag_by_name(
    folder: Path, psi_inside: Command, flags: tuple[str, ...], code: int, text: str
) -> None:
    done = psi_inside("terms", "new", *NEEDED, "--out", "terms.toml", *flags)
    assert refusal(done, code).startswith(text)
    assert not (folder / "terms.toml").exists()


@pytest.mark.parametrize("missing", NEEDED[::2])
def test_new_names_a_missing_flag(folder: Path, psi_inside: Command, missing: str) -> None:
    at = NEEDED.index(missing)
    text = refusal(psi_inside("terms", "new", *NEEDED[:at], *NEEDED[at + 2 :]), 2)
    assert text == f"missing option '{missing}'"


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"name = 1", b"= ="], ids=["empty", "bytes", "fields", "toml"]
)
def test_new_names_a_card_that_is_none(folder: Path, psi_inside: Command, content: bytes) -> None:
    (folder / "b.card").write_bytes(content)
    assert refusal(psi_inside("terms", "new", *NEEDED), 4).startswith("b.card: card: ")


def test_check_says_which_party_we_are(
    folder: Path, psi_inside: Command, identities: Mapping[terms.Side, Identity]
) -> None:
    psi_inside("terms", "new", *NEEDED, "--out", "terms.toml")
    for side, one in identities.items():
        done = psi_inside("terms", "check", "terms.toml", "--identity", one.tls_key_path.parent, "--json")
        record = json.loads(done.stdout)
        assert (record["schema"], record["you"]) == ("psi/terms-check/1", side)
        assert record["terms"]["requester"]["name"] == "Requesting Agency"
    psi_inside("id", "new", "--name", "Somebody", "--identity", "other")
    stranger = psi_inside("terms", "check", "terms.toml", "--identity", "other")
    assert stranger.stdout.splitlines()[-1] == "you        neither of the two: another identity"


def test_check_refuses_terms_that_have_ended(folder: Path, psi_inside: Command) -> None:
    psi_inside("terms", "new", *NEEDED, "--out", "terms.toml", "--expires", "2020-01-31")
    text = refusal(psi_inside("terms", "check", "terms.toml"), 4)
    assert text == "expires: these terms ended on 2020-01-31"


def test_check_refuses_a_missing_file(folder: Path, psi_inside: Command) -> None:
    assert refusal(psi_inside("terms", "check", "terms.toml"), 2) == "no file terms.toml"


def test_diff_of_equal_terms_is_silent_success(folder: Path, psi_inside: Command) -> None:
    psi_inside("terms", "new", *NEEDED, "--out", "ours.toml")
    (folder / "theirs.toml").write_text("# a copy\n" + (folder / "ours.toml").read_text(encoding="utf-8"))
    done = psi_inside("terms", "diff", "ours.toml", "theirs.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the same terms\n", "")


def test_diff_names_each_field_and_ends_with_4(folder: Path, psi_inside: Command) -> None:
    psi_inside("terms", "new", *NEEDED, "--out", "ours.toml", "--expires", "2999-01-31")
    psi_inside(
        "terms",
        "new",
        *NEEDED,
        "--out",
        "theirs.toml",
        "--expires",
        "2999-12-31",
        "--max-requests",
        "7600000",
    )
    done = psi_inside("terms", "diff", "ours.toml", "theirs.toml")
    assert done.returncode == 4
    assert done.stdout.splitlines() == [
        "expires: '2999-01-31' in the first, '2999-12-31' in the second",
        "requester.max_items: 1280000 in the first, 7600000 in the second",
    ]
    assert done.stderr.startswith("psi: error: 2 fields differ\npsi: hint: ")
    record = json.loads(psi_inside("terms", "diff", "ours.toml", "theirs.toml", "--json").stdout)
    assert (record["schema"], record["equal"]) == ("psi/terms-diff/1", False)
    assert [each["field"] for each in record["differences"]] == ["expires", "requester.max_items"]


def test_help_names_every_recipe_and_every_suite(psi_inside: Command) -> None:
    text = "".join(psi_inside("terms", "new", "--help").stdout.split())  # click breaks lines at hyphens
    assert all(name in text for name in (*RECIPES, *(suite.value for suite in Suite)))


def test_the_depths_of_trees_are_those_of_the_protocol() -> None:
    (option,) = (each for each in new.params if each.name == "tree_depth")
    assert isinstance(option.type, click.IntRange)
    assert (option.type.min, option.type.max) == (min(TREE_DEPTHS), max(TREE_DEPTHS))
    assert option.default == TREE_DEPTH
