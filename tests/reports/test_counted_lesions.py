"""Of several annotations of one quality, reports count the lesions of one."""

from __future__ import annotations

from pathlib import Path

from helpers.annotation_rows import annotation_columns
from helpers.typed_rows import upsert

from cta_data.reports.counted_lesions import counted_lesions
from cta_data.study.configuration import initial_toml
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, MeasuredLesionRow


def study_of(root: Path, more: str, **annotations: str) -> Study:
    """Return a study of one session whose annotations, by name, have a status and one lesion."""
    (root / "study.toml").write_text(initial_toml("toy") + more, "utf-8")
    study = Study(root)
    session = SessionId("internal", "001", "1").columns()
    for name, status in annotations.items():
        reader, version = name[3:5], 2 if name.endswith("v2") else 1
        about = {"annotation": name, "reader": reader, "version": version, "status": status}
        upsert(study.tables, AnnotationRow, [session | annotation_columns("HAQ", **about)])
        lesion = {"annotation": name, "grid": "SPACE", "lesion_id": 1, "quality": "HAQ"}
        upsert(study.tables, MeasuredLesionRow, [session | lesion])
    study.tables.flush()
    return Study(root)


def test_what_is_superseded_stands_for_no_reader(tmp_path: Path) -> None:
    """Where the study names no reader the first by name counts that is current."""
    study = study_of(tmp_path, "", HAQR1="superseded", HAQR1v2="current", HAQR2="current")
    assert counted_lesions(study).annotation.tolist() == ["HAQR1v2"]


def test_the_reader_that_the_study_names_counts(tmp_path: Path) -> None:
    """And an earlier version where that is asked for."""
    states = {"HAQR1": "superseded", "HAQR1v2": "current", "HAQR2": "current"}
    study = study_of(tmp_path, '\n[evaluation]\nreader = "R2"\n', **states)
    assert counted_lesions(study).annotation.tolist() == ["HAQR2"]
    earlier = '\n[evaluation]\nreader = "R1"\nversion = 1\n'
    assert counted_lesions(study_of(tmp_path, earlier, **states)).annotation.tolist() == ["HAQR1"]


def test_what_was_rejected_counts_nowhere(tmp_path: Path) -> None:
    """A session whose annotations were all rejected has no lesions that count."""
    assert counted_lesions(study_of(tmp_path, "", HAQR1="rejected")).empty
