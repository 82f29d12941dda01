"""Evaluate: every prediction scored, and the paper's tables and figures made from the scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cta_data.files import write_bytes
from cta_data.reports.article.found_text import found_text
from cta_data.reports.article.page import evaluation_page
from cta_data.reports.article.score_text import score_html, score_latex, score_section
from cta_data.reports.article.text_table import table_page, table_section, table_tex
from cta_data.reports.figures import box_figure, figure_bytes, found_figure, sensitivity_figure
from cta_data.reports.origin import STAMPED, origin_text, stamped
from cta_data.scoring import Convention
from cta_data.scoring.models import (
    Predictions,
    ScoredSet,
    choose_findings,
    false_positives,
    findings_frame,
    found_by_models,
    found_by_patient,
    found_instances,
    found_lesions,
    lesions_by_models,
    model_pairs,
    score_sets,
    score_table,
    sensitivity_by_volume,
)
from cta_data.scoring.models.found import FOUND_ORDER
from cta_data.scoring.models.paper_order import ALL_SETS, PAIR, in_paper_order, printed_name
from cta_data.scoring.models.score_table import TITLES
from cta_data.scoring.models.sets import all_cases, all_lesions
from cta_data.scoring.output import write_frames

PAGE = "report.html"
SCORES = "scores.parquet"
FOUND = "found_instances"
COUNTS = (
    "cases",
    "found_patients",
    "found_lesions",
    "lesions_by_models",
    "found_by_models",
    "false_positives",
    "sensitivity_by_volume",
    "findings",
)
FIGURES = {
    "figure_3": "Figure 3: models A and B on the paper’s test sets.",
    "figure_scores": "All models on all test sets.",
    "figure_found": "Figure 5: lesions found by models A and B, along their volume.",
    "figure_sensitivity": "Sensitivity along lesion volume.",
}
FLOW = "figure_flow"
FLOW_TABLE = "flow.csv"
PRINTED = ("csv", "html", "tex")
NAMES = frozenset(
    [
        PAGE,
        FLOW_TABLE,
        *(f"scores{part}.{ending}" for part in ("", ".lesions") for ending in ("parquet", "csv")),
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
        What was not scored, a line for each reason.
    n_missing
        Cases that were not scored, and whole sets that could not be.
    not_predicted
        Test sets that a model has no predictions for, a line each.
    notes
        What has to be known of the predictions to read their scores, a line each.
    accounting
        Where every case of each model and test set went; see `ScoredSet.accounting`.
    files
        Written files, from the output folder.
    removed
        Files of an earlier evaluation that this one does not make, from the output folder.
    """

    sets: tuple[tuple[str, int], ...]
    missing: tuple[str, ...]
    n_missing: int = 0
    not_predicted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accounting: tuple[dict[str, str | int], ...] = ()
    files: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Illustration:
    """What a study adds to an evaluation.

    Attributes
    ----------
    notice
        A line that every page begins with.
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
    predictions: Predictions,
    out: Path,
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
    illustrate: Illustrate = lambda folder, sets: Illustration(),
    commit: str = "",
) -> Evaluation:
    """Score all predictions and write scores, tables, figures and a page.

    Parameters
    ----------
    out
        Folder; a folder of the convention's name is made in it. Where nothing could be scored,
        nothing is written, and what an earlier evaluation wrote is removed.
    illustrate
        Adds what masks alone cannot tell.
    commit
        That the masks came with; pages and figures name it.
    """
    sets = score_sets(predictions, convention, jobs=jobs, note=note)
    told = Evaluation(
        sets=(),
        missing=(*predictions.unscored, *(line for one in sets for line in one.missing)),
        n_missing=len(predictions.unscored) + sum(one.n_missing for one in sets),
        not_predicted=predictions.not_predicted,
        notes=predictions.notes,
        accounting=tuple(one.accounting for one in sets),
    )
    scored = [one for one in sets if one.scores.cases]
    folder = convention_folder(out, convention)
    if not scored:
        # Tables of an earlier evaluation would show what cannot be scored any more.
        old = _remove_all_but(folder, [])
        return replace(told, removed=tuple(path.relative_to(out).as_posix() for path in old))
    folder.mkdir(parents=True, exist_ok=True)
    added = illustrate(folder, scored)
    written = _write(folder, scored, told, convention.name, added)
    for path in written:
        if path.suffix in STAMPED:
            write_bytes(stamped(path.read_bytes(), path.suffix, origin_text(commit)), path)
    old = _remove_all_but(folder, written)
    files, removed = (
        tuple(sorted(path.relative_to(out).as_posix() for path in paths))
        for paths in (written, old)
    )
    names = tuple((one.name, len(one.scores.cases)) for one in scored)
    return replace(told, sets=names, files=files, removed=removed)


def convention_folder(out: Path, convention: Convention) -> Path:
    """Return the folder of an evaluation by a convention, in the folder of all evaluations."""
    return out / convention.name.replace(", ", "-")


def _remove_all_but(folder: Path, written: Sequence[Path]) -> list[Path]:
    """Remove what an earlier evaluation wrote and this one did not; return it."""
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    old = [path for path in there if path.name in NAMES and path not in written]
    for path in old:
        path.unlink()
    return old


def _write(
    folder: Path, sets: list[ScoredSet], told: Evaluation, convention: str, added: Illustration
) -> list[Path]:
    cases = all_cases(sets)
    written = [*added.files, *write_frames(cases, all_lesions(sets), folder / SCORES)]
    sections = [added.first]
    for name in TITLES:
        frame = score_table(sets, name)
        if len(frame):
            _put_csv(folder / f"{name}.csv", frame, convention, written)
            page = score_html(frame, name, convention, added.notice)
            _put(folder / f"{name}.html", page, written)
            _put(folder / f"{name}.tex", score_latex(frame, name, convention), written)
            sections.append(score_section(frame, name, convention))
    found = found_instances(sets)
    if len(found):
        table = found_text(found, convention)
        _put_csv(folder / f"{FOUND}.csv", found, convention, written)
        _put(folder / f"{FOUND}.html", table_page(table, added.notice), written)
        _put(folder / f"{FOUND}.tex", table_tex(table), written)
        sections.append(table_section(table))
    counts = _counts(sets, told)
    for name, frame in counts.items():
        _put_csv(folder / f"{name}.csv", frame, convention, written)
    page = evaluation_page(
        convention,
        notice=added.notice,
        told={
            "Not scored": told.missing,
            "Not predicted": told.not_predicted,
            "To be known of these predictions": told.notes,
        },
        sections=sections,
        figures=_write_figures(folder, sets, cases, counts, written),
        last=added.last,
        counts=counts,
    )
    _put(folder / PAGE, page, written)
    return written


def _counts(sets: Sequence[ScoredSet], told: Evaluation) -> dict[str, pd.DataFrame]:
    """Return the tables of `COUNTS`, those without a row left out."""
    pairs = list(model_pairs(sets))
    by_models = lesions_by_models(sets)
    frames = (
        pd.DataFrame(told.accounting),
        _joined([found_by_patient(*pair) for pair in pairs]),
        _joined([found_lesions(*pair) for pair in pairs]),
        by_models,
        found_by_models(by_models),
        false_positives(sets),
        _joined([sensitivity_by_volume(one) for one in sets]),
        findings_frame(choose_findings(sets)),
    )
    return {name: frame for name, frame in zip(COUNTS, frames, strict=True) if len(frame)}


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _write_figures(
    folder: Path,
    sets: Sequence[ScoredSet],
    cases: pd.DataFrame,
    counts: dict[str, pd.DataFrame],
    written: list[Path],
) -> dict[str, str]:
    """Draw what there is; return the name of each file with its caption."""
    figures: dict[str, Figure] = {}
    pair = {(one.test_set, one.model) for one in sets if _is_in_figure_3(one)}
    of_pair = [key in pair for key in zip(cases["test_set"], cases["model"], strict=True)]
    if pair:
        own = cases[of_pair]
        ranks = {name: n for n, name in enumerate(in_paper_order(own["test_set"], FOUND_ORDER))}
        ordered = own.sort_values("test_set", key=lambda names: names.map(ranks), kind="stable")
        figures["figure_3"] = box_figure(ordered)
    if not all(of_pair):
        figures["figure_scores"] = box_figure(cases)
    if "found_lesions" in counts:
        figures["figure_found"] = found_figure(counts["found_lesions"])
    figures["figure_sensitivity"] = sensitivity_figure(counts["sensitivity_by_volume"])
    for name, figure in figures.items():
        for kind, content in figure_bytes(figure).items():
            _put(folder / f"{name}.{kind}", content, written)
    return {f"{name}.svg": FIGURES[name] for name in figures}


def _is_in_figure_3(one: ScoredSet) -> bool:
    return one.as_published and one.model in PAIR and printed_name(one.test_set) in ALL_SETS


def _put_csv(path: Path, frame: pd.DataFrame, convention: str, written: list[Path]) -> None:
    named = frame.assign(convention=convention)
    _put(path, named.to_csv(index=False, lineterminator="\n"), written)


def _put(path: Path, content: str | bytes, written: list[Path]) -> None:
    write_bytes(content.encode() if isinstance(content, str) else content, path)
    written.append(path)
