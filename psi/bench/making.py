"""Put a benchmark's bundle together: results, page, tables, citation, and the manifest over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psi.bench import bundle, charts, citation, page, peers, record
from psi.bench import growth as growing
from psi.errors import UsageError

if TYPE_CHECKING:
    from psi.bench.record import Results


def check_ready(out: Path) -> None:
    """Raise ``UsageError`` or ``MachineError`` for what would stop the bundle from being written in the end."""
    charts.check_installed()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty", hint="choose a new folder with --out")


def write_bundle(
    out: Path,
    results: Results,
    *,
    signer: Path | None = None,
    beside: Path | None = None,
    growth: Path | None = None,
) -> None:
    """
    Write the bundle into a new folder and sign it; ``beside`` and ``growth`` are records that the page shows too.

    Raises what ``bundle.write_files``, ``peers.load`` and ``growth.load`` raise.
    """
    extra, kept = [], {}
    if beside is not None:
        extra.append(section_of_peers(peers.load(beside)))
        kept[bundle.PEERS] = beside.read_bytes()
    if growth is not None:
        extra.append(section_of_growth(growing.load(growth)))
        kept[bundle.GROWTH] = growth.read_bytes()
    files = {
        **kept,
        bundle.RESULTS: record.dumps(results),
        bundle.SCHEMA_FILE: record.schema(),
        bundle.PAGE: page.html(results, extra=extra),
        bundle.TEXT: page.markdown(results, extra=extra),
        bundle.TABLES: page.comma_separated(results, extra=extra),
        bundle.CITATION: citation.cff(results),
    }
    bundle.write_files(out, files, signer=signer)


def section_of_peers(measured: peers.Peers) -> page.Section:
    """Return the part of the page about other systems."""
    return page.Section(
        "peers", "Beside other systems that do the same", peers.remarks(measured), (peers.table(measured),)
    )


def section_of_growth(measured: growing.Growth) -> page.Section:
    """Return the part of the page about how the cost grows."""
    return page.Section(
        "growth",
        "How the cost grows with the lists",
        ("The clock runs from keys in memory to the rows of the overlap; reading files is not in it.",),
        (growing.table(measured),),
        (page.Figure("Seconds over the number of items on each side", growing.chart(measured)),),
    )
