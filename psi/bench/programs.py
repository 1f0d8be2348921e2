"""
Run one side of an alternative to `psi`: send a file or hashes, receive them, join, write the own matched rows.

They read and bring into form as quickly as the table library can, without the intake gate, which none of them needs to
find the matches. What a side receives it keeps in a file, as a transfer does; what it learned is counted from that.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from psi.bench import stream
from psi.bench.alternatives import COLUMNS, COMPRESSED, HASHED, TO_HOLDER, Alternative
from psi.recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psi.terms import KeyColumn, Side
    from psi.transport import Channel

MATCHED, RECEIVED = "matched.csv", "received"
ROW = "row"
WANTED_OF_THE_HOLDER = ("street", "city", "state", "zip")  # what the requests of the court record ask for
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Learned:
    """
    Say what one side holds of the other's people after a run, counted from what it received.

    ``people`` are distinct keys received in any form, ``unmatched`` those of them that are not on the own list,
    ``fields`` how many columns each came with, ``copies`` the files that hold them.
    """

    form: str
    people: int = 0
    unmatched: int = 0
    fields: int = 0
    copies: int = 0


@dataclass(frozen=True)
class Outcome:
    """Hold what one side ended with: its matched rows (from 1, ascending) and what it learned and sent."""

    rows: NDArray[np.uint32] | None
    overlap: int
    learned: Learned
    bytes_sent: int


@dataclass(frozen=True)
class Task:
    """Hold what one side of an alternative is given."""

    alternative: Alternative
    side: Side
    file: Path
    out: Path
    key: Sequence[KeyColumn]


def perform(task: Task, channel: Channel) -> Outcome:
    """Run one side to its end, with its matched rows on the disk; a party's process calls it."""
    sender = stream.Sender(channel)
    if task.alternative.kind == HASHED:
        outcome = _exchange_hashes(task, channel, sender)
    elif (task.alternative.kind == TO_HOLDER) == (task.side == "requester"):
        outcome = _give_file(task, channel, sender)
    else:
        outcome = _take_file(task, channel, sender)
    channel.finish_sending()
    channel.discard()
    return outcome


def _give_file(task: Task, channel: Channel, sender: stream.Sender) -> Outcome:
    """Send the own file, and take the answer: which of its rows matched."""
    form, table = task.alternative.form, None
    if form in (COMPRESSED, COLUMNS):
        table = _read(task.file)
        whole = io.BytesIO()
        if form == COMPRESSED:
            table.write_csv(whole, compression="zstd")
        else:
            table.select(_columns(task)).write_csv(whole)
        _send_bytes(sender, whole.getvalue())
    else:
        with task.file.open("rb") as source:
            sender.send(source, os.fstat(source.fileno()).st_size)
    if table is None:
        table = _read(task.file)  # while the other side joins
    answer = b"".join(stream.receive(channel))
    rows = np.frombuffer(answer, dtype="<u4").astype(np.uint32)
    _write_matched(task, table, rows)
    return Outcome(rows, len(rows), Learned("nothing"), sender.bytes_sent)


def _take_file(task: Task, channel: Channel, sender: stream.Sender) -> Outcome:
    """Receive the other's file, join it with the own one, and answer which of the other's rows matched."""
    ending = ".csv.zst" if task.alternative.form == COMPRESSED else ".csv"
    received = task.out / (RECEIVED + ending)
    with received.open("wb") as target:
        for chunk in stream.receive(channel):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    other_side: Side = "holder" if task.side == "requester" else "requester"
    table = _read(task.file)
    own = _keys(task, table, task.side)
    other = _keys(task, _read(received, [getattr(part, other_side) for part in task.key]), other_side)
    names = [part.name for part in task.key]
    both = own.join(other, on=names, how="inner", suffix="_other")
    rows = both[ROW].unique().sort().to_numpy().astype(np.uint32)
    answer = both[f"{ROW}_other"].unique().sort().to_numpy().astype("<u4")
    _send_bytes(sender, answer.tobytes())
    _write_matched(task, table, rows)
    people = other.select(names).n_unique()
    overlap = both.select(names).n_unique()
    fields = pl.read_csv(received, n_rows=0, infer_schema=False).width
    learned = Learned("in clear", people, people - overlap, fields, _copies(task))
    return Outcome(rows, overlap, learned, sender.bytes_sent)


def _exchange_hashes(task: Task, channel: Channel, sender: stream.Sender) -> Outcome:
    """Send the hashes of the own keys, receive the other's, and look which of the own are among them."""
    table = _read(task.file)
    keys = _keys(task, table, task.side)
    joined = keys.select(pl.concat_str([part.name for part in task.key], separator="|")).to_series()
    own = b"".join([hashlib.sha256(value.encode()).digest() for value in joined])
    giving = threading.Thread(target=_send_bytes, args=(sender, own))
    giving.start()
    theirs = b"".join(stream.receive(channel))
    giving.join()
    (task.out / f"{RECEIVED}.sha256").write_bytes(theirs)
    own_table, other_table = _hash_table(own).with_row_index(ROW, 1), _hash_table(theirs).unique()
    words = other_table.columns
    both = own_table.join(other_table, on=words, how="semi")
    rows = both[ROW].sort().to_numpy().astype(np.uint32)
    _write_matched(task, table, rows)
    overlap = both.select(words).n_unique()
    learned = Learned(
        "a hash that can be reversed",
        len(other_table),
        len(other_table) - overlap,
        1,
        _copies(task),
    )
    return Outcome(rows, overlap, learned, sender.bytes_sent)


def _columns(task: Task) -> list[str]:
    """Return the columns without which the other side could not do what it is to do."""
    wanted = WANTED_OF_THE_HOLDER if task.side == "holder" else ()
    return [*(getattr(part, task.side) for part in task.key), *wanted]


def _read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a CSV file, or some of its columns, as text."""
    return pl.read_csv(path, columns=columns, infer_schema=False, empty_string_is_null=False)


def _keys(task: Task, table: pl.DataFrame, side: Side) -> pl.DataFrame:
    """Return the key columns in their one form, with the number of each row from 1."""
    parts = [
        RECIPES[part.recipe]
        .expression(pl.col(getattr(part, side)), getattr(part, f"{side}_format"))
        .alias(part.name)
        for part in task.key
    ]
    return table.lazy().select(parts).collect().with_row_index(ROW, 1)


def _hash_table(digests: bytes) -> pl.DataFrame:
    """Return hashes as four columns of words, which is what the table library joins quickly."""
    words = np.frombuffer(digests, dtype="<u8").reshape(-1, _DIGEST // 8)
    return pl.DataFrame({str(place): words[:, place].copy() for place in range(_DIGEST // 8)})


def _write_matched(task: Task, table: pl.DataFrame, rows: NDArray[np.uint32]) -> None:
    """Write the own rows that matched, with the number of each."""
    numbers = pl.Series(ROW, rows)
    matched = table[(rows - np.uint32(1)).astype(np.int64)].insert_column(0, numbers)
    path = task.out / MATCHED
    with path.open("wb") as target:
        matched.write_csv(target)
        target.flush()
        os.fsync(target.fileno())


def _send_bytes(sender: stream.Sender, data: bytes) -> None:
    sender.send(io.BytesIO(data), len(data))


def _copies(task: Task) -> int:
    """Return how many files of this side hold what the other sent."""
    return len([path for path in task.out.iterdir() if path.name.startswith(RECEIVED)])
