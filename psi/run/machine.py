"""Say what this process used of the machine: its peak memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_rss_bytes() -> int:
    """
    Return the largest resident set of this process so far, in bytes.

    On Linux this is ``VmHWM``: ``ru_maxrss`` survives exec there, so a process started by a large parent would report
    the parent's peak. Elsewhere ``ru_maxrss`` is used, which counts bytes on macOS and kibibytes on other systems.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
