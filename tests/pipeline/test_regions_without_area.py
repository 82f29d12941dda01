"""Regions of structure sets that enclose nothing, or that no ROI describes, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import pytest
from helpers.refusals import require_reason
from helpers.session_in_memory import card, contours_of, converted, image, structure_set
from pydicom.dataset import Dataset

EIGHT = [(-5.0, -5.0), (5.0, 5.0), (5.0, -5.0), (-5.0, 5.0)]
LINE = [(-5.0, 0.0), (0.0, 0.0), (5.0, 0.0)]


def two_lesions(*, second: Sequence[tuple[float, float]], kind: str = "CLOSED_PLANAR") -> Dataset:
    """A structure set of a square and of a second ROI with this outline around (20, 20, 0)."""
    made = structure_set("1", rois={"GTV 1": (0, 0, 0), "GTV 2": (20, 20, 0)}, slices="MPRAGE.late")
    [contour] = made.ROIContourSequence[1].ContourSequence
    contour.ContourGeometricType = kind
    contour.NumberOfContourPoints = len(second)
    contour.ContourData = [f"{v:.3f}" for x, y in second for v in (x + 20, y + 20, 0.0)]
    return made


@pytest.mark.parametrize("outline", [EIGHT, LINE])
@pytest.mark.parametrize("required", [True, False])
def test_closed_contours_without_an_area_refuse_the_session(
    tmp_path: Path, outline: list[tuple[float, float]], required: bool
) -> None:
    """The ROI's row has the cause, the other lesion does not stand for both, nothing is written."""
    annotation = two_lesions(second=outline)
    rules = card(required=required)
    result, workspace = converted(tmp_path, [image("MPRAGE")], [annotation], rules)
    require_reason(result.refused, "roi_unreadable", roi="ROI 'GTV 2'")
    rows = {row.source_roi: row for row in result.rows}
    assert rows["GTV 1"].selected and not rows["GTV 2"].selected
    assert rows["GTV 2"].rejected_code == "roi_contours_damaged"
    assert workspace.outputs() == []


@pytest.mark.parametrize(
    ("outline", "kind"), [([(0.0, 0.0)], "POINT"), ([(0.0, 0.0), (1.0, 1.0)], "CLOSED_PLANAR")]
)
def test_a_marker_is_no_lesion_and_is_shown(
    tmp_path: Path, outline: list[tuple[float, float]], kind: str
) -> None:
    """A point, or a contour of two vertices: the rest counts, row and screen name the ROI."""
    annotation = two_lesions(second=outline, kind=kind)
    result, workspace = converted(tmp_path, [image("MPRAGE")], [annotation], card())
    assert not result.refused
    [warning] = result.warnings
    assert "GTV 2" in warning
    rows = {row.source_roi: row for row in result.rows}
    assert not rows["GTV 2"].selected and rows["GTV 2"].rejected_reason
    assert contours_of(result, workspace)["MPRAGE"] == ["GTV 1"]


@pytest.mark.parametrize("described", [True, False])
def test_contours_that_no_roi_owns(tmp_path: Path, described: bool) -> None:
    """Beside a lesion without contours they refuse the session; else they are a warning."""
    annotation = two_lesions(second=EIGHT)
    annotation.ROIContourSequence[1].ReferencedROINumber = 77
    if not described:
        del annotation.StructureSetROISequence[1]
    result, workspace = converted(tmp_path, [image("MPRAGE")], [annotation], card())
    if not described:
        assert not result.refused and "77" in " ".join(result.warnings)
    else:
        named = {"numbers": "77", "lacking": "ROI 'GTV 2'"}
        require_reason(result.refused, "contours_without_roi", **named)
        assert workspace.outputs() == []


def test_contours_in_another_unit_refuse_the_session(tmp_path: Path) -> None:
    """Planes of 0.5 mm on slices of 5 mm: the coordinates are in cm."""
    annotation = structure_set("1", rois={"GTV": (0, 0, 0)}, slices="MPRAGE.late")
    [drawn] = annotation.ROIContourSequence
    for height in (0.5, 1.0):
        contour = deepcopy(drawn.ContourSequence[0])
        contour.ContourData = [
            f"{height:.3f}" if n % 3 == 2 else v for n, v in enumerate(contour.ContourData)
        ]
        drawn.ContourSequence.append(contour)
    result, workspace = converted(tmp_path, [image("MPRAGE")], [annotation], card())
    planes = {"planes_mm": pytest.approx(0.5), "slices_mm": pytest.approx(5)}
    require_reason(result.refused, "contour_planes_too_close", **planes)
    assert workspace.outputs() == []
