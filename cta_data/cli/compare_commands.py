"""The command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cta_data.cli.options import JsonOption
from cta_data.cli.output import error_console, print_json
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING
from cta_data.errors import ConfigurationError
from cta_data.whole_files import written_whole

if TYPE_CHECKING:
    from cta_data.evaluation.kept_scores import KeptScores
    from cta_data.evaluation.score_comparison import ScoreComparison

MOST_NAMES = 20


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare")(compare)


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Scores: JSON or Parquet of `score`.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Scores of the same cases.")],
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
    as_json: JsonOption = False,
) -> int:
    """Test whether the scores of B differ from those of A, case by case."""
    from cta_data.cli.compare_table import print_comparison
    from cta_data.evaluation.kept_scores import read_scores
    from cta_data.evaluation.score_comparison import (
        compare_scores,
        compared_metrics,
        require_one_convention,
    )
    from cta_data.evaluation.statistics.bootstrap import SEED

    if not 0 < confidence < 1:
        raise ConfigurationError("--confidence is between 0 and 1", why=f"{confidence:g}")
    _check_out(out)
    first, second = read_scores(a), read_scores(b)
    require_one_convention(first, second)
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
