"""What git says of a file, and what is told where git cannot say."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason

from cta_data.errors import CtaError
from cta_data.versioning.datasets import is_modified


def test_where_git_fails_its_reason_is_told(tmp_path: Path) -> None:
    """One error that names the file and holds git's own words, no traceback."""
    path = tmp_path / "card.toml"
    path.touch()
    with pytest.raises(CtaError, check=has_reason("git_status_failed")) as caught:
        is_modified(path)
    assert "not a git repository" in str(caught.value) and str(path) in str(caught.value)
