"""Findings to look at: false positives, missed lesions, and a sample of what models found.

A blinded reader is told neither the model, nor the reference, nor which of the three a finding is.
Detected lesions are among them, so that to call everything a metastasis, or nothing, shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from cta_data.engine import Selection
from cta_data.engine.acceptance import FINDING
from cta_data.review.items import MaskSource, ReviewItem, Stop, about_key, in_words
from cta_data.scoring.mask_files import mask_path
from cta_data.study import layout
from cta_data.study.session_id import SessionId
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow, ImageRow, LesionScoreRow
from cta_data.versioning.keys import content_key, digest

FALSE, MISSED, DETECTED = "false", "missed", "detected"
LEAST_SAMPLE = 10
_TYPES = {
    FALSE: "false positive",
    MISSED: "missed lesion",
    DETECTED: "true positive (sample)",
}


def finding_items(
    study: Study, selection: Selection, convention: str, *, blinded: bool
) -> Iterator[ReviewItem]:
    """Yield the findings of an evaluation; those of masks without a session are left out.

    As many detected lesions are drawn as there are others, `LEAST_SAMPLE` at least. The draw
    depends on what they are alone: it is the same for every reader and every day.
    """
    sessions = sessions_by_case(study)
    rows = _rows(study, selection, convention, sessions)
    others = [row for row in rows if row.status == FALSE] + _missed_once(rows)
    detected = sorted((r for r in rows if r.status == DETECTED), key=lambda r: _order(study, r))
    sample = detected[: max(LEAST_SAMPLE, len(others))]
    models = sorted({row.model for row in rows})
    # A file has many findings, and the key of one that git-annex does not know takes its time.
    key_of = cache(lambda path: content_key(study.root / path) or "")
    for row in [*others, *sample]:
        yield _item(study, row, models, key_of, blinded=blinded)


def sessions_by_case(study: Study) -> dict[str, SessionId]:
    """Return the sessions with images by the names of their cases."""
    return {row.session.case: row.session for row in study.tables.rows(ImageRow)}


def _rows(
    study: Study, selection: Selection, convention: str, sessions: Mapping[str, SessionId]
) -> list[LesionScoreRow]:
    """Return the scored lesions of selected sessions, each with the session of its case."""
    cohorts = set(selection.cohorts)
    found = []
    for row in study.tables.rows(LesionScoreRow):
        session = sessions.get(row.case)
        if row.convention != convention or session is None:
            continue
        if (not cohorts or session.cohort in cohorts) and selection.takes(*session.patient):
            found.append(replace(row, session=session))
    return sorted(found, key=lambda r: (r.test_set, r.case, r.reference_lesion, r.model))


def _missed_once(rows: Iterable[LesionScoreRow]) -> list[LesionScoreRow]:
    """Return the missed lesions of the references: one that several models missed is one."""
    found: dict[tuple[object, ...], LesionScoreRow] = {}
    for row in rows:
        if row.status == MISSED:
            found.setdefault((row.test_set, row.technique, row.case, row.reference_lesion), row)
    return list(found.values())


def _order(study: Study, row: LesionScoreRow) -> str:
    return digest([study.identifier, row.test_set, row.model, row.case, row.reference_lesion])


def _item(
    study: Study,
    row: LesionScoreRow,
    models: list[str],
    key_of: Callable[[str], str],
    *,
    blinded: bool,
) -> ReviewItem:
    technique = row.technique or ""
    predicted = row.status != MISSED
    own = _mask(study, row, "finding", predicted=predicted)
    volume = (row.predicted_volume_mm3 if predicted else None) or row.reference_volume_mm3 or 0.0
    about = DecisionRow(
        kind=FINDING,
        session=row.session,
        convention=row.convention,
        test_set=row.test_set,
        model=row.model,
        case=row.case,
        reference_lesion=row.reference_lesion,
        predicted_lesion=row.predicted_lesion if predicted else 0,
        reader="",
        verdict="",
        decided_on="",
        content_key=key_of(own.path),
        blinded=blinded,
    )
    masks, facts = [own], [("Volume", in_words(volume / 1000, " cm³", 3))]
    if not blinded:
        facts.insert(0, ("Type", _TYPES[row.status]))
        facts += [("Model", row.model), ("Test set", row.test_set), ("Case", row.case)]
        masks += _others(study, row, models)
    stop = Stop("finding", point_ras_mm=row.centroid_ras_mm, grid=technique)
    # By volume alone: the place in the list must not tell what a finding is.
    urgency = volume / (volume + 500)
    number = digest([*map(str, about_key(about))])[:4]
    title = f"Finding {number} of {row.session}"
    return ReviewItem(about, title, tuple(facts), urgency, (stop,), tuple(masks), row.status)


def _mask(study: Study, row: LesionScoreRow, name: str, *, predicted: bool) -> MaskSource:
    technique = row.technique or ""
    number = row.predicted_lesion if predicted else row.reference_lesion
    about = (row.model, row.test_set, row.case)
    path = prediction_path(study, *about) if predicted else reference_path(study, row)
    return MaskSource(name, path, technique, number, row.convention)


def _others(study: Study, row: LesionScoreRow, models: list[str]) -> Iterator[MaskSource]:
    # A blinded reading needs neither, nor the plots and statistics that come with them.
    from cta_data.reports.finding_crops import outline_name
    from cta_data.scoring.models.findings import REFERENCE

    technique = row.technique or ""
    yield MaskSource(REFERENCE, reference_path(study, row), technique)
    scored = {
        one.model
        for one in study.tables.index(LesionScoreRow, ("test_set", "case"))[row.test_set, row.case]
        if one.technique == row.technique
    }
    for model in models:
        folder = study.root / layout.prediction_folder(model, row.test_set)
        found = mask_path(folder, row.case)
        if found and model in scored:
            path = found.relative_to(study.root).as_posix()
            yield MaskSource(outline_name(model), path, technique)


def prediction_path(study: Study, model: str, test_set: str, case: str) -> str:
    """Return where a predicted mask lies."""
    folder = study.root / layout.prediction_folder(model, test_set)
    return (mask_path(folder, case) or folder / case).relative_to(study.root).as_posix()


def prediction_key(study: Study, model: str, test_set: str, case: str) -> str | None:
    """Return the content key of a predicted mask, or None where it is not there.

    Raises
    ------
    NotAvailable
        The predictions' dataset cannot be installed here.
    """
    study.require(layout.PREDICTIONS)
    return content_key(study.root / prediction_path(study, model, test_set, case))


def reference_path(study: Study, row: LesionScoreRow) -> str:
    """Return where the mask that a finding was scored against lies."""
    folder = study.root / layout.REFERENCES / row.test_set
    found = mask_path(folder / (row.technique or ""), row.case) or mask_path(folder, row.case)
    return (found or folder / row.case).relative_to(study.root).as_posix()


def missed_key(study: Study, decision: DecisionRow) -> str | None:
    """Return the content key of the reference in which a lesion was missed, as it is now."""
    about = (decision.convention, decision.model, decision.test_set, decision.case)
    names = ("convention", "model", "test_set", "case")
    for row in study.tables.index(LesionScoreRow, names).get(about, []):
        if row.reference_lesion == decision.reference_lesion:
            return content_key(study.root / reference_path(study, row))
    return None
