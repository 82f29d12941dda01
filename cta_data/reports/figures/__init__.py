"""Figures of the paper, drawn from any scores: vector and PNG, the same bytes every time."""

from cta_data.reports.figures.boxes import box_figure
from cta_data.reports.figures.flow import flow_figure
from cta_data.reports.figures.found import found_figure
from cta_data.reports.figures.sensitivity import sensitivity_figure
from cta_data.reports.figures.style import figure_bytes

__all__ = ["box_figure", "figure_bytes", "flow_figure", "found_figure", "sensitivity_figure"]
