"""Transforms from any technique to any other, told by where points end up."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.typed_rows import typed
from hypothesis import given
from hypothesis import strategies as st

from cta_data.engine import Workspace
from cta_data.engine.sessions import transform_files
from cta_data.errors import DataRefused
from cta_data.pipeline.transform_chain import TransformChain, read_chain
from cta_data.study.session_id import SessionId
from cta_data.study.tables import TransformRow

POINT = (10.0, -20.0, 30.0)
COORDINATES = st.floats(-100, 100)


def shift(*offset: float) -> sitk.Transform:
    return sitk.TranslationTransform(3, offset)


def turn(angle: float, *offset: float) -> sitk.Transform:
    transform = sitk.Euler3DTransform()
    transform.SetRotation(0.0, 0.0, angle)
    transform.SetTranslation(offset)
    return transform


def scale(factor: float) -> sitk.Transform:
    transform = sitk.AffineTransform(3)
    transform.Scale(factor)
    return transform


CHAIN = TransformChain(
    {
        ("MPRAGE", "CT"): turn(0.3, 5, 0, 0),
        ("MPRAGE", "SPACE"): scale(1.1),
        ("X", "Y"): shift(1, 0, 0),
    }
)


def test_a_stored_transform_maps_the_target_to_the_source() -> None:
    """ITK's resampling direction: points of the fixed image to points of the moving image."""
    chain = TransformChain({("MPRAGE", "CT"): shift(5, 0, 0)})
    there = chain.between(target="MPRAGE", source="CT")
    assert there.TransformPoint(POINT) == pytest.approx((15, -20, 30))
    back = chain.between(target="CT", source="MPRAGE")
    assert back.TransformPoint(POINT) == pytest.approx((5, -20, 30))


def test_a_composition_by_way_of_the_hub_has_the_right_order() -> None:
    """SPACE to CT is SPACE to MPRAGE first, then MPRAGE to CT: they do not commute."""
    rotation, scaling = turn(0.3, 5, 0, 0), scale(1.1)
    composed = CHAIN.between(target="SPACE", source="CT")
    by_hand = rotation.TransformPoint(scaling.GetInverse().TransformPoint(POINT))
    swapped = scaling.GetInverse().TransformPoint(rotation.TransformPoint(POINT))
    assert composed.TransformPoint(POINT) == pytest.approx(by_hand)
    assert composed.TransformPoint(POINT) != pytest.approx(swapped)


@pytest.mark.parametrize(("a", "b"), [("MPRAGE", "CT"), ("SPACE", "CT"), ("CT", "SPACE")])
@given(x=COORDINATES, y=COORDINATES, z=COORDINATES)
def test_there_and_back_is_where_one_was(a: str, b: str, x: float, y: float, z: float) -> None:
    """Each direction is the inverse of the other, through the reference image too."""
    there = CHAIN.between(target=a, source=b)
    back = CHAIN.between(target=b, source=a)
    assert back.TransformPoint(there.TransformPoint((x, y, z))) == pytest.approx(
        (x, y, z), abs=1e-9
    )


@pytest.mark.parametrize("technique", ["MPRAGE", "CT", "unknown"])
def test_a_technique_to_itself_is_the_identity(technique: str) -> None:
    """Also where nothing was registered at all."""
    identity = CHAIN.between(target=technique, source=technique)
    assert identity.TransformPoint(POINT) == POINT


@pytest.mark.parametrize(("a", "b"), [("MPRAGE", "X"), ("CT", "Y"), ("PET", "CT")])
def test_what_is_not_connected_is_refused(a: str, b: str) -> None:
    """No transform is ever assumed; the message names both techniques and what to do."""
    with pytest.raises(
        DataRefused, check=has_reason("transform_chain_missing", source=b, target=a)
    ):
        CHAIN.between(target=a, source=b)


@pytest.mark.parametrize(("direct", "refused"), [(7.5, False), (10.0, True)])
def test_two_ways_have_to_lead_to_one_place(direct: float, refused: bool) -> None:
    """SPACE to CT by way of MPRAGE is 7 mm: a registration of its own is held against it."""
    chain = TransformChain(
        {
            ("MPRAGE", "CT"): shift(2, 0, 0),
            ("MPRAGE", "SPACE"): shift(-5, 0, 0),
            ("SPACE", "CT"): shift(direct, 0, 0),
        }
    )
    if refused:
        with pytest.raises(DataRefused, check=has_reason("transform_chains_contradict")):
            chain.between(target="SPACE", source="CT")
    else:
        assert chain.between(target="SPACE", source="CT").TransformPoint(POINT)[0] == 17.5


def test_resampling_moves_a_voxel_to_where_the_points_say(tmp_path: Path) -> None:
    """A voxel of the source appears on the target's grid at the point that maps onto it."""
    source = sitk.Image(20, 20, 20, sitk.sitkUInt8)
    source[12, 7, 9] = 1
    chain = TransformChain({("A", "HUB"): shift(4, 0, 0), ("HUB", "B"): shift(0, -3, 0)})
    transform = chain.between(target="A", source="B")
    moved = sitk.Resample(source, source, transform, sitk.sitkNearestNeighbor)
    assert moved[8, 10, 9] == 1
    assert sitk.GetArrayViewFromImage(moved).sum() == 1


def test_transforms_are_read_by_their_spaces(tmp_path: Path) -> None:
    """The fixed and the moving space name the direction of a file."""
    sitk.WriteTransform(turn(0.2, 1, 2, 3), str(tmp_path / "t.tfm"))
    own = SessionId("internal", "1", "1").columns()
    about = {"fixed": "MPRAGE", "moving": "CT", "path": "t.tfm", "accepted": True}
    rows = [typed(TransformRow, own | about)]
    inputs = transform_files(rows)
    assert inputs == {("MPRAGE", "CT"): "t.tfm"}
    chain = read_chain(inputs, Workspace(tmp_path, tmp_path / "staging"))
    expected = turn(0.2, 1, 2, 3).TransformPoint(POINT)
    assert chain.between(target="MPRAGE", source="CT").TransformPoint(POINT) == pytest.approx(
        expected
    )
    back = chain.between(target="CT", source="MPRAGE")
    assert back.TransformPoint(expected) == pytest.approx(POINT)
