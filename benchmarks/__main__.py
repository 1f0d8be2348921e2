"""``python -m benchmarks suite``, ``files`` and ``kernels``."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import files, kernels, suite
from benchmarks.workload import LEAD_SIZE
from psi.wire import Suite


def main() -> int:
    """Run a benchmark and print its result; return 1 if an output was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("suite", help="two processes over mutual TLS on loopback")
    whole.add_argument("--suite", required=True, choices=[known.value for known in Suite])
    whole.add_argument("--n-receiver", type=int, required=True, metavar="N")
    whole.add_argument("--n-sender", type=int, required=True, metavar="N")
    whole.add_argument("--repeat", type=int, default=7, metavar="N")
    whole.add_argument(
        "--threads", type=int, default=0, metavar="T", help="of each party (default: all cores)"
    )
    whole.add_argument("--both", action="store_true", help="the receiver reports, and both learn")
    whole.add_argument("--json", action="store_true")
    product = commands.add_parser("files", help="psi serve and psi join, from two files to the matched rows")
    product.add_argument(
        "--suite", default=Suite.VOLE_MALICIOUS.value, choices=[known.value for known in Suite]
    )
    product.add_argument("--requests", type=int, default=LEAD_SIZE, metavar="N")
    product.add_argument("--records", type=int, default=LEAD_SIZE, metavar="N")
    product.add_argument("--repeat", type=int, default=7, metavar="N")
    product.add_argument("--json", action="store_true")
    parts = commands.add_parser("kernels", help="single kernels, on one thread")
    parts.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.command == "kernels":
        record = kernels.measure()
        show(json.dumps(record, indent=2) if given.json else kernels.table(record))
        return 0
    if given.command == "files":
        record = files.measure(
            Suite(given.suite), requests=given.requests, records=given.records, repeat=given.repeat
        )
        show(json.dumps(record, indent=2) if given.json else files.table(record))
        return 0 if record["correct"] else 1
    record = suite.measure(
        Suite(given.suite),
        n_receiver=given.n_receiver,
        n_sender=given.n_sender,
        repeat=given.repeat,
        threads=given.threads,
        both=given.both,
    )
    show(json.dumps(record, indent=2) if given.json else suite.table(record))
    return 0 if record["correct"] else 1


def show(text: str) -> None:
    """Write a result."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
