"""What a trained model is: its folds, the build that each learnt from, and whom each has seen."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cta_data.engine import Unit, digest
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.study import layout
from cta_data.study.configuration import Setting
from cta_data.study.layout import MODELS
from cta_data.study.session_id import Patient
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow, WithdrawalRow
from cta_data.training.inputs import TrainInputs
from cta_data.training.models import Model
from cta_data.versioning.keys import content_key


@dataclass(frozen=True)
class SeenCase:
    """A case that a fold learnt from: whose it was, and the content of its image."""

    case: str
    cohort: str
    subject: str
    image_key: str


@dataclass(frozen=True)
class TrainedFold:
    """One fold of a model, as its card tells.

    Attributes
    ----------
    training_set_key
        Of the build that it learnt from: the same images, labels and splits give the same key.
    learning_key
        Of the plan and the options that it learnt with, epochs included.
    definition
        Technique, quality, grid and contrast phase of the setting, as it was built.
    seen
        Cases of its training part.
    """

    fold: int
    checkpoint: str
    checkpoint_key: str
    training_set_key: str
    learning_key: str
    epochs: int
    seen: tuple[SeenCase, ...]
    definition: Mapping[str, str]


def describe_training(
    unit: Unit[TrainInputs], trained_on: Sequence[str], checkpoint: Path
) -> dict[str, Any]:
    """Return what a fold's card has to tell, so that `read_fold` knows whom the fold has seen.

    Parameters
    ----------
    trained_on
        Its cases.
    checkpoint
        The weights.
    """
    given, files = unit.given, unit.given.plan.files
    seen = [
        SeenCase(case, *given.patients[case], unit.keys[files.image[case]]) for case in trained_on
    ]
    return {
        "training_set_key": files.key(unit.keys),
        "learning_key": digest([unit.keys[given.plans], given.options]),
        "trained_on": [asdict(case) for case in seen],
        "definition": given.definition,
        "study": given.study,
        "fold": given.fold,
        "checkpoint_key": content_key(checkpoint),
    }


def fold_rows(study: Study, model: Model) -> dict[int, ModelFoldRow]:
    """Return the folds of a model that the study trained, by number; content may be elsewhere.

    Weights that no row of the table `models` names were not trained here: nobody can say whom they
    have seen.

    Raises
    ------
    NotAvailable
        The study has models, and their dataset cannot be installed here.
    """
    study.require(MODELS)
    rows = study.tables.index(ModelFoldRow, ("model",)).get((model.name,), [])
    return {
        row.fold: row
        for row in sorted(rows, key=lambda row: row.fold)
        if row.path == layout.checkpoint(model.folder, row.fold)
        and os.path.lexists(study.root / row.path)
    }


def require_folds(study: Study, folds: Sequence[int], trained: Collection[int] = ()) -> None:
    """Refuse a fold that the study does not have; one that is trained is there.

    Raises
    ------
    ConfigurationError
        With the folds that there are.
    """
    count = study.configuration.build.folds
    for fold in folds:
        if not 0 <= fold < count and fold not in trained:
            raise ConfigurationError("fold_unknown", fold=fold, last_fold=count - 1)


def read_fold(study: Study, model: Model, row: ModelFoldRow) -> TrainedFold:
    """Read what is known of a trained fold.

    Raises
    ------
    DataRefused
        It has no card, or one that does not tell what the fold was trained on: nobody could say
        whom the model has seen.
    """
    folder = layout.fold_folder(model.folder, row.fold)
    try:
        card = json.loads((study.root / row.card_path).read_text("utf-8"))
        seen = tuple(SeenCase(**case) for case in card["trained_on"])
        about = (str(card["training_set_key"]), str(card["learning_key"]), int(card["epochs"]))
        definition = {name: str(value) for name, value in card["definition"].items()}
        origin = (str(card["study"]), int(card["fold"]), str(card["checkpoint_key"]))
    except FileNotFoundError as error:
        raise _unknown(folder, "it has no card.json", model) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _unknown(folder, f"its card.json lacks {error}", model) from error
    key = content_key(study.root / row.path) or ""
    if origin[0] != study.identifier:
        raise _unknown(folder, "it was trained in another study, whose patients are others", model)
    if origin[1:] != (row.fold, key) or key != row.annex_key:
        raise _unknown(folder, "its card.json is of other weights", model)
    return TrainedFold(row.fold, row.path, key, *about, seen, definition)


def definition_of(setting: Setting) -> dict[str, str]:
    """Return what a model learns by a setting."""
    return {
        "technique": setting.technique,
        "quality": setting.quality,
        "reader": setting.reader,
        "annotation": setting.annotation,
        "version": "" if setting.version is None else str(setting.version),
        "grid": setting.label_grid,
        "contrast_phase": setting.contrast_phase,
    }


def _unknown(where: str, why: str, model: Model) -> DataRefused:
    return DataRefused("training_cases_unknown", where=where, why=why, setting=model.setting)


def folds_to_use(
    study: Study, model: Model, wanted: Sequence[int] = (), *, unequal: bool = False
) -> list[TrainedFold]:
    """Return the folds that a model's predictions are averaged over.

    Parameters
    ----------
    wanted
        Folds that were asked for; all that are trained where it is empty.
    unequal
        Whether folds that were trained with different options, or for a different number of
        epochs, may be averaged.

    Raises
    ------
    DataRefused
        A fold is not trained, or lacks its card; the setting meant something else when it was
        trained; the folds are of different builds, or differ in how they were trained; one was
        trained on a patient who withdrew consent and is back, under which name nobody knows.
    """
    trained = fold_rows(study, model)
    missing = sorted(set(wanted) - trained.keys())
    if missing or not trained:
        named = f"fold {', '.join(map(str, missing))} of model" if missing else "model"
        raise DataRefused("folds_not_trained", named=named, model=model.name, setting=model.setting)
    _require_nobody_readmitted(study, model, [trained[fold] for fold in wanted or trained])
    folds = [read_fold(study, model, trained[fold]) for fold in wanted or trained]
    _require_setting(study, model, folds)
    _require_one_build(model, folds)
    if not unequal:
        _require_equal_training(model, folds)
    return folds


def _require_nobody_readmitted(study: Study, model: Model, rows: Sequence[ModelFoldRow]) -> None:
    """Refuse folds that have seen a patient whose card no longer says so, and who is here again."""
    back = {row.withdrawal for row in study.tables.rows(WithdrawalRow) if row.consent_again_on}
    folds = [row.fold for row in rows if back & {*(row.withdrawals or ())}]
    if folds:
        raise DataRefused(
            "fold_saw_readmitted_patient",
            where=model.folder,
            folds=_named(folds),
            model=model.name,
            setting=model.setting,
        )


def _require_setting(study: Study, model: Model, folds: Sequence[TrainedFold]) -> None:
    now = definition_of(study.configuration.build.settings[model.setting])
    for fold in folds:
        if dict(fold.definition) != now:
            then = ", ".join(
                f"{name} {value or 'latest'}" for name, value in fold.definition.items()
            )
            today = ", ".join(f"{name} {value or 'latest'}" for name, value in now.items())
            raise DataRefused(
                "setting_changed_since_training",
                where=f"fold {fold.fold}",
                model=model.name,
                then=then,
                today=today,
                setting=model.setting,
            )


def _require_one_build(model: Model, folds: Sequence[TrainedFold]) -> None:
    builds = dict.fromkeys(one.training_set_key for one in folds)
    if len(builds) < 2:
        return
    groups = [[str(f.fold) for f in folds if f.training_set_key == key] for key in builds]
    raise DataRefused(
        "fold_builds_differ",
        where=model.folder,
        model=model.name,
        n_groups=len(groups),
        groups=" and ".join("fold " + ", ".join(group) for group in groups),
        setting=model.setting,
    )


def _require_equal_training(model: Model, folds: Sequence[TrainedFold]) -> None:
    if len({(one.learning_key, one.epochs) for one in folds}) < 2:
        return
    told = ", ".join(f"fold {one.fold}: {one.epochs}" for one in folds)
    raise DataRefused("fold_trainings_differ", where=model.folder, model=model.name, found=told)


class Seen:
    """Whom the folds of a model have seen in training.

    Parameters
    ----------
    same_person
        Other names of a patient (cohort and subject): one person may be in two cohorts.
    """

    def __init__(
        self,
        folds: Sequence[TrainedFold],
        same_person: Iterable[Sequence[Patient]] = (),
    ) -> None:
        self._folds_of_patient: dict[Patient, list[int]] = {}
        self._folds_of_image: dict[str, list[int]] = {}
        for fold in folds:
            for case in fold.seen:
                patient = self._folds_of_patient.setdefault((case.cohort, case.subject), [])
                patient += [fold.fold] if fold.fold not in patient else []
                image = self._folds_of_image.setdefault(case.image_key, [])
                image += [fold.fold] if fold.fold not in image else []
        self._others = _groups(same_person)

    def reason(self, cohort: str, subject: str, image_key: str) -> str:
        """Return why a case must not be judged by these folds, or an empty text."""
        for patient in [(cohort, subject), *sorted(self._others.get((cohort, subject), ()))]:
            folds = self._folds_of_patient.get(patient)
            if folds:
                alias = "" if patient == (cohort, subject) else f" as {patient[0]} sub-{patient[1]}"
                return f"the patient{alias} stood in the training part of {_named(folds)}"
        folds = self._folds_of_image.get(image_key)
        return f"its image stood in the training part of {_named(folds)}" if folds else ""


def _groups(pairs: Iterable[Sequence[Patient]]) -> dict[Patient, set[Patient]]:
    """Return all names of each person: who is B is also C where B is C."""
    groups: dict[Patient, set[Patient]] = {}
    for labels in pairs:
        joined = set(labels).union(*(groups.get(label, {label}) for label in labels))
        for label in joined:
            groups[label] = joined
    return groups


def _named(folds: Sequence[int]) -> str:
    return f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, sorted(folds)))}"
