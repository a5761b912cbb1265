"""How charts are drawn: as SVG, once for light and once for dark pages, the same bytes each time."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainer.evaluation.words import amount

_SIZE = (4.7, 3.5)  # inches: the letters stay large enough on a telephone
_LONGEST_NAME = 18
_LAST_LETTER = 0x500  # the font has Latin, Greek and Cyrillic; what it lacks would be an empty box


@dataclass(frozen=True)
class Theme:
    """Colours on one kind of page."""

    ink: str
    soft: str
    line: str
    first: str
    second: str


LIGHT = Theme(ink="#16222e", soft="#55677a", line="#d5dee7", first="#1f5f96", second="#b25400")
DARK = Theme(ink="#e8eef4", soft="#9db0c2", line="#2d3b49", first="#7db8ea", second="#ffb871")
Draw = Callable[[Axes, Theme], None]


@dataclass(frozen=True)
class Chart:
    """The same drawing for both pages (SVG), and what it shows in words."""

    light: bytes
    dark: bytes
    text: str


def chart(draw: Draw, text: str, size: tuple[float, float] = _SIZE) -> Chart:
    """`draw` is called once for each page."""
    return Chart(_svg(draw, LIGHT, size), _svg(draw, DARK, size), text)


def printable(name: str) -> str:
    """A name from outside, as a label: short, and of letters that can be drawn."""
    plain = "".join(c if c.isprintable() and ord(c) < _LAST_LETTER else "?" for c in name)
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "…"


def floor(scores: np.ndarray) -> float:
    """Where an axis of Dice begins: all of the scale where somebody is at the bottom, else no empty half of it."""
    return max(0.0, math.floor((float(scores.min()) - 0.05) * 10) / 10)


def amounts(axes: Axes) -> None:
    """Few enough labels that long numbers stay apart."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))


def legend(axes: Axes, theme: Theme, lines: Sequence[Line2D] | None = None) -> None:
    """Above the drawing, where it hides nothing."""
    named = [line for line in lines or axes.get_lines() if not str(line.get_label()).startswith("_")]
    axes.legend(
        handles=named, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=3, frameon=False, borderaxespad=0,
        labelcolor=theme.ink, columnspacing=1.2, handlelength=1.6,
    )  # fmt: skip


def plain(axes: Axes, theme: Theme) -> None:
    """No more lines than are needed, in the page's colours."""
    axes.patch.set_alpha(0)
    axes.tick_params(colors=theme.ink)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.ink)
    for side, spine in axes.spines.items():
        spine.set_color(theme.soft)
        spine.set_visible(side in ("left", "bottom"))


def _svg(draw: Draw, theme: Theme, size: tuple[float, float]) -> bytes:
    # The salt makes ids the same each time; names are no formulas, whatever they hold.
    with mpl.rc_context({"svg.hashsalt": "evaluation", "text.parse_math": False, "font.size": 10}):
        figure = Figure(figsize=size, layout="constrained")
        canvas = FigureCanvasSVG(figure)  # no screen, and no state shared with anybody
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        plain(axes, theme)
        axes.grid(color=theme.line, linewidth=0.6)
        axes.set_axisbelow(True)
        draw(axes, theme)
        written = io.BytesIO()
        canvas.print_svg(written, metadata={"Date": None, "Creator": None})
    return written.getvalue()
