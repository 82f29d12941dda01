"""A trial in which readers repeat each other, from its raw files to training sets of one label."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made_once import made_once
from helpers.new_study import new_study
from helpers.refusals import require_reason
from helpers.remembered import remembered
from helpers.trial_study import SIZES, add_raw

from cta_data.bids.validation import validate
from cta_data.engine import RunOptions
from cta_data.phantom import FurtherReader, ReadersPlan, WrittenPatient, write_trial
from cta_data.pipeline.build import build_step
from cta_data.pipeline.link import LINK
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.reports.counted_lesions import counted_lesions
from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

PLAN = ReadersPlan(
    both=3,
    further=(FurtherReader("R2", patients=2, shift_mm=1.0, missed=1, added=1, versions=2),),
)
BUILD = """
[build]
folds = 2
test_fraction = 0
skull_stripped = false
equalise_groups = false
"""
SETTING = """
[build.settings.{name}]
technique = "MPRAGE"
quality = "{quality}"
dataset_id = {number}
{more}
"""


def toml(**settings: tuple[str, str]) -> str:
    """Return a study.toml whose settings have a quality and further lines."""
    numbered = enumerate(settings.items(), start=601)
    listed = (
        SETTING.format(name=name, quality=quality, number=number, more=more)
        for number, (name, (quality, more)) in numbered
    )
    return (
        '[study]\nname = "readers"\n[brain_extraction]\nbackend = "none"\n'
        + BUILD
        + "".join(listed)
    )


@dataclass(frozen=True)
class Trial:
    """A study of four patients after all steps, and what was written of them, by subject."""

    root: Path
    written: dict[str, WrittenPatient]

    def truth(self, subject: str, name: str) -> list[dict[str, Any]]:
        """Return a list of the truth of a subject."""
        path = self.written[subject].truth / f"{name}.json"
        loaded: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
        return loaded


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One patient of NAQ and three of HAQ; three have both, two of these a second HAQ reader."""
    with remembered(tmp_path_factory):
        return made_once(tmp_path_factory, "trial_of_readers", _make)


def _make(folder: Path) -> Trial:
    options = {"voxel_sizes": SIZES, "phases": ("late",), "readers": PLAN}
    written = write_trial(folder / "trial", n_naq=1, n_haq=3, seed=3, **options)
    study = new_study(folder / "study", "internal")
    (study.root / "study.toml").write_text(toml(), "utf-8")
    card = study.root / study.cohort_path("internal") / "card.toml"
    ruled = card.read_text("utf-8") + PLAN.card_rules()
    card.unlink()
    card.write_text(ruled, "utf-8")
    study = Study(study.root)
    add_raw(study, folder / "trial" / "raw")
    study = Study(study.root)
    report = execute(study, [*SUBJECT_STEPS, LINK], RunOptions(command=("cta-data", "agreement")))
    assert not report.failures
    table = study.root / study.sourcedata_path("internal") / "subjects.tsv"
    rows = csv.DictReader(table.open(encoding="utf-8"), delimiter="\t")
    subjects = {row["source_id"]: row["subject"] for row in rows}
    return Trial(study.root, {subjects[one.patient_id]: one for one in written})


def name_of(row: dict[str, Any]) -> str:
    """Return how a study names an annotation of the truth."""
    version = f"v{row['version']}" if row["version"] > 1 else ""
    return f"{row['quality']}{row['reader']}{version}"


def test_every_annotation_is_in_the_tables_as_planned(trial: Trial) -> None:
    """Reader, technique, quality, version, status and number of lesions of each, and no other."""
    expected = {
        (subject, name_of(row), row["reader"], row["technique"], row["quality"],
         row["version"], row["status"], len(row["rois"]))
        for subject in trial.written
        for row in trial.truth(subject, "annotations")
    }  # fmt: skip
    columns = ["subject", "annotation", "reader", "drawn_on", "quality"]
    columns += ["version", "status", "n_lesions"]
    found = Study(trial.root).annotations()[columns]
    assert set(found.itertuples(index=False, name=None)) == expected
    kinds = Counter(name for _, name, *_ in expected)
    assert kinds == {"HAQR1": 4, "NAQR1": 3, "HAQR2": 2, "HAQR2v2": 2}


def test_every_lesion_arrives_where_it_was_drawn(trial: Trial) -> None:
    """On both grids, for each current annotation: nearest to the ROI that it is, none twice."""
    lesions = Study(trial.root).lesions()
    n_compared = 0
    for subject in trial.written:
        for row in trial.truth(subject, "annotations"):
            own = lesions[(lesions.subject == subject) & (lesions.annotation == name_of(row))]
            if row["status"] == "superseded":
                assert own.empty
                continue
            for grid in ("MPRAGE", "SPACE"):
                found = np.array(own[own.grid == grid].centroid_ras_mm.tolist())
                true = np.array([roi["centroid_lps_mm"][grid] for roi in row["rois"]])
                apart = np.linalg.norm(found[:, None] - true * [-1, -1, 1], axis=2)
                assert sorted(apart.argmin(axis=1)) == list(range(len(true)))
                # Less than a voxel of 2.5 mm.
                assert apart.min(axis=1).max() < 2.5
                n_compared += 1
    assert n_compared == 18


def test_links_are_those_of_the_truth(trial: Trial) -> None:
    """Of every pair of current annotations: which lesions both have, and which one alone."""
    study = Study(trial.root)
    links, ids = study.lesion_links(), _numbers_by_id(study, trial)
    n_pairs = 0
    for subject in trial.written:
        rows = {row["number"]: row for row in trial.truth(subject, "annotations")}
        for true in trial.truth(subject, "links"):
            pair = [rows[true["first"]], rows[true["second"]]]
            if any(row["status"] == "superseded" for row in pair):
                continue
            names = [name_of(row) for row in pair]
            alone = {names[0]: true["first_alone"], names[1]: true["second_alone"]}
            first, second = sorted(names)
            own = links[(links.subject == subject) & (links.first_annotation == first)]
            own = own[own.second_annotation == second]
            both = [
                (ids[subject, first, one.first_lesion], ids[subject, second, one.second_lesion])
                for one in own.itertuples()
                if one.how in ("overlap", "distance")
            ]
            assert sorted(both) == [(one["lesion"],) * 2 for one in true["both"]]
            for how, side, name in (
                ("first_only", own.first_lesion, first),
                ("second_only", own.second_lesion, second),
            ):
                found = [ids[subject, name, number] for number in side[own.how == how]]
                assert sorted(found) == sorted(alone[name])
            assert len(own) == len(both) + sum(map(len, alone.values()))
            n_pairs += 1
    assert n_pairs == 7


def _numbers_by_id(study: Study, trial: Trial) -> dict[tuple[str, str, int], int]:
    """Return the number in the truth of every lesion, by subject, annotation and lesion id."""
    rows = study.lesions().query("grid == 'MPRAGE'")
    numbers = {}
    for subject in trial.written:
        for row in trial.truth(subject, "annotations"):
            true = np.array([roi["centroid_lps_mm"]["MPRAGE"] for roi in row["rois"]])
            own = rows[(rows.subject == subject) & (rows.annotation == name_of(row))]
            for one in own.itertuples():
                place = np.array(one.centroid_ras_mm) * [-1, -1, 1]
                roi = row["rois"][int(np.linalg.norm(true - place, axis=1).argmin())]
                number = roi["lesion"] or roi["addition"]
                numbers[subject, name_of(row), one.lesion_id] = number
    return numbers


def test_reports_count_one_annotation_of_a_quality(trial: Trial) -> None:
    """The first by name that is current, where the study names none."""
    counted = counted_lesions(Study(trial.root)).query("grid == 'MPRAGE'")
    expected = {
        (subject, name_of(row)): len(row["rois"])
        for subject in trial.written
        for row in trial.truth(subject, "annotations")
        if row["reader"] == "R1"
    }
    assert dict(Counter(zip(counted.subject, counted.annotation, strict=True))) == expected


def test_a_dataset_with_both_qualities_is_valid_bids(trial: Trial) -> None:
    """`NAQ + HAQ` is a level of the column of participants.tsv."""
    study = Study(trial.root)
    rows = (study.root / study.cohort_path("internal") / "participants.tsv").read_text("utf-8")
    assert rows.count("NAQ + HAQ") == 3
    assert validate(study.root / study.cohort_path("internal")) == []


def built(trial: Trial, folder: Path, **settings: tuple[str, str]) -> dict[str, Any]:
    """Build settings in a copy of the study; return the cases of each, or why there are none."""
    root = folder / "study"
    shutil.copytree(trial.root, root, symlinks=True)
    (root / "study.toml").unlink()
    (root / "study.toml").write_text(toml(**settings), "utf-8")
    study = Study(root)
    steps = [*SUBJECT_STEPS, *(build_step(study, name) for name in settings)]
    report = execute(study, steps, RunOptions(command=("cta-data", "build")))
    found: dict[str, Any] = {}
    for number, name in enumerate(settings, start=601):
        path = root / "builds" / f"Dataset{number}_CTA{name}" / "build.json"
        (record,) = [r for r in report.records if (r.unit.step, r.unit.model) == ("build", name)]
        found[name] = json.loads(path.read_text())["cases"] if path.is_file() else record.reason
    return found


def labels(cases: list[dict[str, Any]]) -> dict[str, str]:
    """Return the annotation of every case's label, by subject."""
    return {c["subject"]: c["label"].split("desc-")[1].split("_")[0] for c in cases}


COMMON, R1, R2 = 'patients = "common"', 'reader = "R1"', 'reader = "R2"'


def test_settings_on_common_patients_differ_in_their_labels_alone(
    trial: Trial, tmp_path: Path
) -> None:
    """A and B: the same cases, folds and images; of each patient NAQ in A, HAQ of R1 in B."""
    done = built(trial, tmp_path, A=("NAQ", COMMON), B=("HAQ", f"{COMMON}\n{R1}"))
    a, b = done["A"], done["B"]
    both = {subject for subject, one in trial.written.items() if len(one.annotations) > 1}
    assert set(labels(a)) == both and len(a) == len(b) == 3
    rest = ("case", "cohort", "subject", "session", "partition", "fold", "image", "image_key")
    assert [[case[key] for key in rest] for case in a] == [
        [case[key] for key in rest] for case in b
    ]
    assert set(labels(a).values()) == {"NAQR1"} and set(labels(b).values()) == {"HAQR1"}
    assert not {case["label_key"] for case in a} & {case["label_key"] for case in b}


def test_a_setting_takes_the_reader_and_version_that_it_names(trial: Trial, tmp_path: Path) -> None:
    """On common patients those whom R2 annotated; an earlier version is transferred for it."""
    repeated = {s for s, one in trial.written.items() if len(one.annotations) == 4}
    common = f"{COMMON}\n{R2}"
    settings = {"A": ("NAQ", COMMON), "B": ("HAQ", common), "E": ("HAQ", f"{common}\nversion = 1")}
    done = built(trial, tmp_path, **settings)
    expected = {"A": "NAQR1", "B": "HAQR2v2", "E": "HAQR2"}
    assert {name: labels(cases) for name, cases in done.items()} == {
        name: dict.fromkeys(sorted(repeated), annotation) for name, annotation in expected.items()
    }


def test_settings_train_on_whom_their_reader_annotated(trial: Trial, tmp_path: Path) -> None:
    """Other patients are left out, by name; each setting has its own."""
    by = {
        reader: {
            s
            for s, one in trial.written.items()
            if any(a.reader == reader for a in one.annotations)
        }
        for reader in ("R1", "R2")
    }
    own = 'patients = "annotated"'
    done = built(trial, tmp_path, E=("HAQ", f"{own}\n{R2}"))
    assert set(labels(done["E"])) == by["R2"] < by["R1"]
    record = json.loads((tmp_path / "study/builds/Dataset601_CTAE/build.json").read_text())
    told = {text.split("sub-")[1].split()[0] for text in record["left_out"]}
    assert told and not told & by["R2"]


def test_a_rule_that_finds_none_or_two_is_refused(trial: Trial, tmp_path: Path) -> None:
    """R2 on all patients, of whom two have no R2; no rule, of whom two have R1 and R2."""
    done = built(trial, tmp_path, B=("HAQ", R2), E=("HAQ", ""))
    for reason in done.values():
        require_reason(reason, "training_case_files_missing")
    assert "HAQR1, HAQR2v2" in str(done["E"]) and "reader R2" in str(done["B"])
