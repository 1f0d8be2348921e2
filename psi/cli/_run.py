"""What ``psi serve`` and ``psi join`` have in common: their options, the live progress and the last lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from psi.cli._board import Board
from psi.cli._options import (
    identity_option,
    query_option,
    screen_options,
    terms_option,
    threads_option,
)
from psi.cli._words import count, learned, megabytes, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from psi.cli._options import Screen
    from psi.run import KeyOutcome, Receipt, RunInput

R = TypeVar("R")


class Address(click.ParamType[tuple[str, int]]):
    """Accept HOST:PORT, with an IPv6 address in brackets, and give the pair."""

    name = "HOST:PORT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return host and port, or fail with what was expected."""
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):([0-9]{1,5})", str(value))
        if found is None or int(found[3]) > 65535:
            self.fail("expected HOST:PORT, as in 127.0.0.1:7766 or [::1]:7766", param, ctx)
        return found[1] or found[2], int(found[3])


def run_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add the options that both sides of a run have."""
    for decorate in (
        screen_options,
        threads_option,
        click.option(
            "--idle-timeout",
            "idle_timeout_s",
            type=click.FloatRange(min=10.0),  # a side that computes is heard every five seconds
            default=300.0,
            show_default=True,
            metavar="SECONDS",
            help="Stop when nothing was heard from the other side for so long. There is no other limit on time.",
        ),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            metavar="RUN",
            help="The run folder to make (default: psi-run-TIME-SIDE here). It must not exist.",
        ),
        identity_option,
        terms_option,
        query_option,
        click.argument("file", metavar="SOURCE"),
    ):
        function = decorate(function)
    return function


def perform(run: RunInput, screen: Screen) -> None:
    """Run one side, show where both sides stand, and print the result."""
    import psi.run

    screen.detail(f"psi: run folder {run.out}")
    with Board(["we", "peer"], quiet=screen.quiet) as board:

        def watch(progress: psi.run.Progress) -> None:
            board.update("we", progress.phase, progress.percent, progress.key)
            if progress.peer_phase:
                board.update("peer", progress.peer_phase, progress.peer_percent, progress.key)

        receipt = psi.run.execute(run, watch=watch, note=screen.note)
    screen.result(receipt.document(), _result(run, receipt))


def _result(run: RunInput, receipt: Receipt) -> str:
    """Return the result of a run as a person reads it."""
    gate, several = receipt.gate, len(receipt.keys) > 1
    compared = "" if several else f", {count(receipt.keys[0].items['own'])} compared"
    lines = [
        f"rows      {count(gate['rows'])} in the file, {count(gate['rejected'])} rejected, "
        f"{count(gate['collapsed'])} repeated{compared}"
    ]
    for key in receipt.keys:
        if several:
            lines.append(f"key       {key.name} ({key.compare}), {count(key.items['own'])} compared")
        facts = _learned(receipt.side, key, one_of_several=several)
        lines += [f"{'learned' if not place else '':<10}{fact}" for place, fact in enumerate(facts)]
    lines += [
        f"bytes     {megabytes(receipt.bytes_sent)} sent, {megabytes(receipt.bytes_received)} received",
        f"time      {seconds(sum(receipt.seconds.values()))}, peak memory {megabytes(receipt.peak_rss_bytes)}",
    ]
    if receipt.matched_file:
        rows = f", {count(receipt.matched_rows or 0)} rows" if several else ""
        lines.append(f"matched   {run.out / receipt.matched_file}{rows}")
    return "\n".join([*lines, f"receipt   {run.out / _receipt_name()}"])


def _learned(side: str, key: KeyOutcome, *, one_of_several: bool) -> list[str]:
    """Return what this side learned by one key."""
    other = "holder" if side == "requester" else "requester"
    learners = (other,) if key.overlap is None else (side,)
    return learned(
        side,
        learners,
        key.suite,
        key.items["own"],
        key.items["peer"],
        key.overlap or 0,
        one_of_several=one_of_several,
    )


def _receipt_name() -> str:
    """Return the name of the receipt in a run folder."""
    from psi.run import RECEIPT

    return RECEIPT
