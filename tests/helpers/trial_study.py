"""Making a study from a small digital trial, for tests."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from helpers.new_study import new_study

from cta_data.engine import Report, RunOptions
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.phantom import VoxelSizes
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.reports.home import write_home
from cta_data.study.study import Study

SIZES = VoxelSizes(mprage=2.5, space=2.5, ct_in_plane=2.5, ct_slice=2.5)
SETTINGS = ("A", "B", "C", "D")
COMMAND = (
    *("cta-data", "build", *(w for name in SETTINGS for w in ("--setting", name))),
    *("--jobs", "2"),
)
"""What a study's record says of a process that did it alone: two are to do the same."""


def make_study(path: Path, raw: Path) -> Study:
    """Make a study of two folds with the trial's files added."""
    new_study(path, "internal")
    toml = (path / "study.toml").read_text("utf-8")
    (path / "study.toml").write_text(toml.replace("folds = 5", "folds = 2"), "utf-8")
    add_raw(Study(path), raw)
    return Study(path)


def add_raw(study: Study, raw: Path, *, replace: bool = False) -> None:
    """Add raw files to the internal cohort."""
    options = AdditionOptions(replace=replace)
    with open_addition(study, "internal", study.card("internal"), raw, options) as plan:
        add_source(study, "internal", plan)


def build_all(study: Study, options: RunOptions | None = None) -> Report:
    """Run everything up to the four settings."""
    steps = [*SUBJECT_STEPS, *(build_step(study, name) for name in SETTINGS)]
    chosen = options or RunOptions(command=COMMAND)
    return execute(study, steps, chosen, finish=partial(write_home, study))
