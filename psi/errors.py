"""
Say whose fault it is: the exceptions of this project and the exit code of each.

::

    Exception
    └── PsiError                    1  a mistake of ours
        ├── UsageError              2  the caller asked for something that cannot be
        ├── PolicyError             7  a rule of the terms stopped the run
        │   ├── GateError           3  the input file was refused by the gate
        │   ├── LimitError          7  a limit of the terms is exceeded
        │   └── HeldError           7  a hold is in force
        ├── TermsError              4  terms, a signature or a receipt do not hold
        ├── PeerError               5  the peer misbehaved or is not who the terms name
        │   ├── DecodeError         5  bytes that are not a message
        │   ├── StateError          5  a message at the wrong time
        │   └── VerificationError   5  a check over several messages failed
        ├── TransportError          6  the network; safe to try again
        └── MachineError            8  this machine: disk, memory, port, permission

Callers catch a type, never a text. A text is lower case, has the numbers and no full stop, and never holds an
item, a key or a tag. A hint is the next command to type or the next thing to look at.
"""

from __future__ import annotations

from dataclasses import dataclass


class PsiError(Exception):
    """
    Stand for everything this project raises on purpose.

    ``message`` says what happened; ``hint``, if there is one, says what to do next.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PsiError):
    """Blame the caller: an argument, an option or an order of calls that cannot be."""


class PolicyError(PsiError):
    """Name a rule of the terms that stopped the run."""


class GateError(PolicyError):
    """Refuse an input file, naming row and column by number."""


class LimitError(PolicyError):
    """Name a limit of the terms that is exceeded, with both numbers."""


class HeldError(PolicyError):
    """Name the hold that is in force."""


class TermsError(PsiError):
    """Name the field of terms, of a signature or of a receipt that does not hold."""


class PeerError(PsiError):
    """Blame the peer: it misbehaved, or is not who the terms name."""


class DecodeError(PeerError):
    """Refuse bytes of the peer that are not the message they should be."""


class StateError(PeerError):
    """Refuse a message that has no place in the present state."""


class VerificationError(PeerError):
    """Refuse what the peer sent because a check over several messages failed."""


class TransportError(PsiError):
    """Report a fault of the network; nothing was kept, and it is safe to try again."""


class MachineError(PsiError):
    """Report what this machine lacks: disk, memory, a free port, a permission."""


@dataclass(frozen=True)
class ExitCode:
    """Describe one exit code of the command line: its number, its meaning, what to do, who raises it."""

    code: int
    meaning: str
    next_step: str
    classes: tuple[type[BaseException], ...]


EXIT_CODES: tuple[ExitCode, ...] = (
    ExitCode(0, "it worked", "nothing", ()),
    ExitCode(
        1, "a mistake of ours", "run it again with `PSI_DEBUG=1` and report what it prints", (PsiError,)
    ),
    ExitCode(
        2, "the command line asks for something that cannot be", "read `psi COMMAND --help`", (UsageError,)
    ),
    ExitCode(
        3,
        "the input file was refused by the gate",
        "mend the file at the row and column named",
        (GateError,),
    ),
    ExitCode(
        4,
        "terms, a signature or a receipt do not hold",
        "compare both sides' files with `psi terms diff`",
        (TermsError,),
    ),
    ExitCode(
        5,
        "the peer misbehaved or is not who the terms name",
        "speak to the other organisation before you try again",
        (PeerError, DecodeError, StateError, VerificationError),
    ),
    ExitCode(6, "the network", "try again: nothing was kept", (TransportError,)),
    ExitCode(
        7,
        "a limit or a hold stopped it",
        "look at the limits in the terms, or ask who placed the hold",
        (PolicyError, LimitError, HeldError),
    ),
    ExitCode(
        8,
        "this machine: disk, memory, port, permission",
        "make room, choose another port or mend the permission",
        (MachineError,),
    ),
    ExitCode(130, "interrupted by Ctrl-C", "nothing: no half-written output is left", (KeyboardInterrupt,)),
)


def exit_code(error: BaseException) -> int:
    """
    Return the exit code of an exception by its nearest class in the table; 1 for a class that is not there.

    The command line calls it, and nothing else decides on an exit code.
    """
    by_class = {raised: row.code for row in EXIT_CODES for raised in row.classes}
    return next((by_class[cls] for cls in type(error).__mro__ if cls in by_class), 1)


def exit_codes_table() -> str:
    """Return the exit codes as the table of ``docs/exit-codes.md``; a test holds the page to it."""
    rows = [f"| {row.code} | {row.meaning} | {row.next_step} |" for row in EXIT_CODES]
    return "\n".join(["| code | what it means | what to do |", "|---|---|---|", *rows])
