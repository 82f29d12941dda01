"""The options of `experiment patches`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from cta_data.cli.options import Execution, Output
from cta_data.cli.runner import run_units
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import console, print_errors, print_json, print_lines, records_of

if TYPE_CHECKING:
    from cta_data.demo.patches import PatchRequest
    from cta_data.engine import Observer, Report
    from cta_data.reports.patches import PatchResults
    from cta_data.study.study import Study

OF_PAPER = ("setting", "convention", "fold", "configuration", "planner", "num_gpus")
OF_PATCHES = ("architecture", "inputs", "seeds", "edge", "spacing", "batch_size", "replay")


@dataclass(frozen=True)
class PatchOptions:
    """Which networks, on which patches; what is not given is as `PatchExperiment` has it."""

    architecture: Annotated[
        list[str] | None,
        Option(
            "--architecture",
            help="patches: resnet18, resnet34, resnet50, seresnet18, vgg16 or vgg19; repeatable.",
        ),
    ] = None
    inputs: Annotated[
        list[str] | None,
        Option("--input", help="patches: MPRAGE-late, MPRAGE-phases or SPACE; repeatable."),
    ] = None
    seeds: Annotated[int, Option("--seeds", min=1, max=1000, help="patches: Runs of each.")] = 5
    edge: Annotated[
        int,
        Option("--edge", min=32, max=256, help="patches: Voxels along an edge, a multiple of 32."),
    ] = 32
    spacing: Annotated[
        float, Option("--spacing", min=0.2, max=5.0, help="patches: Size of a voxel, mm.")
    ] = 1.0
    batch_size: Annotated[
        int, Option("--batch-size", min=2, max=4096, help="patches: Patches of a batch.")
    ] = 16

    def request(self, epochs: int, device: str, execution: Execution) -> PatchRequest:
        """Return what these options ask for."""
        from cta_data.demo.patches import PatchRequest
        from cta_data.pipeline.patches import PatchGrid
        from cta_data.training.classify import PatchExperiment
        from cta_data.training.patch_network import Learning

        usual = PatchExperiment()
        experiment = PatchExperiment(
            tuple(self.architecture or usual.architectures),
            tuple(self.inputs or usual.inputs),
            self.seeds,
            PatchGrid(self.edge, self.spacing),
            Learning(epochs or Learning().epochs, self.batch_size),
        )
        commit = not execution.replay
        return PatchRequest(experiment, device, execution.executor, execution.anew, commit)


def require_own_options(context: typer.Context, name: str) -> None:
    """Refuse options of another experiment than the one that is named.

    Raises
    ------
    ConfigurationError
        One was given.
    """
    others = OF_PATCHES if name == "paper" else OF_PAPER
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in others and source is not None and source.name == "COMMANDLINE":
            raise ConfigurationError(
                "experiment_option_of_other", option=max(option.opts, key=len), name=name
            )


def patches(study: Study, request: PatchRequest, execution: Execution, output: Output) -> int:
    """Run the experiment with patches, and print what came of it."""
    from cta_data.demo.patches import plan_patches, run_patches

    made: list[PatchResults] = []

    def work(observer: Observer) -> Report:
        report, results = run_patches(study, request, observer)
        made.extend([results] if results else [])
        return report

    done = run_units(execution, output, lambda: plan_patches(study, request), work, has_result=True)
    if execution.dry_run:
        return done.code
    if output.as_json:
        print_json(_content(made, done.records))
    elif made:
        _print_tables(study, request, made[0])
    else:
        print_errors("no page was written: not every network was trained")
    return done.code


def _content(made: list[PatchResults], records: tuple[Any, ...]) -> dict[str, Any]:
    one = made[0] if made else None
    return {
        "runs": records_of(one.runs) if one else [],
        "comparison": records_of(one.compared) if one else [],
        "patches": one.patches if one else {},
        "records": [record.as_dict() for record in records],
    }


def _print_tables(study: Study, request: PatchRequest, results: PatchResults) -> None:
    from cta_data.reports.patch_tables import comparison_table, f1_table
    from cta_data.reports.table import terminal_tables
    from cta_data.study import layout

    one = request.experiment
    tables = [f1_table(results.runs, one.architectures, one.inputs)]
    tables += [comparison_table(results.compared)] if len(results.compared) else []
    for table in tables:
        shown = terminal_tables(table, console().width)
        print_lines([*shown, table.caption, *table.notes])
    print_lines([f"Look at {study.root / layout.PATCHES_PAGE}"])
