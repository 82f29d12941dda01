"""The sessions that steps work on, and what earlier steps left for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cta_data.engine import Blocked, Selection, Unit, UnitId, existing_files
from cta_data.engine.decisions import kept_reason, stop_reason
from cta_data.engine.inputs import Files, files_and_parameters
from cta_data.engine.units import Given
from cta_data.reasons import Reason
from cta_data.study.annotations import CURRENT, at_version, choose_annotation, settled
from cta_data.study.configuration import AnnotationChoice, Setting
from cta_data.study.phases import LATEST_FIRST, phase_order, phase_rank, space_of
from cta_data.study.session_id import SessionId
from cta_data.study.sourcedata import ACCEPTED, SESSION_STUDY, Inventory, SeriesRow
from cta_data.study.study import Study
from cta_data.study.tables import AnnotationRow, ImageRow, TransformRow, UnitRow, VariantRow
from cta_data.versioning.keys import content_key

DOSE = "RTDOSE"
"""Modality of images that are not registered and not drawn on."""
CONVERTED_KINDS = ("MR", "CT", DOSE)
"""Modalities of series that become images."""
STEP_NAMES = ("convert", "register", "transfer", "strip", "measure")


@dataclass(frozen=True, slots=True)
class SourceSession:
    """A subject-session in sourcedata; `refused` says why it may not be used."""

    id: SessionId
    series: tuple[SeriesRow, ...] = ()
    refused: Reason | None = None

    @property
    def delivered(self) -> str:
        """Its label in the source, by which clinical tables know it."""
        return next(filter(None, map(delivered_session, self.series)), self.id.session)


def delivered_session(series: SeriesRow) -> str:
    """Return the session that the path of a plain file says; empty for DICOM."""
    study = series.study_uid
    return study.removeprefix(SESSION_STUDY) if study.startswith(SESSION_STUDY) else ""


def session_labels(inventory: Inventory | None) -> dict[tuple[str, str], str]:
    """Return the label of every session by its subject and its label in the source."""
    series = inventory.series if inventory else ()
    return {(row.subject, delivered_session(row) or row.session): row.session for row in series}


def selected_cohorts(study: Study, selection: Selection) -> list[str]:
    """Return the cohorts that were asked for; without names, those that are available here.

    Raises
    ------
    ConfigurationError
        One of them is not in the study.
    NotAvailable
        One of them is not available here.
    """
    for cohort in selection.cohorts:
        study.card(cohort)
        require_outputs(study, cohort)
    return [c for c in study.cohorts_here if not selection.cohorts or c in selection.cohorts]


def require_outputs(study: Study, cohort: str) -> None:
    """Install the datasets that hold what was made of a cohort.

    Raises
    ------
    NotAvailable
        One of them is not to be had; nothing may be planned then.
    """
    study.require(study.cohort_path(cohort))
    study.require(study.derivatives_path(cohort))


def source_sessions(study: Study, cohort: str) -> list[SourceSession] | None:
    """Return the sessions in a cohort's sourcedata, or None where that cannot be installed."""
    inventory = study.inventory(cohort)
    if inventory is None:
        return None
    grouped: dict[tuple[str, str], list[SeriesRow]] = {}
    for row in inventory.series:
        grouped.setdefault((row.subject, row.session), []).append(row)
    refused = _refused_subjects(inventory)
    incomplete = _incomplete_sessions(inventory)
    if study.card(cohort).sessions.refused_series == "ignore":
        incomplete = {}
    sessions = [
        SourceSession(
            SessionId(cohort, subject, session),
            tuple(series),
            incomplete.get((subject, session)),
        )
        for (subject, session), series in sorted(grouped.items())
        if subject not in refused
    ]
    return sessions + [
        SourceSession(SessionId(cohort, subject, ""), (), why)
        for subject, why in sorted(refused.items())
    ]


def _refused_subjects(inventory: Inventory) -> dict[str, Reason]:
    """Return why subjects were refused, by label; who has no label of their own gets a number."""
    accepted = [row for row in inventory.subjects if row.status == ACCEPTED]
    labels = {row.subject for row in accepted}
    source_ids = {row.source_id for row in accepted if row.source_id}
    refused: dict[str, Reason] = {}
    nameless = 0
    for row in inventory.subjects:
        if row.status == ACCEPTED or row.source_id in source_ids:
            continue
        why = Reason.kept(row.refused_code, row.refused_reason)
        if row.subject and row.subject not in labels:
            refused[row.subject] = why
        else:
            nameless += 1
            refused[f"unknown{nameless}"] = why
    return refused


def _incomplete_sessions(inventory: Inventory) -> dict[tuple[str, str], Reason]:
    """Return the sessions that lack a series because it was refused, with the reason.

    Not those whose whole subject was refused at that time: what is kept of it is as it was.
    """
    stored = {(row.subject, row.series_uid) for row in inventory.series}
    of_subject = {(row.subject, row.refused_reason) for row in inventory.subjects}
    by_study = {(row.subject, row.study_uid): row.session for row in inventory.series}
    sessions: dict[str, set[str]] = {}
    for row in inventory.series:
        sessions.setdefault(row.subject, set()).add(row.session)
    incomplete: dict[tuple[str, str], Reason] = {}
    for aside in inventory.set_aside:
        if not aside.refused:
            continue
        whole = (aside.subject, aside.reason) in of_subject
        if whole or (aside.subject, aside.series_uid) in stored:
            continue
        known = sessions.get(aside.subject, set())
        only = next(iter(known)) if len(known) == 1 else ""
        session = by_study.get((aside.subject, aside.study_uid), only)
        why = Reason.kept(aside.reason_code, aside.reason)
        found = Reason("series_refused_when_added", kind=aside.kind, cause=why)
        incomplete[aside.subject, session] = found
    return incomplete


def units_of(study: Study, *steps: str) -> list[UnitRow]:
    """Return the rows of the units of some steps, step by step."""
    by_step = study.tables.index(UnitRow, ("step",))
    return [row for step in steps for row in by_step.get((step,), [])]


def session_stages(study: Study) -> dict[SessionId, dict[str, str]]:
    """Return the status of each step that was decided about, of every session."""
    stages: dict[SessionId, dict[str, str]] = {}
    names = ("step", *SessionId._fields, "status")
    for step, cohort, subject, label, status in study.tables.columns(UnitRow, *names):
        if step in STEP_NAMES:
            stages.setdefault(SessionId(cohort, subject, label), {})[step] = status
    return stages


def converted_sessions(study: Study) -> set[SessionId]:
    """Return the sessions whose conversion is done."""
    return {row.id.session for row in units_of(study, "convert") if row.status == "ok"}


class Upstream:
    """What earlier steps left for each session, looked up once a plan."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self._units = study.tables.by_key(UnitRow)

    def sessions(self, selection: Selection) -> Iterator[SessionId]:
        """Yield every session that was ever to be converted, in order.

        Not of cohorts that are not available here: in a dataset that is not installed, every
        output would seem to be gone.
        """
        selected_cohorts(self.study, selection)
        away = self.study.not_available
        for session in sorted(row.id.session for row in units_of(self.study, "convert")):
            if session.cohort not in away and selection.takes(session.cohort, session.subject):
                yield session

    def blocked_by(self, session: SessionId, *steps: str) -> Reason | None:
        """Return why what depends on these steps cannot run, or None."""
        for step in steps:
            row = self.unit(step, session)
            if row is None:
                return Reason("step_not_done", step=step)
            if row.status not in ("ok", "notneeded"):
                return stop_reason(row)
        return None

    def unit(self, step: str, session: SessionId) -> UnitRow | None:
        """Return the row of a step's unit for a session; None where it was never planned."""
        return self._units.get(UnitId(step, session).key)

    def excused(self, session: SessionId, step: str) -> Reason | None:
        """Return why a step has nothing to do for a session, or None."""
        row = self.unit(step, session)
        return kept_reason(row) if row and row.status == "notneeded" else None

    def outputs(self, step: str, session: SessionId) -> list[str]:
        """Return the outputs of a step for a session."""
        row = self.unit(step, session)
        return list(row.outputs) if row else []

    def images(self, session: SessionId, description: str = "") -> dict[str, ImageRow]:
        """Return the image of each technique: of several phases the latest after contrast."""
        rows = self.study.tables.of_session(ImageRow, session)
        return {
            technique: own[0] if len(own) == 1 else self._latest(technique, own)
            for technique, own in _by_technique(rows, description).items()
        }

    def spaces(self, session: SessionId) -> dict[str, ImageRow]:
        """Return all images as acquired of a session by the names of their spaces."""
        spaces: dict[str, ImageRow] = {}
        rows = self.study.tables.of_session(ImageRow, session)
        for technique, own in _by_technique(rows, "").items():
            spaces |= {technique: own[0]} if len(own) == 1 else self._by_space(technique, own)
        return spaces

    def _latest(self, technique: str, rows: list[ImageRow]) -> ImageRow:
        order = self._phase_order(technique, rows)
        return min(rows, key=lambda row: phase_rank(row.contrast_phase, order))

    def _by_space(self, technique: str, rows: list[ImageRow]) -> dict[str, ImageRow]:
        order = self._phase_order(technique, rows)
        phases = [row.contrast_phase for row in rows]
        return {space_of(technique, row.contrast_phase, phases, order): row for row in rows}

    def _phase_order(self, technique: str, rows: list[ImageRow]) -> tuple[str, ...]:
        if {row.contrast_phase for row in rows} <= set(LATEST_FIRST):
            return LATEST_FIRST
        return phase_order(self.study.card(rows[0].session.cohort), technique)

    def phases(self, session: SessionId) -> list[ImageRow]:
        """Return all images as acquired of a session, of every technique and phase."""
        rows = self.study.tables.of_session(ImageRow, session)
        return [r for r in rows if r.description == "" and r.modality != DOSE]

    def transforms(self, session: SessionId) -> list[TransformRow]:
        """Return the registrations of a session, without those with other sessions."""
        rows = self.study.tables.of_session(TransformRow, session)
        return [row for row in rows if row.between == "techniques"]

    def annotations(self, session: SessionId) -> list[AnnotationRow]:
        """Return the annotations of a session, with the status that corrections leave them."""
        return settled(self.study.tables.of_session(AnnotationRow, session))

    def edited(self, session: SessionId) -> Reason | None:
        """Return why annotations of a session cannot be read: somebody edited a file; or None."""
        current = [one for one in self.annotations(session) if one.status == CURRENT]
        changed = changed_annotation_files(self.study, current, self.variants(session))
        return Reason("annotation_file_changed", file=changed[0]) if changed else None

    def variants(self, session: SessionId) -> list[VariantRow]:
        """Return the label variants of a session."""
        return self.study.tables.of_session(VariantRow, session)

    def variant(
        self, session: SessionId, quality: str, grid: str, choice: AnnotationChoice
    ) -> VariantRow | Reason:
        """Return the variant on a grid of the annotation that counts, or why there is none."""
        chosen = choose_annotation(self.annotations(session), quality, choice)
        if isinstance(chosen, Reason):
            return chosen
        return self._on_grid(session, chosen, grid)

    def variant_at(
        self, session: SessionId, variant: VariantRow, version: int
    ) -> VariantRow | Reason:
        """Return a variant as its annotation was in an earlier version, or why there is none."""
        annotations = self.annotations(session)
        (own,) = (one for one in annotations if one.annotation == variant.annotation)
        earlier = at_version(annotations, own, version)
        if isinstance(earlier, Reason):
            return earlier
        return self._on_grid(session, earlier, variant.grid)

    def _on_grid(self, session: SessionId, one: AnnotationRow, grid: str) -> VariantRow | Reason:
        for row in self.variants(session):
            if (row.annotation, row.grid) == (one.annotation, grid):
                return row
        return Reason("annotation_not_on_grid", annotation=one.annotation, grid=grid)


def changed_annotation_files(
    study: Study, annotations: Iterable[AnnotationRow], variants: Iterable[VariantRow]
) -> list[str]:
    """Return the files of annotations and their variants that are not as they were written.

    An edit by hand is in one of them alone, and would be used in part.
    """
    names, named = set(), []
    for one in annotations:
        names.add(one.annotation)
        named.append((one.path, one.annex_key))
    for row in variants:
        if row.annotation in names:
            named += [(row.mask_path, row.annex_key), (row.labels_path, row.labels_key)]
    return [
        path
        for path, key in named
        if key is not None and content_key(study.root / path) not in (key, None)
    ]


def setting_image(
    upstream: Upstream, session: SessionId, setting: Setting, *, stripped: bool
) -> ImageRow | None:
    """Return the image of a session that a setting trains on, or None where there is none.

    Parameters
    ----------
    stripped
        Whether the image whose brain was extracted is wanted.
    """
    description = "brain" if stripped else ""
    chosen = upstream.images(session, description).get(setting.technique)
    if setting.contrast_phase:
        rows = upstream.study.tables.by_key(ImageRow)
        key = (*session, setting.technique, setting.contrast_phase, description)
        row = rows.get(key)
        # Labels lie on the phase that is worked on: another frame of reference is another place.
        return row if row and chosen and row.frame == chosen.frame else None
    # Lesions are drawn on images after contrast: a native one never stands for them.
    return chosen if chosen and chosen.contrast_phase != "none" else None


def on_hold(findings: Sequence[Reason]) -> Reason | None:
    """Return the reason of a session that a person has to look at; None without a finding."""
    return Reason("on_hold", findings=tuple(findings)) if findings else None


def make_unit(study: Study, unit: UnitId, version: int, given: Given) -> Unit[Given] | Blocked:
    """Return the unit with its inputs' keys, or blocked where an input is gone."""
    split = files_and_parameters(given)
    keys, missing = existing_files(study.root, split[0].values())
    if missing:
        return Blocked(unit, version, Reason("input_missing", missing=missing[0]))
    return Unit.of(unit, version, given, keys, split)


def transform_files(rows: Iterable[TransformRow]) -> Files[tuple[str, str]]:
    """Return the transforms of a session, by their fixed and moving spaces.

    One that its checks reject is among them only after a person has accepted it: until then the
    registration of the session is not done, and nothing is planned on it.
    """
    return Files({(row.fixed, row.moving): row.path for row in rows})


def _by_technique(rows: list[ImageRow], description: str) -> dict[str, list[ImageRow]]:
    """Return the images of a session by technique, without doses."""
    found: dict[str, list[ImageRow]] = {}
    for row in rows:
        if row.description == description and row.modality != DOSE:
            found.setdefault(row.technique, []).append(row)
    return found
