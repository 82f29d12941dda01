"""The command `evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cta_data.cli.options import JobsOption, JsonOption, StudyOption
from cta_data.cli.output import console, error_console, print_json
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study import open_study

if TYPE_CHECKING:
    from cta_data.steps.evaluate import Evaluation


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
    out: Annotated[Path | None, typer.Option(help="Where to write; else the study's.")] = None,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Score all predictions; write the paper's tables and figures from them."""
    from cta_data.evaluation.scoring import CONVENTIONS
    from cta_data.steps.evaluate import evaluate as run

    if convention not in CONVENTIONS:
        raise ConfigurationError(
            f"there is no convention {convention!r}",
            next_step=f"Name one of {', '.join(CONVENTIONS)}",
        )
    places = _places(references, predictions, out, study)
    errors = error_console()

    def note(text: str) -> None:
        if not as_json:
            errors.print(text, soft_wrap=True)

    done = run(*places, CONVENTIONS[convention], jobs=jobs, note=note)
    for line in done.missing:
        errors.print(f"not scored: {line}", soft_wrap=True)
    if as_json:
        print_json({"sets": dict(done.sets), "missing": done.missing, "files": done.files})
    if not done.sets:
        errors.print(f"there is nothing to score in {places[1]}", soft_wrap=True)
        return EXIT_FAILED if done.missing else EXIT_NOTHING
    if not as_json:
        _print(done, places[2])
    return EXIT_FAILED if done.missing else EXIT_OK


def _places(
    references: Path | None, predictions: Path | None, out: Path | None, study: Path | None
) -> tuple[Path, Path, Path]:
    """Return the three folders: the user's, or those of the study."""
    if references and predictions and out:
        return references, predictions, out
    root = open_study(study).root / "evaluation"
    return references or root / "references", predictions or root / "predictions", out or root


def _print(done: Evaluation, out: Path) -> None:
    cases = sum(n for _, n in done.sets)
    console().print(
        f"{cases} cases in {len(done.sets)} sets scored, {len(done.missing)} not; "
        f"{len(done.files)} files written to {out}",
        soft_wrap=True,
    )
    for name in done.files:
        if name.endswith("report.html"):
            console().print(f"Look at {out / name}", soft_wrap=True)
