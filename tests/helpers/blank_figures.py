"""Figures that are empty, for tests of what happens to files: drawing takes most of `evaluate`."""

from __future__ import annotations

from functools import cache

import pytest
from matplotlib.figure import Figure

from cta_data.reports import evaluate, froc
from cta_data.reports.figures import figure_bytes


def leave_figures_blank(patch: pytest.MonkeyPatch) -> None:
    """Have `evaluate` write all its figures, each as an empty one of an inch."""
    for module in (evaluate, froc):
        patch.setattr(module, "figure_bytes", lambda figure: _blank())


@cache
def _blank() -> dict[str, bytes]:
    return figure_bytes(Figure(figsize=(1, 1)))
