"""The pictures of `judge.py`: FROC of A and B, and sensitivity by what the labels lack."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
from compared import BASELINE, Models, N, annotation_of, intervals
from matplotlib import pyplot as plt

from cta_data.scoring.probabilities.curve import LEVELS

DOSE_LEVELS = (1.0, 4.0)
DRAWN_AT = tuple(float(level) for level in np.geomspace(0.125, 16, 22))
"""False positives per patient at which curves are drawn."""


def draw_dose(models: Mapping[tuple[str, str], Models], readers: pd.DataFrame, path: Path) -> None:
    """Draw the sensitivity for small lesions by what share of them the annotation lacks.

    Of every setting, the seeds that all of them have.
    """
    trained = readers[readers.patients != "test"]
    share = trained.set_index("annotation").small_share
    judged = {setting: own for (setting, by), own in models.items() if by == "truth"}
    seeds = set.intersection(*(set(own.found) for own in judged.values()))
    made = {
        setting: intervals(partial(own.figures, seeds=seeds), own.n_patients)
        for setting, own in judged.items()
    }
    doses = sorted(made.keys() - {BASELINE}, key=lambda name: share[annotation_of(name)])
    figure, panels = plt.subplots(1, len(DOSE_LEVELS), figsize=(9, 4), sharey=True)
    for panel, level in zip(panels, DOSE_LEVELS, strict=True):
        for names, colour, mark in ((doses, "#1d4ed8", "o-"), ([BASELINE], "#b45309", "o")):
            own = [made[name][N + 1 + LEVELS.index(level)] for name in names]
            middle = [one.estimate for one in own]
            bars = [
                [one.estimate - one.low for one in own],
                [one.high - one.estimate for one in own],
            ]
            missed = [share[annotation_of(name)] for name in names]
            style = {"fmt": mark, "capsize": 3, "label": ", ".join(names)}
            panel.errorbar(missed, middle, bars, color=colour, **style)
        panel.set_title(f"{level:g} false positive{'s' * (level != 1)} per patient")
        panel.set_xlabel("share of small lesions that the training labels lack")
    panels[0].set_ylabel("sensitivity below 0.1 cm³, by the truth")
    panels[0].set_ylim(0, 1)
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def draw_curves(models: Mapping[tuple[str, str], Models], path: Path) -> None:
    """Draw the FROC of A and B by each of the references, with bands."""
    figure, axes = plt.subplots(1, 3, figsize=(12.6, 4), sharey=True)
    for panel, reference in zip(axes, ("truth", "HAQ", "NAQ"), strict=True):
        for setting, colour in (("A", "#b45309"), ("B", "#1d4ed8")):
            own = models[setting, reference]
            made = intervals(partial(own.figures, asked=DRAWN_AT), own.n_patients)
            shown = made[: len(DRAWN_AT)]
            panel.plot(DRAWN_AT, [one.estimate for one in shown], color=colour, label=setting)
            low, high = ([getattr(one, end) for one in shown] for end in ("low", "high"))
            panel.fill_between(DRAWN_AT, low, high, color=colour, alpha=0.15, linewidth=0)
        panel.set_xscale("log", base=2)
        panel.set_xticks([0.125, 0.5, 1, 2, 4, 8, 16], ["1/8", "1/2", "1", "2", "4", "8", "16"])
        panel.set_title(f"judged by {reference}")
        panel.set_xlabel("false positives per patient")
        panel.set_ylim(0, 1)
    axes[0].set_ylabel("sensitivity, mean of the seeds")
    axes[0].legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
