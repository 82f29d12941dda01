"""Figures of the paper, drawn from any scores: vector and PNG, the same bytes every time.

Beside each figure is what it shows in words, for those who cannot see it.
"""

from cta_data.reports.figures.boxes import box_alt, box_figure
from cta_data.reports.figures.flow import flow_alt, flow_figure
from cta_data.reports.figures.found import found_alt, found_figure
from cta_data.reports.figures.sensitivity import sensitivity_alt, sensitivity_figure
from cta_data.reports.figures.style import figure_bytes

__all__ = [
    "box_alt",
    "box_figure",
    "figure_bytes",
    "flow_alt",
    "flow_figure",
    "found_alt",
    "found_figure",
    "sensitivity_alt",
    "sensitivity_figure",
]
