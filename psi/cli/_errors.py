"""Turn whatever was raised into two lines on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path

import click

from psi.errors import EXIT_CODES, MachineError, PsiError, exit_code

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}


def report(error: BaseException) -> int:
    """
    Print ``psi: error:`` and ``psi: hint:`` for an exception and return its exit code; ``main`` calls it.

    The text of an exception that is not ours is never printed: libraries quote cell values in theirs.
    """
    if os.environ.get("PSI_DEBUG") == "1":
        traceback.print_exception(error)
    known = _known(error)
    if isinstance(known, (KeyboardInterrupt, click.exceptions.Abort, EOFError)):
        _line("error", "interrupted")
        _line("hint", "nothing half-written is left; start both sides again")
        return exit_code(KeyboardInterrupt())
    if isinstance(known, click.exceptions.Exit):
        return known.exit_code
    if isinstance(known, click.exceptions.NoArgsIsHelpError):
        click.echo(known.format_message(), err=True)
        return 2
    if isinstance(known, click.ClickException):
        _line("error", _sentence(known.format_message()))
        context = getattr(known, "ctx", None)
        _line("hint", f"{context.command_path if context else 'psi'} --help")
        return 2
    if isinstance(known, PsiError):
        _line("error", known.message)
        code = exit_code(known)
        _line("hint", known.hint or next(row.next_step for row in EXIT_CODES if row.code == code))
        return code
    _line("error", f"internal error: {type(error).__name__}{_place(error)}")
    _line("hint", "PSI_DEBUG=1 prints the traceback, which may show data of your files; please report it")
    return exit_code(error)


def _known(error: BaseException) -> BaseException:
    """Return the error of ours that says the same as one of the operating system's or the interpreter's."""
    if isinstance(error, ImportError) and error.name == "psi._core":
        return MachineError(
            "the compiled part of psi is missing",
            hint="`make dev` builds it in a checkout, `pip install .` elsewhere; both need a Rust toolchain",
        )
    if isinstance(error, MemoryError):
        return MachineError(
            "this machine has not enough memory for it", hint="close other programs and try again"
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _machine(error)
    return error


def _machine(error: OSError) -> MachineError:
    """Name the file and what the operating system said of it."""
    name = error.filename if isinstance(error.filename, (str, os.PathLike)) else None
    where = f"{os.fspath(name)}: " if name is not None else ""
    if error.errno in _NO_ROOM:
        return MachineError(
            f"{where}no room left on the disk", hint="make room and run it again: nothing was kept"
        )
    if error.errno in _NO_PERMISSION:
        return MachineError(f"{where}no permission", hint="look at who may read and write it (ls -l)")
    return MachineError(f"{where}{_sentence(os.strerror(error.errno or 0))}")


def _place(error: BaseException) -> str:
    """Return the last place in our own code that an exception went through, as ``in FILE line N``."""
    package = Path(__file__).parent.parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(package)
    ]
    if not frames:
        return ""
    return f" in {Path(frames[-1].filename).relative_to(package.parent)} line {frames[-1].lineno}"


def _sentence(text: str) -> str:
    """Write a library's sentence as ours are: first letter small, no full stop, one line."""
    flat = " ".join(text.split()).rstrip(".")
    return flat[:1].lower() + flat[1:]


def _line(kind: str, text: str) -> None:
    """Write one line to standard error, if anybody still reads it."""
    try:
        print(f"psi: {kind}: {text}", file=sys.stderr, flush=True)
    except OSError:
        return
