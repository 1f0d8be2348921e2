"""The mishaps of ``docs/when-things-go-wrong.md``: what is done to a run, in the order of the page."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from psi import identity, scenario, terms, transport
from psi.session import Role, Session
from psi.wire import FrameType, Suite
from tests.mishaps import MATCHES, ROWS, Bench, Outcome
from tests.peers import CheatingPeer, instead

NON_CANONICAL = bytes([0xED]) + bytes([0xFF] * 30) + bytes([0x7F])  # p itself (RFC 9496, A.2)

Mishap = Callable[[Bench], Outcome]


def _file(change: Callable[[bytes], bytes]) -> Mishap:
    return lambda bench: bench.alone("join", file=bench.copy("requests.csv", change).name)


def _database(url: str) -> Mishap:
    """Take the rows from a database, of which there is none."""

    def mishap(bench: Bench) -> Outcome:
        (bench.folder / "requests.sql").write_text("SELECT * FROM requests")
        return bench.alone("join", file=url, query="requests.sql")

    return mishap


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Mishap:
    return _file(lambda data: b"".join(change(data.splitlines(keepends=True))))


def _no_tax_number_column(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b",tin,", b",taxpayer,"), *lines[1:]]


def _ragged(lines: list[bytes]) -> list[bytes]:
    return [*lines[:7], lines[7].rstrip(b"\n") + b",one more\n", *lines[8:]]


def _one_row(bench: Bench) -> Outcome:
    """One row is a list like any other."""
    file = bench.copy("requests.csv", lambda data: b"".join(data.splitlines(keepends=True)[:2]))
    with bench.holder() as (_, address):
        return bench.alone("join", file=file.name, connect=address)


def _unreadable(bench: Bench) -> Outcome:
    """Take the file's permission away."""
    file = bench.copy("requests.csv", bytes)
    file.chmod(0)
    return bench.alone("join", file=file.name, without_privilege=True)


def _disk_full(bench: Bench) -> Outcome:
    """Run on a disk with room for the events and no more."""
    full = bench.folder / "disk"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(full)], check=True)
    try:
        (full / "ballast").write_bytes(bytes(8192))
        return bench.alone("join", out="disk/run")
    finally:
        subprocess.run(["umount", str(full)], check=True)


def _changed_terms(bench: Bench, **changes: object) -> str:
    """Write terms between the parties of the case that differ from the case's in some fields."""
    import msgspec

    agreed = terms.load(bench.case / scenario.TERMS)
    (bench.folder / "other.toml").write_text(terms.dumps(msgspec.structs.replace(agreed, **changes)))
    return "other.toml"


def _terms_differ(bench: Bench) -> Outcome:
    with bench.holder(terms=_changed_terms(bench, purpose="something else")) as (_, address):
        return bench.alone("join", connect=address)


def _terms_differ_seen_by_the_holder(bench: Bench) -> Outcome:
    with bench.holder() as (holder, address):
        bench.alone("join", connect=address, terms=_changed_terms(bench, purpose="something else"))
        return holder.outcome()


def _stranger(bench: Bench, side: terms.Side) -> dict[str, Path]:
    """Make an identity that the case's terms do not name, and terms that name it on one side."""
    made = identity.create(bench.folder / "stranger", "Somebody Else")
    known = identity.load(
        scenario.identity_folder(bench.case, "holder" if side == "requester" else "requester")
    )
    cards = {side: made.public(), ("holder" if side == "requester" else "requester"): known.public()}
    drafted = terms.draft(
        requester=cards["requester"],
        holder=cards["holder"],
        purpose="a test",
        authority="none",
        expires=datetime.now(UTC).date() + timedelta(days=1),
    )
    (bench.folder / "strange.toml").write_text(terms.dumps(drafted))
    return {"terms": Path("strange.toml"), "identity": Path("stranger")}


def _wrong_certificate_of_the_holder(bench: Bench) -> Outcome:
    with bench.holder(**_stranger(bench, "holder")) as (_, address):
        return bench.alone("join", connect=address)


def _wrong_certificate_of_the_requester(bench: Bench) -> Outcome:
    with bench.holder() as (_, address):
        return bench.alone("join", connect=address, **_stranger(bench, "requester"))


def _wrong_certificate_seen_by_the_holder(bench: Bench) -> Outcome:
    """Let a stranger knock before the requester does."""
    with bench.holder() as (holder, address):
        bench.alone("join", connect=address, out="stranger-run", **_stranger(bench, "requester"))
        bench.alone("join", connect=address)
        return holder.outcome()


def _port_in_use(bench: Bench) -> Outcome:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return bench.alone("serve", listen=f"127.0.0.1:{taken.getsockname()[1]}")


def _nobody_listens(bench: Bench) -> Outcome:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    return bench.alone("join", connect=address, wait="1")


def _killed(suite: Suite, victim: str, moment: str) -> Mishap:
    """Kill one side at a moment and return what the other one shows."""
    return lambda bench: bench.of(suite).kill(victim, moment)


def _interrupted(number: signal.Signals) -> Mishap:
    """Interrupt the requester when it has made what it is about to send."""

    def mishap(bench: Bench) -> Outcome:
        with bench.holder() as (_, address):
            return bench.alone("join", connect=address, struck=(number, "sends choose"))

    return mishap


def _silent(bench: Bench) -> Outcome:
    """Stop the requester, as a machine that hangs; its connection stays."""
    with (
        bench.holder(idle_timeout="10") as (holder, address),
        bench.running("join", connect=address, struck=(signal.SIGSTOP, "sends choose")),
    ):
        return holder.outcome()


def _not_tls(bench: Bench) -> Outcome:
    """Let a web browser of old knock at the holder before the requester does."""
    with bench.holder() as (holder, address):
        host, port = address.split(":")
        with socket.create_connection((host, int(port))) as stream:
            stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            holder.wait_for(lambda event: event["event"] == "refused")
        bench.alone("join", connect=address)
        return holder.outcome()


def cheating_requester(
    bench: Bench, address: str, role: Role, cheat: Callable[[CheatingPeer, int, bytes], None]
) -> list[bytes]:
    """Join as the requester of the terms, with two items of its own, and cheat; return what was heard."""
    agreed = terms.load(bench.case / scenario.TERMS)
    own = identity.load(scenario.identity_folder(bench.case, "requester"))
    holder_certificate = identity.load(scenario.identity_folder(bench.case, "holder")).certificate_der
    host, port = address.split(":")
    channel = transport.connect(
        host, int(port), identity=own, peer_certificate=holder_certificate, timeout_s=20
    )
    session = Session(
        role,
        np.arange(64, dtype=np.uint8).reshape(2, 32),
        suite=agreed.suite,
        initiator=True,
        terms_digest=terms.digest(agreed),
        certificate=bytes.fromhex(agreed.requester.fingerprint),
        peer_certificate=bytes.fromhex(agreed.holder.fingerprint),
        max_items=2,
        peer_max_items=ROWS,
        seed=bytes(32),
        nonce=bytes(32),
        threads=1,
        report=agreed.learns == "both",
    )
    return CheatingPeer(channel, session, cheat).run()


def _cheated(kind: FrameType, frame: bytes) -> Mishap:
    """Let the requester of the terms send something else than a frame of this type."""

    def mishap(of_the_default_suite: Bench) -> Outcome:
        bench = of_the_default_suite.of(Suite.ECDH)
        with bench.holder() as (holder, address):
            cheating_requester(bench, address, Role.RECEIVER, instead(kind, frame))
            return holder.outcome()

    return mishap


def _points(first: bytes) -> bytes:
    """Return a whole frame of two elements of which the first is this."""
    body = bytes([FrameType.BLINDED]) + first + bytes([2]) + bytes(31)
    return len(body).to_bytes(4, "little") + body


# What each side is doing when it is killed, and the moment in it.
KILLS: dict[Suite, dict[str, dict[str, str]]] = {
    Suite.VOLE_MALICIOUS: {
        "holder": {
            "reads its file": "renames rejects.csv",
            "waits for the requester": "enters connect",
            "greets": "sends hello-ack",
            "makes the shared randomness": "sends challenge",
            "encodes its items": "sends bind",
            "matches": "sends report",
            "compares what both saw": "sends finish",
            "writes its result": "renames matched.csv",
        },
        "requester": {
            "reads its file": "renames rejects.csv",
            "looks for the holder": "enters connect",
            "greets": "sends hello",
            "makes the shared randomness": "sends punctured",
            "evaluates what the holder encoded": "sends vole-tags",
            "matches what the holder reports": "receives report",
            "compares what both saw": "sends finish",
            "writes its result": "renames matched.csv",
        },
    },
    Suite.ECDH: {
        "holder": {
            "reads its file": "renames rejects.csv",
            "waits for the requester": "enters connect",
            "greets": "sends hello-ack",
            "evaluates the requester's items": "sends evaluated",
            "tags its own items": "sends tags",
            "compares what both saw": "sends finish",
            "writes its receipt": "renames receipt.json",
        },
        "requester": {
            "reads its file": "renames rejects.csv",
            "looks for the holder": "enters connect",
            "greets": "sends hello",
            "blinds its items": "sends blinded",
            "removes the blinding": "receives evaluated",
            "matches": "receives tags",
            "compares what both saw": "sends finish",
            "writes its result": "renames matched.csv",
        },
    },
}

MISHAPS: dict[str, dict[str, Mishap]] = {
    "The file": {
        "There is no such file": lambda bench: bench.alone("join", file="reqests.csv"),
        "The file is empty": _file(lambda data: b""),
        "It has a header and nothing else": _lines(lambda lines: lines[:1]),
        "A column of the terms is missing": _lines(_no_tax_number_column),
        "The delimiter is another": _file(lambda data: data.replace(b",", b";")),
        "It is written in Latin-1": _lines(
            lambda lines: [*lines[:3], lines[3].replace(b",", b"\xe9,", 2), *lines[4:]]
        ),
        "It is written in UTF-16": _file(lambda data: data.decode().encode("utf-16")),
        "It is a workbook that was cut short": _file(lambda data: b"PK\x03\x04" + data[:1000]),
        "A row has one field too many": _lines(_ragged),
        "Two columns have one name": _lines(
            lambda lines: [lines[0].replace(b",suffix,", b",last_name,"), *lines[1:]]
        ),
        "It has one row": _one_row,
        "No row passes the gate": _lines(lambda lines: [lines[0], b'""' + b"," * 17 + b"\n"]),
        "The file may not be read": _unreadable,
        "No database server answers": _database("postgresql://reader@127.0.0.1:1/people"),
        "The address of the database has a password": _database(
            "postgresql://reader:hunter2@127.0.0.1/people"
        ),
        "The disk is full": _disk_full,
    },
    "The terms": {
        "They have ended": lambda bench: bench.alone(
            "join", terms=_changed_terms(bench, expires=datetime(2020, 1, 31, tzinfo=UTC).date())
        ),
        "The identity is the other side's": lambda bench: bench.alone(
            "join", identity=scenario.identity_folder(bench.case, "holder")
        ),
        "They differ, as the requester sees it": _terms_differ,
        "They differ, as the holder sees it": _terms_differ_seen_by_the_holder,
        "The file has more people than they allow": lambda bench: bench.alone(
            "join", terms=_changed_terms(bench, requester=_small(bench))
        ),
    },
    "The connection": {
        "Another program has the port": _port_in_use,
        "Nobody listens": _nobody_listens,
        "Nobody comes": lambda bench: bench.alone("serve", wait="1"),
        "The holder has another certificate than the terms": _wrong_certificate_of_the_holder,
        "The requester has another certificate than the terms": _wrong_certificate_of_the_requester,
        "The same, as the holder sees it, and then the right one comes": _wrong_certificate_seen_by_the_holder,
        "Something else knocks at the port, and then the requester comes": _not_tls,
    },
    "The other side": {
        "The other side hangs": _silent,
        "It sends garbage": _cheated(FrameType.SIZES, b"\xff" * 64),
        "It sends a point that is not canonical": _cheated(FrameType.BLINDED, _points(NON_CANONICAL)),
        "It sends the identity element": _cheated(FrameType.BLINDED, _points(bytes(32))),
    },
    **{
        f"The other side is killed, `{suite.value}`": {
            f"The {victim}, while it {doing}": _killed(suite, victim, moment)
            for victim, moments in victims.items()
            for doing, moment in moments.items()
        }
        for suite, victims in KILLS.items()
    },
    "This side": {
        "Ctrl-C": _interrupted(signal.SIGINT),
        "The system ends it (SIGTERM)": _interrupted(signal.SIGTERM),
        "The run folder exists": lambda bench: _second_run(bench),
    },
}


def _small(bench: Bench) -> terms.Party:
    import msgspec

    return msgspec.structs.replace(terms.load(bench.case / scenario.TERMS).requester, max_items=MATCHES)


def _second_run(bench: Bench) -> Outcome:
    (bench.folder / "run").mkdir()
    return bench.alone("join")
