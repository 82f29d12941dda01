"""A study of tables and folders alone: as many sessions as a test of growth asks for, at no cost.

Nothing is under version control, and no image is there; every step has been recorded as done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.annotation_rows import annotation_columns
from helpers.plain_study import plain_card
from helpers.typed_rows import upsert

from cta_data.engine.sessions import STEP_NAMES
from cta_data.study.configuration import initial_toml
from cta_data.study.session_id import SessionId
from cta_data.study.sourcedata import SeriesRow, SubjectRow, write_series, write_subjects
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, SessionRow, UnitRow, VariantRow
from cta_data.study.unit_id import UnitId

COHORT = "mine"


def make_table_study(root: Path, sessions: int) -> Study:
    """Make a study of so many sessions, one a subject, with a build of setting A."""
    root.mkdir()
    (root / "study.toml").write_text(initial_toml("tables"), "utf-8")
    (root / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = datasets/{COHORT}\n', "utf-8")
    cohort = root / "datasets" / COHORT
    for folder in (cohort, cohort / "sourcedata", cohort / "derivatives" / "cta"):
        (folder / ".git").mkdir(parents=True)
    (cohort / "card.toml").write_text(plain_card(COHORT, partition="trial"), "utf-8")
    labels = [f"{number:05d}" for number in range(sessions)]
    write_subjects(
        cohort / "sourcedata", [SubjectRow(one, f"Q{one}", "accepted") for one in labels]
    )
    write_series(cohort / "sourcedata", [_series(label) for label in labels])
    study = Study(root)
    sessions_made = [SessionId(COHORT, label, "1") for label in labels]
    keys = [session.columns() for session in sessions_made]
    about = {"qualities": ("NAQ",), "form": "files"}
    study.tables.upsert([SessionRow(session=one, **about) for one in sessions_made])
    images = [_image(key, kind) for key in keys for kind in ("", "brain")]
    upsert(study.tables, ImageRow, images)
    upsert(study.tables, AnnotationRow, [key | annotation_columns("NAQ") for key in keys])
    upsert(study.tables, VariantRow, [_variant(key) for key in keys])
    units = [UnitId(step, session) for session in sessions_made for step in STEP_NAMES]
    study.tables.upsert([_unit(unit) for unit in [*units, UnitId("build", model="A")]])
    study.tables.flush()
    return Study(root)


def _series(label: str) -> SeriesRow:
    place = f"{label}/t1.nii.gz"
    kind, header = "image", {"SourceFile": place}
    return SeriesRow(
        *(label, "1", f"s{label}", f"sub-{label}/{place}", kind, "MR", "", 1),
        *(f"session:{label}", f"uid{label}", "", "", "", "digest", header),
    )


def _image(key: dict[str, str], description: str) -> dict[str, Any]:
    name = f"{key['subject']}_{description or 'raw'}.nii.gz"
    about = {"technique": "MPRAGE", "contrast_phase": "post", "description": description}
    paths = {"path": f"datasets/{COHORT}/{name}", "mask_path": f"datasets/{COHORT}/mask.nii.gz"}
    return key | about | paths | {"modality": "MR", "frame": 0}


def _variant(key: dict[str, str]) -> dict[str, Any]:
    paths = {"mask_path": f"{key['subject']}_mask.nii.gz", "labels_path": "labels.nii.gz"}
    about = {"annotation": "NAQ", "quality": "NAQ", "grid": "MPRAGE"}
    return key | about | paths | {"account_path": "account.json"}


def _unit(unit: UnitId) -> UnitRow:
    return UnitRow.of(unit, status="ok", key="k", step_version=1, parameters="p")
