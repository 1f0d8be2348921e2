"""``psi serve``: the holder's side of one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._run import Address, perform, run_options

if TYPE_CHECKING:
    from psi.cli._options import Screen


@click.command(
    "serve",
    epilog="""\b
Example:
  psi serve records.csv --terms terms.toml --listen 0.0.0.0:7766
  psi serve postgresql://reader@db.example/people --query records.sql --terms terms.toml
""",
)
@run_options
@click.option(
    "--listen",
    type=Address(),
    default="127.0.0.1:7766",
    show_default=True,
    help="Where to wait for the requester; port 0 lets the system choose.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=1.0),
    default=3600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the requester to come.",
)
def command(
    *,
    file: str,
    query: Path | None,
    terms_path: Path,
    identity: Path | None,
    out: Path | None,
    listen: tuple[str, int],
    wait_s: float,
    idle_timeout_s: float,
    threads: int | None,
    screen: Screen,
) -> None:
    """
    Run the holder's side: check SOURCE, wait for the requester, compare, write the run folder, exit.

    SOURCE is a CSV, Parquet or xlsx file, or postgresql://HOST/DATABASE with --query FILE, and has the columns that
    the terms name. Only the organisation whose certificate
    stands in the terms is let in; strangers are turned away and the wait goes on.
    """
    import psi.identity
    from psi import intake
    from psi.run import Listen, RunInput, default_name

    perform(
        RunInput(
            side="holder",
            file=intake.find(file, query),
            terms=terms_path,
            identity=identity or psi.identity.default_folder(),
            out=out or Path(default_name("holder")),
            endpoint=Listen(*listen, wait_s=wait_s),
            threads=threads or 0,
            idle_timeout_s=idle_timeout_s,
        ),
        screen,
    )
