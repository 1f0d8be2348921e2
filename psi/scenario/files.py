"""Make rows of the two files of a case: slices of columns, the same bytes however they are sliced."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from psi.scenario import pools
from psi.scenario.draws import Draws
from psi.scenario.plan import BAD_DATE, BAD_TAX_NUMBER, JUNK_ADDRESS, Plan

REQUEST_COLUMNS = (
    *(
        "request_id",
        "first_name",
        "middle_name",
        "last_name",
        "suffix",
        "tin",
        "street",
        "city",
        "state",
        "zip",
    ),
    *("dob", "final_order_date", "case_number", "statute", "taxable_periods", "officer_id", "reason_code"),
    "reason_text",
)
RECORD_COLUMNS = (
    *("record_id", "first_name", "last_name", "dob", "tin", "tin_type", "street", "city", "state", "zip"),
    *("tax_year", "last_known_address_date"),
)
MOVED_SHARE = 15  # percent of the people who have another address in the records


def requests(plan: Plan, rows: NDArray[np.uint64], slots: NDArray[np.uint64]) -> pl.DataFrame:
    """Return rows of the request file, given which slot each is."""
    row = _Rows(plan, "requests", plan.requested(slots), rows)
    kinds = plan.kinds(slots)
    reason = row.of_row("reason", len(pools.REASONS))
    address = row.address(as_holder=False)
    junk_at = np.flatnonzero(kinds == JUNK_ADDRESS)
    junk = junk_addresses(plan, rows[junk_at])
    for part, column in enumerate(address):
        values = [replaced[part + 1] for replaced in pools.JUNK_ADDRESSES]
        changed = np.array([value is not None for value in values])[junk]
        address[part] = column.scatter(junk_at[changed], pools.texts(values).gather(junk[changed]))
    bad_number_at, bad_date_at = np.flatnonzero(kinds == BAD_TAX_NUMBER), np.flatnonzero(kinds == BAD_DATE)
    columns = (
        request_ids(rows),
        row.name("first name", pools.first_names()),
        row.pick("middle name", pools.MIDDLE_NAMES),
        row.name("last name", pools.last_names()),
        row.pick("suffix", pools.SUFFIXES),
        row.tax_number().scatter(bad_number_at, row.pick("bad number", pools.BAD_TAX_NUMBERS)[bad_number_at]),
        *address,
        row.birth().scatter(bad_date_at, row.pick("bad date", pools.BAD_DATES)[bad_date_at]),
        row.day("final order"),
        _numbered("C", row.of_row("case", 10**9), 9),
        row.pick("statute", pools.STATUTES),
        row.pick("periods", pools.PERIODS),
        pools.officers().gather(row.of_row("officer", pools.OFFICERS)),
        pools.texts([code for code, _ in pools.REASONS]).gather(reason),
        pools.texts([text for _, text in pools.REASONS]).gather(reason),
    )
    return pl.DataFrame(dict(zip(REQUEST_COLUMNS, columns, strict=True)))


def records(plan: Plan, rows: NDArray[np.uint64], slots: NDArray[np.uint64]) -> pl.DataFrame:
    """Return rows of the record file, given which slot each is."""
    row = _Rows(plan, "records", plan.recorded(slots), rows)
    columns = (
        record_ids(rows),
        row.name("first name", pools.first_names()),
        row.name("last name", pools.last_names()),
        row.birth(),
        row.tax_number(),
        row.pick("type", pools.TAX_NUMBER_TYPES),
        *row.address(as_holder=True),
        row.pick("year", pools.TAX_YEARS),
        row.day("address date"),
    )
    return pl.DataFrame(dict(zip(RECORD_COLUMNS, columns, strict=True)))


def request_ids(rows: NDArray[np.uint64]) -> pl.Series:
    """Return the identifiers of requests, which count the rows of the file from 1."""
    return _numbered("R", rows + np.uint64(1), 8)


def record_ids(rows: NDArray[np.uint64]) -> pl.Series:
    """Return the identifiers of records, which count the rows of the file from 1."""
    return _numbered("T", rows + np.uint64(1), 8)


def junk_addresses(plan: Plan, rows: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return which of the junk addresses stands in each of these rows of the request file."""
    return Draws(plan.seed).below("requests junk", rows, len(pools.JUNK_ADDRESSES))


def _numbered(prefix: str, values: NDArray[np.unsignedinteger], width: int) -> pl.Series:
    return prefix + pl.Series(values).cast(pl.String).str.zfill(width)


class _Rows:
    """Make columns for a slice of one file; ``people`` and ``rows`` say what each row is about and where it is."""

    def __init__(self, plan: Plan, file: str, people: NDArray[np.uint64], rows: NDArray[np.uint64]) -> None:
        self._draws = Draws(plan.seed)
        self._file = file
        self._people = people
        self._rows = rows

    def of_person(self, label: str, bound: int) -> NDArray[np.uint32]:
        """Draw what is the same in every row about a person."""
        return self._draws.below(label, self._people, bound)

    def of_row(self, label: str, bound: int) -> NDArray[np.uint32]:
        """Draw what is another in every row."""
        return self._draws.below(f"{self._file} {label}", self._rows, bound)

    def pick(self, label: str, choices: tuple[str | None, ...]) -> pl.Series:
        """Return one of a few texts for each row."""
        return pools.texts(choices).gather(self.of_row(label, len(choices)))

    def name(self, label: str, names: pools.Names) -> pl.Series:
        """Return the person's name as this row writes it."""
        name = names.table[self.of_person(label, 65536)]
        way = self.of_row(f"way of {label}", names.ways)
        return names.pool.gather(way * np.uint32(names.count) + name)

    def tax_number(self) -> pl.Series:
        """Return the person's tax number with the separators of this row."""
        number = self._draws.permute("tax number", self._people, pools.TAX_NUMBERS).astype(np.uint32)
        start, end = np.divmod(number, np.uint32(pools.SERIALS))
        separator = self.of_row("separator", len(pools.TAX_NUMBER_SEPARATORS))
        starts, ends = pools.tax_number_starts(), pools.tax_number_ends()
        return starts.gather(separator * np.uint32(pools.AREAS * pools.GROUPS) + start) + ends.gather(
            separator * np.uint32(pools.SERIALS) + end
        )

    def birth(self) -> pl.Series:
        """Return the person's date of birth."""
        return pools.days(pools.FIRST_BIRTH, pools.BIRTH_DAYS).gather(
            self.of_person("birth", pools.BIRTH_DAYS)
        )

    def day(self, label: str) -> pl.Series:
        """Return some recent day for each row."""
        return pools.days(pools.FIRST_ORDER, pools.ORDER_DAYS).gather(self.of_row(label, pools.ORDER_DAYS))

    def address(self, *, as_holder: bool) -> list[pl.Series]:
        """Return street, city, state and ZIP of the person, as requesters or as holders write them."""
        home = self._people
        if as_holder:
            moved = self.of_person("moved", 100) < MOVED_SHARE
            home = np.where(moved, home + np.uint64(pools.TAX_NUMBERS), home)  # a number that is nobody's
        below, towns, way = self._draws.below, pools.places(), np.uint32(as_holder)
        units = pools.units()
        street = below("street", home, pools.STREETS) + way * np.uint32(pools.STREETS)
        unit = below("unit", home, pools.UNITS) + way * np.uint32(pools.UNITS)
        place = below("place", home, pools.PLACES)
        line = pools.house_numbers().gather(below("number", home, pools.HOUSE_NUMBERS))
        line = line + pools.streets().gather(street) + units.gather(unit)
        return [line, towns.city.gather(place), towns.state.gather(place), towns.zip.gather(place)]
