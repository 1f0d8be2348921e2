"""``psi join``: the requester's side of one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._run import Address, perform, run_options

if TYPE_CHECKING:
    from psi.cli._options import Screen


@click.command(
    "join",
    epilog="""\b
Example:
  psi join requests.csv --terms terms.toml --connect holder.example:7766
  psi join requests.xlsx --terms terms.toml --connect holder.example:7766
""",
)
@run_options
@click.option("--connect", type=Address(), required=True, help="Where the holder waits.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to keep trying while nobody listens there.",
)
def command(
    *,
    file: str,
    query: Path | None,
    terms_path: Path,
    identity: Path | None,
    out: Path | None,
    connect: tuple[str, int],
    wait_s: float,
    idle_timeout_s: float,
    threads: int | None,
    screen: Screen,
) -> None:
    """
    Run the requester's side: check SOURCE, connect to the holder, compare, write the run folder, exit.

    SOURCE is a CSV, Parquet or xlsx file, or postgresql://HOST/DATABASE with --query FILE, and has the columns that
    the terms name. The holder must be the organisation whose
    certificate stands in the terms.
    """
    import psi.identity
    from psi import intake
    from psi.run import Connect, RunInput, default_name

    perform(
        RunInput(
            side="requester",
            file=intake.find(file, query),
            terms=terms_path,
            identity=identity or psi.identity.default_folder(),
            out=out or Path(default_name("requester")),
            endpoint=Connect(*connect, wait_s=wait_s),
            threads=threads or 0,
            idle_timeout_s=idle_timeout_s,
        ),
        screen,
    )
