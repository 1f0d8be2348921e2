"""One party of this project on the files of the peers: a run from file to receipt, in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from psi import run
from psi.bench.meter import cpu_s, forget_peak, show
from psi.run.machine import peak_rss_bytes

WAIT_S = 3600.0


def main() -> None:
    """Run one party and print what it took; the requester has rank 0, as with the peers."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    forget_peak()
    show({"ready": True})
    sys.stdin.readline()
    began_s, began_cpu_s = time.monotonic(), cpu_s()
    is_holder = given["rank"] == 1
    port = given["ports"][1]
    receipt = run.execute(
        run.RunInput(
            side="holder" if is_holder else "requester",
            file=Path(given["file"]),
            terms=Path(given["terms"]),
            identity=Path(given["identity"]),
            out=Path(given["out"]),
            endpoint=(run.Listen if is_holder else run.Connect)("127.0.0.1", port, wait_s=WAIT_S),
            idle_timeout_s=WAIT_S,
        )
    )
    show(
        {
            "began_s": began_s,
            "ended_s": time.monotonic(),
            "cpu_s": cpu_s() - began_cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
            "count": receipt.keys[0].overlap,
        }
    )


if __name__ == "__main__":
    main()
