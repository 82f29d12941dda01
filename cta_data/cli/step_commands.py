"""Commands that run steps: convert, register, transfer, strip, measure and build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cta_data.cli.options import (
    CohortOption,
    DryRunOption,
    JobsOption,
    JsonOption,
    RecomputeOption,
    ReplayOption,
    SchedulerOption,
    SlurmOption,
    StudyOption,
    SubjectOption,
)
from cta_data.engine import ExecutorOptions, RunOptions, Selection, Step, UnitId, plan_steps
from cta_data.engine.records import EXIT_NOTHING
from cta_data.study.study import Study, open_study
from cta_data.terminal.output import ProgressObserver, error_console, print_plan, print_report

CohortsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[COHORT]...", help="Cohorts; all without it.")
]
HELP = {
    "convert": "Convert raw series and structure sets to BIDS images and contours.",
    "register": "Bring MPRAGE, SPACE and CT of every subject together.",
    "transfer": "Carry every annotation to the grids of MPRAGE and SPACE.",
    "strip": "Extract the brain.",
    "measure": "Measure every lesion of every variant.",
}


@dataclass(frozen=True)
class Request:
    """Everything that a command line says about how to run steps."""

    cohorts: list[str]
    subjects: list[str]
    dry_run: bool
    jobs: int
    scheduler: str
    slurm: Path | None
    as_json: bool
    replay: bool
    recompute: bool

    def options(self, command: list[str]) -> RunOptions:
        """Return the options for the engine; `command` is recorded for a rerun."""
        recorded = ["cta-data", *command]
        for cohort in self.cohorts:
            recorded += ["--cohort", cohort]
        for subject in self.subjects:
            recorded += ["--subject", subject]
        return RunOptions(
            selection=Selection(
                tuple(self.cohorts), tuple(s.removeprefix("sub-") for s in self.subjects)
            ),
            executor=ExecutorOptions(self.jobs, self.scheduler, self.slurm),
            recompute=self.replay or self.recompute,
            command=tuple(recorded),
        )


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for name in HELP:
        app.command(name, help=HELP[name])(_step_command(name))
    app.command("build")(build)


def _step_command(name: str) -> Callable[..., int]:
    def command(
        cohorts: CohortsArgument = None,
        cohort: CohortOption = None,
        subject: SubjectOption = None,
        dry_run: DryRunOption = False,
        jobs: JobsOption = 1,
        scheduler: SchedulerOption = "",
        slurm: SlurmOption = None,
        as_json: JsonOption = False,
        study: StudyOption = None,
        replay: ReplayOption = False,
        recompute: RecomputeOption = False,
    ) -> int:
        from cta_data.pipeline.runner import steps_by_name

        names = [*(cohorts or []), *(cohort or [])]
        request = Request(
            names, subject or [], dry_run, jobs, scheduler, slurm, as_json, replay, recompute
        )
        return run_request(open_study(study), [steps_by_name()[name]], request, [name])

    return command


def build(
    setting: Annotated[
        list[str], typer.Option("--setting", help="A, B, C, D or the study's own; repeatable.")
    ],
    technique: Annotated[
        str, typer.Option("--technique", help="Train on images of this technique instead.")
    ] = "",
    cohort: CohortOption = None,
    subject: SubjectOption = None,
    dry_run: DryRunOption = False,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = "",
    slurm: SlurmOption = None,
    as_json: JsonOption = False,
    study: StudyOption = None,
    replay: ReplayOption = False,
    recompute: RecomputeOption = False,
) -> int:
    """Make training sets: everything up to them that is missing or changed, like make."""
    from cta_data.pipeline.build import build_step
    from cta_data.pipeline.runner import SUBJECT_STEPS

    opened = open_study(study)
    builds = [build_step(opened, name, technique) for name in setting]
    command = ["build"]
    for name in setting:
        command += ["--setting", name]
    command += ["--technique", technique] if technique else []
    request = Request(
        cohort or [], subject or [], dry_run, jobs, scheduler, slurm, as_json, replay, recompute
    )
    return run_request(opened, [*SUBJECT_STEPS, *builds], request, command)


def run_request(study: Study, steps: list[Step], request: Request, command: list[str]) -> int:
    """Plan or run steps, print what came of it and return the exit code."""
    from cta_data.pipeline.runner import execute

    options = request.options(command)
    if request.dry_run:
        planned = print_plan(plan_steps(study, steps, options), as_json=request.as_json)
        matched = _matches_anything(planned, request)
        return 0 if matched else EXIT_NOTHING
    with ProgressObserver(quiet=request.as_json) as progress:
        report = execute(study, steps, options, progress.observer(), commit=not request.replay)
    print_report(report, as_json=request.as_json)
    _tell_absent_sources(study, request)
    matched = _matches_anything([record.unit for record in report.records], request)
    return report.exit_code() if matched else EXIT_NOTHING


def _tell_absent_sources(study: Study, request: Request) -> None:
    """Say whose raw files are not here: what was converted from them is kept as it is."""
    for cohort in request.cohorts or study.cohorts_here:
        if not study.has_sourcedata(cohort):
            told = f"note: the raw files of {cohort} are not to be had here; what was converted"
            error_console().print(f"{told} from them is kept", soft_wrap=True)


def _matches_anything(units: list[UnitId], request: Request) -> bool:
    """Tell whether there was what the user asked for; name what was asked for in vain."""
    found = {unit.subject for unit in units}
    wanted = [subject.removeprefix("sub-") for subject in request.subjects]
    absent = [subject for subject in wanted if subject not in found]
    if units and not absent:
        return True
    asked = [f"cohort {name}" for name in request.cohorts if not units]
    asked += [f"subject {label}" for label in absent]
    told = f"nothing matches {', '.join(asked)}" if asked else "the study holds no subject yet"
    todo = "`cta-data status` lists who is there; `cta-data add COHORT SOURCE` takes files in"
    error_console().print(f"{told}: {todo}", soft_wrap=True)
    return bool(units) and len(absent) < len(wanted)
