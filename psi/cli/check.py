"""``psi check``: the intake gate alone, without the other side."""

from __future__ import annotations

import contextlib
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psi.cli._board import Board
from psi.cli._options import (
    Screen,
    identity_option,
    own_side,
    query_option,
    screen_options,
    side_option,
    threads_option,
)
from psi.cli._words import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psi.intake import GateReport, Query
    from psi.recipes import Rule
    from psi.terms import Side, Terms

SCHEMA = "psi/check/1"
PAGE = "gate.html"
REPEATED = {False: "the key of a row before", True: "every key of it that of a row before"}
_WIDTH = 78


@click.command(
    "check",
    epilog="""\b
Example:
  psi check requests.csv --terms terms.toml --out checked
  psi check postgresql://reader@db.example/people --query requests.sql --terms terms.toml
""",
)
@click.argument("file", metavar="SOURCE", required=False)
@query_option
@click.option(
    "--terms",
    "terms_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The terms both organisations agreed on.",
)
@side_option
@identity_option
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Leave gate.json, rejects.csv and, with matplotlib and jinja2, gate.html in this new folder.",
)
@click.option(
    "--explain",
    metavar="RULE",
    help="Say what a rule lets pass, with examples, and read no file; `all` lists every rule and recipe.",
)
@threads_option
@screen_options
def command(
    *,
    file: str | None,
    query: Path | None,
    terms_path: Path | None,
    side: Side | None,
    identity: Path | None,
    out: Path | None,
    explain: str | None,
    threads: int | None,
    screen: Screen,
) -> None:
    """
    Run SOURCE through the intake gate of the terms, and say which rows would be rejected and why.

    SOURCE is a CSV, Parquet or xlsx file, or postgresql://HOST/DATABASE with --query FILE. Nothing is sent to the other
    organisation. The summary holds counts and names of columns, and no value of a row: it can be shown to them.
    rejects.csv holds row numbers, columns and reasons. Exit code 3 means that a run with these rows would be stopped.
    """
    if explain is not None:
        _explain(explain, screen)
        return
    if file is None or terms_path is None:
        raise click.UsageError("a source and --terms are needed, or --explain RULE")
    from psi import intake, terms

    source = intake.find(file, query)
    agreement = terms.load(terms_path)
    _check(source, agreement, side or own_side(agreement, identity), out, threads or 0, screen)


def _check(
    source: Path | Query, agreement: Terms, side: Side, out: Path | None, threads: int, screen: Screen
) -> None:
    """Run the gate, print what it found, and raise what would stop a run."""
    import os

    from psi import intake, terms
    from psi.errors import GateError, LimitError, PsiError

    intake.check(source)  # a wrong name leaves no folder behind
    party = getattr(agreement, side)
    reports: list[GateReport] = []
    stop: PsiError | None = None
    with _folder(out) as folder:
        try:
            with Board([side], quiet=screen.quiet) as board:
                intake.read(
                    source,
                    party=party,
                    side=side,
                    keys=agreement.keys,
                    rejects=folder / "rejects.csv",
                    threads=threads or os.cpu_count() or 1,
                    progress=lambda done, total: board.update(side, "gate", 100 * done // max(total, 1)),
                    on_report=reports.append,
                )
        except GateError as error:
            if not reports:
                raise
            hint = f"{folder / 'rejects.csv'} has the reasons for each row" if out else None
            stop = GateError(error.message, hint=hint or "--out DIR keeps the reasons for each row")
        (report,) = reports
        if stop is None:
            try:
                intake.check_limit(report, party, side)
            except LimitError as error:
                stop = error
        record = {
            **report.document(),
            "schema": SCHEMA,
            "side": side,
            "terms_digest": terms.digest(agreement).hex(),
            "max_rejected_percent": party.max_rejected_percent,
            "stopped_by": None if stop is None else stop.message,
        }
        written = _write(out, record, screen) if out else []
        screen.result(record, "\n".join([*_summary(report, record), *written]))
    if stop is not None:
        raise stop


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Make the folder of the results, or one that is gone afterwards."""
    from psi.errors import MachineError, UsageError

    if out is None:
        with tempfile.TemporaryDirectory(prefix="psi-check-") as folder:
            yield Path(folder)
        return
    try:
        out.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise UsageError(
            f"{out} exists, and results are never overwritten", hint="choose another --out"
        ) from None
    except OSError as error:
        raise MachineError(f"cannot make the folder {out}: {(error.strerror or '').lower()}") from error
    try:
        yield out
    except BaseException:
        with contextlib.suppress(OSError):
            out.rmdir()  # if nothing is in it
        raise


def _write(out: Path, record: dict[str, Any], screen: Screen) -> list[str]:
    """Write gate.json and, if this machine can, the page; return the lines that say so."""
    from psi.intake import page, write_json

    write_json(out / "gate.json", record)
    lines = ["", f"rejects   {out / 'rejects.csv'}", f"record    {out / 'gate.json'}"]
    missing = page.missing()
    if missing:
        screen.note(
            f"psi: no page: {' and '.join(missing)} not installed (pip install 'psi-overlap[report]')"
        )
        return lines
    page.write(record, out / PAGE)
    return [*lines, f"page      {out / PAGE}"]


def _summary(report: GateReport, record: dict[str, Any]) -> list[str]:
    """Return what the gate found, as a person reads it."""
    from psi.intake import percent

    def line(word: str, number: int, rest: str = "") -> str:
        return f"{word:<10}{count(number):>13}  {percent(number, report.rows):>5} %{rest}"

    allowed = record["max_rejected_percent"]
    limit = "" if allowed is None else f"  (the terms allow {allowed} %)"
    lines = [
        f"{'rows':<10}{count(report.rows):>13}",
        line("passed", report.passed),
        line("rejected", report.rejected, limit),
        line("repeated", report.collapsed, f"  ({REPEATED[len(report.keys) > 1]})"),
        "",
        f"{'rows with the key':<46}{'rows':>9}{'people':>20}",
        *(
            f"  {_cut(key.name, 42):<42}{count(key.rows):>11}  {key.percent:>6.2f} %{count(key.items):>10}"
            for key in report.keys
        ),
    ]
    if report.rules:
        lines += ["", f"rejected because of{'rows':>37}"]
        lines += [
            f"  {_cut(effect.column, 22):<22}{effect.rule:<20}{count(effect.rejected):>12}  {effect.reason}"
            for effect in sorted(report.rules, key=lambda each: -each.rejected)
        ]
    lines += ["", f"changed by recipes{'values':>38}  of those not rejected"]
    passed = report.passed + report.collapsed
    lines += [
        f"  {_cut(effect.column, 22):<22}{effect.recipe:<20}{count(effect.changed):>12}"
        f"  {percent(effect.changed, passed)} %"
        for effect in report.recipes
    ]
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) < width else text[: width - 2] + "…"


def _explain(name: str, screen: Screen) -> None:
    """Print what one rule or recipe does, or the list of all."""
    from psi.errors import UsageError
    from psi.recipes import RECIPES, RULES

    known = {**RULES, **RECIPES}
    if name == "all":
        rules = [
            {"name": each.name, "reason": each.reason, "sentence": each.sentence} for each in RULES.values()
        ]
        recipes = [{"name": each.name, "sentence": each.sentence} for each in RECIPES.values()]
        lines = ["rules: a raw value passes, or its row is rejected"]
        lines += [_entry(each.name, each.sentence) for each in RULES.values()]
        lines += ["", "recipes: the form in which values are compared"]
        lines += [_entry(each.name, each.sentence) for each in RECIPES.values()]
        screen.result({"schema": "psi/rules/1", "rules": rules, "recipes": recipes}, "\n".join(lines))
        return
    if name not in known and f"{name}/1" in known:
        name = f"{name}/1"
    if name in RULES:
        rule = RULES[name]
        screen.result(_rule_record(rule), "\n".join(_rule_text(rule)))
    elif name in RECIPES:
        recipe = RECIPES[name]
        record = {"schema": "psi/recipe/1", "name": name, "sentence": recipe.sentence}
        screen.result(record, _entry(name, recipe.sentence))
    else:
        raise UsageError(f"no rule or recipe {name!r}", hint=f"there are {', '.join(known)}")


def _entry(name: str, sentence: str) -> str:
    return textwrap.fill(f"{name:<20}{sentence}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 22)


def _rule_record(rule: Rule) -> dict[str, object]:
    """Return a rule as ``--json`` prints it."""
    import msgspec

    return {
        "schema": "psi/rule/1",
        "name": rule.name,
        "reason": rule.reason,
        "sentence": rule.sentence,
        "columns": list(rule.columns),
        "needs": list(rule.needs),
        "takes": list(rule.takes),
        "examples": [
            {
                "values": list(each.values),
                "passes": each.passes,
                "parameters": msgspec.to_builtins(dict(each.parameters)),
            }
            for each in rule.examples
        ],
    }


def _rule_text(rule: Rule) -> list[str]:
    """Return a rule as a person reads it."""
    from psi.recipes import PARAMETERS

    lines = [_entry(rule.name, rule.sentence), "", f"  reason      {rule.reason}"]
    if len(rule.columns) > 1:
        lines.append(
            f"  columns     {', '.join(rule.columns)}, in this order; the first is named as the one at fault"
        )
    else:
        lines.append("  columns     one or several, each judged by itself")
    lines += [f"  {name:<12}{PARAMETERS[name]}" for name in rule.needs]
    lines += [f"  {name:<12}{PARAMETERS[name]}; may be left out" for name in rule.takes]
    lines.append("")
    for each in rule.examples:
        values = ", ".join(map(repr, each.values))
        given = "".join(f"  {name} = {_shown(value)}" for name, value in each.parameters.items())
        lines.append(f"  {'passes' if each.passes else 'rejected':<12}{values}{given}")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
