"""Evaluate in a study: what is written is committed, with a record of the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.files import write_bytes, write_text
from cta_data.reports.counted_lesions import counted_lesions
from cta_data.reports.evaluate import (
    FLOW,
    FLOW_TABLE,
    Evaluation,
    Illustrate,
    Illustration,
    evaluate,
)
from cta_data.reports.figures import figure_bytes, flow_alt, flow_figure
from cta_data.reports.finding_figures import write_findings
from cta_data.reports.flow import patient_flow
from cta_data.reports.home import write_home
from cta_data.reports.lesion_subgroups import StudyLevels
from cta_data.reports.page import PageFigure
from cta_data.reports.probability_files import map_beside
from cta_data.reports.score_tables import FILES, tabulate_scores
from cta_data.reports.table import csv_text
from cta_data.scoring import Convention
from cta_data.scoring.models import Predictions, ScoredSet, predictions_in_folders
from cta_data.study import layout
from cta_data.study.layout import MODELS, PREDICTIONS, REFERENCES
from cta_data.study.lock import study_lock
from cta_data.study.study import CONFIGURATION, EVALUATION, Study
from cta_data.study.tables import PredictionRow
from cta_data.training.evaluation_sets import place_references
from cta_data.training.models import kept_at
from cta_data.training.operating_points import validated_scores
from cta_data.training.predicted_sets import StudyPredictions
from cta_data.versioning.datasets import fetch, is_modified, require_identity, save
from cta_data.versioning.provenance import command_words, commit_date, commit_of, commit_run

MADE_FROM = (
    CONFIGURATION,
    *map(layout.table, ("subjects", "variants", "lesions")),
    layout.BUILDS,
    MODELS,
    PREDICTIONS,
)
"""What an evaluation is made from: the commit that last changed any of it stands on its pages."""
FLOW_CAPTION = "Patient flow; the counts are in flow.csv."
UNCHECKED = (
    "folders were given: nothing was held against the study, so that it is not known whether a "
    "model saw a case, whether a prediction is stale, and whether a patient is still in the study"
)


def evaluate_study(
    study: Study,
    convention: Convention,
    *,
    references: Path | None = None,
    predictions: Path | None = None,
    against: int | None = None,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
    commit: bool = True,
) -> Evaluation:
    """Score all predictions and write and commit what `evaluate` makes of them.

    Masks of the study whose content is elsewhere are fetched first.

    Where the masks lie in the study, the commit carries a record that `datalad rerun` repeats.
    Masks of elsewhere are no part of the study, so that nothing could be repeated: then the commit
    has no record.

    Parameters
    ----------
    references, predictions
        Folders; without them, `evaluation/references` and `evaluation/predictions`.
    against
        Version of the annotations that the scores are compared with, where these were revised.
    commit
        False where another process (`datalad rerun`) commits.

    Raises
    ------
    ConfigurationError
        A folder is not there.
    CtaError
        Another command works on the study, or the commit failed.
    """
    if commit:
        require_identity(study.root)
    out = study.root / EVALUATION
    with study_lock(study):
        found = find_predictions(study, references, predictions, against=against, note=note)
        origin = "" if references or predictions else commit_of(study.root, MADE_FROM)
        done = evaluate(
            found,
            out,
            convention,
            jobs=jobs,
            note=note,
            illustrate=illustrator(study, convention, note, origin),
            levels=StudyLevels(study),
            commit=origin,
            scores={} if references or predictions else validated_scores(study),
        )
        tabulate_scores(study, convention.name, done.scored)
        if done.sets or done.removed:
            write_home(study)
        if commit:
            command = _command(study.root, convention, references, predictions, against)
            _commit(study.root, command, convention, done, found)
    return done


def _commit(
    root: Path,
    command: tuple[str, ...],
    convention: Convention,
    done: Evaluation,
    found: Predictions,
) -> None:
    """Commit what changed, with a record where a command can repeat it."""
    tables = (root / name for name in (*FILES, layout.HOME))
    made = (root / EVALUATION / convention.name, root / REFERENCES, *tables)
    places = [place for place in made if place.exists()]
    if not any(is_modified(place) for place in places):
        return
    cases = sum(count for _, count in done.sets)
    told = f"cta-data evaluate: {convention.name}: {cases} cases, {done.n_missing} not scored"
    if not command:
        save(root, told, places)
        return
    code = EXIT_FAILED if done.missing else EXIT_OK
    paths = [place.relative_to(root).as_posix() for place in places]
    commit_run(root, command, told, paths, code, inputs=_inside(root, found))


def illustrator(
    study: Study,
    convention: Convention,
    note: Callable[[str], None] = lambda text: None,
    origin: str = "",
) -> Illustrate:
    """Return what illustrates an evaluation of a study.

    Parameters
    ----------
    note
        Takes a line of progress.
    origin
        Commit that the masks came with; the page names it and its date.
    """

    def illustrate(folder: Path, sets: list[ScoredSet]) -> Illustration:
        flow, flow_files = _write_flow(study, folder, convention)
        findings = write_findings(study, folder, sets, convention, note)
        return Illustration(
            flow=flow,
            examples=findings.figures,
            facts=_facts(study, origin),
            not_drawn=tuple(f"{name}: {reason}" for name, reason in findings.not_drawn.items()),
            files=(*flow_files, *findings.files),
            notice=study.configuration.study.notice,
        )

    return illustrate


def _facts(study: Study, origin: str) -> tuple[tuple[str, str], ...]:
    """Return what the study knows of models and data, in words, by name."""
    facts = []
    for model, rows in sorted(_rows_by_model(study).items()):
        folds = sorted({fold for row in rows for fold in row.folds})
        told = f"read {rows[0].technique}, fold{'s' if len(folds) > 1 else ''} "
        facts.append((f"Model {model}", told + ", ".join(map(str, folds))))
    if origin:
        facts += [("Commit", origin), ("Date of the data", commit_date(study.root, origin))]
    return tuple(facts)


def _rows_by_model(study: Study) -> dict[str, list[PredictionRow]]:
    found: dict[str, list[PredictionRow]] = {}
    for row in study.tables.rows(PredictionRow):
        found.setdefault(row.model, []).append(row)
    return found


def _write_flow(
    study: Study, folder: Path, convention: Convention
) -> tuple[tuple[PageFigure, ...], list[Path]]:
    """Write the diagram of the patient flow and its counts; return the figure and the files."""
    flow = patient_flow(study.subjects(), counted_lesions(study))
    if flow.empty:
        return (), []
    files = [folder / FLOW_TABLE]
    # All tables of the folder name it, though the flow is the same by any convention.
    write_text(csv_text(flow.assign(convention=convention.name)), files[0])
    for kind, content in figure_bytes(flow_figure(flow)).items():
        files.append(folder / f"{FLOW}.{kind}")
        write_bytes(content, files[-1])
    return (PageFigure(f"{FLOW}.svg", FLOW_CAPTION, flow_alt(flow)),), files


def find_predictions(
    study: Study,
    references: Path | None = None,
    predictions: Path | None = None,
    *,
    against: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Predictions:
    """Return what there is to score, with all masks of the study fetched.

    Without folders these are the study's own predictions, held against its test sets as they are
    now; the references are placed anew, so that a patient who was excluded cannot stay in a table.
    Given folders are taken as they are.

    Raises
    ------
    ConfigurationError
        A folder is not there.
    """
    own = study.root / EVALUATION
    if references or predictions:
        found = predictions_in_folders(
            references or own / "references", predictions or own / "predictions"
        )
        found = replace(found, notes=(*found.notes, UNCHECKED))
    else:
        known = StudyPredictions(study)
        place_references(study, known.judged_sets())
        found = known.to_score()
        if against is not None:
            found = replace(found, earlier=known.earlier(found, against))
    fetch_masks(study.root, found, note=note)
    return found


def fetch_masks(
    root: Path, predictions: Predictions, *, note: Callable[[str], None] = lambda text: None
) -> None:
    """Fetch the masks that lie in a study and whose content is elsewhere.

    What cannot be fetched is told with the reason; its cases are then not scored.
    """
    fetched = fetch(root, _inside(root, predictions))
    if fetched.paths:
        note(f"fetched the content of {len(fetched.paths)} files")
    for path, reason in fetched.failed.items():
        note(
            f"not fetched: {path}: {reason}. `git annex whereis` tells where it should be; "
            "add that place as a sibling"
        )


def _inside(root: Path, predictions: Predictions) -> list[str]:
    """Return the masks that lie in a study, from its top, where its datasets keep them."""
    top = root.resolve()
    inside = [path for path in _masks(predictions) if path.parent.resolve().is_relative_to(top)]
    return [kept_at(path.parent.resolve() / path.name, top) for path in inside]


def _masks(predictions: Predictions) -> Iterator[Path]:
    """Yield all files that will be read, each once."""
    seen: set[Path] = set()
    earlier = predictions.earlier.sets if predictions.earlier else ()
    for one in (*predictions.sets, *(one.predicted for one in earlier)):
        pairs = (path for both in one.pairing.files.values() for path in both)
        maps = (map_beside(mask) for _, mask in one.pairing.files.values())
        kept = (path for path in maps if os.path.lexists(path))
        for path in (*pairs, *one.pairing.lesion_labels.values(), *kept):
            if path not in seen:
                seen.add(path)
                yield path


def _command(
    root: Path,
    convention: Convention,
    references: Path | None,
    predictions: Path | None,
    against: int | None,
) -> tuple[str, ...]:
    """Return the command line as run at the top of the study; empty where it leads out of it."""
    folders = {"references": references, "predictions": predictions}
    inside = {name: path.resolve() for name, path in folders.items() if path is not None}
    top = root.resolve()
    if not all(path.is_relative_to(top) for path in inside.values()):
        return ()
    places = {name: path.relative_to(top).as_posix() for name, path in inside.items()}
    return command_words("evaluate", convention=convention.name, against=against, **places)
