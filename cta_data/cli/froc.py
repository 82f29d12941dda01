"""The command `froc`: probability maps against references, in a study or without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    ConfidenceOption,
    ConventionOption,
    Execution,
    Output,
    SeedOption,
    StudyChoice,
)
from cta_data.cli.probability_options import (
    USUAL_LEVELS,
    CandidatesOption,
    least_probability,
    levels_of,
    score_named,
)
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import console, print_errors

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.reports.probability_files import KeptMaps
    from cta_data.scoring.probabilities.analysis import ProbabilityAnalysis
    from cta_data.scoring.probabilities.candidates import ScoreName

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
    candidates_from: CandidatesOption = None,
    at: Annotated[
        str,
        Option("--at", help="False positives per case that sensitivity is shown at."),
    ] = USUAL_LEVELS,
    convention: ConventionOption = "article",
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = None,
) -> int:
    """Show sensitivity against false positives, from probability maps."""
    from cta_data.reports.probability_files import candidate_sets, left_out
    from cta_data.scoring import convention_named
    from cta_data.scoring.probabilities.analysis import analyse
    from cta_data.scoring.probabilities.asked import resampling_asked
    from cta_data.scoring.probabilities.candidates import SCORES

    rules, levels = convention_named(convention), levels_of(at)
    least, drawn = least_probability(candidates_from), resampling_asked(confidence, seed)
    wanted = score_named(score)
    kept, chosen_scores = _maps(
        reference, probabilities or [], model or [], test_set or [], chosen, output
    )
    _require_place(output, reference, probabilities or [], kept)
    sets = candidate_sets(kept, rules, least, jobs=execution.jobs, note=output.note)
    scores = {one.model: wanted or chosen_scores.get(one.model, SCORES[0]) for one in sets}
    analysis = analyse(sets, scores, levels, drawn)
    unused = left_out(kept, sets)
    missing = [f"not used: {told}" for told in unused]
    options = {"convention": rules.name, "candidates_from": least}
    output.show(lambda: options | _content(analysis, missing), _lines(analysis))
    if analysis.sets:
        _write(output.out, analysis, unused)
        return _told(missing, EXIT_OK)
    advice = ": predict with --probabilities" if reference is None else " in these folders"
    print_errors(f"no probability map to use{advice}")
    return _told(missing, EXIT_NOTHING)


def _told(missing: list[str], code: int) -> int:
    """Print which cases were not used; return the exit code, that of failures where there are."""
    print_errors(*missing[:MOST_LINES])
    if len(missing) > MOST_LINES:
        print_errors(f"… and {len(missing) - MOST_LINES} more: --json lists them")
    return EXIT_FAILED if missing else code


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


def _lines(analysis: ProbabilityAnalysis) -> Iterator[str | Table]:
    from cta_data.reports.froc import froc_tables
    from cta_data.reports.froc_tables import calibration_table
    from cta_data.reports.table import terminal_tables
    from cta_data.terminal.wrapping import wrapped

    if not analysis.sets:
        return
    first, out = analysis.sets[0].found, console()
    yield f"convention {first.convention.name}; candidates from {first.candidates_from:g}\n"
    for table in (*froc_tables(analysis), calibration_table(analysis)):
        yield from terminal_tables(table, out.width)
        yield from wrapped(f"{table.caption}\n", out.room)


def _content(analysis: ProbabilityAnalysis, missing: list[str]) -> dict[str, Any]:
    from cta_data.scoring.probabilities.frames import froc_frames

    tables = {
        name: frame.to_dict("records")
        for name, frame in froc_frames(analysis).items()
        if name not in ("froc_curve", "froc_candidates")
    }
    return vars(analysis.drawn) | tables | {"not_used": missing}


def _write(out: Path | None, analysis: ProbabilityAnalysis, unused: Sequence[str]) -> None:
    if out is not None:
        from cta_data.reports.froc import PAGE, write_froc_page

        written = write_froc_page(out, analysis, unused)
        print_errors(f"Written: {out / PAGE}, and {len(written) - 1} files beside it")
