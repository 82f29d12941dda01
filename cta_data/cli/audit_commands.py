"""The command `audit`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cta_data.cli.days import day_of
from cta_data.cli.options import JsonOption, ReplayOption, StudyOption
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import console, error_console, print_json

if TYPE_CHECKING:
    import pandas as pd


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("audit")(audit)


def audit(
    case: Annotated[str, typer.Argument(help="Case of the false lesion; none to list.")] = "",
    lesion: Annotated[int, typer.Argument(help="Number of the false lesion.")] = 0,
    model: Annotated[str, typer.Option(help="Its model.")] = "",
    test_set: Annotated[str, typer.Option(help="Its test set.")] = "",
    verdict: Annotated[
        str, typer.Option(help="metastasis, vessel, aneurysm or other; none to list.")
    ] = "",
    reader: Annotated[str, typer.Option(help="Who looked.")] = "",
    on: Annotated[str, typer.Option("--date", help="Day, YYYY-MM-DD; today without it.")] = "",
    note: Annotated[str, typer.Option(help="What the reader adds.")] = "",
    convention: Annotated[str, typer.Option(help="article or tables.")] = "article",
    everything: Annotated[
        bool,
        typer.Option("--all", help="List all models and test sets, not C on internal-NAQ first."),
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(help="Of digital patients: the trial's folder `truth`; says what is real."),
    ] = None,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Draw the page of all that is listed.")
    ] = True,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
) -> int:
    """List and draw false positives, with scores by verdicts; or record a reader's verdict."""
    opened = open_study(study)
    if not (case or lesion or verdict or reader or on or note):
        chosen = {"model": model, "test_set": test_set}
        if not (model or test_set or everything):
            chosen = _start(opened, convention, as_json=as_json)
        return _list(opened, convention, chosen, truth, page=page, as_json=as_json)
    from cta_data.review.audit import FalseLesion, ReaderVerdict, judge

    if not (case and lesion and model and test_set and verdict):
        raise ConfigurationError(
            "a verdict is about one false lesion",
            next_step="Give CASE LESION --model --test-set --verdict --reader",
        )
    about = FalseLesion(test_set, model, case, lesion)
    reading = ReaderVerdict(verdict, reader, day_of(on), note)
    command = ["cta-data", "audit", case, str(lesion), "--model", model, "--test-set", test_set]
    command += ["--verdict", verdict, "--reader", reader, "--date", reading.decided_on]
    command += ["--note", note] if note else []
    command += ["--convention", convention]
    if not judge(opened, about, reading, convention, command, commit=not replay):
        told = f"there is no false lesion {about.name}: `cta-data audit` lists them"
        error_console().print(told, soft_wrap=True)
        return EXIT_NOTHING
    console().print(f"{about.name}: {verdict}, by {reader}", soft_wrap=True)
    return EXIT_OK


def _start(study: Study, convention: str, *, as_json: bool) -> dict[str, str]:
    """Return where the paper looked, where the study has it; else nothing, which means all."""
    from cta_data.review.audit import evaluated_cases
    from cta_data.scoring.audited import START

    cases = evaluated_cases(study, convention)
    of_paper = (cases["model"] == START["model"]) & (cases["test_set"] == START["test_set"])
    if not of_paper.any():
        return {}
    if not as_json:
        told = "model C on internal-NAQ, as the paper looked; --all lists every model and test set"
        error_console().print(f"note: {told}", soft_wrap=True)
    return dict(START)


def _require_known(name: str, value: str, cases: pd.DataFrame) -> None:
    """Refuse a model or test set that was not evaluated: it has no false positive to list."""
    known = sorted(cases[name].unique())
    if value and value not in known:
        option = f"--{name.replace('_', '-')}"
        raise ConfigurationError(
            f"{option} {value!r} was not evaluated", next_step=f"Name one of {', '.join(known)}"
        )


def _list(
    study: Study,
    convention: str,
    chosen: dict[str, str],
    truth: Path | None,
    *,
    page: bool,
    as_json: bool,
) -> int:
    from cta_data.review.audit import audited, evaluated_cases
    from cta_data.review.audit_truth import count_truth, truth_in_words, with_truth
    from cta_data.scoring import convention_named
    from cta_data.scoring.audited import BIAS, with_verdicts

    rows = audited(study, convention)
    cases = with_verdicts(evaluated_cases(study, convention), rows)
    for name, value in chosen.items():
        _require_known(name, value, cases)
        if value:
            rows, cases = rows[rows[name] == value], cases[cases[name] == value]
    made: dict[str, object] = {}
    told: list[str] = []
    if truth is not None and len(rows):
        rows = with_truth(study, rows, truth, convention_named(convention))
        counts = count_truth(rows)
        told, made["truth"] = truth_in_words(counts), counts.to_dict("records")
    if not as_json and len(rows):
        _print(rows, cases)
        for line in told:
            console().print(f"In truth: {line}", soft_wrap=True)
    if page and len(rows):
        made |= _write_page(study, rows, convention, chosen, told, as_json=as_json)
    if as_json:
        content = rows.astype(object).where(rows.notna(), None).to_dict("records")
        scores = cases.astype(object).where(cases.notna(), None).to_dict("records")
        print_json({"false_positives": content, "cases": scores, "bias": BIAS, **made})
    elif rows.empty:
        error_console().print("there is no false positive", soft_wrap=True)
    if rows.empty:
        return EXIT_NOTHING
    return EXIT_FAILED if made.get("not_drawn") else EXIT_OK


def _write_page(
    study: Study,
    rows: pd.DataFrame,
    convention: str,
    chosen: dict[str, str],
    told: list[str],
    *,
    as_json: bool,
) -> dict[str, object]:
    """Write the page and say where it is; return what JSON says of it."""
    from cta_data.review.audit_page import write_audit_page

    errors = error_console()

    def note(text: str) -> None:
        if not as_json:
            errors.print(text, soft_wrap=True)

    selection = [f"{name.replace('_', ' ')} {value}" for name, value in chosen.items() if value]
    made = write_audit_page(study, rows, convention, ", ".join(selection), note, told)
    for one in made.not_drawn:
        errors.print(f"not drawn: {one.name}: {one.failure}", soft_wrap=True)
    if not as_json:
        drawn = len(made.entries) - len(made.not_drawn)
        place = os.path.relpath(study.root / made.page)
        console().print(f"Written: {place}: {drawn} of {len(made.entries)} drawn", soft_wrap=True)
    failed = [{"name": one.name, "reason": one.failure} for one in made.not_drawn]
    return {"page": made.page, "not_drawn": failed}


def _print(rows: pd.DataFrame, cases: pd.DataFrame) -> None:
    from cta_data.scoring.audited import BIAS

    table = Table("test set", "model", "case", "lesion", "cm³", "at RAS mm", "verdict", box=None)
    for row in rows.to_dict("records"):
        place = ", ".join(f"{value:.1f}" for value in row["centroid_ras_mm"])
        told = (
            f"{row['verdict']}, by {row['reader']}" if isinstance(row["verdict"], str) else "open"
        )
        table.add_row(
            row["test_set"],
            row["model"],
            row["case"],
            str(row["predicted_lesion"]),
            f"{row['volume_mm3'] / 1000:.3f}",
            place,
            told,
        )
    out = console()
    out.print(table)
    waiting = int(rows["verdict"].isna().sum())
    out.print(f"{len(rows)} false positives, {waiting} open")
    out.print(f"With verdicts, {BIAS}:", soft_wrap=True)
    for names, part in cases.groupby(["test_set", "model"]):
        out.print(
            f"  {', model '.join(map(str, names))}: {part['metastases'].sum()} judged metastases; "
            f"mean F1 {part['f1'].mean():.4f}, with verdicts {part['f1_audited'].mean():.4f}",
            soft_wrap=True,
        )
