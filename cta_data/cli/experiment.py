"""The command `experiment`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.model_options import ModelOptions, TrainingChecks, require_device
from cta_data.cli.next_line import tell_next
from cta_data.cli.options import ConventionOption, Execution, JsonOutput, StudyChoice
from cta_data.cli.patch_options import PatchOptions, patches, require_own_options
from cta_data.cli.runner import recorded, run_units
from cta_data.engine.records import EXIT_FAILED, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import plan_entry, print_json, print_lines, print_plan

if TYPE_CHECKING:
    from cta_data.demo.experiment import Estimate, Experiment
    from cta_data.engine import Observer, Report
    from cta_data.study.study import Study
    from cta_data.training.runner import TrainingRequest


def experiment(
    context: typer.Context,
    name: Annotated[str, Argument(help="Which experiment: paper or patches.")],
    model: Annotated[ModelOptions, Takes("fold", "device", "epochs", "configuration", "planner")],
    execution: Annotated[Execution, Takes("dry_run", "jobs", "num_gpus", "replay")],
    of_patches: PatchOptions,
    output: JsonOutput,
    chosen: StudyChoice,
    setting: Annotated[
        list[str] | None, Option("--setting", help="Settings; A, B and C without it.")
    ] = None,
    convention: ConventionOption = "article",
) -> int:
    """Train, predict and evaluate the paper's settings, or compare inputs by patches.

    Interrupted, it resumes when it is run again.
    """
    from cta_data.demo.experiment import run_experiment
    from cta_data.scoring import convention_named
    from cta_data.terminal.next_commands import after_evaluate

    if name not in ("paper", "patches"):
        raise ConfigurationError("experiment_unknown", name=name)
    require_own_options(context, name)
    if name == "patches":
        require_device(model.device)
        request_of_patches = of_patches.request(model.epochs, model.device, execution)
        return patches(chosen.open(), request_of_patches, execution, output)
    rules = convention_named(convention)
    study = chosen.open()
    settings = setting or ["A", "B", "C"]
    request = model.request(study, settings, execution, recorded(context))
    if execution.dry_run:
        return _print_plan(study, request, output)
    checks = TrainingChecks(output)
    made: list[Experiment] = []

    def work(observer: Observer) -> Report | None:
        done = run_experiment(
            study, request, observer, checks.add, output.note, convention=rules.name
        )
        if done.trained is None:
            checks.stopped()
        made.append(done)
        return done.report

    code = run_units(execution, output, list, work, watched=study.root).code
    evaluation = made[0].evaluation
    if evaluation is not None and evaluation.sets and not output.as_json:
        print_lines([f"Look at {study.root / 'evaluation' / convention / 'report.html'}"])
    tell_next(study, chosen, output, after_evaluate)
    failed = code == EXIT_FAILED or (evaluation is not None and bool(evaluation.missing))
    return EXIT_FAILED if failed else EXIT_OK


def _print_plan(study: Study, request: TrainingRequest, output: JsonOutput) -> int:
    """Print every unit, and an estimate of hours and GiB."""
    from cta_data.demo.experiment import estimate, plan_experiment

    decisions = plan_experiment(study, request)
    estimates = estimate(study, request)
    if output.as_json:
        content = [plan_entry(decision) for decision in decisions]
        print_json({"units": content, "estimates": [vars(one) for one in estimates]})
        return EXIT_OK
    print_plan(decisions, as_json=False)
    print_lines(["\nEstimate, one unit at a time:", *map(_line, estimates)])
    hours, gib = sum(one.hours for one in estimates), sum(one.gib for one in estimates)
    print_lines([f"  {'together':<12} {'':>10} {hours:>9.2f} h {gib:>8.2f} GiB"])
    return EXIT_OK


def _line(one: Estimate) -> str:
    cost = f"{one.hours:>9.2f} h {one.gib:>8.2f} GiB"
    return f"  {one.part:<12} {one.units:>4} units {cost}  ({one.basis})"
