"""Read JSON files, of ours and of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cta_data.errors import DataRefused


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    DataRefused
        The file is missing, is not JSON in UTF-8, or is nested beyond reason.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataRefused("there is no such file", where=str(path)) from error
    except (OSError, ValueError, RecursionError) as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise DataRefused("the file cannot be read as JSON", where=str(path), why=why) from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the mapping that a JSON file holds; see `read_json` for the errors."""
    content = read_json(path)
    if not isinstance(content, dict):
        why = f"it holds {type(content).__name__}"
        raise DataRefused("the JSON file holds no mapping", where=str(path), why=why)
    return content
