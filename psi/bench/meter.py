"""What a measured process says of itself: processor time, a fresh peak of memory, a line of JSON."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path


def cpu_s() -> float:
    """Return the processor time of this process, all threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def forget_peak() -> None:
    """Let the kernel count the peak of memory from here on, where it can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def show(record: Mapping[str, object]) -> None:
    """Write a JSON line for the process that started this one."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
