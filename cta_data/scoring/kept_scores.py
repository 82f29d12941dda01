"""Scores of cases as `cta-data score` printed (JSON) or kept (Parquet) them, or as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import read_json
from cta_data.scoring.output import RULES
from cta_data.scoring.summary import METRICS

PARQUET_START = b"PAR1"
CHOICES = ("test_set", "model")
LABEL = "label"
"""The one rule that may be missing: then every value is lesion, which is a rule as well."""
KeptCase = dict[str, JsonValue]
"""Scores and counts of a case by name, with whatever else the file has of it."""


@dataclass(frozen=True)
class KeptContent:
    """What a file holds: a convention's name and rules, and cases of any models and test sets."""

    convention: str
    options: dict[str, JsonValue]
    cases: list[KeptCase]


@dataclass(frozen=True)
class KeptScores:
    """Scores of cases by one convention.

    Attributes
    ----------
    source
        The file that they come from, as it was given.
    convention
        Name of the convention.
    options
        The convention's rules by name, as far as the file holds them.
    cases
        One row per case, by the case's name in order; a column a score or count, NaN where it is
        undefined.
    test_set
        Empty where the file names none.
    """

    source: str
    convention: str
    options: dict[str, JsonValue]
    cases: pd.DataFrame
    test_set: str = ""


def read_scores(path: Path, choice: Mapping[str, str] | None = None) -> KeptScores:
    """Read the scores of cases from JSON or Parquet, distinguished by content.

    Parameters
    ----------
    choice
        Of a file with several models or test sets, what is wanted: `model` and `test_set`.

    Raises
    ------
    ConfigurationError
        A file that is not there or is neither, has no case, a case without a name or twice, or
        cases of several conventions, models or test sets without a choice; a metric that is not a
        number, or is infinite.
    """
    if not path.is_file():
        link = path.is_symlink()
        raise ConfigurationError(
            "link_content_not_fetched" if link else "scores_not_found", where=path, path=path
        )
    with path.open("rb") as file:
        is_parquet = file.read(len(PARQUET_START)) == PARQUET_START
    kept = _from_parquet(path) if is_parquet else _from_json(path)
    chosen = _chosen(path, kept.cases, choice or {})
    test_set = str(chosen[0].get("test_set", "")) if chosen else ""
    cases = _frame(path, chosen)
    return KeptScores(str(path), kept.convention, kept.options, cases, test_set)


def scores_of_table(table: pd.DataFrame, source: str) -> KeptScores:
    """Return the scores of a table that Python holds; `source` names it in errors.

    Parameters
    ----------
    table
        One row per case. Its name is in the column `case`, or else in the index.

    Raises
    ------
    ConfigurationError
        It is no table, names no case or one twice, holds several conventions, models or test sets,
        or a metric that is not a number, or is infinite.
    """
    if not isinstance(table, pd.DataFrame):
        raise ConfigurationError("score_table_expected", where=source, given=type(table).__name__)
    if "case" not in table.columns:
        if "case" in table.index.names:
            table = table.reset_index(level="case")
        elif isinstance(table.index, pd.RangeIndex | pd.MultiIndex):
            raise ConfigurationError("score_table_without_cases", where=source)
        else:
            table = table.rename_axis("case").reset_index()
    if twice := table.columns[table.columns.duplicated()].tolist():
        raise _not_scores(source, f"the column {twice[0]} is there twice")
    table = table.assign(case=table["case"].astype(str))
    kept: dict[str, JsonValue] = {}
    for column in ("convention", *CHOICES, *RULES):
        there = table[column].dropna().unique().tolist() if column in table.columns else []
        if column == LABEL and column in table.columns and table[column].isna().any():
            there.append(None)
        if len(there) > 1:
            raise ConfigurationError(
                "score_table_mixed", where=source, column=column, there=tuple(map(str, there))
            )
        if there:
            kept[column] = there[0]
    rows = table.drop(columns=list(kept)).astype(object).where(table.notna(), None)
    plain = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    cases = _frame(source, plain)
    options = {name: kept[name] for name in RULES if name in kept}
    convention, test_set = (str(kept.get(name, "")) for name in ("convention", "test_set"))
    return KeptScores(source, convention, options, cases, test_set)


def _chosen(path: Path, rows: list[KeptCase], choice: Mapping[str, str]) -> list[KeptCase]:
    """Return the rows of one model on one test set; all where the file names neither."""
    for column in CHOICES:
        wanted = choice.get(column, "")
        there = list(dict.fromkeys(_name_in(row, column) for row in rows if column in row))
        if wanted and wanted not in there:
            raise ConfigurationError(
                "score_choice_not_found",
                where=path,
                column=str(column.replace("_", " ")),
                wanted=wanted,
                there=", ".join(there) or "none by name",
                option=column.replace("_", "-"),
            )
        if not wanted and len(there) > 1:
            raise ConfigurationError(
                "score_choice_ambiguous",
                where=path,
                column=str(column.replace("_", " ")),
                there=tuple(there),
                option=column.replace("_", "-"),
            )
        rows = [row for row in rows if not wanted or _name_in(row, column) == wanted]
    return rows


def _name_in(row: KeptCase, column: str) -> str:
    """Return the model or test set of a case; empty where the file does not say it of this one."""
    return str(row.get(column, ""))


def _from_json(path: Path) -> KeptContent:
    try:
        content = read_json(path)
    except DataRefused as error:
        raise _not_scores(path, f"neither JSON nor Parquet: {error.why or error.what}") from error
    if not isinstance(content, dict) or not isinstance(content.get("convention"), str):
        raise _not_scores(path, "it names no convention")
    rows, options = content.get("cases"), content.get("options")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _not_scores(path, "it holds no list of cases")
    return KeptContent(content["convention"], options if isinstance(options, dict) else {}, rows)


def _from_parquet(path: Path) -> KeptContent:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _not_scores(path, f"not readable as Parquet: {error}") from error
    if "convention" not in table.column_names:
        raise _not_scores(path, "it has no column convention")
    rows = table.to_pylist()
    kept = {
        name: _one_value(path, name, [row.pop(name) for row in rows])
        for name in ("convention", *RULES)
        if name in table.column_names
    }
    return KeptContent(str(kept.pop("convention")), kept, rows)


def _one_value(path: Path, name: str, values: list[JsonValue]) -> JsonValue:
    distinct = list(dict.fromkeys(values))
    if len(distinct) > 1:
        raise _not_scores(path, f"it mixes {name} {' and '.join(map(str, distinct))}")
    return distinct[0] if distinct else ""


def _frame(path: Path | str, rows: list[KeptCase]) -> pd.DataFrame:
    if not rows:
        raise _not_scores(path, "it holds no case")
    names = [row.get("case") for row in rows]
    if not all(isinstance(name, str) and name for name in names):
        raise _not_scores(path, "a case has no name")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise _not_scores(path, f"cases are there twice: {', '.join(twice[:5])}")
    columns = dict.fromkeys(key for row in rows for key in row)
    values = {
        column: [_number(path, column, row.get(column)) for row in rows]
        for column in columns
        if column in METRICS or all(_is_number(row.get(column)) for row in rows)
    }
    frame = pd.DataFrame(values, index=pd.Index(names, name="case"), dtype="float64")
    return frame.sort_index()


def _number(path: Path | str, column: str, value: object) -> float:
    if not _is_number(value):
        raise _not_scores(path, f"{column} is {value!r}")
    try:
        number = math.nan if value is None else float(value)  # type: ignore[arg-type]
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if math.isinf(number):
        raise _not_scores(path, f"{column} is infinite")
    return number


def _is_number(value: object) -> bool:
    """Return whether a value is a number, or undefined."""
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _not_scores(path: Path | str, why: str) -> ConfigurationError:
    return ConfigurationError("scores_unreadable", where=path, why=why)
