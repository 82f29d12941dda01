"""Names of cohorts and subjects can be folders everywhere, and are no other word of a command."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.plain_study import plain_card, write_plain_card, write_plain_patients
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.given_names import GROUPS, check_name
from cta_data.intake.pseudonyms import check_label

DEVICES = ("con", "NUL", "Aux", "prn", "com1", "LPT9")


@pytest.mark.parametrize("name", [*DEVICES, "a b", "a-b", "", "über", "../x", "a" * 65])
def test_no_folder_of_such_a_name_can_be_everywhere(name: str) -> None:
    """Neither a cohort's nor a subject's."""
    for check in (check_label, lambda one: check_name(one, "cohort")):
        with pytest.raises(ConfigurationError, check=has_reason("label_invalid")):
            check(name)


@pytest.mark.parametrize("name", [*GROUPS, "ALL", "Test", "MINE"])
def test_a_cohort_is_no_group_of_test_sets_and_no_twin(name: str) -> None:
    """`--on all` would mean two things, and `Mine` the folder of `mine` on macOS and Windows."""
    with pytest.raises(ConfigurationError, check=has_reason("label_invalid", what="cohort")):
        check_name(name, "cohort", taken=("mine",), reserved=GROUPS)


@pytest.mark.parametrize("name", ["mine", "internal", "console", "com10", "all2", "A1"])
def test_other_names_pass(name: str) -> None:
    """Also that of a cohort that exists."""
    assert check_name(name, "cohort", taken=("mine",), reserved=GROUPS) == name


def test_add_makes_no_cohort_of_such_a_name(tmp_path: Path) -> None:
    """Nor does a dry run show what would come of it; the study is as it was."""
    root = tmp_path / "study"
    assert run_cta("init", root, "--empty").code == 0
    raw = write_plain_patients(tmp_path / "raw", ("anna",))
    card = write_plain_card(tmp_path / "mine.toml")
    assert run_cta("add", "mine", raw, "--card", card, study=root).code == 0
    for name in ("Mine", "all", "nul"):
        own = tmp_path / f"{name}_.toml"
        own.write_text(plain_card(name), "utf-8")
        for more in ((), ("--dry-run",)):
            told = run_cta("add", name, raw, "--card", own, *more, study=root)
            assert told.code == 1 and "not a valid name of a cohort" in told.text
    assert [one.name for one in (root / "datasets").iterdir()] == ["mine"]
    told = run_cta("add", "mine", raw, "--id", "con", study=root)
    assert told.code == 1 and "not a valid name of a subject" in told.text


def test_a_source_that_is_refused_makes_no_cohort(tmp_path: Path) -> None:
    """Neither a folder, nor a commit; a source that is taken in makes it."""
    root = tmp_path / "study"
    assert run_cta("init", root, "--empty").code == 0
    head = ["git", "-C", str(root), "rev-parse", "HEAD"]
    before = subprocess.run(head, capture_output=True, text=True, check=True).stdout
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong/notes.txt").write_text("nothing", "utf-8")
    card = write_plain_card(tmp_path / "mine.toml")
    refused = run_cta("add", "mine", tmp_path / "wrong", "--card", card, study=root)
    assert refused.code != 0
    assert not (root / "datasets/mine").exists()
    assert subprocess.run(head, capture_output=True, text=True, check=True).stdout == before
    raw = write_plain_patients(tmp_path / "raw", ("anna",))
    added = run_cta("add", "mine", raw, "--card", card, "--json", study=root)
    assert added.code == 0
    assert json.loads(added.out)["counts"]["subjects_accepted"] == 1
    assert run_cta("add", "mine", raw, study=root).code == 0
