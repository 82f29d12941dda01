"""The command `correct`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import DateOption, Execution, JsonOutput, StudySelection, day_of
from cta_data.cli.runner import recorded
from cta_data.engine.records import EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.study.session_id import SessionId
    from cta_data.study.study import Study


def correct(
    context: typer.Context,
    selection: StudySelection,
    output: JsonOutput,
    execution: Annotated[Execution, Takes("replay")],
    session: Annotated[str, Option(help="Session label; without it, the only session.")] = "",
    annotation: Annotated[str, Option(help="Name, such as HAQ; without it, the only one.")] = "",
    labels: Annotated[
        Path | None,
        Option(help="NIfTI file with the corrected lesions; without it, the edited file."),
    ] = None,
    author: Annotated[
        str, Option(help="Code of who corrected it; without it, the author that git knows.")
    ] = "",
    on: DateOption = "",
    reason: Annotated[str, Option(help="Why it was corrected.")] = "",
    large: Annotated[
        bool, Option("--large", help="Take changes of more than half of the annotation.")
    ] = False,
) -> int:
    """Take a corrected annotation as its next version."""
    from cta_data.given_paths import require_given_file
    from cta_data.review.correction import Correction, correct_annotation
    from cta_data.versioning.datasets import git_identity

    study = selection.open()
    if labels is not None and not execution.replay:
        require_given_file(labels, "the corrected labels")
    about = _session(study, selection, session)
    who = author or git_identity(study.root).partition(" <")[0]
    day = day_of(on)
    asked = Correction(about, who, day, reason, annotation, labels, large=large)
    command = recorded(context, author=who, on=day, session=about.session)
    made = correct_annotation(study, asked, command, commit=not execution.replay)
    told = f"{about}: {made.annotation} replaces {' '.join(made.parents or ())}"
    output.show(made.columns, [f"{told}; {made.n_lesions} lesions"])
    if not output.as_json:
        print_errors("Next: cta-data transfer  # redoes this session alone, as `build` does")
    return EXIT_OK


def _session(study: Study, selection: StudySelection, label: str) -> SessionId:
    """Return the one session that a correction is about.

    Raises
    ------
    ConfigurationError
        None is selected, or several.
    """
    from cta_data.engine.sessions import Upstream

    found = [
        one
        for one in Upstream(study).sessions(selection.selected())
        if label.removeprefix("ses-") in ("", one.session)
    ]
    if len(found) != 1 or not selection.labels:
        raise ConfigurationError(
            "one_session_needed", sessions=tuple(map(str, found[:5])) or ("none",)
        )
    return found[0]
