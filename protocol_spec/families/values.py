"""Make the vectors of functions: items, hashing to the group, randomness, lengths, the steps of ecdh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reference import blake3, ecdh, hash_to_group, items, parameters, randomness, ristretto255, terms

from .common import fixed_bytes, people, vector_file

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE_CASES = (
    ("digits/1", None, "123-45-6789", "separators go"),
    ("digits/1", None, "  000 12 3456\t", "leading zeros stay"),
    ("digits/1", None, "12a34 B5", "letters go"),
    ("digits/1", None, "", "nothing in, nothing out"),
    ("digits/1", None, "n/a", "nothing is left: such a row is rejected"),
    ("digits/1", None, "\uff11\uff12\uff13\u0664\u00b2", "digits other than 0 to 9 go"),
    ("nfkd-upper-alnum/1", None, "O'Brien-Smith, Jr.", "punctuation and blanks go"),
    ("nfkd-upper-alnum/1", None, "M\u00fcller", "a letter with its accent in one character"),
    ("nfkd-upper-alnum/1", None, "Mu\u0308ller", "the same with the accent as a character of its own"),
    ("nfkd-upper-alnum/1", None, "Stra\u00dfe", "one letter becomes two"),
    ("nfkd-upper-alnum/1", None, "STRA\u1e9eE", "the capital sharp s stays itself"),
    (
        "nfkd-upper-alnum/1",
        None,
        "\ufb01 \u2167 \u2116 \u00aa \u00bd \u212a \u017f",
        "compatibility forms come apart",
    ),
    ("nfkd-upper-alnum/1", None, "\u0130\u0131", "no language in particular: both become I"),
    ("nfkd-upper-alnum/1", None, "\u01c6\u0149", "a modifier letter is a letter"),
    (
        "nfkd-upper-alnum/1",
        None,
        "\u00b5\u1fb3\u0390",
        "capitals that come apart again, and an iota from below a letter",
    ),
    (
        "nfkd-upper-alnum/1",
        None,
        "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
        "both small sigmas have one capital",
    ),
    ("nfkd-upper-alnum/1", None, "\u0439\u0451\u0491", "Cyrillic"),
    ("nfkd-upper-alnum/1", None, "\ud55c\uae00", "Hangul comes apart into its letters"),
    ("nfkd-upper-alnum/1", None, "\u5c71\u7530\u3000\u592a\u90ce", "ideographs stay"),
    ("nfkd-upper-alnum/1", None, "\u0930\u093e\u092e", "vowel signs are marks, not letters, and go"),
    ("nfkd-upper-alnum/1", None, "\u10d0\u13a0\uab70", "Georgian and Cherokee have capitals"),
    (
        "nfkd-upper-alnum/1",
        None,
        "A\u200d\u00a0\U0001f469\ue000B",
        "joiners, blanks, pictures and private use go",
    ),
    ("nfkd-upper-alnum/1", None, "\u0264\u019b", "letters whose capitals are younger than Unicode 14.0"),
    (
        "nfkd-upper-alnum/1",
        None,
        "A\ua7cb\u1c89\U00010d50\U0002ebf0B",
        "characters younger than Unicode 14.0 go",
    ),
    ("nfkd-upper-alnum/1", None, "\u2014", "nothing is left: such a row is rejected"),
    ("name-last/1", None, "Garc\u00eda-L\u00f3pez, Jr.", "a generation at the end goes"),
    ("name-last/1", None, "Smith III Sr", "so do two"),
    ("name-last/1", None, " Jr. ", "but not where it is the whole name"),
    ("name-last/1", None, "Ii Sr", "one word always stays"),
    ("name-last/1", None, "O\u2019Brien-2nd", "words end at a hyphen, and not at an apostrophe"),
    ("name-last/1", None, "Junior Jra", "what only begins like a generation stays"),
    ("name-last/1", None, "--", "nothing is left: such a row is rejected"),
    ("address-usps/1", None, "12 North Main Street, Apt. 4", "words of the table get their short form"),
    ("address-usps/1", None, "12 N MAIN ST # 4", "the short form stays"),
    ("address-usps/1", None, "12 n. main st Suite #4", "one number sign of two"),
    ("address-usps/1", None, "12 N.W. Saint Charles Av", "full stops go, and a saint is a street"),
    ("address-usps/1", None, "P.O. Box 77", "a box"),
    (
        "address-usps/1",
        None,
        "1 Twentieth\tAvenue\u00a0East",
        "any blank separates, and ordinals are numbers",
    ),
    ("address-usps/1", None, "5 O'Brien's L\u00e4ne", "without its accent it is a word of the table"),
    ("address-usps/1", None, "1/2 Str North North", "next to each other, each word for itself"),
    ("address-usps/1", None, "Streets", "a word that only begins like one of the table stays"),
    ("address-usps/1", None, "##", "a number sign alone is not nothing"),
    ("address-usps/1", None, ",", "nothing is left: such a row is rejected"),
    ("date-iso/1", "%m/%d/%Y", "01/31/1990", "month first"),
    ("date-iso/1", "%d.%m.%Y", "31.01.1990", "day first"),
    ("date-iso/1", "%Y%m%d", "19900131", "no separators"),
    ("date-iso/1", "%-m/%-d/%Y", "1/9/1990", "without leading zeros"),
    ("date-iso/1", "%d-%b-%Y", "31-JaN-1990", "an English month, in any case"),
    ("date-iso/1", "%b %-d, %Y", "Feb 29, 2000", "a leap year"),
    ("date-iso/1", "%b %-d, %Y", "Feb 29, 1900", "not a leap year"),
    ("date-iso/1", "%Y-%m-%d", "1990-1-31", "a leading zero is missing"),
    ("date-iso/1", "%-m/%-d/%Y", "01/31/1990", "a leading zero too many"),
    ("date-iso/1", "%Y-%m-%d", " 1990-01-31", "a blank too many"),
    ("date-iso/1", "%Y-%m-%d", "1990-01-31\n", "a line feed too many"),
    ("date-iso/1", "%Y-%m-%d", "1990-13-01", "no such month"),
    ("date-iso/1", "%Y-%m-%d", "1990-04-31", "no such day"),
    ("date-iso/1", "%Y-%m-%d", "0000-01-01", "the year 0000 is in no calendar"),
    ("date-iso/1", "%Y-%m-%d", "9999-12-31", "the last day"),
    ("date-iso/1", "%Y-%m-%d", "\uff11990-01-31", "digits other than 0 to 9"),
    ("date-iso/1", "%b %-d, %Y", "\u017fep 1, 1990", "a long s is no s here"),
)
RECIPES = {
    "digits/1": items.digits,
    "nfkd-upper-alnum/1": items.nfkd_upper_alnum,
    "name-last/1": items.name_last,
    "address-usps/1": items.address_usps,
}
BAD_DATE_FORMATS = (
    "",
    "%Y-%m",
    "%y-%m-%d",
    "%Y-%m-%d %m",
    "%m%d%Y%d",
    "%-m%d%Y",
    "%Y%-m-%d",
    "%Y-%m-%dT",
    "%Y|%m|%d",
    "%Y-%B-%d",
)

MATCH_KEYS = (
    (["123456789", "OBRIEN", "1990-01-31"], "the default key"),
    (["AB", "C"], "the border between two columns counts"),
    (["A", "BC"], "the border between two columns counts"),
    (["ABC"], "one column"),
    (["\u0421\u041c\u0418\u0422", "\u5c71\u7530"], "lengths are of bytes, not of characters"),
    (["A" * 1013, "B"], "1,022 bytes: below a chunk of BLAKE3"),
    (["A" * 1016], "1,020 bytes and the length: exactly a chunk of BLAKE3"),
    (["A" * 1021], "one byte more than a chunk of BLAKE3"),
)
PAIRS_OF_SIZES = (
    (0, 0), (0, 5), (1, 1), (1, 2), (2, 1), (3, 4), (16, 16), (16, 17), (255, 257), (256, 256), (2**20, 2**20),
    (2**20, 2**20 + 1), (1_280_000, 1_280_000), (7_600_000, 1_280_000), (160_000_000, 1_280_000), (2**28, 2**28),
)  # fmt: skip


def rule(name: str, *columns: str, **parameters: Any) -> dict[str, Any]:
    """Return a rule of terms with all its fields."""
    names = ("format", "earliest", "latest", "min_length", "max_length", "classes", "values")
    return {"rule": name, "columns": list(columns), **dict.fromkeys(names), **parameters}


def key_column(
    name: str, requester: str, holder: str, recipe: str, formats: tuple[str | None, str | None] = (None, None)
) -> dict[str, Any]:
    """Return a column of a key with all its fields."""
    return {
        "name": name,
        "requester": requester,
        "holder": holder,
        "recipe": recipe,
        "requester_format": formats[0],
        "holder_format": formats[1],
    }


TERMS: dict[str, Any] = {
    "schema": "psi/terms/1",
    "purpose": 'A test: \u201cquotes\u201d, "quotes", a back\\slash,\nand a second line.',
    "authority": "None. Na\u00efve \U0001f512 characters \u0001 of all kinds.",
    "suite": "vole-malicious",
    "learns": "both",
    "first": "holder",
    "deadline_s": 25,
    "tree_depth": 9,
    "expires": "2030-12-31",
    "requester": {
        "name": "Requester",
        "signing_key": "11" * 32,
        "sealing_key": "22" * 32,
        "fingerprint": "33" * 32,
        "certificate": "-----BEGIN CERTIFICATE-----\nnot a real one\n-----END CERTIFICATE-----\n",
        "max_items": 1_500_000,
        "delimiter": ",",
        "encoding": "utf-8",
        "sheet": "People",
        "required": ["tin", "last_name", "dob"],
        "rules": [
            rule("tax-number/1", "tin"),
            rule("date-between/1", "dob", format="%m/%d/%Y", earliest="1900-01-01", latest="2025-12-31"),
            rule("length/1", "last_name", "dob", min_length=1, max_length=200),
            rule("tax-number-class/1", "tin", classes=["ssn", "itin"]),
            rule("not-placeholder/1", "last_name", values=["N\u00e9ant"]),
        ],
        "max_rejected_percent": 5,
    },
    "holder": {
        "name": "Holder",
        "signing_key": "44" * 32,
        "sealing_key": "55" * 32,
        "fingerprint": "66" * 32,
        "certificate": "-----BEGIN CERTIFICATE-----\nnot a real one either\n-----END CERTIFICATE-----\n",
        "max_items": 268_435_456,
        "delimiter": "|",
        "encoding": "windows-1252",
        "sheet": None,
        "required": ["TIN", "BIRTH"],
        "rules": [],
        "max_rejected_percent": None,
    },
    "keys": [
        {
            "name": "number and birth",
            "compare": "match",
            "columns": [
                key_column("tax number", "tin", "TIN", "digits/1"),
                key_column("day of birth", "dob", "BIRTH", "date-iso/1", ("%m/%d/%Y", "%Y-%m-%d")),
            ],
        },
        {
            "name": "number",
            "compare": "count",
            "columns": [key_column("tax number", "tin", "TIN", "digits/1")],
        },
    ],
}
COUNTS = (0, 1, 2, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 1_280_000)


def files() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files of this module."""
    yield "recipes.json", recipes()
    yield "match_keys.json", match_keys()
    yield "terms.json", terms_case()
    yield "hash_to_group.json", hash_to_group_cases()
    yield "randomness.json", randomness_cases()
    yield "lengths.json", lengths()
    for suite in parameters.ECDH_SUITES:
        yield f"{suite.replace('-', '_')}_functions.json", functions(suite)


def recipes() -> dict[str, Any]:
    """Return raw values and what the recipes make of them."""
    cases = []
    for recipe, date_format, value, comment in RECIPE_CASES:
        result = items.date_iso(value, date_format) if date_format else RECIPES[recipe](value)
        format_field = {"format": date_format} if date_format else {}
        cases.append({"recipe": recipe, **format_field, "value": value, "result": result, "comment": comment})
    return vector_file(
        "recipes",
        "values before and after a recipe (psi.md, Recipes)",
        {"cases": cases, "bad_date_formats": list(BAD_DATE_FORMATS)},
    )


def match_keys() -> dict[str, Any]:
    """Return normalised values, their match key and the digest of the item."""
    cases = [
        {
            "values": values,
            "match_key": items.match_key(values).hex(),
            "digest": items.item_digest(items.match_key(values)).hex(),
            "comment": comment,
        }
        for values, comment in MATCH_KEYS
    ]
    return vector_file(
        "match-keys", "normalised values and the item they make (psi.md, Match key)", {"cases": cases}
    )


def terms_case() -> dict[str, Any]:
    """Return an agreement, its canonical form, its digest and those of its keys."""
    case = {
        "values": TERMS,
        "canonical_json": terms.canonical_json(TERMS),
        "digest": terms.terms_digest(TERMS).hex(),
        "key_digests": [
            terms.key_digest(terms.terms_digest(TERMS), number).hex() for number in range(len(TERMS["keys"]))
        ],
        "comment": "every field there is; the keys of the parties and their certificates are not real ones",
    }
    return vector_file(
        "terms", "the digests of an agreement and its keys (psi.md, Terms digest)", {"cases": [case]}
    )


def hash_to_group_cases() -> dict[str, Any]:
    """Return digests and the elements they hash to."""
    cases = []
    for suite in parameters.ECDH_SUITES:
        dst = ecdh.suite_dst(suite, fixed_bytes("sid"))
        for digest in (bytes(32), b"\xff" * 32, *people(0, 2)):
            uniform = hash_to_group.expand_message_xmd(digest, dst, hash_to_group.UNIFORM_BYTES)
            element = ristretto255.encode(hash_to_group.hash_to_group(digest, dst))
            cases.append(
                {
                    "message": digest.hex(),
                    "dst": dst.hex(),
                    "uniform_bytes": uniform.hex(),
                    "element": element.hex(),
                }
            )
    return vector_file(
        "hash-to-group", "H of the suites ecdh and ecdh-cardinality (ecdh.md, H)", {"cases": cases}
    )


def randomness_cases() -> dict[str, Any]:
    """Return streams, scalars and permutations, from seeds and from streams that show the rejected values."""
    order = ristretto255.ORDER
    streams = [
        ("ecdh receiver scalar", fixed_bytes("seed"), fixed_bytes("sid")),
        ("ecdh sender scalar", fixed_bytes("seed"), fixed_bytes("sid")),
        ("ecdh sender scalar", bytes(32), bytes(32)),
    ]
    scalars = [
        ("0 is skipped", bytes(64) + (1).to_bytes(64, "little")),
        ("the order is 0, and skipped", order.to_bytes(64, "little") + (order + 7).to_bytes(64, "little")),
        ("the largest input", b"\xff" * 64),
    ]
    uniforms = [
        (
            "the largest word is skipped, 2^64 - 1 being a multiple of 3",
            3,
            b"\xff" * 8 + (2**64 - 2).to_bytes(8, "little"),
        ),
        ("nothing is skipped for a power of two", 8, b"\xff" * 8),
        ("a large bound", 2**28 - 1, (2**63 + 12345).to_bytes(8, "little")),
    ]
    return vector_file(
        "randomness",
        "what a role draws from its seed (ecdh.md, Randomness)",
        {
            "seeds": [
                {
                    "label": label,
                    "seed": seed.hex(),
                    "sid": sid.hex(),
                    "stream": blake3.first_bytes(randomness.role_stream(seed, sid, label), 128).hex(),
                    "scalar": encode_scalar(randomness.scalar(randomness.role_stream(seed, sid, label))),
                }
                for label, seed, sid in streams
            ],
            "scalars": [
                {
                    "stream": stream.hex(),
                    "scalar": encode_scalar(randomness.scalar(iter(stream))),
                    "comment": comment,
                }
                for comment, stream in scalars
            ],
            "uniform": [
                {
                    "stream": stream.hex(),
                    "bound": bound,
                    "result": randomness.uniform(iter(stream), bound),
                    "comment": comment,
                }
                for comment, bound, stream in uniforms
            ],
            "permutations": [
                {
                    "seed": fixed_bytes("seed").hex(),
                    "sid": fixed_bytes("sid").hex(),
                    "label": "ecdh sender shuffle",
                    "permutation": randomness.permutation(
                        randomness.role_stream(
                            fixed_bytes("seed"), fixed_bytes("sid"), "ecdh sender shuffle"
                        ),
                        count,
                    ),
                }
                for count in (0, 1, 2, 3, 10, 100)
            ],
        },
    )


def lengths() -> dict[str, Any]:
    """Return tag lengths and the sizes of chunks."""
    return vector_file(
        "lengths",
        "lengths that follow from the sizes (security.md, Tag length; psi.md, Chunks)",
        {
            "tag_bytes": [
                {
                    "n_sender": n_sender,
                    "n_receiver": n_receiver,
                    "tag_bytes": parameters.tag_bytes(n_sender=n_sender, n_receiver=n_receiver),
                }
                for n_sender, n_receiver in PAIRS_OF_SIZES
            ],
            "chunks": [
                {
                    "count": count,
                    "element_frames": parameters.chunk_sizes(count, parameters.ELEMENTS_PER_FRAME),
                    "tag_frames": parameters.chunk_sizes(count, parameters.TAGS_PER_FRAME),
                }
                for count in COUNTS
            ],
        },
    )


def functions(suite: str) -> dict[str, Any]:
    """Return every step of a suite for a few items."""
    sid, length = fixed_bytes("sid"), 11
    dst, key = ecdh.suite_dst(suite, sid), ecdh.tag_key(suite, sid)
    a = randomness.scalar(randomness.role_stream(fixed_bytes("receiver seed"), sid, "ecdh receiver scalar"))
    b = randomness.scalar(randomness.role_stream(fixed_bytes("sender seed"), sid, "ecdh sender scalar"))
    cases = []
    for digest in people(0, 3):
        [blinded] = ecdh.blind([digest], a, dst)
        [evaluated] = ecdh.evaluate([blinded], b)
        [finalized] = ecdh.finalize([evaluated], a)
        cases.append(
            {
                "digest": digest.hex(),
                "blinded": blinded.hex(),
                "evaluated": evaluated.hex(),
                "finalized": finalized.hex(),
                "tag": ecdh.tag(suite, key, finalized, digest, length).hex(),
            }
        )
    return vector_file(
        "ecdh-functions",
        f"every step of the suite {suite} for a few items (ecdh.md, Functions)",
        {
            "suite": suite,
            "sid": sid.hex(),
            "dst": dst.hex(),
            "a": encode_scalar(a),
            "b": encode_scalar(b),
            "tag_key": key.hex(),
            "tag_bytes": length,
            "cases": cases,
            "sender_tags": [tag.hex() for tag in ecdh.sender_tags(people(0, 3), b, suite, sid, length)],
        },
    )


def encode_scalar(scalar: int) -> str:
    """Return a scalar as 32 bytes, little-endian, in hexadecimal."""
    return scalar.to_bytes(32, "little").hex()
