"""Evaluate: every prediction scored, and the paper's tables and figures made from the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import pandas as pd

from cta_data.bids.files import write_bytes
from cta_data.evaluation.experiment import (
    ScoredSet,
    choose_findings,
    false_positives,
    findings_frame,
    found_by_patient,
    found_instances,
    found_lesions,
    model_pairs,
    not_predicted,
    read_sets,
    score_table,
    sensitivity_by_volume,
)
from cta_data.evaluation.experiment.found_text import found_text
from cta_data.evaluation.experiment.score_table import TITLES
from cta_data.evaluation.experiment.score_text import score_html, score_latex, score_section
from cta_data.evaluation.experiment.sets import all_cases, all_lesions
from cta_data.evaluation.experiment.text_table import table_page, table_section, table_tex
from cta_data.evaluation.figures import box_figure, figure_bytes, found_figure, sensitivity_figure
from cta_data.evaluation.rendering import STYLE
from cta_data.evaluation.scoring import Convention
from cta_data.whole_files import written_whole

PAGE = "report.html"
SCORES = ("scores", "scores.lesions")
FOUND = "found_instances"
COUNTS = (
    "cases",
    "found_patients",
    "found_lesions",
    "false_positives",
    "sensitivity_by_volume",
    "findings",
)
FIGURES = ("figure_scores", "figure_sensitivity", "figure_found")
FLOW = "figure_flow"
FLOW_TABLE = "flow.csv"
PRINTED = ("csv", "html", "tex")
NAMES = frozenset(
    [
        PAGE,
        FLOW_TABLE,
        *(f"{name}.parquet" for name in SCORES),
        *(f"{name}.{ending}" for name in (*TITLES, FOUND) for ending in PRINTED),
        *(f"{name}.csv" for name in COUNTS),
        *(f"{name}.{ending}" for name in (*FIGURES, FLOW) for ending in ("svg", "png")),
    ]
)
"""Every file that an evaluation may write; those of an earlier one that it no longer makes go."""
WITHOUT_STUDY = (
    "<h2>Patient flow, and crops of findings</h2>\n<p>Masks alone tell neither who was excluded "
    "nor what the images show. Inside a study, <code>cta-data evaluate</code> draws the patient "
    "flow, and crops of findings on every technique.</p>\n"
)


@dataclass(frozen=True)
class Evaluation:
    """What was scored and written.

    Attributes
    ----------
    sets
        Model and test set with its number of cases.
    missing
        What was not scored, a line each.
    not_predicted
        Test sets that a model has no predictions for, a line each.
    accounting
        Where every case of each model and test set went; see `ScoredSet.accounting`.
    files
        Written files, from the output folder.
    removed
        Files of an earlier evaluation that this one does not make, from the output folder.
    """

    sets: tuple[tuple[str, int], ...]
    missing: tuple[str, ...]
    not_predicted: tuple[str, ...] = ()
    accounting: tuple[dict[str, str | int], ...] = ()
    files: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Illustration:
    """What a study adds to an evaluation.

    Attributes
    ----------
    notice
        HTML that the page begins with.
    first, last
        HTML before the tables and after the figures.
    files
        Written files.
    """

    first: str = ""
    last: str = WITHOUT_STUDY
    files: tuple[Path, ...] = ()
    notice: str = ""


Illustrate = Callable[[Path, list[ScoredSet]], Illustration]
"""Writes into the evaluation's folder what a study can tell of the scored sets."""


def evaluate(
    references: Path,
    predictions: Path,
    out: Path,
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
    illustrate: Illustrate = lambda folder, sets: Illustration(),
) -> Evaluation:
    """Score all predictions and write scores, tables, figures and a page.

    Parameters
    ----------
    references
        `<test set>/<case>.nii.gz`.
    predictions
        `<model>/<test set>/<case>.nii.gz`.
    out
        Folder; a folder of the convention's name is made in it. Where nothing could be scored,
        nothing is written.
    illustrate
        Adds what masks alone cannot tell.

    Raises
    ------
    ConfigurationError
        A folder is not there.
    """
    sets, unscored = read_sets(references, predictions, convention, jobs=jobs, note=note)
    missing = (*unscored, *(line for one in sets for line in one.missing))
    told = Evaluation(
        sets=(),
        missing=missing,
        not_predicted=tuple(not_predicted(references, predictions)),
        accounting=tuple(one.accounting for one in sets),
    )
    scored = [one for one in sets if one.scores.cases]
    if not scored:
        return told
    folder = out / convention.name.replace(", ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    added = illustrate(folder, scored)
    written = _write(folder, scored, told, convention.name, added)
    old = [path for path in sorted(folder.iterdir()) if path.name in NAMES and path not in written]
    for path in old:
        path.unlink()
    files, removed = (
        tuple(sorted(path.relative_to(out).as_posix() for path in paths))
        for paths in (written, old)
    )
    names = tuple((one.name, len(one.scores.cases)) for one in scored)
    return replace(told, sets=names, files=files, removed=removed)


def _write(
    folder: Path, sets: list[ScoredSet], told: Evaluation, convention: str, added: Illustration
) -> list[Path]:
    cases = all_cases(sets)
    written = [*added.files, *_write_scores(folder, cases, all_lesions(sets))]
    sections = [added.first]
    for name in TITLES:
        frame = score_table(sets, name)
        if len(frame):
            _put_csv(folder / f"{name}.csv", frame, convention, written)
            _put(folder / f"{name}.html", score_html(frame, name, convention), written)
            _put(folder / f"{name}.tex", score_latex(frame, name, convention), written)
            sections.append(score_section(frame, name, convention))
    found = found_instances(sets)
    if len(found):
        table = found_text(found, convention)
        _put_csv(folder / f"{FOUND}.csv", found, convention, written)
        _put(folder / f"{FOUND}.html", table_page(table), written)
        _put(folder / f"{FOUND}.tex", table_tex(table), written)
        sections.append(table_section(table))
    counts = _counts(sets, told)
    for name, frame in counts.items():
        _put_csv(folder / f"{name}.csv", frame, convention, written)
    figures = _write_figures(folder, cases, counts, written)
    _put(folder / PAGE, _page(convention, sections, counts, figures, told, added), written)
    return written


def _write_scores(folder: Path, cases: pd.DataFrame, lesions: pd.DataFrame) -> list[Path]:
    written = []
    for name, frame in zip(SCORES, (cases, lesions), strict=True):
        path = folder / f"{name}.parquet"
        with written_whole(path) as unfinished:
            frame.to_parquet(unfinished, index=False)
        written.append(path)
    return written


def _counts(sets: Sequence[ScoredSet], told: Evaluation) -> dict[str, pd.DataFrame]:
    """Return the tables of `COUNTS`, those without a row left out."""
    pairs = list(model_pairs(sets))
    frames = (
        pd.DataFrame(told.accounting),
        _joined([found_by_patient(*pair) for pair in pairs]),
        _joined([found_lesions(*pair) for pair in pairs]),
        false_positives(sets),
        _joined([sensitivity_by_volume(one) for one in sets]),
        findings_frame(choose_findings(sets)),
    )
    return {name: frame for name, frame in zip(COUNTS, frames, strict=True) if len(frame)}


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _write_figures(
    folder: Path, cases: pd.DataFrame, counts: dict[str, pd.DataFrame], written: list[Path]
) -> list[str]:
    figures = [box_figure(cases), sensitivity_figure(counts["sensitivity_by_volume"])]
    if "found_lesions" in counts:
        figures.append(found_figure(counts["found_lesions"]))
    for name, figure in zip(FIGURES, figures, strict=False):
        for kind, content in figure_bytes(figure).items():
            _put(folder / f"{name}.{kind}", content, written)
    return [f"{name}.svg" for name, _ in zip(FIGURES, figures, strict=False)]


def _page(
    convention: str,
    sections: list[str],
    counts: dict[str, pd.DataFrame],
    figures: list[str],
    told: Evaluation,
    added: Illustration,
) -> str:
    """One page with everything but single patients and lesions; its pictures lie beside it."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Evaluation</title>\n<style>\n{STYLE}img {{ max-width: 100%; }}\n</style>\n"
        f"</head>\n<body>\n{added.notice}"
        f"<h1>Evaluation by the convention “{escape(convention)}”</h1>\n"
    ]
    for title, lines in (("Not scored", told.missing), ("Not predicted", told.not_predicted)):
        if lines:
            items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
            parts.append(f"<h2>{title}: {len(lines)}</h2>\n<ul>\n{items}</ul>\n")
    parts += sections
    parts += [f'<p><img src="{name}" alt="{escape(name)}"></p>\n' for name in figures]
    parts.append(added.last)
    for name, frame in counts.items():
        if name not in ("found_patients", "found_lesions"):
            shown = frame.to_html(index=False, border=0, na_rep="—", float_format="{:.3f}".format)
            parts.append(f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2>\n{shown}\n")
    return "".join([*parts, "</body>\n</html>\n"])


def _put_csv(path: Path, frame: pd.DataFrame, convention: str, written: list[Path]) -> None:
    named = frame.assign(convention=convention)
    _put(path, named.to_csv(index=False, lineterminator="\n"), written)


def _put(path: Path, content: str | bytes, written: list[Path]) -> None:
    write_bytes(content.encode() if isinstance(content, str) else content, path)
    written.append(path)
