"""What a card states of a cohort's space is believed of one grid, and looked at on another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.configuration import RegistrationSection
from cta_data.engine import Input, Unit, UnitId, Workspace
from cta_data.formats.nifti import write_image
from cta_data.steps.register import run


def image(origin: tuple[float, float, float]) -> sitk.Image:
    z, y, x = np.ogrid[-1:1:24j, -1:1:24j, -1:1:24j]
    head = ((x**2 + y**2 + z**2) < 0.7) * (100 + 50 * np.sin(9 * x) * np.cos(7 * y) + 30 * z)
    made = sitk.GetImageFromArray(head.astype(np.float32))
    made.SetSpacing((6.0, 6.0, 6.0))
    made.SetOrigin(origin)
    return made


def registered(folder: Path, space_origin: tuple[float, float, float]) -> dict:
    for name, origin in (("MPRAGE", (0.0, 0.0, 0.0)), ("SPACE", space_origin)):
        write_image(image(origin), folder / f"{name}.nii.gz")
    settings = RegistrationSection().model_dump()
    parameters = {
        "settings": settings,
        "hub": "MPRAGE",
        "techniques": ["SPACE"],
        "frames": {"MPRAGE": 1, "SPACE": 1},
        "coregistered": True,
    }
    names = ("MPRAGE", "SPACE")
    inputs = tuple(Input(f"image:{n}", f"{n}.nii.gz", f"key-{n}") for n in names)
    unit = Unit(UnitId("register", "own", "1", "1"), 1, inputs, parameters)
    [row] = run(unit, Workspace(folder, folder / "staging")).tables["transforms"]
    return row


def test_on_one_grid_the_statement_is_believed(tmp_path: Path) -> None:
    """No image is read, and the row says who states it."""
    row = registered(tmp_path, (0.0, 0.0, 0.0))
    assert row["accepted"] and row["kind"] == "identity" and row["quality_values"] is None
    assert "geometry.coregistered" in row["parameters"]


def test_another_grid_is_reason_to_look(tmp_path: Path) -> None:
    """Images that lie apart are judged as any registration is, with values that can be seen."""
    row = registered(tmp_path, (40.0, -30.0, 20.0))
    assert row["quality_values"] is not None
    assert not row["accepted"] and row["rejection_reason"]
