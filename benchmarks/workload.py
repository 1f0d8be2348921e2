"""Make the keys of both parties: invented people, of whom a known number is on both lists."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEAD_SIZE, LEAD_OVERLAP = 1_280_000, 47_489  # the court record's case
_PIECE = 1 << 20  # people whose digests are made at a time
_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)


def overlap_of(n_receiver: int, n_sender: int) -> int:
    """Return how many people are on both lists: the share of the lead case of the smaller one."""
    return min(n_receiver, n_sender) * LEAD_OVERLAP // LEAD_SIZE


def numbers(party: str, n_receiver: int, n_sender: int) -> NDArray[np.int64]:
    """Return who is on a party's list, in an order of its own."""
    first = 0 if party == "receiver" else n_receiver - overlap_of(n_receiver, n_sender)
    count = n_receiver if party == "receiver" else n_sender
    return np.random.default_rng(1 if party == "receiver" else 2).permutation(count) + first


def keys(people: NDArray[np.int64]) -> pl.DataFrame:
    """Return the normalised key columns of people: tax number, last name, date of birth."""
    number = pl.col("number")
    return pl.DataFrame({"number": people}).select(
        tin=number.cast(pl.String).str.zfill(9),
        last_name=pl.lit("NAME") + (number * 7919 % 49_999).cast(pl.String),
        dob=pl.date(1930, 1, 1)
        .dt.offset_by((number * 104_729 % 27_000).cast(pl.String) + "d")
        .cast(pl.String),
    )


def digests(party: str, n_receiver: int, n_sender: int) -> NDArray[np.uint8]:
    """
    Return what stands for the items of a party without any text: 32 bytes made from each person's number.

    Pseudorandom and different for different people; made a piece at a time, so that nothing but the items is in memory.
    """
    count = n_receiver if party == "receiver" else n_sender
    first = 0 if party == "receiver" else n_receiver - overlap_of(n_receiver, n_sender)
    made = np.empty((count, 4), dtype=np.uint64)
    for start in range(0, count, _PIECE):
        people = np.arange(first + start, first + min(start + _PIECE, count), dtype=np.uint64)
        for word in range(4):
            made[start : start + _PIECE, word] = _mixed(people * np.uint64(4) + np.uint64(word))
    return made.view(np.uint8)


def expected_generated(n_receiver: int, n_sender: int, party: str) -> NDArray[np.int64]:
    """Return the positions in ``digests`` of a party's items that are on the other list too, ascending."""
    overlap = overlap_of(n_receiver, n_sender)
    first = n_receiver - overlap if party == "receiver" else 0
    return np.arange(first, first + overlap, dtype=np.int64)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix each word as splitmix64 does (Steele, Lea, Flood 2014): a permutation of all words."""
    words = (words + np.uint64(1)) * _ODD
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return words ^ (words >> np.uint64(31))


def expected(n_receiver: int, n_sender: int, party: str) -> NDArray[np.int64]:
    """Return the rows of a party's list that are on the other one too, ascending."""
    own = numbers(party, n_receiver, n_sender)
    first = n_receiver - overlap_of(n_receiver, n_sender)
    return np.flatnonzero((own >= first) & (own < n_receiver))
