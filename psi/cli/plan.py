"""``psi plan``: what a run will take, before anyone connects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._options import (
    Screen,
    identity_option,
    own_side,
    screen_options,
    side_option,
    terms_option,
    threads_option,
)
from psi.cli._words import count, megabytes, seconds

if TYPE_CHECKING:
    from psi.run import Plan
    from psi.terms import Side


@click.command("plan", epilog="Example:  psi plan requests.csv --terms terms.toml --peer-rows 7600000")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@terms_option
@click.option(
    "--peer-rows",
    type=click.IntRange(min=0),
    required=True,
    metavar="N",
    help="Rows of the other side's file.",
)
@side_option
@identity_option
@click.option(
    "--link",
    "link_mbit_s",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="MBIT/S",
    help="How quick the link is; adds the time on it.",
)
@threads_option
@screen_options
def command(
    *,
    file: Path,
    terms_path: Path,
    peer_rows: int,
    side: Side | None,
    identity: Path | None,
    link_mbit_s: float | None,
    threads: int | None,
    screen: Screen,
) -> None:
    """
    Say what a run of FILE will take: time, memory and bytes of both sides, and what a cheat could bring.

    Nothing is sent, and the gate does not run: every row counts. Bytes and bounds are exact for those sizes; time and
    memory are a model, scaled by a rehearsal of half a second on this machine.
    """
    from psi import terms
    from psi.run import plan

    agreement = terms.load(terms_path)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    made = plan(
        file,
        agreement,
        side=side or own_side(agreement, identity),
        peer_rows=peer_rows,
        threads=threads or cores,
        link_mbit_s=link_mbit_s,
    )
    screen.result(made.document(), _text(made))


def _text(made: Plan) -> str:
    """Return the plan for a person."""
    several = len(made.keys) > 1
    lines = [] if several else [f"suite {made.keys[0].suite.value}"]
    for side, plan in made.sides.items():
        own = " (this side)" if side == made.own else ""
        gate = "" if plan.gate_s is None else f", gate {seconds(plan.gate_s)}"
        lines.append(
            f"{side:<10} {plan.role.value:<9} {count(plan.items)} items, sends {megabytes(plan.sends_bytes)}, "
            f"memory {megabytes(plan.memory_bytes)}{gate}{own}"
        )
    link = (
        ""
        if made.link_mbit_s is None
        else f", and {seconds(made.link_s)} on a link of {made.link_mbit_s:g} Mbit/s"
    )
    lines.append(f"exchange   {seconds(made.exchange_s)} on machines like this one{link}")
    lines.extend(_trees(made))
    for key in made.keys:
        if several:
            lines.append(
                f"key        {key.name}: {key.suite.value}, {megabytes(sum(key.sends_bytes.values()))} both ways, "
                f"{seconds(key.exchange_s)}"
            )
        if key.set_bounds is not None:
            lines.append(
                f"a cheat    could bring at most {count(key.set_bounds['receiver'])} items as receiver, "
                f"{count(key.set_bounds['sender'])} as sender"
            )
    return "\n".join(lines)


def _trees(made: Plan) -> list[str]:
    """Return what other trees would send and take, if they would, and which are the quickest."""
    own = next((each for each in made.trees if each.tree_depth == made.tree_depth), None)
    others = [each for each in made.trees if own is not None and each.bytes_total != own.bytes_total]
    if own is None or not others:
        return []
    known_link = made.link_mbit_s is not None
    told = [
        f"tree_depth {each.tree_depth}: {megabytes(each.bytes_total)}, {seconds(each.exchange_s + each.link_s)}"
        for each in (own, *others)
    ]
    best = min(made.trees, key=lambda each: each.exchange_s + each.link_s)
    if not known_link:
        advice = "--link tells which is the quickest"
    elif best is own:
        advice = "the one of the terms is the quickest on this link"
    else:
        advice = f"tree_depth = {best.tree_depth} in the terms would be the quickest on this link"
    return [f"trees      {'; '.join(told)}", f"           {advice}"]
