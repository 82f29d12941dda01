"""The options of models, which `train`, `predict`, `experiment` and `model` share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from cta_data.cli.options import Execution, Output
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors, print_json, print_lines, print_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cta_data.study.configuration import TrainingSection
    from cta_data.study.study import Study
    from cta_data.training.checks import Check
    from cta_data.training.models import Model
    from cta_data.training.runner import TrainingRequest

CUDA = "cuda"
DEVICES = (CUDA, "cpu", "mps")
_FOLDS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")

SettingOption = Annotated[
    list[str], Option("--setting", help="A, B, C, D or the study's own; repeatable.")
]


@dataclass(frozen=True)
class ModelOptions:
    """Which folds, on what, and how; what is not given is as `[training]` of study.toml says."""

    fold: Annotated[str, Option("--fold", help="Numbers from 0, as 0, or 0,1, or 0-4, or all.")] = (
        "all"
    )
    device: Annotated[str, Option("--device", help="cuda, cpu or mps.")] = CUDA
    epochs: Annotated[
        int, Option("--epochs", min=0, help="Epochs; 0 for training.epochs of study.toml.")
    ] = 0
    configuration: Annotated[
        str, Option("--configuration", help="3d_fullres or 2d; else as study.toml says.")
    ] = ""
    planner: Annotated[
        str,
        Option("--planner", help="nnU-Net's planner, as nnUNetPlannerResEncL; else study.toml's."),
    ] = ""
    mirroring: Annotated[
        bool | None,
        Option(
            "--mirroring/--no-mirroring", help="Average over mirrored images; else as study.toml."
        ),
    ] = None
    tile_step: Annotated[
        float,
        Option(
            "--tile-step",
            min=0.0,
            max=1.0,
            help="Step of the window, in patches; else as study.toml.",
        ),
    ] = 0.0

    def section(self, own: TrainingSection) -> TrainingSection:
        """Return a section `[training]` with what these options change.

        Raises
        ------
        ConfigurationError
            A value is none that is known.
        """
        from pydantic import ValidationError

        names = ("epochs", "configuration", "planner", "mirroring", "tile_step")
        given = {name: getattr(self, name) for name in names}
        changes = {name: value for name, value in given.items() if value or value is False}
        try:
            return type(own).model_validate(own.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                "training_option_invalid",
                name=name,
                given=changes.get(name),
                message=str(first["msg"]),
            ) from error

    def words(self) -> list[str]:
        """Return the options that name a model and its device, as they were given."""
        named = {"configuration": self.configuration, "planner": self.planner}
        given = {"device": self.device if self.device != CUDA else "", **named}
        return [f"--{name} {value}" for name, value in given.items() if value]

    def request(
        self, study: Study, settings: Sequence[str], execution: Execution, command: tuple[str, ...]
    ) -> TrainingRequest:
        """Return what these options ask for.

        Raises
        ------
        ConfigurationError
            A device, a fold or a value is none that is known.
        """
        from cta_data.training.machine import machine_for
        from cta_data.training.runner import TrainingRequest

        require_device(self.device)
        training = self.section(study.configuration.training)
        machine = machine_for(
            self.device,
            execution.num_gpus,
            execution.jobs,
            checkpoint_every=training.checkpoint_every,
            recompute=execution.anew,
        )
        return TrainingRequest(
            settings=tuple(settings),
            folds=folds_named(self.fold),
            training=training,
            machine=machine,
            executor=execution.executor,
            command=command,
            recompute=execution.anew,
            commit=not execution.replay,
        )


def require_device(device: str) -> None:
    """Refuse a device that is none.

    Raises
    ------
    ConfigurationError
        With those that there are.
    """
    if device not in DEVICES:
        why = f"there are {', '.join(DEVICES)}"
        raise ConfigurationError("device_option_invalid", device=device, why=why)


def folds_named(text: str) -> tuple[int, ...]:
    """Return the folds that an option names; none for all.

    Raises
    ------
    ConfigurationError
        It names no numbers.
    """
    if text == "all":
        return ()
    folds: set[int] = set()
    for part in text.split(","):
        found = _FOLDS.fullmatch(part.strip())
        own = range(int(found[1]), int(found[2] or found[1]) + 1) if found else ()
        if not own:
            raise ConfigurationError("fold_option_invalid", text=text)
        folds |= set(own)
    return tuple(sorted(folds))


class TrainingChecks:
    """Prints the checks of each model as they are made, a line each, and keeps them for JSON."""

    def __init__(self, output: Output) -> None:
        self._as_json = output.as_json
        self._found: dict[str, Any] = {}

    def add(self, model: Model, checks: list[Check]) -> None:
        """Take the checks of one model."""
        self._found[model.name] = [vars(check) for check in checks]
        if not self._as_json:
            marks = {True: "ok  ", False: "STOP"}
            print_lines([f"Model {model.name}:"])
            for one in checks:
                print_wrapped(f"  {marks[one.passed]} {one.name}: {one.found}", below=" " * 7)

    def stopped(self) -> None:
        """Say that they stopped the training."""
        if self._as_json:
            print_json({"checks": self._found})
        print_errors("nothing was trained: correct what is marked above")
