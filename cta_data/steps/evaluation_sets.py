"""Test sets of a study: which cases a model is judged on, and by which annotation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cta_data.engine import Selection, UnitId
from cta_data.errors import ConfigurationError
from cta_data.steps.accounting import study_partition
from cta_data.steps.models import REFERENCES
from cta_data.steps.sessions import Upstream
from cta_data.study import Study


@dataclass(frozen=True)
class EvaluationCase:
    """One image to predict, and the mask that it is judged by (paths from the top)."""

    case: str
    cohort: str
    subject: str
    session: str
    image: str
    reference: str


@dataclass(frozen=True)
class EvaluationSet:
    """Cases under one name; `lacking` lists sessions without an image or a reference."""

    name: str
    technique: str
    external: bool
    cases: tuple[EvaluationCase, ...]
    lacking: tuple[str, ...] = ()


def evaluation_sets(study: Study) -> dict[str, EvaluationSet]:
    """Return the test sets by name.

    Of a trial, the test patients whose annotation has the quality `build.test_quality` are one set
    on every technique that annotations are carried to: `internal-MPRAGE`, `internal-SPACE`. An
    external cohort is one set on the hub technique, under its own name.
    """
    upstream = Upstream(study, "predict")
    sessions = {
        (unit.cohort, unit.subject, unit.session): unit
        for unit in upstream.sessions(Selection())
        if not upstream.blocked_by(unit, "measure") and not upstream.excused(unit, "measure")
    }
    tested = _tested_patients(study)
    rows = study.tables.by_key("subjects")
    made: dict[str, EvaluationSet] = {}
    for cohort in study.cohorts:
        own = [unit for key, unit in sorted(sessions.items()) if key[0] == cohort]
        external = study.card(cohort).cohort.partition == "external"
        if external:
            chosen = [u for u in own if rows[u.key[1:]]["partition"] == "external"]
            techniques = [study.configuration.registration.hub]
        else:
            chosen = [u for u in own if (u.cohort, u.subject) in tested and _is_used(rows, u)]
            techniques = list(study.configuration.transfer.grids)
        for technique in techniques:
            name = cohort if external else f"{cohort}-{technique}"
            if chosen:
                made[name] = _test_set(study, upstream, name, technique, chosen, external=external)
    return made


def _is_used(rows: Mapping[tuple[Any, ...], dict[str, Any]], unit: UnitId) -> bool:
    return rows[unit.key[1:]]["partition"] != "excluded"


def _tested_patients(study: Study) -> set[tuple[str, str]]:
    """Return the test patients whose annotation is of the wanted quality, or of any there is."""
    tests = [a.patient for a in study_partition(study) if a.partition == "test"]
    wanted = study.configuration.build.test_quality
    chosen = [patient for patient in tests if patient.quality == wanted] or tests
    return {(patient.cohort, patient.subject) for patient in chosen}


def _test_set(
    study: Study,
    upstream: Upstream,
    name: str,
    technique: str,
    units: Iterable[UnitId],
    *,
    external: bool,
) -> EvaluationSet:
    description = "brain" if study.configuration.build.skull_stripped else ""
    cases, lacking = [], []
    for unit in units:
        label = f"sub-{unit.subject} ses-{unit.session}"
        image = upstream.images(unit, description).get(technique)
        if image is None or image["contrast_phase"] == "none":
            lacking.append(f"{label}: no image of {technique} after contrast")
            continue
        masks = [v["mask_path"] for v in upstream.variants(unit) if v["grid"] == technique]
        if not masks:
            lacking.append(f"{label}: no annotation on {technique}")
            continue
        case = f"{unit.cohort}_sub-{unit.subject}_ses-{unit.session}"
        who = (unit.cohort, unit.subject, unit.session)
        cases.append(EvaluationCase(case, *who, image["path"], masks[0]))
    return EvaluationSet(name, technique, external, tuple(cases), tuple(lacking))


def chosen_sets(study: Study, names: Iterable[str]) -> list[EvaluationSet]:
    """Return the test sets that were asked for.

    Parameters
    ----------
    names
        Names of sets, of cohorts, or `test` (all of the trial), `external`, `all`.

    Raises
    ------
    ConfigurationError
        A name matches none.
    """
    known = evaluation_sets(study)
    chosen: dict[str, EvaluationSet] = {}
    for name in names:
        found = {key: one for key, one in known.items() if _matches(name, one)}
        if not found:
            raise ConfigurationError(
                f"there is no test set {name!r}",
                why=f"the study has {', '.join(known) or 'none'}",
                next_step="Name one of them, a cohort, or test, external, all",
            )
        chosen |= found
    return list(chosen.values())


def _matches(name: str, one: EvaluationSet) -> bool:
    if name in ("all", one.name) or (one.cases and name == one.cases[0].cohort):
        return True
    return (name == "external" and one.external) or (name == "test" and not one.external)


def place_references(study: Study, sets: Iterable[EvaluationSet]) -> list[str]:
    """Point `evaluation/references/<test set>/<case>.nii.gz` at the masks; return what changed.

    They are relative links: no mask is copied, and whoever has the study has them.
    """
    changed = []
    for one in sets:
        folder = study.root / REFERENCES / one.name
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {f"{case.case}.nii.gz": case.reference for case in one.cases}
        for path in sorted(folder.iterdir()):
            if path.name not in wanted and path.is_symlink():
                path.unlink()
                changed.append(_from_top(path, study.root))
        for name, reference in wanted.items():
            path = folder / name
            target = os.path.relpath(study.root / reference, folder)
            if path.is_symlink() and os.readlink(path) == target:
                continue
            path.unlink(missing_ok=True)
            path.symlink_to(target)
            changed.append(_from_top(path, study.root))
    return changed


def _from_top(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
