"""Choose operating points of models: each fold predicts its own validation cases, and thresholds
are set on the maps of all folds together.

No case is judged by a fold that has learnt from it. The thresholds are those of single folds;
predictions average the folds, whose mean is less extreme. nnU-Net chooses its postprocessing in the
same way (Isensee et al. 2021, Nat Methods 18:203).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, Workspace
from cta_data.engine.inputs import File, Files
from cta_data.engine.sessions import make_unit
from cta_data.errors import DataRefused
from cta_data.files import finite, written_whole
from cta_data.reasons import Reason
from cta_data.scoring import convention_named
from cta_data.scoring.probabilities.calibration import fit_temperature
from cta_data.scoring.probabilities.candidates import ScoreName, option_of
from cta_data.scoring.probabilities.collection import CandidateSet, find_candidates
from cta_data.scoring.probabilities.curve import (
    LevelFigure,
    best_score,
    froc_curve,
    score_precisions,
)
from cta_data.study import layout
from cta_data.study.configuration import TrainingSection
from cta_data.study.study import Study
from cta_data.training.build_files import build_key, training_cases
from cta_data.training.inputs import CalibrateInputs, ValidateInputs
from cta_data.training.machine import Machine
from cta_data.training.models import SHARED, WORK, Model
from cta_data.training.nnunet.jobs import CaseToPredict, PredictJob
from cta_data.training.nnunet.model_facts import read_model_facts
from cta_data.training.operating_points import EnsembleCard, FittedTemperature, OperatingPoint
from cta_data.training.predict import run_prediction
from cta_data.training.trained_models import TrainedFold, folds_to_use

VERSION = 2


@dataclass(frozen=True)
class CalibrationRequest:
    """How operating points are chosen.

    Attributes
    ----------
    levels
        False positives per case.
    score
        Of candidates; the one that ranks best without it.
    temperature
        Whether a temperature is fitted as well.
    """

    levels: tuple[float, ...]
    candidates_from: float
    convention: str
    score: ScoreName | None = None
    temperature: bool = False


def calibration_steps(
    models: Sequence[Model],
    training: TrainingSection,
    request: CalibrationRequest,
    machine: Machine,
) -> list[Step]:
    """Return the steps: maps of the validation cases of each fold, and operating points."""
    return [
        Step(
            "validate",
            partial(_of_all, tuple(models), partial(_plan_folds, training)),
            partial(validate, machine=machine),
            lambda unit: {},
        ),
        Step(
            "calibrate",
            partial(_of_all, tuple(models), partial(_plan_model, request)),
            calibrate,
            lambda unit: {},
        ),
    ]


def _of_all(
    models: Sequence[Model], planned: Any, study: Study, selection: Selection
) -> Iterator[Unit | Blocked]:
    for model in models:
        yield from planned(study, model)


def _plan_folds(training: TrainingSection, study: Study, model: Model) -> Iterator[Unit | Blocked]:
    try:
        folds = _all_folds(study, model)
    except DataRefused as error:
        # Maps and card are of the weights that they name: what is in them does not change.
        yield Blocked(model.unit("validate"), VERSION, error.reason, keeps_results=True)
        return
    cases = training_cases(study, model)
    for fold in folds:
        given = ValidateInputs(
            folder=model.folder,
            fold=fold.fold,
            trainer=model.trainer,
            options={"mirroring": training.mirroring, "tile_step": training.tile_step},
            shared=Files({name: layout.model_file(model.folder, name) for name in SHARED[:2]}),
            weights=File(fold.checkpoint),
            image=Files({case.case: case.image for case in cases if case.fold == fold.fold}),
        )
        yield make_unit(study, model.unit("validate", fold=fold.fold), VERSION, given)


def _all_folds(study: Study, model: Model) -> list[TrainedFold]:
    """Return all folds of a model, trained on the build that there is now.

    Raises
    ------
    DataRefused
        They are not all there, or of an earlier build, whose validation cases are others.
    """
    folds = folds_to_use(study, model, range(study.configuration.build.folds))
    now = build_key(study, model)
    if any(fold.training_set_key != now for fold in folds):
        raise DataRefused("folds_of_earlier_build", where=model.folder, setting=model.setting)
    return folds


def validate(unit: Unit[ValidateInputs], workspace: Workspace, *, machine: Machine) -> Outcome:
    """Have a fold predict its validation cases, and keep their probabilities.

    Raises
    ------
    DataRefused
        The model cannot be loaded, or a case cannot be predicted: thresholds would be chosen on
        the others alone.
    """
    given = unit.given
    work = workspace.root / WORK / "validation" / unit.key
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    model = workspace.read(given.folder)
    job = PredictJob(
        model=model,
        folds=(str(given.fold),),
        trainer=given.trainer,
        lesion_values=read_model_facts(model).lesion_values(),
        cases=tuple(
            CaseToPredict(case=case, images=(workspace.read(image),), output=work)
            for case, image in given.image.items()
        ),
        device=machine.device,
        probabilities=True,
        **given.options,
    )
    failed = run_prediction(job, workspace.root / WORK, unit.key, machine).failed
    if failed:
        case, why = next(iter(failed.items()))
        raise DataRefused("prediction_failed", where=case, why=why)
    for case in given.image:
        target = workspace.write(layout.validation_probability(given.folder, given.fold, case))
        shutil.move(work / layout.PROBABILITIES / f"{case}.nii.gz", target)
    shutil.rmtree(work)
    return Outcome(notes=[f"{len(given.image)} validation cases"])


def _plan_model(
    request: CalibrationRequest, study: Study, model: Model
) -> Iterator[Unit | Blocked]:
    unit = model.unit("calibrate")
    try:
        folds = _all_folds(study, model)
    except DataRefused as error:
        yield Blocked(unit, VERSION, error.reason, keeps_results=True)
        return
    cases = [case for case in training_cases(study, model) if case.fold is not None]
    maps = {
        case.case: layout.validation_probability(model.folder, case.fold, case.case)
        for case in cases
        if case.fold is not None
    }
    missing = [path for path in maps.values() if not os.path.lexists(study.root / path)]
    if missing:
        lost = Reason("validation_maps_missing", missing=missing[0])
        yield Blocked(unit, VERSION, lost, keeps_results=True)
        return
    given = CalibrateInputs(
        folder=model.folder,
        asked={
            "levels": list(request.levels),
            "candidates_from": request.candidates_from,
            "convention": request.convention,
            "score": request.score,
            "temperature": request.temperature,
            "patients": {case.case: case.session.patient_name for case in cases},
        },
        checkpoints={str(fold.fold): fold.checkpoint_key for fold in folds},
        probability=Files(maps),
        label=Files({case.case: case.label for case in cases}),
    )
    yield make_unit(study, unit, VERSION, given)


def calibrate(unit: Unit[CalibrateInputs], workspace: Workspace) -> Outcome:
    """Choose the score and the thresholds of a model, and write its card.

    Raises
    ------
    DataRefused
        A map or mask cannot be used: thresholds would be chosen on the others alone.
    """
    given = unit.given
    found = _candidates(unit, workspace)
    asked = given.asked
    precisions = score_precisions(found)
    score: ScoreName = asked["score"] or best_score(precisions)
    curve = froc_curve(found, score, asked["levels"])
    fitted = fit_temperature(c.bins for c in found.cases) if asked["temperature"] else None
    card = EnsembleCard(
        model=unit.id.model,
        checkpoints=dict(given.checkpoints),
        convention=asked["convention"],
        candidates_from=asked["candidates_from"],
        score=score,
        average_precision={name: finite(value) for name, value in precisions.items()},
        cases=curve.cases,
        patients=curve.patients,
        lesions=curve.lesions,
        candidates=curve.candidates,
        points=[_point(one) for one in curve.levels],
        temperature=FittedTemperature(**vars(fitted)) if fitted else None,
    )
    place = workspace.write(layout.ensemble_card(given.folder, map(int, given.checkpoints)))
    with written_whole(place) as unfinished:
        unfinished.write_text(card.text(), encoding="utf-8")
    return Outcome(notes=list(card_lines(card)))


def _candidates(unit: Unit[CalibrateInputs], workspace: Workspace) -> CandidateSet:
    given = unit.given
    files: dict[str, tuple[Path, Path]] = {
        case: (workspace.read(given.label[case]), workspace.read(path))
        for case, path in given.probability.items()
    }
    found = find_candidates(
        files,
        convention_named(given.asked["convention"]),
        given.asked["candidates_from"],
        model=unit.id.model,
        patients=given.asked["patients"],
    )
    if found.failed:
        case, why = found.failed[0]
        raise DataRefused("validation_map_unusable", where=case, why=why)
    return found


def _point(one: LevelFigure) -> OperatingPoint:
    return OperatingPoint(
        false_positives_per_case=one.level,
        threshold=finite(one.threshold),
        is_reached=one.is_reached,
        sensitivity=finite(one.sensitivity.estimate),
        low=finite(one.sensitivity.low),
        high=finite(one.sensitivity.high),
        found=one.tp,
        false_positives=one.fp,
    )


def card_lines(card: EnsembleCard) -> Iterator[str]:
    """Yield what was chosen, a line each level; a level without a threshold is named."""
    score = option_of(card.score)
    yield f"{card.cases} validation cases, {card.lesions} lesions; score of candidates: {score}"
    for one in card.points:
        level = f"at {one.false_positives_per_case:g} false positives per case"
        if one.threshold is None or one.sensitivity is None:
            yield f"{level}: no threshold; not one candidate may be kept"
            continue
        kept = "" if one.is_reached else "; all candidates are kept"
        yield f"{level}: threshold {one.threshold:.4g}, sensitivity {one.sensitivity:.3f}{kept}"
    if card.temperature:
        fitted = card.temperature
        yield (
            f"temperature {fitted.temperature:.3f}: calibration error of voxels "
            f"{fitted.error_before:.4f}, with it {fitted.error_after:.4f}"
        )
