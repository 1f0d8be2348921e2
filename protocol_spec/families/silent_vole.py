"""Make the vectors of the silent VOLE: its sizes, its parts, and whole runs at small sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from reference import lpn_code, pprf, silent_vole
from reference.blocks import BLOCK_BYTES, block
from reference.silent_vole import Batch, Sizes

from .common import fixed_bytes, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

# Around the boundaries between depths, one batch and several, and the real sizes.
LENGTHS = (1, 8192, 8193, 131072, 131073, 262143, 262144, 1736973, 10290128, 2**29)
CODE_OUTPUTS = (24, 48)
TREE_DEPTHS = (1, 2, 5)
RUNS = (
    (Sizes(43, 128, True, None, Batch(6, 4), 1), "one batch, malicious"),
    (Sizes(91, 128, True, Batch(4, 4), Batch(6, 4), 2), "two batches with a bootstrapping one, malicious"),
    (Sizes(91, 64, False, Batch(4, 5), Batch(6, 4), 2), "two batches, semi-honest over GF(2^64)"),
)


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the one file of this family."""
    about = (
        "the correlation of the vole suites: numbers, keys of correlated OTs, trees, the code, and whole runs"
    )
    content = {
        "sizes": [
            sizes_of(length, value_bits, malicious=malicious, tree_depth=tree_depth)
            for value_bits, malicious in ((128, True), (128, False), (64, False))
            for length in LENGTHS
            for tree_depth in silent_vole.TREE_DEPTHS
        ],
        "cot_keys": [cot_key(index) for index in (0, 1, 2**32)],
        "trees": [tree(depth) for depth in TREE_DEPTHS],
        "codes": [code(outputs) for outputs in CODE_OUTPUTS],
        "runs": [run(numbers, what) for numbers, what in RUNS],
    }
    yield "silent_vole.json", vector_file("silent-vole", about, content)


def sizes_of(length: int, value_bits: int, *, malicious: bool, tree_depth: int) -> dict[str, Any]:
    """Return the numbers of the product for one length and choice of trees."""
    numbers = silent_vole.sizes(length, malicious=malicious, value_bits=value_bits, tree_depth=tree_depth)
    return {
        "tree_depth": tree_depth,
        **described(numbers),
        "cots": numbers.cots,
        "padded": numbers.padded,
    }


def described(numbers: Sizes) -> dict[str, Any]:
    """Return what makes up the numbers; a batch is its trees and their depth."""
    return {
        "length": numbers.length,
        "value_bits": numbers.value_bits,
        "malicious": numbers.malicious,
        "bootstrap": list(numbers.bootstrap) if numbers.bootstrap else None,
        "batch": list(numbers.batch),
        "batches": numbers.batches,
    }


def cot_key(index: int) -> dict[str, Any]:
    """Return the key that the block of a correlated OT gives."""
    sid, value = fixed_bytes("cot key sid"), fixed_bytes(f"cot block {index}", BLOCK_BYTES)
    key = pprf.mask(pprf.cot_key(sid), np.frombuffer(value, dtype=np.uint8), index)
    return {"sid": sid.hex(), "index": index, "block": value.hex(), "key": key.hex()}


def tree(depth: int) -> dict[str, Any]:
    """Return the leaves and corrections of a tree from both keys of each level."""
    sid = fixed_bytes("tree sid")
    keys = [
        (fixed_bytes(f"left {level}", BLOCK_BYTES), fixed_bytes(f"right {level}", BLOCK_BYTES))
        for level in range(1, depth + 1)
    ]
    leaves, corrections = pprf.expand(pprf.node_keys(pprf.VOLE_CONTEXT, sid), keys)
    return {
        "sid": sid.hex(),
        "keys": [[left.hex(), right.hex()] for left, right in keys],
        "leaves": leaves.tobytes().hex(),
        "corrections": corrections.hex(),
    }


def code(outputs: int) -> dict[str, Any]:
    """Return what the code makes of a vector."""
    seed, values = fixed_bytes("code seed"), fixed_bytes("code values", 2 * outputs * BLOCK_BYTES)
    vector = np.frombuffer(values, dtype=np.uint8).reshape(-1, BLOCK_BYTES)
    encoded = lpn_code.encode(seed, vector)
    return {"seed": seed.hex(), "values": values.hex(), "encoded": encoded.tobytes().hex()}


def run(numbers: Sizes, what: str) -> dict[str, Any]:
    """Return every message of a run, and what both parties end with."""
    sid, seeds = fixed_bytes("vole sid"), [fixed_bytes("vole receiver seed"), fixed_bytes("vole sender seed")]
    receiver = silent_vole.Receiver(numbers, sid, seeds[0])
    sender = silent_vole.Sender(numbers, sid, seeds[1])
    extension = receiver.extension(sender.choice())
    trees = sender.trees(extension)
    for message in trees:
        receiver.trees(message)
    challenge, proof = b"", b""
    if numbers.malicious:
        challenge = receiver.challenge()
        proof = sender.proof(challenge)
        receiver.verify(proof)
    (a, c), (delta, b) = receiver.output(), sender.output()
    return {
        "what": what,
        "sizes": described(numbers),
        "sid": sid.hex(),
        "receiver_seed": seeds[0].hex(),
        "sender_seed": seeds[1].hex(),
        "choice": sender.choice().hex(),
        "extension": extension.hex(),
        "trees": [message.hex() for message in trees],
        "challenge": challenge.hex(),
        "proof": proof.hex(),
        "delta": block(delta).tobytes().hex(),
        "a": a.tobytes().hex(),
        "b": b.tobytes().hex(),
        "c": c.tobytes().hex(),
    }
