from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.refusals import has_reason
from hypothesis import given
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.formats.contours_json import (
    contours_from_json,
    contours_to_json,
    read_contours,
    write_contours,
)
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.imaging.rasterization.contours import AcquiredSlices, Contour, Roi

number = st.floats(allow_nan=False, allow_infinity=False)
points = st.lists(st.tuples(number, number, number), max_size=6).map(
    lambda rows: np.array(rows, dtype=np.float64).reshape(-1, 3)
)
contour = st.builds(Contour, points, st.sampled_from(["CLOSED_PLANAR", "POINT"]))
roi = st.builds(
    Roi,
    st.integers(0, 99),
    st.text(max_size=12),
    st.none() | st.just("GTV"),
    st.just("1.2.3"),
    st.lists(contour, max_size=3).map(tuple),
)


def same(first: Roi, second: Roi) -> bool:
    return (first.number, first.name, first.interpreted_type) == (
        second.number,
        second.name,
        second.interpreted_type,
    ) and [(c.geometric_type, c.points_lps_mm.tobytes()) for c in first.contours] == [
        (c.geometric_type, c.points_lps_mm.tobytes()) for c in second.contours
    ]


@given(st.lists(roi, max_size=4))
def test_a_round_trip_is_exact_and_deterministic(rois: list[Roi]) -> None:
    """Every bit of every coordinate and every name comes back; the same ROIs give one text."""
    text = contours_to_json(rois)
    back = contours_from_json(text)
    ordered = sorted(rois, key=lambda one: (one.number, one.name))
    assert len(back) == len(rois)
    assert all(same(a, b) for a, b in zip(ordered, back, strict=True))
    assert contours_to_json(back) == text


def test_acquired_slices_come_back() -> None:
    """Where the slices of an uneven series lie is kept exactly, and only where it was given."""
    slices = AcquiredSlices(np.array([0.0, 0.6, 0.8]), np.array([0.1, 3.1, 9.1]))
    rois = [Roi(1, "a", acquired_slices=slices), Roi(2, "b")]
    first, second = contours_from_json(contours_to_json(rois))
    assert first.acquired_slices is not None and second.acquired_slices is None
    assert np.array_equal(first.acquired_slices.normal, slices.normal)
    assert np.array_equal(first.acquired_slices.heights_mm, slices.heights_mm)


def test_no_uid_and_no_date_of_a_real_file_is_written(shared_data: Path, tmp_path: Path) -> None:
    """Of a clinical structure set nothing but ROIs is kept: no UID, no date, no label."""
    folder = shared_data / "rt_ibsi_val_STS_002" / "dicom" / "STS_002" / "CT" / "mask"
    read = read_structure_set(next(folder.iterdir()))
    path = tmp_path / "contours.json"
    write_contours(read.rois, path)
    text = path.read_text(encoding="utf-8")
    for secret in (*read.frame_of_reference_uids, *read.referenced_sop_uids, read.date, "1.3.6.1"):
        assert secret not in text
    assert same(read_contours(path)[0], read.rois[0])
    assert [file.name for file in tmp_path.iterdir()] == ["contours.json"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "contours_not_json"),
        ("[]", "contours_schema_unknown"),
        (
            '{"schema": "cta_data/contours", "schema_version": 99, "rois": []}',
            "contours_version_unsupported",
        ),
        ('{"schema": "cta_data/contours", "schema_version": 1}', "contours_file_damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, code: str) -> None:
    """Something else, another version or a damaged file is refused by what it is."""
    path = tmp_path / "contours.json"
    path.write_text(text)
    with pytest.raises(DataRefused, check=has_reason(code)):
        read_contours(path)


def test_numbers_that_json_lacks_are_refused() -> None:
    """NaN cannot be written as JSON, and is refused rather than written."""
    with pytest.raises(DataRefused, check=has_reason("contour_not_finite")):
        contours_to_json([Roi(1, "a", contours=(Contour(np.full((3, 3), np.nan)),))])
