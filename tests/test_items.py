"""Items: the digests of the specification, duplicates collapsed on the key, and the way back to rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol_spec.reference.items import item_digest, match_key
from psi.items import Collector, Items

VALUES = st.tuples(
    st.text(st.sampled_from("AB"), min_size=1, max_size=3),
    st.text(st.sampled_from("1é"), min_size=1, max_size=2),
)


def collect(
    keys: Sequence[tuple[str, ...]], *, cuts: tuple[int, ...] = (), rows: list[int] | None = None
) -> Items:
    """Collect the items of keys that arrive in batches, which end at the cuts."""
    numbers = np.array(list(range(len(keys))) if rows is None else rows, dtype=np.uint32)
    collector = Collector()
    for start, end in zip((0, *cuts), (*cuts, len(keys)), strict=True):
        columns = {f"key {n}": [key[n] for key in keys[start:end]] for n in range(2)}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
        collector.add(frame, numbers[start:end])
    return collector.finish()


@given(
    keys=st.lists(VALUES, max_size=20),
    cut=st.integers(0, 20),
    block=st.integers(1, 20),
)
def test_items_are_the_digests_of_the_specification_in_the_order_of_their_first_row(
    keys: list[tuple[str, str]], cut: int, block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("psi.items._BLOCK_ROWS", block)
        items = collect(keys, cuts=(min(cut, len(keys)),))
    distinct = list(dict.fromkeys(keys))
    assert [bytes(digest) for digest in items.digests] == [item_digest(match_key(key)) for key in distinct]
    assert len(items) == len(distinct)
    assert items.collapsed == len(keys) - len(distinct)
    assert items.item_of_row.tolist() == [distinct.index(key) for key in keys]


@given(keys=st.lists(VALUES, max_size=20), wanted=st.sets(st.integers(0, 19)))
def test_rows_of_items_are_every_row_with_their_key(keys: list[tuple[str, str]], wanted: set[int]) -> None:
    rows = [3 * n + 1 for n in range(len(keys))]  # rows that were rejected lie between
    items = collect(keys, rows=rows)
    distinct = list(dict.fromkeys(keys))
    chosen = sorted(item for item in wanted if item < len(distinct))
    expected = [row for row, key in zip(rows, keys, strict=True) if distinct.index(key) in chosen]
    assert items.rows_of(np.array(chosen, dtype=np.uint32)).tolist() == expected


def test_the_border_between_two_columns_counts() -> None:
    assert len(collect([("A", "BC"), ("AB", "C")])) == 2


def test_no_rows_are_no_items() -> None:
    items = Collector().finish()
    assert (len(items), items.collapsed, items.digests.shape) == (0, 0, (0, 32))
    assert items.rows_of(np.empty(0, dtype=np.uint32)).tolist() == []


def test_an_item_that_is_none_has_no_rows() -> None:
    with pytest.raises(IndexError):
        collect([("A", "1")]).rows_of(np.array([1], dtype=np.uint32))


def test_items_do_not_print_their_digests() -> None:
    assert repr(collect([("A", "1")])) == "Items()"
