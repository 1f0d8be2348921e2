"""``python -m benchmarks suite``, ``files`` and ``kernels``; ``record`` keeps their results, ``pages`` shows them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import comparison, files, forecast, gate, kernels, keys, pages, record, suite
from benchmarks.workload import LEAD_SIZE
from psi.bench import making
from psi.wire import TREE_DEPTH, TREE_DEPTHS, Suite

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
repeat_option = click.option("--repeat", default=7, show_default=True, metavar="N")
suite_option = click.option(
    "--suite", "name", type=click.Choice([known.value for known in Suite]), required=True
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure kernels, whole suites, and the product from files to matched rows, on this machine."""


@main.command("suite")
@suite_option
@click.option("--n-receiver", type=int, required=True, metavar="N")
@click.option("--n-sender", type=int, required=True, metavar="N")
@repeat_option
@click.option("--threads", default=0, metavar="T", help="Of each party (default: all cores).")
@click.option("--both", is_flag=True, help="The receiver reports, and both learn.")
@click.option(
    "--generated", is_flag=True, help="Items are made as digests, without text: for very long lists."
)
@click.option("--tree-depth", type=click.Choice(TREE_DEPTHS), default=TREE_DEPTH, show_default=True)
@as_json_option
def suite_command(
    name: str,
    n_receiver: int,
    n_sender: int,
    repeat: int,
    threads: int,
    both: bool,
    generated: bool,
    tree_depth: int,
    as_json: bool,
) -> None:
    """Two processes over mutual TLS on loopback, from keys in memory to the rows of the overlap."""
    measured = suite.measure(
        Suite(name),
        n_receiver=n_receiver,
        n_sender=n_sender,
        repeat=repeat,
        threads=threads,
        both=both,
        generated=generated,
        tree_depth=tree_depth,
    )
    show(measured, suite.table, as_json)


@main.command("files")
@click.option(
    "--suite", "name", type=click.Choice([known.value for known in Suite]), default="vole-malicious"
)
@click.option("--requests", default=LEAD_SIZE, show_default=True, metavar="N")
@click.option("--records", default=LEAD_SIZE, show_default=True, metavar="N")
@repeat_option
@as_json_option
def files_command(name: str, requests: int, records: int, repeat: int, as_json: bool) -> None:
    """Psi serve and psi join, from two files to the matched rows."""
    show(files.measure(Suite(name), requests=requests, records=records, repeat=repeat), files.table, as_json)


@main.command("forecast")
@click.option(
    "--suite", "name", type=click.Choice([known.value for known in Suite]), default="vole-malicious"
)
@click.option("--repeat", default=3, show_default=True, metavar="N")
@as_json_option
def forecast_command(name: str, repeat: int, as_json: bool) -> None:
    """Set what psi plan predicts beside what runs then take."""
    show(forecast.measure(Suite(name), repeat=repeat), forecast.table, as_json)


@main.command("gate")
@click.option("--rows", default=LEAD_SIZE, show_default=True, metavar="N", help="Of each file.")
@click.option("--threads", default=2, show_default=True, metavar="T")
@click.option("--repeat", default=3, show_default=True, metavar="N")
@as_json_option
def gate_command(rows: int, threads: int, repeat: int, as_json: bool) -> None:
    """Run the whole intake gate on both files of the synthetic case."""
    show(gate.measure(rows=rows, repeat=repeat, threads=threads), gate.table, as_json)


@main.command("keys")
@click.option("--rows", default=200_000, show_default=True, metavar="N", help="Of each file.")
@click.option("--matches", default=7_420, show_default=True, metavar="N")
@click.option("--seed", default=1, show_default=True, metavar="N")
@as_json_option
def keys_command(rows: int, matches: int, seed: int, as_json: bool) -> None:
    """Set the matches of several keys beside the truth of the synthetic case: docs/keys.md."""
    show(keys.measure(rows=rows, matches=matches, seed=seed), keys.table, as_json)


@main.command("kernels")
@as_json_option
def kernels_command(as_json: bool) -> None:
    """Single kernels, on one thread."""
    show(kernels.measure(), kernels.table, as_json)


@main.command("record")
@click.argument("machine")
@click.option("--part", "parts", multiple=True, type=click.Choice(list(record.PARTS)))
def record_command(machine: str, parts: tuple[str, ...]) -> None:
    """Measure what docs/performance.md shows, and keep the results under the name MACHINE."""
    sys.exit(0 if record.record(machine, list(parts)) else 1)


@main.command("pages")
def pages_command() -> None:
    """Make the tables of docs/performance.md from the kept results."""
    pages.write()


@main.command("compare")
@click.argument("machine")
@click.option("--repeat", default=5, show_default=True, metavar="N")
@click.option("--part", "parts", multiple=True, type=click.Choice(tuple(comparison.SHOWN)))
@click.option("--links", default="", metavar="NAMES", help="Links to measure besides loopback.")
@click.option("--slow", is_flag=True, help="Also the systems that take minutes a run.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench-run"), show_default=True)
def compare_command(
    machine: str, repeat: int, parts: tuple[str, ...], links: str, slow: bool, out: Path
) -> None:
    """Set this tool beside other ways and other systems at 1.28 million rows; keep it under the name MACHINE."""
    making.check_ready(out)  # before minutes of work
    names = tuple(name for name in links.split(",") if name)
    correct = comparison.measure(
        machine, parts=parts or ("ways", "peers"), repeat=repeat, links=names, slow=slow
    )
    comparison.bundle(machine, out)
    comparison.write_pages()
    sys.exit(0 if correct else 1)


@main.command("compare-pages")
def compare_pages_command() -> None:
    """Make the tables of README.md, docs/comparison.md and docs/brief.md from the kept results."""
    comparison.write_pages()


def show(measured: dict[str, Any], table: Callable[[dict[str, Any]], str], as_json: bool) -> None:
    """Print a result; end with code 1 if an output was wrong."""
    click.echo(json.dumps(measured, indent=2) if as_json else table(measured))
    sys.exit(0 if measured.get("correct", True) else 1)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
