"""Draw charts as SVG that stands in the page: texts stay texts, and every number is in a table beside it too."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psi.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

WIDTH_INCHES, BAR_INCHES = 5.2, 0.52
OURS, OTHERS, INK = "#1f6f54", "#8a5a2b", "#1b1b1b"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "psi",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
}


@dataclass(frozen=True)
class Bar:
    """Hold one bar: its name, its length, the text at its end, and whether it is this tool's."""

    name: str
    value: float
    text: str
    ours: bool


@dataclass(frozen=True)
class Curve:
    """Hold one curve over sizes."""

    name: str
    points: tuple[tuple[float, float], ...]


def check_installed() -> None:
    """Raise ``MachineError`` when the packages that make the page are not there."""
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MachineError(
            f"the page needs the package {error.name}", hint="pip install 'psi-overlap[report]'"
        ) from None


def bars(items: Sequence[Bar], *, label: str) -> str:
    """Return horizontal bars, each under its name, as an SVG element; ``label`` says the same in words."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, BAR_INCHES * len(items) + 0.1))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        most = max((bar.value for bar in items), default=0) or 1
        for place, bar in enumerate(items):
            axes.barh(place, bar.value, height=0.38, color=OURS if bar.ours else OTHERS)
            axes.text(0, place - 0.3, bar.name, va="bottom", fontsize=9.5)
            axes.text(bar.value + most * 0.012, place, bar.text, va="center", fontsize=9.5, fontweight="bold")
        axes.set_xlim(0, most * 1.3)
        axes.set_ylim(len(items) - 0.6, -0.85)
        axes.set_axis_off()
        return _svg(figure, label)


def curves(items: Sequence[Curve], *, label: str, across: str, up: str) -> str:
    """Return curves over sizes, both axes logarithmic, as an SVG element."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for curve, mark, colour in zip(
            items, "osD^v", (OURS, "#2f5fa8", OTHERS, "#7a3b7a", INK), strict=False
        ):
            axes.plot(
                *zip(*curve.points, strict=True), marker=mark, color=colour, label=curve.name, markersize=4
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(visible=True, which="major", color="#dddddd")
        axes.legend(frameon=False, fontsize=9, loc="upper left")  # costs rise to the right
        return _svg(figure, label)


def _svg(figure: Figure, label: str) -> str:
    """Return a figure as an element that scales with the page and says what it shows."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    found = re.search(r"<svg\b.*</svg>", text.getvalue(), flags=re.DOTALL)
    assert found is not None
    made = re.sub(r"<metadata>.*?</metadata>", "", found[0], flags=re.DOTALL)
    opening = re.search(r'viewBox="([^"]*)"', made)
    assert opening is not None
    body = made[made.index(">") + 1 :]
    quoted = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<svg role="img" aria-label="{quoted}" viewBox="{opening[1]}" '
        f'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
    )
