"""``psi doctor``: what this machine has and lacks."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from psi.errors import MachineError

MINIMUM_FREE_BYTES = 2 * 10**9
MINIMUM_MEMORY_BYTES = 2 * 10**9
PACKAGES = ("click", "cryptography", "faker", "msgspec", "numpy", "polars", "pynacl", "rich")


def _memory_bytes() -> int:
    """Return the machine's memory in bytes, 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _core() -> dict[str, str]:
    from psi import session

    return session.backend()


def examine() -> dict[str, Any]:
    """Return everything `psi doctor` reports, as one JSON object (schema psi/doctor/1); it changes nothing."""
    checks: list[dict[str, str]] = []

    def check(name: str, passed: bool, found: str, advice: str) -> None:
        checks.append(
            {
                "name": name,
                "verdict": "ok" if passed else "lacking",
                "found": found,
                "advice": "" if passed else advice,
            }
        )

    check("python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")
    core: dict[str, str] = {}
    try:
        core = _core()
        check("core", True, ", ".join(f"{key} {value}" for key, value in core.items()), "")
    except ImportError:
        check("core", False, "not built", "run `make dev` in the checkout, or install the wheel")
    has_tls13 = ssl.HAS_TLSv1_3
    check("tls", has_tls13, ssl.OPENSSL_VERSION, "an OpenSSL with TLS 1.3 is needed")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    check("cores", cores >= 2, str(cores), "one core works, at half the speed")
    memory = _memory_bytes()
    check(
        "memory",
        memory == 0 or memory >= MINIMUM_MEMORY_BYTES,
        f"{memory / 1e9:.1f} GB",
        "a million rows need about 2 GB",
    )
    free = shutil.disk_usage(Path.cwd()).free
    check(
        "disk", free >= MINIMUM_FREE_BYTES, f"{free / 1e9:.1f} GB free here", "the demo writes about 0.6 GB"
    )
    writable = os.access(tempfile.gettempdir(), os.W_OK)
    check("temporary folder", writable, tempfile.gettempdir(), "set TMPDIR to a folder you may write to")
    check(
        "system",
        sys.platform.startswith(("linux", "darwin")),
        platform.platform(terse=True),
        "untested on this system",
    )
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            check(package, False, "not installed", "install psi again: `pip install psi-overlap`")
    return {
        "schema": "psi/doctor/1",
        "version": metadata.version("psi-overlap"),
        "machine": platform.machine(),
        "core": core,
        "packages": versions,
        "checks": checks,
        "ok": all(entry["verdict"] == "ok" for entry in checks),
    }


@click.command("doctor", epilog="Example:  psi doctor --json")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object (schema psi/doctor/1) on stdout."
)
def command(as_json: bool) -> None:
    """Say what this machine has and lacks for a run: core, TLS, memory, disk."""
    report = examine()
    if as_json:
        import json

        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"psi {report['version']} on {report['machine']}")
        for entry in report["checks"]:
            mark = "ok     " if entry["verdict"] == "ok" else "lacking"
            advice = f"  -> {entry['advice']}" if entry["advice"] else ""
            click.echo(f"  {mark}  {entry['name']:<17} {entry['found']}{advice}")
    if any(
        entry["verdict"] != "ok" and entry["name"] in ("python", "core", "tls") for entry in report["checks"]
    ):
        raise MachineError("this machine cannot run psi yet", hint="see the lines marked lacking")
