"""Sizes of lists drawn at random and taken at every boundary, against a plaintext join, in both vole suites."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from reference import okvs, silent_vole

from psi.errors import UsageError
from psi.session import Role, traffic
from psi.wire import TREE_DEPTH, TREE_DEPTHS, Suite
from tests.session_kit import check_receiver, exchange, make_session

MOST = 70_000
SUITES = (Suite.VOLE_MALICIOUS, Suite.VOLE_SEMI_HONEST)
# Of the receiver: the least parameters and the bins. Of the sender: one and two bytes of prefixes of tags, and frames.
BINS = (0, 1, 2, 63, 64, 65, *(bins * 2**14 + side for bins in (1, 2, 3, 4) for side in (-1, 0, 1)), MOST)
TAGS = (0, 1, 2, 255, 256, 257, 2**16 - 1, 2**16, 2**16 + 1, MOST)


def trees_of(count: int, suite: Suite, tree_depth: int) -> tuple[object, ...]:
    malicious = suite is Suite.VOLE_MALICIOUS
    sizes = silent_vole.sizes(
        okvs.parameters(count).columns,
        malicious=malicious,
        value_bits=128 if malicious else 64,
        tree_depth=tree_depth,
    )
    return sizes.bootstrap, sizes.batch.depth, sizes.batches


def boundaries(suite: Suite, most: int, tree_depth: int = TREE_DEPTH) -> list[int]:
    """Return both sides of each number of items at which the depth of trees, or the number of batches, changes."""
    found: list[int] = []
    low, end = 0, most
    while trees_of(low, suite, tree_depth) != trees_of(end, suite, tree_depth):
        below, above = low, end
        while above - below > 1:
            middle = (below + above) // 2
            below, above = (
                (middle, above)
                if trees_of(middle, suite, tree_depth) == trees_of(low, suite, tree_depth)
                else (below, middle)
            )
        found += [below, above]
        low = above
    return found


def check(
    suite: Suite, n_receiver: int, n_sender: int, draw: random.Random, tree_depth: int = TREE_DEPTH
) -> None:
    """Compare two lists of which a random share is common, each in a random order, with the plaintext join."""
    common = draw.randint(0, min(n_receiver, n_sender))
    lists = []
    for start, count in ((0, n_receiver), (n_receiver - common, n_sender)):
        items = list(range(start, start + count))
        draw.shuffle(items)
        lists.append(items)
    receiver, sender = (
        make_session(
            role,
            items,
            suite=suite,
            initiator=role is Role.RECEIVER,
            report=True,
            threads=2,
            tree_depth=tree_depth,
        )
        for role, items in zip((Role.RECEIVER, Role.SENDER), lists, strict=True)
    )
    exchange(receiver, sender)
    check_receiver(receiver, lists[0], lists[1])
    check_receiver(sender, lists[1], lists[0])


def paired(first: Sequence[int], second: Sequence[int], draw: random.Random) -> list[tuple[int, int]]:
    """Pair every member of two lists with one of the other."""
    longer = max(len(first), len(second))
    columns = [list(itertools.islice(itertools.cycle(values), longer)) for values in (first, second)]
    draw.shuffle(columns[1])
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.value)
def test_a_few_random_sizes_give_the_plaintext_join(suite: Suite) -> None:
    draw = random.Random(7)
    for _ in range(3):
        check(suite, draw.randint(0, 9000), draw.randint(0, 9000), draw)


@pytest.mark.parametrize("tree_depth", TREE_DEPTHS)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.value)
def test_trees_of_every_depth_give_the_plaintext_join(suite: Suite, tree_depth: int) -> None:
    # The first list of the receiver whose correlation has trees of this depth.
    several = boundaries(suite, 400_000, tree_depth)
    first = next(count for count in several if trees_of(count, suite, tree_depth)[1] == tree_depth)
    check(suite, first, 100, random.Random(tree_depth), tree_depth)


@pytest.mark.parametrize("tree_depth", [6, 10])
def test_trees_of_another_depth_are_refused(tree_depth: int) -> None:
    with pytest.raises(UsageError, match=f"tree_depth: {tree_depth} is not one of 7, 8, 9"):
        make_session(Role.SENDER, range(3), suite=Suite.VOLE_MALICIOUS, initiator=True, tree_depth=tree_depth)
    with pytest.raises(UsageError, match=f"tree_depth: {tree_depth} is not from 7 to 9"):
        traffic(Suite.VOLE_MALICIOUS, n_receiver=1, n_sender=1, tree_depth=tree_depth)


@pytest.mark.scale
@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.value)
def test_sizes_at_every_boundary_give_the_plaintext_join(suite: Suite) -> None:
    draw = random.Random(8)
    trees = boundaries(suite, MOST)
    assert len(trees) >= 6, "at least three depths change below 70,000 items"
    for n_receiver, n_sender in paired([*BINS, *trees], TAGS, draw):
        check(suite, n_receiver, n_sender, draw)


@pytest.mark.scale
@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.value)
def test_random_sizes_give_the_plaintext_join(suite: Suite) -> None:
    draw = random.Random(9)
    for _ in range(40):
        check(suite, draw.randint(0, MOST), draw.randint(0, MOST), draw, draw.choice(TREE_DEPTHS))


@pytest.mark.scale
@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.value)
def test_the_first_sizes_with_several_batches_of_the_correlation_give_the_plaintext_join(
    suite: Suite,
) -> None:
    draw = random.Random(10)
    several = [count for count in boundaries(suite, 300_000) if count > MOST]
    batches = {trees_of(count, suite, TREE_DEPTH)[2] for count in several}
    assert {1, 2, 3} <= batches
    for count in several:
        check(suite, count, 1000, draw)
