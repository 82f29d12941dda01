"""The paper's experiment with patches: places, networks, and the page, as one command."""

from __future__ import annotations

from dataclasses import dataclass

from cta_data.engine import (
    Decision,
    ExecutorOptions,
    Observer,
    Record,
    Report,
    RunOptions,
    plan_steps,
)
from cta_data.engine.units import Step
from cta_data.pipeline.patches import patch_step
from cta_data.pipeline.runner import run_and_commit
from cta_data.reports.home import write_home
from cta_data.reports.patches import PatchResults, read_results, write_patches
from cta_data.study.study import Study
from cta_data.training.classify import PatchExperiment, classify_step
from cta_data.training.nnunet.environment import require_device, require_training_packages
from cta_data.versioning.provenance import command_words


@dataclass(frozen=True)
class PatchRequest:
    """An experiment, and how it is run."""

    experiment: PatchExperiment
    device: str
    executor: ExecutorOptions
    recompute: bool = False
    commit: bool = True

    @property
    def command(self) -> tuple[str, ...]:
        """The command that a record keeps, with every value."""
        one = self.experiment
        return command_words(
            "experiment",
            "patches",
            device=self.device,
            architecture=one.architectures,
            input=one.inputs,
            seeds=one.seeds,
            edge=one.grid.edge,
            spacing=one.grid.spacing_mm,
            epochs=one.learning.epochs,
            batch_size=one.learning.batch_size,
        )

    @property
    def options(self) -> RunOptions:
        """How its units are run."""
        return RunOptions(executor=self.executor, recompute=self.recompute, command=self.command)


def steps_of_patches(study: Study, request: PatchRequest) -> list[Step]:
    """Return the steps of an experiment.

    Raises
    ------
    ConfigurationError
        An architecture or an input is not known.
    """
    one = request.experiment
    one.require_known()
    return [patch_step(study, one.inputs, one.grid), classify_step(one, request.device)]


def plan_patches(study: Study, request: PatchRequest) -> list[Decision]:
    """Decide about every unit without doing anything."""
    return list(plan_steps(study, steps_of_patches(study, request), request.options))


def run_patches(
    study: Study, request: PatchRequest, observer: Observer | None = None
) -> tuple[Report, PatchResults | None]:
    """Place, train and write the page, with one commit; what is done already is not done again.

    The results are None where a run failed or could not be made.

    Raises
    ------
    ConfigurationError
        A name or a device is not known, or a package is missing.
    CtaError
        Another command works on the study, or the commit failed.
    """
    steps = steps_of_patches(study, request)
    require_training_packages()
    require_device(request.device)

    made: list[PatchResults] = []

    def finish() -> bool:
        results = read_results(study, request.experiment)
        made.extend([results] if results else [])
        changed = results is not None and write_patches(
            study, request.experiment, results, request.command
        )
        return write_home(study) or changed

    report = run_and_commit(
        study, steps, request.options, observer, finish=finish, commit=request.commit
    )
    complete = all(record.status in ("ok", "notneeded") for record in _of_networks(report))
    return report, made[-1] if made and complete else None


def _of_networks(report: Report) -> list[Record]:
    return [record for record in report.records if record.unit.step == "classify"]
