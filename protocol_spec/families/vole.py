"""Make the vectors of the vole suites: their functions, and whole runs frame by frame."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from reference import blake3, tag_code, vole
from reference.randomness import role_stream

from .common import fixed_bytes, people, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

SID = fixed_bytes("vole sid")
N_RECEIVER, N_SENDER = 3, 4  # items 0, 1, 2 and 1, 2, 3, 4: the overlap is 2
SHOWN_BYTES = 128  # a longer body is given by its hash
TAG_COUNTS = ((1, 6), (255, 11), (256, 11), (300, 16))  # 256: the first byte of a tag is not sent with it
ORDERED = (2, 5, 300)
LENGTHS = (155, 1465, 1_736_973, 219_070_912)
SIZES = ((1, 1), (64, 1), (65, 1), (1_280_000, 1_280_000), (1_280_000, 160_000_000), (2**28, 2**28))


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of this family."""
    about = "the vole suites: tags, their code, the order of batches, commitments, bounds"
    content = {
        "tag_lengths": [
            {
                "n_sender": n_sender,
                "n_receiver": n_receiver,
                "tag_bytes": semi_honest_tag_bytes(n_sender, n_receiver),
            }
            for n_sender, n_receiver in SIZES
        ],
        "batches": [
            {"n_sender": count, "batches": tag_code.batch_sizes(count)}
            for count in (1, 2**24, 2**24 + 1, 160_000_000)
        ],
        "tags": [output(suite) for suite in (vole.MALICIOUS, vole.SEMI_HONEST)],
        "codes": [code(count, tag_bytes) for count, tag_bytes in TAG_COUNTS],
        "orders": [order(count) for count in ORDERED],
        "commitments": [commitment()],
        "n_max": [{"columns": length, "n_max": vole.n_max(length)} for length in LENGTHS],
    }
    yield "vole.json", vector_file("vole", about, content)
    for suite in (vole.MALICIOUS, vole.SEMI_HONEST):
        name = suite.replace("-", "_")
        yield (
            f"{name}.json",
            vector_file("vole-run", f"a whole run of {suite}, both sides learning", run(suite)),
        )


def semi_honest_tag_bytes(n_sender: int, n_receiver: int) -> int:
    """Return the length of a tag of ``vole-semi-honest``."""
    return vole.tag_bytes(vole.SEMI_HONEST, n_receiver=n_receiver, n_sender=n_sender)


def output(suite: str) -> dict[str, Any]:
    """Return the tag and the report value of an item."""
    salt, value, (digest,) = fixed_bytes("vole salt"), fixed_bytes("vole value", 16), people(0, 1)
    key = vole.tag_key(suite, SID, salt)
    tag, report = vole.output(key, int.from_bytes(value, "little"), digest, 16)
    return {
        "suite": suite,
        "sid": SID.hex(),
        "salt": salt.hex(),
        "tag_key": key.hex(),
        "value": value.hex(),
        "digest": digest.hex(),
        "tag": tag.hex(),
        "report": report.hex(),
    }


def code(count: int, tag_bytes: int) -> dict[str, Any]:
    """Return the code of tags."""
    stream = fixed_bytes(f"tags {count}", count * tag_bytes)
    tags = sorted(stream[start : start + tag_bytes] for start in range(0, len(stream), tag_bytes))
    return {
        "tag_bytes": tag_bytes,
        "tags": b"".join(tags).hex(),
        "count": count,
        "code": vole_code(tags).hex(),
    }


def vole_code(tags: list[bytes]) -> bytes:
    """Return the code, once more decoded to be sure."""
    encoded = tag_code.encode_tags(tags)
    assert tag_code.decode_tags(encoded, len(tags), len(tags[0]), strict=True) == tags
    return encoded


def order(count: int) -> dict[str, Any]:
    """Return the secret order of a sender's items."""
    seed = fixed_bytes("vole sender seed")
    drawn = tag_code.Order(count, role_stream(seed, SID, "vole sender order"))
    return {
        "seed": seed.hex(),
        "sid": SID.hex(),
        "items": [drawn.item(position) for position in range(count)],
    }


def commitment() -> dict[str, Any]:
    """Return the commitment to a mask, and that to an ``okvs`` message."""
    mask, message = fixed_bytes("vole mask", 16), fixed_bytes("vole okvs message", 100)
    return {
        "sid": SID.hex(),
        "mask": mask.hex(),
        "commitment": vole.commitment(SID, mask).hex(),
        "okvs": message.hex(),
        "bind": vole.binding(SID, message).hex(),
    }


def run(suite: str) -> dict[str, Any]:
    """Return every frame of a run with the numbers of the product, and what both parties end with."""
    own, other = people(0, N_RECEIVER), people(1, N_SENDER)
    seeds = fixed_bytes("vole receiver seed"), fixed_bytes("vole sender seed")
    numbers = vole.sizes(suite, n_receiver=N_RECEIVER, n_sender=N_SENDER)
    receiver = vole.Receiver(own, numbers, sid=SID, seed=seeds[0], report=True)
    sender = vole.Sender(other, numbers, sid=SID, seed=seeds[1], report=True)
    queue = deque((True, frame) for frame in sender.start())
    frames = []
    while queue:
        from_sender, (kind, body) = queue.popleft()
        frames.append({"from": "sender" if from_sender else "receiver", **described(kind, body)})
        taker = receiver if from_sender else sender
        queue.extend((not from_sender, frame) for frame in taker.receive(kind, body))
    assert receiver.finished
    assert sender.finished
    return {
        "suite": suite,
        "sid": SID.hex(),
        "receiver_seed": seeds[0].hex(),
        "sender_seed": seeds[1].hex(),
        "receiver_digests": [digest.hex() for digest in own],
        "sender_digests": [digest.hex() for digest in other],
        "frames": frames,
        "receiver_matched": receiver.output,
        "sender_matched": sender.output,
    }


def described(kind: int, body: bytes) -> dict[str, Any]:
    """Return a frame, a long body by its length and hash."""
    hashed = blake3.derive("psi/1 test vectors", body).hex()
    shown = {"body": body.hex()} if len(body) <= SHOWN_BYTES else {}
    return {"type": int(kind), "body_bytes": len(body), "body_hash": hashed, **shown}
