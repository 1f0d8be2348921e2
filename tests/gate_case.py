"""What the tests of the gate share: a party, a file, and the gate run on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psi import intake
from psi.terms import ColumnRule, Encoding, Key, KeyColumn, Party

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

KEY = (
    KeyColumn(name="tin", requester="tin", holder="number", recipe="digits/1"),
    KeyColumn(name="last", requester="last", holder="surname", recipe="nfkd-upper-alnum/1"),
    KeyColumn(
        name="dob",
        requester="dob",
        holder="born",
        recipe="date-iso/1",
        requester_format="%Y-%m-%d",
        holder_format="%m/%d/%Y",
    ),
)
RULES = (
    ColumnRule(columns=("tin",), rule="tax-number/1"),
    ColumnRule(columns=("dob",), rule="date/1", format="%Y-%m-%d"),
)


def one(key: tuple[KeyColumn, ...] = KEY) -> tuple[Key, ...]:
    """Return the keys of terms that have one, of these columns."""
    return (Key(name="key", columns=key),)


def make_party(
    *,
    required: tuple[str, ...] = ("tin", "last", "dob"),
    rules: tuple[ColumnRule, ...] = RULES,
    delimiter: str = ",",
    encoding: Encoding = "utf-8",
) -> Party:
    """Return a party whose keys and certificate, which the gate does not look at, are empty."""
    return Party(
        name="Requesting Agency",
        signing_key="",
        sealing_key="",
        fingerprint="",
        certificate="",
        max_items=1 << 28,
        delimiter=delimiter,
        encoding=encoding,
        required=required,
        rules=rules,
    )


def write_items(got: intake.Intake, items: Sequence[int], path: Path) -> Path:
    """Write the rows of some items of the first key, the others having matched nothing."""
    nothing = np.array([], dtype=np.uint32)
    others = [nothing for _ in got.items[1:]]
    return intake.write_matched(got, intake.find_rows(got, [np.array(items, dtype=np.uint32), *others]), path)


@dataclass(frozen=True)
class Gate:
    """Run the gate in a folder of a test."""

    folder: Path

    def run(
        self,
        content: bytes | Path,
        *,
        party: Party | None = None,
        key: tuple[KeyColumn, ...] = KEY,
        keys: tuple[Key, ...] = (),
        chunk_bytes: int = 1 << 20,
        name: str = "requests.csv",
        on_report: Callable[[intake.GateReport], None] | None = None,
    ) -> intake.Intake:
        """Read a file, or bytes that become one, as the requester, under one ``key`` or under several ``keys``."""
        path = content if not isinstance(content, bytes) else self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        return intake.read(
            path,
            party=party or make_party(),
            side="requester",
            keys=keys or one(key),
            rejects=self.folder / "rejects.csv",
            chunk_bytes=chunk_bytes,
            on_report=on_report,
        )

    @property
    def rejects(self) -> list[str]:
        """Return the lines of the last rejects.csv, without its header."""
        header, *lines = (self.folder / "rejects.csv").read_text(encoding="utf-8").splitlines()
        assert header == "row,columns,reasons"
        return lines
