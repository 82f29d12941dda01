"""Test sets of a study: which patients a model is judged on, by which annotation, on which grid.

A test set is patients and an annotation, and never says which image is read: every model reads the
technique of its own setting, and is judged by the set's annotation on the grid of that image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cta_data.engine import Selection
from cta_data.engine.sessions import Upstream, setting_image
from cta_data.errors import ConfigurationError
from cta_data.given_names import GROUPS
from cta_data.pipeline.accounting import build_cohorts, study_partition
from cta_data.pipeline.partition import Assignment
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.configuration import Setting
from cta_data.study.layout import REFERENCES
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import SessionRow, VariantRow

SEVERAL = "annotations_several"
"""Code of the reason that nothing says which annotation counts."""
INTERNAL = "internal"
"""The trials' own patients, whatever their cohorts are called."""


@dataclass(frozen=True)
class EvaluationSet:
    """Sessions under one name.

    Attributes
    ----------
    quality
        Of the annotations that a session is judged by; empty where each session has but one.
    """

    name: str
    quality: str
    external: bool
    sessions: tuple[SessionId, ...]

    @property
    def cohorts(self) -> set[str]:
        """Cohorts of the sessions."""
        return {session.cohort for session in self.sessions}


@dataclass(frozen=True)
class EvaluationCase:
    """One image to predict, and the annotation that it is judged by (paths from the top).

    `lesion_labels` holds the id of a lesion in every voxel of the mask `reference`, which is the
    annotation of that name.
    """

    session: SessionId
    image: str
    reference: str
    lesion_labels: str
    annotation: str

    @property
    def case(self) -> str:
        """Name of the case."""
        return self.session.case


@dataclass(frozen=True)
class SetForModel:
    """A test set as a model reads it.

    Attributes
    ----------
    grid
        Technique on whose grid the model is judged.
    lacking
        Why sessions without an image or a reference are left out, by case.
    undecided
        Why a session is left out that has references, where nothing says which of them counts.
    """

    name: str
    grid: str
    external: bool
    cases: tuple[EvaluationCase, ...]
    lacking: Mapping[str, str] = field(default_factory=dict)
    undecided: Reason | None = None

    @property
    def references(self) -> str:
        """Folder of the references, from the top of the study."""
        return layout.references_folder(self.name, self.grid)


class EvaluationSets:
    """The test sets of a study as its tables are now.

    Of the cohorts that are partitioned, the test patients of each quality are one set:
    `internal-NAQ` were annotated on MPRAGE, `internal-HAQ` on SPACE; who was annotated on both is
    in both. Every external cohort is one set, under its own name; where one of its sessions has
    annotations of several qualities, it is one set a quality.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._upstream = Upstream(study)
        self._subjects = study.tables.by_key(SessionRow)
        self._read: dict[tuple[Setting, str], SetForModel] = {}

    @cached_property
    def by_name(self) -> dict[str, EvaluationSet]:
        """The sets that have a session."""
        made: dict[str, EvaluationSet] = {}
        testing = {
            (a.patient.cohort, a.patient.subject): a.patient.qualities
            for a in self._partition
            if a.partition == "test"
        }
        for quality in sorted({q for own in testing.values() for q in own}, reverse=True):
            sessions = tuple(
                session
                for session in self._measured
                if quality in testing.get(session.patient, ())
                and self._row(session).partition != "excluded"
                and quality in self._qualities(session)
            )
            if sessions:
                name = f"{INTERNAL}-{quality}"
                made[name] = EvaluationSet(name, quality, False, sessions)
        for cohort in self.study.cohorts_here:
            made |= {one.name: one for one in self._external(cohort)}
        return made

    def _external(self, cohort: str) -> Iterator[EvaluationSet]:
        """Yield the set of an external cohort: one a quality where a session has several."""
        own = tuple(
            session
            for session in self._measured
            if session.cohort == cohort and self._row(session).partition == "external"
        )
        qualities = {session: self._qualities(session) for session in own}
        if own and all(len(found) == 1 for found in qualities.values()):
            yield EvaluationSet(cohort, "", True, own)
            return
        for quality in sorted({q for found in qualities.values() for q in found}, reverse=True):
            sessions = tuple(session for session in own if quality in qualities[session])
            yield EvaluationSet(f"{cohort}-{quality}", quality, True, sessions)

    def _qualities(self, session: SessionId) -> tuple[str, ...]:
        return self._row(session).qualities or ()

    @cached_property
    def _partition(self) -> list[Assignment]:
        """The partition; empty where one of its cohorts is not here, and it cannot be told."""
        if build_cohorts(self.study) & self.study.not_available.keys():
            return []
        return study_partition(self.study)

    @cached_property
    def _measured(self) -> list[SessionId]:
        upstream = self._upstream
        return [
            session
            for session in upstream.sessions(Selection())
            if not upstream.blocked_by(session, "measure")
            and not upstream.excused(session, "measure")
        ]

    def _row(self, session: SessionId) -> SessionRow:
        return self._subjects[session]

    def read_by(self, setting: Setting, name: str) -> SetForModel:
        """Return a set as the model of a setting reads it, and is judged on it.

        Parameters
        ----------
        name
            Of one of the sets.
        """
        if (setting, name) not in self._read:
            self._read[setting, name] = self._read_by(setting, name)
        return self._read[setting, name]

    def _read_by(self, setting: Setting, name: str) -> SetForModel:
        one = self.by_name[name]
        stripped = self.study.configuration.build.skull_stripped
        cases: list[EvaluationCase] = []
        lacking: dict[str, str] = {}
        undecided: Reason | None = None
        for session in one.sessions:
            case = session.case
            image = setting_image(self._upstream, session, setting, stripped=stripped)
            if image is None:
                wanted = f"{setting.technique} {setting.contrast_phase or 'after contrast'}"
                lacking[case] = f"no image of {wanted}"
                continue
            quality = one.quality or self._qualities(session)[0]
            judged_by = self.study.configuration.evaluation
            variant = self._upstream.variant(session, quality, setting.label_grid, judged_by)
            if isinstance(variant, Reason):
                lacking[case] = variant.what
                if variant.code == SEVERAL:
                    undecided = Reason("test_set_undecided", test_set=name, why=variant.what)
                continue
            cases.append(EvaluationCase(session, image.path, *_reference(variant)))
        return SetForModel(name, setting.label_grid, one.external, tuple(cases), lacking, undecided)

    def at_version(
        self, case: EvaluationCase, grid: str, version: int
    ) -> EvaluationCase | Reason | None:
        """Return a case with its annotation as it was in an earlier version.

        None where the annotation is not newer; a reason where the version is not to be had.
        """
        session = case.session
        (now,) = (
            row
            for row in self._upstream.variants(session)
            if (row.annotation, row.grid) == (case.annotation, grid)
        )
        earlier = self._upstream.variant_at(session, now, version)
        if isinstance(earlier, Reason):
            return earlier
        if earlier.annotation == case.annotation:
            return None
        return EvaluationCase(session, case.image, *_reference(earlier))

    def of_paper(self, setting: Setting) -> list[str]:
        """Return the sets that the paper runs the model of a setting on.

        A model of another technique than the reference image is not run on external cohorts.
        """
        everywhere = setting.technique == self.study.configuration.registration.reference
        return [name for name, one in self.by_name.items() if everywhere or not one.external]

    def chosen(self, names: Iterable[str], setting: Setting) -> list[str]:
        """Return the sets that were asked for, for the model of a setting.

        Parameters
        ----------
        names
            Names of sets or of cohorts, or `test` (the internal ones), `external`, `all`. A model
            of another technique than the reference is run on an external cohort only by its name.

        Raises
        ------
        ConfigurationError
            A name matches none.
        """
        usual = self.of_paper(setting)
        chosen: dict[str, None] = {}
        for name in names:
            known = [n for n, one in self.by_name.items() if name == n or name in one.cohorts]
            group = [n for n in usual if _is_in(name, self.by_name[n])]
            if not known and not group and name in self.study.not_available:
                raise self.study.not_available[name]
            if not known and not group and name not in GROUPS:
                raise ConfigurationError(
                    "test_set_unknown", name=name, by_name=", ".join(self.by_name) or "none"
                )
            chosen |= dict.fromkeys([*known, *group])
        return list(chosen)


def _reference(variant: VariantRow) -> tuple[str, str, str]:
    return variant.mask_path, variant.labels_path, variant.annotation


def _is_in(group: str, one: EvaluationSet) -> bool:
    return group == "all" or (
        one.external if group == "external" else group == "test" and not one.external
    )


def place_references(study: Study, sets: Iterable[SetForModel]) -> list[str]:
    """Point `evaluation/references/<test set>/<technique>/<case>.nii.gz` at the masks.

    They are relative links: no mask is copied, and whoever has the study has them. Links of cases,
    techniques and test sets that are no longer there are removed; not those into a cohort that is
    not available here, of which nobody can say so.

    Returns
    -------
    list of str
        What changed, from the top of the study.
    """
    wanted = {
        layout.reference_mask(one.name, one.grid, case.case): case.reference
        for one in sets
        for case in one.cases
    }
    changed = []
    for path in _placed(study.root / REFERENCES):
        name = path.relative_to(study.root).as_posix()
        if name not in wanted and _leads_to(path, study) not in study.not_available:
            path.unlink()
            _remove_empty(path.parent, study.root / REFERENCES)
            changed.append(name)
    for name, reference in wanted.items():
        path = study.root / name
        target = os.path.relpath(study.root / reference, path.parent)
        if path.is_symlink() and os.readlink(path) == target:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        changed.append(name)
    return changed


def _leads_to(link: Path, study: Study) -> str:
    """Return the cohort that a link leads into; an empty text for any other."""
    target = os.path.normpath(link.parent / os.readlink(link))
    parts = Path(os.path.relpath(target, study.root)).parts
    return parts[1] if len(parts) > 1 and parts[0] == "datasets" else ""


def _placed(folder: Path) -> Iterator[Path]:
    """Yield the links of all references: those of a study's own sets lie by technique."""
    yield from sorted(path for path in folder.glob("*/*/*") if path.is_symlink())


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
