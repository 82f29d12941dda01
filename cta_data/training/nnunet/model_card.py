"""What is told of a trained model: its data, parameters, curves, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from cta_data.engine import Unit
from cta_data.study.layout import training_set
from cta_data.training.inputs import TrainInputs
from cta_data.versioning.software import software_versions

LEARNING = ("torch", "nnunetv2", "dynamic_network_architectures", "batchgeneratorsv2")
NOT_SHOWN = ("cases", "patients", "definition", "study")
"""Parameters that stand elsewhere in a card."""
COST = (
    "resumed_after_epochs", "sessions", "seconds", "gpu_energy_kilowatt_hours", "hardware",
)  # fmt: skip
"""What a card tells of how its weights were first made: no other time gives the same."""
CURVES = {
    "train_losses": "Loss, training",
    "val_losses": "Loss, validation",
    "mean_fg_dice": "Pseudo Dice",
    "ema_fg_dice": "Pseudo Dice, moving average",
}
"""What nnU-Net logs of each epoch, by its own names. Its pseudo Dice is over random patches."""


def fold_card(
    unit: Unit[TrainInputs],
    sessions: list[dict[str, Any]],
    hardware: dict[str, Any],
    summary: dict[str, Any],
    checkpoint: Path,
    training: dict[str, Any],
) -> dict[str, Any]:
    """Return the card of one fold.

    Parameters
    ----------
    sessions
        What each process did that worked on it.
    summary
        nnU-Net's metrics of the validation cases.
    training
        What the fold was trained on; see `describe_training`.
    """
    from cta_data.training.nnunet.checkpoints import read_checkpoint

    log = read_checkpoint(checkpoint)["logging"]
    seconds = sum(one.get("seconds", 0.0) for one in sessions)
    energy = [one["gpu_energy_joules"] for one in sessions if "gpu_energy_joules" in one]
    versions = software_versions() | {name: metadata.version(name) for name in LEARNING}
    return {
        "model": unit.given.plan.setting,
        "fold": unit.given.fold,
        "build": training_set(unit.given.plan.dataset),
        "unit_key": unit.key,
        "data": {entry.role: entry.key for entry in unit.inputs},
        **training,
        "parameters": {k: v for k, v in unit.parameters.items() if k not in NOT_SHOWN},
        "epochs": len(log["train_losses"]),
        "resumed_after_epochs": [one["first_epoch"] for one in sessions if one["first_epoch"]],
        "sessions": sessions,
        "seconds": round(seconds, 1),
        "gpu_energy_kilowatt_hours": round(sum(energy) / 3.6e6, 4) if energy else None,
        "hardware": hardware,
        "software": versions,
        "validation_voxel_dice": summary["foreground_mean"]["Dice"],
        "validation_cases": len(summary["metric_per_case"]),
        "curves": {name: [float(v) for v in log[name]] for name in CURVES if name in log},
    }


def with_first_cost(card: dict[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card whose cost is that of the first time, where the same weights were made again.

    So a training that is repeated bit for bit repeats its card, too.

    Parameters
    ----------
    earlier
        The card that was there; empty where there was none.
    """
    same = all(earlier.get(name) == card[name] for name in ("unit_key", "checkpoint_key"))
    return card | {name: earlier[name] for name in COST if name in earlier} if same else card


def write_curves(curves: dict[str, list[float]], path: Path) -> None:
    """Draw losses and pseudo Dice along the epochs as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.0), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2)
    for name, values in curves.items():
        axes = left if name.endswith("losses") else right
        faint = name in ("train_losses", "mean_fg_dice")
        style = "--" if faint else "-"
        axes.plot(range(1, len(values) + 1), values, style, color="#0072B2", label=CURVES[name])
    left.set_title("Loss (Dice and cross entropy)", fontsize=9)
    right.set_title("Pseudo Dice of random patches", fontsize=9)
    right.set_ylim(0, 1)
    for axes in (left, right):
        axes.set_xlabel("epoch", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7, frameon=False)
    # No version: the same training gives the same picture. `savefig` would draw it twice.
    FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})
