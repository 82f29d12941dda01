"""The command `evaluate`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import ConventionOption, Execution, Output, StudyChoice
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.reasons import counted
from cta_data.terminal.output import console, print_errors, records_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.reports.evaluate import Evaluation
    from cta_data.scoring.models import Predictions


def evaluate(
    output: Annotated[
        Output,
        Takes(
            *("overwrite", "as_json"),
            out="Where to write; else `evaluation`, of the study or here.",
        ),
    ],
    execution: Annotated[Execution, Takes("jobs", "replay")],
    chosen: StudyChoice,
    convention: ConventionOption = "article",
    references: Annotated[
        Path | None, Option(help="Folder of <test set>/<case>.nii.gz; else the study's.")
    ] = None,
    predictions: Annotated[
        Path | None, Option(help="Folder of <model>/<test set>/<case>.nii.gz; else the study's.")
    ] = None,
    against: Annotated[
        int | None,
        Option(min=1, help="Version of annotations: what their revision since then changed."),
    ] = None,
) -> int:
    """Score all predictions; write the paper's tables and figures."""
    from cta_data.destinations import require_folder_place
    from cta_data.given_paths import require_given_folder
    from cta_data.reports.evaluate import NAMES, convention_folder
    from cta_data.reports.evaluate import evaluate as run
    from cta_data.reports.evaluate_study import evaluate_study
    from cta_data.scoring import convention_named
    from cta_data.study.study import EVALUATION
    from cta_data.terminal.next_commands import after_evaluate

    rules = convention_named(convention)
    if against is not None and (references or predictions):
        raise ConfigurationError("versions_of_given_folders")
    for given in filter(None, (references, predictions)):
        require_given_folder(given, "the masks")
    if output.out is None and not (references and predictions and _is_standalone(chosen)):
        study = chosen.open()
        place = study.root / EVALUATION
        done = evaluate_study(
            study,
            rules,
            references=references,
            predictions=predictions,
            against=against,
            jobs=execution.jobs,
            note=output.note,
            commit=not execution.replay,
        )
        code = _show(done, place, output)
        tell_next(study, chosen, output, after_evaluate)
        return code
    place = output.out or Path(EVALUATION)
    found = _find(references, predictions, chosen, against, output)
    read = [references, predictions, *_masks_of(found)]
    folder = convention_folder(place, rules)
    require_folder_place(folder, read, NAMES, overwrite=output.overwrite)
    done = run(found, place, rules, jobs=execution.jobs, note=output.note)
    return _show(done, place, output)


def _is_standalone(chosen: StudyChoice) -> bool:
    """Tell whether no study is named, and none is here or above."""
    from cta_data.study.study import CONFIGURATION, ENVIRONMENT

    if chosen.study or os.environ.get(ENVIRONMENT):
        return False
    here = Path.cwd()
    return not any((folder / CONFIGURATION).is_file() for folder in (here, *here.parents))


def _find(
    references: Path | None,
    predictions: Path | None,
    chosen: StudyChoice,
    against: int | None,
    output: Output,
) -> Predictions:
    """Return what there is to score: the user's folders, or masks of the study, fetched."""
    from cta_data.reports.evaluate_study import find_predictions
    from cta_data.scoring.models import predictions_in_folders

    if references and predictions:
        return predictions_in_folders(references, predictions)
    study = chosen.open()
    return find_predictions(study, references, predictions, against=against, note=output.note)


def _masks_of(found: Predictions) -> list[Path]:
    """Return the folders of the masks that are read, and the masks where they are links."""
    pairs = [path for one in found.sets for both in one.pairing.files.values() for path in both]
    return [*dict.fromkeys(path.parent for path in pairs), *filter(Path.is_symlink, pairs)]


def _show(done: Evaluation, place: Path, output: Output) -> int:
    """Print what was evaluated and what was not; return the exit code."""
    print_errors(*(f"not scored: {line}" for line in done.missing))
    for line in done.not_predicted:
        output.note(f"not predicted: {line}")
    for line in done.notes:
        output.note(f"note: {line}")
    for name in done.removed:
        output.note(f"removed, since it is of an earlier evaluation: {name}")
    output.show(lambda: _content(done), _lines(done, place))
    if not done.sets:
        print_errors("there is nothing to score: no prediction has a reference")
    if done.missing:
        return EXIT_FAILED
    return EXIT_OK if done.sets else EXIT_NOTHING


def _content(done: Evaluation) -> dict[str, object]:
    from cta_data.scoring.models.revision import revision_frame

    names = ("missing", "not_predicted", "notes", "files", "removed")
    content = {name: getattr(done, name) for name in names}
    revision = records_of(revision_frame(done.revision))
    cases = [one.columns() for one in done.accounting]
    return {"sets": dict(done.sets), "cases": cases, "revision": revision, **content}


def _lines(done: Evaluation, place: Path) -> Iterator[str | Table]:
    if done.sets:
        cases = sum(n for _, n in done.sets)
        yield (
            f"{counted(cases, 'case')} in {counted(len(done.sets), 'set')} scored, "
            f"{done.n_missing} not; {len(done.files)} files written to {place}"
        )
        yield from _revised(done)
        pages = (name for name in done.files if name.endswith("report.html"))
        yield from (f"Look at {place / name}" for name in pages)


def _revised(done: Evaluation) -> Iterator[str | Table]:
    """Yield what a revision of annotations changed, where that was asked for."""
    from cta_data.reports.revision_table import revision_table
    from cta_data.reports.table import terminal_tables

    if done.revision:
        yield from terminal_tables(revision_table(done.revision), console().width)
