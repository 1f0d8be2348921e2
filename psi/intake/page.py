"""
Show a gate's report as one HTML page: no scripts, nothing from elsewhere, the same bytes for the same report.

It needs jinja2 and matplotlib (the extra ``report``), which are imported only when a page is written.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psi.intake.output import whole_file
from psi.intake.page_text import TEMPLATE
from psi.intake.report import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEEDED = ("jinja2", "matplotlib")
_BAR, _TEXT, _GRID = "#2f5d8a", "#1c1c1c", "#d5d9de"
_WIDTH_INCHES, _ROW_INCHES = 7.6, 0.34


def missing() -> list[str]:
    """Return which of the packages that a page needs are not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def write(record: Mapping[str, Any], path: Path) -> None:
    """
    Write the page of a report; ``psi check`` calls it with the record that it prints.

    Raises `MachineError` when the disk refuses.
    """
    from jinja2 import Environment, StrictUndefined

    from psi.recipes import RECIPES, RULES

    sentences = {"required": "a value must be there", "key": "something is left of the value for the key"}
    sentences |= {name: rule.sentence for name, rule in RULES.items()}
    recipes = {name: recipe.sentence for name, recipe in RECIPES.items()}
    rules = sorted(record["rules"], key=lambda effect: -effect["rejected"])
    kept = record["passed"] + record["collapsed"]
    reasons = sorted(record["reasons"].items(), key=lambda item: -item[1])
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "share": lambda number, whole: f"{percent(number, whole)}\u00a0%",
    }
    template = environment.from_string(TEMPLATE)
    text = template.render(
        record=record,
        rules=rules,
        kept=kept,
        reasons=reasons,
        sentences=sentences,
        recipes=recipes,
        reasons_chart=_bars(reasons, record["rows"], "rows rejected") if reasons else "",
        recipes_chart=_bars(
            [(f"{each['column']}  ({each['recipe']})", each["changed"]) for each in record["recipes"]],
            kept,
            "values changed",
        ),
    )
    with whole_file(path) as stream:
        stream.write(text.encode())


def _bars(rows: Sequence[tuple[str, int]], whole: int, label: str) -> str:
    """Draw counts as horizontal bars, each with its number and share, and return the SVG element."""
    import matplotlib

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "psi",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.parse_math": False,  # a column may be called $x$
        "text.color": _TEXT,
        "axes.edgecolor": _GRID,
        "axes.labelcolor": _TEXT,
        "xtick.color": _TEXT,
        "ytick.color": _TEXT,
    }
    with matplotlib.rc_context(settings):
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        figure = Figure(figsize=(_WIDTH_INCHES, 0.75 + _ROW_INCHES * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        numbers = [number for _, number in rows]
        bars = axes.barh([_short(name) for name, _ in rows], numbers, color=_BAR, height=0.62)
        texts = [
            f"{number:,}  ({100 * number / whole:.1f} %)" if whole else f"{number:,}" for number in numbers
        ]
        axes.bar_label(bars, texts, padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, max(*numbers, 1) * 1.3)  # room for the numbers
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.tick_params(length=0)
        axes.grid(axis="x", color=_GRID)
        axes.set_axisbelow(True)
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
