"""Give the case its two organisations: an identity for each, and terms between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from psi import identity, terms
from psi.intake.output import whole_file
from psi.wire import Suite

if TYPE_CHECKING:
    from psi.terms import Learns, Side

TERMS = "terms.toml"
NAMES: dict[Side, str] = {"requester": "Example Requesting Agency", "holder": "Example Record Office"}
PURPOSE = "A rehearsal on invented people: find those who are on both lists."
AUTHORITY = "None is needed: no real person is meant."
VALID_DAYS = 30


def identity_folder(folder: Path, side: Side) -> Path:
    """Return where the keys of one side of a case are."""
    return folder / f"{side}.identity"


def agree(
    folder: Path,
    *,
    requests: int,
    records: int,
    suite: Suite | str = Suite.VOLE_MALICIOUS,
    learns: Learns | None = None,
    first: Side | None = None,
) -> Path:
    """
    Make both identities and write the terms of a case; return where the terms are.

    ``psi scenario`` and ``psi demo`` call it. The keys are fresh each time, so unlike the files they do not follow
    from a seed. Raises ``TermsError`` for a suite that is not known and ``UsageError`` where there are keys already.
    """
    cards = {
        side: identity.parse_card(identity.create(identity_folder(folder, side), name).card())
        for side, name in NAMES.items()
    }
    agreement = terms.draft(
        requester=cards["requester"],
        holder=cards["holder"],
        purpose=PURPOSE,
        authority=AUTHORITY,
        expires=datetime.now(UTC).date() + timedelta(days=VALID_DAYS),
        suite=suite,
        learns=learns,
        first=first,
        max_requests=requests,
        max_records=records,
        max_rejected_percent=terms.DEFAULT_MAX_REJECTED_PERCENT,
    )
    path = folder / TERMS
    with whole_file(path) as stream:
        stream.write(terms.dumps(agreement).encode())
    return path
