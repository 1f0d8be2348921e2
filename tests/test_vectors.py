"""The vectors fit their schema, and psi gives what they say; `generate.py --check` holds them to the reference."""

from __future__ import annotations

import json
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest

from psi import _core, errors, wire
from psi.recipes import RECIPES
from psi.session import Role, Session

SPECIFICATION = Path(__file__).parent.parent / "protocol_spec"
VECTORS = SPECIFICATION / "vectors"
FILES = sorted(path for path in VECTORS.rglob("*.json") if path.name != "schema.json")


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return loaded


def name(path: Path) -> str:
    return path.relative_to(VECTORS).with_suffix("").as_posix()


def test_every_file_fits_the_schema() -> None:
    schema = content(VECTORS / "schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults = {name(path): [error.message for error in validator.iter_errors(content(path))] for path in FILES}
    assert {file: messages for file, messages in faults.items() if messages} == {}


def test_the_schema_refuses_what_is_not_a_vector() -> None:
    validator = jsonschema.Draft202012Validator(content(VECTORS / "schema.json"))
    good = content(VECTORS / "frames_bad" / "hello_bad_map.json")
    assert validator.is_valid(good)
    for change in (
        {"flags": ["NoSuchFlag"]},
        {"frame": "0"},
        {"family": "frames"},
        {"more": 1},
        {"raises": "Error"},
    ):
        assert not validator.is_valid({**good, **change}), change


def test_the_readme_explains_every_family_and_every_flag_and_no_other() -> None:
    readme = (VECTORS / "README.md").read_text()
    in_first_column = re.findall(r"^\| `([^`]+)`", readme, re.MULTILINE)
    used = {flag for path in FILES for flag in content(path)["flags"]} | {
        content(path)["family"] for path in FILES
    }
    assert sorted(in_first_column) == sorted(used)


@pytest.mark.parametrize("path", [path for path in FILES if "_bad" in path.parent.name], ids=name)
def test_a_bad_vector_has_one_fault_and_ends_with_the_error(path: Path) -> None:
    vector = content(path)
    assert len(vector["flags"]) == 1
    assert "_bad_" in path.stem or "_refused_" in path.stem
    if "operations" in vector:
        raises = [operation for operation in vector["operations"] if "raise" in operation]
        assert len(raises) == 1
        after = vector["operations"][vector["operations"].index(raises[0]) + 1 :]
        assert [list(operation) for operation in after] in ([], [["send"]])  # at most the frame refuse


# --- psi reads the same files -------------------------------------------------------------------------------------


def cases(file: str, key: str = "cases") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content(VECTORS / file)[key]
    return found


def test_recipes_of_psi_give_the_results() -> None:
    for case in cases("recipes.json"):
        table = pl.DataFrame({"value": [case["value"]]})
        expression = RECIPES[case["recipe"]].expression(pl.col("value"), case.get("format"))
        assert table.select(expression).item() == case["result"], case["comment"]


@pytest.mark.parametrize("date_format", content(VECTORS / "recipes.json")["bad_date_formats"])
def test_psi_refuses_bad_date_formats(date_format: str) -> None:
    with pytest.raises(errors.UsageError):
        RECIPES["date-iso/1"].expression(pl.col("value"), date_format)


def test_psi_digests_match_keys() -> None:
    for case in cases("match_keys.json"):
        table = pl.DataFrame({str(number): [value] for number, value in enumerate(case["values"])})
        digests = _core.Digests()
        digests.append(table)
        assert digests.array().tobytes().hex() == case["digest"], case["comment"]


def test_psi_encodes_and_decodes_control_frames() -> None:
    for case in cases("frames.json"):
        frame = bytes.fromhex(case["frame"])
        message = wire.decode(frame)
        values = {field: getattr(message, field) for field in message.__struct_fields__}
        assert message.kind.name.lower() == case["kind"]
        assert {k: v.hex() if isinstance(v, bytes) else v for k, v in values.items()} == case["fields"]
        assert wire.encode(message) == frame


@pytest.mark.parametrize("path", sorted((VECTORS / "frames_bad").iterdir()), ids=name)
def test_psi_refuses_bad_frames(path: Path) -> None:
    with pytest.raises(errors.DecodeError):
        wire.decode(bytes.fromhex(content(path)["frame"]))


def role_of(vector: dict[str, Any], threads: int = 1) -> _core.EcdhReceiver | _core.EcdhSender:
    common = {
        "cardinality": vector["suite"] == "ecdh-cardinality",
        "sid": bytes.fromhex(vector["sid"]),
        "seed": bytes.fromhex(vector["seed"]),
        "threads": threads,
    }
    digests = np.frombuffer(bytes.fromhex("".join(vector["digests"])), np.uint8).reshape(-1, 32)
    if vector["role"] == "receiver":
        return _core.EcdhReceiver(digests, n_sender=vector["n_peer"], **common)
    return _core.EcdhSender(digests, n_receiver=vector["n_peer"], **common)


def work(party: _core.EcdhReceiver | _core.EcdhSender) -> list[bytes]:
    """Let a party do what it can without its peer, and return what it sends."""
    frames = []
    while not party.needs_peer and not party.finished:
        frame = party.next_frame()
        frames += [] if frame is None else [frame]
    return frames


def receive_and_work(party: _core.EcdhReceiver | _core.EcdhSender, frame: bytes) -> None:
    """Hand over a frame whose fault may show at once or when it is worked on."""
    party.receive(frame)
    work(party)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name in ("roles", "roles_bad")], ids=name
)
def test_roles_of_psi_do_what_the_vectors_say(path: Path) -> None:
    vector = content(path)
    role, sent = role_of(vector), list[bytes]()
    operations: list[dict[str, Any]] = vector["operations"]
    for operation, following in zip_longest(operations, operations[1:], fillvalue={}):
        [(what, argument)] = operation.items()
        if what == "send":
            sent += work(role)
            assert sent.pop(0)[wire.LENGTH_BYTES :].hex() == argument
        elif what == "output":
            sent += work(role)
            assert isinstance(role, _core.EcdhReceiver)
            assert role.finished
            assert role.overlap() == argument["overlap"]
            assert argument["matched"] is None or role.matched().tolist() == argument["matched"]
        elif "raise" in following:
            with pytest.raises(errors.PeerError) as raised:
                receive_and_work(role, wire.pack(bytes.fromhex(argument)))
            assert type(raised.value).__name__ == following["raise"]
        elif what == "receive":
            role.receive(wire.pack(bytes.fromhex(argument)))
    assert not sent


def session_of(setting: dict[str, Any]) -> Session:
    digests = np.frombuffer(bytes.fromhex("".join(setting["digests"])), np.uint8).reshape(-1, 32)
    return Session(
        Role(setting["role"]),
        digests,
        suite=wire.Suite(setting["suite"]),
        initiator=setting["initiator"],
        terms_digest=bytes.fromhex(setting["terms_digest"]),
        certificate=bytes.fromhex(setting["certificate"]),
        peer_certificate=bytes.fromhex(setting["peer_certificate"]),
        max_items=setting["max_items"],
        peer_max_items=setting["peer_max_items"],
        seed=bytes.fromhex(setting["seed"]),
        nonce=bytes.fromhex(setting["nonce"]),
        threads=1,
    )


def sends(session: Session) -> list[bytes]:
    """Let a session do what it can without its peer, and return what it sends."""
    frames = []
    while True:
        frame = session.next_frame()
        if frame is not None:
            frames.append(frame)
        elif session.needs_peer or session.finished:
            return frames


def check_output(session: Session, expected: dict[str, Any]) -> None:
    output = session.output()
    assert output.overlap == expected["overlap"]
    assert (None if output.matched is None else output.matched.tolist()) == expected["matched"]


@pytest.mark.parametrize("path", [path for path in FILES if content(path)["family"] == "session"], ids=name)
def test_two_sessions_of_psi_exchange_the_frames_of_the_vectors(path: Path) -> None:
    vector = content(path)
    parties = {side: session_of(vector[side]) for side in ("initiator", "acceptor")}
    travelled: dict[str, list[str]] = {"initiator": [], "acceptor": []}
    while not all(party.finished for party in parties.values()):
        for side, other in (("initiator", "acceptor"), ("acceptor", "initiator")):
            for frame in sends(parties[side]):
                travelled[side].append(frame.hex())
                parties[other].receive(frame)
    assert travelled == vector["frames"]
    for side, party in parties.items():
        assert party.transcript.hex() == vector["transcript"]
        if vector[side]["role"] == "receiver":
            check_output(party, vector["output"])
        else:
            assert (party.output().overlap, party.output().matched) == (None, None)


def receive_and_send(session: Session, frame: bytes) -> None:
    """Hand over a frame whose fault may show at once or when it is worked on."""
    session.receive(frame)
    sends(session)


@pytest.mark.parametrize("path", [path for path in FILES if content(path)["family"] == "party"], ids=name)
def test_a_session_of_psi_does_what_the_script_says(path: Path) -> None:
    vector = content(path)
    session, sent, error = session_of(vector["party"]), list[bytes](), None
    operations: list[dict[str, Any]] = vector["operations"]
    for operation, following in zip_longest(operations, operations[1:], fillvalue={}):
        [(what, argument)] = operation.items()
        if what == "raise":
            if error is None:  # it follows a frame that was still to be sent
                with pytest.raises(errors.PsiError) as raised:
                    sends(session)
                error = raised.value
            assert type(error).__name__ == argument
            refusal = session.refuse_frame(error)
            sent = [] if refusal is None else [refusal]
        elif what == "output":
            sent += sends(session)
            assert session.finished
            check_output(session, argument)
        elif what == "send":
            if not sent:
                sent.append(next_frame(session))
            assert sent.pop(0).hex() == argument
        elif "raise" in following:
            with pytest.raises(errors.PsiError) as raised:
                receive_and_send(session, bytes.fromhex(argument))
            error = raised.value
        else:
            session.receive(bytes.fromhex(argument))
    assert not sent


def next_frame(session: Session) -> bytes:
    """Return the one frame that is next; the session must have one without its peer."""
    while (frame := session.next_frame()) is None:
        assert not session.needs_peer
        assert not session.finished
    return frame
