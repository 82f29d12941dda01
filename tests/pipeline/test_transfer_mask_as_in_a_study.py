"""`transfer-mask` and a study bring the same mask to the same voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta

from cta_data.engine import Report
from cta_data.imaging.registration.register import RegistrationSettings
from cta_data.study.configuration import RegistrationSection
from cta_data.study.study import Study

Built = tuple[Study, Report]


def test_a_study_registers_by_default_as_two_images_alone() -> None:
    """Kind and seed of a study that sets neither are those of the function."""
    section = RegistrationSection()
    alone = RegistrationSettings()
    assert (section.kind, section.seed) == (alone.kind, alone.seed)


def test_the_standalone_command_gives_a_study_s_voxels(built: Built, tmp_path: Path) -> None:
    """A mask goes to the same voxels by the study's transform and by the command's own, both ways.

    The command reads the same images in another voxel order: as an export may have them.
    """
    study, _ = built
    transforms = study.transforms()
    row = transforms[(transforms.source == "computed") & (transforms.moving == "SPACE")].iloc[0]
    session = {name: row[name] for name in ("cohort", "subject", "session")}
    images = paths_of(study, "images", session, "technique", description="")
    masks = paths_of(study, "variants", session, "grid")
    registered = sitk.ReadTransform(str(study.root / row.path))
    for source, target, transform in (
        ("SPACE", "MPRAGE", registered),
        ("MPRAGE", "SPACE", registered.GetInverse()),
    ):
        names = {}
        for name, path in (
            ("mask", masks[source]),
            (source, images[source]),
            (target, images[target]),
        ):
            names[name] = tmp_path / f"{name}.nii.gz"
            sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "PIL"), str(names[name]))
        used = tmp_path / "study.tfm"
        sitk.WriteTransform(transform, str(used))
        arguments = (names["mask"], names[source], names[target])
        by_study = tmp_path / f"study_{source}.nii.gz"
        alone = tmp_path / f"alone_{source}.nii.gz"
        assert run_cta("transfer-mask", *arguments, by_study, "--transform", used).code == 0
        done = run_cta("transfer-mask", *arguments, alone)
        assert done.code == 0, done.text
        first, second = (sitk.GetArrayFromImage(sitk.ReadImage(str(p))) for p in (by_study, alone))
        assert first.any()
        assert np.array_equal(first, second)


def paths_of(
    study: Study, table: str, session: dict[str, str], key: str, description: str | None = None
) -> dict[str, Path]:
    """Files of a session by the technique that they lie on; of images those with the skull."""
    rows = study.table(table)
    for name, value in session.items():
        rows = rows[rows[name] == value]
    if description is not None:
        rows = rows[rows.description.fillna("") == description]
        rows = rows[
            rows.contrast_phase.isin(["late", "none"]) & rows.technique.isin(["MPRAGE", "SPACE"])
        ]
        rows = rows.sort_values("contrast_phase").drop_duplicates("technique")
    column = "labels_path" if table == "variants" else "path"
    return {row[key]: study.root / row[column] for _, row in rows.iterrows()}


pytestmark = pytest.mark.slow
