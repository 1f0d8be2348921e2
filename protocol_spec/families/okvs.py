"""Make the vectors of the store: its sizes, the fields, rows and values, and whole stores with and without gap rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reference import blake3, gf128, okvs

from .common import fixed_bytes, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

# Around the least number of items, around one bin and two, the sizes of the scenario, and the most.
COUNTS = (0, 1, 64, 65, 1000, 16384, 16385, 32768, 32769, 65536, 1280000, 7600000, 160000000, 2**28)
STORES = (0, 1, 2, 64, 200)
GAP_ROWS = ((2,), (2, 2, 2), (3, 2), (3, 3, 3, 2, 2))
SEARCHED = 10000


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the one file of this family."""
    content = {
        "parameters": [sizes(count) for count in COUNTS],
        "products": list(products()),
        "stores": [store(digests, what) for digests, what in stores()],
        "derived": derived(16385),  # the fewest items that have two bins
    }
    about = "the store of the vole suites: sizes, products in its fields, rows, values, columns"
    yield "okvs.json", vector_file("okvs", about, content)


def sizes(count: int) -> dict[str, int]:
    """Return the sizes for one number of items."""
    numbers = okvs.parameters(count)
    return {**asdict(numbers), "columns": numbers.columns}


def products() -> Iterator[dict[str, str]]:
    """Yield products in F, and the same with a factor in V."""
    edges = [0, 1, 2**63, 2**64, 2**127, 2**128 - 1]
    elements = edges + [int.from_bytes(fixed_bytes(f"okvs factor {i}", 16), "little") for i in range(4)]
    for a, b in zip(elements, elements[::-1], strict=True):
        yield {
            "a": block(a),
            "b": block(b),
            "gf128": block(gf128.multiply(a, b)),
            "gf64x2": block(gf128.extension_product(a, b)),
            "gf64x2_by_low_of_b": block(gf128.scale(a, b & gf128.HALF)),
        }


def stores() -> Iterator[tuple[list[bytes], str]]:
    """Yield digests to encode."""
    for count in STORES:
        yield [fixed_bytes(f"okvs item {i}") for i in range(count)], f"{count} items"
    groups: dict[tuple[int, int, int], list[bytes]] = defaultdict(list)
    digests = [fixed_bytes(f"okvs item {i}") for i in range(SEARCHED)]
    for digest, row in zip(digests, rows(64).rows(digests), strict=True):
        groups[row.positions].append(digest)
    for shape in GAP_ROWS:
        chosen = [fixed_bytes(f"okvs other item {i}") for i in range(20)]
        left = {size: [group for group in groups.values() if len(group) == size] for size in set(shape)}
        for size in shape:
            chosen = chosen + left[size].pop(0)
        gaps = sum(size - 1 for size in shape)
        yield chosen, f"groups of {', '.join(map(str, shape))} items with equal positions: {gaps} gap rows"


def rows(count: int) -> okvs.Rows:
    """Return the row hash of these vectors."""
    return okvs.Rows(okvs.parameters(count), fixed_bytes("okvs sid"), fixed_bytes("okvs r", 16))


def store(digests: list[bytes], what: str) -> dict[str, Any]:
    """Encode digests, in both fields, and decode a stranger."""
    sid, salt = fixed_bytes("okvs sid"), fixed_bytes("okvs salt")
    hash_ = rows(len(digests))
    stranger = fixed_bytes("okvs stranger")
    content: dict[str, Any] = {
        "what": what,
        "sid": sid.hex(),
        "r": fixed_bytes("okvs r", 16).hex(),
        "salt": salt.hex(),
        "digests": [digest.hex() for digest in digests],
        "rows": [[row.bin, *row.positions, f"{row.dense:012x}"] for row in hash_.rows(digests[:3])],
    }
    for value_bits in (128, 64):
        values = okvs.values(digests, sid, salt, value_bits)
        columns = okvs.encode(hash_, digests, values)
        encoded = b"".join(column.to_bytes(value_bits // 8, "little") for column in columns)
        content[f"gf{value_bits}"] = {
            "values": [block(value, value_bits) for value in values[:3]],
            "columns_hash": blake3.derive("psi/1 test vectors", encoded, 32).hex(),
            "dense": [block(column, value_bits) for column in columns[-okvs.DENSE_COLUMNS :] if column],
            "stranger": block(okvs.decode(hash_, columns, [stranger])[0], value_bits),
        }
    return content


def derived(count: int) -> dict[str, Any]:
    """Encode digests that are the pieces of one output."""
    label = "okvs many items"
    output = fixed_bytes(label, 32 * count)
    content = store([output[start : start + 32] for start in range(0, len(output), 32)], f"{count} items")
    return {**content, "digests": {"label": label, "count": count}}


def block(element: int, bits: int = 128) -> str:
    """Return the hexadecimal encoding of an element."""
    return element.to_bytes(bits // 8, "little").hex()
