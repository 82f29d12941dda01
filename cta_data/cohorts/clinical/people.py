"""What clinical tables tell of a subject and session, in one vocabulary."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cta_data.cohorts.clinical.card import ClinicalTable
from cta_data.cohorts.clinical.keyed_rows import (
    SECOND,
    CellProblem,
    KeyedRow,
    KeyedTable,
    key_rows,
    matching_columns,
    plain_value,
)
from cta_data.cohorts.clinical.lesion_rows import LesionRow
from cta_data.cohorts.clinical.phenotype import (
    Phenotype,
    make_phenotype,
    named_people,
)
from cta_data.cohorts.clinical.sheets import EXTENSIONS, read_sheet
from cta_data.cohorts.clinical.vocabulary import (
    FIELDS,
    NOT_GIVEN,
    UNKNOWN,
    CellReading,
    fold,
    read_age,
    read_term,
)
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.patterns import search

Value = str | float
LIFELONG = ("sex",)
"""Fields that all rows of a patient must agree on, whatever their session."""


@dataclass(frozen=True)
class Person:
    """A patient at a session; None is what no table tells.

    Attributes
    ----------
    sex
        `female`, `male` or `other`.
    age_years
        Age in years.
    primary_tumour
        `lung`, `melanoma`, `breast`, `kidney`, `unknown` or `others`.
    prior_brain_radiotherapy
        `none`, `srs` or `wbrt`.
    """

    sex: str | None = None
    age_years: float | None = None
    primary_tumour: str | None = None
    prior_brain_radiotherapy: str | None = None


@dataclass(frozen=True)
class _Fact:
    """One cell that was understood."""

    source_id: str
    session: str
    field: str
    value: Value
    table: str


class Clinical:
    """The clinical tables of a cohort, read once.

    Attributes
    ----------
    problems
        What could not be used and so is missing, each with its table and column.
    """

    def __init__(self, tables: Sequence[KeyedTable], problems: Sequence[CellProblem] = ()) -> None:
        self._tables = tuple(tables)
        facts: list[_Fact] = []
        found = list(problems)
        for table in tables:
            found += table.problems
            for field in table.card.columns.given():
                understood, unmapped = _facts(table, field)
                facts += understood
                found += unmapped
        self._values, contradictions = _agreed(facts)
        self._lesions: dict[tuple[str, str], list[LesionRow]] = defaultdict(list)
        for table in tables:
            rows, misnumbered = _lesion_rows(table)
            found += misnumbered
            for row in rows:
                self._lesions[row.source_id, row.session].append(row)
        self.problems: tuple[CellProblem, ...] = (*found, *contradictions)

    def person(self, source_id: str, session: str = "") -> Person:
        """Return what is known of a patient at a session.

        What a row of the session says wins over what a row without a session says; the sex is
        that of all rows of the patient. Without a session, only what all sessions agree on is
        known. A patient whom no table names is one of whom nothing is known.
        """
        return Person(**{field: self._value(source_id, session, field) for field in FIELDS})  # type: ignore[arg-type]

    def lesion_rows(self, source_id: str, session: str = "") -> list[LesionRow]:
        """Return the rows of lesions of a session, in the order of their table."""
        return list(self._lesions.get((source_id, session), ()))

    def phenotypes(self) -> list[Phenotype]:
        """Return tables about patients or sessions in the form in which they leave the raw data.

        Of tables of lesions, what may leave goes with the lesion rows.
        """
        return [make_phenotype(table) for table in self._tables if not table.card.lesions]

    def named_people(self) -> frozenset[str]:
        """Return the names in columns of names of all tables but those of lesions."""
        tables = (table for table in self._tables if not table.card.lesions)
        return frozenset().union(*map(named_people, tables))

    def subjects(self) -> list[str]:
        """Return the patients whom any table names, sorted."""
        return sorted({row.source_id for table in self._tables for row in table.rows})

    def sessions(self, source_id: str) -> list[str]:
        """Return the sessions that any table has of a patient, in the order of the tables."""
        rows = (row for table in self._tables for row in table.rows)
        return list(dict.fromkeys(r.session for r in rows if r.source_id == source_id))

    def _value(self, source_id: str, session: str, field: str) -> Value | None:
        of_session = self._values.get((source_id, "" if field in LIFELONG else session, field))
        if of_session is not None:
            return of_session[0]
        of_patient = self._values.get((source_id, "", field))
        if of_patient is not None or session:
            return of_patient[0] if of_patient else None
        anywhere = {v[0] for (i, _, f), v in self._values.items() if (i, f) == (source_id, field)}
        return anywhere.pop() if len(anywhere) == 1 else None


def find_clinical_files(section: Sequence[ClinicalTable], names: Iterable[str]) -> dict[str, str]:
    """Return the file of each table, by the table's name; a table without a file is not there.

    Of several files that fit the first by name is taken, the shallowest first.

    Parameters
    ----------
    names
        Paths relative to the cohort's raw data, with `/` between folders.

    Raises
    ------
    ConfigurationError
        Two tables of the card have the same name.
    """
    candidates = _candidates(section, names)
    return {name: found[0] for name, found in candidates.items() if found}


def read_clinical(cards: Sequence[ClinicalTable], folder: Path) -> Clinical:
    """Read the tables that a card names from a folder of raw data.

    A table that is not there or cannot be read costs what it tells and nothing else: it is one
    of the problems.

    Raises
    ------
    ConfigurationError
        Two tables of the card have the same name.
    """
    candidates = _candidates(cards, _files(folder) if cards else ())
    tables: list[KeyedTable] = []
    problems: list[CellProblem] = []
    for card in cards:
        files = candidates[card.name]
        if not files:
            message = "no file of the raw data is this table"
            problems.append(CellProblem(card.name, "", card.file, 0, "no_file", message))
            continue
        if len(files) > 1:
            message = f"several files could be this table; the first is used: {', '.join(files)}"
            problems.append(CellProblem(card.name, "", card.file, 0, "several_files", message))
        try:
            sheet = read_sheet(folder / files[0], card.sheet, card.keys.subject)
        except DataRefused as refusal:
            problems.append(CellProblem(card.name, "", files[0], 0, "unreadable", str(refusal)))
        else:
            tables.append(key_rows(card, sheet))
    return Clinical(tables, problems)


def _candidates(section: Sequence[ClinicalTable], names: Iterable[str]) -> dict[str, list[str]]:
    twice = [name for name, n in Counter(card.name for card in section).items() if n > 1]
    if twice:
        raise ConfigurationError(
            "clinical_table_name_repeated", where="clinical.name", twice=twice[0]
        )
    tables = [name for name in names if name.lower().endswith(EXTENSIONS) and not _is_lock(name)]
    ordered = sorted(tables, key=lambda name: (name.count("/"), name))
    return {card.name: [n for n in ordered if search(card.file, n)] for card in section}


def _is_lock(name: str) -> bool:
    """Return whether a file is what Office leaves beside a workbook that is open."""
    return name.rpartition("/")[2].startswith(("~$", "._"))


def _files(folder: Path) -> Iterator[str]:
    """Yield paths of files relative to a folder; hidden folders hold none of the raw data."""
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            yield (Path(path) / name).relative_to(folder).as_posix()


def _facts(table: KeyedTable, field: str) -> tuple[list[_Fact], list[CellProblem]]:
    """Return what a column says, and the texts that say nothing known."""
    facts: list[_Fact] = []
    unmapped: Counter[str] = Counter()
    readings: dict[str, CellReading] = {}
    if field not in table.positions:
        return [], []
    for row in table.rows:
        text = table.cell(row, field)
        if text not in readings:
            readings[text] = _read(table.card, field, text)
        reading = readings[text]
        value = reading.value
        if reading.understood and value in (None, UNKNOWN):
            value = _second(table, row, field) or value
        if not reading.understood:
            unmapped[text] += 1
        elif value is not None:
            facts.append(_Fact(row.source_id, row.session, field, value, table.card.name))
    message = f"this is no {field} that is known; add it to [clinical.values] of the card"
    if field == "age_years":
        message = "this is no age in years; where it is a code for none, map it to n/a"
    header = table.header(field)
    return facts, [
        CellProblem(table.card.name, header, text, n, "unmapped", message)
        for text, n in unmapped.items()
    ]


def _second(table: KeyedTable, row: KeyedRow, field: str) -> str | None:
    """Return what the second column of a field says, if there is one and it is understood."""
    fallback = table.card.fallback.given().get(field)
    text = fold(table.cell(row, f"{field}{SECOND}"))
    if fallback is None or not text:
        return None
    found = (rule.value for rule in fallback.patterns if search(rule.pattern, text))
    value = next(found, NOT_GIVEN)
    return None if value == NOT_GIVEN else value


def _read(card: ClinicalTable, field: str, text: str) -> CellReading:
    if field == "age_years":
        return read_age(text, card.values.folded(field))
    return read_term(field, text, card.values.folded(field), card.patterns.of(field))


def _agreed(
    facts: Sequence[_Fact],
) -> tuple[dict[tuple[str, str, str], tuple[Value | None]], list[CellProblem]]:
    """Return what the facts of each patient, session and field agree on, and where they do not.

    Where they contradict each other nothing is known, which is not the same as no fact at all.
    """
    groups: dict[tuple[str, str, str], list[_Fact]] = defaultdict(list)
    for fact in facts:
        session = "" if fact.field in LIFELONG else fact.session
        groups[fact.source_id, session, fact.field].append(fact)
    values: dict[tuple[str, str, str], tuple[Value | None]] = {}
    problems = []
    for key, group in groups.items():
        different = dict.fromkeys(fact.value for fact in group)
        values[key] = (group[0].value if len(different) == 1 else None,)
        if len(different) > 1:
            tables = ", ".join(dict.fromkeys(fact.table for fact in group))
            said = ", ".join(sorted(str(value) for value in different))
            message = f"rows of one patient contradict each other, so {key[2]} stays missing"
            problems.append(
                CellProblem(tables, key[2], said, len(group), "contradiction", message, key[0])
            )
    return values, problems


def _lesion_rows(table: KeyedTable) -> tuple[list[LesionRow], list[CellProblem]]:
    """Return the rows of a table of lesions, by their position where its numbers are no numbers."""
    if table.card.lesions is None or "lesion_name" not in table.positions:
        return [], []
    texts = [plain_value(table.cell(row, "lesion_number")) for row in table.rows]
    numbered = all(re.fullmatch(r"\d+", text) for text in texts)
    numbers = [int(text) for text in texts] if numbered else []
    problems = []
    if len(set(numbers)) != len(texts):
        numbers = list(range(1, len(texts) + 1))
        if "lesion_number" in table.positions:
            message = "numbers are missing or come twice; rows are counted instead"
            column = table.header("lesion_number")
            problems.append(
                CellProblem(table.card.name, column, "", len(texts), "lesion_number", message)
            )
    published = matching_columns(table.sheet, table.card.lesions.publish)
    names = table.sheet.columns
    rows = [
        LesionRow(
            number,
            row.source_id,
            row.session,
            table.cell(row, "lesion_name"),
            table.cell(row, "lesion_location"),
            {names[i].name: row.cells[i] for i in published},
        )
        for number, row in zip(numbers, table.rows, strict=True)
    ]
    return rows, problems
