"""The command `distribution`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import JsonOutput, StudySelection
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from cta_data.study.sharing import SharedDataset


def distribution(
    chosen: Annotated[StudySelection, Takes("cohort", "study")],
    output: JsonOutput,
    allowed: Annotated[
        list[str] | None,
        Option("--allow", help="Sibling that may hold restricted files; with --cohort."),
    ] = None,
    forbidden: Annotated[
        list[str] | None, Option("--forbid", help="Sibling that may no longer; with --cohort.")
    ] = None,
) -> int:
    """Show which files are restricted, and who may hold them.

    With `--allow` and `--forbid` it says which may.
    """
    from cta_data.study.sharing import share

    if (allowed or forbidden) and not chosen.named:
        raise ConfigurationError("cohort_option_missing")
    shared = share(chosen.open(), chosen.named, allowed or (), forbidden or ())
    if not shared:
        print_errors("No cohort of the study is here.")
        output.show(lambda: [], ())
        return EXIT_NOTHING
    output.show(lambda: [asdict(one) for one in shared], [_table(shared)])
    return EXIT_OK


def _table(shared: list[SharedDataset]) -> Table:
    rows = []
    for one in shared:
        start = [one.dataset, one.access, str(one.restricted), str(one.unmarked)]
        if not one.siblings:
            rows.append([*start, "none", ""])
        for sibling in one.siblings:
            told = "yes" if sibling.allowed else "no"
            rows.append([*start, sibling.name, "public" if one.access == "public" else told])
            start = ["", "", "", ""]
    names = ("dataset", "access", "restricted", "unmarked", "sibling", "allowed")
    return table_of(*names, rows=rows)
