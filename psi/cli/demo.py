"""``psi demo``: the whole two-party run on a synthetic case, checked against the truth."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psi.cli._board import Board
from psi.cli._options import case_options, outcome_options, screen_options, threads_option
from psi.cli._words import count
from psi.errors import PsiError, UsageError

if TYPE_CHECKING:
    from psi.cli._options import Screen
    from psi.cli._two_parties import Party
    from psi.terms import Learns, Side, Terms

SIDES = ("requester", "holder")
SEMI_HONEST = "holds against parties that follow the protocol and try to learn more (semi-honest)."
ASSURANCE = {
    "vole-malicious": "holds against parties that cheat.",
    "vole-semi-honest": SEMI_HONEST,
    "ecdh": SEMI_HONEST,
    "ecdh-cardinality": SEMI_HONEST,
}


@click.command("demo", epilog="Example:  psi demo --requests 20000 --records 20000 --matches 750")
@case_options
@outcome_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep everything in a new folder (default: a temporary one, removed at the end).",
)
@threads_option
@screen_options
def command(
    *,
    requests: int,
    records: int,
    matches: int,
    suite: str,
    learns: Learns | None,
    first: Side | None,
    seed: int,
    out: Path | None,
    threads: int | None,
    screen: Screen,
) -> None:
    """
    Run both parties on a synthetic case, each in its own process, over mutual TLS on this machine.

    Makes the case of the court record (1,280,000 requests, 47,489 of them on file), two identities and terms; starts
    `psi serve` and `psi join`; checks the overlap against the truth; says who learned what.
    """
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty", hint="choose a new folder with --out")
    _check_outcome(suite, learns, first)
    folder = out or Path(tempfile.mkdtemp(prefix="psi-demo-"))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        began_s = time.monotonic()
        with Board(["case", *SIDES], quiet=screen.quiet) as board:
            board.update("case", "scenario", 0)
            case = _make_case(folder, requests, records, matches, seed, board)
            agreement = _agree(case, requests, records, suite, learns, first)
            parties, exchange_s = _run_parties(folder, case, threads, board)
        result = _report(folder, case, parties, agreement)
        result |= {"requests": requests, "records": records, "matches": matches, "seed": seed}
        result["seconds"] = {"total": round(time.monotonic() - began_s, 3), "exchange": round(exchange_s, 3)}
    finally:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
    from psi.cli._story import story

    screen.result(result, story(result))
    if not result["correct"]:
        raise PsiError(
            f"the overlap is {count(result['overlap'])} and the truth says {count(matches)}",
            hint="this is a fault of the program: run again with --out DIR and report it",
        )


def _check_outcome(suite: str, learns: Learns | None, first: Side | None) -> None:
    """Refuse options that no terms can have, before a file is written for them."""
    from psi.wire import Suite

    if suite not in {known.value for known in Suite}:
        raise UsageError(
            f"--suite {suite} is not known", hint=f"there are {', '.join(known.value for known in Suite)}"
        )
    both = learns == "both" or (learns is None and Suite(suite).can_report)
    if both and not Suite(suite).can_report:
        raise UsageError(
            f"--learns both: with suite {suite} one side can learn only",
            hint=f"{' and '.join(known.value for known in Suite if known.can_report)} let both learn",
        )
    if first is not None and not both:
        raise UsageError(
            f"--first {first} has no place where one side learns only",
            hint="leave it out, or let both learn: --learns both",
        )


def _make_case(
    folder: Path, requests: int, records: int, matches: int, seed: int, board: Board
) -> dict[str, Path]:
    """Write the two files and the truth; return where they and the terms are."""
    from psi import scenario

    case = folder / "case"
    scenario.write(
        case,
        requests=requests,
        records=records,
        matches=matches,
        seed=seed,
        progress=lambda done, total: board.update("case", "scenario", 100 * done // total),
    )
    board.update("case", "done", 100)
    terms = case / scenario.TERMS
    return {"requester": case / "requests.csv", "holder": case / "records.csv", "terms": terms, "case": case}


def _agree(
    case: dict[str, Path], requests: int, records: int, suite: str, learns: Learns | None, first: Side | None
) -> Terms:
    """Make two identities and the terms, and return these."""
    from psi import scenario, terms

    return terms.load(
        scenario.agree(
            case["case"], requests=requests, records=records, suite=suite, learns=learns, first=first
        )
    )


def _run_parties(
    folder: Path, case: dict[str, Path], threads: int | None, board: Board
) -> tuple[list[Party], float]:
    """Start both parties and wait for both; return them and the seconds of the exchange."""
    from psi.cli._two_parties import run_both
    from psi.scenario import identity_folder

    def arguments(verb: str, side: Side) -> list[str]:
        limit = [] if threads is None else ["--threads", str(threads)]
        identity = str(identity_folder(case["case"], side))
        return [verb, str(case[side]), "--terms", str(case["terms"]), "--identity", identity, *limit]

    return run_both(
        [*arguments("serve", "holder"), "--listen", "127.0.0.1:0", "--wait", "600"],
        lambda port: [*arguments("join", "requester"), "--connect", f"127.0.0.1:{port}", "--wait", "600"],
        folder,
        watch=board.update,
    )


def _report(folder: Path, case: dict[str, Path], parties: list[Party], agreement: Terms) -> dict[str, Any]:
    """Return the JSON object of the demonstration, from both receipts, without what the command itself knows."""
    import json

    from psi.run import RECEIPT
    from psi.terms import learners

    receipts = {
        party.side: json.loads((party.run / RECEIPT).read_text(encoding="utf-8")) for party in parties
    }
    sides = learners(agreement)
    learner = receipts[sides[0]]
    return {
        "schema": "psi/demo/1",
        "suite": agreement.suite.value,
        "learns": agreement.learns,
        "learners": list(sides),
        "overlap": learner["overlap"],
        "correct": all(_correct(folder, case, receipts[side]) for side in sides),
        "items": {side: receipts[side]["items"]["own"] for side in SIDES},
        "set_bounds": learner["set_bounds"]
        and {side: learner["set_bounds"][receipts[side]["role"]] for side in SIDES},
        "gate": {side: receipts[side]["gate"] for side in SIDES},
        "bytes": {
            "requester_to_holder": receipts["requester"]["bytes"]["sent"],
            "holder_to_requester": receipts["holder"]["bytes"]["sent"],
        },
        "bulk_bytes": {
            "requests_file": case["requester"].stat().st_size,
            "records_file": case["holder"].stat().st_size,
        },
        "phases": {side: receipts[side]["seconds"] for side in SIDES},
        "peak_rss_bytes": {side: receipts[side]["peak_rss_bytes"] for side in SIDES},
        "transcript": learner["transcript"],
        "transcripts_equal": receipts["requester"]["transcript"] == receipts["holder"]["transcript"],
        "assurance": ASSURANCE[agreement.suite.value],
    }


def _correct(folder: Path, case: dict[str, Path], receipt: dict[str, Any]) -> bool:
    """Compare the learner's output with the truth: the size, and where rows are learned every single row."""
    import polars as pl

    truth = pl.read_csv(case["case"] / "truth.csv")
    matched = truth.filter(pl.col("kind") == "match")
    expected = matched[f"{'request' if receipt['side'] == 'requester' else 'record'}_row"]
    if receipt["overlap"] != len(expected):
        return False
    if receipt["matched"] is None:
        return True
    found = pl.read_csv(
        folder / receipt["side"] / receipt["matched"]["file"], columns=["row"], infer_schema=False
    )
    return found["row"].cast(pl.Int64).sort().to_list() == expected.cast(pl.Int64).sort().to_list()
