"""
Parse, call, print: the command ``psi``.

Each command is a module of this package that holds one ``command``; it is imported when it is invoked, so
that ``psi --help`` is quick. Errors become a text and an exit code in ``main`` and nowhere else.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

GARBAGE_THRESHOLD = 50_000  # objects made, less those gone, before the interpreter looks for garbage
# name: (module and attribute, the line of it in `psi --help`)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("psi.cli.demo:command", "run both parties on a synthetic case and check the overlap"),
    "scenario": ("psi.cli.scenario:command", "write a synthetic case: two files, terms, the truth"),
    "id": ("psi.cli.id:command", "make or show the identity of this organisation"),
    "terms": ("psi.cli.terms:command", "make, check or compare the terms both organisations agree on"),
    "check": ("psi.cli.check:command", "run a file through the intake gate: what is rejected, and why"),
    "plan": ("psi.cli.plan:command", "say what a run will take: time, memory, bytes of both sides"),
    "serve": ("psi.cli.serve:command", "run the holder's side: wait for the requester, one run, exit"),
    "join": ("psi.cli.join:command", "run the requester's side: connect to the holder, one run, exit"),
    "compare": ("psi.cli.compare:command", "set one run beside what would have crossed the line without it"),
    "bench": ("psi.cli.bench:command", "measure this beside other ways, as one bundle to cite"),
    "doctor": ("psi.cli.doctor:command", "say what this machine has and lacks"),
}


class LazyGroup(click.Group):
    """Hold the commands of a table and import each when it is invoked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table, which is the order in which they are met."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command by its name; ``None`` for a name that is not in the table."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return cast("click.Command", getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone, so that help imports none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; name a closed standard output, which click would end with exit code 1."""
        from psi.errors import MachineError

        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The interpreter flushes once more on its way out and would complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise MachineError("standard output was closed before everything was written") from None
        return result


@click.command(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "PSI",
        "max_content_width": 100,
    },
    epilog="Example:  psi demo --requests 20000 --records 20000 --matches 750",
)
@click.version_option(package_name="psi-overlap", prog_name="psi", message="%(prog)s %(version)s")
def command() -> None:
    """
    Learn which people are on both of two lists, and nothing else.

    Two organisations agree on terms; the holder runs `psi serve`, the requester runs `psi join`.
    Results go to standard output, everything else to standard error.
    """


def _interrupt(*_: object) -> NoReturn:
    """End as Ctrl-C does when the system asks to: files half written are removed, processes started are ended."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``psi`` and exit: with 0, or with the code that ``psi.errors`` has for what was raised."""
    from psi.cli._errors import report

    signal.signal(signal.SIGTERM, _interrupt)
    # What the imports make stays to the end; to look for garbage in it again and again took 7 % of their time.
    gc.set_threshold(GARBAGE_THRESHOLD)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="psi",
            standalone_mode=False,
            color=False if plain else None,
        )
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(report(error))
    sys.exit(code if isinstance(code, int) else 0)
