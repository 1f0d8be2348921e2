"""
Make the vectors of roles without a session: good ones of several sizes, and bad peers with one fault each.

Frames are a type byte and a body here, without their length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference import ecdh, parameters, ristretto255
from reference.errors import SessionError
from reference.frames import Kind

from .common import fixed_bytes, people, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

SID = fixed_bytes("sid")
N_RECEIVER, N_SENDER = 3, 4  # items 0, 1, 2 and 1, 2, 3, 4: the overlap is 2

NOT_CANONICAL = {
    "value_too_large": ristretto255.P.to_bytes(32, "little"),  # p itself, another name of 0
    "high_bit": (1 << 255 | 2).to_bytes(32, "little"),
    "negative": (1).to_bytes(32, "little"),
    "not_square": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
    "negative_product": bytes.fromhex("3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e"),
    "y_zero": bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of this module."""
    for suite in parameters.ECDH_SUITES:
        for n_receiver, n_sender in ((N_RECEIVER, N_SENDER), (0, 2), (2, 0), (0, 0), (1, 1)):
            for receiver in (True, False):
                name = f"{file_name(suite, receiver)}_{n_receiver}x{n_sender}"
                yield f"roles/{name}.json", good(suite, receiver, n_receiver, n_sender)
    for suite in parameters.ECDH_SUITES:
        for name, (flag, operations) in bad_sender_peers(suite).items():
            yield (
                f"roles_bad/{file_name(suite, False)}_{name}.json",
                bad(suite, False, name, flag, operations),
            )
        for name, (flag, operations) in bad_receiver_peers(suite).items():
            yield f"roles_bad/{file_name(suite, True)}_{name}.json", bad(suite, True, name, flag, operations)


def file_name(suite: str, receiver: bool) -> str:
    """Return the first part of the name of a file."""
    return f"{suite.replace('-', '_')}_{'receiver' if receiver else 'sender'}"


def make(suite: str, receiver: bool, n_receiver: int, n_sender: int) -> ecdh.Receiver | ecdh.Sender:
    """Return a role over the first invented people, the sender's shifted by one against the receiver's."""
    if receiver:
        return ecdh.Receiver(
            people(0, n_receiver), suite=suite, n_sender=n_sender, sid=SID, seed=fixed_bytes("receiver seed")
        )
    return ecdh.Sender(
        people(1, n_sender), suite=suite, n_receiver=n_receiver, sid=SID, seed=fixed_bytes("sender seed")
    )


def head(suite: str, receiver: bool, n_receiver: int, n_sender: int) -> dict[str, Any]:
    """Return what a role is made from."""
    return {
        "suite": suite,
        "role": "receiver" if receiver else "sender",
        "digests": [digest.hex() for digest in (people(0, n_receiver) if receiver else people(1, n_sender))],
        "n_peer": n_sender if receiver else n_receiver,
        "sid": SID.hex(),
        "seed": fixed_bytes("receiver seed" if receiver else "sender seed").hex(),
    }


def typed(kind: int, body: bytes) -> bytes:
    """Return a frame as a role takes it."""
    return bytes([kind]) + body


def conversation(suite: str, n_receiver: int, n_sender: int) -> tuple[list[bytes], list[bytes]]:
    """Return the honest frames of the receiver and those of the sender."""
    receiver, sender = make(suite, True, n_receiver, n_sender), make(suite, False, n_receiver, n_sender)
    blinded = receiver.start()
    answers = sender.start()
    for frame in blinded:
        answers += sender.receive(*frame)
    return [typed(*frame) for frame in blinded], [typed(*frame) for frame in answers]


def good(suite: str, receiver: bool, n_receiver: int, n_sender: int) -> dict[str, Any]:
    """Return an honest role, operation by operation."""
    from_receiver, from_sender = conversation(suite, n_receiver, n_sender)
    own, peer = (from_receiver, from_sender) if receiver else (from_sender, from_receiver)
    sends = [{"send": frame.hex()} for frame in own]
    receives = [{"receive": frame.hex()} for frame in peer]
    # With no more than one chunk a direction, the receiver sends first and the sender answers.
    operations: list[dict[str, Any]] = sends + receives if receiver else receives + sends
    if receiver:
        role = make(suite, True, n_receiver, n_sender)
        assert isinstance(role, ecdh.Receiver)
        play(role, operations)
        overlap, matched = role.output
        operations.append({"output": {"overlap": overlap, "matched": matched}})
    about = f"an honest {'receiver' if receiver else 'sender'} of {suite}, sizes {n_receiver} and {n_sender}"
    return vector_file(
        "role", about, {**head(suite, receiver, n_receiver, n_sender), "operations": operations}
    )


def bad(suite: str, receiver: bool, name: str, flag: str, operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a role whose peer commits one fault, and the error that the reference raises."""
    role = make(suite, receiver, N_RECEIVER, N_SENDER)
    try:
        play(role, operations)
        if isinstance(role, ecdh.Receiver) and role.finished:
            role.output  # noqa: B018 - the tags are compared here
    except SessionError as error:
        raised = type(error).__name__
    else:
        raise AssertionError(f"{name}: the reference accepts it")
    about = f"a bad peer of the {'receiver' if receiver else 'sender'} of {suite}: {name.replace('_', ' ')}"
    content = {**head(suite, receiver, N_RECEIVER, N_SENDER), "operations": [*operations, {"raise": raised}]}
    return vector_file("role", about, content, flags=[flag])


def play(role: ecdh.Receiver | ecdh.Sender, operations: list[dict[str, Any]]) -> None:
    """Let the reference do the operations, and check what it sends."""
    # A receiver starts when its first frame leaves; with no items nothing leaves.
    starts_later = isinstance(role, ecdh.Receiver) and bool(role.digests)
    ready = [] if starts_later else [typed(*frame) for frame in role.start()]
    for operation in operations:
        if "receive" in operation:
            frame = bytes.fromhex(operation["receive"])
            ready += [typed(*answer) for answer in role.receive(Kind(frame[0]), frame[1:])]
        elif "send" in operation:
            ready += [typed(*frame) for frame in role.start()] if starts_later else []
            starts_later = False
            assert ready.pop(0).hex() == operation["send"]


def bad_elements(kind: Kind, honest: bytes) -> dict[str, tuple[str, bytes]]:
    """Return the frames of elements with one fault each, by the name of the fault."""
    elements = [honest[start : start + 32] for start in range(1, len(honest), 32)]
    frames_by_fault = {
        "bad_identity_element": (
            "IdentityElement",
            typed(kind, b"".join([elements[0], bytes(32), elements[2]])),
        ),
        "bad_repeated_element": (
            "RepeatedElement",
            typed(kind, b"".join([elements[0], elements[1], elements[0]])),
        ),
        "bad_element_cut": ("FrameLength", honest[:-1]),
        "bad_trailing_byte": ("TrailingByte", honest + b"\0"),
        "bad_element_missing": ("WrongCount", honest[:-32]),
        "bad_element_too_many": ("WrongCount", honest + ristretto255.encode(ristretto255.GENERATOR)),
        "bad_empty_body": ("WrongCount", honest[:1]),
    }
    for name, encoding in NOT_CANONICAL.items():
        body = b"".join([elements[0], elements[1], encoding])
        frames_by_fault[f"bad_not_canonical_{name}"] = ("NotCanonical", typed(kind, body))
    return frames_by_fault


def bad_sender_peers(suite: str) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return what bad receivers do to a sender."""
    [blinded], answers = conversation(suite, N_RECEIVER, N_SENDER)
    honest = [{"receive": blinded.hex()}, *({"send": answer.hex()} for answer in answers)]
    return {
        **{
            name: (flag, [{"receive": frame.hex()}])
            for name, (flag, frame) in bad_elements(Kind.BLINDED, blinded).items()
        },
        "bad_frame_after_last": ("WrongTime", [*honest, {"receive": blinded.hex()}]),
        "bad_frame_of_sender": ("WrongTime", [{"receive": typed(Kind.EVALUATED, blinded[1:]).hex()}]),
    }


def bad_receiver_peers(suite: str) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return what bad senders do to a receiver."""
    [blinded], [evaluated, tags] = conversation(suite, N_RECEIVER, N_SENDER)
    size = (len(tags) - 1) // N_SENDER
    own_first = {"send": blinded.hex()}
    before_tags = [own_first, {"receive": evaluated.hex()}]
    swapped = (
        tags[: 1 + size]
        + tags[1 + 2 * size : 1 + 3 * size]
        + tags[1 + size : 1 + 2 * size]
        + tags[1 + 3 * size :]
    )
    return {
        **{
            name: (flag, [own_first, {"receive": frame.hex()}])
            for name, (flag, frame) in bad_elements(Kind.EVALUATED, evaluated).items()
        },
        "bad_tags_descend": ("TagOrder", [*before_tags, {"receive": swapped.hex()}]),
        "bad_tags_cut": ("FrameLength", [*before_tags, {"receive": tags[:-1].hex()}]),
        "bad_tags_trailing_byte": ("TrailingByte", [*before_tags, {"receive": (tags + b"\0").hex()}]),
        "bad_tag_missing": ("WrongCount", [*before_tags, {"receive": tags[:-size].hex()}]),
        "bad_tag_too_many": ("WrongCount", [*before_tags, {"receive": (tags + b"\xff" * size).hex()}]),
        "bad_tags_early": ("WrongTime", [own_first, {"receive": tags.hex()}]),
        "bad_evaluated_twice": ("WrongTime", [*before_tags, {"receive": evaluated.hex()}]),
        "bad_tags_twice": ("WrongTime", [*before_tags, {"receive": tags.hex()}, {"receive": tags.hex()}]),
        "bad_evaluated_early": ("WrongTime", [{"receive": evaluated.hex()}]),
        "bad_frame_of_receiver": (
            "WrongTime",
            [own_first, {"receive": typed(Kind.BLINDED, evaluated[1:]).hex()}],
        ),
    }
