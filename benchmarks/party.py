"""One party of the suite benchmark, in a process of its own; ``suite`` starts two of them."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks import workload
from psi import _core, identity, transport
from psi.bench.meter import cpu_s, forget_peak, show
from psi.items import Collector
from psi.run.machine import peak_rss_bytes
from psi.session import SEED_BYTES, Role, Session, backend
from psi.wire import NONCE_BYTES, Suite


def main() -> None:
    """Run one party as the JSON object on standard input says; print what was measured as a JSON line."""
    given = json.loads(sys.stdin.readline())
    role = Role(given["role"])
    own, peer = (identity.load(Path(given["folder"]) / name) for name in (given["role"], given["peer"]))
    n_receiver, n_sender = given["n_receiver"], given["n_sender"]
    generated = given["generated"]
    # Arrow memory: what stands in it before the clock starts are the raw keys and nothing derived from them. A list
    # that is too long for text is one of digests.
    people = workload.numbers(role.value, *((0, 0) if generated else (n_receiver, n_sender)))
    table = workload.keys(people)
    digests = _core.Digests(workload.digests(role.value, n_receiver, n_sender)) if generated else None
    del people
    forget_peak()
    if role is Role.SENDER:
        with transport.Listener(
            "127.0.0.1", 0, identity=own, peer_certificate=peer.certificate_der
        ) as listener:
            show({"port": listener.address[1]})
            channel = listener.accept(timeout_s=600)
    else:
        channel = transport.connect(
            "127.0.0.1", given["port"], identity=own, peer_certificate=peer.certificate_der, timeout_s=600
        )
    began_s, began_cpu_s = time.monotonic(), cpu_s()
    threads = given["threads"] or len(os.sched_getaffinity(0))
    items = None
    if digests is None:
        collector = Collector(threads=threads)
        collector.add(table, np.arange(len(table), dtype=np.uint32))
        items = collector.finish()
        digests = items.held
    count = len(digests)
    done = Session(
        role,
        digests,
        suite=Suite(given["suite"]),
        initiator=role is Role.RECEIVER,
        terms_digest=bytes(32),
        certificate=bytes.fromhex(own.fingerprint),
        peer_certificate=bytes.fromhex(peer.fingerprint),
        max_items=count,
        peer_max_items=n_sender if role is Role.RECEIVER else n_receiver,
        seed=secrets.token_bytes(SEED_BYTES),
        nonce=secrets.token_bytes(NONCE_BYTES),
        threads=threads,
        report=given["both"],
        tree_depth=given["tree_depth"],
    )
    del digests  # the session lets go of them when the role has them
    transport.drive(done, channel, idle_timeout_s=600)
    output = done.output()
    rows = output.matched if items is None or output.matched is None else items.rows_of(output.matched)
    ended_s, ended_cpu_s = time.monotonic(), cpu_s()
    correct = True
    if rows is not None:
        known = workload.expected_generated if generated else workload.expected
        correct = np.array_equal(rows, known(n_receiver, n_sender, role.value))
    elif output.overlap is not None:
        correct = output.overlap == workload.overlap_of(n_receiver, n_sender)
    measured = {
        "began_s": began_s,
        "ended_s": ended_s,
        "cpu_s": ended_cpu_s - began_cpu_s,
        "bytes_sent": done.bytes_sent,
        "peak_rss_bytes": peak_rss_bytes(),
        "correct": bool(correct),
        "backend": backend(),
        "threads": threads,
    }
    show(measured)


if __name__ == "__main__":
    main()
