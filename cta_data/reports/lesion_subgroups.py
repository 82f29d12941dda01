"""To which subgroups cases and lesions of an evaluation belong, by the tables of the study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from cta_data.reports.names import name_of_test_set, volume_class
from cta_data.scoring.case import LesionInstance
from cta_data.scoring.models import EDGES_CM3, ScoredSet
from cta_data.scoring.models.subgroups import Levels, ModelLevels
from cta_data.scoring.size_classes import is_within
from cta_data.scoring.statistics.subgroup_tests import Permuted
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import ImageRow, MeasuredLesionRow, SessionRow, VariantRow

AGES_YEARS = (0, 50, 60, 70, math.inf)
DEPTHS_MM = (0, 5, 10, 20, math.inf)
VOXELS_MM3 = (0, 0.5, 0.9, 1.2, 2.0, math.inf)
VOLUME, DEPTH = "lesion volume (cm³)", "depth below the brain surface (mm)"
VARIABLES: dict[str, Permuted] = {
    "test set": "patients",
    "cohort": "patients",
    "sex": "patients",
    "age (years)": "patients",
    "primary tumour": "patients",
    "scanner": "patients",
    "field strength (T)": "patients",
    "voxel volume (mm³)": "patients",
    VOLUME: "lesions",
    DEPTH: "lesions",
}
"""Names, and of what each is known."""
WITHOUT_STUDY: dict[str, Permuted] = {"test set": "patients", VOLUME: "lesions"}


class StudyLevels:
    """Levels of cases and lesions: from the tables of a study; elsewhere what masks tell alone."""

    def __init__(self, study: Study | None) -> None:
        rows = study.tables.rows if study else lambda of: ()
        self._sessions = {row.session: row for row in rows(SessionRow)}
        self._images: dict[tuple[SessionId, str], ImageRow] = {}
        for image in rows(ImageRow):
            # As acquired before skull-stripped: the header is the same, the first one counts.
            key = (image.session, image.technique)
            if key not in self._images or image.description < self._images[key].description:
                self._images[key] = image
        self._variants = (
            {(study.root / row.labels_path).absolute(): row for row in rows(VariantRow)}
            if study
            else {}
        )
        self._depths = {
            (row.session, row.annotation, row.grid, row.lesion_id): row.brain_depth_mm
            for row in rows(MeasuredLesionRow)
        }
        self.variables = VARIABLES if study else WITHOUT_STUDY

    def of(self, sets: Iterable[ScoredSet]) -> dict[str, ModelLevels]:
        """Return the levels of every case and lesion by model; see `subgroup_table`."""
        cases: dict[str, dict[tuple[str, str], Levels]] = {}
        lesions: dict[str, dict[tuple[str, str, int], Levels]] = {}
        for one in sets:
            of_cases, own = cases.setdefault(one.model, {}), lesions.setdefault(one.model, {})
            for case in one.scores.cases:
                about = self._of_case(one, case.case)
                of_cases[one.test_set, case.case] = about
                labels = one.scores.pairing.lesion_labels.get(case.case)
                for lesion in case.reference:
                    key = (one.test_set, case.case, lesion.lesion)
                    own[key] = about | self._of_lesion(lesion, labels)
        return {model: ModelLevels(cases[model], lesions[model]) for model in cases}

    def _of_case(self, one: ScoredSet, case: str) -> dict[str, str]:
        levels = {"test set": name_of_test_set(one.test_set)}
        known = one.patients.get(case)
        if not known:
            return levels
        session = SessionId(*known)
        levels["cohort"] = session.cohort
        row = self._sessions.get(session)
        if row:
            levels |= _given({"sex": row.sex, "primary tumour": row.primary_tumour})
            levels |= _class_of("age (years)", row.age_years, AGES_YEARS)
        image = self._images.get((session, one.technique))
        if image:
            parts = [part for part in (image.manufacturer, image.model) if part]
            levels |= _given({"scanner": " ".join(parts)})
            if image.field_strength_t:
                levels["field strength (T)"] = f"{image.field_strength_t:g}"
            size = math.prod(image.spacing_mm) if image.spacing_mm else None
            levels |= _class_of("voxel volume (mm³)", size, VOXELS_MM3)
        return levels

    def _of_lesion(self, lesion: LesionInstance, labels: Path | None) -> dict[str, str]:
        levels = _class_of(VOLUME, lesion.volume_mm3 / 1000, EDGES_CM3)
        variant = self._variants.get(labels.absolute()) if labels else None
        if variant:
            key = (variant.session, variant.annotation, variant.grid)
            depths = [self._depths.get((*key, number)) for number in lesion.lesion_ids]
            known = [depth for depth in depths if depth is not None]
            levels |= _class_of(DEPTH, min(known, default=None), DEPTHS_MM)
        return levels


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _class_of(name: str, value: float | None, edges: Sequence[float]) -> dict[str, str]:
    """Return the class of a value, upper limits not included; nothing where it is unknown."""
    if value is None or math.isnan(value):
        return {}
    low, high = next(pair for pair in pairwise(edges) if is_within(value, *pair))
    return {name: volume_class(low, high)}
