"""
Show that a hash of an identifier hides nothing: try every nine-digit number and look which hashes come up.

A sample of the 10^9 numbers is tried for real, with a known number of targets hidden in it, and all of them must come
back. The time for all numbers is computed from the rate of the sample and says so. A salt that both sides share, which
they must if their hashes are to be equal, changes nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from psi.bench.record import Reversal

NUMBERS = 10**9  # nine digits
SALT = b"a salt that both organisations know"
_SALTS = {
    "SHA-256 of the nine digits": b"",
    "SHA-256 of a salt both sides share and the nine digits": SALT,
}


def demonstrate(*, sample: int, targets: int = 1000) -> tuple[Reversal, ...]:
    """Return what trying ``sample`` numbers gave, plain and salted; raises ``ArithmeticError`` when one is missed."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bounds = np.linspace(0, sample, processors + 1).astype(np.int64).tolist()
    parts = list(itertools.pairwise(bounds))
    # A large odd step spreads the targets over the sample, the same ones each time.
    hidden = [int(number) for number in np.arange(targets, dtype=np.int64) * 7_368_787 % sample]
    found = []
    with ProcessPoolExecutor(processors, mp_context=get_context("spawn")) as pool:
        list(
            pool.map(_try, [b""] * processors, [set()] * processors, [(0, 1)] * processors)
        )  # all have started
        for what, salt in _SALTS.items():
            hashes = {hashlib.sha256(salt + b"%09d" % number).digest() for number in hidden}
            began_s = time.monotonic()
            recovered = sorted(
                number
                for part in pool.map(_try, [salt] * processors, [hashes] * processors, parts)
                for number in part
            )
            took_s = time.monotonic() - began_s
            if recovered != sorted(set(hidden)):
                raise ArithmeticError(f"{len(recovered)} of {len(set(hidden))} numbers came back")
            rate = sample / took_s
            found.append(
                Reversal(
                    what=what,
                    targets=len(set(hidden)),
                    recovered=len(recovered),
                    tried=sample,
                    sample_s=round(took_s, 3),
                    rate_per_s=round(rate),
                    processors=processors,
                    full_s=round(NUMBERS / rate, 1),
                )
            )
    return tuple(found)


def _try(salt: bytes, hashes: set[bytes], part: tuple[int, int]) -> list[int]:
    """Return the numbers of a part whose hash is among those wanted."""
    sha256 = hashlib.sha256
    return [number for number in range(*part) if sha256(salt + b"%09d" % number).digest() in hashes]
