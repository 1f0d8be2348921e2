"""``psi id``: make or show the identity of this organisation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._options import Screen, identity_option, screen_options

if TYPE_CHECKING:
    from psi.identity import Identity


@click.group("id", epilog='Example:  psi id new --name "Tax Agency" > tax-agency.card')
def command() -> None:
    """Make or show the identity of this organisation: its keys, its certificate, its card."""


@command.command("new", epilog='Example:  psi id new --name "Tax Agency" > tax-agency.card')
@click.option("--name", required=True, help="The organisation as the terms should name it.")
@identity_option
@screen_options
def new(name: str, identity: Path | None, screen: Screen) -> None:
    """
    Make new keys and print the public card.

    The card goes to the other organisation and into the terms. The private keys stay in the folder; keys that are
    there already are never overwritten.
    """
    from psi.identity import create, default_folder

    folder = identity or default_folder()
    made = create(folder, name)
    screen.result(_record(made), made.card().rstrip())
    screen.note(f"psi: new identity in {folder}")
    screen.note(f"psi: fingerprint {made.fingerprint}: compare it by telephone")


@command.command("show", epilog="Example:  psi id show --identity keys/tax-agency --json")
@identity_option
@screen_options
def show(identity: Path | None, screen: Screen) -> None:
    """Print the public card of the identity that is there."""
    from psi.identity import default_folder, load

    folder = identity or default_folder()
    found = load(folder)
    screen.result(_record(found), found.card().rstrip())
    screen.detail(f"psi: identity in {folder}")


def _record(identity: Identity) -> dict[str, object]:
    """Return an identity as the object that ``--json`` prints: the fields of its card."""
    return {"schema": "psi/card/1", **asdict(identity.public())}
