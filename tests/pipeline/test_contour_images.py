"""The image that contours lie on, and the technique that this tells: never a matter of order."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import require_reason
from helpers.session_in_memory import card, converted, image, structure_set, uid_of

EARLY = image("MPRAGE", "early", frame=1, worked_on=False)
LATE = image("MPRAGE", "late", frame=2)
SPACE = image("SPACE", "late", frame=1)
GTV = {"GTV 1": (0, 0, 0)}
BY_LABEL = {"drawn_on": [{"technique": "SPACE", "where": {"StructureSetLabel": "SPACE"}}]}


@pytest.mark.parametrize("technique", ["MPRAGE", "SPACE"])
def test_contours_lie_in_the_space_of_the_phase_whose_slices_they_name(
    tmp_path: Path, technique: str
) -> None:
    """Not in that of the phase that is worked on, which may have a frame of its own."""
    early = image(technique, "early", frame=1, worked_on=False)
    late = image(technique, "late", frame=2)
    named = f"{technique}.early"
    drawn = structure_set("1", rois=GTV, series=[named], slices=named)
    result, workspace = converted(tmp_path, [early, late], [drawn], card())
    assert not result.refused and [row.space for row in result.written] == [f"{technique}Early"]
    assert result.techniques == [technique]
    [written] = workspace.outputs()
    assert f"space-{technique}Early" in written


@pytest.mark.parametrize("slices", ["", "unknown"])
def test_without_known_slices_the_series_decides(tmp_path: Path, slices: str) -> None:
    """Real structure sets name slices that match no image while the series does."""
    drawn = structure_set("1", rois=GTV, series=["MPRAGE.early"], slices=slices)
    result, _ = converted(tmp_path, [EARLY, LATE, SPACE], [drawn], card())
    assert not result.refused and [row.space for row in result.written] == ["MPRAGEEarly"]
    assert result.techniques == ["MPRAGE"]


def test_a_frame_of_reference_tells_no_technique(tmp_path: Path) -> None:
    """A structure set whose series is not here is refused, with what could be done."""
    drawn = structure_set("1", rois=GTV, series=["FLAIR.late"], slices="FLAIR.late")
    result, workspace = converted(tmp_path, [EARLY, SPACE], [drawn], card())
    assert not result.written
    require_reason(result.refused, "annotation_technique_not_stated")
    assert workspace.outputs() == []
    assert [row.drawn_on for row in result.rows] == [None]


@pytest.mark.parametrize(
    ("rules", "label"), [(BY_LABEL, "SPACE"), ({"drawn_on_default": "SPACE"}, "")]
)
def test_a_frame_places_contours_whose_technique_is_stated(
    tmp_path: Path, rules: dict, label: str
) -> None:
    """They lie on the stated technique's image where it shares the frame, and this is noted."""
    drawn = structure_set("1", rois=GTV, series=["other.late"], label=label)
    result, _ = converted(tmp_path, [EARLY, SPACE], [drawn], card(**rules))
    assert not result.refused and result.techniques == ["SPACE"]
    assert [row.space for row in result.written] == ["SPACE"]
    assert any("frame of reference" in note for note in result.notes)


def test_two_series_that_a_structure_set_names_are_told_apart_or_refused(tmp_path: Path) -> None:
    """By the frame that its contours name, by the technique that is stated, and else not at all."""
    early = image("MPRAGE", "early", frame=1)
    both = ["MPRAGE.early", "SPACE.late"]
    images = [early, SPACE]
    drawn = structure_set("1", rois=GTV, series=both)
    refused, _ = converted(tmp_path, images, [drawn], card())
    assert refused.refused and not refused.written
    told = structure_set("1", rois=GTV, series=both, label="SPACE")
    by_label, _ = converted(tmp_path / "label", images, [told], card(**BY_LABEL))
    assert [row.space for row in by_label.written] == ["SPACE"]
    other = image("SPACE", "late", frame=2)
    by_frame, _ = converted(tmp_path / "frame", [early, other], [drawn], card())
    assert [row.space for row in by_frame.written] == ["MPRAGE"]


def test_contours_on_slices_of_two_images_are_refused(tmp_path: Path) -> None:
    """One structure set of a session lies on one image."""
    first = structure_set("1", rois={"GTV 1": (0, 0, 0), "GTV 2": (30, 0, 0)}, slices="SPACE.late")
    contour = first.ROIContourSequence[1].ContourSequence[0]
    contour.ContourImageSequence[0].ReferencedSOPInstanceUID = uid_of("slice.MPRAGE.early.10")
    result, _ = converted(tmp_path, [EARLY, SPACE], [first], card())
    both = "MPRAGE (early) and SPACE (late)"
    require_reason(result.refused, "annotated_image_ambiguous", names=both)
    assert not result.written


@pytest.mark.parametrize("slices", ["", "MPRAGE.early"])
def test_slices_in_one_frame_and_contours_in_another_are_refused(
    tmp_path: Path, slices: str
) -> None:
    """The contours would be off by what lies between the two frames."""
    drawn = structure_set("1", rois=GTV, series=["MPRAGE.early"], slices=slices, frame=2)
    result, _ = converted(tmp_path, [EARLY, LATE], [drawn], card())
    assert result.refused and not result.written
    unknown = structure_set("1", rois=GTV, series=["MPRAGE.early"], slices=slices, frame=7)
    result, _ = converted(tmp_path, [EARLY, LATE], [unknown], card())
    assert not result.refused
