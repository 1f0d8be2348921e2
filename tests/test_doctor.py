"""``psi doctor``: each thing that a machine can lack, and whether a run is possible without it."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import sys
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from psi.cli import doctor

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    Command = Callable[..., CompletedProcess[str]]
    Lack = Callable[[pytest.MonkeyPatch], None]


def _set(target: object, name: str, value: Any) -> Lack:
    return lambda patch: patch.setattr(target, name, value)


def _raises(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def _no_rich(patch: pytest.MonkeyPatch) -> None:
    version = metadata.version

    def known(name: str) -> str:
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    patch.setattr(metadata, "version", known)


LACKING: dict[str, tuple[Lack, str, int]] = {
    "python": (_set(sys, "version_info", (3, 10, 9)), "install Python 3.11 or newer", 8),
    "core": (_set(doctor, "_core", _raises(ImportError("no module"))), "`make dev`", 8),
    "tls": (_set(ssl, "HAS_TLSv1_3", False), "an OpenSSL with TLS 1.3", 8),
    "cores": (_set(os, "sched_getaffinity", lambda _: {0}), "half the speed", 0),
    "memory": (_set(doctor, "_memory_bytes", lambda: 10**9), "about 2 GB", 0),
    "disk": (_set(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9)), "about 0.6 GB", 0),
    "temporary folder": (_set(os, "access", lambda *_: False), "set TMPDIR", 0),
    "system": (_set(sys, "platform", "win32"), "untested on this system", 0),
    "rich": (_no_rich, "install psi again", 0),
}


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine lack nothing, whatever it is."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 16 * 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**11))


@pytest.mark.usefixtures("sound")
def test_a_machine_that_lacks_nothing_is_told_so(psi_inside: Command) -> None:
    done = psi_inside("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title.startswith("psi ")
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    assert "->" not in done.stdout


@pytest.mark.usefixtures("sound")
def test_json_has_the_checks_the_versions_and_the_backends(psi_inside: Command) -> None:
    report = json.loads(psi_inside("doctor", "--json").stdout)
    assert (report["schema"], report["ok"]) == ("psi/doctor/1", True)
    assert {entry["name"] for entry in report["checks"]} == set(LACKING) - {"rich"}
    assert set(report["packages"]) == set(doctor.PACKAGES)
    assert {"vole", "ristretto255", "blake3", "architecture"} <= set(report["core"])


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("name", LACKING)
def test_what_is_lacking_is_named_with_what_to_do(
    psi_inside: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lack, advice, code = LACKING[name]
    with monkeypatch.context() as patch:
        lack(patch)
        shown, as_json = psi_inside("doctor"), psi_inside("doctor", "--json")
    assert (shown.returncode, as_json.returncode) == (code, code)
    lacking = [line for line in shown.stdout.splitlines() if line.split()[0] == "lacking"]
    assert len(lacking) == 1
    assert lacking[0].split(None, 1)[1].startswith(name)
    assert advice in lacking[0]
    assert ("this machine cannot run psi yet" in shown.stderr) == (code == 8)
    report = json.loads(as_json.stdout)
    assert not report["ok"]
    assert [entry["name"] for entry in report["checks"] if entry["verdict"] == "lacking"] == [name]


def test_a_system_that_does_not_tell_is_asked_otherwise(
    psi_inside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sysconf", _raises(ValueError("unknown name")))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**11))
    found = {entry["name"]: entry for entry in json.loads(psi_inside("doctor", "--json").stdout)["checks"]}
    assert found["cores"]["found"] == "7"
    assert found["memory"]["verdict"] == "ok"
