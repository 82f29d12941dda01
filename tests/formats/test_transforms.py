"""Transforms: those that ITK writes are read as they are; what would end the process is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from cta_data.errors import DataRefused
from cta_data.formats.transforms import read_transform

POINT = (11.0, -23.0, 37.0)
EULER = sitk.Euler3DTransform((1, 2, 3), 0.1, 0.2, 0.3, (4, 5, 6))


def field() -> sitk.Transform:
    image = sitk.GetImageFromArray(np.full((6, 5, 4, 3), 1.5), isVector=True)
    image.SetSpacing((10, 10, 10))
    return sitk.DisplacementFieldTransform(image)


WRITTEN: dict[str, sitk.Transform] = {
    "identity": sitk.Transform(3, sitk.sitkIdentity),
    "translation": sitk.TranslationTransform(3, (1, 2, 3)),
    "euler": EULER,
    "versor": sitk.VersorRigid3DTransform((0, 0, 1), 0.2, (1, 2, 3), (4, 5, 6)),
    "similarity": sitk.Similarity3DTransform(1.1, (0, 0, 1), 0.2, (1, 2, 3)),
    "scale": sitk.ScaleVersor3DTransform((1, 1.1, 1.2), (0, 0, 1), 0.2),
    "skew": sitk.ScaleSkewVersor3DTransform((1, 1.1, 1.2), [0.01] * 6, (0, 0, 1), 0.2),
    "affine": sitk.AffineTransform(np.diag([1, 1.1, 1.2]).ravel().tolist(), (1, 2, 3)),
    "b-spline": sitk.BSplineTransformInitializer(sitk.Image(9, 9, 9, sitk.sitkUInt8), [2, 3, 4]),
    "field": field(),
    "several": sitk.CompositeTransform([EULER, sitk.TranslationTransform(3, (7, 8, 9))]),
}


AS_TEXT = [(kind, ".tfm") for kind in WRITTEN]


@pytest.mark.parametrize(("kind", "ending"), [*AS_TEXT, ("euler", ".h5"), ("field", ".h5")])
def test_what_itk_writes_is_read_as_it_is(tmp_path: Path, kind: str, ending: str) -> None:
    """Every kind, as text and as HDF5."""
    path = tmp_path / f"transform{ending}"
    sitk.WriteTransform(WRITTEN[kind], str(path))
    expected = WRITTEN[kind].TransformPoint(POINT)
    assert np.allclose(read_transform(path).TransformPoint(POINT), expected, atol=1e-9)


LINE = "Parameters: 0 0 0 1 2 3\n"
FILES = {
    "a number missing": ("Parameters: 0 0 1 2 3\n", "FixedParameters: 0 0 0 0\n"),
    "numbers too many": ("Parameters: " + "0 " * 900 + "\n", "FixedParameters: 0 0 0 0\n"),
    "no fixed numbers": (LINE,),
    "a text": ("Parameters: 0 0 x 1 2 3\n", "FixedParameters: 0 0 0 0\n"),
    "not finite": ("Parameters: 0 0 nan 1 2 3\n", "FixedParameters: 0 0 0 0\n"),
    "cut off": (LINE, "FixedParameters: 0 0 0 0"),
    "twice": (LINE, LINE, "FixedParameters: 0 0 0 0\n"),
}


@pytest.mark.parametrize("kind", ["Euler3DTransform_double_3_3", "Other_double_3_3", "x" * 9999])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_one_is_refused_with_its_name(tmp_path: Path, name: str, kind: str) -> None:
    """Counts that do not fit the kind, which ITK takes for lengths."""
    head = f"#Insight Transform File V1.0\n#Transform 0\nTransform: {kind}\n"
    path = tmp_path / "given.tfm"
    path.write_text(head + "".join(FILES[name]), "utf-8")
    with pytest.raises(DataRefused) as refused:
        read_transform(path)
    assert refused.value.where == str(path) and refused.value.why


def test_what_is_flat_or_of_the_plane_is_refused(tmp_path: Path) -> None:
    """It has no inverse, or carries no volume."""
    flat = sitk.AffineTransform([1, 0, 0, 0, 1, 0, 0, 0, 0], (0, 0, 0))
    for transform in (flat, sitk.Euler2DTransform()):
        sitk.WriteTransform(transform, str(tmp_path / "given.tfm"))
        with pytest.raises(DataRefused):
            read_transform(tmp_path / "given.tfm")


def test_hdf5_that_ends_itk_is_refused(tmp_path: Path) -> None:
    """It is tried in a process of its own first."""
    sitk.WriteTransform(EULER, str(tmp_path / "given.h5"))
    content = (tmp_path / "given.h5").read_bytes()
    for place in (2000, 5000):
        (tmp_path / "given.h5").write_bytes(content[:place] + b"\0" * 500 + content[place + 500 :])
        try:
            read_transform(tmp_path / "given.h5")
        except DataRefused as refused:
            assert refused.where == str(tmp_path / "given.h5")
