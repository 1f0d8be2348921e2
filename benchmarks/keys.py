"""
Measure what keys and recipes are worth: both files through the gate, joined in plain, set beside the truth.

For each key: its precision (of the pairs of items it finds, how many are the same person), its recall (of the people in
both files, how many it finds), and the share of rows that have the key at all. For keys in tiers, strictest first: what
each finds that those before it did not, and precision and recall of all so far.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl

from psi import intake, scenario, terms
from psi.terms import Key, KeyColumn

if TYPE_CHECKING:
    from psi.items import Items
    from psi.terms import Side, Terms

ISO = "%Y-%m-%d"
FILES: dict[Side, str] = {"requester": "requests.csv", "holder": "records.csv"}


def _part(name: str, recipe: str) -> KeyColumn:
    dates = {"requester_format": ISO, "holder_format": ISO} if recipe == "date-iso/1" else {}
    return KeyColumn(name=name, requester=name, holder=name, recipe=recipe, **dates)


TAX_NUMBER, BORN = _part("tin", "digits/1"), _part("dob", "date-iso/1")
LAST, FIRST = _part("last_name", "nfkd-upper-alnum/1"), _part("first_name", "nfkd-upper-alnum/1")
LAST_WITHOUT_GENERATION = _part("last_name", "name-last/1")
STREET, ZIP = _part("street", "address-usps/1"), _part("zip", "digits/1")
STREET_LETTER_BY_LETTER = _part("street", "nfkd-upper-alnum/1")

KEYS: tuple[tuple[str, tuple[KeyColumn, ...]], ...] = (
    ("tax number", (TAX_NUMBER,)),
    ("tax number, last name, birth (the default)", (TAX_NUMBER, LAST, BORN)),
    ("the same, last name without generation", (TAX_NUMBER, LAST_WITHOUT_GENERATION, BORN)),
    ("last name, birth", (LAST, BORN)),
    ("first and last name, birth", (FIRST, LAST, BORN)),
    ("first and last name, birth, ZIP", (FIRST, LAST, BORN, ZIP)),
    ("tax number, street, ZIP", (TAX_NUMBER, STREET, ZIP)),
    ("the same, street letter by letter", (TAX_NUMBER, STREET_LETTER_BY_LETTER, ZIP)),
)
TIERS = (
    Key(name="tax number, street, ZIP", columns=(TAX_NUMBER, STREET, ZIP)),
    Key(name="tax number, last name, birth", columns=(TAX_NUMBER, LAST, BORN)),
    Key(name="first and last name, birth", columns=(FIRST, LAST, BORN)),
    Key(name="last name, birth", columns=(LAST, BORN)),
)


def measure(*, rows: int, matches: int, seed: int) -> dict[str, Any]:
    """Write a case, run both files through the gate once for each key, and count true and false pairs."""
    with tempfile.TemporaryDirectory(prefix="psi-keys-") as name:
        folder = Path(name)
        scenario.write(folder, requests=rows, records=rows, matches=matches, seed=seed)
        scenario.agree(folder, requests=rows, records=rows)
        agreement = terms.load(folder / scenario.TERMS)
        truth = (
            pl.read_csv(folder / "truth.csv")
            .filter(pl.col("kind") == "match")
            .select("request_row", "record_row")
        )
        measured = [_measure(folder, agreement, key, truth) | {"key": words} for words, key in KEYS]
        tiers = _tiers(folder, agreement, truth)
        raw = _raw(folder, truth)
    return {
        "benchmark": "keys",
        "rows": rows,
        "matches": matches,
        "seed": seed,
        "keys": [raw, *measured],
        "tiers": tiers,
        "correct": True,
    }


def _measure(
    folder: Path, agreement: Terms, key: tuple[KeyColumn, ...], truth: pl.DataFrame
) -> dict[str, Any]:
    """Join both files on one key, row by row, and count."""
    files, shares = _take_in(folder, agreement, (Key(name="key", columns=key),))
    return _count(_pairs(files["requester"][0], files["holder"][0]), truth) | {
        "recipes": [part.recipe for part in key],
        "share_with_key": shares,
    }


def _tiers(folder: Path, agreement: Terms, truth: pl.DataFrame) -> list[dict[str, Any]]:
    """Join both files on one key after another, and count what each adds to those before it."""
    files, _ = _take_in(folder, agreement, TIERS)
    found, tiers = pl.DataFrame(schema={"row": pl.Int64, "row_record": pl.Int64}), []
    for key, requests, records in zip(TIERS, files["requester"], files["holder"], strict=True):
        pairs = _pairs(requests, records)
        added = pairs.join(found, on=["row", "row_record"], how="anti")
        found = pl.concat([found, added])
        tiers.append(
            {
                "key": key.name,
                "pairs": pairs.height,
                "added": added.height,
                "added_right": _count(added, truth)["right"],
                **{
                    name: value
                    for name, value in _count(found, truth).items()
                    if name in ("precision", "recall")
                },
            }
        )
    return tiers


def _take_in(
    folder: Path, agreement: Terms, keys: tuple[Key, ...]
) -> tuple[dict[Side, list[pl.DataFrame]], dict[Side, float]]:
    """Run both files through the gate; return rows and items by side and key, and the share of rows that passed."""
    files: dict[Side, list[pl.DataFrame]] = {}
    shares: dict[Side, float] = {}
    for side, file in FILES.items():
        party = getattr(agreement, side)
        taken = intake.read(
            folder / file,
            party=msgspec.structs.replace(party, max_rejected_percent=None),
            side=side,
            keys=keys,
            rejects=folder / "rejects.csv",
            threads=2,
        )
        files[side] = [_rows(items) for items in taken.items]
        shares[side] = (taken.report.rows - taken.report.rejected) / taken.report.rows
    return files, shares


def _rows(items: Items) -> pl.DataFrame:
    """Return which row has which item."""
    digests = np.ascontiguousarray(items.digests[items.item_of_row]).view("S32").ravel()
    return pl.DataFrame(
        {
            "row": items.rows.astype(np.int64) + 1,
            "item": pl.Series([bytes(each) for each in digests], dtype=pl.Binary),
        }
    )


def _pairs(requests: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that have one item; rows that repeat one person's key count once."""
    first = requests.unique("item", keep="first", maintain_order=True)
    return first.join(records, on="item", suffix="_record").select("row", "row_record")


def _count(pairs: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Any]:
    """Return precision and recall of pairs of rows."""
    right = pairs.join(
        truth, left_on=["row", "row_record"], right_on=["request_row", "record_row"], how="semi"
    ).height
    return {
        "pairs": pairs.height,
        "right": right,
        "precision": right / pairs.height if pairs.height else None,
        "recall": right / truth.height if truth.height else None,
    }


def _raw(folder: Path, truth: pl.DataFrame) -> dict[str, Any]:
    """Join on the default key as it stands in the files, without gate and recipes."""
    frames = [
        pl.read_csv(folder / file, infer_schema=False)
        .with_row_index("row", offset=1)
        .select(pl.col("row").cast(pl.Int64), item=pl.concat_str("tin", "last_name", "dob", separator="\0"))
        .drop_nulls()
        for file in FILES.values()
    ]
    shares = {
        side: frame.height / pl.scan_csv(folder / FILES[side]).select(pl.len()).collect().item()
        for side, frame in zip(FILES, frames, strict=True)
    }
    return _count(_pairs(*frames), truth) | {
        "key": "tax number, last name, birth, as written",
        "recipes": [],
        "share_with_key": shares,
    }


def table(measured: dict[str, Any]) -> str:
    """Return the result as the table of docs/keys.md."""
    lines = [
        "| key | recipes | precision | recall | requests with it | records with it |",
        "|---|---|---|---|---|---|",
    ]
    for key in measured["keys"]:
        shares = key["share_with_key"]
        lines.append(
            f"| {key['key']} | {', '.join(key['recipes']) or 'none, no gate'} | {_percent(key['precision'])} "
            f"| {_percent(key['recall'])} | {_percent(shares['requester'])} | {_percent(shares['holder'])} |"
        )
    lines += [
        "",
        "| tier | pairs it finds | not found before | of those right | precision so far | recall so far |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {number}. {tier['key']} | {tier['pairs']:,} | {tier['added']:,} | {tier['added_right']:,} "
        f"| {_percent(tier['precision'])} | {_percent(tier['recall'])} |"
        for number, tier in enumerate(measured["tiers"], start=1)
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "none found" if share is None else f"{100 * share:.2f} %"
