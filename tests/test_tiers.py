"""Whole runs under keys in tiers: both sides against a plain join, their receipts, and what a broken run leaves."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import polars as pl
import pytest

from psi import intake, run, terms, transport, wire
from psi.cli._two_parties import run_both
from psi.errors import PeerError, PsiError, StateError
from psi.identity import Identity
from psi.run import plan
from psi.session import Role, Session
from psi.terms import Key, Side, Terms
from psi.wire import Suite
from tests.keys_kit import NUMBER, TIERS
from tests.mishaps import STRUCK
from tests.session_kit import in_thread
from tests.test_gate_keys import slow_keys

Row = tuple[str, str, str, str]
Make = Callable[..., Terms]
COLUMNS = ("tin", "last", "dob", "zip")
FILES: dict[Side, str] = {"requester": "requests.csv", "holder": "records.csv"}


def people(seed: int, count: int) -> list[Row]:
    """Return rows of which many share a number, a name and a birth, or a place, and each has a key at least."""
    draw = random.Random(seed)
    rows = [
        (
            draw.choice(["", f"9000100{draw.randrange(30):02}"]),
            draw.choice(["LEE", "ROE", "DOE", ""]),
            f"1980-0{draw.randrange(1, 10)}-0{draw.randrange(1, 10)}",
            draw.choice(["75201", "10001", ""]),
        )
        for _ in range(count)
    ]
    return [row for row in rows if any(slow_keys(row, TIERS))]


LISTS: dict[Side, list[Row]] = {"requester": people(1, 150), "holder": people(2, 200)}


def write(folder: Path, agreement: Terms) -> dict[Side, Path]:
    """Write both files and the terms; return where the files are."""
    for side, rows in LISTS.items():
        with (folder / FILES[side]).open("w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
    (folder / "terms.toml").write_text(terms.dumps(agreement), encoding="utf-8")
    return {side: folder / name for side, name in FILES.items()}


def expected(side: Side, keys: Sequence[Key]) -> tuple[list[int], dict[int, str]]:
    """Return by a plain join how many values of each key both have, and the first key to match of each row."""
    other: Side = "holder" if side == "requester" else "requester"
    own = [slow_keys(row, tuple(keys)) for row in LISTS[side]]
    theirs = [slow_keys(row, tuple(keys)) for row in LISTS[other]]
    overlaps, first = [], dict[int, str]()
    for place, key in enumerate(keys):
        both = {values[place] for values in own} & {values[place] for values in theirs} - {None}
        overlaps.append(len(both))
        if key.compare == "match":
            for number, values in enumerate(own, start=1):
                if values[place] in both:
                    first.setdefault(number, key.name)
    return overlaps, dict(sorted(first.items()))


def run_pair(
    folder: Path, files: Mapping[Side, Path], identities: Mapping[Side, Identity]
) -> dict[Side, run.Receipt]:
    """Run both sides in this process, over TLS."""
    ports: Queue[int] = Queue()

    def side(which: Side, endpoint: run.Listen | run.Connect) -> run.Receipt:
        return run.execute(
            run.RunInput(
                side=which,
                file=files[which],
                terms=folder / "terms.toml",
                identity=identities[which].tls_key_path.parent,
                out=folder / which,
                endpoint=endpoint,
                threads=1,
            ),
            note=lambda line: ports.put(int(line.rpartition(" ")[2])) if "listening" in line else None,
        )

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(side, "holder", run.Listen("127.0.0.1", 0, 30))
        requester = pool.submit(side, "requester", run.Connect("127.0.0.1", ports.get(timeout=30), 30))
        return {"holder": holder.result(timeout=120), "requester": requester.result(timeout=120)}


def check_side(folder: Path, side: Side, agreement: Terms) -> dict[str, Any]:
    """Check what one side has against the plain join, and return its receipt."""
    receipt: dict[str, Any] = json.loads((folder / side / "receipt.json").read_text())
    overlaps, first = expected(side, agreement.keys)
    receiver, learners = terms.receiver(agreement), terms.learners(agreement)
    told = [side == receiver or (key.compare == "match" and side in learners) for key in agreement.keys]
    assert [key["overlap"] for key in receipt["keys"]] == [
        overlap if known else None for overlap, known in zip(overlaps, told, strict=True)
    ]
    if side not in learners or all(key.compare == "count" for key in agreement.keys):
        assert receipt["matched"] is None
        assert not (folder / side / "matched.csv").exists()
        return receipt
    assert receipt["matched"] == {"file": "matched.csv", "rows": len(first)}
    lines = (folder / side / "matched.csv").read_text().splitlines()
    assert lines[0] == "row,key,tin,last,dob,zip"
    assert lines[1:] == [
        f"{number},{key},{','.join(LISTS[side][number - 1])}" for number, key in first.items()
    ]
    return receipt


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, TIERS),
        ({"first": "requester"}, (NUMBER, *TIERS[:2])),
        ({"learns": "requester"}, TIERS),
        ({"suite": Suite.ECDH, "learns": "holder"}, TIERS[:2]),
        ({"suite": Suite.ECDH_CARDINALITY, "learns": "holder"}, TIERS),
    ],
)
def test_both_sides_have_what_a_plain_join_under_each_key_has(
    tmp_path: Path,
    identities: Mapping[Side, Identity],
    make_terms: Make,
    changes: dict[str, object],
    keys: tuple[Key, ...],
) -> None:
    agreement = make_terms(keys=keys, **changes)
    receipts = run_pair(tmp_path, write(tmp_path, agreement), identities)
    requester, holder = (check_side(tmp_path, side, agreement) for side in ("requester", "holder"))
    assert [key["transcript"] for key in requester["keys"]] == [key["transcript"] for key in holder["keys"]]
    assert len({key["transcript"] for key in requester["keys"]}) == len(keys)
    for side, receipt in (("requester", requester), ("holder", holder)):
        assert receipt == receipts[side].document()  # type: ignore[index]
        assert {
            side: receipt[side] for side in ("suite", "items", "overlap", "transcript", "set_bounds")
        } == {
            name: receipt["keys"][0][name]
            for name in ("suite", "items", "overlap", "transcript", "set_bounds")
        }
        for name in ("sent", "received"):
            assert receipt["bytes"][name] == sum(key["bytes"][name] for key in receipt["keys"])
        assert [key["items"]["own"] for key in receipt["keys"]] == [
            key["items"] for key in receipt["gate"]["keys"]
        ]
    for one, other in zip(requester["keys"], holder["keys"], strict=True):
        assert one["bytes"] == {"sent": other["bytes"]["received"], "received": other["bytes"]["sent"]}
        assert one["items"] == {"own": other["items"]["peer"], "peer": other["items"]["own"]}


@pytest.fixture
def agreed(tmp_path: Path, make_terms: Make) -> Terms:
    """Return terms with three keys that lie in the folder of the test beside both files."""
    made = make_terms(keys=TIERS)
    write(tmp_path, made)
    return made


def arguments(
    verb: str, side: Side, folder: Path, identities: Mapping[Side, Identity], *more: str
) -> list[str]:
    identity = str(identities[side].tls_key_path.parent)
    return [
        verb,
        str(folder / FILES[side]),
        "--terms",
        str(folder / "terms.toml"),
        "--identity",
        identity,
        *more,
    ]


def test_two_processes_say_which_key_they_are_at_and_what_each_told(
    tmp_path: Path, agreed: Terms, identities: Mapping[Side, Identity]
) -> None:
    seen: set[tuple[str, str]] = set()
    run_both(
        arguments("serve", "holder", tmp_path, identities, "--listen", "127.0.0.1:0", "--wait", "60"),
        lambda port: arguments(
            "join", "requester", tmp_path, identities, "--connect", f"127.0.0.1:{port}", "--wait", "60"
        ),
        tmp_path,
        watch=lambda side, _phase, _percent, key: seen.add((side, key)),
    )
    for side in FILES:
        check_side(tmp_path, side, agreed)
        assert {key for party, key in seen if party == side} == {"", *(key.name for key in agreed.keys)}


def test_screen_of_a_run_names_each_key_and_what_was_learned(
    tmp_path: Path, agreed: Terms, identities: Mapping[Side, Identity], psi_inside: Callable[..., Any]
) -> None:
    log = tmp_path / "holder.txt"
    with log.open("wb") as stream:
        serve = arguments("serve", "holder", tmp_path, identities, "--listen", "127.0.0.1:0", "--out")
        holder = subprocess.Popen(
            [sys.executable, "-m", "psi", *serve, str(tmp_path / "holder")],
            stdout=stream,
            stderr=subprocess.PIPE,
        )
    assert holder.stderr is not None
    port = holder.stderr.readline().decode().split()[-1]
    done = psi_inside(
        *arguments(
            "join", "requester", tmp_path, identities, "--connect", f"127.0.0.1:{port}", "--out", "requester"
        )
    )
    assert done.returncode == 0
    assert holder.wait(timeout=60) == 0
    holder.stderr.close()
    overlaps, first = expected("requester", TIERS)
    assert "key       number and zip (match), " in done.stdout
    assert f"learned   which {overlaps[0]} of its own" in done.stdout
    assert f", {len(first)} rows" in done.stdout
    assert "by this key nothing about who is on both lists" in done.stdout.partition("number (count)")[2]
    shown = log.read_text().partition("number (count)")[2]
    assert f"how many people are on both lists: {expected('holder', TIERS)[0][2]}, not which" in shown


@pytest.mark.parametrize("moment", ["sends evaluated", "receives blinded", "sends tags"])
def test_side_that_is_killed_under_a_later_key_leaves_no_output_on_either(
    tmp_path: Path, make_terms: Make, identities: Mapping[Side, Identity], moment: str
) -> None:
    """Only the key that is counted has these frames; the requester has learned the first key by then."""
    agreement = make_terms(keys=(TIERS[0], NUMBER), learns="requester")
    write(tmp_path, agreement)
    command = arguments("serve", "holder", tmp_path, identities, "--listen", "127.0.0.1:0", "--out", "holder")
    with subprocess.Popen(
        [sys.executable, "-P", str(STRUCK), signal.SIGKILL.name, moment, *command],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    ) as holder:
        assert holder.stderr is not None
        port = int(holder.stderr.readline().decode().split()[-1])
        with pytest.raises(PsiError):
            run.execute(
                run.RunInput(
                    side="requester",
                    file=tmp_path / FILES["requester"],
                    terms=tmp_path / "terms.toml",
                    identity=identities["requester"].tls_key_path.parent,
                    out=tmp_path / "requester",
                    endpoint=run.Connect("127.0.0.1", port, 30),
                    threads=1,
                )
            )
        assert holder.wait(timeout=60) == -signal.SIGKILL
    for side in FILES:
        assert sorted(path.name for path in (tmp_path / side).iterdir()) == [
            *("events.ndjson", "gate.json", "rejects.csv"),
        ]
    events = [
        json.loads(line) for line in (tmp_path / "requester" / "events.ndjson").read_text().splitlines()
    ]
    assert {event.get("key") for event in events if event["event"] == "progress"} >= {
        "number and zip",
        "number",
    }
    assert events[-1]["event"] == "stopped"


def test_refusal_under_a_later_key_leaves_no_output(
    tmp_path: Path, agreed: Terms, identities: Mapping[Side, Identity]
) -> None:
    """A holder that finishes the first session and sends a bare finish as the second."""
    listener = transport.Listener(
        "127.0.0.1",
        0,
        identity=identities["holder"],
        peer_certificate=identities["requester"].certificate_der,
    )

    def cheat() -> None:
        with listener, listener.accept(timeout_s=30) as channel:
            taken = intake.read(
                tmp_path / FILES["holder"],
                party=agreed.holder,
                side="holder",
                keys=agreed.keys,
                rejects=tmp_path / "rejects.csv",
            )
            first = Session(
                Role.RECEIVER,
                taken.items[0].digests,
                suite=Suite.VOLE_MALICIOUS,
                initiator=False,
                terms_digest=terms.digest(agreed),
                certificate=bytes.fromhex(agreed.holder.fingerprint),
                peer_certificate=bytes.fromhex(agreed.requester.fingerprint),
                max_items=agreed.holder.max_items,
                peer_max_items=agreed.requester.max_items,
                seed=bytes(32),
                nonce=bytes(32),
                threads=1,
                report=True,
            )
            while not first.finished:
                frame = first.next_frame()
                if frame is not None:
                    channel.send(frame, while_blocked=lambda: None)
                elif first.needs_peer:
                    first.receive(channel.receive())
            channel.send(wire.encode(wire.Finish(bytes(32))), while_blocked=lambda: None)
            channel.discard()

    cheating = in_thread(cheat)
    with pytest.raises(StateError) as raised:
        run.execute(
            run.RunInput(
                side="requester",
                file=tmp_path / FILES["requester"],
                terms=tmp_path / "terms.toml",
                identity=identities["requester"].tls_key_path.parent,
                out=tmp_path / "requester",
                endpoint=run.Connect(*listener.address, 30),
                threads=1,
            )
        )
    assert isinstance(raised.value, PeerError)
    cheating.result(timeout=60)
    assert sorted(path.name for path in (tmp_path / "requester").iterdir()) == [
        *("events.ndjson", "gate.json", "rejects.csv"),
    ]


def test_check_shows_who_has_which_key(tmp_path: Path, agreed: Terms, psi_inside: Callable[..., Any]) -> None:
    command = ("check", FILES["requester"], "--terms", "terms.toml", "--side", "requester")
    record = json.loads(psi_inside(*command, "--json", "--out", "checked").stdout)
    own = [slow_keys(row, TIERS) for row in LISTS["requester"]]
    assert [(key["name"], key["rows"], key["items"]) for key in record["keys"]] == [
        (key.name, sum(row[place] is not None for row in own), len({row[place] for row in own} - {None}))
        for place, key in enumerate(TIERS)
    ]
    shown = psi_inside(*command).stdout
    page = (tmp_path / "checked" / "gate.html").read_text()
    for key in record["keys"]:
        assert f"  {key['name']:<42}{key['rows']:>11}  {key['percent']:>6.2f} %{key['items']:>10}\n" in shown
        assert f"<td>{key['name']}</td>" in page
    assert "Who has which key" in page
    assert max(map(len, shown.splitlines())) <= 80


def test_key_that_nobody_has_stops_check_and_run_before_anybody_is_met(
    tmp_path: Path, agreed: Terms, identities: Mapping[Side, Identity], psi_inside: Callable[..., Any]
) -> None:
    frame = pl.read_csv(tmp_path / FILES["requester"], infer_schema=False, empty_string_is_null=False)
    frame.with_columns(last=pl.lit("--")).write_csv(tmp_path / FILES["requester"])
    message = "psi: error: requests.csv: no row has the key 'name and birth'"
    check = psi_inside("check", FILES["requester"], "--terms", "terms.toml", "--side", "requester")
    assert (check.returncode, check.stderr.splitlines()[0]) == (3, message)
    assert "  name and birth                                      0    0.00 %         0\n" in check.stdout
    join = psi_inside(
        *arguments("join", "requester", tmp_path, identities, "--connect", "127.0.0.1:9", "--out", "run")
    )
    assert (join.returncode, join.stderr.splitlines()[0]) == (3, message)
    assert "nobody listens" not in join.stderr


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            ('name = "name and birth"', 'name = "number and zip"'),
            4,
            "terms.toml: keys: name: 'number and zip' is there twice",
        ),
        (
            ('compare = "count"', 'compare = "report"'),
            4,
            "terms.toml: keys[2].compare: invalid enum value 'report'",
        ),
        (("[[keys]]", "[[key]]"), 4, "terms.toml: key: unknown field"),
        (('requester = "last"', 'requester = "surname"'), 3, "requests.csv: no column 'surname' among its 4"),
    ],
)
def test_key_that_cannot_be_is_one_message_on_the_command_line(
    tmp_path: Path,
    agreed: Terms,
    psi_inside: Callable[..., Any],
    change: tuple[str, str],
    code: int,
    message: str,
) -> None:
    text = (tmp_path / "terms.toml").read_text()
    assert change[0] in text
    if change[0] == "[[keys]]":
        text = text.replace("[[keys.columns]]", "[[key.columns]]")
    (tmp_path / "terms.toml").write_text(text.replace(*change))
    done = psi_inside("check", FILES["requester"], "--terms", "terms.toml", "--side", "requester")
    assert (done.returncode, done.stderr.splitlines()[0]) == (code, f"psi: error: {message}")
    assert len(done.stderr.splitlines()) <= 2


def test_plan_sums_over_keys(
    tmp_path: Path, agreed: Terms, psi_inside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psi.run.forecast._REHEARSED_ITEMS", 64)
    monkeypatch.setattr("psi.run.forecast._REHEARSED_GROUP_ITEMS", 4)
    made = plan(
        tmp_path / FILES["requester"], agreed, side="requester", peer_rows=200, threads=1, link_mbit_s=8
    )
    assert [(key.name, key.suite) for key in made.keys] == [
        ("number and zip", Suite.VOLE_MALICIOUS),
        ("name and birth", Suite.VOLE_MALICIOUS),
        ("number", Suite.ECDH_CARDINALITY),
    ]
    assert [key.set_bounds is not None for key in made.keys] == [True, True, False]
    document: Any = made.document()
    for side, planned in made.sides.items():
        assert planned.sends_bytes == sum(key.sends_bytes[side] for key in made.keys)
    assert document["bytes_total"] == sum(sum(key["sends_bytes"].values()) for key in document["keys"])
    assert made.exchange_s == pytest.approx(sum(key.exchange_s for key in made.keys))
    assert made.link_s == pytest.approx(document["bytes_total"] / 1e6)
    shown = psi_inside(
        "plan", FILES["requester"], "--terms", "terms.toml", "--side", "requester", "--peer-rows", "200"
    ).stdout
    assert shown.count("key        ") == 3
    assert "number: ecdh-cardinality, " in shown
    assert shown.count("a cheat    ") == 2


def test_terms_with_several_keys_are_made_by_flags_and_shown(
    tmp_path: Path, psi_inside: Callable[..., Any], identities: Mapping[Side, Identity]
) -> None:
    for side, identity in identities.items():
        (tmp_path / f"{side}.card").write_text(identity.card())
    made = psi_inside(
        *("terms", "new", "--requester", "requester.card", "--holder", "holder.card", "--purpose", "p"),
        *("--authority", "a", "--out", "new.toml", "--key", "number and address/tin=tin:tin:digits/1"),
        *(
            "--key",
            "number and address/street=street:street:address-usps/1",
            "--key",
            "number/tin=tin:tin:digits/1",
        ),
        *("--count", "number"),
    )
    assert made.returncode == 0, made.stderr
    keys = terms.load(tmp_path / "new.toml").keys
    assert [(key.name, key.compare, [part.name for part in key.columns]) for key in keys] == [
        ("number and address", "match", ["tin", "street"]),
        ("number", "count", ["tin"]),
    ]
    shown = psi_inside("terms", "check", "new.toml").stdout
    assert "compared   number and address (match): tin (digits/1), street (address-usps/1)\n" in shown
    assert "           number (count): tin (digits/1)\n" in shown
