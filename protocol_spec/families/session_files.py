"""
Make the vectors of sessions: whole runs frame by frame, and one party against a bad peer with one fault.

Frames are whole here: length, type, body.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reference import frames, parameters
from reference.errors import REFUSALS, SessionError
from reference.frames import Kind, control
from reference.session import Party, Setting, run

from .common import fixed_bytes, people, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ITEMS = 10
SIZES = ((3, 4), (0, 2), (2, 0), (0, 0), (1, 1))


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of this module."""
    for suite in parameters.ECDH_SUITES:
        for n_receiver, n_sender in SIZES:
            for receiver_initiates in (True, False):
                first = "receiver" if receiver_initiates else "sender"
                name = f"{suite.replace('-', '_')}_{n_receiver}x{n_sender}_{first}_initiates"
                yield f"sessions/{name}.json", whole_run(suite, n_receiver, n_sender, receiver_initiates)
    for name, (flag, party, script) in bad_peers().items():
        yield f"sessions_bad/{name}.json", against_bad_peer(name, flag, party, script)
    yield "sessions/party_with_alive_between.json", with_alive()


def setting(
    suite: str, *, receives: bool, initiates: bool, n_receiver: int = 3, n_sender: int = 4
) -> Setting:
    """Return what a party brings; the sender's people are shifted by one against the receiver's."""
    own, other = ("initiator", "acceptor") if initiates else ("acceptor", "initiator")
    role = "receiver" if receives else "sender"
    return Setting(
        is_receiver=receives,
        is_initiator=initiates,
        suite=suite,
        terms_digest=fixed_bytes("terms"),
        certificate=fixed_bytes(f"{own} certificate"),
        peer_certificate=fixed_bytes(f"{other} certificate"),
        max_items=MAX_ITEMS,
        peer_max_items=MAX_ITEMS,
        seed=fixed_bytes(f"{role} seed"),
        nonce=fixed_bytes(f"{own} nonce"),
        digests=people(0, n_receiver) if receives else people(1, n_sender),
    )


def described(party: Setting) -> dict[str, Any]:
    """Return a setting as JSON has it."""
    return {
        "role": "receiver" if party.is_receiver else "sender",
        "initiator": party.is_initiator,
        "suite": party.suite,
        "terms_digest": party.terms_digest.hex(),
        "certificate": party.certificate.hex(),
        "peer_certificate": party.peer_certificate.hex(),
        "max_items": party.max_items,
        "peer_max_items": party.peer_max_items,
        "seed": party.seed.hex(),
        "nonce": party.nonce.hex(),
        "digests": [digest.hex() for digest in party.digests],
    }


def whole_run(suite: str, n_receiver: int, n_sender: int, receiver_initiates: bool) -> dict[str, Any]:
    """Return both settings of an honest session, all frames of both directions, and what both end with."""
    settings = [
        setting(suite, receives=receives, initiates=initiates, n_receiver=n_receiver, n_sender=n_sender)
        for receives, initiates in ((receiver_initiates, True), (not receiver_initiates, False))
    ]
    initiator, acceptor = Party(settings[0]), Party(settings[1])
    from_initiator, from_acceptor = run(initiator, acceptor)
    output = (initiator if receiver_initiates else acceptor).output
    assert output is not None
    about = f"a whole session of {suite}: {n_receiver} items of the receiver, {n_sender} of the sender"
    content = {
        "initiator": described(settings[0]),
        "acceptor": described(settings[1]),
        "frames": {
            "initiator": [whole.hex() for whole in from_initiator],
            "acceptor": [whole.hex() for whole in from_acceptor],
        },
        "sid": initiator.sid.hex(),
        "transcript": initiator.transcript.hex(),
        "output": {"overlap": output[0], "matched": output[1]},
    }
    return vector_file("session", about, content)


def against_bad_peer(name: str, flag: str, party: Setting, script: list[bytes]) -> dict[str, Any]:
    """Return every operation of a party up to its error."""
    operations, raised = play(party, script)
    assert raised, f"{name}: the reference accepts it"
    about = f"a session with one fault of the peer: {name.replace('_', ' ')}"
    return vector_file("party", about, {"party": described(party), "operations": operations}, flags=[flag])


def with_alive() -> dict[str, Any]:
    """Return a good session in which the peer says between all frames that it is alive."""
    party, script = honest(False, True)
    alive = [control(Kind.ALIVE, phase, 10 * number) for number, phase in enumerate(frames.PHASES)]
    between = [script[0], *(frame for pair in zip(alive, script[1:], strict=False) for frame in pair)]
    operations, raised = play(party, between)
    assert not raised
    return vector_file(
        "party",
        "frames that say that the peer is alive change nothing",
        {"party": described(party), "operations": operations},
    )


def play(setting: Setting, script: list[bytes]) -> tuple[list[dict[str, Any]], bool]:
    """Play a peer's frames to the reference; return the operations, and whether the last frame was refused."""
    party = Party(setting)
    operations: list[dict[str, Any]] = []
    seen = 0
    raised = ""
    for whole in script:
        assert not raised, "the reference refuses a frame that is not the last"
        operations += [{"send": sent.hex()} for sent in party.sent[seen:]]
        seen = len(party.sent)
        operations.append({"receive": whole.hex()})
        try:
            party.receive(whole)
        except SessionError as error:
            raised = type(error).__name__
    sent = party.sent[seen:]
    refusal = [whole for whole in sent[-1:] if whole[4] == Kind.REFUSE]
    operations += [{"send": whole.hex()} for whole in sent[: len(sent) - len(refusal)]]
    if raised:
        operations += [{"raise": raised}, *({"send": whole.hex()} for whole in refusal)]
    elif party.output is not None:
        overlap, matched = party.output
        operations.append({"output": {"overlap": overlap, "matched": matched}})
    return operations, bool(raised)


def honest(tested_initiates: bool, tested_receives: bool, suite: str = "ecdh") -> tuple[Setting, list[bytes]]:
    """Return the setting of the party under test and all frames of an honest peer."""
    tested = setting(suite, receives=tested_receives, initiates=tested_initiates)
    peer = Party(setting(suite, receives=not tested_receives, initiates=not tested_initiates))
    party = Party(tested)
    run(*((party, peer) if tested_initiates else (peer, party)))
    return tested, peer.sent


def bad_peers() -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return scripts of bad peers by name, each with the flag of its fault and the setting of the party under test."""
    return {
        **{f"acceptor_{name}": script for name, script in bad_hellos(Kind.HELLO, False).items()},
        **{f"initiator_{name}": script for name, script in bad_hellos(Kind.HELLO_ACK, True).items()},
        **bad_sizes(),
        **bad_times(),
        **bad_suite_frames(),
        **refusals(),
    }


def bad_hellos(kind: Kind, tested_initiates: bool) -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return peers whose hello or hello-ack differs in one field, or is of the wrong type."""
    party, script = honest(tested_initiates, True)
    fields = frames.fields(kind, script[0][5:])
    other = fixed_bytes("something else")

    def changed(at: int, value: str | bytes) -> list[bytes]:
        return [control(kind, *fields[:at], value, *fields[at + 1 :])]

    wrong_kind = Kind.HELLO if kind is Kind.HELLO_ACK else Kind.HELLO_ACK
    return {
        "bad_other_version": ("Disagreement", party, changed(0, "psi/2")),
        "bad_other_suite": ("Disagreement", party, changed(1, "ecdh-cardinality")),
        "bad_unknown_suite": ("Disagreement", party, changed(1, "rsa")),
        "bad_other_terms": ("Disagreement", party, changed(2, other)),
        "bad_other_certificate": ("Disagreement", party, changed(3, other)),
        "bad_other_peer_certificate": ("Disagreement", party, changed(4, other)),
        "bad_wrong_hello": ("WrongTime", party, [control(wrong_kind, *fields)]),
        "bad_hello_with_trailing_byte": ("TrailingByte", party, [frames.frame(kind, script[0][5:] + b"\0")]),
        "bad_sizes_before_hello": ("WrongTime", party, [script[1]]),
        "bad_alive_before_hello": ("WrongTime", party, [control(Kind.ALIVE, "wait", 0)]),
        "bad_hello_twice": ("WrongTime", party, [script[0], script[0]]),
    }


def bad_sizes() -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return peers that announce too much."""
    party, script = honest(False, True)
    generous = replace(party, peer_max_items=2**28)
    too_many = control(Kind.SIZES, MAX_ITEMS + 1)
    return {
        "acceptor_bad_size_above_limit": ("Limit", party, [script[0], too_many]),
        "initiator_bad_size_above_limit": (
            "Limit",
            honest(True, True)[0],
            [honest(True, True)[1][0], too_many],
        ),
        "acceptor_bad_size_above_any_limit": ("Limit", generous, [script[0], control(Kind.SIZES, 2**28 + 1)]),
        "acceptor_bad_sizes_with_float": (
            "FieldType",
            party,
            [script[0], frames.frame(Kind.SIZES, b"\x91\xcb\x40\x14\x00\x00\x00\x00\x00\x00")],
        ),
    }


def bad_times() -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return peers that send good frames at the wrong time."""
    receiver, from_sender = honest(False, True)
    hello, sizes, evaluated, tags, finish = from_sender
    sender, from_receiver = honest(False, False)
    return {
        "receiver_bad_evaluated_before_sizes": ("WrongTime", receiver, [hello, evaluated]),
        "receiver_bad_sizes_twice": ("WrongTime", receiver, [hello, sizes, sizes]),
        "receiver_bad_hello_in_suite": ("WrongTime", receiver, [hello, sizes, hello]),
        "receiver_bad_tags_before_evaluated": ("WrongTime", receiver, [hello, sizes, tags]),
        "receiver_bad_evaluated_twice": ("WrongTime", receiver, [hello, sizes, evaluated, evaluated]),
        "receiver_bad_tags_twice": ("WrongTime", receiver, [hello, sizes, evaluated, tags, tags]),
        "receiver_bad_finish_early": ("WrongTime", receiver, [hello, sizes, evaluated, finish]),
        "receiver_bad_alive_after_finish": (
            "WrongTime",
            receiver,
            [*from_sender, control(Kind.ALIVE, "wait", 100)],
        ),
        "sender_bad_blinded_twice": ("WrongTime", sender, [*from_receiver[:3], from_receiver[2]]),
        "sender_bad_finish_early": ("WrongTime", sender, [*from_receiver[:2], from_receiver[3]]),
        "sender_bad_evaluated": ("WrongTime", sender, [*from_receiver[:2], evaluated]),
    }


def bad_suite_frames() -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return peers that send bad frames of the suite, frames of no type, and another transcript."""
    receiver, from_sender = honest(False, True)
    hello, sizes, evaluated, tags, finish = from_sender
    sender, from_receiver = honest(False, False)
    repeated = frames.frame(Kind.EVALUATED, evaluated[5:69] + evaluated[5:37])
    half = 5 + (len(tags) - 5) // 2
    flipped = finish[:-1] + bytes([finish[-1] ^ 1])
    return {
        "receiver_bad_identity_element": (
            "IdentityElement",
            receiver,
            [hello, sizes, evaluated[:-32] + bytes(32)],
        ),
        "receiver_bad_repeated_element": ("RepeatedElement", receiver, [hello, sizes, repeated]),
        "receiver_bad_tags_descend": (
            "TagOrder",
            receiver,
            [hello, sizes, evaluated, frames.frame(Kind.TAGS, tags[half:] + tags[5:half])],
        ),
        "receiver_bad_unknown_type": ("UnknownType", receiver, [hello, sizes, b"\x02\0\0\0\x7f\0"]),
        "receiver_bad_transcript": ("WrongTranscript", receiver, [*from_sender[:4], flipped]),
        "sender_bad_identity_element": (
            "IdentityElement",
            sender,
            [*from_receiver[:2], from_receiver[2][:-32] + bytes(32)],
        ),
        "sender_bad_transcript": (
            "WrongTranscript",
            sender,
            [*from_receiver[:3], control(Kind.FINISH, fixed_bytes("something else"))],
        ),
        "sender_bad_finish_of_no_session": (
            "FieldLength",
            sender,
            [*from_receiver[:3], frames.frame(Kind.FINISH, b"\x90")],
        ),
    }


def refusals() -> dict[str, tuple[str, Setting, list[bytes]]]:
    """Return peers that refuse: nothing is wrong with that, and the party reports what it was told."""
    party, script = honest(True, True)
    return {
        **{
            f"initiator_refused_{code}": ("Refused", party, [control(Kind.REFUSE, code)]) for code in REFUSALS
        },
        "initiator_refused_in_suite": ("Refused", party, [*script[:2], control(Kind.REFUSE, "protocol")]),
    }
