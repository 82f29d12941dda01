"""What `train`, `predict` and `model` read from their options alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cta_data.engine import ExecutorOptions
from cta_data.errors import ConfigurationError
from cta_data.study.study import Study
from cta_data.terminal.output import console

if TYPE_CHECKING:
    from cta_data.engine import Report
    from cta_data.training.checks import Check
    from cta_data.training.models import Model
    from cta_data.training.runner import TrainingRequest

DEVICES = ("cuda", "cpu", "mps")
_FOLDS = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")

SettingOption = Annotated[
    list[str], typer.Option("--setting", help="A, B, C, D or the study's own; repeatable.")
]
FoldOption = Annotated[
    str, typer.Option("--fold", help="Numbers from 0, as 0, or 0,1, or 0-4, or all.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cuda, cpu or mps.")]
GpusOption = Annotated[
    int, typer.Option("--num-gpus", min=0, help="GPUs of this machine to use, a unit each; 0: all.")
]
EpochsOption = Annotated[
    int, typer.Option("--epochs", min=0, help="Epochs; 0 for training.epochs of study.toml.")
]
ConfigurationOption = Annotated[
    str, typer.Option("--configuration", help="3d_fullres or 2d; else as study.toml says.")
]
PlannerOption = Annotated[
    str,
    typer.Option(
        "--planner", help="nnU-Net's planner, as nnUNetPlannerResEncL; else study.toml's."
    ),
]


def make_request(
    study: Study,
    settings: list[str],
    folds: tuple[int, ...],
    device: str,
    num_gpus: int,
    command: list[str],
    *,
    epochs: int = 0,
    configuration: str = "",
    planner: str = "",
    mirroring: bool | None = None,
    tile_step: float = 0.0,
    executor: ExecutorOptions,
    replay: bool = False,
    recompute: bool = False,
) -> TrainingRequest:
    """Return what the command line says; options of this call go before those of study.toml."""
    from cta_data.training.runner import TrainingRequest, machine_for

    require_device(device)
    recorded = ["cta-data", *command, "--device", device]
    changes = given(
        epochs=epochs, configuration=configuration, planner=planner,
        mirroring=mirroring, tile_step=tile_step,
    )  # fmt: skip
    for name, value in changes.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            recorded.append(f"--{option}" if value else f"--no-{option}")
        else:
            recorded += [f"--{option}", str(value)]
    training = training_section(study, changes)
    return TrainingRequest(
        settings=tuple(settings),
        folds=folds,
        training=training,
        machine=machine_for(
            device,
            num_gpus,
            executor.jobs,
            checkpoint_every=training.checkpoint_every,
            recompute=replay or recompute,
        ),
        executor=executor,
        command=tuple(recorded),
        recompute=replay or recompute,
        commit=not replay,
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
        raise ConfigurationError(f"--device {device!r} is not known", why=why)


def given(**options: Any) -> dict[str, Any]:
    """Return the options of a call that were given."""
    return {name: value for name, value in options.items() if value or value is False}


def training_section(study: Study, changes: dict[str, Any]) -> Any:
    """Return `[training]` with what this call changes.

    Raises
    ------
    ConfigurationError
        A value is none that is known.
    """
    from pydantic import ValidationError

    own = study.configuration.training
    try:
        return type(own).model_validate(own.model_dump() | changes)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"--{name} {changes.get(name)!r} is not known", why=str(first["msg"])
        ) from error


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
            raise ConfigurationError(
                f"--fold {text!r} names no fold",
                next_step="Give numbers from 0, as 0, or 0,1, or 0-4, or all",
            )
        folds |= set(own)
    return tuple(sorted(folds))


def print_checks(model: Model, checks: list[Check]) -> None:
    """Print one line a check."""
    out = console()
    out.print(f"Model {model.name}:")
    for check in checks:
        mark = "ok  " if check.passed else "STOP"
        out.print(f"  {mark} {check.name}: {check.found}", soft_wrap=True)


def print_notes(report: Report, *, as_json: bool) -> None:
    """Print what units remarked, a line each."""
    for record in [] if as_json else report.records:
        for note in record.notes:
            console().print(f"{record.unit}: {note}", soft_wrap=True)
