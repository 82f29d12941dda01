"""The checklist CLAIM 2024, each item answered by the study's own tables and files, or not at all.

Nothing is guessed: what no table of the study says (aims, design, limitations, …) is for the
authors to answer, and the page says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from cta_data.reports.checklist_items import ITEMS, SOURCE, ChecklistItem
from cta_data.reports.origin import package_version
from cta_data.reports.page import page_html
from cta_data.reports.table import Row, Table, TableColumn
from cta_data.study import layout
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

NOT_ANSWERED = "not answered"
TITLE = "Checklist CLAIM 2024"
INTRO = (
    "Every item of the checklist with what the tables and files of this study say of it. Where "
    f"they say nothing it is `{NOT_ANSWERED}`: that is for the authors. An answer is a fact of the "
    "study and does not mean that the item is fulfilled. Topics are in our own words; the items "
    f"are explained in {SOURCE}. Files are named from the top of the study."
)


@dataclass(frozen=True)
class Answer:
    """An item, what the study says of it (empty: nothing), and files of the study that show it."""

    item: ChecklistItem
    text: str
    files: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        """Whether the study says anything."""
        return bool(self.text or self.files)


def checklist(study: Study, made: Collection[str] = ()) -> tuple[Answer, ...]:
    """Return every item with its answer, in order.

    Parameters
    ----------
    made
        Files of the study that are about to be written.
    """
    facts = _Facts(study)
    answers = []
    for item in ITEMS:
        answer = ANSWERS.get(item.number)
        text, files = answer(facts) if answer else ("", ())
        there = tuple(name for name in files if name in made or (study.root / name).exists())
        answers.append(Answer(item, text, there))
    return tuple(answers)


def checklist_frame(answers: Iterable[Answer]) -> pd.DataFrame:
    """Return one row per item: number, section, topic, answer and files."""
    rows = [
        {
            "item": one.item.number,
            "section": one.item.section,
            "topic": one.item.topic,
            "answer": one.text or ("" if one.files else NOT_ANSWERED),
            "files": " ".join(one.files),
        }
        for one in answers
    ]
    return pd.DataFrame(rows)


def checklist_html(answers: Sequence[Answer], notice: str = "") -> str:
    """Return the page."""
    columns = (
        TableColumn("Item"),
        *(TableColumn(name, "text") for name in ("Topic", "Answer of the study", "Files")),
    )
    rows = tuple(
        Row(
            (
                str(one.item.number),
                one.item.topic,
                one.text or ("see the files" if one.files else NOT_ANSWERED),
                ", ".join(one.files) or "—",
            ),
            group=one.item.section,
        )
        for one in answers
    )
    given = sum(one.is_given for one in answers)
    return page_html(
        "table.html",
        title=TITLE,
        notice=notice,
        home=f"../{layout.HOME}",
        intro=INTRO,
        tables=[Table(columns, rows)],
        notes=(f"{given} of {len(answers)} items are answered by the study.",),
        lists={},
    )


class _Facts:
    """What the tables of a study say, item by item; a text, and files that may be there."""

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


Told = tuple[str, tuple[str, ...]]


def _sources(facts: _Facts) -> Told:
    counts = Counter(row.session.cohort for row in facts.sessions)
    patients: dict[str, set[str]] = {cohort: set() for cohort in counts}
    for row in facts.sessions:
        patients[row.session.cohort].add(row.session.subject)
    text = _listed(
        f"{cohort}: {len(patients[cohort])} patients, {counts[cohort]} sessions"
        for cohort in sorted(counts)
    )
    return text, (f"{EVALUATION}/citations.md",)


def _excluded(facts: _Facts) -> Told:
    codes = Counter(row.exclusion_code or "" for row in facts.sessions)
    codes.pop("", None)
    text = _listed(f"{code}: {n}" for code, n in sorted(codes.items()))
    whole = f"{len(facts.sessions)} sessions; excluded by reason: {text or 'none'}"
    return whole if facts.sessions else "", facts.evaluated("flow.csv")


def _preprocessing(facts: _Facts) -> Told:
    own = facts.own
    text = (
        f"registration to {own.registration.reference} ({own.registration.kind}), "
        f"skull stripping by {own.brain_extraction.backend}, "
        f"lesions transferred to {' and '.join(own.transfer.grids)}"
    )
    return text, ("study.toml",)


def _subsets(facts: _Facts) -> Told:
    if not any(row.partition for row in facts.sessions):
        return "", ()
    n = sum(row.partition == "excluded" for row in facts.sessions)
    equal = "were" if facts.own.build.equalise_groups else "were not"
    return f"groups of annotation quality {equal} reduced to one size; {n} sessions excluded", ()


def _missing(facts: _Facts) -> Told:
    names = {"sex": "sex", "age_years": "age", "primary_tumour": "primary tumour"}
    counts = {
        text: sum(getattr(row, name) is None for row in facts.sessions)
        for name, text in names.items()
    }
    whole = len(facts.sessions)
    text = _listed(f"{name} of {n} of {whole} sessions" for name, n in counts.items())
    return f"not given: {text}" if whole else "", ()


def _acquisition(facts: _Facts) -> Told:
    parts = []
    for technique in sorted({row.technique for row in facts.images}):
        own = [row for row in facts.images if row.technique == technique]
        scanners = {" ".join(filter(None, (row.manufacturer, row.model))) for row in own} - {""}
        fields = sorted({row.field_strength_t for row in own if row.field_strength_t})
        told = f"{technique}: {len(own)} images"
        told += f", scanners {', '.join(sorted(scanners))}" if scanners else ""
        told += f", {', '.join(f'{one:g}' for one in fields)} T" if fields else ""
        parts.append(told)
    return _listed(parts), ()


def _reference(facts: _Facts) -> Told:
    kinds = Counter((row.quality, row.drawn_on, row.origin) for row in facts.annotations)
    return _listed(
        f"{n} {quality} annotations on {technique}, {origin}"
        for (quality, technique, origin), n in sorted(kinds.items())
    ), ()


def _readers(facts: _Facts) -> Told:
    counts = Counter(row.reader for row in facts.annotations)
    return _listed(f"reader {name}: {n} annotations" for name, n in sorted(counts.items())), ()


def _test_annotation(facts: _Facts) -> Told:
    return _cases((row.test_set, row.case) for row in facts.predictions), ()


def _agreement(facts: _Facts) -> Told:
    return "", (layout.AGREEMENT_PAGE,)


def _partitions(facts: _Facts) -> Told:
    counts = Counter(row.partition for row in facts.sessions if row.partition)
    if not counts:
        return "", ()
    build = facts.own.build
    told = _listed(f"{name}: {n} sessions" for name, n in sorted(counts.items()))
    rule = f"by hash with seed {build.seed}, {100 * build.test_fraction:g} % for testing"
    return f"{told}; {rule}, {build.folds} folds", ("study.toml",)


def _apart(facts: _Facts) -> Told:
    places: dict[tuple[str, str, str], set[str]] = {}
    for row in facts.study.tables.rows(SplitRow):
        places.setdefault((row.setting, row.cohort, row.subject), set()).add(row.partition)
    if not places:
        return "", ()
    mixed = sum(len(own) > 1 for own in places.values())
    return f"patients: {mixed} of {len(places)} are in more than one partition of a setting", ()


def _architecture(facts: _Facts) -> Told:
    kinds = sorted({(row.model, row.configuration, row.planner) for row in facts.folds})
    text = _listed(f"model {name}: nnU-Net {how}, {planner}" for name, how, planner in kinds)
    return text, tuple(sorted({row.card_path for row in facts.folds}))


def _software(facts: _Facts) -> Told:
    return f"cta_data {package_version()}; the cards of the models name theirs", ()


def _training(facts: _Facts) -> Told:
    models: dict[str, list[ModelFoldRow]] = {}
    for row in facts.folds:
        models.setdefault(row.model, []).append(row)
    text = _listed(
        f"model {name}: {len(own)} folds, {', '.join(sorted({str(r.epochs) for r in own}))} epochs"
        for name, own in sorted(models.items())
    )
    return text, ("study.toml",) if text else ()


def _ensembles(facts: _Facts) -> Told:
    used = {(row.model, len(row.folds)) for row in facts.predictions}
    return _listed(f"model {name}: {n} folds averaged" for name, n in sorted(used)), ()


def _metrics(facts: _Facts) -> Told:
    text = f"scored by {', '.join(facts.conventions)}" if facts.conventions else ""
    return text, facts.evaluated("report.html")


def _uncertainty(facts: _Facts) -> Told:
    return "", facts.evaluated("table_2.csv", "sensitivity_by_volume.csv", "subgroups.csv")


def _robustness(facts: _Facts) -> Told:
    return "", facts.evaluated("subgroups.csv")


def _internal(facts: _Facts) -> Told:
    return _cases_of(facts, internal=True), facts.evaluated("table_2.csv")


def _external(facts: _Facts) -> Told:
    return _cases_of(facts, internal=False), facts.evaluated("table_3.csv")


def _numbers(facts: _Facts) -> Told:
    return "", facts.evaluated("flow.csv", "cases.csv")


def _characteristics(facts: _Facts) -> Told:
    return "", (layout.TABLE_1_PAGE,)


def _performance(facts: _Facts) -> Told:
    return "", facts.evaluated("table_2.csv", "table_3.csv", "table_further.csv")


def _precision(facts: _Facts) -> Told:
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
    return text, facts.evaluated("sensitivity_by_volume.csv")


def _failures(facts: _Facts) -> Told:
    # Decisions are not counted: a record that is run again would count those that came later.
    return "", facts.evaluated("false_positives.csv", "findings.csv")


def _availability(facts: _Facts) -> Told:
    licences = Counter(row.licence or "licence not given" for row in facts.sessions)
    text = _listed(f"{name}: {n} sessions" for name, n in sorted(licences.items()))
    return f"data: {text}" if text else "", (f"{EVALUATION}/citations.md",)


def _cases_of(facts: _Facts, *, internal: bool) -> str:
    return _cases(
        (row.test_set, row.case)
        for row in facts.scores
        if row.test_set.startswith("internal") == internal
    )


def _cases(of_sets: Iterable[tuple[str, str]]) -> str:
    """Return how many cases each test set has, from pairs of a test set and a case."""
    counts = Counter(test_set for test_set, _ in set(of_sets))
    return _listed(f"{name}: {n} cases" for name, n in sorted(counts.items()))


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)


ANSWERS: dict[int, Callable[[_Facts], Told]] = {
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
