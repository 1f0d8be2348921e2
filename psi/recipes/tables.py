"""
Hold the facts that rules and recipes look up: states and their ZIP codes, placeholders, words of addresses.

Sources: USPS Publication 28 (Postal Addressing Standards), appendices B (states) and C (street suffixes, unit
designators), for words; USPS Labeling List L002 (three-digit ZIP code prefixes) for states; the EIN prefixes that the
IRS publishes. A table belongs to the version of what uses it: another table is another version.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

#: The first three digits of ZIP codes of each state, ranges included.
ZIP_PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "AA": "340",
        "AE": "090-098",
        "AK": "995-999",
        "AL": "350-369",
        "AP": "962-966",
        "AR": "716-729",
        "AS": "967",
        "AZ": "850-865",
        "CA": "900-961",
        "CO": "800-816",
        "CT": "060-069",
        "DC": "200 202-205 569",
        "DE": "197-199",
        "FL": "320-339 341-342 344 346-347 349",
        "FM": "969",
        "GA": "300-319 398-399",
        "GU": "969",
        "HI": "967-968",
        "IA": "500-528",
        "ID": "832-838",
        "IL": "600-629",
        "IN": "460-479",
        "KS": "660-679",
        "KY": "400-427",
        "LA": "700-714",
        "MA": "010-027 055",
        "MD": "206-219",
        "ME": "039-049",
        "MH": "969",
        "MI": "480-499",
        "MN": "550-567",
        "MO": "630-658",
        "MP": "969",
        "MS": "386-397",
        "MT": "590-599",
        "NC": "270-289",
        "ND": "580-588",
        "NE": "680-693",
        "NH": "030-038",
        "NJ": "070-089",
        "NM": "870-884",
        "NV": "889-898",
        "NY": "005 100-149",
        "OH": "430-459",
        "OK": "730-732 734-749",
        "OR": "970-979",
        "PA": "150-196",
        "PR": "006-007 009",
        "PW": "969",
        "RI": "028-029",
        "SC": "290-299",
        "SD": "570-577",
        "TN": "370-385",
        "TX": "733 750-799 885",
        "UT": "840-847",
        "VA": "201 220-246",
        "VI": "008",
        "VT": "050-054 056-059",
        "WA": "980-994",
        "WI": "530-549",
        "WV": "247-268",
        "WY": "820-831",
    }
)
#: ZIP codes that lie in a state although their prefix is another's.
ZIPS_ACROSS_A_BORDER: Mapping[str, str] = MappingProxyType({"06390": "NY", "83414": "WY"})
#: ZIP codes of one repeated digit that are in use; any other is no ZIP code.
REPEATED_ZIPS = ("22222", "44444", "55555")


@cache
def prefixes_with_states() -> frozenset[str]:
    """Return each prefix with each of its states, as ``750TX``."""
    pairs = set()
    for state, ranges in ZIP_PREFIXES.items():
        for part in ranges.split():
            first, _, last = part.partition("-")
            pairs |= {f"{prefix:03}{state}" for prefix in range(int(first), int(last or first) + 1)}
    return frozenset(pairs)


def is_zip_of(zip_code: str, state: str) -> bool:
    """Return whether five digits can be a ZIP code of a state; the synthetic case makes no others."""
    if len(set(zip_code)) == 1 and zip_code not in REPEATED_ZIPS:
        return False
    return zip_code[:3] + state in prefixes_with_states() or ZIPS_ACROSS_A_BORDER.get(zip_code) == state


#: What stands where a value should be; any character but a letter may lie between, before and after the words.
PLACEHOLDERS = (
    *("unknown", "unk", "unkn", "unknwn", "undetermined", "unspecified", "unavailable", "undisclosed"),
    *(
        "not known",
        "not provided",
        "not available",
        "not applicable",
        "not given",
        "not stated",
        "not listed",
    ),
    *("not on file", "not specified", "not disclosed", "not reported", "not entered", "not verified"),
    *("failed to provide", "failure to provide", "fail to provide", "did not provide", "refused to provide"),
    *("would not provide", "unable to provide", "refused", "declined", "declined to provide", "withheld"),
    *("none", "none given", "none provided", "none listed", "no data", "no information", "no record"),
    *("n a", "null", "nil", "nan", "tbd", "tba", "to be determined", "to follow", "pending", "missing"),
    *("same", "same as above", "same as before", "same as mailing", "see above", "see file", "see notes"),
    *("see attached", "as above", "ditto", "homeless", "transient", "no fixed address", "no fixed abode"),
    *(
        "no address",
        "no known address",
        "no permanent address",
        "no residence",
        "at large",
        "whereabouts unknown",
    ),
    *(
        "address unknown",
        "bad address",
        "invalid address",
        "undeliverable",
        "returned mail",
        "return to sender",
    ),
    *(
        "moved",
        "deceased",
        "confidential",
        "do not use",
        "do not know",
        "dont know",
        "dont care",
        "do not care",
    ),
    *("dummy", "placeholder", "sample", "asdf", "asdfasdf", "qwerty", "blank", "empty", "fake", "xyz"),
)
#: What may follow "unknown" and its like.
PLACEHOLDER_NOUNS = (
    *("address", "addr", "street", "st", "city", "state", "zip", "county", "location", "residence", "place"),
    *("person", "name", "date", "reason", "value", "number"),
)
#: Placeholders of names; those of values in general that are somebody's name (Null, Same) are not among them.
NAME_PLACEHOLDERS = (
    *("unknown", "unk", "fnu", "lnu", "nfn", "nln", "nmn", "no name", "no first name", "no last name"),
    *("first name unknown", "last name unknown", "name unknown", "unknown name", "name not known", "unnamed"),
    *("no name given", "not provided", "not known", "not available", "not applicable", "failed to provide"),
    *("refused", "declined", "withheld", "not given", "test test", "test record", "john doe", "jane doe"),
)

#: The first two digits of employer identification numbers that the IRS assigns.
EIN_PREFIXES = (
    *("01", "02", "03", "04", "05", "06", "10", "11", "12", "13", "14", "15", "16", "20", "21", "22", "23"),
    *("24", "25", "26", "27", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "40", "41", "42"),
    *("43", "44", "45", "46", "47", "48", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60"),
    *("61", "62", "63", "64", "65", "66", "67", "68", "71", "72", "73", "74", "75", "76", "77", "80", "81"),
    *("82", "83", "84", "85", "86", "87", "88", "90", "91", "92", "93", "94", "95", "98", "99"),
)
