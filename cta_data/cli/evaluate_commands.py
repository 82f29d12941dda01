"""The command `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.options import (
    JobsOption,
    JsonOption,
    OverwriteOption,
    ReplayOption,
    StudyOption,
)
from cta_data.destinations import require_folder_place
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.given_paths import require_given_folder
from cta_data.study.study import CONFIGURATION, ENVIRONMENT, EVALUATION, open_study
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    from cta_data.reports.evaluate import Evaluation
    from cta_data.scoring.models import Predictions


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate")(evaluate)


def evaluate(
    convention: Annotated[str, typer.Option(help="article or tables.")] = "article",
    references: Annotated[
        Path | None, typer.Option(help="Folder of <test set>/<case>.nii.gz; else the study's.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Folder of <model>/<test set>/<case>.nii.gz; else the study's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; else `evaluation`, of the study or here.")
    ] = None,
    overwrite: OverwriteOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
) -> int:
    """Score all predictions; write the paper's tables and figures from them."""
    from cta_data.scoring import convention_named

    chosen = convention_named(convention)
    errors = error_console()

    def note(text: str) -> None:
        if not as_json:
            errors.print(text, soft_wrap=True)

    for given in filter(None, (references, predictions)):
        require_given_folder(given, "the masks")
    if out is None and not (references and predictions and _is_standalone(study)):
        from cta_data.reports.evaluate_study import evaluate_study

        opened = open_study(study)
        place = opened.root / EVALUATION
        done = evaluate_study(
            opened,
            chosen,
            references=references,
            predictions=predictions,
            jobs=jobs,
            note=note,
            commit=not replay,
        )
    else:
        from cta_data.reports.evaluate import NAMES, convention_folder
        from cta_data.reports.evaluate import evaluate as run

        place = out or Path(EVALUATION)
        found = _find(references, predictions, study, note)
        folder = convention_folder(place, chosen)
        read = [references, predictions, *_masks_of(found)]
        require_folder_place(folder, read, NAMES, overwrite=overwrite)
        done = run(found, place, chosen, jobs=jobs, note=note)
    return _tell(done, place, note, as_json=as_json)


def _is_standalone(study: Path | None) -> bool:
    """Tell whether no study is named, and none is here or above."""
    if study or os.environ.get(ENVIRONMENT):
        return False
    here = Path.cwd()
    return not any((folder / CONFIGURATION).is_file() for folder in (here, *here.parents))


def _find(
    references: Path | None,
    predictions: Path | None,
    study: Path | None,
    note: Callable[[str], None],
) -> Predictions:
    """Return what there is to score: the user's folders, or masks of the study, fetched."""
    if references and predictions:
        from cta_data.scoring.models import predictions_in_folders

        return predictions_in_folders(references, predictions)
    from cta_data.reports.evaluate_study import find_predictions

    return find_predictions(open_study(study), references, predictions, note=note)


def _masks_of(found: Predictions) -> list[Path]:
    """Return the folders of the masks that are read, and the masks where they are links."""
    pairs = [path for one in found.sets for both in one.pairing.files.values() for path in both]
    return [*dict.fromkeys(path.parent for path in pairs), *filter(Path.is_symlink, pairs)]


def _tell(done: Evaluation, place: Path, note: Callable[[str], None], *, as_json: bool) -> int:
    errors = error_console()
    for line in done.missing:
        errors.print(f"not scored: {line}", soft_wrap=True)
    for line in done.not_predicted:
        note(f"not predicted: {line}")
    for line in done.notes:
        note(f"note: {line}")
    for name in done.removed:
        note(f"removed, since it is of an earlier evaluation: {name}")
    if as_json:
        print_json(
            {
                "sets": dict(done.sets),
                "cases": [one.columns() for one in done.accounting],
                "missing": done.missing,
                "not_predicted": done.not_predicted,
                "notes": done.notes,
                "files": done.files,
                "removed": done.removed,
            }
        )
    if not done.sets:
        errors.print("there is nothing to score: no prediction has a reference", soft_wrap=True)
        return EXIT_FAILED if done.missing else EXIT_NOTHING
    if not as_json:
        _print(done, place)
    return EXIT_FAILED if done.missing else EXIT_OK


def _print(done: Evaluation, place: Path) -> None:
    cases = sum(n for _, n in done.sets)
    console().print(
        f"{cases} cases in {len(done.sets)} sets scored, {done.n_missing} not; "
        f"{len(done.files)} files written to {place}",
        soft_wrap=True,
    )
    for name in done.files:
        if name.endswith("report.html"):
            console().print(f"Look at {place / name}", soft_wrap=True)
