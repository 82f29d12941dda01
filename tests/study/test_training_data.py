"""A training set and the files of a study, as Python code asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason
from helpers.table_study import make_table_study

from cta_data.errors import ConfigurationError, CtaError, DataRefused
from cta_data.study.build_case import build_cases
from cta_data.study.training_data import CaseArrays, TrainingCase, TrainingData


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


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/hosts", "path_outside_study"),
        ("../other/image.nii.gz", "path_outside_study"),
        ("datasets/mine/typo.nii.gz", "file_not_in_study"),
    ],
)
def test_what_is_not_in_the_study_is_not_fetched(tmp_path: Path, path: str, code: str) -> None:
    """A wrong path and a deleted file are named; git-annex is not asked."""
    study = make_table_study(tmp_path / "study", 1)
    with pytest.raises(ConfigurationError, check=has_reason(code, where=path)):
        study.path(path, fetch=True)


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    """It is not an empty one."""
    study = make_table_study(tmp_path / "study", 1)
    with pytest.raises(ConfigurationError, check=has_reason("table_unknown", name="lesion")):
        study.table("lesion")


def test_a_record_without_cases_is_no_empty_training_set() -> None:
    """Neither is one whose cases are something else."""
    for record in ({}, {"cases": None}, {"cases": ["a"]}, {"cases": [{}]}):
        with pytest.raises(DataRefused, check=has_reason("build_record_damaged")):
            build_cases(record, where="build.json")


def test_only_a_fold_that_is_there_is_validated() -> None:
    """`None` is no fold; without one, all training cases train."""
    data = TrainingData("B", (TrainingCase("a", Path("i"), Path("l"), "train", 0),))
    assert len(data.validation(0)) == len(data.training()) == 1
    for fold in (None, "0", 1):
        with pytest.raises(ConfigurationError, check=has_reason("fold_not_in_setting")):
            data.validation(fold)


def test_a_deleted_file_is_not_one_that_was_not_fetched(tmp_path: Path) -> None:
    """Nothing could be fetched in its place."""
    missing, link = tmp_path / "i.nii.gz", tmp_path / "l.nii.gz"
    link.symlink_to("annex")
    for path, code in ((missing, "given_file_not_found"), (link, "file_content_not_fetched")):
        case = TrainingCase("a", path, path, "train", 0)
        with pytest.raises(CtaError, check=has_reason(code)):
            CaseArrays([case])[0]
