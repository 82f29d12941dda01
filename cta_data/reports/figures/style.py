"""What the figures share: colours that differ for colour-blind readers, sizes, repeatable files."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

# Okabe and Ito 2008; each model has a marker and a hatch as well, for print without colour.
MODEL_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "++")
PNG_DPI = 150
WIDTH_IN = 10.0
"""Of every figure: 960 pixels on a page, so that 7 points are 9 pixels."""
SMALL = 7.5
"""Points of the smallest letters."""
MOST_COLUMNS = 3
_SETTINGS: Any = {
    "svg.hashsalt": "cta_data",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def new_figure(height: float, width: float = WIDTH_IN) -> Figure:
    """Return an empty figure (inches) in the common style."""
    with rc_context(_SETTINGS):
        return Figure(figsize=(width, height), layout="constrained")


def panel_grid(figure: Figure, count: int, **options: Any) -> list[Axes]:
    """Return so many panels, at most `MOST_COLUMNS` side by side; empty places stay empty."""
    columns = min(count, MOST_COLUMNS)
    rows = -(-count // columns)
    panels = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for empty in panels[count:]:
        empty.set_visible(False)
    return panels[:count]


def grid_height(count: int, height: float) -> float:
    """Return the height (inches) of a figure with so many panels of a height."""
    return 0.8 + height * -(-count // min(count, MOST_COLUMNS))


def show_percent(axes: Axes) -> None:
    """Show fractions as per cent, as tables do, with a line at each mark."""
    axes.yaxis.set_major_locator(MultipleLocator(0.2))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)


def settings() -> AbstractContextManager[None]:
    """Return the context that axes have to be made in."""
    return rc_context(_SETTINGS)


def figure_bytes(figure: Figure) -> dict[str, bytes]:
    """Return a figure as `svg` and `png`, without a clock in either.

    Its parts are laid out once, for the vectors, and stay where they are in the PNG: each file is
    drawn once, where `Figure.savefig` draws twice and lays out each time.
    """
    vectors, pixels = io.BytesIO(), io.BytesIO()
    with rc_context(_SETTINGS):
        figure.set_dpi(PNG_DPI)  # of images within the vectors, too
        FigureCanvasSVG(figure).print_svg(vectors, metadata={"Date": None})
        figure.set_dpi(PNG_DPI)
        figure.set_layout_engine("none")
        FigureCanvasAgg(figure).print_png(pixels, metadata={"Software": None})
    return {"svg": vectors.getvalue(), "png": pixels.getvalue()}
