"""Volumes of the lesions of one subject over time."""

from __future__ import annotations

from matplotlib.figure import Figure

from cta_data.imaging.lesions.volume_uncertainty import NORMAL_95
from cta_data.reports.figures.style import MARKERS, MODEL_COLOURS, SMALL, new_figure, settings
from cta_data.review.follow_up import FollowedSubject


def volumes_figure(one: FollowedSubject) -> Figure:
    """Draw the volume of every lesion, with its 95 % interval, in each session that has it."""
    dated = all(visit.days is not None for visit in one.visits)
    x = [float(visit.days or 0) if dated else n for n, visit in enumerate(one.visits)]
    # Beside each other, since intervals of lesions of one size would hide each other.
    step = 0.004 * (max(x) - min(x))
    tracks = one.tracks
    with settings():
        figure = new_figure(3.6)
        axes = figure.subplots()
        for number, track in enumerate(tracks):
            axes.errorbar(
                [x[p.visit] + step * (number - len(tracks) / 2) for p in track.points],
                [point.volume_mm3 / 1000 for point in track.points],
                yerr=[NORMAL_95 * point.sd_mm3 / 1000 for point in track.points],
                color=MODEL_COLOURS[number % len(MODEL_COLOURS)],
                marker=MARKERS[number // len(MODEL_COLOURS) % len(MARKERS)],
                markersize=4,
                linewidth=1,
                capsize=2,
                label=f"{track.name} ({track.quality})",
            )
        axes.set_ylim(bottom=0)
        axes.set_ylabel("volume, cm³")
        if dated:
            axes.set_xlabel("days since the first session")
        else:
            axes.set_xlabel("session")
            axes.set_xticks(x, [visit.session for visit in one.visits])
        axes.tick_params(labelsize=SMALL)
        axes.legend(title="Lesion", fontsize=SMALL, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
