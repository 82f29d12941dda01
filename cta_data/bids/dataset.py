"""The files that make a folder a BIDS dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from cta_data.errors import ConfigurationError
from cta_data.files import json_text, write_changed, write_text

BIDS_VERSION = "1.10.0"
SOFTWARE_NAME = "cta_data"
MISSING = "n/a"
OLDEST_AGE_YEARS = 89  # BIDS caps ages here, as a higher one can single out a person
IGNORED = (
    "**/ct",
    "**/dose",
    "card.toml",
)  # a closing slash would keep the validator from matching


def write_dataset_description(
    folder: Path,
    *,
    name: str,
    dataset_type: Literal["raw", "derivative"] = "raw",
    licence: str = "",
    authors: Sequence[str] = (),
    how_to_acknowledge: str = "",
    references: Sequence[str] = (),
    software_version: str = "",
    source_datasets: Sequence[Mapping[str, str]] = (),
) -> None:
    """Write `dataset_description.json`; empty fields are left out.

    Parameters
    ----------
    software_version
        Of this package, written under `GeneratedBy`, which derivatives must have.
    source_datasets
        Where a derivative comes from: mappings with `URL`, `DOI` or `Version`.
    """
    generated_by = {"Name": SOFTWARE_NAME}
    if software_version:
        generated_by["Version"] = software_version
    content: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": dataset_type,
        "License": licence,
        "Authors": list(authors),
        "HowToAcknowledge": how_to_acknowledge,
        "ReferencesAndLinks": list(references),
        "GeneratedBy": [generated_by],
        "SourceDatasets": [dict(source) for source in source_datasets],
    }
    kept = {key: value for key, value in content.items() if value}
    write_text(json_text(kept), folder / "dataset_description.json")


def write_readme(folder: Path, text: str) -> None:
    """Write README.md; BIDS wants one in every dataset."""
    write_text(text.rstrip("\n") + "\n", folder / "README.md")


def write_bidsignore(folder: Path, extra: Iterable[str] = ()) -> bool:
    """Write `.bidsignore`: what lies in the dataset and is not in the specification.

    Returns whether it changed.
    """
    lines = [*IGNORED, *sorted(set(extra) - set(IGNORED))]
    return write_changed("\n".join(lines) + "\n", folder / ".bidsignore")


def write_participants(
    folder: Path,
    rows: Iterable[Mapping[str, Any]],
    descriptions: Mapping[str, Mapping[str, Any]],
) -> bool:
    """Write participants.tsv and participants.json, sorted by subject; return whether they changed.

    Parameters
    ----------
    rows
        One mapping a subject, with `participant_id` (with or without `sub-`) and the columns of
        `descriptions`. None and absent values become `n/a`; `age` (years) is capped at 89.
    descriptions
        For each further column, in this order: `Description`, and `Units` or `Levels`.

    Raises
    ------
    ConfigurationError
        When a row has a column without description, or a subject occurs twice.
    """
    return write_table(folder / "participants.tsv", "participant_id", "sub-", rows, descriptions)


def write_table(
    path: Path,
    key: str,
    prefix: str,
    rows: Iterable[Mapping[str, Any]],
    descriptions: Mapping[str, Mapping[str, Any]],
) -> bool:
    """Write a BIDS table and, beside it, the JSON that describes its columns.

    Returns whether one of them changed.
    """
    by_key: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        name = prefix + str(row[key]).removeprefix(prefix)
        unknown = sorted(set(row) - set(descriptions) - {key})
        if unknown:
            raise ConfigurationError("column_undescribed", where=path.name, unknown=tuple(unknown))
        if name in by_key:
            raise ConfigurationError("row_repeated", where=path.name, name=name)
        by_key[name] = row
    columns = [column for column in descriptions if column != key]
    lines = ["\t".join([key, *columns])]
    for name in sorted(by_key):
        row = by_key[name]
        lines.append("\t".join([name, *(_cell(column, row.get(column)) for column in columns)]))
    changed = write_changed("\n".join(lines) + "\n", path)
    described = {column: dict(descriptions[column]) for column in columns}
    if described:
        changed |= write_changed(json_text(described), path.with_suffix(".json"))
    return changed


def _cell(column: str, value: Any) -> str:
    if value is None or value == "" or value != value:  # the last is NaN
        return MISSING
    if column == "age":
        value = min(float(value), OLDEST_AGE_YEARS)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split())


def write_phenotype(
    folder: Path,
    name: str,
    columns: Sequence[str],
    rows: Iterable[tuple[str, str, Sequence[str]]],
    descriptions: Mapping[str, Any],
) -> bool:
    """Write phenotype/<name>.tsv, a table as its distributor made it, and the JSON beside it.

    Returns whether a file changed.

    Parameters
    ----------
    rows
        Subject label, session label (or empty) and the cells; an empty cell becomes `n/a`.
    """
    listed = sorted(rows, key=lambda row: (row[0], row[1]))
    with_session = any(session for _, session, _ in listed)
    keys = ["participant_id", *(["session_id"] if with_session else [])]
    lines = ["\t".join([*keys, *columns])]
    for subject, session, values in listed:
        own = [f"sub-{subject}", *([f"ses-{session}"] if with_session else [])]
        lines.append("\t".join([*own, *(_phenotype_cell(value) for value in values)]))
    path = folder / "phenotype" / f"{name}.tsv"
    changed = write_changed("\n".join(lines) + "\n", path)
    described = {"MeasurementToolMetadata": {"Description": f"Table {name!r} of the cohort"}}
    told = {name: _with_levels_as_cells(entry) for name, entry in descriptions.items()}
    return write_changed(json_text(described | told), path.with_suffix(".json")) or changed


def _with_levels_as_cells(description: Mapping[str, Any]) -> dict[str, Any]:
    """Spell levels as the cells of the table are."""
    levels = description.get("Levels")
    if levels is None:
        return dict(description)
    return {
        **description,
        "Levels": {_phenotype_cell(text): _phenotype_cell(told) for text, told in levels.items()},
    }


def _phenotype_cell(value: str) -> str:
    return " ".join(value.split()) or MISSING
