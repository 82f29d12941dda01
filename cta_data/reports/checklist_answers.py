"""What the tables and files of a study say about the items of the checklist.

An answer is a text, and files that may be there. Where the text is empty and a file is there, the
answer is what the file holds (`FILE_CONTENT`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from cta_data.reasons import counted
from cta_data.reports.flow import reason_class
from cta_data.reports.names import METRIC_NAMES
from cta_data.reports.origin import package_version
from cta_data.scoring.models.score_table import TITLES
from cta_data.scoring.paper import in_paper_order
from cta_data.study import layout
from cta_data.study.annotations import CONSENSUS, CURRENT
from cta_data.study.study import EVALUATION, Study
from cta_data.study.tables import (
    AnnotationRow,
    CaseScoreRow,
    ImageRow,
    LesionScoreRow,
    ModelFoldRow,
    PredictionRow,
    SessionRow,
    SplitRow,
)

SCORE_FILES = tuple(f"{name}.csv" for name in TITLES)
FILE_CONTENT = {
    **{f"{name}.csv": f"scores of m{title.removeprefix('M')}" for name, title in TITLES.items()},
    "cases.csv": "cases by model and test set: scored, failed, left out",
    "calibration.csv": "calibration of probabilities",
    "false_positives.csv": "false positives by model and test set",
    "findings.csv": "examples of detected, missed and false lesions, selected by rule",
    "flow.csv": "patient flow: sessions, patients and lesions, with reasons of exclusion",
    "froc_levels.csv": "sensitivity at numbers of false positives per case, with intervals",
    "sensitivity_by_volume.csv": "sensitivity by lesion volume, with 95 % intervals",
    "subgroups.csv": "sensitivity in subgroups of patients, images and lesions, with 95 % "
    "intervals and tests",
    "surfaces.csv": "surface distances, with 95 % intervals",
    PurePosixPath(layout.AGREEMENT_PAGE).name: "agreement of annotations, by readers and qualities",
    PurePosixPath(layout.TABLE_1_PAGE).name: "patients and lesions of each partition",
}
"""What a file holds, by its name without folders."""
PARTITIONS = {
    "train": "training",
    "test": "test",
    "external": "external test",
    "excluded": "excluded",
}
Told = tuple[str, tuple[str, ...]]


class Facts:
    """The tables of a study that answers are made of."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.own = study.configuration
        rows = study.tables.rows
        self.sessions = rows(SessionRow)
        self.images = [row for row in rows(ImageRow) if not row.description]
        self.annotations = rows(AnnotationRow)
        self.folds = rows(ModelFoldRow)
        self.predictions = rows(PredictionRow)
        self.scores = rows(CaseScoreRow)
        self.conventions = sorted({row.convention for row in self.scores})

    def evaluated(self, *names: str) -> tuple[str, ...]:
        """Return files of every evaluation."""
        return tuple(f"{EVALUATION}/{one}/{name}" for one in self.conventions for name in names)


def _sources(facts: Facts) -> Told:
    counts = Counter(row.session.cohort for row in facts.sessions)
    patients: dict[str, set[str]] = {cohort: set() for cohort in counts}
    for row in facts.sessions:
        patients[row.session.cohort].add(row.session.subject)
    text = _listed(
        f"{cohort}: {counted(len(patients[cohort]), 'patient')}, "
        f"{counted(counts[cohort], 'session')}"
        for cohort in sorted(counts)
    )
    return text, (f"{EVALUATION}/citations.md",)


def _excluded(facts: Facts) -> Told:
    reasons = Counter(
        reason_class(row.exclusion_step or "", row.exclusion_code or "")
        for row in facts.sessions
        if row.exclusion_code or row.partition == "excluded"
    )
    named = _listed(f"{n} {reason}" for reason, n in reasons.most_common())
    whole = f"{counted(len(facts.sessions), 'session')}; excluded: {named or 'none'}"
    return whole if facts.sessions else "", facts.evaluated("flow.csv")


def _preprocessing(facts: Facts) -> Told:
    own = facts.own
    text = (
        f"registration to {own.registration.reference} ({own.registration.kind}), "
        f"skull stripping by {own.brain_extraction.backend}, "
        f"lesions transferred to {' and '.join(own.transfer.grids)}"
    )
    return text, ("study.toml",)


def _subsets(facts: Facts) -> Told:
    if not any(row.partition for row in facts.sessions):
        return "", ()
    n = sum(row.partition == "excluded" for row in facts.sessions)
    equal = "were" if facts.own.build.equalise_groups else "were not"
    whole = f"groups of annotation quality {equal} reduced to one size"
    return f"{whole}; {counted(n, 'session')} excluded", ()


def _missing(facts: Facts) -> Told:
    names = {"sex": "sex", "age_years": "age", "primary_tumour": "primary tumour"}
    counts = {
        text: sum(getattr(row, name) is None for row in facts.sessions)
        for name, text in names.items()
    }
    whole = len(facts.sessions)
    text = _listed(f"{name} of {n} of {counted(whole, 'session')}" for name, n in counts.items())
    return f"not given: {text}" if whole else "", ()


def _acquisition(facts: Facts) -> Told:
    parts = []
    for technique in sorted({row.technique for row in facts.images}):
        own = [row for row in facts.images if row.technique == technique]
        scanners = {" ".join(filter(None, (row.manufacturer, row.model))) for row in own} - {""}
        fields = sorted({row.field_strength_t for row in own if row.field_strength_t})
        told = f"{technique}: {counted(len(own), 'image')}"
        told += f", scanners {', '.join(sorted(scanners))}" if scanners else ""
        told += f", {', '.join(f'{one:g}' for one in fields)} T" if fields else ""
        parts.append(told)
    return _listed(parts), ()


def _reference(facts: Facts) -> Told:
    return _delineated(row for row in facts.annotations if row.status == CURRENT), ()


def _delineated(rows: Iterable[AnnotationRow]) -> str:
    kinds = Counter((row.quality or "", row.drawn_on, row.origin) for row in rows)
    return _listed(
        f"{counted(n, f'{quality} annotation'.strip())} on {technique}, {origin}"
        for (quality, technique, origin), n in sorted(kinds.items())
    )


def _readers(facts: Facts) -> Told:
    counts = Counter(row.reader for row in facts.annotations if row.origin != CONSENSUS)
    return _listed(
        f"reader {name}: {counted(n, 'annotation')}" for name, n in sorted(counts.items())
    ), ()


def _test_annotation(facts: Facts) -> Told:
    names: dict[str, set[str]] = {}
    for row in facts.predictions:
        names.setdefault(row.test_set, set()).add(row.case)
    current = [row for row in facts.annotations if row.status == CURRENT]
    told = []
    for test_set in in_paper_order(names):
        own = names[test_set]
        made = _delineated(row for row in current if row.session.case in own)
        told.append(f"{test_set}: {counted(len(own), 'case')}" + (f" ({made})" if made else ""))
    return _listed(told), ()


def _agreement(facts: Facts) -> Told:
    return "", (layout.AGREEMENT_PAGE,)


def _partitions(facts: Facts) -> Told:
    counts = Counter(row.partition for row in facts.sessions if row.partition)
    if not counts:
        return "", ()
    build = facts.own.build
    told = _listed(
        f"{name}: {counted(counts[partition], 'session')}"
        for partition, name in PARTITIONS.items()
        if counts[partition]
    )
    rule = f"by hash with seed {build.seed}, {100 * build.test_fraction:g} % for testing"
    return f"{told}; {rule}, {counted(build.folds, 'fold')}", ("study.toml",)


def _apart(facts: Facts) -> Told:
    places: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in facts.study.tables.rows(SplitRow):
        of_setting = places.setdefault((row.cohort, row.subject), {})
        of_setting.setdefault(row.setting, set()).add(row.partition)
    if not places:
        return "", ()
    mixed = sum(any(len(own) > 1 for own in one.values()) for one in places.values())
    return f"patients: {mixed} of {len(places)} are in more than one partition of a setting", ()


def _architecture(facts: Facts) -> Told:
    kinds = sorted({(row.model, row.configuration, row.planner) for row in facts.folds})
    return _listed(f"model {name}: nnU-Net {how}, {planner}" for name, how, planner in kinds), ()


def _software(facts: Facts) -> Told:
    first: dict[str, ModelFoldRow] = {}
    for row in sorted(facts.folds, key=lambda row: row.fold):
        first.setdefault(row.model, row)
    own = f"this report: cta_data {package_version()}"
    cards = "; training: in the card of each fold (here the first of each model)" if first else ""
    return own + cards, tuple(first[model].card_path for model in sorted(first))


def _training(facts: Facts) -> Told:
    models: dict[str, list[ModelFoldRow]] = {}
    for row in facts.folds:
        models.setdefault(row.model, []).append(row)
    text = _listed(
        f"model {name}: {counted(len(own), 'fold')}, {_epochs(own)} epochs"
        for name, own in sorted(models.items())
    )
    return text, ("study.toml",) if text else ()


def _epochs(folds: Iterable[ModelFoldRow]) -> str:
    return ", ".join(map(str, sorted({row.epochs for row in folds})))


def _ensembles(facts: Facts) -> Told:
    used = {(row.model, len(row.folds)) for row in facts.predictions}
    return _listed(f"model {name}: {counted(n, 'fold')} averaged" for name, n in sorted(used)), ()


def _metrics(facts: Facts) -> Told:
    if not facts.conventions:
        return "", ()
    metrics = ", ".join((*METRIC_NAMES.values(), "surface distances"))
    text = f"{metrics}; scored by the convention {' and by '.join(facts.conventions)}"
    return text, facts.evaluated("report.html")


def _uncertainty(facts: Facts) -> Told:
    names = ("table_2.csv", "table_3.csv", "table_further.csv")
    more = ("sensitivity_by_volume.csv", "subgroups.csv", "surfaces.csv", "froc_levels.csv")
    return "", facts.evaluated(*names, *more)


def _robustness(facts: Facts) -> Told:
    return "", facts.evaluated("subgroups.csv")


def _internal(facts: Facts) -> Told:
    return _cases_of(facts, internal=True), facts.evaluated("table_2.csv")


def _external(facts: Facts) -> Told:
    return _cases_of(facts, internal=False), facts.evaluated("table_3.csv")


def _numbers(facts: Facts) -> Told:
    return "", facts.evaluated("flow.csv", "cases.csv")


def _characteristics(facts: Facts) -> Told:
    return "", (layout.TABLE_1_PAGE,)


def _performance(facts: Facts) -> Told:
    return "", facts.evaluated(*SCORE_FILES, "surfaces.csv", "calibration.csv")


def _precision(facts: Facts) -> Told:
    counts: dict[tuple[str, str], list[int]] = {}
    for row in facts.study.tables.rows(LesionScoreRow):
        if row.status != "false":
            own = counts.setdefault((row.convention, row.model), [0, 0])
            own[0] += row.status == "detected"
            own[1] += 1
    text = _listed(
        f"model {model} detected {found} of {whole} lesions ({convention})"
        for (convention, model), (found, whole) in sorted(counts.items())
    )
    return text, facts.evaluated("sensitivity_by_volume.csv", "froc_levels.csv")


def _failures(facts: Facts) -> Told:
    # Decisions are not counted: a record that is run again would count those that came later.
    return "", facts.evaluated("false_positives.csv", "findings.csv")


def _availability(facts: Facts) -> Told:
    licences = Counter(row.licence or "licence not given" for row in facts.sessions)
    text = _listed(f"{name}: {counted(n, 'session')}" for name, n in sorted(licences.items()))
    return f"data: {text}" if text else "", (f"{EVALUATION}/citations.md",)


def _cases_of(facts: Facts, *, internal: bool) -> str:
    return _cases(
        (row.test_set, row.case)
        for row in facts.scores
        if row.test_set.startswith("internal") == internal
    )


def _cases(of_sets: Iterable[tuple[str, str]]) -> str:
    """Return how many cases each test set has, from pairs of a test set and a case."""
    counts = Counter(test_set for test_set, _ in set(of_sets))
    return _listed(f"{name}: {counted(counts[name], 'case')}" for name in in_paper_order(counts))


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)


ANSWERS: dict[int, Callable[[Facts], Told]] = {
    7: _sources,
    8: _excluded,
    9: _preprocessing,
    10: _subsets,
    12: _missing,
    13: _acquisition,
    14: _reference,
    16: _readers,
    17: _test_annotation,
    18: _agreement,
    19: _partitions,
    20: _apart,
    22: _architecture,
    23: _software,
    25: _training,
    27: _ensembles,
    28: _metrics,
    29: _uncertainty,
    30: _robustness,
    32: _internal,
    33: _external,
    35: _numbers,
    36: _characteristics,
    37: _performance,
    38: _precision,
    39: _failures,
    43: _availability,
}
"""Items that tables and files of a study can answer."""
