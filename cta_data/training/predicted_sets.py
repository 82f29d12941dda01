"""Which of a study's predictions may be scored, held against the study as it is now.

A prediction is scored only as what it is: made of the folds that are there, from the images that
are there, of patients whom the model has not seen, and judged by the annotation of its test set on
the grid of its own technique. Whatever else is found is named with the reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cta_data.errors import DataRefused
from cta_data.intake.overlap import shared_patients
from cta_data.reasons import Reason
from cta_data.scoring.collection import Pairing, pair_files
from cta_data.scoring.models.predictions import (
    Earlier,
    EarlierSet,
    PredictedSet,
    Predictions,
    misplaced,
    subfolders,
)
from cta_data.study import layout
from cta_data.study.configuration import PAPER_SETTINGS, Setting, TrainingSection
from cta_data.study.layout import MODELS, PREDICTIONS, REFERENCES
from cta_data.study.study import Study
from cta_data.study.tables import PredictionRow
from cta_data.study.withdrawals import withdrawal_notes
from cta_data.training.build_files import build_key
from cta_data.training.evaluation_sets import EvaluationCase, EvaluationSets, SetForModel
from cta_data.training.models import Model
from cta_data.training.prediction_record import NAME, PredictionRecord, read_record
from cta_data.training.trained_models import (
    Seen,
    TrainedFold,
    definition_of,
    fold_rows,
    folds_to_use,
)
from cta_data.versioning.keys import content_key


@dataclass(frozen=True)
class _Found:
    """A folder of masks with its record."""

    folder: Path
    record: PredictionRecord
    setting: Setting
    model: Model


class StudyPredictions:
    """The predictions in a study's folder `evaluation/predictions`."""

    def __init__(self, study: Study) -> None:
        study.require(PREDICTIONS)
        study.require(MODELS)
        self.study = study
        self.sets = EvaluationSets(study)
        self._unscored: list[str] = []
        self._notes: dict[str, None] = {}

    @cached_property
    def _found(self) -> list[_Found]:
        """Predictions with a usable record, by test set and model."""
        found = []
        for model_name, test_set in self._listed:
            folder = self.study.root / layout.prediction_folder(model_name, test_set)
            name = f"model {model_name} on {test_set}"
            try:
                record = read_record(folder)
            except DataRefused as error:
                self._unscored.append(f"{name}: {error}")
                continue
            if record is None:
                continue
            if (record.model, record.test_set) != (model_name, test_set):
                told = (
                    f"its {NAME} is of model {record.model} on {record.test_set}: remove the copy"
                )
                self._unscored.append(f"{name}: {told}")
                continue
            setting = self.study.configuration.build.settings.get(record.setting)
            if setting is None:
                told = f"the study has no setting {record.setting}: add it, or remove the folder"
                self._unscored.append(f"{name}: {told}")
                continue
            model = Model.of(
                record.setting, setting, record.configuration, record.planner, record.trainer
            )
            found.append(_Found(folder, record, setting, model))
        return sorted(found, key=lambda one: (one.record.test_set, one.record.model))

    @cached_property
    def _listed(self) -> dict[tuple[str, str], dict[str, str]]:
        """Key of each mask by its case, of the predictions that the study made: model, test set."""
        keys: dict[tuple[str, str], dict[str, str]] = {}
        for row in self.study.tables.rows(PredictionRow):
            keys.setdefault((row.model, row.test_set), {})[row.case] = row.annex_key
        return keys

    def _folders(self) -> Iterator[Path]:
        """Yield all folders of masks: those of elsewhere are in no table."""
        top = self.study.root / PREDICTIONS
        for model in subfolders(top) if top.is_dir() else []:
            yield from subfolders(model)

    def judged_sets(self, further: Iterable[SetForModel] = ()) -> list[SetForModel]:
        """Return every test set as the study's models read it: their references belong here.

        Parameters
        ----------
        further
            Sets that are about to be predicted.
        """
        made = list(further)
        for setting in self.study.configuration.build.settings.values():
            made += [self.sets.read_by(setting, name) for name in self.sets.of_paper(setting)]
        made += [
            self.sets.read_by(one.setting, one.record.test_set)
            for one in self._found
            if one.record.test_set in self.sets.by_name
        ]
        return made

    def to_score(self) -> Predictions:
        """Return what may be scored, and of everything else why it may not.

        Masks without a record are of elsewhere: they are scored in test sets that the study does
        not have, as folders of masks are, and it is said that nobody knows whom their models saw.
        """
        scored = [*self._of_elsewhere()]
        for one in self._found:
            if one.record.test_set in self.sets.by_name:
                scored.append(self._held_against_the_study(one))
            else:
                name = f"model {one.record.model} on {one.record.test_set}"
                self._unscored.append(f"{name}: {self._why_no_set(one)}")
        ordered = tuple(sorted(scored, key=lambda one: (one.test_set, one.model)))
        self._notes |= dict.fromkeys(withdrawal_notes(self.study))
        return Predictions(
            ordered, tuple(self._unscored), tuple(self._not_predicted()), tuple(self._notes)
        )

    def earlier(self, scored: Predictions, version: int) -> Earlier:
        """Return what may be scored against an earlier version of the annotations.

        Parameters
        ----------
        scored
            What `to_score` returned: only cases that are scored now are compared.
        """
        by_name = {(one.test_set, one.model): one for one in scored.sets}
        sets: list[EarlierSet] = []
        not_there: list[str] = []
        for one in self._found:
            now = by_name.get((one.record.test_set, one.record.model))
            if now is None:
                continue
            test_set = self.sets.read_by(one.setting, one.record.test_set)
            used = [case for case in test_set.cases if case.case in now.pairing.files]
            before: dict[str, EvaluationCase] = {}
            for case in used:
                found = self.sets.at_version(case, test_set.grid, version)
                if isinstance(found, Reason):
                    not_there.append(f"{now.name}: {case.case}: {found.what}")
                elif found:
                    before[case.case] = found
            if before:
                names = {c.case: c.annotation for c in used}
                annotations = {c: (b.annotation, names[c]) for c, b in before.items()}
                sets.append(EarlierSet(self._before(now, before), annotations))
        return Earlier(version, tuple(sets), tuple(not_there))

    def _before(self, now: PredictedSet, cases: Mapping[str, EvaluationCase]) -> PredictedSet:
        """Return a set's masks of these cases, held against their earlier annotations."""
        root = self.study.root
        pairing = Pairing(
            {c: (root / one.reference, now.pairing.files[c][1]) for c, one in cases.items()},
            lesion_labels={c: root / one.lesion_labels for c, one in cases.items()},
        )
        return replace(now, pairing=pairing)

    def _why_no_set(self, one: _Found) -> str:
        """Return why a prediction is of no test set that the study has here."""
        cohorts = {image.path.split("/")[1] for image in one.record.images.values()}
        absent = sorted(cohorts & self.study.not_available.keys())
        if absent:
            return f"cohort {', '.join(absent)} is not available here"
        where = one.folder.relative_to(self.study.root)
        return f"the study has no such test set now: remove {where}"

    def _held_against_the_study(self, one: _Found) -> PredictedSet:
        record = one.record
        test_set = self.sets.read_by(one.setting, record.test_set)
        name = f"model {record.model} on {record.test_set}"
        for case, why in test_set.lacking.items():
            self._notes[f"{name}: {case}: {why}"] = None
        again = f"run `{_command(record)}`"
        stale = self._stale(one)
        cases = {case.case: case for case in test_set.cases}
        gone = sorted(set(record.images) - set(cases) - set(test_set.lacking))
        if gone:
            told = f"no longer in the test set, and left out: {', '.join(gone)}"
            self._notes[f"{name}: {told}"] = None
        if stale:
            refused = dict.fromkeys(cases, f"{stale}: {again}")
        else:
            refused = self._refused(one, cases, again)
        pairing = self._pairing(one, test_set, refused)
        return PredictedSet(
            record.test_set,
            record.model,
            pairing,
            record.technique,
            self._as_published(one),
            {c.case: c.session for c in test_set.cases},
        )

    def _stale(self, one: _Found) -> str:
        """Return why a prediction is no longer that of its model, or an empty text."""
        record = one.record
        now = (one.setting.technique, one.setting.quality)
        if now != (record.technique, record.quality):
            return (
                f"setting {record.setting} was {record.technique} with {record.quality} when it "
                f"was predicted, and is {now[0]} with {now[1]}"
            )
        trained = list(fold_rows(self.study, one.model))
        used = sorted(map(int, record.folds))
        if not set(used) <= set(trained) or (used != trained and not record.chosen_folds):
            return f"it was predicted with {_folds(used)}, and trained {_are(trained)} now"
        for number in used:
            key = content_key(self.study.root / layout.checkpoint(one.model.folder, number))
            if key != record.folds[str(number)].checkpoint_key:
                return f"fold {number} was trained again since it was predicted"
        return ""

    def _refused(
        self, one: _Found, cases: Mapping[str, EvaluationCase], again: str
    ) -> dict[str, str]:
        """Return why single cases must not be scored."""
        record = one.record
        try:
            used = sorted(map(int, record.folds))
            folds = folds_to_use(self.study, one.model, used, unequal=record.unequal_folds)
        except DataRefused as error:
            return dict.fromkeys(cases, str(error))
        self._note_training(one, folds)
        seen = Seen(folds, self._same_person)
        masks = self._listed[record.model, record.test_set]
        refused = {}
        for name, case in cases.items():
            key = content_key(self.study.root / case.image) or ""
            mask = content_key(one.folder / f"{name}.nii.gz")
            why = seen.reason(*case.session.patient, key)
            if not why and name in record.images and record.images[name].key != key:
                why = f"its image changed since it was predicted: {again}"
            if not why and mask is not None and mask != masks.get(name):
                why = f"the mask is not the one that was predicted: {again}, with --recompute"
            if why or (name in record.refused and mask is None):
                refused[name] = why or record.refused[name]
        return refused

    @cached_property
    def _same_person(self) -> list[Sequence[tuple[str, str]]]:
        return [patient.labels for patient in shared_patients(self.study)]

    def _pairing(self, one: _Found, test_set: SetForModel, refused: Mapping[str, str]) -> Pairing:
        root = self.study.root
        paths = {c.case: one.folder / f"{c.case}.nii.gz" for c in test_set.cases}
        there = {case for case, path in paths.items() if os.path.lexists(path)}
        used = [c for c in test_set.cases if c.case in there and c.case not in refused]
        references = root / test_set.references
        return Pairing(
            {c.case: (references / f"{c.case}.nii.gz", paths[c.case]) for c in used},
            tuple(sorted(set(paths) - there - set(refused))),
            refused=tuple(sorted(refused.items())),
            left_out=tuple(sorted(test_set.lacking.items())),
            lesion_labels={c.case: root / c.lesion_labels for c in used},
        )

    def _as_published(self, one: _Found) -> bool:
        """Tell whether the names of the model and of its test set mean what the paper means."""
        paper = PAPER_SETTINGS.get(one.record.model)
        same = paper is not None and definition_of(paper) == definition_of(one.setting)
        test_set = self.sets.by_name[one.record.test_set]
        trials = all(
            self.study.card(cohort).cohort.partition == "trial" for cohort in test_set.cohorts
        )
        own = test_set.external or trials
        return same and own and test_set.name in self.sets.of_paper(one.setting)

    def _note_training(self, one: _Found, folds: Sequence[TrainedFold]) -> None:
        model = one.model
        now = build_key(self.study, model)
        if any(fold.training_set_key != now for fold in folds):
            told = (
                f"model {model.name} was trained on an earlier build of setting {model.setting}, "
                "and keeps that build's partition: cases of its training part are refused"
            )
            self._notes[told] = None
        point = one.record.options.get("operating_point")
        if point:
            level, threshold = point["false_positives_per_case"], point["threshold"]
            told = (
                f"model {model.name} on {one.record.test_set}: masks at the operating point of "
                f"{level:g} false positives per case ({point['score']} of candidates from "
                f"{threshold:.4g})"
            )
            self._notes[told] = None
        if one.record.unequal_folds:
            epochs = ", ".join(f"fold {f.fold}: {f.epochs}" for f in folds)
            told = (
                f"model {model.name} averages folds that were trained differently ({epochs} epochs)"
            )
            self._notes[told] = None

    def _of_elsewhere(self) -> Iterator[PredictedSet]:
        """Yield masks without a record, in test sets that the study does not have."""
        top = self.study.root / PREDICTIONS
        self._unscored += misplaced(top) if top.is_dir() else []
        for folder in self._folders():
            test_set, model = folder.name, folder.parent.name
            name = f"model {model} on {test_set}"
            references = self.study.root / REFERENCES / test_set
            if (folder / NAME).exists():
                if (model, test_set) not in self._listed:
                    told = (
                        "no row of the table `predictions` is of it: it was copied here, or its "
                        "rows were lost. Predict again, or remove "
                        f"{folder.relative_to(self.study.root)}"
                    )
                    self._unscored.append(f"{name}: {told}")
                continue
            if test_set in self.sets.by_name:
                told = (
                    f"it has no {NAME}: nothing tells what was read, and whom the model has seen. "
                    "Predict with `cta-data predict`, or give folders with --predictions"
                )
                self._unscored.append(f"{name}: {told}")
            elif not references.is_dir():
                self._unscored.append(f"{name}: there is no reference folder {references}")
            else:
                told = f"{name}: masks of elsewhere; whom their model has seen is not known"
                self._notes[told] = None
                yield PredictedSet(test_set, model, pair_files(references, folder))

    def _not_predicted(self) -> Iterator[str]:
        """Yield the test sets that a model of the study is run on in the paper, and is not here."""
        done = {(one.record.model, one.record.test_set) for one in self._found}
        for model, setting in {one.record.model: one.setting for one in self._found}.items():
            for name in self.sets.of_paper(setting):
                if (model, name) not in done:
                    yield f"{name}: model {model} has no predictions"


def _command(record: PredictionRecord) -> str:
    """Return the command that makes a prediction again."""
    words = ["cta-data predict", f"--setting {record.setting} --on {record.test_set}"]
    if record.configuration != TrainingSection().configuration:
        words.append(f"--configuration {record.configuration}")
    if record.planner != TrainingSection().planner:
        words.append(f"--planner {record.planner}")
    point = record.options.get("operating_point")
    if point:
        words.append(f"--at {point['false_positives_per_case']:g}")
    if record.options.get("temperature"):
        words.append("--calibrated")
    if record.chosen_folds:
        words.append(f"--fold {','.join(record.folds)}")
    return " ".join([*words, *(["--unequal-folds"] if record.unequal_folds else [])])


def _folds(numbers: Sequence[int]) -> str:
    return f"fold{'s' if len(numbers) != 1 else ''} {', '.join(map(str, numbers)) or 'none'}"


def _are(numbers: Sequence[int]) -> str:
    return f"{'is' if len(numbers) == 1 else 'are'} {_folds(numbers)}"
