"""``psi bench``: the alternatives side by side, checked, as one bundle that can be cited and verified."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psi.cli._board import Board
from psi.cli._options import Screen, screen_options

if TYPE_CHECKING:
    from psi.bench.benchmark import Plan
    from psi.bench.record import Results


@click.command("bench", epilog="Example:  psi bench --out bench-run")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("bench-run"),
    show_default=True,
    metavar="DIR",
    help="The new folder of the bundle.",
)
@click.option("--requests", type=click.IntRange(min=1), metavar="N", help="Rows of the requester's file.")
@click.option("--records", type=click.IntRange(min=1), metavar="N", help="Rows of the holder's file.")
@click.option("--matches", type=click.IntRange(min=0), metavar="N", help="People in both files.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    metavar="N",
    help="Which invented people: the same number, the same files.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Runs of each line.",
)
@click.option(
    "--alternatives",
    metavar="NAMES",
    help="Which ways, separated by commas, or `all` (default: eight of them).",
)
@click.option(
    "--links",
    metavar="NAMES",
    help="Over which links, separated by commas: 1gbit-1ms, 100mbit-10ms, 20mbit-80ms; `none` for none "
    "(default: 100mbit-10ms).",
)
@click.option(
    "--cpu-hour", type=click.FloatRange(min=0), metavar="USD", help="Price of a processor for an hour."
)
@click.option("--gigabyte", type=click.FloatRange(min=0), metavar="USD", help="Price of a gigabyte sent.")
@click.option(
    "--peers",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A record of other systems beside this one, to go into the bundle and onto the page.",
)
@click.option(
    "--identity",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Sign the bundle as this organisation (default: with a key made for it).",
)
@click.option(
    "--verify",
    "bundle",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="BUNDLE",
    help="Check a bundle instead of making one.",
)
@screen_options
def command(
    *,
    out: Path,
    requests: int | None,
    records: int | None,
    matches: int | None,
    seed: int,
    repeat: int,
    alternatives: str | None,
    links: str | None,
    cpu_hour: float | None,
    gigabyte: float | None,
    peers: Path | None,
    identity: Path | None,
    bundle: Path | None,
    screen: Screen,
) -> None:
    """
    Measure ways to find the people on both of two lists, this one among them, and write one bundle.

    Each way is run as two processes over mutual TLS on the same synthetic files and checked against the truth. The
    bundle holds the page (report.html), the results, their schema, tables as CSV and Markdown, and a signed manifest.
    With the default sizes it takes about two minutes. `--verify` checks a bundle and names a file that was changed.
    """
    from psi.bench import benchmark, making
    from psi.bench.bundle import verify
    from psi.bench.peers import load

    if bundle is not None:
        verified = verify(bundle)
        screen.result(
            {
                "schema": "psi/bench-verified/1",
                "files": verified.files,
                "signer": verified.signer,
                "name": verified.name,
                "public_key": verified.public_key,
            },
            f"{verified.files} files are as they were when the bundle was signed by {verified.signer}\n"
            f"({verified.name}, Ed25519 {verified.public_key})",
        )
        return
    making.check_ready(out)
    if peers is not None:
        load(peers)
    plan = _plan(requests, records, matches, seed, repeat, alternatives, links, cpu_hour, gigabyte)
    with Board(["bench"], quiet=screen.quiet) as board:
        results = benchmark.run(plan, progress=lambda what, percent: board.update("bench", what, percent))
    making.write_bundle(out, results, signer=identity, beside=peers)
    screen.result(_document(out, results), _text(out, results))
    if not all(line.correct for line in results.lines):
        from psi.errors import PsiError

        raise PsiError(
            "not every way found the people of the truth", hint=f"{out / 'report.md'} has the verdict of each"
        )


def _plan(
    requests: int | None,
    records: int | None,
    matches: int | None,
    seed: int,
    repeat: int,
    alternatives: str | None,
    links: str | None,
    cpu_hour: float | None,
    gigabyte: float | None,
) -> Plan:
    """Return the plan that the options ask for; what is not said has its default."""
    from psi.bench import benchmark
    from psi.bench.alternatives import ALTERNATIVES, DEFAULT
    from psi.bench.runner import Prices

    default = benchmark.DEFAULT_ROWS
    rows = (requests or records or default, records or requests or default)
    share = min(rows) * benchmark.LEAD_MATCHES // benchmark.LEAD_ROWS
    prices = Prices()
    chosen: tuple[str, ...] = DEFAULT
    if alternatives is not None:
        chosen = tuple(ALTERNATIVES) if alternatives == "all" else _names(alternatives)
    return benchmark.Plan(
        requests=rows[0],
        records=rows[1],
        matches=share if matches is None else matches,
        seed=seed,
        repeat=repeat,
        alternatives=chosen,
        links=benchmark.DEFAULT_LINKS if links is None else () if links == "none" else _names(links),
        prices=Prices(
            prices.cpu_hour if cpu_hour is None else cpu_hour,
            prices.gigabyte if gigabyte is None else gigabyte,
        ),
        command=" ".join(["psi", *(_short(part) for part in sys.argv[1:])]),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _short(part: str) -> str:
    """Return an argument as the record keeps it: of a path that begins at the root, the last name."""
    return Path(part).name if Path(part).is_absolute() else part


def _document(out: Path, results: Results) -> dict[str, object]:
    """Return what ``--json`` prints: where the bundle is, the facts, and a line for each way."""
    return {
        "schema": "psi/bench-made/1",
        "bundle": str(out),
        "facts_sha256": results.facts_sha256,
        "correct": all(line.correct for line in results.lines),
        "lines": [
            {
                "alternative": line.alternative,
                "link": line.link,
                "basis": line.basis,
                "wall_s": line.wall_s.median,
                "bytes_total": line.bytes_total,
                "exposed_without_match": line.exposed_without_match,
                "correct": line.correct,
            }
            for line in results.lines
        ],
    }


def _text(out: Path, results: Results) -> str:
    """Return the result for a person."""
    from psi.bench.tables import answer

    head = f"{'way':<62} {'exposed':>11} {'MB':>9} {'seconds':>9}  correct"
    lines = [
        f"{line.title:<62} {line.exposed_without_match:>11,} {line.bytes_total / 1e6:>9,.1f} "
        f"{line.wall_s.median:>9.2f}  {'yes' if line.correct else 'NO'}"
        for line in results.lines
        if line.link == "loopback"
    ]
    check = f"{out / 'report.html'} is the page; psi bench --verify {out}"
    return "\n".join([head, *lines, "", answer(results), "", check])
