"""The page about Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import run_cta
from helpers.made_once import made_once
from helpers.stand_in_network import stand_in
from helpers.structure_sets import DrawnContour, DrawnRoi, write_structure_set
from helpers.tiny_study import make_tiny_study

import cta_data
from cta_data.imaging.geometry.grid import Grid
from cta_data.phantom import DigitalPatient, VoxelSizes, generate_patient

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RADIUS_MM = 6.0
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
    sizes = VoxelSizes(mprage=2.5, space=2.5, ct_in_plane=2.5, ct_slice=2.5)

    def make(folder: Path) -> Path:
        write_inputs(folder, generate_patient(4, voxel_sizes=sizes, phases=("late",)))
        study = make_tiny_study(folder, ())
        toml = study / "study.toml"
        toml.write_text(f"{toml.read_text('utf-8')}\n{SETTING_B}", "utf-8")
        done = run_cta("build", "--setting", "B", study=study)
        assert done.code == 0, done.text
        study.rename(folder / "my-study")
        return folder

    return made_once(tmp_path_factory, "examples", make)


def test_the_page_runs_from_top_to_bottom(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block, in order, in one namespace; the lesions keep the volume that was delineated."""
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for block in BLOCK.findall(PAGE.read_text("utf-8")):
        exec(compile(block, str(PAGE), "exec"), names)
    moved, table = names["moved"], names["table"]
    assert len(table) == len(moved.lesions) == 2  # type: ignore[arg-type, attr-defined]
    assert moved.lesions.volume_ratio.between(0.9, 1.1).all()  # type: ignore[attr-defined]
