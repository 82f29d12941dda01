"""The consensus of one session from contours, and what cannot be made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, UnitId, Workspace
from cta_data.engine.inputs import Files, files_of
from cta_data.files import read_json_object
from cta_data.formats.contours_json import write_contours
from cta_data.formats.nifti.image import read_image, write_image
from cta_data.imaging.lesions.drawn_lesions import lesions_from_contours
from cta_data.imaging.lesions.label_transfer import transfer_lesions
from cta_data.imaging.rasterization.contours import Contour, Roi
from cta_data.pipeline.annotation_files import AnnotationFiles
from cta_data.pipeline.consensus import ConsensusInputs, Method
from cta_data.pipeline.consensus_session import run
from cta_data.study.session_id import SessionId
from cta_data.study.tables import AnnotationRow

SESSION = SessionId("own", "1", "1")
SPACING = (1.0, 1.0, 1.5)


def sphere(number: int, centre: tuple[float, float, float], radius: float) -> Roi:
    """A lesion whose contours are circles on the planes of the image."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    contours = []
    for z in np.arange(0, 30, SPACING[2]):
        if abs(z - centre[2]) < radius:
            own = np.sqrt(radius**2 - (z - centre[2]) ** 2)
            x, y = centre[0] + own * np.cos(angle), centre[1] + own * np.sin(angle)
            contours.append(Contour(np.stack([x, y, np.full_like(x, z)], axis=1)))
    return Roi(number, f"lesion {number}", contours=tuple(contours))


FIRST, SECOND = (10.0, 10.0, 9.0), (20.3, 19.6, 18.0)
READERS: Mapping[str, tuple[Roi, ...]] = {
    "HAQR1": (sphere(1, FIRST, 4.2), sphere(2, SECOND, 3.1)),
    "HAQR2": (sphere(7, FIRST, 3.4),),
}


def made(
    root: Path, *methods: Method, spaces: tuple[str, str] = ("SPACE", "SPACE")
) -> tuple[Outcome, Workspace]:
    """Run the consensus of two readers who contoured."""
    image = sitk.Image([30, 30, 20], sitk.sitkInt16)
    image.SetSpacing(SPACING)
    paths = {}
    for name, rois in READERS.items():
        write_contours(rois, root / f"{name}.json")
        paths[name] = f"{name}.json"
    for space in spaces:
        write_image(image, root / f"{space}.nii.gz")
    given = ConsensusInputs(
        methods=methods,
        quality=dict.fromkeys(READERS, "HAQ"),
        drawn_on=dict.fromkeys(READERS, "SPACE"),
        annotations=AnnotationFiles(
            space=dict(zip(READERS, spaces, strict=True)),
            spacing_mm=dict.fromkeys(spaces, SPACING),
            contours=Files(paths),
            drawn=Files(),
            names=Files(),
            drawn_on=Files({space: f"{space}.nii.gz" for space in spaces}),
        ),
    )
    keys = dict.fromkeys(files_of(given).values(), "key")
    workspace = Workspace(root, root / "staging")
    return run(Unit.of(UnitId("consensus", SESSION), 1, given, keys), workspace), workspace


def test_contours_are_rasterised_as_transfer_does(tmp_path: Path) -> None:
    """The union is every reader's voxels on the image; the intersection those of the lesion of
    both."""
    outcome, workspace = made(tmp_path, ("intersection", None), ("union", None))
    image = read_image(tmp_path / "SPACE.nii.gz")
    nowhere_else = sitk.Transform(3, sitk.sitkIdentity)
    large, small = (
        sitk.GetArrayFromImage(
            transfer_lesions(
                lesions_from_contours(rois, spacing_mm=SPACING).lesions, nowhere_else, image
            ).labels
        )
        for rois in READERS.values()
    )
    rows = {row.reader: row for row in outcome.rows if isinstance(row, AnnotationRow)}
    both, union = (
        sitk.GetArrayFromImage(read_image(workspace.staging / rows[name].path))
        for name in ("intersection", "union")
    )
    assert outcome.refused is None
    np.testing.assert_array_equal(union > 0, (large > 0) | (small > 0))
    np.testing.assert_array_equal(both > 0, (large == 1) & (small > 0))
    assert (rows["union"].n_lesions, rows["intersection"].n_lesions) == (2, 1)
    content = read_json_object(workspace.staging / str(rows["intersection"].names_path))
    assert [one["seen_by"] for one in content["Dropped"]] == [{"HAQR1": [2]}]


def test_annotations_of_two_images_are_refused(tmp_path: Path) -> None:
    """With the code of the reason, and without a file."""
    outcome, workspace = made(tmp_path, ("union", None), spaces=("SPACE", "SPACEEarly"))
    assert outcome.refused is not None and outcome.refused.code == "consensus_spaces_differ"
    assert not outcome.rows and not workspace.outputs()


def test_a_method_that_cannot_be_made_leaves_the_others(tmp_path: Path) -> None:
    """Three readers are asked for and two are there: refused, and the union is made."""
    outcome, _ = made(tmp_path, ("majority", 3), ("union", None))
    assert outcome.refused is not None and outcome.refused.code == "consensus_readers_too_few"
    assert [row.column("annotation") for row in outcome.rows] == ["HAQunion"]
