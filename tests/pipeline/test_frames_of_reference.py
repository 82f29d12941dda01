"""A series has one frame of reference: its first slice does not speak for the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason
from helpers.segmentation_objects import make_series
from helpers.session_in_memory import UNIT
from pydicom.uid import generate_uid

from cta_data.cohorts.card import Card
from cta_data.engine import Workspace
from cta_data.errors import DataRefused
from cta_data.formats.dicom.header import header_of
from cta_data.pipeline.convert.image_rows import RawSeries, RawSession
from cta_data.pipeline.convert.images import convert_images

ABOUT = {"name": "own", "title": "", "licence": "x", "access": "public", "how_to_get": ""}
CARD = Card.model_validate(
    {"cohort": ABOUT, "series": [{"technique": "T1", "where": {"Modality": "^MR$"}}]}
)


@pytest.mark.parametrize("mixed", [False, True])
def test_slices_of_two_frames_are_no_series(tmp_path: Path, mixed: bool) -> None:
    """Nothing tells how the frames lie to each other, though positions look regular."""
    datasets = make_series(slices=6, rows=10, columns=12)
    if mixed:
        datasets[-1].FrameOfReferenceUID = generate_uid(entropy_srcs=["another"])
    session = RawSession([RawSeries("MR", "1", datasets, header_of(datasets[0]))])
    workspace = Workspace(tmp_path, tmp_path / "staging")
    if mixed:
        with pytest.raises(
            DataRefused, check=has_reason("frames_of_reference_several", n_frames=2)
        ):
            convert_images(UNIT, session, CARD, workspace)
    else:
        [placed] = convert_images(UNIT, session, CARD, workspace).placed
        assert placed.space == "T1"
