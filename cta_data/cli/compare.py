"""The command `compare`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    ConfidenceOption,
    Output,
    SeedOption,
    StudyChoice,
    require_suffix,
)
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.scoring.comparison import ScoreComparison
    from cta_data.scoring.kept_scores import KeptScores

MOST_NAMES = 20


def compare(
    output: Annotated[
        Output,
        Takes(
            "overwrite", "as_json", out="Keep the comparison, one row a metric: .parquet or .csv."
        ),
    ],
    chosen: StudyChoice,
    a: Annotated[
        Path | None,
        Argument(metavar="[A]", help="Scores: JSON or Parquet; the study's without it."),
    ] = None,
    b: Annotated[
        Path | None, Argument(metavar="[B]", help="Scores of the same cases; else as A.")
    ] = None,
    model: Annotated[
        list[str] | None,
        Option("--model", help="Two models, as --model A --model B; or one of both files."),
    ] = None,
    test_set: Annotated[
        str, Option("--test-set", help="Of scores that have several, as internal-HAQ.")
    ] = "",
    convention: Annotated[
        str,
        Option("--convention", help="Convention of the study's scores; see `evaluate`."),
    ] = "article",
    metric: Annotated[
        list[str] | None,
        Option("--metric", help="Only this metric; may be repeated. All without it."),
    ] = None,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = None,
) -> int:
    """Test whether scores of B differ from those of A."""
    from cta_data.destinations import require_file_place
    from cta_data.scoring.conventions import convention_named
    from cta_data.scoring.kept_comparison import compare_kept, write_comparison
    from cta_data.scoring.kept_scores import read_scores
    from cta_data.terminal.compare_table import comparison_lines

    require_suffix(output.out, (".parquet", ".csv"))
    sources = _sources(a, b, model or [], convention_named(convention).name, chosen)
    if output.out is not None:
        require_file_place(output.out, [path for path, _ in sources], overwrite=output.overwrite)
    first, second = (
        read_scores(path, {"model": name, "test_set": test_set}) for path, name in sources
    )
    made = compare_kept(first, second, metric, confidence=confidence, seed=seed)
    if made.n_cases and output.out is not None:
        write_comparison(made, output.out)
    if made.n_cases or output.as_json:
        output.show(lambda: _content(first, second, made), comparison_lines(first, second, made))
    print_errors(*_unpaired(made))
    if not made.n_cases:
        print_errors("no case has the same name in both")
        return EXIT_NOTHING
    return EXIT_FAILED if made.only_a or made.only_b else EXIT_OK


def _sources(
    a: Path | None, b: Path | None, models: list[str], convention: str, chosen: StudyChoice
) -> list[tuple[Path, str]]:
    """Return where the scores of each side are, and of which model.

    Raises
    ------
    ConfigurationError
        One file without two models would be compared with itself.
    """
    from cta_data.given_paths import require_given_file

    if len(models) > 2 or (b is None and len(set(models)) != 2):
        why = f"--model was given {len(models)} times"
        raise ConfigurationError("models_to_compare_unclear", why=why)
    for given in filter(None, (a, b)):
        require_given_file(given, "the scores")
    a = a or _scores_of_study(chosen, convention)
    first, second = (models * 2)[:2] if models else ("", "")
    if first == second and b is not None and a.resolve() == b.resolve():
        raise ConfigurationError("scores_compared_with_themselves", where=a)
    return [(a, first), (b or a, second)]


def _scores_of_study(chosen: StudyChoice, convention: str) -> Path:
    from cta_data.study.study import EVALUATION

    path = chosen.open().root / EVALUATION / convention / "scores.parquet"
    if not path.exists():
        raise ConfigurationError("convention_not_evaluated", where=path, convention=convention)
    return path


def _content(a: KeptScores, b: KeptScores, made: ScoreComparison) -> dict[str, Any]:
    content = {
        **{"a": a.source, "b": b.source, "convention": a.convention, "difference": "b - a"},
        **{"only_a": list(made.only_a), "only_b": list(made.only_b)},
        **{"options": b.options | a.options, "metrics": made.records()},
    }
    names = ("n_cases", "confidence", "resamples", "seed")
    return content | {name: getattr(made, name) for name in names}


def _unpaired(made: ScoreComparison) -> Iterator[str]:
    for side, names in (("A", made.only_a), ("B", made.only_b)):
        if names:
            yield f"Only in {side}, and left out ({len(names)}):"
        yield from (f"  {name}" for name in names[:MOST_NAMES])
        if len(names) > MOST_NAMES:
            yield f"  … and {len(names) - MOST_NAMES} more: --json lists them"
