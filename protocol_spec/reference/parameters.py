"""Give every number of the protocol; security.md, "Parameters", has the bound and the source of each."""

from __future__ import annotations

PROTOCOL = "psi/1"
ECDH_SUITES = ("ecdh", "ecdh-cardinality")
SUITES = ("vole-malicious", "vole-semi-honest", *ECDH_SUITES)

STATISTICAL_BITS = 40
MAX_ITEMS = 2**28

MAX_FRAME_BYTES = 1 + 2**20  # type and body
MAX_CONTROL_FRAME_BYTES = 1 + 1024

ELEMENT_BYTES = 32
ELEMENTS_PER_FRAME = 2**15
TAGS_PER_FRAME = 2**16


def tag_bytes(*, n_sender: int, n_receiver: int, statistical_bits: int = STATISTICAL_BITS) -> int:
    """
    Return the tag length that keeps a false match below ``2**-statistical_bits``.

    Each of the ``n_sender * n_receiver`` pairs of different items collides with probability
    ``2**(-8 * tag_bytes)``; the union bound over them gives the length. Specified in security.md, "Tag length".
    """
    pairs_bits = max(n_sender * n_receiver - 1, 0).bit_length()  # ceil(log2(pairs))
    return -(-(statistical_bits + pairs_bits) // 8)


def chunk_sizes(count: int, per_frame: int) -> list[int]:
    """Return how many entries each frame of a list has: all are full but the last (psi.md, "Chunks")."""
    return [min(per_frame, count - start) for start in range(0, count, per_frame)]
