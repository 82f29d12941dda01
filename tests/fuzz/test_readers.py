"""Whatever is done to a file, its reader gives the right result or refuses it with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.mutated_readers import READERS
from helpers.mutation_outcomes import GOOD, Judged, Outcome, judge


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_refused_or_right(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Never a traceback, more than ten seconds or a gigabyte, or a value of a file cut off."""
    reader = READERS[name]
    bad: list[Judged] = []
    for mutation in reader.mutations:
        for seed in range(request.config.getoption("--mutations")):
            judged = judge(reader, tmp_path / f"{mutation}_{seed}", mutation, seed)
            if judged.outcome not in GOOD:
                bad.append(judged)
    assert not bad


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_right(name: str, tmp_path: Path) -> None:
    """What the damaged ones are compared with: nothing done, the same value twice."""
    reader = READERS[name]
    whole = type(reader)(reader.write, reader.read, {"nothing": lambda content, _: content})
    assert judge(whole, tmp_path / "file", "nothing", 0).outcome is Outcome.RIGHT
