"""What a card states of a cohort's space is believed of one grid, and looked at on another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import require_reason

from cta_data.engine import Unit, UnitId, Workspace
from cta_data.engine.inputs import Files
from cta_data.formats.nifti.image import write_image
from cta_data.pipeline.register import RegisterInputs
from cta_data.pipeline.register_session import run
from cta_data.study.configuration import RegistrationSection
from cta_data.study.session_id import SessionId
from cta_data.study.tables import TransformRow


def image(origin: tuple[float, float, float]) -> sitk.Image:
    z, y, x = np.ogrid[-1:1:24j, -1:1:24j, -1:1:24j]
    head = ((x**2 + y**2 + z**2) < 0.7) * (100 + 50 * np.sin(9 * x) * np.cos(7 * y) + 30 * z)
    made = sitk.GetImageFromArray(head.astype(np.float32))
    made.SetSpacing((6.0, 6.0, 6.0))
    made.SetOrigin(origin)
    return made


def small(origin: tuple[float, float, float]) -> sitk.Image:
    """A knee, say: too small for a head."""
    made = image(origin)
    made.SetSpacing((3.0, 3.0, 3.0))
    return made


def registered(
    folder: Path,
    space_origin: tuple[float, float, float],
    draw: Callable[[tuple[float, float, float]], sitk.Image] = image,
    **changes: object,
) -> tuple[TransformRow, str]:
    """Return the row of the transform, and why the session is on hold."""
    for name, origin in (("MPRAGE", (0.0, 0.0, 0.0)), ("SPACE", space_origin)):
        write_image(draw(origin), folder / f"{name}.nii.gz")
    names = ("MPRAGE", "SPACE")
    about: dict[str, Any] = {
        "settings": RegistrationSection().model_dump(),
        "frames": {"MPRAGE": 1, "SPACE": 1},
        "coregistered": True,
        "checked": True,
        **changes,
    }
    image = Files({name: f"{name}.nii.gz" for name in names})
    given = RegisterInputs(
        reference="MPRAGE",
        techniques=("SPACE",),
        image=image,
        dicom=Files(),
        dicom_inverse=Files(),
        **about,
    )
    keys = {path: f"key of {path}" for path in image.values()}
    unit = Unit.of(UnitId("register", SessionId("own", "1", "1")), 1, given, keys)
    outcome = run(unit, Workspace(folder, folder / "staging"))
    [row] = outcome.rows
    assert isinstance(row, TransformRow)
    return row, outcome.refused


def test_on_one_grid_the_statement_is_believed(tmp_path: Path) -> None:
    """No image is read, and the row says who states it."""
    row, refused = registered(tmp_path, (0.0, 0.0, 0.0))
    assert not refused
    assert row.accepted and row.kind == "identity" and row.quality_values is None
    assert "geometry.coregistered" in row.parameters


def test_another_grid_is_reason_to_look(tmp_path: Path) -> None:
    """Images that lie apart are judged as any registration is, with values that can be seen."""
    row, _ = registered(tmp_path, (40.0, -30.0, 20.0))
    assert row.quality_values is not None
    assert not row.accepted and row.rejection_reason and row.rejection_code


@pytest.mark.parametrize("changes", [{}, {"coregistered": False}])
def test_what_shows_no_head_waits_for_a_person(tmp_path: Path, changes: dict) -> None:
    """The transform is kept, so that it can be accepted, and the reason names the card's key."""
    row, refused = registered(tmp_path, (1.0, 0.0, 0.0), small, **changes)
    assert (row.kind, row.accepted, row.quality_values) == ("identity", False, None)
    assert (tmp_path / "staging" / row.path).is_file()
    require_reason(refused, "registration_not_checked")
    require_reason(refused, "head_not_found_for_registration")


def test_a_cohort_that_shows_no_head_is_believed(tmp_path: Path) -> None:
    """On other grids too, for one space and for equal frames; the row says that nobody checked."""
    for changes in ({}, {"coregistered": False}):
        row, refused = registered(tmp_path, (1.0, 0.0, 0.0), small, checked=False, **changes)
        assert row.accepted and not refused
        assert "shows_head" in row.parameters
