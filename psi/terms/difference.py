"""What differs between two agreements, field by field, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from psi.terms.model import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator


class Difference(msgspec.Struct, frozen=True):
    """
    Describe one field that differs between two terms; ``None`` where one of them has no such field.

    Of two lists, ``first`` and ``second`` are what only one of them holds.
    """

    field: str
    first: str | None
    second: str | None
    lists: bool = False

    def sentence(self) -> str:
        """Return the difference in words."""
        if self.first is not None and self.second is not None and not self.lists:
            return f"{self.field}: {self.first} in the first, {self.second} in the second"
        only = ((self.first, "first"), (self.second, "second"))
        return f"{self.field}: " + ", ".join(f"{value} in the {which} only" for value, which in only if value)


def diff(first: Terms, second: Terms) -> list[Difference]:
    """Return what differs, field by field in the order of the file; an empty list when the digests are equal."""
    left, right = dict(_leaves(msgspec.to_builtins(first))), dict(_leaves(msgspec.to_builtins(second)))
    return [
        _difference(name, left.get(name), right.get(name))
        for name in [*left, *(name for name in right if name not in left)]
        if left.get(name) != right.get(name)
    ]


def _difference(path: str, first: object, second: object) -> Difference:
    """Put a difference into words; of two lists, what only one of them holds."""
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        only_first = [value for value in first if value not in second]
        only_second = [value for value in second if value not in first]
        if only_first or only_second:
            return Difference(
                path, _in_words(path, only_first or None), _in_words(path, only_second or None), lists=True
            )
    return Difference(path, _in_words(path, first), _in_words(path, second))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each field of terms that is there as its path in the file and its value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    elif value is not None and value != ():
        yield path, value


def _in_words(path: str, value: object) -> str | None:
    """Return the value of a field as a difference shows it."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if path.endswith(".certificate"):
        return f"a certificate of {len(str(value))} characters"
    return repr(value) if isinstance(value, str) else str(value)
