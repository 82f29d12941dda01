"""A part of a patient's courses: the second must not pass for the first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.new_study import new_study

from cta_data.phantom import write_cohort
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


def test_courses_that_the_workbook_knows_and_the_source_lacks(tmp_path: Path) -> None:
    """With its first study missing, a patient's later course is not evaluated as the first."""
    written = write_cohort(tmp_path / "ummc", "ummc", form="dicom", patients=2, voxel_mm=3.0)
    first = next(c for c in written.cases if (c.source_id, c.session) == ("GK_147", "1"))
    shutil.rmtree(Path(first.image).parent)
    new_study(tmp_path / "study", "ummc")
    added = run_cta("add", "ummc", written.raw, study=tmp_path / "study")
    assert "sub-147: the courses cannot be identified" in added.text
    run_cta("convert", study=tmp_path / "study")
    rows = Study(tmp_path / "study").subjects().set_index(["subject", "session"])
    assert rows.loc[("103", "1"), "partition"] == "external"
    assert rows.loc[("147", "1"), "partition"] == "excluded"
    assert rows.loc[("147", "1"), "exclusion_code"] == "courses_uncertain"
