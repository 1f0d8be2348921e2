"""The command line as a whole: help that is quick and has examples, and two lines for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

import psi
from psi import cli, errors
from psi.cli import _errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Command = Callable[..., subprocess.CompletedProcess[str]]


def commands(group: click.Command, path: str = "psi") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with what a person types to reach it."""
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group, info_name=path)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, f"{path} {name}")


EVERY_COMMAND = dict(commands(cli.command))


@pytest.mark.parametrize("path", EVERY_COMMAND)
def test_help_of_every_command_says_what_it_does_and_has_an_example(path: str) -> None:
    command = EVERY_COMMAND[path]
    text = command.get_help(click.Context(command, info_name=path))
    assert "Example:" in text
    assert path in text[text.index("Example:") :]
    assert (command.help or "").strip()
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.opts[0]} has no help"


def test_list_of_commands_tells_what_each_module_tells() -> None:
    for name in cli.COMMANDS:
        assert EVERY_COMMAND[f"psi {name}"].name == name


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_on_standard_output(psi_command: Command, flag: str) -> None:
    done = psi_command(flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(name in done.stdout for name in cli.COMMANDS)


def test_version_is_that_of_the_package(psi_command: Command) -> None:
    done = psi_command("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"psi {psi.__version__}\n", "")


def test_help_imports_no_table_library_and_no_compiled_module() -> None:
    script = (
        "import sys; from psi.cli import command; command.main(['--help'], prog_name='psi', standalone_mode=False); "
        "print(sorted({'polars', 'numpy', 'rich', 'cryptography', 'psi._core', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_help_takes_less_than_three_tenths_of_a_second_of_one_core() -> None:
    # Processor time, the best of five: a busy machine is not the program's fault, and coverage would count too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    taken_s = []
    for _ in range(5):
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "psi", "--help"], capture_output=True, check=True, env=environment
        )
        after = os.times()
        taken_s.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(taken_s) < 0.3


def test_no_command_at_all_prints_the_help(psi_command: Command) -> None:
    done = psi_command()
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: psi")


def test_unknown_command_is_a_usage_error(psi_command: Command) -> None:
    done = psi_command("intersect")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "psi: error: no such command 'intersect'\npsi: hint: psi --help\n"


def reported(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Return the exit code and the lines that an error ends in."""
    code = _errors.report(error)
    shown = capsys.readouterr()
    assert shown.out == ""
    return code, shown.err.splitlines()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            errors.GateError("file.csv: row 7 has 3 columns instead of 5"),
            3,
            "file.csv: row 7 has 3 columns instead of 5",
        ),
        (errors.PeerError("tags: 5 bytes"), 5, "tags: 5 bytes"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.exceptions.Abort(), 130, "interrupted"),
        (click.UsageError("No such thing."), 2, "no such thing"),
        (OSError(errno.ENOSPC, "x", "out/matched.csv"), 8, "out/matched.csv: no room left on the disk"),
        (OSError(errno.EDQUOT, "x"), 8, "no room left on the disk"),
        (PermissionError(errno.EACCES, "x", "records.csv"), 8, "records.csv: no permission"),
        (OSError(errno.EROFS, "x", "out"), 8, "out: no permission"),
        (OSError(errno.EMFILE, "x"), 8, "too many open files"),
        (MemoryError(), 8, "this machine has not enough memory for it"),
        (ImportError("x", name="psi._core"), 8, "the compiled part of psi is missing"),
        (ModuleNotFoundError("x", name="psi._core"), 8, "the compiled part of psi is missing"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_was_raised_becomes_a_text_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    got, lines = reported(error, capsys)
    assert (got, lines[0]) == (code, f"psi: error: {line}")
    assert all(each.startswith("psi: hint: ") for each in lines[1:])


def test_hint_is_the_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = reported(errors.TermsError("suite: unknown", hint="psi terms diff"), capsys)
    assert lines == ["psi: error: suite: unknown", "psi: hint: psi terms diff"]


def test_an_unexpected_error_never_prints_its_own_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PSI_DEBUG", raising=False)
    try:
        errors.exit_code(None).bit_length(1, 2)  # type: ignore[arg-type, call-arg]
    except TypeError as error:
        error.args = ("could not parse 900-12-3456 as a number",)
        code, lines = reported(error, capsys)
    assert code == 1
    assert lines[0] == "psi: error: internal error: TypeError"
    assert lines[1].startswith("psi: hint: PSI_DEBUG=1 prints the traceback")
    assert "900" not in "".join(lines)


def test_an_unexpected_error_names_the_place_in_our_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AttributeError) as raised:
        cli.command.list_commands(None).nothing  # type: ignore[arg-type, attr-defined]  # noqa: B018
    raised.value.__traceback__ = raised.tb.tb_next
    _, lines = reported(raised.value, capsys)
    assert lines[0] == "psi: error: internal error: AttributeError"
    with pytest.raises(TypeError) as raised_inside:
        cli.command.get_command(None, [])  # type: ignore[arg-type]
    _, lines = reported(raised_inside.value, capsys)
    assert lines[0].startswith("psi: error: internal error: TypeError in psi/cli/__init__.py line ")


def test_debug_prints_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSI_DEBUG", "1")
    code, lines = reported(ValueError("x"), capsys)
    assert code == 1
    assert "ValueError: x" in lines


def test_a_closed_standard_output_is_told(tmp_path: Path, psi_command: Command) -> None:
    psi_command("id", "new", "--name", "Agency", "--identity", "keys")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "psi", "id", "show", "--identity", "keys"],
            cwd=tmp_path,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 8
    assert done.stderr.startswith("psi: error: standard output was closed before everything was written\n")


def test_a_missing_compiled_module_is_named_with_the_command_that_builds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psi.session  # what it imported stays; only the next import is to fail

    assert psi.session
    monkeypatch.delattr(psi, "_core")
    monkeypatch.setitem(sys.modules, "psi._core", None)
    with pytest.raises(ImportError, match="make dev") as raised:
        from psi import _core  # noqa: F401
    assert raised.value.name == "psi._core"


def test_public_names_are_there_and_no_others() -> None:
    assert sorted(psi.__all__) == sorted([*psi._HOME, "__version__"])
    for name in psi.__all__:
        assert getattr(psi, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'intersect'"):
        psi.intersect  # noqa: B018


def test_colour_is_off_where_the_environment_says_so(psi_command: Command) -> None:
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in psi_command("--help", environment=environment).stdout
