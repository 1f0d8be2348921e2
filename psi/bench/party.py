"""
One party of an alternative, in a process of its own; ``runner`` starts two of them.

It reads one JSON object from standard input, gets ready, and begins when a second line comes. What it measured it
prints as JSON lines.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psi.identity
import psi.intake.matched  # what a run would import later, and the clock would count
from psi import run, terms, transport
from psi.bench import programs
from psi.bench.alternatives import ALTERNATIVES, PSI, Alternative
from psi.bench.meter import cpu_s, forget_peak, show
from psi.errors import PsiError, TransportError
from psi.run.machine import peak_rss_bytes

WAIT_S = 3600.0
_LISTENING = " port "


def main() -> int:
    """Run one party as the JSON object on standard input says."""
    given = json.loads(sys.stdin.readline())
    try:
        measured = perform(given, ALTERNATIVES[given["alternative"]])
    except PsiError as error:
        show({"error": error.message, "is_network": isinstance(error, TransportError)})
        return 1
    show(measured)
    return 0


def perform(given: dict[str, Any], alternative: Alternative) -> dict[str, Any]:
    """Get ready, wait for the word, run, and return what was measured."""
    agreement = terms.load(Path(given["terms"]))
    identity = psi.identity.load(Path(given["identity"]))
    peer = psi.identity.load(Path(given["peer_identity"]))
    side, out = given["side"], Path(given["out"])
    listener = None
    if alternative.kind != PSI:
        out.mkdir(parents=True)
        if side == "holder":
            listener = transport.Listener(
                "127.0.0.1", 0, identity=identity, peer_certificate=peer.certificate_der
            )
    forget_peak()
    show({"ready": True, **({} if listener is None else {"port": listener.address[1]})})
    word = json.loads(sys.stdin.readline())
    began_s, began_cpu_s = time.monotonic(), cpu_s()
    if alternative.kind == PSI:
        measured = _psi(given, word)
    else:
        if listener is not None:
            channel = listener.accept(timeout_s=WAIT_S)
        else:
            channel = transport.connect(
                "127.0.0.1",
                word["port"],
                identity=identity,
                peer_certificate=peer.certificate_der,
                timeout_s=WAIT_S,
            )
        connected_s = time.monotonic()
        with channel:
            task = programs.Task(alternative, side, Path(given["file"]), out, agreement.keys[0].columns)
            outcome = programs.perform(task, channel)
        measured = {
            "bytes_sent": outcome.bytes_sent,
            "overlap": outcome.overlap,
            "learned": asdict(outcome.learned),
            "phases": {
                "connect": connected_s - began_s,
                "transfer, join and write": time.monotonic() - connected_s,
            },
        }
    return {
        **measured,
        "began_s": began_s,
        "ended_s": time.monotonic(),
        "cpu_s": cpu_s() - began_cpu_s,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def _psi(given: dict[str, Any], word: dict[str, Any]) -> dict[str, Any]:
    """Run this side of `psi serve` and `psi join`, from its file to its receipt."""
    side = given["side"]
    endpoint: run.Listen | run.Connect
    if side == "holder":
        endpoint = run.Listen("127.0.0.1", 0, wait_s=WAIT_S)
    else:
        endpoint = run.Connect("127.0.0.1", word["port"], wait_s=WAIT_S)

    def note(line: str) -> None:
        if side == "holder" and _LISTENING in line:
            show({"port": int(line.rpartition(_LISTENING)[2])})

    receipt = run.execute(
        run.RunInput(
            side=side,
            file=Path(given["file"]),
            terms=Path(given["terms"]),
            identity=Path(given["identity"]),
            out=Path(given["out"]),
            endpoint=endpoint,
            threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
            idle_timeout_s=WAIT_S,
        ),
        note=note,
    )
    return {
        "bytes_sent": receipt.bytes_sent,
        "overlap": receipt.keys[0].overlap,
        "learned": asdict(programs.Learned("nothing")),
        "phases": dict(receipt.seconds),
        "items": dict(receipt.keys[0].items),
        "matched_file": receipt.matched_file,
        "rejected": receipt.gate["rejected"],
    }


if __name__ == "__main__":
    sys.exit(main())
