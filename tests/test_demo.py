"""``psi demo``: both parties in processes of their own, checked against the truth; what it says when one fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from itertools import product
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from psi import errors
from psi.cli import _board, _two_parties, demo
from psi.cli._board import Board
from psi.cli._story import WIDTH, story
from psi.cli._two_parties import EventTail, Party
from psi.wire import Phase, Suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    Command = Callable[..., CompletedProcess[str]]

SIZES = ("--requests", "400", "--records", "300", "--matches", "20")
SIDES = ("requester", "holder")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the demonstration makes its temporary one."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Party]:
    """Return a list in which every party that is started will be."""
    parties: list[Party] = []
    start = _two_parties.start

    def noted(*arguments: Any) -> Party:
        parties.append(start(*arguments))
        return parties[-1]

    monkeypatch.setattr(_two_parties, "start", noted)
    return parties


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the result of one demonstration of the default suite."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    done = subprocess.run(
        [sys.executable, "-m", "psi", "demo", *SIZES, "--out", str(folder), "--json", "--threads", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, json.loads(done.stdout)


def test_json_has_what_both_sides_brought_sent_and_learned(finished: tuple[Path, dict[str, Any]]) -> None:
    _, result = finished
    assert result["schema"] == "psi/demo/1"
    assert (result["requests"], result["records"], result["matches"], result["seed"]) == (400, 300, 20, 1)
    assert (result["overlap"], result["correct"], result["transcripts_equal"]) == (20, True, True)
    assert (result["suite"], result["learns"], result["learners"]) == (
        "vole-malicious",
        "both",
        ["holder", "requester"],
    )
    assert {side: result["gate"][side]["rows"] for side in SIDES} == {"requester": 400, "holder": 300}
    assert {side: result["items"][side] == result["gate"][side]["items"] for side in SIDES} == dict.fromkeys(
        SIDES, True
    )
    assert result["set_bounds"]["requester"] == result["items"]["requester"]  # the sender: by its tags
    assert result["set_bounds"]["holder"] >= result["items"]["holder"]
    for name in ("requester_to_holder", "holder_to_requester"):
        assert 50_000 < result["bytes"][name] < 1_000_000
    assert 0 < result["seconds"]["exchange"] < result["seconds"]["total"]
    for side in SIDES:
        assert set(result["phases"][side]) == {"gate", "connect", "exchange", "write"}
        assert 10**7 < result["peak_rss_bytes"][side] < 10**9


def test_out_keeps_the_case_and_both_run_folders(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    assert result["bulk_bytes"]["requests_file"] == (folder / "case/requests.csv").stat().st_size
    assert result["bulk_bytes"]["records_file"] == (folder / "case/records.csv").stat().st_size
    for side in SIDES:
        receipt = json.loads((folder / side / "receipt.json").read_text())
        assert receipt["transcript"] == result["transcript"]
        assert receipt["matched"] == {"file": "matched.csv", "rows": 20}


@pytest.mark.parametrize(
    ("suite", "options", "learners"),
    [
        ("vole-malicious", ("--learns", "both", "--first", "requester"), ["requester", "holder"]),
        ("vole-malicious", ("--learns", "holder"), ["holder"]),
        ("vole-semi-honest", (), ["holder", "requester"]),
        ("ecdh", (), ["requester"]),
        ("ecdh-cardinality", ("--learns", "holder"), ["holder"]),
    ],
)
def test_every_suite_finds_the_overlap_for_whoever_learns(
    psi_inside: Command,
    started: list[Party],
    temporary: Path,
    suite: str,
    options: tuple[str, ...],
    learners: list[str],
) -> None:
    done = psi_inside("demo", *SIZES, "--seed", "7", "--suite", suite, *options, "--json", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["suite"], result["overlap"], result["correct"]) == (suite, 20, True)
    assert (result["learners"], result["seed"]) == (learners, 7)
    assert (result["set_bounds"] is not None) == (suite == "vole-malicious")
    assert [party.process.returncode for party in started] == [0, 0]
    assert list(temporary.iterdir()) == []


def test_the_last_screen_fits_a_terminal_and_says_who_learned_what(
    psi_inside: Command, finished: tuple[Path, dict[str, Any]]
) -> None:
    done = psi_inside("demo", *SIZES)
    assert done.returncode == 0
    assert "On both lists: 20 people." in done.stdout
    assert "Checked against the truth of this invented case: correct." in done.stdout
    assert "Who learned what, the holder first" in done.stdout
    assert "which 20 of its own 300 people the requester has too" in done.stdout
    assert "has not been audited" in " ".join(done.stdout.split())
    large = finished[1] | {
        "overlap": 47_489_000,
        "items": dict.fromkeys(SIDES, 160_000_000),
        "bytes": dict.fromkeys(finished[1]["bytes"], 9_999_999_999),
        "suite": "ecdh-cardinality",
        "assurance": demo.ASSURANCE["ecdh-cardinality"],
    }
    for screen in (done.stdout, story(large), story(large | {"suite": "vole-malicious"})):
        assert max(map(len, screen.splitlines())) < WIDTH


def test_the_last_screen_has_a_line_for_each_reason_and_says_when_it_is_wrong(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    result = finished[1] | {"correct": False, "learners": ["requester"], "set_bounds": None}
    result["gate"] = {
        "requester": {"rows": 5, "rejected": 3, "collapsed": 0, "reasons": {"missing": 1, "brand-new": 2}},
        "holder": {"rows": 5, "rejected": 0, "collapsed": 0, "reasons": {}},
    }
    screen = story(result)
    assert "WRONG" in screen
    assert "by cheating" not in screen
    assert [
        line.split() for line in screen.splitlines() if "something is missing" in line or "brand" in line
    ] == [
        ["brand-new", "2", "0"],
        ["something", "is", "missing", "1", "0"],
    ]
    assert "nothing about who is on both lists" in screen


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--matches", "301"), "301 matches do not fit into 400 requests and 300 records"),
        (("--requests", "0"), "requests: 0, and 1 is the least"),
        (("--suite", "rsa"), "--suite rsa is not known"),
        (("--suite", "ecdh", "--learns", "both"), "--learns both: with suite ecdh one side can learn only"),
        (("--suite", "ecdh", "--first", "holder"), "--first holder has no place where one side learns only"),
        (
            ("--learns", "holder", "--first", "holder"),
            "--first holder has no place where one side learns only",
        ),
        (("--learns", "nobody"), "invalid value for '--learns'"),
        (("--threads", "0"), "invalid value for '--threads'"),
        (("--out", "."), ". is not empty"),
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_made(
    psi_inside: Command, started: list[Party], temporary: Path, options: tuple[str, ...], line: str
) -> None:
    done = psi_inside("demo", *SIZES, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"psi: error: {line}")
    assert "psi: hint: " in done.stderr
    assert not started
    assert list(temporary.iterdir()) == []


def test_a_party_that_fails_is_named_with_its_own_words_and_code(
    psi_inside: Command, started: list[Party], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree = demo._agree

    def spoiled(case: dict[str, Path], *rest: Any) -> Any:
        agreement = agree(case, *rest)
        case["requester"].write_bytes(b"")
        return agreement

    monkeypatch.setattr(demo, "_agree", spoiled)
    monkeypatch.setattr(_two_parties, "GRACE_S", 0.1)  # the holder waits on, and is ended
    done = psi_inside("demo", *SIZES)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "psi: error: the requester stopped with exit code 3: requests.csv: the file is empty",
        "psi: hint: export it again, with a header and rows",
    ]
    assert all(party.process.returncode for party in started)
    assert list(temporary.iterdir()) == []


def test_the_cause_is_named_and_not_what_came_of_it(tmp_path: Path) -> None:
    def ended(side: str, code: int, said: str) -> Party:
        (tmp_path / f"{side}.stderr").write_text(said)
        process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
        return Party(side, tmp_path, process, tmp_path / f"{side}.stderr", tmp_path, EventTail(tmp_path))

    lost = ended("holder", 6, "psi: error: the connection ended\npsi: hint: start both sides again\n")
    with pytest.raises(errors.MachineError, match="the requester stopped with exit code 8: no room") as full:
        _two_parties._raise([lost, ended("requester", 8, "psi: error: no room\npsi: hint: make room\n")])
    assert full.value.hint == "make room"
    with pytest.raises(errors.PsiError, match="requester stopped with exit code 77: no message") as unknown:
        _two_parties._raise([lost, ended("requester", 77, "some other text\n")])
    assert "psi doctor" in (unknown.value.hint or "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_both_parties_and_leaves_nothing(
    psi_inside: Command,
    started: list[Party],
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    # A shell that starts the tests in the background has them ignore interrupts.
    previous = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    update = Board.update

    def interrupted(board: Board, row: str, phase: str, percent: int, key: str = "") -> None:
        update(board, row, phase, percent)
        if row == "requester":
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Board, "update", interrupted)
    try:
        done = psi_inside("demo", *SIZES)
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[:2] == [
        "",
        "psi: error: interrupted",
    ]  # below the ^C that a terminal shows
    assert len(started) == 2
    assert all(party.process.returncode is not None for party in started)
    assert list(temporary.iterdir()) == []


def test_a_party_that_does_not_listen_is_ended_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    monkeypatch.setattr(_two_parties, "GRACE_S", 0.05)
    with process.stdout:
        _two_parties.stop([Party("holder", tmp_path, process, tmp_path, tmp_path, EventTail(tmp_path))])
    assert process.returncode == -signal.SIGKILL


def test_a_wrong_overlap_is_shown_and_is_a_mistake_of_ours(
    psi_inside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_correct", lambda *_: False)
    done = psi_inside("demo", *SIZES)
    assert done.returncode == 1
    assert "WRONG" in done.stdout
    assert done.stderr.startswith(
        "psi: error: the overlap is 20 and the truth says 20\npsi: hint: this is a fault"
    )


def test_the_truth_is_compared_row_by_row(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = finished
    case = {"case": folder / "case"}
    matched = pl.read_csv(folder / "holder/matched.csv", infer_schema=False)
    receipt = {"side": "holder", "overlap": 20, "matched": {"file": "matched.csv"}}
    assert demo._correct(folder, case, receipt)
    assert demo._correct(folder, case, receipt | {"matched": None})
    assert not demo._correct(folder, case, receipt | {"overlap": 19})
    (tmp_path / "holder").mkdir()
    others = matched.with_columns(
        pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("1")).otherwise("row").alias("row")
    )
    others.write_csv(tmp_path / "holder/matched.csv")
    assert not demo._correct(tmp_path, case, receipt)


def test_every_phase_has_words_for_people() -> None:
    assert {phase.value for phase in Phase} <= set(_board.WORDS)
    assert set(demo.ASSURANCE) == {suite.value for suite in Suite}


def test_the_board_writes_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    for draw, quiet in product([False], [False, True]):
        with Board(["we", "peer"], quiet=quiet, draw=draw, clock=lambda: now[0]) as board:
            board.update("we", "gate", 10)
            now[0] += 30
            board.update("we", "gate", 10)  # nothing new
            board.update("we", "encode", 20)
            board.update("peer", "wait", 50)
            now[0] += 30
            board.update("peer", "wait", 60)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == (
            ""
            if quiet
            else "psi: we: encoding own items 20 %\n"
            "psi: we: encoding own items 20 %; peer: waiting for the other side\n"
        )


def test_the_board_says_which_of_several_keys_a_party_is_at(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    with Board(["we"], draw=False, clock=lambda: now[0]) as board:
        now[0] += 30
        board.update("we", "encode", 20, "number and zip")
        now[0] += 30
        board.update("we", "encode", 20, "number")  # news: another key
    assert capsys.readouterr().err == (
        "psi: we: encoding own items, number and zip 20 %\npsi: we: encoding own items, number 20 %\n"
    )


def test_the_board_draws_a_bar_for_each_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    with Board(["requester", "holder"], draw=True) as board:
        board.update("holder", "evaluate", 37)
        board.update("requester", "connect", 50)
        board._bars.refresh()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "37 %" in shown.err
    assert "evaluating the other side's items" in shown.err
    assert "waiting for the other side" in shown.err
    assert "50 %" not in shown.err
