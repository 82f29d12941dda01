"""Nobody is ever scored by a model that saw them, whatever is done to a study in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from helpers.annotation_rows import annotation_columns
from helpers.command_line import run_cta
from helpers.light_study import (
    MACHINE,
    add_patient,
    build,
    make_light_study,
    predict,
    set_status,
    stand_in,
    train,
    use_stand_in,
    withdraw,
)
from helpers.refusals import has_reason
from helpers.typed_rows import upsert
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cta_data.engine import Blocked, Selection
from cta_data.errors import DataRefused
from cta_data.intake.overlap import SharedPatient
from cta_data.pipeline.doctor import diagnose
from cta_data.scoring import CONVENTIONS
from cta_data.scoring.collection import Scores
from cta_data.scoring.models import ScoredSet
from cta_data.study import layout
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, SessionRow, WithdrawalRow
from cta_data.training import predict as predicting
from cta_data.training.evaluation_sets import EvaluationSets, place_references
from cta_data.training.models import model_of
from cta_data.training.predicted_sets import StudyPredictions
from cta_data.training.trained_models import fold_rows, folds_to_use
from cta_data.versioning.keys import content_key

MODELS = {"A": "Dataset501_CTAA", "B": "Dataset502_CTAB", "C": "Dataset503_CTAC"}
PLAN = "nnUNetTrainer__nnUNetPlans__3d_fullres"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A light study without a patient; tests copy it."""
    with pytest.MonkeyPatch.context() as patch:
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test Author")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        return make_light_study(tmp_path_factory.mktemp("light") / "study").root


def copy_of(empty: Path, folder: Path) -> Study:
    return Study(Path(shutil.copytree(empty, folder / "study", symlinks=True)))


def with_patients(study: Study, each: int = 5) -> Study:
    for number in range(each):
        add_patient(study, "internal", f"n{number}", "NAQ", 2 * number)
        add_patient(study, "internal", f"h{number}", "HAQ", 2 * number + 1)
    add_patient(study, "susm", "s0", "NAQ", 900)
    return study


def learnt_by(study: Study, unit_splits: str, fold: int) -> set[str]:
    """Patients of a fold's training part, from the files that nnU-Net would read."""
    splits = json.loads((study.root / unit_splits).read_text("utf-8"))
    return set(splits[fold]["train"])


def weights(study: Study, fold: int) -> str:
    """Return the content of a checkpoint of model A."""
    folder = study.root / "models" / MODELS["A"] / PLAN / f"fold_{fold}"
    return (folder / "checkpoint_final.pth").read_text("ascii")


def scored(study: Study) -> Iterator[tuple[str, str, str]]:
    """Model, test set and case of everything that `evaluate` would score."""
    for one in StudyPredictions(study).to_score().sets:
        for case in one.pairing.files:
            yield one.model, one.test_set, case


class Tampering(RuleBasedStateMachine):
    """Patients come, go, are rejected and accepted between build, training and prediction.

    It begins with a model that is trained and predicted; who is rejected or withdraws is a test
    patient half of the time, since only then others take a place in the test set.
    """

    empty: Path
    folder: Path
    runs = 0
    looked_at = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        self.study = with_patients(copy_of(self.empty, self.folder / str(self.runs)), 4)
        self.patients = {("internal", f"{q}{n}") for q in "nh" for n in range(4)} | {("susm", "s0")}
        # What an observer wrote down: of each checkpoint's content, whom it learnt from.
        self.observed: dict[str, set[str]] = {}
        self.count = 0
        self.build()
        self.train((0, 1), 1)
        self.predict((), False)

    def teardown(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.study.root)

    def partitioned(self, partition: str) -> list[tuple[str, str]]:
        """Return who is in a partition now."""
        rows = self.study.tables.by_key(SessionRow)
        found = {key[:2] for key, row in rows.items() if row.partition == partition}
        return sorted(found & self.patients)

    @rule(quality=st.sampled_from(["NAQ", "HAQ"]))
    def add(self, quality: str) -> None:
        """One patient more in the trial."""
        self.count += 1
        label = f"x{self.count}"
        add_patient(self.study, "internal", label, quality, 100 + self.count)
        self.patients.add(("internal", label))

    @precondition(lambda self: len(self.patients) > 6)
    @rule(data=st.data(), what=st.sampled_from(["rejected", "ok", "withdrawn"]), test=st.booleans())
    def decide(self, data: st.DataObject, what: str, test: bool) -> None:
        """A transfer is rejected or accepted, or a patient withdraws."""
        some = (self.partitioned("test") if test else []) or sorted(self.patients)
        cohort, subject = data.draw(st.sampled_from(some))
        if what == "withdrawn":
            withdraw(self.study, cohort, subject)
            self.patients.remove((cohort, subject))
        else:
            set_status(self.study, cohort, subject, "ok" if what == "ok" else "impossible")

    @rule()
    def build(self) -> None:
        """Build the setting, where enough patients are left."""
        build(self.study, "A")

    @rule(folds=st.sampled_from([(0,), (1,), (0, 1)]), epochs=st.integers(1, 2))
    def train(self, folds: tuple[int, ...], epochs: int) -> None:
        """Train some folds of what is built, and write down whom they learn from."""
        for unit in train(self.study, "A", folds, epochs=epochs):
            fold = unit.given.fold
            self.observed[weights(self.study, fold)] = learnt_by(
                self.study, unit.given.plan.files.splits, fold
            )

    @rule(folds=st.sampled_from([(), (), (0,), (1,)]), unequal=st.booleans())
    def predict(self, folds: tuple[int, ...], unequal: bool) -> None:
        """Predict every test set, also with what is not trained."""
        predict(self.study, "A", folds=folds, unequal=unequal)

    @invariant()
    def nobody_is_scored_by_a_model_that_saw_them(self) -> None:
        """By what the observer wrote down, and not by what cards say."""
        for model, test_set, case in scored(self.study):
            folder = self.study.root / "evaluation/predictions" / model / test_set
            record = json.loads((folder / "prediction.json").read_text("utf-8"))
            for fold in map(int, record["folds"]):
                assert case not in self.observed[weights(self.study, fold)], (test_set, case)
                type(self).looked_at += 1

    @invariant()
    def all_that_is_scored_is_in_its_test_set_now(self) -> None:
        """An excluded patient is in no table, and internal ones are not in training now."""
        subjects = self.study.tables.by_key(SessionRow)
        for _, _, case in scored(self.study):
            cohort, rest = case.split("_sub-")
            subject = rest.removesuffix("_ses-1")
            assert (cohort, subject) in self.patients
            assert (cohort, subject, "1") in subjects


@pytest.mark.thorough
def test_no_case_is_scored_by_a_model_that_saw_it(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is accepted, rejected, added or withdrawn between build, train and predict."""
    use_stand_in(monkeypatch)
    machine = type("Run", (Tampering,), {"empty": empty, "folder": tmp_path, "looked_at": 0})
    options = settings(
        max_examples=25,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=options)
    assert machine.looked_at > machine.runs


@pytest.fixture(scope="module")
def predicted(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten patients of the trial, built, with models A, B and C of both folds, predicted."""
    made = with_patients(copy_of(empty, tmp_path_factory.mktemp("predicted")))
    with pytest.MonkeyPatch.context() as patch:
        use_stand_in(patch)
        for setting in MODELS:
            assert build(made, setting).startswith("ok")
            train(made, setting, (0, 1), epochs=1)
            assert all(told.startswith("ok") for told in predict(made, setting).values())
    made.tables.flush()
    return made.root


@pytest.fixture
def study(predicted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A copy of the predicted study that a test may change."""
    use_stand_in(monkeypatch)
    return copy_of(predicted, tmp_path)


def cases_of(study: Study, model: str, test_set: str) -> set[str]:
    return {case for m, t, case in scored(study) if (m, t) == (model, test_set)}


def reasons(study: Study, model: str, test_set: str) -> dict[str, str]:
    """Why cases of a set are not scored, by case."""
    found = [
        one
        for one in StudyPredictions(study).to_score().sets
        if (one.model, one.test_set) == (model, test_set)
    ]
    return dict(found[0].pairing.refused) if found else {}


def test_every_model_reads_its_own_technique_in_every_set(study: Study) -> None:
    """A and B: MPRAGE in the internal and the external sets; C: SPACE, in the internal ones."""
    found = {}
    for path in sorted((study.root / "evaluation/predictions").glob("*/*/prediction.json")):
        record = json.loads(path.read_text("utf-8"))
        images = {Path(image["path"]).name.split("_")[0] for image in record["images"].values()}
        found[record["model"], record["test_set"]] = (record["technique"], images)
    everywhere = ("internal-HAQ", "internal-NAQ", "susm")
    expected = {(m, t): ("MPRAGE", {"MPRAGE"}) for m in "AB" for t in everywhere}
    expected |= {("C", t): ("SPACE", {"SPACE"}) for t in everywhere[:2]}
    assert found == expected
    subjects = study.tables.by_key(SessionRow)
    for model, test_set, case in scored(study):
        subject = case.split("_sub-")[1].removesuffix("_ses-1")
        if test_set != "susm":
            assert subjects["internal", subject, "1"].qualities == (test_set[-3:],), model


def test_references_are_the_set_s_annotation_on_the_model_s_grid(study: Study) -> None:
    """Each pair is scored on one grid, and lesions carry the ids of the study."""
    for one in StudyPredictions(study).to_score().sets:
        assert one.pairing.files and not one.pairing.refused
        grid = "SPACE" if one.model == "C" else "MPRAGE"
        for case, labels in one.pairing.lesion_labels.items():
            assert labels.name == f"{grid}_dseg.nii.gz"
            assert f"references/{one.test_set}/{grid}/{case}" in str(one.pairing.files[case][0])


def test_a_rejected_test_patient_moves_nobody_into_the_scores_of_a_model_that_saw_them(
    study: Study,
) -> None:
    """The training patient who takes the place is refused by name; the rejected one is gone."""
    [before] = cases_of(study, "A", "internal-NAQ")
    subject = before.split("_sub-")[1].removesuffix("_ses-1")
    set_status(study, "internal", subject, "impossible")
    build(study, "A")
    assert cases_of(study, "A", "internal-NAQ") == set()  # not even before it is predicted again
    told = predict(study, "A")
    assert "stood in the training part" in told["predict_A_internal-NAQ"]
    assert cases_of(study, "A", "internal-NAQ") == set()
    assert cases_of(study, "A", "susm") == {"susm_sub-s0_ses-1"}
    notes = StudyPredictions(study).to_score().notes
    assert any("earlier build of setting A" in note for note in notes)
    train(study, "A", (0, 1), epochs=1)
    assert set(predict(study, "A").values()) == {"ok: "}
    [after] = cases_of(study, "A", "internal-NAQ")
    assert after != before


def test_a_prediction_of_fewer_folds_is_stale_once_more_are_trained(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was predicted with fold 0 alone is not scored as if it were of both."""
    use_stand_in(monkeypatch)
    study = with_patients(copy_of(empty, tmp_path))
    build(study, "A")
    train(study, "A", (0,), epochs=1)
    predict(study, "A")
    assert cases_of(study, "A", "susm")
    train(study, "A", (1,), epochs=1)
    assert not cases_of(study, "A", "susm")
    assert set(reasons(study, "A", "susm")) == {"susm_sub-s0_ses-1"}
    predict(study, "A", folds=(0,))
    assert cases_of(study, "A", "susm")  # asked for by number: others do not belong to it
    train(study, "A", (0,), epochs=1)
    assert not cases_of(study, "A", "susm")  # the same number, other weights
    predict(study, "A")
    assert cases_of(study, "A", "susm")


def test_unequal_folds_need_a_word(study: Study) -> None:
    """Folds of one and three epochs are averaged on request alone, and that is noted."""
    train(study, "A", (1,), epochs=3)
    told = predict(study, "A", ("susm",))
    assert told["predict_A_susm"].startswith("blocked") and "fold 1: 3" in told["predict_A_susm"]
    own = study.configuration.build.settings["A"]
    task = predicting.PredictionTask(
        model_of(study, "A", TrainingSection()), own, EvaluationSets(study).read_by(own, "susm")
    )
    for folds in ((), (0, 4)):  # of unequal folds, and of one that is not trained
        options = predicting.PredictionOptions(TrainingSection(), folds)
        [unit] = predicting.prediction_step([task], options, MACHINE).plan(study, Selection())
        assert isinstance(unit, Blocked) and unit.keeps_results, "the earlier prediction stays"
    assert predict(study, "A", ("susm",), folds=(1,))["predict_A_susm"] == "ok: "
    assert predict(study, "A", ("susm",), unequal=True)["predict_A_susm"] == "ok: "
    assert any("trained differently" in note for note in StudyPredictions(study).to_score().notes)


def test_folds_of_different_builds_are_refused(study: Study) -> None:
    """Left over from an earlier build, and even on request: a test case of one trained another."""
    add_patient(study, "internal", "x", "NAQ", 77)
    add_patient(study, "internal", "y", "HAQ", 78)
    build(study, "A")
    train(study, "A", (0,), epochs=1)
    told = predict(study, "A", ("susm",), unequal=True)["predict_A_susm"]
    assert told.startswith("blocked") and "2 different builds" in told
    assert predict(study, "A", ("susm",), folds=(0,))["predict_A_susm"] == "ok: "
    assert predict(study, "A", ("susm",), folds=(1,))["predict_A_susm"] == "ok: "


def test_a_fold_that_saw_who_withdrew_and_is_back_is_refused(study: Study) -> None:
    """Its card no longer names the patient, who may be a test patient now; others are used."""
    model = model_of(study, "A", TrainingSection())
    row = fold_rows(study, model)[0]
    mark = WithdrawalRow(
        withdrawal="w", cohort="internal", withdrawn_on="2026-03-01", n_keys=1, n_bytes=1
    )
    study.tables.upsert([replace(row, withdrawals=("w",))])
    study.tables.upsert([mark])
    assert [fold.fold for fold in folds_to_use(study, model)] == [0, 1]
    study.tables.upsert([replace(mark, consent_again_on="2026-04-01")])
    with pytest.raises(DataRefused, check=has_reason("fold_saw_readmitted_patient")):
        folds_to_use(study, model)
    assert [fold.fold for fold in folds_to_use(study, model, [1])] == [1]


def test_a_changed_image_or_mask_is_not_scored(study: Study) -> None:
    """The image of a case was replaced, or the mask was edited by hand: that case is refused."""
    [case] = cases_of(study, "B", "susm")
    mask = study.root / "evaluation/predictions/B/susm" / f"{case}.nii.gz"
    before = mask.read_bytes()
    reference = study.root / "datasets/susm/derivatives/cta/sub-s0/MPRAGE_mask.nii.gz"
    mask.write_bytes(reference.read_bytes())
    assert list(reasons(study, "B", "susm")) == [case]
    mask.write_bytes(before)
    assert cases_of(study, "B", "susm") == {case}
    add_patient(study, "susm", "s0", "NAQ", 901)
    assert list(reasons(study, "B", "susm")) == [case]


def test_a_model_without_a_card_predicts_no_test_set(study: Study) -> None:
    """Nobody could tell whom it has seen."""
    card = study.root / "models" / MODELS["B"] / PLAN / "fold_1/card.json"
    card.unlink()
    assert predict(study, "B", ("susm",))["predict_B_susm"].startswith("blocked")
    assert list(reasons(study, "B", "susm"))


def test_an_image_that_trained_under_another_name_is_refused(study: Study) -> None:
    """The same voxels as a training patient's, as an external patient: known by content."""
    build_file = study.root / "builds" / MODELS["A"] / "build.json"
    cases = json.loads(build_file.read_text("utf-8"))["cases"]
    training = next(one for one in cases if one["partition"] == "train")
    add_patient(study, "susm", "twin", "NAQ", 0)
    for technique in ("MPRAGE", "SPACE"):
        source = study.root / training["image"].replace("MPRAGE", technique)
        target = study.root / f"datasets/susm/derivatives/cta/sub-twin/{technique}_brain.nii.gz"
        target.write_bytes(source.read_bytes())
    told = predict(study, "A", ("susm",))["predict_A_susm"]
    assert "susm_sub-twin_ses-1: its image stood in the training part" in told
    assert cases_of(study, "A", "susm") == {"susm_sub-s0_ses-1"}


def test_masks_without_a_record_are_of_elsewhere(study: Study) -> None:
    """In a set of the study they are refused; in one of their own they are scored, and noted."""
    top = study.root / "evaluation/predictions"
    shutil.copytree(top / "A/susm", top / "mine/susm")
    shutil.copytree(top / "A/susm", top / "mine/OWN")
    for name in ("susm", "OWN"):
        (top / "mine" / name / "prediction.json").unlink()
    shutil.copytree(
        study.root / "datasets/susm/derivatives/cta/sub-s0",
        study.root / "evaluation/references/OWN",
    )
    found = StudyPredictions(study).to_score()
    assert any("model mine on susm" in told for told in found.unscored)
    assert [one.test_set for one in found.sets if one.model == "mine"] == ["OWN"]
    assert any("masks of elsewhere" in note for note in found.notes)


def test_an_excluded_patient_stays_in_no_table(study: Study) -> None:
    """Neither in the scores, nor on the page, nor among the references, which are placed anew."""
    study.tables.flush()
    folder = study.root / "evaluation/article"
    assert run_cta("evaluate", study=study.root).code == 0
    cases = pd.read_parquet(folder / "scores.parquet")
    assert (cases["case"] == cases["cohort"] + "_sub-" + cases["subject"] + "_ses-1").all()
    assert set(zip(cases["model"], cases["technique"], strict=True)) == {
        ("A", "MPRAGE"), ("B", "MPRAGE"), ("C", "SPACE"),
    }  # fmt: skip
    printed = {path.stem for path in folder.glob("table_*.html")}
    assert printed == {"table_2", "table_3", "table_4", "table_s1", "table_segmentation"}
    [gone] = set(cases.query("test_set == 'internal-HAQ'")["subject"])
    assert list(study.root.glob(f"evaluation/references/*/*/*sub-{gone}_*"))
    set_status(study, "internal", gone, "impossible")
    study.tables.flush()
    outcome = run_cta("evaluate", study=study.root)
    assert outcome.code == 3 and f"left out: internal_sub-{gone}_ses-1" in outcome.text
    assert gone not in set(pd.read_parquet(folder / "scores.parquet")["subject"])
    for path in folder.glob("*.csv"):
        assert f"sub-{gone}_" not in path.read_text("utf-8"), path
    assert not list(study.root.glob(f"evaluation/references/*/*/*sub-{gone}_*"))


def test_the_audit_starts_where_the_paper_looked(study: Study) -> None:
    """False positives of model C in the patients annotated on MPRAGE; all of them on request."""
    study.tables.flush()
    assert run_cta("evaluate", study=study.root).code == 0
    listed = json.loads(run_cta("audit", "--no-page", "--json", study=study.root).out)
    found = {(row["model"], row["test_set"]) for row in listed["false_positives"]}
    assert found == {("C", "internal-NAQ")}
    everything = json.loads(run_cta("audit", "--all", "--no-page", "--json", study=study.root).out)
    assert {row["model"] for row in everything["false_positives"]} == set("ABC")
    of_b = json.loads(run_cta("audit", "--model", "B", "--no-page", "--json", study=study.root).out)
    assert {row["test_set"] for row in of_b["false_positives"]} == {
        "internal-HAQ", "internal-NAQ", "susm",
    }  # fmt: skip


def test_the_stand_in_is_what_runs(study: Study) -> None:
    """These tests run no network; those of the experiment do."""
    assert predicting.run_prediction is stand_in


def test_a_copied_folder_of_predictions_is_not_scored_twice(study: Study) -> None:
    """Its record says which model and test set it is of: under another name it is refused."""
    top = study.root / "evaluation/predictions"
    shutil.copytree(top / "A/susm", top / "copy/susm")
    before = sorted(scored(study))
    found = StudyPredictions(study).to_score()
    assert [one.model for one in found.sets].count("A") == 3
    assert any("model copy on susm" in told for told in found.unscored)
    shutil.rmtree(top / "copy")
    assert sorted(scored(study)) == before


def test_what_no_table_lists_is_not_used(study: Study) -> None:
    """Weights of another fold and masks of another model beside ours are found, and named."""
    study.tables.flush()
    model = model_of(study, "A", TrainingSection())
    ours = list(fold_rows(study, model))
    shutil.copytree(
        study.root / layout.fold_folder(model.folder, 0),
        study.root / layout.fold_folder(model.folder, 7),
    )
    top = study.root / layout.PREDICTIONS
    shutil.copytree(top / "A/susm", top / "copy/susm")
    assert list(fold_rows(study, model)) == ours
    before = sorted(scored(study))
    assert "copy" not in {name for name, _, _ in before}
    found = {one.subject: one.message for one in diagnose(study.root) if one.level == "warning"}
    assert layout.checkpoint(model.folder, 7) in found["weights"]
    assert "evaluation/predictions/copy/susm" in found["masks"]


def test_weights_that_are_not_those_of_the_table_are_refused(study: Study) -> None:
    """Also where a card beside them says that they are its own."""
    model = model_of(study, "A", TrainingSection())
    path = study.root / layout.checkpoint(model.folder, 0)
    path.write_text("other weights", "ascii")
    card = json.loads((path.parent / "card.json").read_text("utf-8"))
    card["checkpoint_key"] = content_key(path)
    (path.parent / "card.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(DataRefused):
        folds_to_use(study, model)


def test_a_person_under_three_names_is_known_by_all_of_them(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who trained is susm s0, and susm s0 is susm s9: neither is judged."""
    build_file = study.root / "builds" / MODELS["A"] / "build.json"
    cases = json.loads(build_file.read_text("utf-8"))["cases"]
    training = next(one["subject"] for one in cases if one["partition"] == "train")
    add_patient(study, "susm", "s9", "NAQ", 950)
    add_patient(study, "susm", "other", "NAQ", 951)
    pairs = [
        SharedPatient((("internal", training), ("susm", "s0")), ("told",)),
        SharedPatient((("susm", "s0"), ("susm", "s9")), ("told",)),
    ]
    for module in ("predict", "predicted_sets"):
        monkeypatch.setattr(f"cta_data.training.{module}.shared_patients", lambda study: pairs)
    told = predict(study, "A", ("susm",))["predict_A_susm"]
    assert "susm_sub-s0_ses-1" in told and "susm_sub-s9_ses-1" in told
    assert cases_of(study, "A", "susm") == {"susm_sub-other_ses-1"}


def test_a_model_whose_setting_meant_something_else_is_refused(study: Study) -> None:
    """What learnt MPRAGE with NAQ is not used as if it had learnt early images."""
    path = study.root / "study.toml"
    own = '[build.settings.A]\ntechnique = "MPRAGE"\nquality = "HAQ"\ndataset_id = 501\n'
    path.write_text(f"{path.read_text('utf-8')}\n{own}", "utf-8")
    study.tables.flush()
    changed = Study(study.root)
    told = predict(changed, "A", ("susm",))["predict_A_susm"]
    assert told.startswith("blocked") and "was defined differently" in told
    assert not cases_of(changed, "A", "susm") and reasons(changed, "A", "susm")


def test_references_of_another_grid_do_not_take_the_place_of_others(study: Study) -> None:
    """An own setting that is judged on the grid of SPACE leaves those of A and B as they are."""
    path = study.root / "study.toml"
    own = '[build.settings.E]\ntechnique = "MPRAGE"\nquality = "HAQ"\ngrid = "SPACE"\n'
    path.write_text(f"{path.read_text('utf-8')}\n{own}dataset_id = 505\n", "utf-8")
    study.tables.flush()
    changed = Study(study.root)
    known = StudyPredictions(changed)
    place_references(changed, known.judged_sets())
    for one in known.to_score().sets:
        for case, (reference, _) in one.pairing.files.items():
            grid = one.pairing.lesion_labels[case].name.split("_")[0]
            assert reference.resolve().name == f"{grid}_mask.nii.gz"


def test_a_card_of_other_weights_or_of_another_study_is_not_believed(study: Study) -> None:
    """A card that was copied, or came with a model of elsewhere, names other patients."""
    folder = study.root / "models" / MODELS["B"] / PLAN
    card = folder / "fold_0/card.json"
    before = card.read_text("utf-8")
    shutil.copyfile(folder / "fold_1/card.json", card)
    assert "other weights" in predict(study, "B", ("susm",))["predict_B_susm"]
    assert study.identifier
    card.write_text(before.replace(study.identifier, "another"), "utf-8")
    assert "another study" in predict(study, "B", ("susm",))["predict_B_susm"]
    card.write_text(before, "utf-8")
    assert predict(study, "B", ("susm",))["predict_B_susm"] == "ok: "


def test_a_mask_that_no_prediction_made_is_not_scored(study: Study) -> None:
    """A patient who joined later, with a mask that somebody put there."""
    add_patient(study, "susm", "s1", "NAQ", 960)
    folder = study.root / "evaluation/predictions/A/susm"
    shutil.copyfile(folder / "susm_sub-s0_ses-1.nii.gz", folder / "susm_sub-s1_ses-1.nii.gz")
    assert cases_of(study, "A", "susm") == {"susm_sub-s0_ses-1"}
    assert list(reasons(study, "A", "susm")) == ["susm_sub-s1_ses-1"]


def test_a_test_patient_without_the_model_s_image_is_counted(study: Study) -> None:
    """Left out of C's scores, and one of the patients of its test set all the same."""
    [case] = cases_of(study, "C", "internal-NAQ")
    subject = case.split("_sub-")[1].removesuffix("_ses-1")
    key = ("internal", subject, "1", "SPACE", "late", "brain")
    rows = [row for k, row in study.tables.by_key(ImageRow).items() if k != key]
    study.tables.replace(ImageRow, ("cohort",), {("internal",), ("susm",)}, rows)
    [found] = [
        one
        for one in StudyPredictions(study).to_score().sets
        if (one.model, one.test_set) == ("C", "internal-NAQ")
    ]
    assert dict(found.pairing.left_out) == {case: "no image of SPACE after contrast"}
    assert not found.pairing.files and not found.pairing.refused
    scores = Scores(CONVENTIONS["article"], None, (), (), found.pairing)
    assert ScoredSet.of(found, scores).reference_cases == {case}
    assert ScoredSet.of(found, scores).missing == []


def test_published_values_need_the_paper_s_patients(study: Study) -> None:
    """An internal set with patients of a public collection is none of the paper's."""
    path = study.root / "study.toml"
    text = path.read_text("utf-8").replace(
        "[build]\n", '[build]\ncohorts = ["internal", "susm"]\n', 1
    )
    path.write_text(text, "utf-8")
    for number in range(9):
        add_patient(study, "susm", f"t{number}", "NAQ", 970 + number)
    study.tables.flush()
    changed = Study(study.root)
    assert build(changed, "A").startswith("ok")
    train(changed, "A", (0, 1), epochs=1)
    predict(changed, "A")
    sets = StudyPredictions(changed).sets.by_name
    mixed = {name for name, one in sets.items() if one.cohorts != {"internal"}}
    assert mixed
    for one in StudyPredictions(changed).to_score().sets:
        if one.model == "A":
            assert one.as_published == (one.test_set not in mixed)


def test_given_folders_are_checked_by_nobody_and_say_so(study: Study) -> None:
    """In a study too: a note on the page, and no published value beside its predictions."""
    study.tables.flush()
    place_references(study, StudyPredictions(study).judged_sets())
    top = study.root / "evaluation"
    shutil.copytree(top / "references/internal-HAQ/MPRAGE", study.root / "given/internal-HAQ")
    words = ("--references", study.root / "given", "--predictions", top / "predictions")
    outcome = run_cta("evaluate", *words, study=study.root)
    assert "nothing was held against the study" in outcome.text
    folder = top / "article"
    assert (folder / "table_further.csv").exists() and not (folder / "table_2.csv").exists()


def test_a_set_whose_annotations_are_several_is_not_an_empty_one(study: Study) -> None:
    """Two readers delineated every case and nothing says who counts: that is told, as a fault."""
    sessions = EvaluationSets(study).by_name["susm"].sessions
    for reader in ("NAQR1", "NAQR2"):
        rows = [s.columns() | annotation_columns("NAQ", annotation=reader) for s in sessions]
        upsert(study.tables, AnnotationRow, rows)
    own = study.configuration.build.settings["A"]
    several = EvaluationSets(study).read_by(own, "susm")
    assert not several.cases
    options = predicting.PredictionOptions(TrainingSection(), (0,))
    task = predicting.PredictionTask(model_of(study, "A", TrainingSection()), own, several)
    [unit] = predicting.prediction_step([task], options, MACHINE).plan(study, Selection())
    assert isinstance(unit, Blocked) and not unit.expected
    assert unit.reason.code == "test_set_undecided"
