"""``psi plan``: bytes and bounds are exactly those of the run, and nothing is sent to know them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import polars as pl
import pytest

from psi import scenario, wire
from psi.errors import GateError, LimitError, UsageError
from psi.run import forecast, plan
from psi.session import Role, traffic
from psi.terms import load
from psi.wire import TREE_DEPTHS, FrameType, Suite
from tests.session_kit import make_pair, make_session, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from psi.run import Plan
    from psi.terms import Terms

    Command = Callable[..., CompletedProcess[str]]

REQUESTS, RECORDS = 60, 90
OUTSIDE = (FrameType.HELLO, FrameType.HELLO_ACK, FrameType.SIZES, FrameType.FINISH)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "case"
    scenario.write(folder, requests=REQUESTS, records=RECORDS, matches=10, seed=1)
    scenario.agree(folder, requests=REQUESTS, records=RECORDS)
    return folder


@pytest.fixture
def agreed(case: Path) -> Terms:
    return load(case / scenario.TERMS)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rehearsal be short: what it measures is checked nowhere here."""
    monkeypatch.setattr(forecast, "_REHEARSED_ITEMS", 64)
    monkeypatch.setattr(forecast, "_REHEARSED_GROUP_ITEMS", 4)


# 32768 elements and 65536 tags are a frame of the group; the vole suites change their parameters with the size.
@pytest.mark.parametrize(
    ("suite", "n_receiver", "n_sender"),
    [
        *((suite, n, m) for suite in Suite for n, m in ((0, 0), (1, 1), (2, 0), (0, 2), (300, 7), (7, 300))),
        *((Suite.ECDH, n, 5) for n in (32768, 32769)),
        *(
            (suite, 4000, m)
            for suite in (Suite.VOLE_MALICIOUS, Suite.VOLE_SEMI_HONEST)
            for m in (65536, 65537)
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Suite) else str(value),
)
def test_bytes_are_those_of_the_frames(suite: Suite, n_receiver: int, n_sender: int) -> None:
    receiver, sender = make_pair(range(n_receiver), range(n_sender), suite=suite)
    frames = record(receiver, sender)
    sent = {
        role: sum(
            len(frame)
            for from_receiver, frame in frames
            if from_receiver == (role is Role.RECEIVER) and wire.frame_type(frame) not in OUTSIDE
        )
        for role in Role
    }
    predicted = traffic(suite, n_receiver=n_receiver, n_sender=n_sender)
    assert (predicted.from_receiver, predicted.from_sender) == (sent[Role.RECEIVER], sent[Role.SENDER])
    assert (predicted.receiver_items is None) == (suite is not Suite.VOLE_MALICIOUS)


@pytest.mark.parametrize("both", [0, 1, 200])
def test_bytes_of_a_report_follow_from_the_overlap(both: int) -> None:
    receiver, sender = (
        make_session(role, items, suite=Suite.VOLE_MALICIOUS, initiator=role is Role.SENDER, report=True)
        for role, items in (
            (Role.RECEIVER, range(300)),
            (Role.SENDER, range(300 - both, 600 - both)),
        )
    )
    frames = record(receiver, sender)
    reported = sum(len(frame) for _, frame in frames if wire.frame_type(frame) is FrameType.REPORT)
    sizes = {"n_receiver": 300, "n_sender": 300}
    with_report = traffic(Suite.VOLE_MALICIOUS, reported=both, **sizes)
    assert with_report.from_receiver - traffic(Suite.VOLE_MALICIOUS, **sizes).from_receiver == reported


@pytest.mark.parametrize("tree_depth", TREE_DEPTHS)
def test_bytes_are_those_of_the_frames_whatever_the_trees(tree_depth: int) -> None:
    receiver, sender = (
        make_session(
            role,
            range(60_000 if role is Role.RECEIVER else 5),
            suite=Suite.VOLE_MALICIOUS,
            initiator=role is Role.SENDER,
            tree_depth=tree_depth,
        )
        for role in Role
    )
    frames = record(receiver, sender)
    sent = sum(len(frame) for _, frame in frames if wire.frame_type(frame) not in OUTSIDE)
    predicted = traffic(Suite.VOLE_MALICIOUS, n_receiver=60_000, n_sender=5, tree_depth=tree_depth)
    assert predicted.from_receiver + predicted.from_sender == sent


def test_other_trees_are_planned_beside_those_of_the_terms(tmp_path: Path, case: Path) -> None:
    scenario.agree(tmp_path, requests=REQUESTS, records=1_280_000)
    agreement = msgspec.structs.replace(load(tmp_path / scenario.TERMS), tree_depth=7)

    def asked(link_mbit_s: float) -> Plan:
        file = case / "requests.csv"
        return plan(
            file, agreement, side="requester", peer_rows=1_280_000, threads=1, link_mbit_s=link_mbit_s
        )

    made = asked(0.1)
    assert [each.tree_depth for each in made.trees] == [7, 8, 9]
    sent = [each.bytes_total for each in made.trees]
    assert sent == sorted(sent, reverse=True)
    assert sent[0] == sum(side.sends_bytes for side in made.sides.values())
    own = made.trees[0]
    assert (own.exchange_s, own.link_s) == (made.exchange_s, made.link_s)
    totals = [each.exchange_s + each.link_s for each in made.trees]
    assert totals[2] == min(totals)
    assert made.document()["tree_depth"] == 7
    quick = [each.exchange_s + each.link_s for each in asked(1e9).trees]
    assert quick[2] == max(quick)


def test_plan_is_that_of_both_sides_whoever_asks(case: Path, agreed: Terms) -> None:
    of_requester = plan(case / "requests.csv", agreed, side="requester", peer_rows=RECORDS, threads=1)
    of_holder = plan(case / "records.csv", agreed, side="holder", peer_rows=REQUESTS, threads=1)
    for made in (of_requester, of_holder):
        assert {side: each.items for side, each in made.sides.items()} == {
            "requester": REQUESTS,
            "holder": RECORDS,
        }
        assert {side: each.role for side, each in made.sides.items()} == {
            "requester": Role.SENDER,  # the holder learns first
            "holder": Role.RECEIVER,
        }
        assert made.keys[0].set_bounds is not None
        assert made.keys[0].set_bounds["sender"] == REQUESTS
        assert (made.sides[made.own].gate_s or 0) > 0
        assert all(each.memory_bytes > 10**8 for each in made.sides.values())
        assert made.exchange_s > 0
    sends = [
        {side: each.sends_bytes for side, each in made.sides.items()} for made in (of_requester, of_holder)
    ]
    assert sends[0] == sends[1]


@pytest.mark.parametrize("suite", Suite, ids=lambda suite: suite.value)
def test_every_suite_has_a_plan(tmp_path: Path, case: Path, suite: Suite) -> None:
    (tmp_path / "agreed").mkdir()
    scenario.agree(tmp_path / "agreed", requests=REQUESTS, records=RECORDS, suite=suite)
    agreement = load(tmp_path / "agreed" / scenario.TERMS)
    made = plan(
        case / "requests.csv", agreement, side="requester", peer_rows=RECORDS, threads=1, link_mbit_s=8.0
    )
    total = sum(each.sends_bytes for each in made.sides.values())
    assert made.link_s == pytest.approx(total / 1e6)
    assert (made.keys[0].set_bounds is None) == (suite is not Suite.VOLE_MALICIOUS)
    document = made.document()
    assert (document["schema"], document["suite"], document["bytes_total"]) == (
        "psi/plan/1",
        suite.value,
        total,
    )
    assert {side: each["role"] for side, each in document["sides"].items()} == {  # type: ignore[attr-defined]
        "requester": "sender" if suite.can_report else "receiver",
        "holder": "receiver" if suite.can_report else "sender",
    }


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"a,b\n", 0),
        (b"a,b", 0),
        (b"a,b\n1,2", 1),
        (b"a,b\n1,2\n", 1),
        (b"a,b\r\n1,2\r\n3,4\r\n", 2),
        (b"ab", 0),
    ],
)
def test_rows_are_counted(tmp_path: Path, text: bytes, rows: int) -> None:
    (tmp_path / "file.csv").write_bytes(text)
    assert forecast.count_rows(tmp_path / "file.csv") == (rows, len(text))


def test_rows_of_parquet_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    pl.DataFrame({"a": range(123)}).write_parquet(path)
    assert forecast.count_rows(path) == (123, path.stat().st_size)


def test_files_longer_than_a_block_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_READ_BYTES", 5)
    (tmp_path / "file.csv").write_bytes(b"a\n" + b"1\n" * 50)
    assert forecast.count_rows(tmp_path / "file.csv") == (50, 102)


def test_an_empty_file_and_none_are_refused(tmp_path: Path, agreed: Terms) -> None:
    (tmp_path / "file.csv").write_bytes(b"")
    with pytest.raises(GateError, match="the file is empty"):
        plan(tmp_path / "file.csv", agreed, side="requester", peer_rows=1, threads=1)
    with pytest.raises(UsageError, match="no file"):
        plan(tmp_path / "none.csv", agreed, side="requester", peer_rows=1, threads=1)


def test_more_rows_than_the_terms_allow_are_named(case: Path, agreed: Terms) -> None:
    with pytest.raises(
        LimitError, match=f"the holder has {RECORDS + 1} rows, and the terms allow {RECORDS} people"
    ):
        plan(case / "requests.csv", agreed, side="requester", peer_rows=RECORDS + 1, threads=1)
    with pytest.raises(LimitError, match=f"the requester has {RECORDS} rows, and the terms allow {REQUESTS}"):
        plan(case / "records.csv", agreed, side="requester", peer_rows=0, threads=1)


def test_the_command_knows_the_side_from_the_identity(psi_inside: Command, case: Path) -> None:
    def ask(*options: str | Path) -> CompletedProcess[str]:
        return psi_inside(
            "plan",
            case / "requests.csv",
            "--terms",
            case / scenario.TERMS,
            "--peer-rows",
            str(RECORDS),
            *options,
        )

    by_identity = ask("--identity", scenario.identity_folder(case, "requester"), "--threads", "1")
    assert (by_identity.returncode, by_identity.stderr) == (0, "")
    lines = by_identity.stdout.splitlines()
    assert lines[0] == "suite vole-malicious"
    assert f"{REQUESTS} items" in next(line for line in lines if line.startswith("requester"))
    assert [line.split()[0] for line in lines if line.endswith("(this side)")] == ["requester"]
    assert f"{REQUESTS} as sender" in lines[-1]
    assert "Mbit/s" not in by_identity.stdout

    by_side = ask("--side", "requester", "--link", "100", "--json")
    document = json.loads(by_side.stdout)
    assert (document["own_side"], document["link_mbit_s"]) == ("requester", 100.0)
    assert "Mbit/s" in ask("--side", "requester", "--link", "100").stdout


def test_the_command_says_which_trees_are_the_quickest_on_a_link(
    psi_inside: Command, case: Path, tmp_path: Path
) -> None:
    scenario.agree(tmp_path, requests=REQUESTS, records=1_280_000)

    def ask(*options: str) -> str:
        done = psi_inside(
            *("plan", case / "requests.csv", "--terms", tmp_path / scenario.TERMS, "--side", "requester"),
            *("--peer-rows", "1280000", *options),
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "--link tells which is the quickest" in ask()
    assert "tree_depth = 9 in the terms would be the quickest on this link" in ask("--link", "0.1")
    assert "the one of the terms is the quickest on this link" in ask("--link", "1000000000")


def test_an_identity_of_neither_side_is_told_so(psi_inside: Command, case: Path, tmp_path: Path) -> None:
    psi_inside("id", "new", "--name", "Somebody Else", "--identity", tmp_path / "keys")
    done = psi_inside(
        *("plan", case / "requests.csv", "--terms", case / scenario.TERMS),
        *("--peer-rows", "1", "--identity", tmp_path / "keys"),
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "psi: error: this identity is neither side of the terms\npsi: hint: say whose file it is with --side\n"
    )
