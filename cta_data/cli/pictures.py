"""The command `pictures`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from cta_data.cli.options import JsonOutput, Selection
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import console, error_console

if TYPE_CHECKING:
    from cta_data.review.pictures import Pictures

MOST_TOLD = 5


def pictures(selection: Selection, output: JsonOutput) -> int:
    """Draw every transfer, worst first: checkerboards, and each lesion on each technique."""
    from cta_data.review.pictures import make_pictures

    study = selection.open()
    made = make_pictures(study, selection.selected(), output.note)
    if not made.page:
        told = "nothing matches: `cta-data status` lists who is in the study"
        error_console().print(told, soft_wrap=True)
        return EXIT_NOTHING
    page = os.path.relpath(study.root / made.page)
    output.show(lambda: _content(made), lambda: _print(made, page))
    return EXIT_FAILED if made.left_out.not_drawn else EXIT_OK


def _print(made: Pictures, page: str) -> None:
    left, out = made.left_out, console()
    for name, reason in left.not_drawn:
        error_console().print(f"not drawn: {name}: {reason}", soft_wrap=True)
    if made.entries:
        out.print("Worst first:")
    for entry in made.entries[:MOST_TOLD]:
        told = "; ".join(entry.failures) or f"{entry.n_lost} lost, worst score {entry.score:.2f}"
        out.print(f"  {entry.name}: {told}", soft_wrap=True)
    out.print(
        f"{len(made.entries)} pictures; not shown: {left.without_annotation} without annotation, "
        f"{left.excluded} excluded, {left.not_transferred} not transferred, "
        f"{len(left.not_drawn)} failed",
        soft_wrap=True,
    )
    out.print(f"Written: {page}", soft_wrap=True)


def _content(made: Pictures) -> dict[str, object]:
    sessions = [asdict(one) | {"n_lost": one.n_lost, "score": one.score} for one in made.entries]
    return {"page": made.page, "sessions": sessions, "left_out": asdict(made.left_out)}
