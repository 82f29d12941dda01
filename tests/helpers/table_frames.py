"""Rows of a study's tables, and the frames that a study makes of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from helpers.annotation_rows import annotation_columns

from cta_data.study.tables import read_frame
from cta_data.study.tables.schemas import table_schemas


def frame_of(table: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of a table as `Study.table` returns them, with its types.

    A column that always has a value has an empty one, or 0, where a row does not say it.
    """
    schema = table_schemas()[table].arrow
    empty = {
        field.name: "" if pa.types.is_string(field.type) else 0
        for field in schema
        if not field.nullable
    }
    with tempfile.TemporaryDirectory() as folder:
        content = pa.Table.from_pylist([empty | row for row in rows], schema=schema)
        pq.write_table(content, Path(folder) / f"{table}.parquet")
        return read_frame(Path(folder), table)


def session(
    cohort: str,
    subject: str,
    volumes_cm3: tuple[float, ...] = (),
    *,
    session: str = "1",
    quality: str | None = "NAQ",
    partition: str | None = "external",
    reason: str | None = None,
    code: str | None = None,
    converted: bool = True,
    **person: Any,
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one session: a volume of 0 is a lesion that was lost on its own grid.

    Every lesion is on the grids of MPRAGE and SPACE; on the grid that it was not drawn on it is
    ten times as large, so that a mix-up shows.
    """
    key = {"cohort": cohort, "subject": subject, "session": session}
    own = {"NAQ": "MPRAGE", "HAQ": "SPACE"}.get(quality or "")
    about: dict[str, Any] = {"partition": partition}
    about |= {"qualities": [quality] if quality else None}
    about |= {"annotation_techniques": [own] if own else None}
    image = {"technique": "MPRAGE", "contrast_phase": "late", "description": ""}
    lesions = [
        {
            **key,
            "lesion_id": number,
            "annotation": quality,
            "quality": quality,
            "grid": grid,
            "n_voxels": round(volume * 1000),
            "volume_cm3": volume * (1 if grid == own else 10),
        }
        for number, volume in enumerate(volumes_cm3, start=1)
        for grid in ("MPRAGE", "SPACE")
    ]
    return {
        "subjects": [
            {**key, **about, "exclusion_reason": reason, "exclusion_code": code, **person}
        ],
        "images": [{**key, **image}] if converted else [],
        "lesions": lesions,
        "annotations": [{**key, **annotation_columns(quality)}] if quality else [],
    }


def frames(*sessions: dict[str, list[dict[str, Any]]]) -> dict[str, pd.DataFrame]:
    """Return the frames subjects, images and lesions of some sessions."""
    return {
        table: frame_of(table, [row for one in sessions for row in one[table]])
        for table in ("subjects", "images", "lesions")
    }
