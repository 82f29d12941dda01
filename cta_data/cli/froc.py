"""The command `froc`: probability maps against references, in a study or without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import ConventionOption, Execution, Output, StudyChoice
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import console, print_errors

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.reports.probability_files import KeptMaps
    from cta_data.scoring import Convention
    from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis
    from cta_data.scoring.probabilities.candidates import ScoreName
    from cta_data.scoring.probabilities.collection import CandidateSet

MOST_LINES = 20


def froc(
    output: Annotated[
        Output, Takes("overwrite", "as_json", out="Folder for a page, figures and CSV files.")
    ],
    execution: Annotated[Execution, Takes("jobs")],
    chosen: StudyChoice,
    reference: Annotated[
        Path | None,
        Argument(metavar="[REFERENCE]", help="Mask, or folder of masks; the study's without it."),
    ] = None,
    probabilities: Annotated[
        list[Path] | None,
        Argument(metavar="[PROBABILITIES]...", help="Maps of the same names; a folder a model."),
    ] = None,
    model: Annotated[
        list[str] | None,
        Option("--model", help="Of the study, which models; of folders, their names. Repeatable."),
    ] = None,
    test_set: Annotated[
        list[str] | None, Option("--test-set", help="Only these of the study; repeatable.")
    ] = None,
    score: Annotated[
        str,
        Option("--score", help="Of a candidate: mean, maximum or percentile-95 of its voxels."),
    ] = "",
    candidates_from: Annotated[
        float | None,
        Option("--candidates-from", help="Probability from which on voxels are candidates."),
    ] = None,
    at: Annotated[
        str,
        Option("--at", help="False positives per case that sensitivity is shown at."),
    ] = "0.5,1,2,4,8",
    convention: ConventionOption = "article",
    confidence: Annotated[
        float, Option("--confidence", help="Of the intervals, between 0 and 1.")
    ] = 0.95,
    seed: Annotated[
        int | None, Option("--seed", min=0, help="Of the resampling; a fixed one without it.")
    ] = None,
) -> int:
    """Show sensitivity against false positives, from probability maps."""
    from cta_data.scoring import convention_named
    from cta_data.scoring.agreement.figures import Resampling
    from cta_data.scoring.probabilities.analysis import analyse
    from cta_data.scoring.probabilities.candidates import SCORES
    from cta_data.scoring.statistics import RESAMPLES, SEED

    rules, levels = convention_named(convention), levels_of(at)
    least = least_probability(candidates_from)
    if not 0 < confidence < 1:
        raise ConfigurationError("confidence_invalid", confidence=confidence)
    wanted = score_named(score)
    kept, chosen_scores = _maps(
        reference, probabilities or [], model or [], test_set or [], chosen, output
    )
    _require_place(output, reference, probabilities or [], kept)
    sets = list(_sets(kept, rules, least, execution.jobs, output))
    scores = {one.model: wanted or chosen_scores.get(one.model, SCORES[0]) for one in sets}
    analysis = analyse(
        sets, scores, levels, Resampling(confidence, RESAMPLES, SEED if seed is None else seed)
    )
    missing = list(_missing(kept, sets))
    if analysis.sets:
        output.show(lambda: _content(analysis, missing), _lines(analysis))
        _write(output.out, analysis)
    else:
        advice = ": predict with --probabilities" if reference is None else " in these folders"
        print_errors(f"no probability map to use{advice}")
    return _told(missing, EXIT_OK if analysis.sets else EXIT_NOTHING)


def _told(missing: list[str], code: int) -> int:
    """Print which cases were not used; return the exit code, that of failures where there are."""
    print_errors(*missing[:MOST_LINES])
    if len(missing) > MOST_LINES:
        print_errors(f"… and {len(missing) - MOST_LINES} more: --json lists them")
    return EXIT_FAILED if missing else code


def levels_of(text: str) -> tuple[float, ...]:
    """Return the levels of an option.

    Raises
    ------
    ConfigurationError
        One is no number above 0.
    """
    try:
        found = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError as error:
        raise ConfigurationError("false_positives_option_invalid", text=text) from error
    if not all(0 < one < float("inf") for one in found):
        raise ConfigurationError("false_positives_option_invalid", text=text)
    return found


def least_probability(value: float | None) -> float:
    """Return the least probability of candidates; None is for the default.

    Raises
    ------
    ConfigurationError
        Voxels below it are not read, or nothing can reach it.
    """
    from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM
    from cta_data.scoring.probabilities.maps import LEAST

    if value is None:
        return CANDIDATES_FROM
    if not LEAST <= value <= 1:
        raise ConfigurationError("candidates_option_invalid", given=value, least=LEAST)
    return value


def score_named(text: str) -> ScoreName | None:
    """Return the score that an option names; None without it.

    Raises
    ------
    ConfigurationError
        There is no such score.
    """
    from cta_data.scoring.probabilities.candidates import SCORES

    names = {name.replace("_", "-"): name for name in SCORES}
    if text and text not in names:
        raise ConfigurationError("score_option_invalid", text=text, scores=tuple(names))
    return names[text] if text else None


def _maps(
    reference: Path | None,
    probabilities: Sequence[Path],
    models: Sequence[str],
    test_sets: Sequence[str],
    chosen: StudyChoice,
    output: Output,
) -> tuple[list[KeptMaps], dict[str, ScoreName]]:
    """Return the maps, and the scores that were chosen on validation folds."""
    if reference is None:
        from cta_data.reports.froc_study import study_maps
        from cta_data.training.operating_points import validated_scores

        study = chosen.open()
        return study_maps(study, models, test_sets, output.note), validated_scores(study)
    if not probabilities or test_sets:
        raise ConfigurationError("probability_folders_unclear")
    from cta_data.reports.probability_files import maps_in_folders

    return maps_in_folders(reference, probabilities, models), {}


def _require_place(
    output: Output, reference: Path | None, given: Sequence[Path], kept: Sequence[KeptMaps]
) -> None:
    from cta_data.destinations import require_folder_place
    from cta_data.reports.froc import NAMES, PAGE

    if output.out is not None:
        folders = {path.parent for one in kept for pair in one.files.values() for path in pair}
        read = [path for path in (reference, *given) if path] or sorted(folders)
        require_folder_place(output.out, read, [PAGE, *NAMES], overwrite=output.overwrite)


def _sets(
    kept: Sequence[KeptMaps], rules: Convention, least: float, jobs: int, output: Output
) -> Iterator[CandidateSet]:
    from cta_data.processes import open_workers
    from cta_data.scoring.probabilities.collection import find_candidates

    with open_workers(jobs) as workers:
        for one in kept:
            found = find_candidates(
                one.files,
                rules,
                least,
                model=one.model,
                test_set=one.test_set,
                patients=one.patients,
                workers=workers,
            )
            output.note(f"candidates: {found.name}: {len(found.cases)} cases")
            yield found


def _missing(kept: Sequence[KeptMaps], sets: Sequence[CandidateSet]) -> Iterator[str]:
    for one, found in zip(kept, sets, strict=True):
        for case, why in (*one.missing, *found.failed):
            yield f"not used: {found.name}: {case}: {why}"


def _lines(analysis: ProbabilityAnalysis) -> Iterator[str | Table]:
    from cta_data.reports.froc import froc_tables
    from cta_data.reports.froc_tables import calibration_table
    from cta_data.reports.table import terminal_tables

    first = analysis.sets[0].found
    yield f"convention {first.convention.name}; candidates from {first.candidates_from:g}\n"
    for table in (*froc_tables(analysis), calibration_table(analysis)):
        yield from terminal_tables(table, console().width)
        yield f"{table.caption}\n"


def _content(analysis: ProbabilityAnalysis, missing: list[str]) -> dict[str, Any]:
    from cta_data.scoring.probabilities.frames import froc_frames

    first, drawn = analysis.sets[0].found, analysis.drawn
    options = {"convention": first.convention.name, "candidates_from": first.candidates_from}
    tables = {
        name: frame.to_dict("records")
        for name, frame in froc_frames(analysis).items()
        if name not in ("froc_curve", "froc_candidates")
    }
    return options | vars(drawn) | tables | {"not_used": missing}


def _write(out: Path | None, analysis: ProbabilityAnalysis) -> None:
    if out is not None:
        from cta_data.reports.froc import PAGE, write_froc_page

        written = write_froc_page(out, analysis)
        print_errors(f"Written: {out / PAGE}, and {len(written) - 1} files beside it")
