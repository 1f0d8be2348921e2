"""``python -m benchmarks.peers install`` and ``python -m benchmarks.peers measure``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.peers import measure
from benchmarks.peers.systems import SYSTEMS

SLOW = ("psi-ecdh", "spu-ecdh", "openmined")  # minutes at a million rows


def main() -> None:
    """Install the peers, or measure them beside this project and write the record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="make the peers' environment from their published packages")
    side_by_side = commands.add_parser("measure", help="run every system on the same two files")
    side_by_side.add_argument("--rows", type=int, default=1_280_000, metavar="N")
    side_by_side.add_argument("--repeat", type=int, default=3, metavar="N")
    side_by_side.add_argument("--repeat-slow", type=int, default=1, metavar="N", help="of " + ", ".join(SLOW))
    side_by_side.add_argument("--systems", default=",".join(SYSTEMS), metavar="NAMES")
    side_by_side.add_argument("--out", type=Path, required=True, metavar="FILE")
    given = parser.parse_args()
    if given.command == "install":
        measure.install()
        return
    repeat = {name: given.repeat_slow if name in SLOW else given.repeat for name in given.systems.split(",")}
    record = measure.measure(rows=given.rows, repeat=repeat)
    given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for line in record["lines"]:
        if line["measured"]:
            sys.stdout.write(
                f"{line['system']:<28} {line['wall_s']['median']:>8.2f} s {line['cpu_s']['median']:>8.2f} s CPU "
                f"{line['bytes_on_the_wire'] / 1e6:>8.1f} MB  {'correct' if line['correct'] else 'WRONG'}\n"
            )
        else:
            sys.stdout.write(f"{line['system']:<28} not measured: {line['reason']}\n")


if __name__ == "__main__":
    main()
