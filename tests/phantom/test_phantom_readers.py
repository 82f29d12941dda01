"""Digital patients with several annotations: the plan is kept, and the truth of it is written."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.made_once import made_once
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.phantom import (
    FurtherReader,
    ReadersPlan,
    VoxelSizes,
    WrittenPatient,
    write_patient,
    write_trial,
)
from cta_data.phantom.head.lesions import Lesion, StarShape
from cta_data.phantom.head.tissues import CONTRAST_CLASSES
from cta_data.phantom.readers import SMALL_MM3, missing_small, see

SIZES = VoxelSizes(mprage=4.0, space=4.0, ct_in_plane=4.0, ct_slice=2.0)
SEED = 54
SHIFT_MM = 1.5
PLAN = ReadersPlan(
    both=None,
    further=(
        FurtherReader("R2", shift_mm=SHIFT_MM, missed=1, added=2, versions=2),
        FurtherReader("R3"),
    ),
)
OWN, BOTH, OLD, NEW, THIRD = range(5)


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> WrittenPatient:
    """A patient of ten lesions with five annotations, two of them versions."""

    def make(folder: Path) -> WrittenPatient:
        return write_patient(folder, seed=SEED, voxel_sizes=SIZES, phases=("late",), readers=PLAN)

    return made_once(tmp_path_factory, "phantom_readers", make)


def read(patient: WrittenPatient, name: str) -> list[dict]:
    loaded: list[dict] = json.loads((patient.truth / f"{name}.json").read_text())
    return loaded


def test_every_annotation_is_as_planned(patient: WrittenPatient) -> None:
    """Reader, quality and version of each; a repeat supersedes that reader's earlier one alone."""
    rows = read(patient, "annotations")
    assert [(r["reader"], r["quality"], r["version"], r["status"]) for r in rows] == [
        ("R1", "HAQ", 1, "current"),
        ("R1", "NAQ", 1, "current"),
        ("R2", "HAQ", 1, "superseded"),
        ("R2", "HAQ", 2, "current"),
        ("R3", "HAQ", 1, "current"),
    ]
    assert [len(r["rois"]) for r in rows] == [w.lesions_drawn for w in patient.annotations]
    for row in rows:
        planned = row["reader"] == "R2"
        assert len(row["left_out_by_plan"]) == planned
        assert set(row["left_out_by_plan"]) <= set(row["missed"])
        additions = [roi["addition"] for roi in row["rois"] if roi["addition"]]
        drawn = [roi["lesion"] for roi in row["rois"] if roi["lesion"]]
        assert len(additions) == 2 * planned
        assert sorted([*drawn, *row["missed"]]) == list(range(1, patient.lesions + 1))
        assert min(additions, default=patient.lesions + 1) > patient.lesions


def test_headers_say_reader_technique_and_order(patient: WrittenPatient) -> None:
    """A code in the description, no name; the sets of one patient are told apart by their times."""
    sets = [pydicom.dcmread(one.structure_set) for one in patient.annotations]
    said = [(str(s.StructureSetDescription), str(s.StructureSetLabel)) for s in sets]
    assert said[OWN] == ("Reader R1", "SPACE T1") and said[BOTH] == ("Reader R1", "MPRAGE")
    assert said[OLD] == said[NEW] == ("Reader R2", "SPACE T1")
    times = [str(s.StructureSetTime) for s in sets]
    assert times == sorted(set(times))
    uids = [str(s.SOPInstanceUID) for s in sets]
    assert len(set(uids)) == len({str(s.SeriesInstanceUID) for s in sets}) == len(sets)
    assert uids == [row["structure_set"] for row in read(patient, "annotations")]


def test_the_truth_names_the_rois_of_the_sets(patient: WrittenPatient) -> None:
    """By number and name; its centroids are those of the contours."""
    for written, row in zip(patient.annotations, read(patient, "annotations"), strict=True):
        one = pydicom.dcmread(written.structure_set)
        names = {int(r.ROINumber): str(r.ROIName) for r in one.StructureSetROISequence}
        contours = {int(r.ReferencedROINumber): r.ContourSequence for r in one.ROIContourSequence}
        gross = {number for number, name in names.items() if name.upper().startswith("GTV")}
        assert {roi["roi_number"] for roi in row["rois"]} == gross
        for roi in row["rois"]:
            assert names[roi["roi_number"]] == roi["roi_name"]
            points = [np.reshape(c.ContourData, (-1, 3)) for c in contours[roi["roi_number"]]]
            middle = np.vstack(points).astype(float).mean(axis=0)
            assert np.linalg.norm(middle - roi["centroid_lps_mm"]["CT"]) < 2.0


def test_a_shift_displaces_all_contours_alike(patient: WrittenPatient) -> None:
    """By the length that was asked for, beside what the reader's own habits do (0.1 mm an axis)."""
    rows = read(patient, "annotations")
    assert [row["shift_mm"] for row in rows] == [0.0, 0.0, SHIFT_MM, SHIFT_MM, 0.0]
    own = {roi["lesion"]: roi["centroid_lps_mm"]["CT"] for roi in rows[OWN]["rois"]}
    moved = [
        np.subtract(roi["centroid_lps_mm"]["CT"], own[roi["lesion"]])
        for roi in rows[NEW]["rois"]
        if roi["lesion"] in own
    ]
    assert len(moved) >= 3
    assert np.linalg.norm(rows[NEW]["shift_lps_mm"]["CT"]) == pytest.approx(SHIFT_MM, abs=1e-3)
    assert np.median(moved, axis=0) == pytest.approx(rows[NEW]["shift_lps_mm"]["CT"], abs=0.3)


def test_links_pair_what_is_one_lesion(patient: WrittenPatient) -> None:
    """Every ROI of two annotations is in a pair or alone; an addition is alone, and far off."""
    rows, links = read(patient, "annotations"), read(patient, "links")
    assert len(links) == 10
    for link in links:
        first, second = (
            [roi["lesion"] or roi["addition"] for roi in rows[link[side] - 1]["rois"]]
            for side in ("first", "second")
        )
        both = [pair["lesion"] for pair in link["both"]]
        assert Counter(first) == Counter([*both, *link["first_alone"]])
        assert Counter(second) == Counter([*both, *link["second_alone"]])
        assert all(number <= patient.lesions for number in both)
        assert all(pair["distance_mm"] < SHIFT_MM + 4.0 for pair in link["both"])
    every = [(roi, row) for row in rows for roi in row["rois"]]
    for added, row in every:
        for other, _ in every if added["addition"] else []:
            places = (added["centroid_lps_mm"]["CT"], other["centroid_lps_mm"]["CT"])
            if other is not added:
                assert np.linalg.norm(np.subtract(*places)) > 3.0, row["number"]


def test_readers_vary(patient: WrittenPatient) -> None:
    """No two annotations have equal contours of a lesion, and NAQ misses more than HAQ."""
    rows = read(patient, "annotations")
    volumes = [roi["volume_mm3"] for row in rows for roi in row["rois"]]
    assert len(set(volumes)) == len(volumes)
    assert len(rows[BOTH]["missed"]) > len(rows[THIRD]["missed"])


def test_the_rest_of_a_patient_does_not_depend_on_the_plan(
    patient: WrittenPatient, tmp_path: Path
) -> None:
    """Images, lesions and the own reader's contours are those without a plan."""
    plain = write_patient(tmp_path, seed=SEED, voxel_sizes=SIZES, phases=("late",))
    assert not (plain.truth / "links.json").exists()
    for name in ("lesions.json", "patient.json", "lesions_CT.nii.gz"):
        assert (plain.truth / name).read_bytes() == (patient.truth / name).read_bytes()
    with_plan, without = (pydicom.dcmread(p.structure_set) for p in (patient, plain))
    del with_plan.StructureSetDescription
    assert with_plan == without
    files = {p.relative_to(plain.raw): p for p in plain.raw.rglob("*") if p.is_file()}
    files.pop(plain.structure_set.relative_to(plain.raw))
    assert all((patient.raw / p).read_bytes() == f.read_bytes() for p, f in files.items())


QUALITIES = ["NAQ", "HAQ"] * 10


def plans(plan: ReadersPlan) -> tuple[set[int], dict[str, set[int]]]:
    """Return which patients are annotated on both techniques, and which by further readers."""
    each = plan.of_patients(QUALITIES)
    further = {
        one.code: {i for i, p in enumerate(each) if one.code in {f.code for f in p.further}}
        for one in plan.further
    }
    return {i for i, p in enumerate(each) if p.both is None}, further


def test_numbers_of_patients_are_exact() -> None:
    """A further reader repeats patients of that quality; the fewer are among the more."""
    plan = ReadersPlan(
        both=6, further=(FurtherReader("R2", patients=8), FurtherReader("R3", patients=3))
    )
    both, further = plans(plan)
    haq = {i for i, quality in enumerate(QUALITIES) if quality == "HAQ"}
    assert len(both) == 6 and len(further["R2"]) == 8 and len(further["R3"]) == 3
    assert further["R3"] < further["R2"] <= haq | both
    naq_alone = ReadersPlan(further=(FurtherReader("R2", "NAQ"),))
    assert plans(naq_alone) == (set(), {"R2": set(range(20)) - haq})
    assert plans(ReadersPlan(both=None)) == (set(range(20)), {})
    assert plans(ReadersPlan(both=6, seed=1))[0] != both


def test_the_rules_of_a_card_name_every_reader() -> None:
    """One rule for each code, by what the structure sets say."""
    rules = tomllib.loads(PLAN.card_rules())["annotations"]["readers"]
    assert [rule["code"] for rule in rules] == ["R1", "R2", "R3"]
    assert rules[1]["where"] == {"StructureSetDescription": "^Reader R2$"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"own": "Dr. Who"},
        {"own": "v2"},
        {"both": -1},
        {"further": (FurtherReader("R1"),)},
        {"further": (FurtherReader("R2", "best"),)},
        {"further": (FurtherReader("R2"), FurtherReader("R2"))},
        {"further": (FurtherReader("R2", missed=-1),)},
        {"further": (FurtherReader("R2", versions=0),)},
        {"further": (FurtherReader("R2", shift_mm=-1.0),)},
        {"further": (FurtherReader("R2", small_missed=1.5),)},
        {"further": (FurtherReader("R2", small_missed=-0.1),)},
    ],
)
def test_an_impossible_plan_is_refused(wrong: dict) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigurationError, check=has_reason("phantom_readers_invalid")):
        ReadersPlan(**wrong)


def test_more_patients_than_there_are_are_refused(tmp_path: Path) -> None:
    """Nothing is written: a second HAQ reader has one HAQ patient to repeat, not two."""
    plan = ReadersPlan(further=(FurtherReader("R2", patients=2),))
    with pytest.raises(ConfigurationError, check=has_reason("phantom_readers_too_many")):
        write_trial(tmp_path, n_naq=1, n_haq=1, readers=plan)
    assert not list(tmp_path.iterdir())


def test_readers_of_rising_doses_overlook_small_lesions_alone_and_the_same() -> None:
    """Of 400 patients' lesions: the share asked for is missed, nested, and no larger one."""
    seen_at: dict[float, set[tuple[int, int]]] = {}
    lesions = {seed: _lesions(seed) for seed in range(400)}
    n_small = sum(one.volume_mm3 < SMALL_MM3 for own in lesions.values() for one in own)
    for chance in (0.0, 0.1, 0.3, 0.5):
        seen_at[chance] = {
            (seed, one.number)
            for seed, own in lesions.items()
            for one in see(np.random.default_rng([seed, 2]), missing_small(chance), own)
        }
    everything = {(seed, one.number) for seed, own in lesions.items() for one in own}
    assert seen_at[0.0] == everything
    assert seen_at[0.5] < seen_at[0.3] < seen_at[0.1] < everything
    for chance, seen in seen_at.items():
        missed = everything - seen
        large = [one for one in missed if lesions[one[0]][one[1] - 1].volume_mm3 >= SMALL_MM3]
        assert not large and len(missed) / n_small == pytest.approx(chance, abs=0.05)


def _lesions(seed: int) -> list[Lesion]:
    """Lesions of which only number and volume count here; one of a patient is large."""
    volumes = [150.0, *np.random.default_rng([seed, 1]).uniform(10, 200, 5)]
    shape = StarShape(np.zeros(3), 1.0, np.zeros(12))
    kinetics = CONTRAST_CLASSES["low"]
    return [
        Lesion(i, shape, float(volume), "low", kinetics, 0.0, 0.0)
        for i, volume in enumerate(volumes, 1)
    ]
