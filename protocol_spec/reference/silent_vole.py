"""
The silent VOLE of both vole suites, a message at a time (silent-vole.md).

The receiver ends with A and C, the sender with delta and B, and C = A·delta + B. ``sizes`` gives the numbers of the
product; both parties take them as an argument, so that everything also runs at small ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import base_ot, blake3, lpn_code, pprf, softspoken
from .blocks import BLOCK_BYTES, block, inner_product, integer, multiply, xor_all
from .errors import DecodeError, UsageError, VerificationError
from .randomness import role_stream
from .ristretto255 import ELEMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE_NOISE = 1024
NARROW_NOISE = 768
NOISE_PER_LEVEL = 96
LEAST_DEPTH = 4
TREE_DEPTHS = (7, 8, 9)  # of main batches at most; the terms say which
TREE_DEPTH = 8  # unless they say otherwise, and where noise begins to grow with the depth
MAX_LENGTH = 2**29
SEED_BYTES = 32
SACRIFICE_BITS = 128


class Batch(NamedTuple):
    """Count the trees of one batch and their depth."""

    trees: int
    depth: int

    @property
    def outputs(self) -> int:
        """Return the length of what the code makes of the batch."""
        return (self.trees << self.depth) // 2


class Sizes(NamedTuple):
    """Hold every number of one correlation."""

    length: int
    value_bits: int
    malicious: bool
    bootstrap: Batch | None
    batch: Batch
    batches: int

    @property
    def all_batches(self) -> list[Batch]:
        """List the batches in the order of their messages."""
        return ([self.bootstrap] if self.bootstrap else []) + [self.batch] * self.batches

    @property
    def packed_values(self) -> int:
        """Count the base values that are packed from COTs, without the sacrificed one."""
        return self.bootstrap.trees if self.bootstrap else self.batch.trees

    @property
    def cots(self) -> int:
        """Count the COTs that are used."""
        paths = sum(batch.trees * batch.depth for batch in self.all_batches)
        return self.packed_values * self.value_bits + SACRIFICE_BITS * self.malicious + paths

    @property
    def padded(self) -> int:
        """Count the COTs that are made."""
        return (
            -(-self.cots // softspoken.CHUNK_BITS) * softspoken.CHUNK_BITS + SACRIFICE_BITS * self.malicious
        )


def noise(value_bits: int, batches: int, depth: int) -> int:
    """Return the number of trees of a batch of some depth that all rules ask for (silent-vole.md, "Noise")."""
    weight = WIDE_NOISE if value_bits == 128 else NARROW_NOISE
    shared_support = -(-1000 * (128 + value_bits + (batches - 1).bit_length()) // 415)
    return even(max(weight, shared_support)) + NOISE_PER_LEVEL * max(0, depth - TREE_DEPTH)


def even(number: int) -> int:
    """Round up to an even number."""
    return number + (number & 1)


def sizes(length: int, *, malicious: bool, value_bits: int, tree_depth: int = TREE_DEPTH) -> Sizes:
    """Return the numbers of the product for a correlation of ``length``, with main trees of ``tree_depth`` at most."""
    if not 1 <= length <= MAX_LENGTH:
        raise UsageError(f"a correlation of length {length}: from 1 to {MAX_LENGTH} are possible")
    if tree_depth not in TREE_DEPTHS:
        raise UsageError(f"trees of depth {tree_depth}: one of {TREE_DEPTHS} is possible")
    if 2 * length <= noise(value_bits, 1, tree_depth) << tree_depth:
        return Sizes(length, value_bits, malicious, None, batch_for(value_bits, 1, length), 1)
    batches = max(1, (2 * length >> tree_depth) // noise(value_bits, 1, tree_depth))
    while batches > 1 and (batches << tree_depth) * noise(value_bits, batches + 1, tree_depth) > 2 * length:
        batches -= 1
    runs = batches + 1 if batches > 1 else 1
    trees = even(max(noise(value_bits, runs, tree_depth), -(-2 * length // (batches << tree_depth))))
    bootstrap = batch_for(value_bits, runs, batches * trees) if batches > 1 else None
    return Sizes(length, value_bits, malicious, bootstrap, Batch(trees, tree_depth), batches)


def batch_for(value_bits: int, batches: int, outputs: int) -> Batch:
    """Return the batch of the least depth that gives as many outputs, one of so many batches."""
    depth = LEAST_DEPTH
    while (batch := Batch(noise(value_bits, batches, depth), depth)).outputs < outputs:
        depth += 1
    return batch


class Receiver:
    """Run the receiver's side; the messages are numbered as in the specification."""

    def __init__(self, numbers: Sizes, sid: bytes, seed: bytes) -> None:
        self.sizes, self.sid = numbers, sid
        self.base_ot_stream = role_stream(seed, sid, "vole receiver base ot")
        self.code_seed = blake3.first_bytes(role_stream(seed, sid, "vole receiver code"), SEED_BYTES)
        self.chi = first_block(role_stream(seed, sid, "vole receiver check"))
        self.left = len(numbers.all_batches)
        self.check = Check(self.chi)
        self.base: list[tuple[int, int]] = []
        self.a = np.empty((0, BLOCK_BYTES), dtype=np.uint8)
        self.c = np.empty((0, BLOCK_BYTES), dtype=np.uint8)
        self.verified = not numbers.malicious

    def extension(self, choice: bytes) -> bytes:
        """Take message 1, return message 2."""
        element, keys = base_ot.sender_keys(self.base_ot_stream, self.sid, choice)
        prefix = element + self.code_seed
        message, cots = softspoken.receiver(
            self.sid, prefix, keys, self.sizes.padded, malicious=self.sizes.malicious
        )
        self.cots = CotReader(cots, pprf.cot_key(self.sid))
        for _ in range(self.sizes.packed_values):
            self.base.append(self.cots.packed_value(self.sizes.value_bits))
        if self.sizes.malicious:
            a, c = self.cots.packed_value(SACRIFICE_BITS)
            self.check.start(a, c)
        return prefix + message

    def trees(self, message: bytes) -> None:
        """Take message 3 of the next batch."""
        batches = self.sizes.all_batches
        batch = batches[len(batches) - self.left]
        tree_bytes = 2 * BLOCK_BYTES * (batch.depth - 1) + BLOCK_BYTES
        if len(message) != batch.trees * tree_bytes:
            raise DecodeError(f"trees: {len(message)} bytes, not {batch.trees * tree_bytes}")
        keys = pprf.node_keys(pprf.VOLE_CONTEXT, self.sid)
        c = np.empty((batch.trees << batch.depth, BLOCK_BYTES), dtype=np.uint8)
        e = np.zeros_like(c)
        for tree in range(batch.trees):
            own = message[tree * tree_bytes : (tree + 1) * tree_bytes]
            alpha, gamma = self.base.pop(0)
            position, leaves = pprf.puncture(keys, self.cots.known_keys(batch.depth), own[:-BLOCK_BYTES])
            psi = np.frombuffer(own[-BLOCK_BYTES:], dtype=np.uint8)
            leaves[position] = block(gamma) ^ psi ^ xor_all(leaves)
            start = tree << batch.depth
            c[start : start + len(leaves)] = leaves
            e[start + position] = block(alpha)
        self.check.add(e, c)
        a, c = lpn_code.encode(self.code_seed, e), lpn_code.encode(self.code_seed, c)
        if self.sizes.bootstrap and self.left == len(batches):
            self.base = [(integer(x), integer(y)) for x, y in zip(a, c, strict=True)]
        else:
            self.a, self.c = np.concatenate([self.a, a]), np.concatenate([self.c, c])
        self.left -= 1

    def challenge(self) -> bytes:
        """Return message 4 (malicious suite)."""
        return block(self.chi).tobytes() + block(self.check.first).tobytes()

    def verify(self, proof: bytes) -> None:
        """Take message 5; raise ``VerificationError`` if the sender cheated."""
        if proof != proof_of(self.sid, self.challenge(), self.check.second):
            raise VerificationError("proof: the consistency check of the correlation failed")
        self.verified = True

    def output(self) -> tuple[np.ndarray, np.ndarray]:
        """Return A and C."""
        assert self.verified
        assert self.left == 0
        return self.a[: self.sizes.length], self.c[: self.sizes.length]


class Sender:
    """Run the sender's side."""

    def __init__(self, numbers: Sizes, sid: bytes, seed: bytes) -> None:
        self.sizes, self.sid = numbers, sid
        self.delta = first_block(role_stream(seed, sid, "vole sender delta"))
        bits = [1 - (self.delta >> bit & 1) for bit in range(base_ot.COUNT)]
        self.choices = base_ot.choose(role_stream(seed, sid, "vole sender base ot"), sid, bits)
        self.leaves: list[np.ndarray] = []

    def choice(self) -> bytes:
        """Return message 1."""
        return b"".join(choice.pair for choice in self.choices)

    def trees(self, extension: bytes) -> list[bytes]:
        """Take message 2, return all of message 3; raise ``VerificationError`` if the receiver cheated."""
        prefix = ELEMENT_BYTES + SEED_BYTES
        expected = prefix + softspoken.message_bytes(self.sizes.padded, malicious=self.sizes.malicious)
        if len(extension) != expected:
            raise DecodeError(f"extension: {len(extension)} bytes, not {expected}")
        base_keys = base_ot.chooser_keys(self.sid, self.choices, extension[:ELEMENT_BYTES])
        self.code_seed = extension[ELEMENT_BYTES:prefix]
        cots = softspoken.sender(
            self.sid,
            extension[:prefix],
            self.delta,
            base_keys,
            extension[prefix:],
            self.sizes.padded,
            malicious=self.sizes.malicious,
        )
        reader = CotReader(cots, pprf.cot_key(self.sid))
        base = [reader.packed_value(self.sizes.value_bits)[1] for _ in range(self.sizes.packed_values)]
        self.sacrificed = reader.packed_value(SACRIFICE_BITS)[1] if self.sizes.malicious else 0
        keys = pprf.node_keys(pprf.VOLE_CONTEXT, self.sid)
        messages, outputs = [], []
        for number, batch in enumerate(self.sizes.all_batches):
            message = b""
            leaves_of_batch = []
            for _ in range(batch.trees):
                leaves, corrections = pprf.expand(keys, reader.both_keys(batch.depth, self.delta))
                message += corrections + (block(base.pop(0)) ^ xor_all(leaves)).tobytes()
                leaves_of_batch.append(leaves)
            messages.append(message)
            self.leaves.append(np.concatenate(leaves_of_batch))
            encoded = lpn_code.encode(self.code_seed, self.leaves[-1])
            if self.sizes.bootstrap and number == 0:
                base = [integer(value) for value in encoded]
            else:
                outputs.append(encoded)
        self.b = np.concatenate(outputs)
        return messages

    def proof(self, challenge: bytes) -> bytes:
        """Take message 4, return message 5."""
        if len(challenge) != 2 * BLOCK_BYTES:
            raise DecodeError(f"challenge: {len(challenge)} bytes, not {2 * BLOCK_BYTES}")
        chi, s = (
            int.from_bytes(half, "little") for half in (challenge[:BLOCK_BYTES], challenge[BLOCK_BYTES:])
        )
        check = Check(chi)
        check.start(0, self.sacrificed)
        for leaves in self.leaves:
            check.add(np.zeros_like(leaves), leaves)
        return proof_of(self.sid, challenge, check.second ^ multiply(s, self.delta))

    def output(self) -> tuple[int, np.ndarray]:
        """Return delta and B."""
        return self.delta, self.b[: self.sizes.length]


class CotReader:
    """Take COTs in the order of the specification."""

    def __init__(self, cots: softspoken.Extended, key: bytes) -> None:
        self.bits, self.blocks, self.key = cots.bits, cots.blocks, key
        self.at = 0

    def packed_value(self, value_bits: int) -> tuple[int, int]:
        """Pack the next COTs to a base value: the receiver's (a, c); the sender's b is the second."""
        taken = slice(self.at, self.at + value_bits)
        self.at += value_bits
        a = sum(int(bit) << number for number, bit in enumerate(self.bits[taken]))
        return a, pprf.packed(self.blocks[taken], value_bits)

    def known_keys(self, depth: int) -> list[tuple[int, bytes]]:
        """Return the receiver's bit and key for each level of the next tree."""
        levels = range(self.at, self.at + depth)
        self.at += depth
        return [(int(self.bits[index]), pprf.mask(self.key, self.blocks[index], index)) for index in levels]

    def both_keys(self, depth: int, delta: int) -> list[tuple[bytes, bytes]]:
        """Return the sender's two keys for each level of the next tree."""
        levels = range(self.at, self.at + depth)
        self.at += depth
        pairs = [(self.blocks[index], self.blocks[index] ^ block(delta)) for index in levels]
        return [
            (pprf.mask(self.key, zero, index), pprf.mask(self.key, one, index))
            for index, (zero, one) in zip(levels, pairs, strict=True)
        ]


class Check:
    """Add up both sums of the consistency check: value number i, from 0, times chi^(i+1)."""

    def __init__(self, chi: int) -> None:
        self.chi, self.power = chi, chi

    def start(self, first: int, second: int) -> None:
        """Begin with the sacrificed value."""
        self.first, self.second = first, second

    def add(self, e: np.ndarray, c: np.ndarray) -> None:
        """Take the leaves of one batch; without a sacrificed value there is no check."""
        if not hasattr(self, "first"):
            return
        powers = np.empty_like(c)
        for place in range(len(c)):
            powers[place] = block(self.power)
            self.power = multiply(self.power, self.chi)
        noise = e.any(axis=1)  # few values are not zero
        self.first ^= inner_product(powers[noise], e[noise])
        self.second ^= inner_product(powers, c)


def proof_of(sid: bytes, challenge: bytes, value: int) -> bytes:
    """Hash what both sides of the consistency check must have."""
    return blake3.derive("psi/1 vole proof", sid + challenge + block(value).tobytes())


def first_block(stream: Iterator[int]) -> int:
    """Return the first block of a stream as an integer."""
    return int.from_bytes(blake3.first_bytes(stream, BLOCK_BYTES), "little")
