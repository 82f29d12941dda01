"""Small files, written whole or not at all, the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cta_data.whole_files import written_whole


def json_text(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys, two blanks of indentation and a newline at the end."""
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text under a temporary name, then rename; a link is replaced, not followed."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file under a temporary name, then rename; a link is replaced, not followed."""
    with written_whole(path) as unfinished:
        unfinished.write_bytes(content)
