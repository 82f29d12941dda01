"""The pages about Python run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.made_once import made_once
from helpers.stand_in_network import stand_in
from helpers.structure_sets import DrawnContour, DrawnRoi, write_structure_set
from helpers.tiny_study import make_tiny_study

import cta_data
from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom import DigitalPatient, VoxelSizes, generate_patient, write_patient

pytestmark = pytest.mark.slow
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RADIUS_MM = 6.0
SIZES = VoxelSizes(mprage=2.5, space=2.5, ct_in_plane=2.5, ct_slice=2.5)
SETTING_B = """
[build.settings.B]
technique = "MPRAGE"
quality = "NAQ"
dataset_id = 502
"""
"""The tiny trial was delineated on MPRAGE alone."""


def ball(grid: Grid, centre: np.ndarray, name: str) -> DrawnRoi:
    """Return a ball as circles on the slices of a grid, about an index (x, y, z)."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    contours = []
    for z in range(grid.size[2]):
        squared = RADIUS_MM**2 - ((z - centre[2]) * grid.spacing[2]) ** 2
        if squared > 0:
            x, y = (
                centre[axis] + np.sqrt(squared) * wave(turn) / grid.spacing[axis]
                for axis, wave in enumerate((np.cos, np.sin))
            )
            points = grid.to_point(np.stack([x, y, np.full_like(x, z)], axis=1))
            contours.append(DrawnContour(points))
    return DrawnRoi(name, contours)


def write_inputs(folder: Path, patient: DigitalPatient) -> None:
    """Write the images, and contours on the slices of SPACE, in the middle of the brain."""
    for name, key in (("mprage", "MPRAGE-late"), ("space", "SPACE")):
        cta_data.Volume.from_sitk(patient.images[key]).save(folder / f"{name}.nii.gz")
    grid = patient.grids["SPACE"]
    middle = (np.array(grid.size) - 1) / 2
    offsets = (np.array([8.0, 0.0, 0.0]), np.array([-8.0, 3.0, 2.0]))
    rois = [ball(grid, np.round(middle + o), f"Met {n}") for n, o in enumerate(offsets, start=1)]
    write_structure_set(folder / "structures.dcm", rois)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the page names, and a study with setting B."""
    stand_in(monkeypatch.setattr)

    def make(folder: Path) -> Path:
        write_inputs(folder, generate_patient(4, voxel_sizes=SIZES, phases=("late",)))
        study = make_tiny_study(folder, ())
        toml = study / "study.toml"
        toml.write_text(f"{toml.read_text('utf-8')}\n{SETTING_B}", "utf-8")
        done = run_cta("build", "--setting", "B", study=study)
        assert done.code == 0, done.text
        study.rename(folder / "my-study")
        return folder

    return made_once(tmp_path_factory, "examples", make)


def run_page(name: str) -> dict[str, Any]:
    """Run every block of a page, in order, in one namespace, and return that."""
    page = HOW_TO / name
    names: dict[str, Any] = {}
    for block in BLOCK.findall(page.read_text("utf-8")):
        exec(compile(block, str(page), "exec"), names)
    return names


def test_the_page_runs_from_top_to_bottom(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lesions keep the volume that was delineated."""
    monkeypatch.chdir(folder)
    names = run_page("use-from-python.md")
    moved, table = names["moved"], names["table"]
    assert len(table) == len(moved.lesions) == 2
    assert moved.lesions.volume_ratio.between(0.9, 1.1).all()


def test_an_export_becomes_a_table_of_lesions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page finds its series in an export; each lesion delineated is a row of the table."""
    monkeypatch.chdir(tmp_path)
    written = write_patient(Path("phantom"), seed=4, voxel_sizes=SIZES, phases=("late",))
    written.raw.rename("export")
    names = run_page("structure-set-to-lesions.md")
    assert len(names["table"]) == written.lesions_drawn == 1
    assert names["moved"].lesions.volume_ratio.between(0.9, 1.1).all()
    assert Path("lesions.csv").is_file()


@pytest.mark.train
def test_a_network_of_pytorch_learns_from_a_build(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss falls, and every validation case is scored."""
    monkeypatch.chdir(folder)
    names = run_page("train-with-pytorch.md")
    losses = names["losses"]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert names["scores"].tp + names["scores"].fn == 2
