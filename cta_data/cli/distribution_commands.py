"""The command about restricted files: which there are, and which siblings may hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from cta_data.cli.options import CohortOption, JsonOption, StudyOption
from cta_data.engine.records import EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.distribution import (
    allow,
    cohort_datasets,
    describe,
    forbid,
    known_siblings,
    mark_restricted,
    require_rule,
    restriction,
)
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, error_console, print_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("distribution")(distribution)


def distribution(
    cohort: CohortOption = None,
    allowed: Annotated[
        list[str] | None,
        typer.Option("--allow", help="Sibling that may hold restricted files; with --cohort."),
    ] = None,
    forbidden: Annotated[
        list[str] | None,
        typer.Option("--forbid", help="Sibling that may no longer; with --cohort."),
    ] = None,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Show how many files are restricted and which siblings may hold them; allow and forbid."""
    from cta_data.study.lock import study_lock

    opened = open_study(study)
    changes = [*(allowed or ()), *(forbidden or ())]
    if changes and not cohort:
        raise ConfigurationError(
            "--allow and --forbid need --cohort",
            why="every cohort has an agreement of its own",
            next_step="Name the cohort that the sibling may hold: --cohort NAME",
        )
    here = [name for name in opened.cohorts if cohort_datasets(opened, name)]
    cohorts = list(dict.fromkeys(cohort or here))
    if not cohorts:
        error_console().print("No cohort of the study is here.")
        return EXIT_NOTHING
    rows = []
    with study_lock(opened):
        for name in cohorts:
            _protect(opened, name)
            _change(opened, name, allowed or [], forbidden or [])
            rows += _rows(opened, name)
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    return EXIT_OK


def _protect(study: Study, cohort: str) -> None:
    """Mark and guard what is not yet: a fresh clone has no guard, as git shares no hooks."""
    value = restriction(study, cohort)
    for path in cohort_datasets(study, cohort) if value else ():
        require_rule(path, value)
        mark_restricted(path, value)


def _change(study: Study, cohort: str, allowed: list[str], forbidden: list[str]) -> None:
    if not (allowed or forbidden):
        return
    if not restriction(study, cohort):
        raise ConfigurationError(
            f"nothing of {cohort} is restricted", why="its card says that it is public"
        )
    datasets = cohort_datasets(study, cohort)
    known = known_siblings(datasets)
    unknown = sorted({*allowed, *forbidden} - known)
    if unknown:
        raise ConfigurationError(
            f"no dataset of {cohort} has a sibling {unknown[0]!r}",
            why=f"they have {', '.join(sorted(known)) or 'none'}",
            next_step="`datalad siblings` lists those of a dataset",
        )
    for path in datasets:
        own = known_siblings([path])
        for name in allowed:
            if name in own:
                allow(path, name)
        for name in forbidden:
            if name in own:
                forbid(path, name)


def _rows(study: Study, cohort: str) -> list[dict[str, Any]]:
    rows = []
    for path in cohort_datasets(study, cohort):
        found = describe(path)
        rows.append(
            {
                "cohort": cohort,
                "access": study.card(cohort).cohort.access,
                "dataset": _relative(path, study),
                "restricted": found.restricted,
                "unmarked": found.unmarked,
                "siblings": [vars(sibling) for sibling in found.siblings],
            }
        )
    return rows


def _relative(path: Path, study: Study) -> str:
    return path.relative_to(study.root).as_posix()


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("dataset", "access", "restricted", "unmarked", "sibling", "allowed", box=None)
    for row in rows:
        start = [row["dataset"], row["access"], str(row["restricted"]), str(row["unmarked"])]
        if not row["siblings"]:
            table.add_row(*start, "none", "")
        for sibling in row["siblings"]:
            everything = row["access"] == "public"
            told = "public" if everything else "yes" if sibling["allowed"] else "no"
            table.add_row(*start, sibling["name"], told)
            start = ["", "", "", ""]
    console().print(table)
