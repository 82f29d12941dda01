"""Build: which sessions make a training set, and whether it has to be written (again)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cta_data.engine import Blocked, RunOf, Selection, Step, Unit, UnitId
from cta_data.engine.inputs import ABSENT, Files
from cta_data.engine.sessions import Upstream, make_unit, setting_image
from cta_data.engine.units import Scope
from cta_data.errors import ConfigurationError
from cta_data.intake.overlap import in_training, rejected_subjects, shared_patients
from cta_data.pipeline.accounting import (
    not_evaluated,
    partition_options,
    require_build_cohorts,
    study_partition,
)
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.build_case import BuildCase
from cta_data.study.configuration import Setting
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, SessionRow, SplitRow

VERSION = 3
MOST_NAMED = 5


@dataclass(frozen=True)
class BuildInputs:
    """What a training set depends on; files by case."""

    setting: str
    folder: str
    definition: Mapping[str, Any]
    partition: Mapping[str, Any]
    cases: tuple[Mapping[str, Any], ...]
    image: Files[str]
    label: Files[str]
    left_out: tuple[str, ...] | None = field(default=None, metadata=ABSENT)
    """Sessions that the setting's `patients` leaves out; None without any."""


def build_step(study: Study, name: str, technique: str = "") -> Step:
    """Return the step that builds one setting.

    Parameters
    ----------
    technique
        Train on images of this technique instead of the setting's own.

    Raises
    ------
    ConfigurationError
        The study has no such setting.
    NotAvailable
        A cohort whose patients are partitioned is not available here.
    """
    require_build_cohorts(study)
    settings = study.configuration.build.settings
    if name not in settings:
        raise ConfigurationError("setting_unknown", name=name, settings=sorted(settings))
    setting = settings[name]
    if technique and technique != setting.technique:
        _require_known(study, technique)
        number = _number_on(study, setting, technique)
        changes = {"technique": technique, "grid": "", "dataset_id": number}
        setting = setting.model_copy(update=changes)
        name = f"{name}on{technique}"
    return Step(
        f"build_{name}",
        _planner(name, setting),
        RunOf("cta_data.pipeline.training_set"),
        _owner(name),
    )


def _require_known(study: Study, technique: str) -> None:
    """Refuse a technique that nothing in the study is of: it becomes part of names and paths."""
    images = {row.technique for row in study.tables.rows(ImageRow)}
    known = images | set(study.configuration.transfer.grids)
    if technique not in known:
        raise ConfigurationError("technique_not_in_study", technique=technique, known=sorted(known))


def _number_on(study: Study, setting: Setting, technique: str) -> int:
    """Return the dataset number of a setting on another technique: nnU-Net finds sets by number."""
    configuration = study.configuration
    techniques = sorted({*configuration.transfer.grids, technique})
    number = setting.dataset_id + 100 * (1 + techniques.index(technique))
    if any(other.dataset_id == number for other in configuration.build.settings.values()):
        raise ConfigurationError(
            "dataset_number_taken", where="study.toml", number=number, technique=technique
        )
    return number


def _owner(name: str) -> Callable[[UnitId], Scope]:
    return lambda unit: {SplitRow: {"setting": name}}


def _planner(name: str, setting: Setting) -> Callable[[Study, Selection], Iterator[Unit | Blocked]]:
    def plan(study: Study, selection: Selection) -> Iterator[Unit | Blocked]:
        yield _plan_unit(study, name, setting)

    return plan


def _plan_unit(study: Study, name: str, setting: Setting) -> Unit | Blocked:
    unit = UnitId("build", model=name)
    cases, missing, left_out = _cases(study, setting)
    if setting.patients == "common":
        common = _common_sessions(study)
        left_out += [case.session for case in cases if case.session not in common]
        cases = [case for case in cases if case.session in common]
    training = [case for case in cases if case.trains]
    if missing:
        shown = "; ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        return Blocked(unit, VERSION, Reason("training_case_files_missing", cases=shown))
    if not training:
        why = Reason("training_patients_missing", quality=setting.quality, grid=setting.label_grid)
        return Blocked(unit, VERSION, why)
    twice = _trained_twice(study, training)
    if twice:
        return Blocked(unit, VERSION, twice)
    n_patients = len({case.session.patient for case in training})
    folds = study.configuration.build.folds
    if n_patients < folds:
        why = Reason("training_patients_fewer_than_folds", n_patients=n_patients, n_folds=folds)
        return Blocked(unit, VERSION, why)
    given = BuildInputs(
        setting=name,
        folder=layout.training_set(layout.dataset_name(name, setting.dataset_id)),
        definition=setting.model_dump() | {"grid": setting.label_grid},
        partition=vars(partition_options(study.configuration.build)),
        cases=tuple(case.as_dict() for case in cases),
        image=Files({case.case: case.image for case in cases}),
        label=Files({case.case: case.label for case in cases}),
        left_out=tuple(sorted(map(str, left_out))) or None,
    )
    return make_unit(study, unit, VERSION, given)


def _trained_twice(study: Study, training: list[BuildCase]) -> Reason | None:
    """Return which training patients are another subject as well, or None."""
    if study.configuration.build.shared_patients == "accept":
        return None
    people = {case.session.patient for case in training}
    twice = in_training(shared_patients(study), people, rejected_subjects(study))
    if not twice:
        return None
    named = "; ".join(str(patient) for patient in twice[:MOST_NAMED])
    more = f" and {len(twice) - MOST_NAMED} more" if twice[MOST_NAMED:] else ""
    number = "1 training patient is" if len(twice) == 1 else f"{len(twice)} training patients are"
    return Reason("training_patients_shared", number=number, patients=f"{named}{more}")


def _common_sessions(study: Study) -> set[SessionId]:
    """Return the sessions that every setting with `patients = "common"` can use."""
    settings = study.configuration.build.settings.values()
    sharing = [setting for setting in settings if setting.patients == "common"]
    usable = [{case.session for case in _cases(study, setting)[0]} for setting in sharing]
    return set.intersection(*usable) if usable else set()


def _cases(study: Study, setting: Setting) -> tuple[list[BuildCase], list[str], list[SessionId]]:
    """Return the cases of a setting, those that lack an image or a label, and those left out.

    Left out is who lacks the annotation, where the setting does not want all patients.
    """
    upstream = Upstream(study)
    stripped = study.configuration.build.skull_stripped
    cases: list[BuildCase] = []
    missing: list[str] = []
    left_out: list[SessionId] = []
    subjects = study.tables.by_key(SessionRow)
    assignments = {
        (a.patient.cohort, a.patient.subject): a
        for a in study_partition(study)
        if a.partition != "excluded" and setting.quality in a.patient.qualities
    }
    for session in upstream.sessions(Selection()):
        assignment = assignments.get(session.patient)
        if assignment is None or upstream.blocked_by(session, "measure"):
            continue
        # Of a patient who is used, sessions that the card leaves out stay out, and those without
        # an annotation of this quality.
        person = subjects.get(session)
        annotated = person is not None and setting.quality in (person.qualities or ())
        if not_evaluated(study, session) or not annotated:
            continue
        image = setting_image(upstream, session, setting, stripped=stripped)
        label = upstream.variant(session, setting.quality, setting.label_grid, setting)
        if image is None:
            wanted = f"{setting.technique} {setting.contrast_phase or 'after contrast'}"
            missing.append(f"{session} ({wanted})")
        elif isinstance(label, Reason) and setting.patients != "all" and _not_there(label):
            left_out.append(session)
        elif isinstance(label, Reason):
            missing.append(f"{session} ({label.what})")
        else:
            files = (image.path, label.mask_path)
            cases.append(BuildCase(session, assignment.partition, assignment.fold, *files))
    return cases, missing, left_out


def _not_there(why: Reason) -> bool:
    """Return whether nobody made the annotation; that there are two is another matter."""
    return why.code == "annotation_not_there"
