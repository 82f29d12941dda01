"""The command `experiment`."""

from __future__ import annotations

from typing import Annotated

import typer

from cta_data.cli.options import DryRunOption, JobsOption, JsonOption, StudyOption
from cta_data.cli.training_options import (
    ConfigurationOption,
    DeviceOption,
    EpochsOption,
    FoldOption,
    GpusOption,
    PlannerOption,
    folds_named,
    make_request,
    print_checks,
)
from cta_data.engine import ExecutorOptions
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.study.study import open_study
from cta_data.terminal.output import (
    ProgressObserver,
    console,
    error_console,
    print_json,
    print_plan,
    print_report,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("experiment")(experiment)


def experiment(
    name: Annotated[str, typer.Argument(help="Which experiment: paper.")],
    setting: Annotated[
        list[str] | None, typer.Option("--setting", help="Settings; A, B and C without it.")
    ] = None,
    fold: FoldOption = "all",
    device: DeviceOption = "cuda",
    epochs: EpochsOption = 0,
    configuration: ConfigurationOption = "",
    planner: PlannerOption = "",
    num_gpus: GpusOption = 0,
    convention: Annotated[str, typer.Option(help="article or tables.")] = "article",
    dry_run: DryRunOption = False,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
    study: StudyOption = None,
) -> int:
    """Train, predict and evaluate the paper's settings; run again, it goes on where it was."""
    from cta_data.demo.experiment import run_experiment

    if name != "paper":
        raise ConfigurationError(f"there is no experiment {name!r}", next_step="It is `paper`")
    opened = open_study(study)
    request = make_request(
        opened, setting or ["A", "B", "C"], folds_named(fold), device, num_gpus,
        ["experiment", name], epochs=epochs, configuration=configuration, planner=planner,
        executor=ExecutorOptions(jobs),
    )  # fmt: skip
    if dry_run:
        return _print_plan(opened, request, as_json=as_json)
    errors = error_console()

    def note(text: str) -> None:
        if not as_json:
            errors.print(text, soft_wrap=True)

    with ProgressObserver(quiet=as_json) as progress:
        done = run_experiment(
            opened, request, progress.observer(),
            lambda m, c: None if as_json else print_checks(m, c), note, convention=convention,
        )  # fmt: skip
    if done.trained is None:
        errors.print("nothing was trained: correct what is marked above", soft_wrap=True)
        return EXIT_FAILED
    reports = [report for report in (done.trained, done.predicted) if report is not None]
    if as_json:
        print_json({"records": [r.as_dict() for one in reports for r in one.records]})
    else:
        for report in reports:
            print_report(report, as_json=False)
    codes = {report.exit_code() for report in reports}
    evaluation = done.evaluation
    if evaluation is not None and evaluation.sets and not as_json:
        page = opened.root / "evaluation" / convention / "report.html"
        console().print(f"Look at {page}", soft_wrap=True)
    failed = EXIT_FAILED in codes or (evaluation is not None and bool(evaluation.missing))
    return EXIT_FAILED if failed else EXIT_OK


def _print_plan(study: object, request: object, *, as_json: bool) -> int:
    from cta_data.demo.experiment import estimate, plan_experiment

    decisions = plan_experiment(study, request)  # type: ignore[arg-type]
    estimates = estimate(study, request)  # type: ignore[arg-type]
    if as_json:
        units = [
            {"unit": str(d.unit.id), "action": d.action, "reason": d.reason} for d in decisions
        ]
        print_json({"units": units, "estimates": [vars(one) for one in estimates]})
        return EXIT_OK
    print_plan(decisions, as_json=False)
    out = console()
    out.print("\nEstimate, one unit at a time:")
    for one in estimates:
        out.print(
            f"  {one.part:<12} {one.units:>4} units {one.hours:>9.2f} h {one.gib:>8.2f} GiB"
            f"  ({one.basis})",
            soft_wrap=True,
        )
    hours, gib = sum(one.hours for one in estimates), sum(one.gib for one in estimates)
    out.print(f"  {'together':<12} {'':>10} {hours:>9.2f} h {gib:>8.2f} GiB", soft_wrap=True)
    return EXIT_OK
