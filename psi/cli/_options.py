"""Options that several commands share, and how a command prints."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psi.terms import Side, Terms

R = TypeVar("R")


@dataclass(frozen=True)
class Screen:
    """Know how much a command says: results on standard output, notes on standard error."""

    json: bool
    quiet: bool
    verbose: bool

    def result(self, record: Mapping[str, object], text: str) -> None:
        """Print a command's result on standard output: with ``--json`` the record, else the text."""
        print(json.dumps(record, ensure_ascii=False, indent=2) if self.json else text)

    def note(self, text: str) -> None:
        """Print a line on standard error unless ``--quiet``."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Print a line on standard error with ``--verbose`` only."""
        if self.verbose and not self.quiet:
            print(text, file=sys.stderr, flush=True)


def screen_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--json``, ``-q`` and ``-v`` to a command, which receives them as one argument ``screen``."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
    @click.option("-q", "--quiet", is_flag=True, help="Print results and errors only.")
    @click.option("-v", "--verbose", is_flag=True, help="Print details on standard error.")
    @functools.wraps(function)
    def wrapper(as_json: bool, quiet: bool, verbose: bool, **arguments: object) -> R:
        screen = Screen(json=as_json, quiet=quiet, verbose=verbose)
        return function(screen=screen, **arguments)

    return wrapper


identity_option = click.option(
    "--identity",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of this organisation's keys (default: by the operating system's rules).",
)

terms_option = click.option(
    "--terms",
    "terms_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="The terms both organisations agreed on.",
)

query_option = click.option(
    "--query",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where SOURCE is a database: the file with the one SELECT that gives the rows.",
)

side_option = click.option(
    "--side",
    type=click.Choice(["requester", "holder"]),
    help="Whose file it is (default: the side of this organisation's identity).",
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use at most N cores (default: all).",
)


def case_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--requests``, ``--records``, ``--matches`` and ``--seed``: what a synthetic case follows from."""
    for option in (
        click.option(
            "--seed", type=int, default=1, show_default=True, metavar="N", help="Another seed, another case."
        ),
        _number("--matches", 47_489, "People in both files."),
        _number("--records", 1_280_000, "Rows of the holder's file."),
        _number("--requests", 1_280_000, "Rows of the requester's file."),
    ):
        function = option(function)
    return function


def outcome_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--suite``, ``--learns`` and ``--first``: what is learned, and by whom."""
    suite = click.option(
        "--suite",
        default="vole-malicious",
        show_default=True,
        metavar="SUITE",
        help="vole-malicious; vole-semi-honest for thin links; ecdh; ecdh-cardinality for the size only.",
    )
    learns = click.option(
        "--learns",
        type=click.Choice(["requester", "holder", "both"]),
        help="Who learns the result (default: both with a vole suite, else the requester).",
    )
    first = click.option(
        "--first",
        type=click.Choice(["requester", "holder"]),
        help="Who learns first where both learn (default: the holder).",
    )
    return suite(learns(first(function)))


def _number(name: str, default: int, text: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    return click.option(name, type=int, default=default, show_default=True, metavar="N", help=text)


def own_side(agreement: Terms, folder: Path | None) -> Side:
    """Return which side of the terms this organisation is."""
    import psi.identity
    from psi import terms
    from psi.errors import TermsError

    own = psi.identity.load(folder or psi.identity.default_folder())
    side = terms.side_of(agreement, own.fingerprint)
    if side is None:
        raise TermsError(
            "this identity is neither side of the terms", hint="say whose file it is with --side"
        )
    return side
