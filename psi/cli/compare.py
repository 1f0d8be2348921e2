"""``psi compare``: one real run beside what would have crossed the line without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._options import Screen, screen_options

if TYPE_CHECKING:
    from psi.bench.compare import Comparison


@click.command("compare", epilog="Example:  psi compare holder-run --file records.csv")
@click.argument("run", type=click.Path(file_okay=False, path_type=Path), metavar="RUN")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file that this side brought to the run: its length is what sending it would have taken.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PAGE",
    help="Where the page goes (default: compare.html in the folder of the run).",
)
@screen_options
def command(*, run: Path, file: Path | None, out: Path | None, screen: Screen) -> None:
    """
    Set the run in folder RUN beside sending a list, sending hashes, and a third party; write a page about it.

    The figures of the run are from its receipt, and those of the other ways follow from its counts; each says which.
    The page is one file of HTML that needs nothing else, and holds nothing about any person.
    """
    from psi.bench import compare

    made: Comparison = compare.compare(run, file=file)
    page = out or run / "compare.html"
    _write(page, compare.html(made))
    screen.result({**made.document(), "page": str(page)}, f"{compare.text(made)}\n\n{page} is the page")


def _write(page: Path, data: bytes) -> None:
    """Write the page, whole or not at all."""
    from psi.intake.output import whole_file

    with whole_file(page, mode=0o644) as stream:
        stream.write(data)
