"""The command `pictures`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from cta_data.cli.next_line import tell_next
from cta_data.cli.options import JsonOutput, StudySelection
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.review.pictures import Pictures

MOST_TOLD = 5


def pictures(selection: StudySelection, output: JsonOutput) -> int:
    """Make the QC page: every transfer, worst first.

    Checkerboards of the registration, and each lesion on each technique.
    """
    from cta_data.review.pictures import make_pictures
    from cta_data.terminal.next_commands import after_pictures

    study = selection.open()
    made = make_pictures(study, selection.selected(), output.note)
    if not made.page:
        print_errors("nothing matches: `cta-data status` lists who is in the study")
        output.show(lambda: _content(made), ())
        return EXIT_NOTHING
    not_drawn = made.left_out.not_drawn
    for name, reason in not_drawn:
        output.note(f"not drawn: {name}: {reason}")
    page = os.path.relpath(study.root / made.page)
    output.show(lambda: _content(made), _lines(made, page))
    tell_next(study, selection, output, after_pictures)
    return EXIT_FAILED if not_drawn else EXIT_OK


def _lines(made: Pictures, page: str) -> Iterator[str]:
    left = made.left_out
    if made.entries:
        yield "Worst first:"
    for entry in made.entries[:MOST_TOLD]:
        told = "; ".join(entry.failures) or f"{entry.n_lost} lost, worst score {entry.score:.2f}"
        yield f"  {entry.name}: {told}"
    yield (
        f"{len(made.entries)} sessions drawn; not shown: {left.without_annotation} without "
        f"annotation, {left.excluded} excluded, {left.not_transferred} not transferred, "
        f"{len(left.not_drawn)} failed"
    )
    yield f"Written: {page}"


def _content(made: Pictures) -> dict[str, object]:
    sessions = [
        asdict(one) | one.session.columns() | {"n_lost": one.n_lost, "score": one.score}
        for one in made.entries
    ]
    return {"page": made.page, "sessions": sessions, "left_out": asdict(made.left_out)}
