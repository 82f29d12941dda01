"""The command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cta_data.cli.options import JsonOption, OverwriteOption, StudyOption
from cta_data.destinations import require_file_place
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING
from cta_data.errors import ConfigurationError
from cta_data.files import written_whole
from cta_data.given_paths import require_given_file
from cta_data.study.study import EVALUATION, open_study
from cta_data.terminal.output import error_console, print_json

if TYPE_CHECKING:
    from cta_data.scoring.comparison import ScoreComparison
    from cta_data.scoring.kept_scores import KeptScores

MOST_NAMES = 20


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare")(compare)


def compare(
    a: Annotated[
        Path | None,
        typer.Argument(metavar="[A]", help="Scores: JSON or Parquet; the study's without it."),
    ] = None,
    b: Annotated[
        Path | None, typer.Argument(metavar="[B]", help="Scores of the same cases; else as A.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Two models, as --model A --model B; or one of both files."),
    ] = None,
    test_set: Annotated[
        str, typer.Option("--test-set", help="Of scores that have several, as internal-HAQ.")
    ] = "",
    convention: Annotated[
        str, typer.Option("--convention", help="Of the study's scores: article or tables.")
    ] = "article",
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Only this metric; may be repeated. All without it."),
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Of the intervals, between 0 and 1.")
    ] = 0.95,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the resampling; a fixed one without it.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Keep the comparison, one row a metric: .parquet or .csv."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Test whether the scores of B differ from those of A, case by case."""
    from cta_data.scoring.comparison import compare_scores, compared_metrics, require_one_convention
    from cta_data.scoring.kept_scores import read_scores
    from cta_data.scoring.statistics import SEED
    from cta_data.terminal.compare_table import print_comparison

    if not 0 < confidence < 1:
        raise ConfigurationError("--confidence is between 0 and 1", why=f"{confidence:g}")
    _check_out(out)
    sources = _sources(a, b, model or [], convention, study)
    if out is not None:
        require_file_place(out, [path for path, _ in sources], overwrite=overwrite)
    first, second = (
        read_scores(path, {"model": name, "test_set": test_set}) for path, name in sources
    )
    require_one_convention(first, second)
    _require_one_test_set(first, second)
    metrics = compared_metrics(first.cases, second.cases, metric)
    seed = SEED if seed is None else seed
    made = compare_scores(first.cases, second.cases, metrics, confidence=confidence, seed=seed)
    if made.n_cases == 0:
        _tell_unpaired(made)
        error_console().print("no case has the same name in both")
        return EXIT_NOTHING
    if out is not None:
        _write(made, out)
    if as_json:
        print_json(_content(first, second, made))
    else:
        print_comparison(first, second, made)
    _tell_unpaired(made)
    return EXIT_FAILED if made.only_a or made.only_b else 0


def _sources(
    a: Path | None, b: Path | None, models: list[str], convention: str, study: Path | None
) -> list[tuple[Path, str]]:
    """Return where the scores of each side are, and of which model.

    Raises
    ------
    ConfigurationError
        One file without two models would be compared with itself, or there is no such convention.
    """
    from cta_data.scoring.conventions import convention_named

    if len(models) > 2 or (b is None and len(set(models)) != 2):
        raise ConfigurationError(
            "two models are compared",
            why=f"--model was given {len(models)} times",
            next_step="Give two files, or --model A --model B",
        )
    for given in filter(None, (a, b)):
        require_given_file(given, "the scores")
    if a is None:
        convention_named(convention)
        a = open_study(study).root / EVALUATION / convention / "scores.parquet"
        if not a.exists():
            raise ConfigurationError(
                f"the study was not evaluated by the convention {convention!r}",
                where=str(a),
                next_step=f"Run `cta-data evaluate --convention {convention}`",
            )
    first, second = (models * 2)[:2] if models else ("", "")
    if first == second and b is not None and a.resolve() == b.resolve():
        raise ConfigurationError(
            "scores are not compared with themselves",
            where=str(a),
            next_step="Give two files, or --model A --model B",
        )
    return [(a, first), (b or a, second)]


def _require_one_test_set(a: KeptScores, b: KeptScores) -> None:
    if a.test_set and b.test_set and a.test_set != b.test_set:
        raise ConfigurationError(
            "the scores are of different test sets",
            why=f"{a.test_set} and {b.test_set}",
            next_step="Compare models on one test set: --test-set",
        )


def _content(a: KeptScores, b: KeptScores, made: ScoreComparison) -> dict[str, Any]:
    return {
        "a": a.source,
        "b": b.source,
        "convention": a.convention,
        "options": b.options | a.options,
        "difference": "b - a",
        "n_cases": made.n_cases,
        "only_a": list(made.only_a),
        "only_b": list(made.only_b),
        "confidence": made.confidence,
        "resamples": made.resamples,
        "seed": made.seed,
        "metrics": made.records(),
    }


def _tell_unpaired(made: ScoreComparison) -> None:
    errors = error_console()
    for side, names in (("A", made.only_a), ("B", made.only_b)):
        if names:
            errors.print(f"Only in {side}, and left out ({len(names)}):")
        for name in names[:MOST_NAMES]:
            errors.print(f"  {name}", soft_wrap=True)
        if len(names) > MOST_NAMES:
            errors.print(f"  … and {len(names) - MOST_NAMES} more: --json lists them")


def _check_out(out: Path | None) -> None:
    if out is not None and out.suffix not in (".parquet", ".csv"):
        raise ConfigurationError(
            "the comparison is kept as .parquet or .csv", where=str(out), next_step="Name it so"
        )


def _write(made: ScoreComparison, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as unfinished:
        if out.suffix == ".csv":
            made.frame().to_csv(unfinished, index=False, lineterminator="\n")
        else:
            made.frame().to_parquet(unfinished, index=False, compression="zstd")
