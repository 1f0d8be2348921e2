"""
Hold the pools that synthetic people are drawn from: names with weights, streets, places, texts of requests.

The names and their weights are those of Faker's en_US provider (the thousand most frequent surnames of the US
Census, and given names); the tail of rare names is missing. Every pool is a column of texts, and a row is an
index into it. A name stands in its pool once for each way of writing it, and the recipe ``nfkd-upper-alnum/1``
makes all of them equal.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import polars as pl
from faker.providers.address.en_US import Provider as Addresses
from faker.providers.person.en_US import Provider as People
from numpy.typing import NDArray

from psi.recipes import is_zip_of
from psi.scenario.draws import Draws, weighted_table

DOUBLE_NAMES = 2_000  # "Garcia Lopez": as many of them as rows of the pool
DOUBLE_NAME_SHARE = 0.05
PLACES = 4_096
STREETS = 4_096
UNITS = 400  # three in four are no unit
HOUSE_NUMBERS = 9_999
FIRST_BIRTH = datetime.date(1940, 1, 1)
BIRTH_DAYS = 65 * 365
FIRST_ORDER = datetime.date(2015, 1, 1)
ORDER_DAYS = 10 * 365

ACCENTED = (
    *("García", "Rodríguez", "Martínez", "Hernández", "López", "González", "Pérez", "Sánchez", "Ramírez"),
    *("Gómez", "Díaz", "Jiménez", "Álvarez", "Gutiérrez", "Vázquez", "Fernández", "Domínguez", "Muñoz"),
    *("Núñez", "Peña", "José", "María", "Jesús", "Ángel", "Mónica", "Verónica"),
)
COMPOSED = ("O'Brien", "O'Connor", "O'Neill", "O'Neal", "O'Donnell", "De La Cruz", "De Leon", "Mac Donald")
MIDDLE_NAMES = (*[None] * 8, *"ABCDEFGHJKLMPRST", *(f"{letter}." for letter in "ABCDEFGHJKLMPRST"))
SUFFIXES = (*[None] * 36, "Jr.", "Sr.", "II", "III")
STREET_KINDS = (  # as one party writes it, and as the other does
    ("Street", "St"),
    ("Avenue", "Ave"),
    ("Road", "Rd"),
    ("Drive", "Dr"),
    ("Lane", "Ln"),
    ("Court", "Ct"),
    ("Boulevard", "Blvd"),
    ("Way", "Way"),
)
STATUTES = ("8 U.S.C. 1253(a)(1)", "8 U.S.C. 1326(a)", "8 U.S.C. 1325(a)", "18 U.S.C. 1546(a)")
PERIODS = ("2021;2022;2023", "2022;2023", "2023", "2022;2023;2024", "2023;2024", "2024")
REASONS = (
    ("FINAL-ORDER", "Final order of removal, departure not confirmed"),
    ("FINAL-ORDER", "Final order of removal; last known address is stale"),
    ("REENTRY", "Suspected reentry after removal, under investigation"),
    ("REENTRY", "Reentry after removal; residence needed for service"),
    ("FRAUD", "Suspected document fraud, case referred"),
    ("FAILURE-TO-DEPART", "Willful failure to depart, 90 days elapsed"),
)
OFFICERS = 400
TAX_YEARS = ("2022", "2023", "2024")
TAX_NUMBER_TYPES = ("SSN", "SSN", "SSN", "ITIN")

# Areas 900 to 999 with groups 01 to 49 belong to nobody: no SSN has such an area, no ITIN such a group.
AREAS, GROUPS, SERIALS = 100, 49, 9_999
TAX_NUMBERS = AREAS * GROUPS * SERIALS
TAX_NUMBER_SEPARATORS = ("", "-", " ")

# What rows of the case had for an address: a kind, then street, city, state, ZIP; None keeps the good value.
JUNK_ADDRESSES: tuple[tuple[str, str | None, str | None, str | None, str | None], ...] = (
    ("unknown-with-number", "Unknown Address 12345", None, None, None),
    ("failed-to-provide", "Failed to Provide", None, None, None),
    ("bare-zip", "", "", "", None),
    ("placeholder-word", "UNKNOWN", None, None, None),
    ("placeholder-word", "N/A", "N/A", None, None),
    ("placeholder-word", "Homeless", None, None, None),
    ("placeholder-word", "Same as above", None, None, None),
    ("no-city-no-state", None, "", "", None),
    ("no-street", "", None, None, None),
    ("repeated-digits", "99999 99999", None, None, "99999"),
    ("invented-line", "Don't care 12345", None, None, None),
    ("number-for-street", "75201", None, None, None),
)
BAD_TAX_NUMBERS = ("12345678", "XXX-XX-1234", "912-34-567", "9123456789", "91-2345-678", "unknown")
BAD_DATES = ("1985-02-30", "1985-13-01", "03/04/1985", "85-03-04", "1985", "unknown")


def texts(values: Sequence[str | None]) -> pl.Series:
    """Return a pool; an empty text becomes null, which a CSV file shows as an empty field without quotes."""
    return pl.Series([value or None for value in values], dtype=pl.String)


@dataclass(frozen=True)
class Names:
    """Hold a pool of names in several ways of writing: name ``i`` in way ``w`` is at ``w * count + i``."""

    pool: pl.Series
    count: int
    ways: int
    table: NDArray[np.uint32]  # 65,536 names, each as often as its weight says


def _spelled() -> dict[str, str]:
    """Return the careful spelling of names that the pools have without accents, apostrophes and blanks."""
    plain = str.maketrans("áéíóúñÁ", "aeiounA")
    careful = {word.translate(plain): word for word in ACCENTED}
    careful |= {"".join(re.findall("[A-Za-z]", word)).capitalize(): word for word in COMPOSED}
    return careful | {
        name: f"Mc{name[2:].capitalize()}" for name in People.last_names if name.startswith("Mc")
    }


def _ways(name: str, careful: dict[str, str]) -> list[str | None]:
    """Return a name as different clerks write it; the recipe makes all of them equal."""
    spelled = " ".join(careful.get(word, word) for word in name.split())
    return [name, name.upper(), spelled, spelled.replace(" ", "-").upper(), name.replace(" ", ""), f"{name} "]


@cache
def last_names() -> Names:
    """Return single and double last names with their weights."""
    singles = list(People.last_names)
    weights = list(People.last_names.values())
    draws, index = Draws(0), np.arange(DOUBLE_NAMES, dtype=np.uint64)
    table = weighted_table(weights)
    first, second = (table[draws.below(label, index, 65536)] for label in ("first part", "second part"))
    doubles = [f"{singles[a]} {singles[b]}" for a, b in zip(first, second, strict=True)]
    total = sum(weights)
    weights = [weight * (1 - DOUBLE_NAME_SHARE) / total for weight in weights]
    weights += [DOUBLE_NAME_SHARE / DOUBLE_NAMES] * DOUBLE_NAMES
    return _names(singles + doubles, weights)


@cache
def first_names() -> Names:
    """Return given names with their weights."""
    return _names(list(People.first_names), list(People.first_names.values()))


def _names(names: list[str], weights: list[float]) -> Names:
    careful = _spelled()
    by_way = list(zip(*(_ways(name, careful) for name in names), strict=True))
    pool = texts([name for way in by_way for name in way])
    return Names(pool, len(names), len(by_way), weighted_table(weights))


@dataclass(frozen=True)
class Places:
    """Hold towns: a city, its state, and a ZIP of that state."""

    city: pl.Series
    state: pl.Series
    zip: pl.Series


@cache
def places() -> Places:
    """Return made-up towns in the fifty states and DC; every ZIP belongs to its state."""
    draws, index = Draws(0), np.arange(PLACES, dtype=np.uint64)
    states = [state for state in Addresses.states_abbr if state in Addresses.states_postcode]
    names = list(People.last_names)
    state = [states[i] for i in draws.below("state", index, len(states))]
    name = draws.below("city", index, len(names))
    suffix = draws.below("suffix", index, len(Addresses.city_suffixes))
    city = [names[n] + Addresses.city_suffixes[s] for n, s in zip(name, suffix, strict=True)]
    share = draws.words("zip", index) >> np.uint64(32)
    zips = []
    for abbreviation, part in zip(state, share, strict=True):
        low, high = Addresses.states_postcode[abbreviation]  # it has holes, in which other states lie
        codes = range(low + (int(part) * (high - low + 1) >> 32), low - 1, -1)
        zips.append(next(code for number in codes if is_zip_of(code := f"{number:05}", abbreviation)))
    return Places(texts(city), texts(state), texts(zips))


@cache
def streets() -> pl.Series:
    """Return street names: first as requesters write the kind of street, then the same streets as holders do."""
    draws, index = Draws(0), np.arange(STREETS, dtype=np.uint64)
    names = list(People.last_names)
    name = draws.below("street", index, len(names))
    kind = draws.below("kind", index, len(STREET_KINDS))
    return texts(
        [f"{names[n]} {STREET_KINDS[k][way]}" for way in (0, 1) for n, k in zip(name, kind, strict=True)]
    )


@cache
def units() -> pl.Series:
    """Return what follows a street, mostly nothing: as requesters write it, then the same as holders do."""
    return pl.Series(
        [
            pattern.format(number) if number else ""
            for pattern in (", Apt. {}", " # {}")
            for number in [*[0] * (UNITS - 100), *range(1, 101)]
        ],
        dtype=pl.String,
    )


@cache
def days(first: datetime.date, count: int) -> pl.Series:
    """Return consecutive days as ``YYYY-MM-DD``."""
    return texts([(first + datetime.timedelta(n)).isoformat() for n in range(count)])


@cache
def tax_number_starts() -> pl.Series:
    """Return area and group in every way of separating them."""
    return texts(
        [
            f"{area}{separator}{group:02}"
            for separator, area, group in product(
                TAX_NUMBER_SEPARATORS, range(900, 1000), range(1, GROUPS + 1)
            )
        ]
    )


@cache
def tax_number_ends() -> pl.Series:
    """Return the serial number in every way of separating it."""
    return texts(
        [
            f"{separator}{serial:04}"
            for separator, serial in product(TAX_NUMBER_SEPARATORS, range(1, SERIALS + 1))
        ]
    )


@cache
def house_numbers() -> pl.Series:
    """Return the numbers of houses with a blank after them."""
    return texts([f"{number} " for number in range(1, HOUSE_NUMBERS + 1)])


@cache
def officers() -> pl.Series:
    """Return the identifiers of the officers who sign requests."""
    return texts([f"OFF-{number:03}" for number in range(1, OFFICERS + 1)])
