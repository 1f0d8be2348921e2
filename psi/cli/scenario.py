"""``psi scenario``: write a synthetic case, and the truth about it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._board import Board
from psi.cli._options import case_options, screen_options

if TYPE_CHECKING:
    from psi.cli._options import Screen
    from psi.scenario import Truth


@click.command(
    "scenario", epilog="Example:  psi scenario case --requests 20000 --records 20000 --matches 750"
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@case_options
@screen_options
def command(*, folder: Path, requests: int, records: int, matches: int, seed: int, screen: Screen) -> None:
    """
    Write a synthetic case into DIR: two files, the truth about them, two identities and terms.

    requests.csv and records.csv are what the requester and the holder would bring; truth.csv and truth.json say which
    rows match and what is wrong with the others: 4 % have a junk address, 1 % are written twice. Nobody is meant: the
    tax numbers are impossible ones. The same options give the same bytes, but for the keys, which are always new.
    """
    from psi import scenario

    with Board(["case"], quiet=screen.quiet) as board:
        truth = scenario.write(
            folder,
            requests=requests,
            records=records,
            matches=matches,
            seed=seed,
            progress=lambda done, total: board.update("case", "scenario", done * 100 // total),
        )
    scenario.agree(folder, requests=requests, records=records)
    screen.result(asdict(truth), _summary(folder, truth))


def _summary(folder: Path, truth: Truth) -> str:
    """Return what was written, a line for each file."""
    from psi import scenario

    names = " and ".join(scenario.NAMES.values())
    wrong = ", ".join(
        f"{count:,} {kind}" for kind, count in truth.kinds.items() if kind not in ("match", "plain")
    )
    return "\n".join(
        [
            f"{folder / 'requests.csv'}  {truth.requests:,} requests ({wrong})",
            f"{folder / 'records.csv'}  {truth.records:,} records",
            f"{folder / 'truth.csv'}  {truth.matches:,} people are in both, and which rows they are",
            f"{folder / scenario.TERMS}  terms between {names}, whose keys are beside it",
        ]
    )
