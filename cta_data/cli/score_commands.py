"""The command `score`: masks against masks, no study needed."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cta_data.cli.options import (
    JobsOption,
    JsonOption,
    NiftiFormOption,
    OverwriteOption,
    form_choice,
)
from cta_data.destinations import require_file_place
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    from cta_data.scoring import Convention
    from cta_data.scoring.collection import Scores
    from cta_data.scoring.mask_files import Label

MOST_CASES = 40


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("score")(score)


def score(
    reference: Annotated[Path, typer.Argument(help="Reference mask, or folder of masks.")],
    prediction: Annotated[Path, typer.Argument(help="Predicted mask, or folder of masks.")],
    convention: Annotated[
        str, typer.Option(help="article or tables; the options below change single rules.")
    ] = "article",
    threshold: Annotated[
        str, typer.Option(help="Dice above which a pair is detected, such as 0.1 or 2/3.")
    ] = "",
    connectivity: Annotated[
        int | None, typer.Option(help="6, 18 or 26 neighbours make one lesion.")
    ] = None,
    dilate_voxels: Annotated[
        int | None, typer.Option(help="Radius of the ball that joins near parts; 0 for none.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="A value that is lesion; several (repeated, or 1,3) are one mask; `each` keeps "
            "different values apart; without it, all but 0 is lesion."
        ),
    ] = None,
    surface_distances: Annotated[
        bool, typer.Option("--surface-distances", help="Measure distances of surfaces, mm.")
    ] = False,
    nifti_form: NiftiFormOption = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Parquet file of cases, such as a.parquet; beside it go a.lesions.parquet and "
            "both as CSV: a.csv and a.lesions.csv."
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> int:
    """Score masks lesion by lesion, as the paper does or by rules of your own."""
    from cta_data.processes import open_workers
    from cta_data.scoring.collection import pair_files, score_pairs
    from cta_data.scoring.output import beside_of

    rules = _rules(convention, threshold, connectivity, dilate_voxels)
    choice = form_choice(nifti_form)
    if out is not None:
        _require_place(out)
        require_file_place(out, (reference, prediction), beside_of(out), overwrite=overwrite)
    pairing = pair_files(reference, prediction)
    with open_workers(min(jobs, len(pairing.files))) as workers:
        scores = score_pairs(
            pairing,
            rules,
            label=_label(label),
            surfaces=surface_distances,
            choice=choice,
            workers=workers,
        )
    _tell(scores, out, as_json=as_json)
    if not pairing.files:
        none = f"no pair: {reference} and {prediction} share no name of a mask"
        error_console().print(none, soft_wrap=True)
    if not scores.complete:
        return EXIT_FAILED
    return EXIT_OK if pairing.files else EXIT_NOTHING


def _require_place(out: Path) -> None:
    if out.suffix != ".parquet":
        raise ConfigurationError("--out is a .parquet file", where=str(out))
    if not out.absolute().parent.is_dir():
        raise ConfigurationError("its folder is not there", where=str(out))


def _tell(scores: Scores, out: Path | None, *, as_json: bool) -> None:
    """Print the scores and what has none, and write the tables that were asked for."""
    from cta_data.scoring.output import as_content, case_frame, lesion_frame, write_frames

    if as_json:
        print_json(as_content(scores))
    else:
        _print(scores)
    _tell_missing(scores)
    if out is not None:
        for path in write_frames(case_frame(scores), lesion_frame(scores), out):
            error_console().print(f"Written: {path}", soft_wrap=True)


def _label(texts: list[str] | None) -> Label:
    """Return the label that the options name together.

    Raises
    ------
    ConfigurationError
        One is no whole number or 0, which is background, or `each` is not alone.
    """
    parts = [part.strip() for text in texts or () for part in text.split(",")]
    if not parts or parts == ["each"]:
        return "each" if parts else None
    for part in parts:
        if not re.fullmatch(r"-?[0-9]+", part) or int(part) == 0:
            raise ConfigurationError(
                f"--label is a whole number other than 0, or each alone, not {part!r}",
                next_step="Give --label 1 --label 3, or --label 1,3, to take several as one mask",
            )
    return tuple(sorted({int(part) for part in parts}))


def _rules(
    name: str, threshold: str, connectivity: int | None, dilate_voxels: int | None
) -> Convention:
    from cta_data.scoring import convention_named

    chosen = convention_named(name)
    try:
        changed = replace(
            chosen,
            threshold=Fraction(threshold) if threshold else chosen.threshold,
            connectivity=chosen.connectivity if connectivity is None else connectivity,
            dilate_voxels=chosen.dilate_voxels if dilate_voxels is None else dilate_voxels,
        )
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigurationError("the rules of scoring are not usable", why=str(error)) from error
    return chosen if changed == chosen else replace(changed, name=f"{name}, changed")


def _print(scores: Scores) -> None:
    from cta_data.scoring.output import label_text

    options = scores.convention.options() | {"label": label_text(scores.label)}
    told = ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)
    out = console()
    out.print(f"convention {scores.convention.name}: {told}", soft_wrap=True)
    names = ("case", "reference", "predicted", "TP", "FP", "FN", "sensitivity", "PPV", "F1")
    table = Table(*names, "lesion Dice", "voxel Dice", box=None)
    for one in scores.cases[:MOST_CASES]:
        counts = (one.n_reference, one.n_predicted, one.tp, one.fp, one.fn)
        values = (one.sensitivity, one.ppv, one.f1, one.lesionwise_dice, one.voxel_dice)
        table.add_row(one.case, *map(str, counts), *map(_number, values))
    if scores.cases:
        out.print(table)
    if len(scores.cases) > MOST_CASES:
        out.print(f"… and {len(scores.cases) - MOST_CASES} more cases; --json or --out has all")
    if len(scores.cases) > 1:
        summary = Table("metric", "n", "undefined", "mean", "SD", "median", "Q1", "Q3", box=None)
        for name, over in scores.summary().items():
            spread = (over.mean, over.sd, over.median, over.q1, over.q3)
            summary.add_row(name, str(over.n), str(over.n_undefined), *map(_number, spread))
        out.print(summary)


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"


def _tell_missing(scores: Scores) -> None:
    errors = error_console()
    for case, reason in scores.failed:
        errors.print(f"not scored: {case}: {reason}", soft_wrap=True)
    for case in scores.pairing.without_prediction:
        errors.print(f"not scored: {case}: there is no prediction of that name", soft_wrap=True)
    for case in scores.pairing.without_reference:
        errors.print(f"not scored: {case}: there is no reference of that name", soft_wrap=True)
    for value in scores.absent_labels:
        errors.print(f"no voxel of any mask has the label {value} (--label)", soft_wrap=True)
