"""The command `review`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    ConventionOption,
    Execution,
    Output,
    StudySelection,
    day_of,
)
from cta_data.cli.runner import recorded
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.terminal.output import print_errors, print_lines, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.review.decision_agreement import KindAgreement
    from cta_data.review.sitting import Committed
    from cta_data.review.worklist import Asked
    from cta_data.study.study import Study

_LISTED = {"COHORT", "--subject", "--of", "--convention"}
_USED = {
    "--export": _LISTED | {"--unblinded", "--reader", "--overwrite"},
    "--import": set(),
    "--agreement": _LISTED,
    "--scores": {"--convention"},
    "a review in the browser": _LISTED | {"--unblinded", "--reader", "--no-open", "--port"},
}
"""Options that each form of the command uses: what was asked for is not left out unseen."""


@dataclass(frozen=True)
class OtherForm:
    """What the command does instead of a review in the browser; one of them at most."""

    export: Annotated[
        Path | None, Option("--export", help="Write one HTML page to be filled in elsewhere.")
    ] = None
    import_: Annotated[
        Path | None, Option("--import", help="Take decisions.json of such a page.")
    ] = None
    agreement: Annotated[bool, Option("--agreement", help="Compare the decisions of readers.")] = (
        False
    )
    scores: Annotated[
        bool, Option("--scores", help="Scores with what readers said of findings.")
    ] = False

    def require(self, given: set[str]) -> None:
        """Refuse several forms at once, and options that the form does not use.

        Raises
        ------
        ConfigurationError
            With what excludes what.
        """
        from cta_data.review.commands import require_one_mode, require_used

        forms = (self.export, self.import_, self.agreement, self.scores)
        require_one_mode(*forms)
        mode = next(name for name, on in zip(_USED, (*forms, True), strict=True) if on)
        require_used(mode, _USED[mode], given)


def review(
    context: typer.Context,
    selection: StudySelection,
    output: Annotated[Output, Takes("overwrite", "as_json")],
    execution: Annotated[Execution, Takes("replay")],
    form: OtherForm,
    of: Annotated[
        Literal["", "transfers", "findings", "annotations"],
        Option(help="transfers, findings or annotations; all without it."),
    ] = "",
    reader: Annotated[str, Option(help="Code of who decides, such as R1; never a name.")] = "",
    unblinded: Annotated[
        bool, Option("--unblinded", help="Findings: show model, reference and type.")
    ] = False,
    convention: ConventionOption = "article",
    no_open: Annotated[bool, Option("--no-open", help="Do not open the browser.")] = False,
    port: Annotated[
        int, Option(min=0, max=65535, help="Port on 127.0.0.1; a free one without it.")
    ] = 0,
) -> int:
    """Look at transfers, findings and annotations in the browser, and decide."""
    from cta_data.review.commands import sit
    from cta_data.review.worklist import Asked
    from cta_data.scoring import convention_named

    if execution.replay:
        return _not_decided_again()
    given = {
        "COHORT": selection.named,
        "--subject": selection.labels,
        "--of": of,
        "--reader": reader,
        "--unblinded": unblinded,
        "--convention": convention != "article",
        "--no-open": no_open,
        "--port": port,
        "--overwrite": output.overwrite,
    }
    form.require({name for name, one in given.items() if one})
    study, command = selection.open(), recorded(context)
    asked = Asked(selection.selected(), of, convention_named(convention).name, not unblinded)
    if form.agreement:
        return _compare(study, asked, output)
    if form.scores:
        return _rescore(study, asked, output)
    if form.import_:
        return _import(study, form.import_, command, output)
    if form.export:
        return _export(study, asked, form.export, reader, output)
    done = sit(
        study,
        asked,
        reader,
        day_of(""),
        command,
        ready=partial(_tell_address, output),
        note=output.note,
        opens=not no_open,
        port=port,
    )
    return EXIT_NOTHING if done is None else _saved(done, output)


def _not_decided_again() -> int:
    print_errors("what people decided is not decided again: nothing is changed")
    return EXIT_OK


def _tell_address(output: Output, address: str) -> None:
    lines = (f"Review: {address}", "Ctrl-C ends and saves.")
    # With --json, standard output holds JSON alone; without the address nobody gets in.
    print_errors(*lines) if output.as_json else print_lines(lines)


def _import(study: Study, file: Path, command: tuple[str, ...], output: Output) -> int:
    from cta_data.review.commands import import_file

    done = import_file(study, file, command)
    print_errors(*(f"refused: {one}" for one in done.refused))
    return _saved(done.committed, output, failed=bool(done.refused))


def _export(study: Study, asked: Asked, file: Path, reader: str, output: Output) -> int:
    from cta_data.review.commands import export_page

    count = export_page(study, asked, file, reader, output.note, overwrite=output.overwrite)
    output.show(
        lambda: {"file": str(file) if count else None, "items": count},
        [f"Written: {file}: {count} items"] if count else [],
    )
    return EXIT_OK if count else EXIT_NOTHING


def _saved(done: Committed, output: Output, *, failed: bool = False) -> int:
    output.show(
        lambda: {"decisions": done.decisions, "void": list(done.void)},
        [f"{done.decisions} decisions saved in the study"],
    )
    print_errors(*(f"void, since it changed meanwhile: {one}" for one in done.void))
    return EXIT_FAILED if failed else EXIT_OK


def _compare(study: Study, asked: Asked, output: Output) -> int:
    from cta_data.review.commands import agree

    kinds = agree(study, asked)
    output.show(lambda: [one.as_dict() for one in kinds], _lines(kinds))
    if not kinds:
        print_errors("no two readers have decided about the same yet")
        return EXIT_NOTHING
    return EXIT_OK


def _rescore(study: Study, asked: Asked, output: Output) -> int:
    from cta_data.review.commands import corrected

    found = corrected(study, asked)
    names = ("test set", "model", "read", "PPV", "corrected", "sensitivity", "corrected", "basis")
    table = table_of(*names, rows=(one.cells() for one in found))
    output.show(lambda: [one.as_dict() for one in found], [table] if found else [])
    if not found:
        print_errors("no finding of this evaluation has been read yet")
        return EXIT_NOTHING
    return EXIT_OK


def _lines(kinds: list[KindAgreement]) -> Iterator[str | Table]:
    names = ("kind", "readers", "items", "agree", "Cohen’s κ", "95 % CI")
    if kinds:
        yield table_of(*names, rows=(one.cells() for one in kinds))
    for one in kinds:
        yield from (f"discuss: {told}" for told in one.to_discuss)
