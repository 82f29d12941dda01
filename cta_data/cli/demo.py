"""The command `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import Execution


def demo(
    execution: Annotated[Execution, Takes("jobs")],
    folder: Annotated[Path, Argument(help="Folder of the demonstration.")] = Path("demo-study"),
    patients: Annotated[
        int, Option("--patients", min=12, help="Synthetic patients, half of each group.")
    ] = 12,
    cohorts: Annotated[
        str,
        Option(
            "--cohorts", help="`internal` alone, `all`, or names with commas: susm,ynhh,ummc,ukhd."
        ),
    ] = "internal",
    train: Annotated[
        bool, Option("--train", help="Train, predict and evaluate A to D, tiny, too.")
    ] = False,
    voxel_mm: Annotated[
        float,
        Option(
            "--voxel-mm", min=0.5, max=4.0, help="Voxels of the trial's images, mm; scanners: 1."
        ),
    ] = 1.5,
    readers: Annotated[
        bool, Option("--readers", help="Annotate every patient on both techniques, half twice.")
    ] = False,
    seed: Annotated[int, Option("--seed", help="Seed of the synthetic patients.")] = 1,
) -> int:
    """Make a study of digital patients, up to training sets.

    With `--train` up to models and their scores. With other cohorts, digital patients are written
    as those are distributed, and join.
    """
    from cta_data.demo.demonstration import run_demonstration

    return run_demonstration(
        folder,
        patients,
        seed,
        execution.jobs,
        cohorts=cohorts,
        train=train,
        voxel_mm=voxel_mm,
        readers=readers,
    )
