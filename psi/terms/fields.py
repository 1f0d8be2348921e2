"""What the fields of terms are made of: strict structs, lengths, and the two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import msgspec

from psi.errors import TermsError

if TYPE_CHECKING:
    from collections.abc import Sequence

Side = Literal["requester", "holder"]
SIDES: tuple[Side, ...] = get_args(Side)
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
Length = Annotated[int, msgspec.Meta(ge=0, le=1 << 26)]
Column = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Decode exactly: an unknown field, a missing one or another type is an error."""


def check_distinct(values: Sequence[object], where: str) -> None:
    """Check that no value is there twice; raises ``TermsError`` that names the field."""
    for number, value in enumerate(values):
        if value in values[:number]:
            raise TermsError(f"{where}: {value!r} is there twice")
