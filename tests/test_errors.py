"""The tree of errors, the table of exit codes, and the page made from it."""

from __future__ import annotations

import inspect
import re

import pytest

from psi import errors
from tests.conftest import ROOT

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, errors.PsiError) and value.__module__ == "psi.errors"
]


def test_exit_codes_are_those_of_the_design() -> None:
    assert [row.code for row in errors.EXIT_CODES] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]


def test_every_class_has_exactly_one_exit_code() -> None:
    raised = [cls for row in errors.EXIT_CODES for cls in row.classes]
    assert sorted(map(str, raised)) == sorted(map(str, [*CLASSES, KeyboardInterrupt]))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PsiError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.GateError("x"), 3),
        (errors.TermsError("x"), 4),
        (errors.PeerError("x"), 5),
        (errors.DecodeError("x"), 5),
        (errors.StateError("x"), 5),
        (errors.VerificationError("x"), 5),
        (errors.TransportError("x"), 6),
        (errors.PolicyError("x"), 7),
        (errors.LimitError("x"), 7),
        (errors.HeldError("x"), 7),
        (errors.MachineError("x"), 8),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exit_code_is_that_of_the_nearest_class(error: BaseException, code: int) -> None:
    assert errors.exit_code(error) == code


def test_a_class_made_later_has_the_exit_code_of_its_parent() -> None:
    class Later(errors.LimitError):
        pass

    assert errors.exit_code(Later("x")) == 7


def test_tree_drawn_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, tuple[str, int]] = {}
    parents = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |    )*)[├└]── (\w+) +(\d)  ", line)
        if found:
            depth = len(found[1]) // 4
            parents[depth + 1 :] = [found[2]]
            drawn[found[2]] = (parents[depth], int(found[3]))
    assert drawn == {cls.__name__: (cls.__bases__[0].__name__, errors.exit_code(cls("x"))) for cls in CLASSES}


def test_an_error_carries_its_hint_and_prints_only_its_message() -> None:
    error = errors.TermsError("expires: these terms ended", hint="make new ones")
    assert (str(error), error.message, error.hint) == (
        "expires: these terms ended",
        "expires: these terms ended",
        "make new ones",
    )


@pytest.mark.repo
def test_page_of_exit_codes_is_made_from_the_table() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    assert errors.exit_codes_table() in page
