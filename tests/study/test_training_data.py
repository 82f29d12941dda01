"""A training set and the files of a study, as Python code asks for them."""

from __future__ import annotations

from pathlib import Path

from helpers.table_study import make_table_study

from cta_data.study.training_data import CaseArrays, TrainingCase


def test_a_slice_of_cases_holds_fewer_cases() -> None:
    """It is a dataset as before, with the same transform; nothing is read."""
    cases = [TrainingCase(name, Path("i"), Path("l"), "train", 0) for name in "abc"]
    part = CaseArrays(cases, transform=len)[1:]
    assert isinstance(part, CaseArrays)
    assert ([one.case for one in part.cases], part.transform) == (["b", "c"], len)


def test_a_path_is_as_good_as_its_name(tmp_path: Path) -> None:
    """Rows of tables hold text; Python code has paths as well."""
    study = make_table_study(tmp_path / "study", 1)
    assert study.path(Path("a") / "b") == study.path("a/b") == study.root / "a" / "b"
