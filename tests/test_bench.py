"""The benchmark: programs that find the truth, a relay that keeps its rate, hashes that come back, honest verdicts."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from psi.bench import benchmark, case, relay, reversal, runner
from psi.bench.alternatives import ALTERNATIVES, HAPPENED, LEAD
from psi.bench.record import Line, load
from psi.bench.relay import LINKS, LOOPBACK, Link
from psi.bench.runner import Prices, compute
from psi.errors import PsiError
from tests.bench_kit import line

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

ROWS, MATCHES = 400, 37
# What crosses in clear or hashed, and what does not: a file each way, hashes, each kind of suite, each kind of outcome.
RUN_ONCE = (
    HAPPENED,
    "list-to-holder/csv-zstd",
    "file-to-requester/columns",
    "hashed-lists",
    LEAD,
    "vole-semi-honest/requester-first",
    "ecdh/requester-learns",
    "ecdh-cardinality/holder-learns",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> case.Case:
    return case.make(
        tmp_path_factory.mktemp("bench") / "case", requests=ROWS, records=ROWS, matches=MATCHES, seed=3
    )


def run_once(made: case.Case, name: str, folder: Path, *, link: Link = LOOPBACK) -> Line:
    run = runner.once(made, ALTERNATIVES[name], link, folder / "run")
    return runner.summary(made, ALTERNATIVES[name], link, [run], Prices())


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN_ONCE)
def test_every_alternative_finds_the_truth_and_counts_what_it_showed(
    made: case.Case, name: str, tmp_path: Path
) -> None:
    measured = run_once(made, name, tmp_path)
    assert measured.correct, measured.verdict
    people = made.requests - made.kinds["duplicate"]
    in_clear = {"list-to-holder": (people - MATCHES, 0), "file-to-requester": (0, ROWS - MATCHES)}
    hashed = {"hashed-lists": (people - MATCHES, ROWS - MATCHES)}
    shown = (in_clear | hashed).get(ALTERNATIVES[name].kind, (0, 0))
    assert (measured.holder_has.unmatched, measured.requester_has.unmatched) == shown
    if name == HAPPENED:
        assert measured.holder_has.fields == 18
        assert measured.holder_has.copies == 1
        # The file, a length, and a frame's header for each of both.
        assert measured.bytes_to_holder == made.file("requester").stat().st_size + 8 + 2 * 5


@pytest.mark.slow
def test_a_run_over_the_relay_takes_the_time_of_the_link(made: case.Case, tmp_path: Path) -> None:
    link = LINKS["20mbit-80ms"]
    measured = run_once(made, HAPPENED, tmp_path, link=link)
    assert measured.correct
    assert measured.wall_s.median > link.floor_s(measured.bytes_to_holder, measured.bytes_to_requester)


def test_a_wrong_row_is_seen(made: case.Case, tmp_path: Path) -> None:
    alternative = ALTERNATIVES[LEAD]
    party = {"overlap": MATCHES, "matched_file": "matched.csv"}
    for side in runner.SIDES:
        (tmp_path / side).mkdir()
        rows = "\n".join(str(row) for row in made.rows[side])
        (tmp_path / side / "matched.csv").write_text(f"row\n{rows}\n")
    both: dict[str, dict[str, object]] = {side: dict(party) for side in runner.SIDES}
    assert not runner._verdict(made, alternative, both, tmp_path).startswith("wrong")  # type: ignore[arg-type]
    swapped = made.rows["holder"].copy()
    swapped[0] += 1
    assert swapped[0] not in made.rows["holder"]
    listed = "\n".join(map(str, swapped))
    (tmp_path / "holder" / "matched.csv").write_text(f"row\n{listed}\n")
    assert runner._verdict(made, alternative, both, tmp_path).startswith("wrong")  # type: ignore[arg-type]
    both["holder"]["overlap"] = MATCHES - 1
    assert "counts 36" in runner._verdict(made, alternative, both, tmp_path)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_party_that_fails_is_named_with_its_own_words(made: case.Case, tmp_path: Path) -> None:
    other = dataclasses.replace(made, folder=tmp_path / "case")
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "requests.csv").write_text("nothing\n")
    (tmp_path / "case" / "records.csv").write_bytes(made.file("holder").read_bytes())
    # The holder would wait for the requester for an hour.
    with pytest.raises(PsiError, match=r"the requester of the benchmark stopped: requests\.csv"):
        run_once(other, LEAD, tmp_path)


def test_a_computed_line_adds_the_busier_direction_and_says_so() -> None:
    measured = line(HAPPENED)
    made = compute(measured, LINKS["100mbit-10ms"])
    assert made.basis == "computed"
    assert made.repetitions == 0
    assert made.wall_s.median == pytest.approx(measured.wall_s.median + 1_000_000 * 8 / 1e8 + 0.010)
    assert (made.bytes_to_holder, made.holder_has) == (measured.bytes_to_holder, measured.holder_has)


def test_the_relay_carries_both_directions_at_its_rate() -> None:
    link, there, again = LINKS["100mbit-10ms"], bytes(range(256)) * 2000, b"an answer"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as front,
    ):
        taken: list[bytes] = []

        def answer() -> None:
            stream, _ = server.accept()
            with stream:
                while block := stream.recv(1 << 16):
                    taken.append(block)
                stream.sendall(again)

        target = threading.Thread(target=answer)
        carried: list[tuple[int, int]] = []

        def carry() -> None:
            stream, _ = front.accept()
            carried.append(relay.forward(stream, server.getsockname()[1], link))

        middle = threading.Thread(target=carry)
        target.start()
        middle.start()
        with socket.create_connection(front.getsockname()) as stream:
            began_s = time.monotonic()
            stream.sendall(there)
            stream.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: stream.recv(1 << 16), b""))
            took_s = time.monotonic() - began_s
        target.join()
        middle.join()
    assert (b"".join(taken), got) == (there, again)
    assert carried == [(len(there), len(again))]
    assert took_s >= link.floor_s(len(there), 0)


@pytest.mark.slow
def test_the_relay_measures_itself() -> None:
    found = relay.accuracy(LINKS["20mbit-80ms"], send_s=0.3)
    assert found.round_trip_s >= 0.080
    # Loopback alone would be a hundred times the link; a clock that reads late under load makes a little of that.
    assert found.rate_bit_s <= 1.5 * found.asked_rate_bit_s


def test_loopback_is_not_shaped_and_costs_nothing() -> None:
    assert not LOOPBACK.is_shaped
    assert LOOPBACK.floor_s(10**9, 10**9) == 0


@pytest.mark.slow
def test_hashes_of_numbers_come_back_salted_or_not() -> None:
    plain, salted = reversal.demonstrate(sample=20_000, targets=50)
    for found in (plain, salted):
        assert found.recovered == found.targets == 50
        assert found.full_s == pytest.approx(10**9 / found.rate_per_s, rel=0.001)


def test_a_case_is_named_by_its_digests(made: case.Case) -> None:
    inputs = made.inputs()
    assert {facts["rows"] for facts in inputs.values()} == {ROWS}
    assert inputs["requests.csv"]["sha256"] == case.sha256(made.file("requester"))
    assert np.all(np.diff(made.rows["holder"].astype(np.int64)) > 0)


@pytest.mark.slow
def test_the_command_makes_a_bundle_and_a_second_one_repeats_its_facts(
    psi_command: Callable[..., subprocess.CompletedProcess[str]],
    psi_inside: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    small = ("--requests", "300", "--records", "500", "--repeat", "1", "--links", "none", "--json")
    some = ("--alternatives", f"{HAPPENED},{LEAD}")
    first = json.loads(psi_command("bench", *small, *some, "--out", "one", timeout_s=300).stdout)
    # The facts have no part in the hashes, and a million of them take longer than all else.
    monkeypatch.setattr(benchmark, "Plan", partial(benchmark.Plan, reversed_numbers=20_000))
    second = json.loads(psi_inside("bench", *small, *some, "--out", "two").stdout)
    assert first["correct"]
    assert first["facts_sha256"] == second["facts_sha256"]
    for name in ("one", "two"):
        record = load(tmp_path / name / "results.json")
        assert record.facts_sha256 == first["facts_sha256"]
        assert {each.alternative for each in record.lines} == {HAPPENED, LEAD}
    verified = psi_inside("bench", "--verify", "one")
    assert verified.returncode == 0, verified.stderr
    page = tmp_path / "one" / "report.html"
    page.write_bytes(page.read_bytes().replace(b"psi", b"Psi", 1))
    changed = psi_inside("bench", "--verify", "one")
    assert (changed.returncode, "report.html" in changed.stderr) == (4, True)


def test_a_name_that_is_no_alternative_is_refused_before_anything_runs(
    psi_inside: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    refused = psi_inside("bench", "--alternatives", "pigeon", "--out", "bundle")
    assert refused.returncode == 2
    assert "pigeon is no alternative" in refused.stderr
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "file").write_text("")
    assert psi_inside("bench", "--out", "bundle").returncode == 2
    assert psi_inside("bench", "--verify", "nothing").returncode == 2
