"""The commands `edit out` and `edit in`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    DateOption,
    JsonOutput,
    Output,
    StudyChoice,
    StudySelection,
    day_of,
)
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.review.edit_in import TakenEdit


def out(
    selection: StudySelection,
    output: Annotated[Output, Takes("overwrite", "as_json")],
    to: Annotated[Path, Option("--to", help="Folder; a folder of each session is made in it.")],
    annotation: Annotated[str, Option(help="Name, such as HAQ; without it, the only one.")] = "",
    grid: Annotated[
        str, Option(help="Technique on whose grid labels are edited; else the source technique.")
    ] = "",
    images: Annotated[
        str, Option(help="resampled (all on the grid of the labels) or own (as acquired).")
    ] = "resampled",
) -> int:
    """Give images and labels out, for ITK-SNAP or 3D Slicer."""
    from cta_data.engine.sessions import Upstream
    from cta_data.review.edit_out import EditRequest, give_out, image_choice

    request = EditRequest(annotation, grid, image_choice(images), output.overwrite)
    study = selection.open()
    sessions = [*Upstream(study).sessions(selection.selected())]
    if not sessions:
        print_errors("nothing matches: `cta-data status` lists who is in the study")
        output.show(lambda: {"folders": [], "failed": []}, ())
        return EXIT_NOTHING
    done = give_out(study, sessions, request, to, output.note)
    for _, why in done.failed:
        print_errors(f"not given out: {why}")
    failed = [{**session.columns(), "reason": why} for session, why in done.failed]
    output.show(
        lambda: {"folders": [str(path) for path in done.written], "failed": failed},
        [f"{len(done.written)} sessions given out to {to}, {len(done.failed)} not"],
    )
    return EXIT_FAILED if done.failed else EXIT_OK


def in_(
    folder: Annotated[Path, Argument(help="Folder of `edit out`: of one session, or of several.")],
    output: JsonOutput,
    chosen: StudyChoice,
    reader: Annotated[str, Option(help="Code of who edited.")] = "",
    reason: Annotated[str, Option(help="Why it was edited.")] = "",
    on: DateOption = "",
    large: Annotated[
        bool, Option("--large", help="Take changes of more than half of an annotation.")
    ] = False,
) -> int:
    """Take what was edited as new versions of annotations."""
    from cta_data.review.edit_in import Signature, TakenEdit, edit_folders, take_in

    study = chosen.open()
    folders = edit_folders(folder)
    signature = Signature(reader, day_of(on), reason)
    taken: list[TakenEdit] = []
    failed: list[dict[str, str]] = []
    for one in take_in(study, folders, signature, large=large):
        if isinstance(one, TakenEdit):
            taken.append(one)
            continue
        path, error = one
        if isinstance(error, ConfigurationError) and len(folders) == 1:
            raise error
        print_errors(f"not taken: {path}: {error}")
        failed.append({"folder": str(path), "code": error.code, "reason": str(error)})
    output.show(
        lambda: {"taken": [_content(one) for one in taken], "failed": failed}, _lines(taken)
    )
    if any(one.annotation for one in taken) and not output.as_json:
        print_errors("Next: cta-data transfer  # redoes these sessions alone, as `build` does")
    return EXIT_FAILED if failed else EXIT_OK


def _content(one: TakenEdit) -> dict[str, object]:
    made = one.annotation
    return {
        **one.session.columns(),
        "parent": one.parent,
        "annotation": made.annotation if made else None,
        "grid": one.grid,
        "changes": [asdict(change) for change in one.changes if change.change != "unchanged"],
        "page": str(one.page) if one.page else None,
        "page_failure": one.page_failure or None,
    }


def _lines(taken: list[TakenEdit]) -> Iterator[str]:
    for one in taken:
        if one.annotation is None:
            yield f"{one.session}: {one.parent} was not edited: nothing changed"
            continue
        made = one.annotation
        told = "" if one.grid == made.drawn_on else f", which was delineated on {made.drawn_on}"
        yield f"{one.session}: {made.annotation} replaces {one.parent}{told}"
        for change in one.changes:
            if change.change != "unchanged":
                volumes = f"{change.volume_before_mm3:.1f} → {change.volume_after_mm3:.1f} mm³"
                yield f"  lesion {change.id} ({change.name}): {change.change}, {volumes}"
        failed = f"the version is saved, but its page could not be drawn: {one.page_failure}"
        yield f"  Look at {one.page}" if one.page else f"  {failed}"
