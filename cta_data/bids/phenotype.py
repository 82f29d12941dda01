"""Tables about participants as their distributor made them: phenotype/<name>.tsv and .json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cta_data.bids.dataset import MISSING
from cta_data.files import json_text, write_text


def write_phenotype(
    folder: Path,
    name: str,
    columns: Sequence[str],
    rows: Iterable[tuple[str, str, Sequence[str]]],
    descriptions: Mapping[str, Any],
) -> bool:
    """Write a table and the JSON that describes its columns; return whether a file changed.

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
        lines.append("\t".join([*own, *(_cell(value) for value in values)]))
    path = folder / "phenotype" / f"{name}.tsv"
    changed = _write("\n".join(lines) + "\n", path)
    described = {"MeasurementToolMetadata": {"Description": f"Table {name!r} of the cohort"}}
    told = {name: _with_levels_as_cells(entry) for name, entry in descriptions.items()}
    return _write(json_text(described | told), path.with_suffix(".json")) or changed


def _with_levels_as_cells(description: Mapping[str, Any]) -> dict[str, Any]:
    """Spell levels as the cells of the table are."""
    levels = description.get("Levels")
    if levels is None:
        return dict(description)
    return {**description, "Levels": {_cell(text): _cell(told) for text, told in levels.items()}}


def _cell(value: str) -> str:
    return " ".join(value.split()) or MISSING


def _write(text: str, path: Path) -> bool:
    if path.is_file() and path.read_text("utf-8") == text:
        return False
    path.parent.mkdir(exist_ok=True)
    write_text(text, path)
    return True
