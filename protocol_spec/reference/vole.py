"""
The suites ``vole-malicious`` and ``vole-semi-honest``: their functions, and both roles frame by frame (vole.md).

A role is made from its items, the sizes, the session identifier and its seed; ``start`` and ``receive`` return the
frames that it can send from then on.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING, NamedTuple

from . import base_ot, blake3, okvs, silent_vole, softspoken, tag_code
from .errors import DecodeError, StateError, VerificationError
from .frames import Kind
from .parameters import MAX_FRAME_BYTES
from .randomness import role_stream
from .ristretto255 import ELEMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Frame = tuple[Kind, bytes]

BODY_BYTES = MAX_FRAME_BYTES - 1
BLOCK_BYTES = 16
HASH_BYTES = 32
MALICIOUS = "vole-malicious"
SEMI_HONEST = "vole-semi-honest"
SMALL_FIELD_ITEMS = 2**23
CHOICE_BYTES = base_ot.COUNT * base_ot.PAIR_BYTES


class Numbers(NamedTuple):
    """Hold what both parties derive from the sizes; tests may replace the correlation's by smaller ones."""

    suite: str
    n_sender: int
    n_receiver: int
    value_bits: int
    store: okvs.Parameters
    correlation: silent_vole.Sizes
    tag_bytes: int
    batches: list[int]

    @property
    def malicious(self) -> bool:
        """Say which of the two suites it is."""
        return self.suite == MALICIOUS

    @property
    def okvs_header_bytes(self) -> int:
        """Return the length of what stands before A + P: r and w_r, or r and the salt."""
        return BLOCK_BYTES + (BLOCK_BYTES if self.malicious else HASH_BYTES)


def sizes(suite: str, *, n_receiver: int, n_sender: int, tree_depth: int = silent_vole.TREE_DEPTH) -> Numbers:
    """Return the numbers of the product."""
    small = suite == SEMI_HONEST and n_sender <= SMALL_FIELD_ITEMS
    store = okvs.parameters(n_receiver)
    value_bits = 64 if small else 128
    correlation = silent_vole.sizes(
        store.columns, malicious=suite == MALICIOUS, value_bits=value_bits, tree_depth=tree_depth
    )
    length = tag_bytes(suite, n_receiver=n_receiver, n_sender=n_sender)
    batches = tag_code.batch_sizes(n_sender)
    return Numbers(suite, n_sender, n_receiver, value_bits, store, correlation, length, batches)


def tag_bytes(suite: str, *, n_receiver: int, n_sender: int) -> int:
    """Return the length of a tag."""
    pairs_bits = max(n_sender * n_receiver - 1, 0).bit_length()  # ceil(log2(pairs))
    return 16 if suite == MALICIOUS else -(-(42 + pairs_bits) // 8)


def trees_bytes(batch: silent_vole.Batch) -> int:
    """Return the length of the message ``trees`` of a batch."""
    return batch.trees * (2 * BLOCK_BYTES * (batch.depth - 1) + BLOCK_BYTES)


def extension_bytes(correlation: silent_vole.Sizes) -> int:
    """Return the length of the message ``extension``."""
    prefix = ELEMENT_BYTES + silent_vole.SEED_BYTES
    return prefix + softspoken.message_bytes(correlation.padded, malicious=correlation.malicious)


def n_max(length: int, log2_q: float = 64) -> int:
    """Return how many items a cheating receiver can have encoded at most, with ``log2_q`` hashes of values."""
    low, high = length, 64 * length
    while low < high:
        middle = (low + high) // 2
        if middle * (log2_q - log2(middle) + 1.443) + 40 <= 128 * (middle - length):
            high = middle
        else:
            low = middle + 1
    return low


def output(key: bytes, value: int, digest: bytes, tag_bytes: int) -> tuple[bytes, bytes]:
    """Return the tag and the report value of an item."""
    hashed = blake3.keyed(key, value.to_bytes(BLOCK_BYTES, "little") + digest)
    return hashed[:tag_bytes], hashed[BLOCK_BYTES:]


def tag_key(suite: str, sid: bytes, salt: bytes) -> bytes:
    """Return the key of the output hash."""
    return blake3.derive("psi/1 vole tag key", suite.encode() + sid + salt)


def commitment(sid: bytes, mask: bytes) -> bytes:
    """Commit to the sender's part of the mask."""
    return blake3.derive("psi/1 vole commitment", sid + mask)


def binding(sid: bytes, message: bytes) -> bytes:
    """Commit to the body of ``okvs``."""
    return blake3.derive("psi/1 vole bind", sid + message)


def frames(kind: Kind, message: bytes) -> list[Frame]:
    """Cut a message into frames."""
    return [(kind, message[start : start + BODY_BYTES]) for start in range(0, len(message), BODY_BYTES)]


def report_frames(values: Sequence[bytes]) -> list[Frame]:
    """Return the frames of the report: how many values, and these in ascending order."""
    return frames(Kind.REPORT, len(values).to_bytes(BLOCK_BYTES, "little") + b"".join(sorted(values)))


class Inbox:
    """Put the frames of the peer together to messages whose order and lengths are known."""

    def __init__(self, expected: list[tuple[Kind, int]]) -> None:
        self.expected = expected
        self.partial = b""

    def take(self, kind: Kind, body: bytes) -> bytes | None:
        """Return the message that a frame completes."""
        if not self.expected or self.expected[0][0] is not kind:
            raise StateError(f"{kind.name}: not expected now")
        length = self.expected[0][1]
        if len(body) != min(BODY_BYTES, length - len(self.partial)):
            raise DecodeError(f"{kind.name}: {len(body)} bytes")
        self.partial += body
        if len(self.partial) < length:
            return None
        message, self.partial = self.partial, b""
        self.expected = self.expected[1:]
        return message


class Receiver:
    """The party that learns the output."""

    def __init__(
        self, digests: Sequence[bytes], numbers: Numbers, *, sid: bytes, seed: bytes, report: bool
    ) -> None:
        self.digests, self.numbers, self.sid, self.report = digests, numbers, sid, report
        self.r = first(role_stream(seed, sid, "vole receiver row seed"), BLOCK_BYTES)
        self.mask, self.salt = 0, b""
        if numbers.malicious:
            self.mask = little(first(role_stream(seed, sid, "vole receiver mask"), BLOCK_BYTES))
        else:
            self.salt = first(role_stream(seed, sid, "vole receiver salt"), HASH_BYTES)
        self.correlation = silent_vole.Receiver(numbers.correlation, sid, seed)
        self.inbox = Inbox(self.expected() if min(numbers.n_sender, numbers.n_receiver) else [])
        self.tags: list[bytes] = []
        self.own: list[tuple[bytes, bytes]] = []
        self.output: list[int] = []

    def expected(self) -> list[tuple[Kind, int]]:
        """List the messages of the sender with their lengths."""
        numbers = self.numbers
        head = HASH_BYTES if numbers.malicious else 0
        messages = [(Kind.CHOOSE, head + CHOICE_BYTES)]
        messages += [(Kind.PUNCTURED, trees_bytes(batch)) for batch in numbers.correlation.all_batches]
        if numbers.malicious:
            messages += [(Kind.PROOF, 2 * HASH_BYTES), (Kind.OPEN, BLOCK_BYTES)]
        return messages + [
            (Kind.VOLE_TAGS, tag_code.code_bytes(count, numbers.tag_bytes)) for count in numbers.batches
        ]

    def start(self) -> list[Frame]:
        """Return nothing: the sender begins."""
        return []

    def receive(self, kind: Kind, body: bytes) -> list[Frame]:
        """Take a frame of the sender, return the frames that answer it."""
        message = self.inbox.take(kind, body)
        if message is None:
            return []
        match kind:
            case Kind.CHOOSE:
                head = len(message) - CHOICE_BYTES
                self.commitment = message[:head]
                return frames(Kind.EXTEND, self.correlation.extension(message[head:]))
            case Kind.PUNCTURED:
                self.correlation.trees(message)
                if self.correlation.left:
                    return []
                if self.numbers.malicious:
                    return frames(Kind.CHALLENGE, self.correlation.challenge())
                return self.encode()
            case Kind.PROOF:
                self.correlation.verify(message[:HASH_BYTES])
                self.salt = message[HASH_BYTES:]
                return self.encode()
            case Kind.OPEN:
                if commitment(self.sid, message) != self.commitment:
                    raise VerificationError("open: the mask is not the one of the commitment")
                self.mask ^= little(message)
                return []
            case _:
                return self.match(message)

    def encode(self) -> list[Frame]:
        """Return the frames with the masked store."""
        numbers = self.numbers
        rows = okvs.Rows(numbers.store, self.sid, self.r)
        values = okvs.values(self.digests, self.sid, self.salt, numbers.value_bits)
        a, self.c = (okvs.integers(column) for column in self.correlation.output())
        store = okvs.encode(rows, self.digests, values)
        second = self.mask.to_bytes(BLOCK_BYTES, "little") if numbers.malicious else self.salt
        entry_bytes = numbers.value_bits // 8
        masked = [(x ^ y).to_bytes(entry_bytes, "little") for x, y in zip(a, store, strict=True)]
        message = b"".join([self.r, second, *masked])
        bind = frames(Kind.BIND, binding(self.sid, message)) if numbers.malicious else []
        return bind + frames(Kind.OKVS, message)

    def match(self, code: bytes) -> list[Frame]:
        """Take the tags of one batch; after the last of them compare, and report where both learn."""
        numbers = self.numbers
        count = numbers.batches[len(numbers.batches) - len(self.inbox.expected) - 1]
        self.tags += tag_code.decode_tags(code, count, numbers.tag_bytes, strict=numbers.malicious)
        if self.inbox.expected:
            return []
        rows = okvs.Rows(numbers.store, self.sid, self.r)
        key = tag_key(numbers.suite, self.sid, self.salt)
        decoded = okvs.decode(rows, self.c, self.digests)
        own = [
            output(key, value ^ self.mask, digest, numbers.tag_bytes)
            for value, digest in zip(decoded, self.digests, strict=True)
        ]
        among = set(self.tags)
        self.output = [position for position, (tag, _) in enumerate(own) if tag in among]
        return report_frames([own[position][1] for position in self.output]) if self.report else []

    @property
    def finished(self) -> bool:
        """Say whether everything was received."""
        return not self.inbox.expected


class Sender:
    """The party whose set the receiver's is compared with."""

    def __init__(
        self, digests: Sequence[bytes], numbers: Numbers, *, sid: bytes, seed: bytes, report: bool
    ) -> None:
        self.digests, self.numbers, self.sid, self.report = digests, numbers, sid, report
        self.mask = first(role_stream(seed, sid, "vole sender mask"), BLOCK_BYTES)
        self.salt = first(role_stream(seed, sid, "vole sender nonce"), HASH_BYTES)
        self.order_stream = role_stream(seed, sid, "vole sender order")
        self.correlation = silent_vole.Sender(numbers.correlation, sid, seed)
        self.empty = min(numbers.n_sender, numbers.n_receiver) == 0
        self.inbox = Inbox([] if self.empty else self.expected())
        self.reported = b""
        self.reporting = report and not self.empty
        self.output: list[int] | None = [] if report else None

    def expected(self) -> list[tuple[Kind, int]]:
        """List the messages of the receiver with their lengths."""
        numbers = self.numbers
        messages = [(Kind.EXTEND, extension_bytes(numbers.correlation))]
        if numbers.malicious:
            messages += [(Kind.CHALLENGE, 2 * BLOCK_BYTES), (Kind.BIND, HASH_BYTES)]
        entries = numbers.store.columns * (numbers.value_bits // 8)
        return [*messages, (Kind.OKVS, numbers.okvs_header_bytes + entries)]

    def start(self) -> list[Frame]:
        """Return the frame ``choose``."""
        if self.empty:
            return []
        head = commitment(self.sid, self.mask) if self.numbers.malicious else b""
        return frames(Kind.CHOOSE, head + self.correlation.choice())

    def receive(self, kind: Kind, body: bytes) -> list[Frame]:
        """Take a frame of the receiver, return the frames that answer it."""
        if kind is Kind.REPORT:
            self.take_report(body)
            return []
        message = self.inbox.take(kind, body)
        if message is None:
            return []
        match kind:
            case Kind.EXTEND:
                trees = self.correlation.trees(message)
                return [frame for batch in trees for frame in frames(Kind.PUNCTURED, batch)]
            case Kind.CHALLENGE:
                return frames(Kind.PROOF, self.correlation.proof(message) + self.salt)
            case Kind.BIND:
                self.bound = message
                return []
            case _:
                return self.evaluate(message)

    def evaluate(self, message: bytes) -> list[Frame]:
        """Take the masked store; return the opened mask and the tags."""
        numbers = self.numbers
        opened: list[Frame] = []
        mask = 0
        head = numbers.okvs_header_bytes
        if numbers.malicious:
            if binding(self.sid, message) != self.bound:
                raise VerificationError("okvs: not what the receiver had committed to")
            mask = little(self.mask) ^ little(message[BLOCK_BYTES:head])
            opened = frames(Kind.OPEN, self.mask)
        else:
            self.salt = message[BLOCK_BYTES:head]
        delta, b = self.correlation.output()
        step = numbers.value_bits // 8
        masked = [little(message[start : start + step]) for start in range(head, len(message), step)]
        product = okvs.product(numbers.value_bits)
        columns = [x ^ product(delta, y) for x, y in zip(okvs.integers(b), masked, strict=True)]
        rows = okvs.Rows(numbers.store, self.sid, message[:BLOCK_BYTES])
        decoded = okvs.decode(rows, columns, self.digests)
        values = okvs.values(self.digests, self.sid, self.salt, numbers.value_bits)
        key = tag_key(numbers.suite, self.sid, self.salt)
        self.outputs = [
            output(key, f ^ product(delta, value) ^ mask, digest, numbers.tag_bytes)
            for f, value, digest in zip(decoded, values, self.digests, strict=True)
        ]
        return opened + self.tag_frames()

    def tag_frames(self) -> list[Frame]:
        """Return the frames with the tags, batch by batch in the secret order."""
        positions = list(range(self.numbers.n_sender))
        if len(self.numbers.batches) > 1:
            order = tag_code.Order(self.numbers.n_sender, self.order_stream)
            positions = [order.item(position) for position in positions]
        sent: list[Frame] = []
        for count in self.numbers.batches:
            batch, positions = positions[:count], positions[count:]
            tags = sorted(self.outputs[position][0] for position in batch)
            sent += frames(Kind.VOLE_TAGS, tag_code.encode_tags(tags))
        return sent

    def take_report(self, body: bytes) -> None:
        """Take a frame of the report, the length of which stands at its beginning."""
        if not self.reporting or self.inbox.expected:
            raise StateError("REPORT: not expected now")
        before = len(self.reported)
        self.reported += body
        if len(self.reported) < BLOCK_BYTES:
            raise DecodeError(f"REPORT: {len(body)} bytes")
        count = little(self.reported[:BLOCK_BYTES])
        if count > min(self.numbers.n_sender, self.numbers.n_receiver):
            raise VerificationError("report: more values than there can be")
        length = (1 + count) * BLOCK_BYTES
        if len(body) != min(BODY_BYTES, length - before):
            raise DecodeError(f"REPORT: {len(body)} bytes")
        if len(self.reported) < length:
            return
        self.reporting = False
        reported = [
            self.reported[start : start + BLOCK_BYTES] for start in range(BLOCK_BYTES, length, BLOCK_BYTES)
        ]
        if reported != sorted(set(reported)):
            raise VerificationError("report: not strictly ascending")
        positions = {report: position for position, (_, report) in enumerate(self.outputs)}
        if any(value not in positions for value in reported):
            raise VerificationError("report: a value that no item has")
        self.output = sorted(positions[value] for value in reported)

    @property
    def finished(self) -> bool:
        """Say whether everything was received."""
        return not self.inbox.expected and not self.reporting


def first(stream: Iterator[int], count: int) -> bytes:
    """Return the first bytes of a stream."""
    return blake3.first_bytes(stream, count)


def little(data: bytes) -> int:
    """Read an element."""
    return int.from_bytes(data, "little")
