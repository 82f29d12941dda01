"""Registration objects of a session give one answer, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason
from helpers.session_in_memory import UNIT, image, registration
from pydicom.dataset import Dataset

from cta_data.engine import Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom.header import header_of
from cta_data.pipeline.convert.image_rows import ConvertedImages, RawSeries, RawSession
from cta_data.pipeline.convert.registration_objects import convert_registrations
from cta_data.study.layout import stated_transform

IMAGES = [image("CT", frame=1), image("MPRAGE", frame=2), image("SPACE", frame=3)]
OLD, NEW = ("20240101", "120000"), ("20240301", "120000")


def shifts(
    folder: Path, objects: list[Dataset], policy: str = "refuse"
) -> dict[tuple[int, int], float]:
    """How far along x the written transforms move a point, by (fixed, moving) frame."""
    workspace = Workspace(folder, folder / "staging")
    series = [RawSeries("REG", "r", objects, header_of(objects[0]))]
    images = ConvertedImages(placed=list(IMAGES))
    convert_registrations(UNIT, RawSession(series), images, policy, workspace)
    found = {}
    for fixed in (1, 2, 3):
        for moving in (1, 2, 3):
            path = workspace.staging / stated_transform(UNIT.session, fixed, moving)
            if path.exists():
                transform = sitk.ReadTransform(str(path))
                found[fixed, moving] = transform.TransformPoint((0.0, 0.0, 0.0))[0]
    return found


def test_every_object_of_a_series_is_read(tmp_path: Path) -> None:
    """Not the first of them alone."""
    objects = [registration("1", 1, {2: (5, 0, 0)}), registration("2", 1, {3: (7, 0, 0)})]
    assert shifts(tmp_path, objects) == pytest.approx({(1, 2): -5, (1, 3): -7})


def test_two_objects_that_say_the_same_are_taken(tmp_path: Path) -> None:
    """Within a tenth of a millimetre, and whichever frame is the registered one."""
    objects = [registration("1", 1, {2: (5, 0, 0)}), registration("2", 2, {1: (-5.05, 0, 0)})]
    assert shifts(tmp_path, objects) == pytest.approx({(1, 2): -5})


@pytest.mark.parametrize("reverse", [False, True])
def test_two_objects_that_differ_are_refused(tmp_path: Path, reverse: bool) -> None:
    """With the distance, both transforms, and what can be done."""
    objects = [registration("1", 1, {2: (5, 0, 0)}, OLD), registration("2", 1, {2: (8, 0, 0)}, NEW)]
    with pytest.raises(DataRefused) as caught:
        shifts(tmp_path, objects[::-1] if reverse else objects)
    assert "3.0 mm" in caught.value.why
    assert "(-5.0, 0.0, 0.0)" in caught.value.why and "(-8.0, 0.0, 0.0)" in caught.value.why
    assert "registration_objects" in caught.value.next_step


@pytest.mark.parametrize("reverse", [False, True])
def test_the_later_one_wins_where_the_card_says_so(tmp_path: Path, reverse: bool) -> None:
    """By the date of its content, and not where the dates tell no later one."""
    objects = [registration("1", 1, {2: (5, 0, 0)}, OLD), registration("2", 1, {2: (8, 0, 0)}, NEW)]
    ordered = objects[::-1] if reverse else objects
    assert shifts(tmp_path, ordered, "latest") == pytest.approx({(1, 2): -8})
    objects[1].ContentDate, objects[1].ContentTime = OLD
    with pytest.raises(DataRefused):
        shifts(tmp_path / "equal", ordered, "latest")


def test_the_card_may_leave_them_unread(tmp_path: Path) -> None:
    """The images are registered then."""
    objects = [registration("1", 1, {2: (5, 0, 0)}), registration("2", 1, {2: (8, 0, 0)})]
    assert shifts(tmp_path, objects, "ignore") == {}


@pytest.mark.parametrize(("closing", "refused"), [(2.0, False), (3.5, False), (5.0, True)])
def test_a_circle_of_three_has_to_close(tmp_path: Path, closing: float, refused: bool) -> None:
    """CT to MPRAGE is 5 mm and CT to SPACE 7 mm, so MPRAGE to SPACE is 2 mm, give or take 2."""
    objects = [
        registration("1", 1, {2: (5, 0, 0)}),
        registration("2", 1, {3: (7, 0, 0)}),
        registration("3", 2, {3: (closing, 0, 0)}),
    ]
    if refused:
        with pytest.raises(DataRefused, check=has_reason("registration_loop_not_closed")):
            shifts(tmp_path, objects)
    else:
        assert shifts(tmp_path, objects)[2, 3] == pytest.approx(-closing)
