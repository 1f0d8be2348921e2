"""The run folder: fresh, its owner's alone, its events written as they happen; and the memory that a run took."""

from __future__ import annotations

import json
import resource
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from psi.errors import MachineError, UsageError
from psi.run import default_name
from psi.run.folder import EventLog, RunFolder
from psi.run.machine import peak_rss_bytes


def test_a_run_folder_is_its_owners_alone(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "new" / "run") as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "events.ndjson").stat().st_mode) == 0o600


def test_a_run_folder_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run folder is never overwritten"):
        RunFolder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "File").write_bytes(b"")
    with pytest.raises(
        MachineError, match="cannot make the run folder .*/File/run: (not a directory|file exists)"
    ) as raised:
        RunFolder(tmp_path / "File" / "run")
    assert "--out" in (raised.value.hint or "")


def test_the_default_name_says_when_and_which_side() -> None:
    assert default_name("holder").startswith("psi-run-20")
    assert default_name("holder").endswith("Z-holder")


def test_progress_is_written_when_a_phase_begins_and_then_now_and_then(tmp_path: Path) -> None:
    now = [0.0]
    log = EventLog(tmp_path / "events.ndjson", interval_s=0.5, clock=lambda: now[0])
    for now_s, phase, percent, peer_phase in (
        (0.0, "blind", 0, ""),
        (0.4, "blind", 10, ""),  # too early
        (0.4, "blind", 11, "wait"),
        (0.8, "blind", 20, "wait"),  # too early
        (0.9, "blind", 30, "wait"),
        (0.9, "match", 0, "wait"),
    ):
        now[0] = now_s
        log.progress(phase, percent, peer_phase=peer_phase)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    assert [(line["t_s"], line["phase"], line["percent"]) for line in lines] == [
        (0.0, "blind", 0),
        (0.4, "blind", 11),
        (0.9, "blind", 30),
        (0.9, "match", 0),
    ]


def test_progress_with_another_of_several_keys_is_news_and_names_it(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.ndjson", clock=lambda: 0.0)
    for key in ("", "number and zip", "number and zip", "number"):
        log.progress("match", 100, key=key)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "events.ndjson").read_text().splitlines()]
    assert [line.get("key") for line in lines] == [None, "number and zip", "number"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_events_that_cannot_be_written_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    log = EventLog(tmp_path / "events.ndjson")
    log._stream.close()
    log._stream = open(tmp_path / "full", "w", encoding="utf-8")  # noqa: SIM115
    with pytest.raises(MachineError, match=r"cannot write events\.ndjson: no space left on device"):
        log.write("phase", phase="gate")
    with pytest.raises(OSError, match="No space left"):  # what is in its buffer still does not fit
        log.close()


@pytest.mark.parametrize(("platform", "factor"), [("darwin", 1), ("freebsd", 1024)])
def test_peak_memory_is_in_bytes_on_every_system(
    monkeypatch: pytest.MonkeyPatch, platform: str, factor: int
) -> None:
    assert 10**7 < peak_rss_bytes() < 10**11
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=5000))
    assert peak_rss_bytes() == 5000 * factor
