"""Make the keys of both parties: invented people, of whom a known number is on both lists."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

LEAD_SIZE, LEAD_OVERLAP = 1_280_000, 47_489  # the court record's case


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


def expected(n_receiver: int, n_sender: int, party: str) -> NDArray[np.int64]:
    """Return the rows of a party's list that are on the other one too, ascending."""
    own = numbers(party, n_receiver, n_sender)
    first = n_receiver - overlap_of(n_receiver, n_sender)
    return np.flatnonzero((own >= first) & (own < n_receiver))
