"""The command `score`: masks against masks, no study needed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import Execution, NiftiFormOption, Output, form_choice, require_suffix
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.scoring import Convention
    from cta_data.scoring.collection import Scores
    from cta_data.scoring.mask_files import Label


@dataclass(frozen=True)
class Rules:
    """A convention, and single rules that a user changes."""

    convention: Annotated[
        str,
        Option(
            "--convention",
            help="article, tables or brats-mets-0.0.10; the options below change single rules.",
        ),
    ] = "article"
    threshold: Annotated[
        str, Option(help="Dice above which a pair is detected, such as 0.1 or 2/3.")
    ] = ""
    connectivity: Annotated[int | None, Option(help="6, 18 or 26 neighbours make one lesion.")] = (
        None
    )
    dilate_voxels: Annotated[
        int | None, Option(help="Radius of the ball that joins near parts; 0 for none.")
    ] = None

    def chosen(self) -> Convention:
        """Return the rules.

        Raises
        ------
        ConfigurationError
            There is no such convention, or a rule is not usable.
        """
        from cta_data.scoring import convention_named

        own = convention_named(self.convention)
        try:
            changed = replace(
                own,
                threshold=Fraction(self.threshold) if self.threshold else own.threshold,
                connectivity=_either(self.connectivity, own.connectivity),
                dilate_voxels=_either(self.dilate_voxels, own.dilate_voxels),
            )
        except (ValueError, ZeroDivisionError) as error:
            raise ConfigurationError("scoring_rules_invalid", error=str(error)) from error
        return own if changed == own else replace(changed, name=f"{self.convention}, changed")


def _either(given: int | None, own: int) -> int:
    return own if given is None else given


def score(
    reference: Annotated[Path, Argument(help="Reference mask, or folder of masks.")],
    prediction: Annotated[Path, Argument(help="Predicted mask, or folder of masks.")],
    rules: Rules,
    execution: Annotated[Execution, Takes("jobs")],
    output: Annotated[
        Output,
        Takes(
            *("overwrite", "as_json"),
            out="Parquet file of cases, such as a.parquet; beside it go a.lesions.parquet and "
            "both as CSV: a.csv and a.lesions.csv.",
        ),
    ],
    label: Annotated[
        list[str] | None,
        Option(
            help="A value that is lesion; several (repeated, or 1,3) are one mask; `each` keeps "
            "different values apart; without it, all but 0 is lesion."
        ),
    ] = None,
    surface_distances: Annotated[
        bool, Option("--surface-distances", help="Measure distances of surfaces, mm.")
    ] = False,
    nifti_form: NiftiFormOption = "",
) -> int:
    """Score masks lesion by lesion.

    By the rules of the paper, or by rules of your own.
    """
    from cta_data.processes import open_workers
    from cta_data.scoring.collection import pair_files, score_pairs
    from cta_data.scoring.output import as_content
    from cta_data.terminal.score_table import missing_lines, score_lines

    convention, choice, wanted = rules.chosen(), form_choice(nifti_form), _label(label)
    _require_place(output, reference, prediction)
    pairing = pair_files(reference, prediction)
    with open_workers(min(execution.jobs, len(pairing.files))) as workers:
        scores = score_pairs(
            pairing,
            convention,
            label=wanted,
            surfaces=surface_distances,
            choice=choice,
            workers=workers,
        )
    output.show(lambda: as_content(scores), score_lines(scores))
    print_errors(*missing_lines(scores))
    if pairing.files:
        _write(scores, output.out)
    else:
        print_errors(f"no pair: {reference} and {prediction} share no name of a mask")
    if not scores.complete:
        return EXIT_FAILED
    return EXIT_OK if pairing.files else EXIT_NOTHING


def _require_place(output: Output, reference: Path, prediction: Path) -> None:
    from cta_data.destinations import require_file_place
    from cta_data.scoring.output import beside_of

    out = output.out
    if out is None:
        return
    require_suffix(out, [".parquet"])
    if not out.absolute().parent.is_dir():
        raise ConfigurationError("output_folder_not_found", where=out)
    require_file_place(out, (reference, prediction), beside_of(out), overwrite=output.overwrite)


def _write(scores: Scores, out: Path | None) -> None:
    from cta_data.scoring.output import case_frame, lesion_frame, write_frames

    if out is not None:
        written = write_frames(case_frame(scores), lesion_frame(scores), out)
        print_errors(*(f"Written: {path}" for path in written))


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
            raise ConfigurationError("label_option_invalid", part=part)
    return tuple(sorted({int(part) for part in parts}))
