"""
Parts of the code in which few outputs live: how well the noise is hidden from somebody who looks at those alone.

The rule is silent-vole.md, 11.3. With seven taps its attack is run, at a size at which it succeeds; with the taps of
the product the same part has too few outputs.
"""

from __future__ import annotations

import itertools
from math import log2, sqrt

import numpy as np
import pytest
from reference import lpn_code, okvs, silent_vole

KILL, SLACK = 96, 20


def bits(trees: int, outputs: int, value_bits: int, taps: int) -> float:
    """Return how much work the best part of the code leaves, by the rule of silent-vole.md, 11.3."""
    least = float("inf")
    for share in (step / 100 for step in range(20, 101)):
        living = outputs * share**taps
        most = min(outputs, living + 6 * sqrt(living)) if share < 1 else outputs
        needed = (KILL if share < 1 else 0) + value_bits + SLACK
        for used in (most * part / 20 for part in range(1, 21)):
            if used >= needed:
                avoided = min(1.0, (used - needed) / (share * outputs))
                windows = -(share * trees / 2) * log2((1 + avoided) / 2)
                found = windows - (trees / 2) * log2(1 - used / (2 * outputs)) - value_bits
                least = min(least, found)
    return least


def test_the_rule_has_the_numbers_of_the_specification() -> None:
    for value_bits, trees, outputs, taps, expected in (
        (128, 1044, 133_632, lpn_code.TAPS, 159),
        (128, 1132, 289_792, lpn_code.TAPS, 160),
        (128, 1024, 131_072, lpn_code.TAPS, 154),
        (128, 1044, 66_816, lpn_code.TAPS, 176),
        (128, 1024, 8_192, lpn_code.TAPS, 245),
        (64, 768, 98_304, lpn_code.TAPS, 147),
        (64, 768, 6_144, lpn_code.TAPS, 212),
        (128, 1044, 133_632, 7, 76),
        (128, 1132, 289_792, 7, 70),
        (128, 1024, 131_072, 7, 72),
        (128, 1044, 66_816, 7, 97),
        (128, 1024, 8_192, 7, 179),
        (64, 768, 98_304, 7, 86),
        (64, 768, 6_144, 7, 162),
        (128, 768, 98_304, 7, 30),
        (128, 768, 98_304, 21, 156),
        (128, 1536, 196_608, 7, 156),
    ):
        assert int(bits(trees, outputs, value_bits, taps)) == pytest.approx(expected, abs=1)


def test_every_size_of_the_product_leaves_128_bits() -> None:
    choices = itertools.product(((128, True), (128, False), (64, False)), silent_vole.TREE_DEPTHS)
    for (value_bits, malicious), tree_depth in choices:
        for count in (0, 1000, 4000, 9000, 20_000, 40_000, 72_000, 144_000, 10**6, 10**7, 10**8, 2**28):
            sizes = silent_vole.sizes(
                okvs.parameters(count).columns,
                malicious=malicious,
                value_bits=value_bits,
                tree_depth=tree_depth,
            )
            for batch in {*sizes.all_batches}:
                left = bits(batch.trees, batch.outputs, value_bits, lpn_code.TAPS)
                assert left - log2(len(sizes.all_batches)) >= 128, (count, value_bits, tree_depth, batch)


def transposed(matrices: np.ndarray, functionals: np.ndarray) -> np.ndarray:
    """Carry functionals (block, bit, eight of them a byte) back over one pass: what they say of its input."""
    after = functionals.copy()
    before = np.zeros_like(after)
    count = len(after)

    for number in (2, 1, 0):
        total = lpn_code.apply(matrices[number, 0].T, after[number])
        for back in range(number + 1, 4):
            after[count + number - back] ^= lpn_code.apply(matrices[number, back].T, total)
    for number in range(count - 1, -1, -1):
        if after[number].any():
            before[number] = lpn_code.apply(matrices[number, 0].T, after[number])
            for back in (1, 2, 3):
                if number >= back:
                    after[number - back] ^= lpn_code.apply(matrices[number, back].T, before[number])
    return before


def words(seed: bytes, outputs: int, share: float) -> tuple[np.ndarray, list[int], list[int], int]:
    """
    Return the part, the outputs that live in it, the sums of them that are zero outside it (bit k: output k), and the
    number of equations that this took.
    """
    third = share / 3
    part = np.zeros(outputs, dtype=bool)
    for start, end in ((0, third), (0.5 - third / 2, 0.5 + third / 2), (1 - third, 1)):
        part[int(start * outputs) : int(end * outputs)] = True
    stream = lpn_code.code_stream(seed, outputs, lpn_code.USE_TAPS, 4 * lpn_code.TAPS * outputs)
    taps = lpn_code.taps(stream, outputs)
    living = np.nonzero(part[taps].all(axis=1))[0].tolist()
    if not living:
        return part, [], [], 0
    functionals = np.zeros((outputs, len(living)), dtype=np.uint8)
    for place, output in enumerate(living):
        np.add.at(functionals[:, place], taps[output], 1)
    rows = np.packbits(functionals & 1, axis=1).reshape(outputs // lpn_code.BLOCK, lpn_code.BLOCK, -1)
    for use in (2, 1):
        matrices = lpn_code.matrices(lpn_code.code_stream(seed, outputs, use, 4 * outputs))
        rows = transposed(matrices, rows)
    numbered = np.unpackbits(rows.reshape(outputs, -1), axis=1, count=len(living))
    outside = np.packbits(numbered[~part], axis=0)
    pairs = [(int.from_bytes(outside[:, k].tobytes(), "big"), 1 << k) for k in range(len(living))]
    sums, equations = [], 0
    while pairs:
        row, members = pairs.pop()
        if not row:
            sums.append(members)
            continue
        equations += 1
        lowest = row & -row
        pairs = [(r ^ row, m ^ members) if r & lowest else (r, m) for r, m in pairs]
    return part, living, sums, equations


def rank(rows: list[int]) -> int:
    found = 0
    rows = list(rows)
    while rows:
        row = rows.pop()
        if row:
            found += 1
            lowest = row & -row
            rows = [other ^ row if other & lowest else other for other in rows]
    return found


def sums_of(values: np.ndarray, living: list[int], sums: list[int]) -> list[int]:
    numbers = [int.from_bytes(values[output].tobytes(), "little") for output in living]
    added = []
    for members in sums:
        total = 0
        for place, number in enumerate(numbers):
            if members >> place & 1:
                total ^= number
        added.append(total)
    return added


@pytest.mark.slow
def test_windows_find_the_noise_with_seven_taps_and_have_too_few_outputs_with_those_of_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trees, leaves, value_bits, share = 256, 512, 64, 60 / 128
    outputs = trees * leaves // 2
    _, living, sums, _ = words(bytes(32), outputs, share)
    assert len(living) < KILL
    assert sums == []
    monkeypatch.setattr(lpn_code, "TAPS", 7)
    assert bits(trees, outputs, value_bits, 7) < 0
    part, living, sums, equations = words(bytes(32), outputs, share)
    assert equations == KILL
    assert len(sums) == len(living) - KILL > value_bits + SLACK
    touched = part.reshape(-1, leaves).any(axis=1).sum()
    assert touched == 60
    draw = np.random.default_rng(1)
    noise = np.zeros((2 * outputs, 16), dtype=np.uint8)
    for tree in range(trees):
        noise[tree * leaves + draw.integers(leaves), :8] = draw.integers(0, 256, 8)
    # By the shared-support rule alone this would take 2^42 eliminations.
    assert rank(sums_of(lpn_code.encode(bytes(32), noise), living, sums)) < value_bits
    random = draw.integers(0, 256, (outputs, 8), dtype=np.uint8)
    assert rank(sums_of(random, living, sums)) == value_bits
