"""Evaluate: every prediction scored, and the paper's tables and figures made from the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cta_data.files import write_bytes
from cta_data.reasons import counted
from cta_data.reports.article import found_table_in_print, reading, score_table_in_print
from cta_data.reports.evaluation_counts import COUNTS, evaluation_counts
from cta_data.reports.evaluation_page import FOUND, HOME, EvaluationContent, evaluation_html
from cta_data.reports.evaluation_probabilities import write_kept_froc
from cta_data.reports.figures import (
    box_alt,
    box_figure,
    figure_bytes,
    found_alt,
    found_figure,
    sensitivity_alt,
    sensitivity_figure,
)
from cta_data.reports.froc import NAMES as FROC_NAMES
from cta_data.reports.froc import FrocPart
from cta_data.reports.latex import latex
from cta_data.reports.lesion_subgroups import StudyLevels
from cta_data.reports.origin import origin_text, package_version, stamp_files
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.revision_table import revision_section, revision_table
from cta_data.reports.table import Table, csv_text
from cta_data.scoring import Convention
from cta_data.scoring.models import (
    CaseAccounting,
    Predictions,
    ScoredSet,
    found_instances,
    score_sets,
)
from cta_data.scoring.models.revision import (
    RevisedSet,
    RevisionRow,
    revised_cases,
    revision_frame,
    revision_rows,
    score_earlier,
)
from cta_data.scoring.models.score_table import TITLES, score_frame, score_rows
from cta_data.scoring.models.sets import all_cases, all_lesions
from cta_data.scoring.output import write_frames
from cta_data.scoring.paper import ALL_SETS, PAIR, printed_name
from cta_data.scoring.probabilities.candidates import ScoreName

PAGE = "report.html"
SCORES = "scores.parquet"
POINTS = (
    "Every case is a point, the line is the median; boxes span the quartiles where there are four "
    "cases or more."
)
FIGURES = {
    "figure_3": f"Figure 3: scores of models A and B on the paper’s test sets. {POINTS}",
    "figure_scores": f"Scores of all models on all test sets. {POINTS}",
    "figure_found": "Figure 5: lesions found by models A and B, along their volume.",
    "figure_sensitivity": "Sensitivity along lesion volume; bars are 95 % intervals (Wilson). "
    "Lines join neighbouring classes that hold lesions. The number of lesions is below each class; "
    "where the images of models give other numbers, it is that of each model.",
}
REVISION, REVISED_CASES = "table_revision", "revision.csv"
FLOW = "figure_flow"
FLOW_TABLE = "flow.csv"
PRINTED = ("csv", "html", "tex")
LISTED = (".csv", ".parquet", ".tex")
"""Endings of files that the page links to."""
NAMES = frozenset(
    [
        PAGE,
        FLOW_TABLE,
        REVISED_CASES,
        *(f"scores{part}.{ending}" for part in ("", ".lesions") for ending in ("parquet", "csv")),
        *(f"{name}.{ending}" for name in (*TITLES, FOUND, REVISION) for ending in PRINTED),
        *(f"{name}.csv" for name in COUNTS),
        *(f"{name}.{ending}" for name in (*FIGURES, FLOW) for ending in ("svg", "png")),
        *FROC_NAMES,
    ]
)
"""Every file that an evaluation may write; those of an earlier one that it no longer makes go."""


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
        Where every case of each model and test set went.
    files
        Written files, from the output folder.
    removed
        Files of an earlier evaluation that this one does not make, from the output folder.
    scored
        All scores.
    revision
        What a revision of annotations changed, where that was asked for.
    """

    sets: tuple[tuple[str, int], ...]
    missing: tuple[str, ...]
    n_missing: int = 0
    not_predicted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accounting: tuple[CaseAccounting, ...] = ()
    files: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    scored: tuple[ScoredSet, ...] = ()
    revision: tuple[RevisionRow, ...] = ()


@dataclass(frozen=True)
class Illustration:
    """What a study adds to an evaluation, that masks alone cannot tell.

    Attributes
    ----------
    flow
        Figure of the patient flow; none where there is no subject.
    examples
        Figures of selected examples.
    facts
        What is to be known of models and data, in words, by name.
    not_drawn
        What could not be drawn, with the reason, a line each.
    files
        Written files.
    notice
        A line that every page begins with.
    """

    flow: tuple[PageFigure, ...] = ()
    examples: tuple[PageFigure, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    not_drawn: tuple[str, ...] = ()
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
    illustrate: Illustrate | None = None,
    levels: StudyLevels | None = None,
    commit: str = "",
    scores: Mapping[str, ScoreName] | None = None,
) -> Evaluation:
    """Score all predictions and write scores, tables, figures and a page.

    Parameters
    ----------
    out
        Folder; a folder of the convention's name is made in it. Where nothing could be scored,
        nothing is written, and what an earlier evaluation wrote is removed.
    illustrate
        Adds what masks alone cannot tell, in a study.
    levels
        To which subgroups lesions belong, in a study.
    commit
        That the masks came with; pages and figures name it.
    scores
        Of candidates, by model, where one was chosen on validation folds.
    """
    sets = score_sets(predictions, convention, jobs=jobs, note=note)
    earlier = predictions.earlier
    revised = score_earlier(earlier, sets, convention, jobs=jobs, note=note) if earlier else []
    evaluation = _scored(predictions, sets, revised)
    scored = list(evaluation.scored)
    folder = convention_folder(out, convention)
    if not scored:
        # Tables of an earlier evaluation would show what cannot be scored any more.
        old = _remove_all_but(folder, [])
        return replace(evaluation, removed=tuple(path.relative_to(out).as_posix() for path in old))
    folder.mkdir(parents=True, exist_ok=True)
    added = illustrate(folder, scored) if illustrate else None
    section = revision_section(earlier.version, evaluation.revision) if earlier else None
    known = levels or StudyLevels(None)
    curves = write_kept_froc(folder, predictions, convention, scores or {}, jobs=jobs, note=note)
    written = _write(folder, scored, evaluation, convention.name, added, section, known, curves)
    written += _write_revised_cases(folder, revised, convention.name)
    stamp_files(written, origin_text(commit))
    old = _remove_all_but(folder, written)
    files, removed = (
        tuple(sorted(path.relative_to(out).as_posix() for path in paths))
        for paths in (written, old)
    )
    names = tuple((one.name, len(one.scores.cases)) for one in scored)
    return replace(evaluation, sets=names, files=files, removed=removed)


def _scored(
    predictions: Predictions, sets: Sequence[ScoredSet], revised: Sequence[RevisedSet]
) -> Evaluation:
    """Return what was scored, and what was not, before anything is written."""
    earlier = predictions.earlier
    not_before = [*(earlier.not_there if earlier else ()), *_missing(revised)]
    return Evaluation(
        sets=(),
        missing=(*predictions.unscored, *_missing(sets), *not_before),
        n_missing=len(predictions.unscored) + sum(one.n_missing for one in sets) + len(not_before),
        not_predicted=predictions.not_predicted,
        notes=predictions.notes,
        accounting=tuple(one.accounting for one in sets),
        scored=tuple(one for one in sets if one.scores.cases),
        revision=tuple(revision_rows(revised)),
    )


def _missing(sets: Sequence[ScoredSet | RevisedSet]) -> list[str]:
    return [line for one in sets for line in one.missing]


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
    folder: Path,
    sets: list[ScoredSet],
    evaluation: Evaluation,
    convention: str,
    study: Illustration | None,
    revision: Section | None,
    levels: StudyLevels,
    curves: FrocPart,
) -> list[Path]:
    cases = all_cases(sets)
    written = [*(study.files if study else ()), *curves.files]
    written += write_frames(cases, all_lesions(sets), folder / SCORES)
    added = study or Illustration()
    tables = _printed_tables(sets)
    if evaluation.revision:
        rows = evaluation.revision
        tables[REVISION] = revision_frame(rows), revision_table(rows)
    for name, (frame, table) in tables.items():
        _put_csv(folder / f"{name}.csv", frame, convention, written)
        _put(folder / f"{name}.html", _table_page(table, convention, study), written)
        comments = (f"{table.title}. {table.caption}", *reading(convention))
        _put(folder / f"{name}.tex", latex(table, comments), written)
    counts = evaluation_counts(sets, evaluation.accounting, levels)
    for name, frame in counts.items():
        _put_csv(folder / f"{name}.csv", frame, convention, written)
    content = EvaluationContent(
        convention=convention,
        cases=cases,
        tables={name: table for name, (_, table) in tables.items() if name != REVISION},
        revision=revision,
        probabilities=curves.sections,
        counts=counts,
        figures=_write_figures(folder, sets, cases, counts, written),
        facts=(*_facts(sets, evaluation), *added.facts),
        remarks={
            "Not scored": evaluation.missing,
            "Not predicted": evaluation.not_predicted,
            "To be known of these predictions": evaluation.notes,
        },
        files=tuple(sorted(path.name for path in written if path.suffix in LISTED)),
        examples=added.examples,
        flow=added.flow,
        not_drawn=added.not_drawn,
        notice=added.notice,
        in_study=study is not None,
    )
    _put(folder / PAGE, evaluation_html(content), written)
    return written


def _write_revised_cases(
    folder: Path, revised: Sequence[RevisedSet], convention: str
) -> list[Path]:
    written: list[Path] = []
    if revised:
        _put_csv(folder / REVISED_CASES, revised_cases(revised), convention, written)
    return written


def _table_page(table: Table, convention: str, study: Illustration | None) -> str:
    """Return a table on a page of its own."""
    return page_html(
        "table.html",
        title=table.title,
        notice=study.notice if study else "",
        home=HOME if study else "",
        intro="",
        tables=[replace(table, title="")],
        notes=reading(convention),
        lists={},
    )


def _facts(sets: Sequence[ScoredSet], evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    """Return what masks alone tell of an evaluation."""
    models: dict[str, list[str]] = {}
    for one in sets:
        models.setdefault(one.model, []).append(one.test_set)
    n_cases = sum(len(one.scores.cases) for one in sets)
    scored = f"{counted(n_cases, 'case')} in {counted(len(sets), 'set')}"
    return (
        ("Models", ", ".join(sorted(models))),
        ("Scored", f"{scored}; {evaluation.n_missing} not scored"),
        ("Package", f"cta_data {package_version()}"),
    )


def _printed_tables(sets: Sequence[ScoredSet]) -> dict[str, tuple[pd.DataFrame, Table]]:
    """Return the tables of `TITLES` and what was found, each as data and in print; none empty."""
    tables = {}
    for name in TITLES:
        if rows := score_rows(sets, name):
            tables[name] = score_frame(rows), score_table_in_print(rows, name)
    found = found_instances(sets)
    if len(found):
        tables[FOUND] = found, found_table_in_print(found)
    return tables


def _write_figures(
    folder: Path,
    sets: list[ScoredSet],
    cases: pd.DataFrame,
    counts: dict[str, pd.DataFrame],
    written: list[Path],
) -> dict[str, PageFigure]:
    """Draw what there is; return the figures by name."""
    figures: dict[str, tuple[Figure, str]] = {}
    pair = {(one.test_set, one.model) for one in sets if _is_in_figure_3(one)}
    of_pair = [key in pair for key in zip(cases["test_set"], cases["model"], strict=True)]
    if pair:
        own = cases[of_pair]
        figures["figure_3"] = box_figure(own), box_alt(own)
    if not all(of_pair):
        figures["figure_scores"] = box_figure(cases), box_alt(cases)
    if "found_lesions" in counts:
        found = counts["found_lesions"]
        figures["figure_found"] = found_figure(found), found_alt(found)
    curves = counts["sensitivity_by_volume"]
    figures["figure_sensitivity"] = sensitivity_figure(curves), sensitivity_alt(curves)
    for name, (figure, _) in figures.items():
        for kind, content in figure_bytes(figure).items():
            _put(folder / f"{name}.{kind}", content, written)
    return {
        name: PageFigure(f"{name}.svg", FIGURES[name], alt) for name, (_, alt) in figures.items()
    }


def _is_in_figure_3(one: ScoredSet) -> bool:
    return one.as_published and one.model in PAIR and printed_name(one.test_set) in ALL_SETS


def _put_csv(path: Path, frame: pd.DataFrame, convention: str, written: list[Path]) -> None:
    _put(path, csv_text(frame.assign(convention=convention)), written)


def _put(path: Path, content: str | bytes, written: list[Path]) -> None:
    write_bytes(content.encode() if isinstance(content, str) else content, path)
    written.append(path)
