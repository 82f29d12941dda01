"""FROC and calibration of kept probability maps: a section of a page, a page of its own, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cta_data.files import write_bytes
from cta_data.reports.figures import figure_bytes
from cta_data.reports.figures.froc import (
    froc_alt,
    froc_figure,
    reliability_alt,
    reliability_figure,
    score_alt,
    score_figure,
)
from cta_data.reports.froc_tables import (
    calibration_table,
    class_table,
    difference_table,
    level_table,
    precision_table,
)
from cta_data.reports.origin import origin_text, stamp_files
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.table import Table, csv_text
from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis
from cta_data.scoring.probabilities.frames import froc_frames

PAGE = "froc.html"
FRAMES = (
    "froc_levels",
    "froc_classes",
    "froc_curve",
    "froc_band",
    "froc_precision",
    "froc_differences",
    "froc_candidates",
    "calibration",
)
FIGURES = {
    "figure_froc": "FROC: sensitivity over all lesions against false positives per case. Bands are "
    "pointwise {confidence:g} % intervals by drawing patients; markers are the levels of the table "
    "that are reached. A curve begins with no false positive, at the left end, and ends where all "
    "candidates are kept.",
    "figure_candidate_scores": "Scores of all candidates. Where most are near 1, as nnU-Net’s "
    "polarised probabilities often are, a curve rests on few different scores.",
    "figure_calibration": "Reliability diagrams: how often candidates and voxels with a "
    "probability are lesion, by bins of probability. On the line, probabilities are right; below "
    "it, they are too high. Bins that hold few jump; their numbers are in calibration.csv.",
}
NAMES = frozenset(
    [
        *(f"{name}.csv" for name in FRAMES),
        *(f"{name}.{ending}" for name in FIGURES for ending in ("svg", "png")),
    ]
)
"""Files that may be written beside a page."""
TEXT = (
    "A candidate is a component of the voxels with a probability of {least:g} or more; it is kept "
    "if its score reaches a threshold, and then matched as any predicted lesion. All candidates "
    "are in `froc_candidates.csv`, all thresholds in `froc_curve.csv`."
)


@dataclass(frozen=True)
class FrocPart:
    """What was made of an analysis: sections of a page, and the files beside it."""

    sections: tuple[Section, ...] = ()
    files: tuple[Path, ...] = ()


def froc_tables(analysis: ProbabilityAnalysis) -> tuple[Table, ...]:
    """Return the tables of sensitivities and differences; none without a set."""
    if not analysis.sets:
        return ()
    pairs = (difference_table(analysis),) if analysis.differences else ()
    sizes = (class_table(analysis, measure) for measure in ("diameter_mm", "volume_mm3"))
    filled = (table for table in sizes if table.rows)
    return (level_table(analysis), *pairs, *filled, precision_table(analysis))


def write_froc(folder: Path, analysis: ProbabilityAnalysis) -> FrocPart:
    """Write tables and figures into a folder, and return the sections that show them."""
    if not analysis.sets:
        return FrocPart()
    convention = analysis.sets[0].found.convention.name
    files: list[Path] = []
    for name, frame in froc_frames(analysis).items():
        files.append(folder / f"{name}.csv")
        write_bytes(csv_text(frame.assign(convention=convention)).encode(), files[-1])
    figures = {
        "figure_froc": (froc_figure(analysis), froc_alt(analysis)),
        "figure_candidate_scores": (score_figure(analysis), score_alt(analysis)),
        "figure_calibration": (reliability_figure(analysis), reliability_alt(analysis)),
    }
    shown: dict[str, PageFigure] = {}
    for name, (figure, alt) in figures.items():
        for ending, content in figure_bytes(figure).items():
            files.append(folder / f"{name}.{ending}")
            write_bytes(content, files[-1])
        caption = FIGURES[name].format(confidence=100 * analysis.drawn.confidence)
        shown[name] = PageFigure(f"{name}.svg", caption, alt)
    least = analysis.sets[0].found.candidates_from
    of_curves = (shown["figure_froc"], shown["figure_candidate_scores"])
    sections = (
        Section("FROC", TEXT.format(least=least), of_curves, froc_tables(analysis)),
        Section(
            "Calibration",
            figures=(shown["figure_calibration"],),
            tables=(replace(calibration_table(analysis), title="Calibration, in numbers"),),
        ),
    )
    return FrocPart(sections, tuple(files))


def with_unused_cases(part: FrocPart, unused: Sequence[str]) -> FrocPart:
    """Return the sections with the cases, and reasons, that the first one is without."""
    if not unused:
        return part
    first, *others = part.sections or (Section("FROC", "No probability map can be used."),)
    listed = replace(first, lists=(("Cases without a usable probability map", tuple(unused)),))
    return replace(part, sections=(listed, *others))


def write_froc_page(
    folder: Path, analysis: ProbabilityAnalysis, unused: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Write a page of its own with its files; return all of them.

    Parameters
    ----------
    unused
        Cases that are not part of it, with the reason of each; the page lists them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = with_unused_cases(write_froc(folder, analysis), unused)
    convention = analysis.sets[0].found.convention.name
    names = tuple(sorted(path.name for path in part.files if path.suffix == ".csv"))
    files = Section("Files", "Every number of this page as CSV.", files=names)
    page = page_html(
        "introduced.html",
        title="FROC and calibration",
        intro=f"Candidates are matched with lesions by the convention “{convention}”.",
        sections=[*part.sections, files],
    )
    write_bytes(page.encode(), folder / PAGE)
    written = (folder / PAGE, *part.files)
    stamp_files(written, origin_text())
    return written
