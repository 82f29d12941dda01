"""A training set: what is in it, what it refers to, and what stops it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.annotation_rows import annotation_columns
from helpers.refusals import has_reason, require_reason
from helpers.typed_rows import typed, upsert

from cta_data.cohorts import parse_card, shipped_card_text
from cta_data.engine import Blocked, Record, RunOptions, Selection, Unit, content_key, run_steps
from cta_data.errors import ConfigurationError
from cta_data.formats.nifti.image import image_from_array, write_image
from cta_data.pipeline.build import build_step
from cta_data.pipeline.overview import study_status
from cta_data.pipeline.training_set import leaks
from cta_data.study.build_case import BuildCase
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import (
    AnnotationRow,
    ImageRow,
    SessionRow,
    SplitRow,
    Tables,
    UnitRow,
    VariantRow,
)
from cta_data.study.unit_id import UnitId

GRID = np.diag([1.0, 1.0, 1.0, 1.0])
TOML = """
[study]
name = "toy"
[build]
cohorts = ["internal"]
{more}
"""


def voxels(*marked: int) -> np.ndarray:
    array = np.zeros((3, 4, 5), dtype=np.uint8)
    array.ravel()[: len(marked)] = marked
    return array


def write(root: Path, path: str, array: np.ndarray, affine: np.ndarray = GRID) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    write_image(image_from_array(array, affine), root / path)


def image_path(subject: str, technique: str = "MPRAGE", phase: str = "late") -> str:
    return f"datasets/internal/sub-{subject}/anat/{technique}_{phase}.nii.gz"


def mask_path(subject: str, grid: str = "MPRAGE") -> str:
    return f"datasets/internal/derivatives/cta/sub-{subject}/{grid}_mask.nii.gz"


def make_study(root: Path, haq: int = 10, naq: int = 0, more: str = "") -> Study:
    """Return a study whose patients have been measured, with images of a few voxels."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "study.toml").write_text(TOML.format(more=more))
    tables = Tables(root / "manifests")
    patients = [(f"h{n:02d}", "HAQ") for n in range(haq)] + [
        (f"n{n:02d}", "NAQ") for n in range(naq)
    ]
    for subject, quality in patients:
        own = SessionId("internal", subject, "1")
        session = own.columns()
        tables.upsert([SessionRow(session=own, qualities=(quality,))])
        upsert(tables, AnnotationRow, [session | annotation_columns(quality)])
        units = [UnitId(step, own) for step in ("convert", "measure")]
        tables.upsert([UnitRow.of(unit, status="ok", key="k") for unit in units])
        for technique in ("MPRAGE", "SPACE"):
            path = image_path(subject, technique)
            about = {"technique": technique, "contrast_phase": "late", "description": "brain"}
            upsert(tables, ImageRow, [session | about | {"path": path}])
            write(root, path, voxels(5, 6, 7))
            label = mask_path(subject, technique)
            variant = {"annotation": quality, "quality": quality, "grid": technique}
            variant |= {"mask_path": label, "account_path": "account.json"}
            upsert(tables, VariantRow, [session | variant])
            write(root, label, voxels(0, 1, 1))
    tables.flush()
    return Study(root)


def build(study: Study, name: str = "B", recompute: bool = False) -> Record:
    opened = Study(study.root)
    options = RunOptions(recompute=recompute)
    return run_steps(opened, (build_step(opened, name),), options).records[0]


def plan(study: Study, name: str = "B", technique: str = "") -> Unit | Blocked:
    (unit,) = build_step(study, name, technique).plan(study, Selection())
    return unit


def content(study: Study, name: str = "Dataset502_CTAB") -> dict[str, Any]:
    folder = study.root / "builds" / name
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of ten patients with setting B built."""
    study = make_study(tmp_path_factory.mktemp("built"))
    assert build(study).status == "ok"
    return Study(study.root)


def test_a_training_set_refers_to_images_and_copies_none(built: Study) -> None:
    """Three JSON files; every path in them leads from their folder to a file that is there."""
    found = content(built)
    assert set(found) == {"dataset.json", "splits_final.json", "build.json"}
    dataset = found["dataset.json"]
    folder = built.root / "builds" / "Dataset502_CTAB"
    for case in dataset["dataset"].values():
        for path in (*case["images"], case["label"]):
            assert not Path(path).is_absolute()
            assert (folder / path).is_file()
    assert dataset["labels"] == {"background": 0, "metastasis": 1}
    assert dataset["channel_names"] == {"0": "MPRAGE"}
    assert dataset["file_ending"] == ".nii.gz"
    assert dataset["numTraining"] == len(dataset["dataset"]) == 8


def test_the_folds_are_a_partition_of_the_training_cases(built: Study) -> None:
    """Each case validates once, never trains in that fold, and test patients are nowhere."""
    found = content(built)
    cases = set(found["dataset.json"]["dataset"])
    folds = found["splits_final.json"]
    assert len(folds) == 5
    assert Counter(case for fold in folds for case in fold["val"]) == Counter(cases)
    for fold in folds:
        assert set(fold["train"]) | set(fold["val"]) == cases
        assert not set(fold["train"]) & set(fold["val"])
    rows = built.splits()
    tests = rows[rows["partition"] == "test"]
    assert len(rows) == 10 and len(tests) == 2
    assert tests["fold"].isna().all()
    assert not any(f"sub-{s}_" in case for s in tests["subject"] for case in cases)
    for _, row in rows[rows["partition"] == "train"].iterrows():
        assert f"internal_sub-{row['subject']}_ses-1" in folds[row["fold"]]["val"]
        assert row["seed"] == 20250215


def test_the_provenance_names_contents_parameters_and_versions(built: Study) -> None:
    """build.json has the annex key of every image and label, test cases included, and no clock."""
    provenance = content(built)["build.json"]
    assert len(provenance["cases"]) == 10
    for case in provenance["cases"]:
        assert case["image_key"] == content_key(built.root / case["image"])
        assert case["label_key"] == content_key(built.root / case["label"])
    assert provenance["partition"]["seed"] == 20250215
    assert provenance["definition"]["quality"] == "HAQ"
    assert provenance["software"]["SimpleITK"]
    assert not {"time", "date", "host", "started"} & set(provenance)


def test_a_second_build_does_nothing_and_a_repeated_one_writes_the_same(built: Study) -> None:
    """Notneeded the second time; recomputed, the same bytes."""
    folder = built.root / "builds" / "Dataset502_CTAB"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert build(built).status == "notneeded"
    assert build(built, recompute=True).status == "ok"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_setting_takes_its_quality_image_and_grid(tmp_path: Path) -> None:
    """A and D train on NAQ patients, B and C on HAQ; C and D on SPACE images and labels."""
    study = make_study(tmp_path, haq=7, naq=8)
    for name, letter, technique in (
        *(("A", "n", "MPRAGE"), ("B", "h", "MPRAGE")),
        *(("C", "h", "SPACE"), ("D", "n", "SPACE")),
    ):
        unit = plan(study, name)
        assert isinstance(unit, Unit)
        cases = unit.parameters["cases"]
        assert len(cases) == 7
        assert {case["subject"][0] for case in cases} == {letter}
        assert all(case["image"] == image_path(case["subject"], technique) for case in cases)
        assert all(case["label"] == mask_path(case["subject"], technique) for case in cases)


def test_settings_share_one_partition(tmp_path: Path) -> None:
    """A patient tests in every setting or in none, so that models can be compared."""
    study = make_study(tmp_path, haq=12, naq=12)
    places = {}
    for name in ("A", "B", "C", "D"):
        unit = plan(study, name)
        assert isinstance(unit, Unit)
        cases = unit.parameters["cases"]
        places[name] = {case["subject"]: (case["partition"], case["fold"]) for case in cases}
    assert places["A"] == places["D"]
    assert places["B"] == places["C"]


def test_of_several_phases_the_one_asked_for_or_the_latest_is_taken(tmp_path: Path) -> None:
    """Without a phase the latest after contrast; a setting of one's own may name another."""
    more = '[build.settings.E]\ntechnique = "MPRAGE"\nquality = "HAQ"\ncontrast_phase = "{}"\n'
    early = more.format("early") + "dataset_id = 505\n"
    study = make_study(
        tmp_path, more=early + more.format("post").replace(".E]", ".F]") + "dataset_id=506"
    )
    for subject in (f"h{n:02d}" for n in range(10)):
        row = {"cohort": "internal", "subject": subject, "session": "1", "technique": "MPRAGE"}
        for phase in ("none", "early"):
            path = image_path(subject, phase=phase)
            write(tmp_path, path, voxels(1))
            about = {"contrast_phase": phase, "description": "brain", "path": path}
            upsert(study.tables, ImageRow, [row | about])
    chosen = {}
    for name in ("B", "E"):
        unit = plan(study, name)
        assert isinstance(unit, Unit)
        chosen[name] = {case["image"].rsplit("_")[-1] for case in unit.parameters["cases"]}
    assert chosen == {"B": {"late.nii.gz"}, "E": {"early.nii.gz"}}
    blocked = plan(study, "F")
    assert isinstance(blocked, Blocked)
    assert "sub-h00 ses-1 (MPRAGE" in blocked.reason.values["cases"]


@pytest.mark.parametrize("frame", [1, 2])
def test_a_phase_in_another_frame_of_reference_is_lacking(tmp_path: Path, frame: int) -> None:
    """Labels lie on the phase that is worked on: equal grids in two frames are two places."""
    more = '[build.settings.E]\ntechnique = "MPRAGE"\nquality = "HAQ"\ncontrast_phase = "early"\n'
    study = make_study(tmp_path, more=more + "dataset_id = 505\n")
    for subject in (f"h{n:02d}" for n in range(10)):
        row = {"cohort": "internal", "subject": subject, "session": "1", "technique": "MPRAGE"}
        for phase, own in (("late", 1), ("early", frame)):
            path = image_path(subject, phase=phase)
            write(tmp_path, path, voxels(1))
            about = {"contrast_phase": phase, "description": "brain", "path": path, "frame": own}
            upsert(study.tables, ImageRow, [row | about])
    unit = plan(study, "E")
    assert isinstance(unit, Unit) is (frame == 1)
    assert frame == 1 or "MPRAGE early" in unit.reason.values["cases"]


def test_a_native_image_never_stands_for_one_after_contrast(tmp_path: Path) -> None:
    """A session with only an unenhanced image lacks the image of the setting, and is named."""
    study = make_study(tmp_path)
    path = image_path("h03")
    row = {"cohort": "internal", "subject": "h03", "session": "1", "technique": "MPRAGE"}
    scope = ("cohort", "subject", "session", "technique")
    native = row | {"contrast_phase": "none", "description": "brain", "path": path}
    study.tables.replace(ImageRow, scope, {tuple(row.values())}, [typed(ImageRow, native)])
    blocked = plan(study)
    assert isinstance(blocked, Blocked)
    assert "internal sub-h03 ses-1" in str(blocked.reason)


def break_label(root: Path, subject: str, array: np.ndarray, affine: np.ndarray = GRID) -> None:
    write(root, mask_path(subject), array, affine)


@pytest.mark.parametrize(
    ("array", "affine", "said"),
    [
        (voxels(), GRID, "the label is empty"),
        (voxels(0, 1, 2), GRID, "label values [0, 1, 2]"),
        (voxels(0, 255), GRID, "label values [0, 255]"),
        (voxels(0, 1).astype(np.float32) / 2, GRID, "label values [0.0, 0.5]"),
        (np.ones((3, 4, 5), np.uint8), GRID, "no background"),
        (voxels(0, 1), np.diag([1.0, 1.0, 1.1, 1.0]), "mm apart"),
        (voxels(0, 1)[:2], GRID, "5 × 4 × 2 voxels"),
        (voxels(0, 1), np.diag([-1.0, 1.0, 1.0, 1.0]), "mm apart"),
    ],
)
@pytest.mark.parametrize("partition", ["train", "test"])
def test_a_label_that_would_harm_training_is_left_out(
    tmp_path: Path, array: np.ndarray, affine: np.ndarray, said: str, partition: str
) -> None:
    """Empty, other values, another grid: that case is left out by name, and the rest is built."""
    study = make_study(tmp_path)
    case = case_beside_others(study, partition)
    break_label(tmp_path, case["subject"], array, affine)
    record = build(study)
    assert record.status == "ok"
    [warning] = record.warnings
    assert case["case"] in warning and said in warning and str(tmp_path) not in warning
    found = content(study)
    assert case["case"] not in found["dataset.json"]["dataset"]
    assert case["case"] not in {one["case"] for one in found["build.json"]["cases"]}
    assert not any(case["case"] in fold["val"] for fold in found["splits_final.json"])
    assert len(found["dataset.json"]["dataset"]) == (7 if partition == "train" else 8)
    after = Study(tmp_path)
    assert case["subject"] not in after.splits()["subject"].tolist()
    [row] = study_status(after).builds
    assert row.warnings == (warning,)


def case_beside_others(study: Study, partition: str) -> dict[str, Any]:
    """A case whose fold holds another one as well."""
    unit = plan(study)
    assert isinstance(unit, Unit)
    mine = [c for c in unit.parameters["cases"] if c["partition"] == partition]
    folds = Counter(c["fold"] for c in mine)
    return next(c for c in mine if folds[c["fold"]] > 1)


def test_a_fold_without_a_case_stops_the_build(tmp_path: Path) -> None:
    """Every case is named, also one whose file cannot be read, and nothing is written."""
    study = make_study(tmp_path)
    unit = plan(study)
    assert isinstance(unit, Unit)
    cases = [c for c in unit.parameters["cases"] if c["fold"] == 0]
    for case in cases[1:]:
        break_label(tmp_path, case["subject"], voxels(0, 3))
    (tmp_path / mask_path(cases[0]["subject"])).write_bytes(b"\x1f\x8bno NIfTI at all")
    record = build(study)
    assert record.status == "impossible" and "fold 0 would have no case" in str(record.reason)
    assert str(tmp_path) not in str(record.reason)
    for case in cases:
        assert case["case"] in str(record.reason)
    assert not (tmp_path / "builds").exists() or not list((tmp_path / "builds").rglob("*.json"))
    assert Study(tmp_path).tables.rows(SplitRow) == []


def test_a_session_without_image_or_label_is_named(tmp_path: Path) -> None:
    """A case is never left out in silence; the message says what it lacks."""
    study = make_study(tmp_path)
    scope = ("cohort", "subject", "session")
    study.tables.replace(ImageRow, scope, {("internal", "h03", "1")}, [])
    study.tables.replace(VariantRow, scope, {("internal", "h04", "1")}, [])
    blocked = plan(study)
    assert isinstance(blocked, Blocked)
    assert "sub-h03 ses-1 (MPRAGE" in blocked.reason.values["cases"]
    assert "sub-h04 ses-1 (no label of HAQ on the grid of MPRAGE)" in blocked.reason.values["cases"]


def test_an_input_that_is_gone_blocks_the_build(tmp_path: Path) -> None:
    """A file that was deleted is told with the way to get it back; a dropped one is no problem."""
    study = make_study(tmp_path)
    path = tmp_path / image_path("h05")
    path.unlink()
    blocked = plan(study)
    assert isinstance(blocked, Blocked) and blocked.reason.code == "input_missing"
    path.symlink_to("../../.git/annex/objects/x/MD5E-s3--abc.nii.gz")
    assert isinstance(plan(study), Unit)


def test_too_few_patients_for_the_folds_are_refused(tmp_path: Path) -> None:
    """nnU-Net would make up a random split for a fold without cases."""
    blocked = plan(make_study(tmp_path, haq=5))
    assert isinstance(blocked, Blocked)
    require_reason(blocked.reason, "training_patients_fewer_than_folds", n_patients=4, n_folds=5)
    nobody = plan(make_study(tmp_path / "none", haq=0, naq=7))
    assert isinstance(nobody, Blocked)
    require_reason(nobody.reason, "training_patients_missing", quality="HAQ")


def test_sessions_that_were_not_measured_are_left_to_the_accounting(tmp_path: Path) -> None:
    """A session that failed before is no case, and takes no patient's place in the partition."""
    study = make_study(tmp_path)
    unit = UnitId("measure", SessionId("internal", "h00", "1"))
    row = study.tables.by_key(UnitRow)[unit.key]
    study.tables.upsert([replace(row, status="impossible")])
    planned = plan(study)
    assert isinstance(planned, Unit)
    assert "h00" not in {case["subject"] for case in planned.parameters["cases"]}
    assert len(planned.parameters["cases"]) == 9


def test_a_setting_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """The error names the settings of the study and how to add one."""
    study = make_study(tmp_path, haq=0)
    with pytest.raises(
        ConfigurationError,
        check=has_reason("setting_unknown", name="Z", settings=("A", "B", "C", "D")),
    ):
        build_step(study, "Z")


def test_another_technique_is_another_training_set(tmp_path: Path) -> None:
    """It has a name, a folder and a number of its own, so that nnU-Net can tell the two apart."""
    study = make_study(tmp_path)
    plain, other = plan(study), plan(study, "B", "SPACE")
    assert isinstance(plain, Unit) and isinstance(other, Unit)
    assert other.id != plain.id
    folders = [unit.parameters["folder"].split("/")[-1] for unit in (plain, other)]
    assert folders[0] == "Dataset502_CTAB"
    assert len({folder.split("_")[0] for folder in folders}) == 2
    assert all(
        case["image"] == image_path(case["subject"], "SPACE") for case in other.parameters["cases"]
    )
    assert plan(study, "B", "MPRAGE").id == plain.id


def case(subject: str, partition: str, fold: int | None, cohort: str = "c") -> BuildCase:
    return BuildCase(SessionId(cohort, subject, "1"), partition, fold, "image", "label")


def test_a_patient_in_two_places_is_a_leak() -> None:
    """Two partitions or two folds leak; two sessions in one fold, or two cohorts, do not."""
    assert leaks([case("1", "train", 0), case("1", "train", 0), case("2", "test", None)]) == []
    assert leaks([case("1", "train", 0), case("1", "test", None, "d")]) == []
    found = leaks([case("1", "train", 0), case("1", "test", None), case("2", "train", 1)])
    assert len(found) == 1 and "c sub-1" in found[0]
    assert len(leaks([case("1", "train", 0), case("1", "train", 1)])) == 1


def test_sessions_that_the_card_leaves_out_do_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later course of a patient who trains stays out: its treated lesions are not drawn."""
    tables = make_study(tmp_path).tables
    monkeypatch.setattr(Study, "require", lambda study, path: None)
    later = SessionId("internal", "h00", "2")
    for of in (UnitRow, ImageRow, AnnotationRow, VariantRow, SessionRow):
        rows = tables.of_session(of, SessionId("internal", "h00", "1"))
        tables.upsert([replace(row, session=later) for row in rows])
    card = parse_card(shipped_card_text("internal"), "internal", "card.toml")
    for evaluated, sessions in (("", {"1", "2"}), ("^1$", {"1"})):
        opened = Study(tmp_path)
        opened.tables = tables
        opened.cohorts = ["internal"]
        section = card.sessions.model_copy(update={"evaluated": evaluated})
        opened._cards["internal"] = card.model_copy(update={"sessions": section})
        unit = plan(opened)
        assert isinstance(unit, Unit)
        assert {case["session"] for case in unit.parameters["cases"]} == sessions
