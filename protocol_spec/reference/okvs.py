"""
The oblivious key-value store of the vole suites (okvs.md): parameters, rows, triangulation, encoding, decoding.

Elements of V and F are integers below 2^128, and their sum is ``^``. It is written to be read, and peels in the order
that okvs.md fixes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from operator import xor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import blake3
from .blocks import BLOCK_BYTES, hashed
from .errors import UsageError
from .gf128 import product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Parameters", "Rows", "decode", "encode", "integers", "parameters", "product", "values"]

BIN_ITEMS = 2**14
LEAST_ITEMS = 64
MOST_ITEMS = 2**28
DENSE_COLUMNS = 48
MOST_GAPS = 8
ONE = 2**40  # one, in the units of log2
LOAD_BITS = 43
CORE_BITS = 46


class NotEncodableError(UsageError):
    """Report that the rows cannot be solved under this seed: the run ends (okvs.md, "Triangulate")."""


@dataclass(frozen=True)
class Parameters:
    """Hold what both sides derive from the number of items."""

    count: int
    bins: int
    load: int
    part: int

    @property
    def bin_columns(self) -> int:
        """Return the columns of one bin: three parts, then the dense ones."""
        return 3 * self.part + DENSE_COLUMNS

    @property
    def columns(self) -> int:
        """Return the columns of all bins."""
        return self.bins * self.bin_columns


def log2(x: int) -> int:
    """Return the binary logarithm in units of 2^-40, rounded down as okvs.md has it."""
    whole = x.bit_length() - 1
    mantissa = x << 63 - whole if whole <= 63 else x >> whole - 63
    logarithm = whole
    for _ in range(40):
        mantissa *= mantissa
        bit = mantissa >> 127
        mantissa >>= 63 + bit
        logarithm = 2 * logarithm + bit
    return logarithm


def least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the least number from ``low`` to ``high`` that holds; all above it do."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high


def parameters(count: int) -> Parameters:
    """Return the sizes of the store for ``count`` items."""
    if not 0 <= count <= MOST_ITEMS:
        raise UsageError(f"{count} items, at most {MOST_ITEMS} are possible")
    items = max(count, LEAST_ITEMS)
    bins = -(-items // BIN_ITEMS)
    load = (
        items if bins == 1 else least(items // bins, 2 * items // bins, lambda n: fits_load(items, bins, n))
    )
    part = least(1223 * load // 3000 + 1, 8 * load, lambda n: fits_columns(load, bins, n))
    return Parameters(count, bins, load, part)


def fits_load(n: int, bins: int, load: int) -> bool:
    """Tell whether all bins have at most ``load`` items but with probability 2^-43 (okvs.md, "Parameters")."""
    k = load + 1
    p = -(-(2**32) // bins)
    other = 2**32 - p
    margin = (k + 1) * other - (n - k) * p
    if margin <= 0:
        return False
    two_pi = log2(6_283_185) - log2(1_000_000)
    root = (log2(n) - two_pi - log2(k) - log2(n - k)) // 2
    inside = k * (log2(n) + log2(p) - 32 * ONE - log2(k))
    outside = (n - k) * (log2(n) + log2(other) - 32 * ONE - log2(n - k))
    bits = log2(bins) + root + inside + outside + log2((k + 1) * other) - log2(margin)
    return bits + ONE // 256 <= -LOAD_BITS * ONE


def fits_columns(load: int, bins: int, part: int) -> bool:
    """Tell whether parts of that many columns leave a large core with probability 2^-46 by the rule of okvs.md."""
    bits = (CORE_BITS * 10 + 92) * ONE // 10 + 1 + log2(bins)
    slope = 555 * log2(load) // 1000 + 2_336_076 * ONE // 1_000_000
    return log2(bits * 1000 * load) - 40 * ONE - log2(3000 * part - 1223 * load) <= slope


class Row(NamedTuple):
    """Hold the columns of an item: its bin, its position in each part, and the set of its dense columns as bits."""

    bin: int
    positions: tuple[int, int, int]
    dense: int

    def columns(self, part: int) -> list[int]:
        """Return the three sparse columns, in part order."""
        return [i * part + position for i, position in enumerate(self.positions)]


class Pivot(NamedTuple):
    """Name the column that is left to a row when it is taken."""

    row: int
    column: int


class Rows:
    """Hold the row hash of one run."""

    def __init__(self, parameters: Parameters, sid: bytes, r: bytes) -> None:
        self.parameters = parameters
        self.key = blake3.derive("psi/1 okvs row", sid + r, BLOCK_BYTES)

    def rows(self, digests: Sequence[bytes]) -> list[Row]:
        """Return the row of each digest."""
        return [self.row(hash_) for hash_ in hashes(self.key, digests)]

    def row(self, hash_: int) -> Row:
        """Read a row off a hash."""
        words = [hash_ >> 32 * i & 2**32 - 1 for i in range(4)]
        first, second, third = (word * self.parameters.part >> 32 for word in words[1:])
        dense = sum((word & 2**16 - 1) << 16 * i for i, word in enumerate(words[1:]))
        return Row(words[0] * self.parameters.bins >> 32, (first, second, third), dense)


def hashes(key: bytes, digests: Sequence[bytes]) -> list[int]:
    """Hash the first 128 bits of each digest: AES_key(x) + x."""
    firsts = np.frombuffer(b"".join(digest[:BLOCK_BYTES] for digest in digests), dtype=np.uint8)
    return integers(hashed(key, firsts.reshape(-1, BLOCK_BYTES))) if len(digests) else []


def values(digests: Sequence[bytes], sid: bytes, salt: bytes, value_bits: int) -> list[int]:
    """Return the value of each digest: an element of V."""
    key = blake3.derive("psi/1 okvs value", sid + salt, BLOCK_BYTES)
    return [hash_ & 2**value_bits - 1 for hash_ in hashes(key, digests)]


def integers(elements: np.ndarray) -> list[int]:
    """Read an array of encoded elements, one a line, as integers."""
    return [int.from_bytes(element.tobytes(), "little") for element in elements]


def encode(rows: Rows, digests: Sequence[bytes], values: Sequence[int]) -> list[int]:
    """Return the columns of all bins; each digest decodes to its value."""
    of_bins: list[list[tuple[Row, int]]] = [[] for _ in range(rows.parameters.bins)]
    for row, value in zip(rows.rows(digests), values, strict=True):
        of_bins[row.bin].append((row, value))
    columns = []
    for members in of_bins:
        if len(members) > rows.parameters.load:
            raise NotEncodableError("a bin has more items than its load")
        columns += encode_bin(
            rows.parameters.part, [row for row, _ in members], [value for _, value in members]
        )
    return columns


def encode_bin(part: int, rows: list[Row], values: list[int]) -> list[int]:
    """Return the columns of one bin."""
    sparse = [row.columns(part) for row in rows]
    pivots, gaps = triangulate(part, sparse)
    lacks = lack(part, sparse, pivots, gaps, values)
    dense = solve_dense(lack(part, sparse, pivots, gaps, [row.dense for row in rows]), lacks)
    rest = [value ^ dense_sum(dense, row) for row, value in zip(rows, values, strict=True)]
    return substitute(part, sparse, pivots, rest) + dense


def triangulate(part: int, sparse: list[list[int]]) -> tuple[list[Pivot], list[int]]:
    """Return the pivots in the order in which they are taken, and the gap rows."""
    left: list[set[int]] = [set() for _ in range(3 * part)]
    for number, columns in enumerate(sparse):
        for column in columns:
            left[column].add(number)
    queue = deque(column for column, rows in enumerate(left) if len(rows) == 1)
    pivots: list[Pivot] = []
    gaps: list[int] = []

    def take(number: int) -> None:
        for column in sparse[number]:
            left[column].remove(number)
            if len(left[column]) == 1:
                queue.append(column)

    while len(pivots) + len(gaps) < len(sparse):
        if not queue:
            column = min((len(rows), column) for column, rows in enumerate(left) if rows)[1]
            first, *others = sorted(left[column])
            pivots.append(Pivot(first, column))
            gaps += others
            if len(gaps) > MOST_GAPS:
                raise NotEncodableError("a bin has too many gap rows")
            for number in (first, *others):
                take(number)
            continue
        column = queue.popleft()
        if len(left[column]) == 1:
            (number,) = left[column]
            pivots.append(Pivot(number, column))
            take(number)
    return pivots, gaps


def substitute(part: int, sparse: list[list[int]], pivots: list[Pivot], values: list[int]) -> list[int]:
    """Solve the rows that have pivots, last pivot first; columns that are no pivot are zero."""
    columns = [0] * (3 * part)
    for number, column in reversed(pivots):
        columns[column] = values[number] ^ xor_of(columns, sparse[number])
    return columns


def lack(
    part: int, sparse: list[list[int]], pivots: list[Pivot], gaps: list[int], values: list[int]
) -> list[int]:
    """Return what each gap row lacks when the other rows are solved for ``values``."""
    columns = substitute(part, sparse, pivots, values)
    return [values[number] ^ xor_of(columns, sparse[number]) for number in gaps]


def solve_dense(equations: list[int], lacks: list[int]) -> list[int]:
    """Solve for the dense columns: an equation is a set of them, as bits, whose sum is a gap row's lack."""
    reduced: list[tuple[int, int]] = []
    for equation, value in zip(equations, lacks, strict=True):
        for other, other_value in reduced:
            if equation & own(other):
                equation, value = equation ^ other, value ^ other_value
        if not equation:
            raise NotEncodableError("the gap rows of a bin are dependent")
        reduced = [
            (other ^ equation, other_value ^ value) if other & own(equation) else (other, other_value)
            for other, other_value in reduced
        ]
        reduced.append((equation, value))
    dense = [0] * DENSE_COLUMNS
    for equation, value in reduced:
        dense[own(equation).bit_length() - 1] = value
    return dense


def own(equation: int) -> int:
    """Return the lowest dense column of an equation, as a set."""
    return equation & -equation


def dense_sum(dense: Sequence[int], row: Row) -> int:
    """Add up the dense columns of a row."""
    return xor_of(dense, [i for i in range(DENSE_COLUMNS) if row.dense >> i & 1])


def xor_of(columns: Sequence[int], at: Sequence[int]) -> int:
    """Add up some columns."""
    return [*accumulate((columns[i] for i in at), xor, initial=0)][-1]


def decode(rows: Rows, columns: Sequence[int], digests: Sequence[bytes]) -> list[int]:
    """Return what each digest decodes to; the columns are those of P, of B' or of C."""
    size, part = rows.parameters.bin_columns, rows.parameters.part
    of_bins = [columns[start : start + size] for start in range(0, len(columns), size)]
    return [
        xor_of(of_bins[row.bin], row.columns(part)) ^ dense_sum(of_bins[row.bin][3 * part :], row)
        for row in rows.rows(digests)
    ]
