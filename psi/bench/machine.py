"""Say on what a benchmark ran: the processor, the system, the versions, the commit; never the machine's name."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path

from psi.session import backend

_PACKAGES = ("click", "cryptography", "Faker", "msgspec", "numpy", "polars", "PyNaCl")
_SOURCES = Path(__file__).parent.parent.parent  # of a checkout; in a wheel there is no repository


def describe() -> dict[str, str | int | float]:
    """Return processor, number of processors that may be used, memory, system, and what else was running."""
    model, memory = platform.processor() or "unknown", 0
    information, memories = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if information.exists():
        named = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    if memories.exists():
        memory = int(memories.read_text().split()[1]) * 1024
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "processor": model,
        "processors": processors,
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        **{f"backend_{name}": value for name, value in backend().items()},
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, OpenSSL and the packages a run depends on."""
    found = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, **found}


def commit() -> str:
    """
    Return the commit of the checkout, with a mark if code was changed since; "unknown" where there is no checkout.

    Results and pages, which a benchmark itself writes, are not code.
    """
    if not (_SOURCES / ".git").exists():
        return "unknown"
    named = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "psi", "core", "benchmarks", ":!benchmarks/results")
    return "unknown" if not named else f"{named}-dirty" if changed else named


def _git(*arguments: str) -> str:
    """Return what git says about the checkout, and nothing where it cannot."""
    try:
        shown = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=_SOURCES,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return shown.stdout.strip()
