"""A value that no option knows is refused with those that there are, before anything is done."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from helpers.command_line import run_cta
from helpers.table_study import make_table_study

DEVICES = "there are cuda, cpu, mps"
CONVENTIONS = "Use one of article, tables"
FOLDS = "the study has folds 0 to 4"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a build and without a model."""
    return make_table_study(tmp_path_factory.mktemp("unknown") / "study", 6).root


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train --setting A --device gpu", DEVICES),
        ("predict --setting A --device gpu", DEVICES),
        ("predict --setting A --device gpu --input {here} --output {here}/o", DEVICES),
        ("experiment paper --device gpu", DEVICES),
        ("compare --model A --model B --convention own", CONVENTIONS),
        ("compare {here}/a.json {here}/b.json --convention own", CONVENTIONS),
        ("evaluate --convention own", CONVENTIONS),
        ("audit --convention own", CONVENTIONS),
        ("score {here} {here} --convention own", CONVENTIONS),
        ("experiment paper --device cpu --convention own", CONVENTIONS),
        ("experiment figures", "The experiments are `paper` and `patches`"),
        ("train --setting A --device cpu --fold 77", FOLDS),
        ("predict --setting A --device cpu --fold 77", FOLDS),
        ("predict --setting A --device cpu --fold 0,5", FOLDS),
        ("predict --setting A --device cpu --fold 77 --dry-run", FOLDS),
        ("train --setting A --device cpu --configuration 4d", "--configuration: '4d'"),
        ("build --setting A --technique ../x", "no images of technique '../x' (it has MPRAGE"),
        ("accept --step strip", "Name one of register-sessions, register, transfer"),
        ("accept --subject 1 --reason r --date yesterday", "not a valid date: 'yesterday'"),
        ("audit c 1 --date 30.1.2026", "not a valid date: '30.1.2026'"),
        ("score {here} {here} --nifti-form pform", "--nifti-form must be sform or qform"),
    ],
)
def test_unknown_values_are_refused(study: Path, tmp_path: Path, words: str, told: str) -> None:
    """Exit code 1, and the message names what there is."""
    for name in "ab":
        (tmp_path / f"{name}.json").write_text("{}", "utf-8")
    given = shlex.split(words.format(here=tmp_path))
    place = None if given[0] == "score" else study
    outcome = run_cta(*given, study=place)
    assert outcome.code == 1
    assert told in outcome.text


def test_a_query_as_json_writes_types_that_json_has_not(study: Path) -> None:
    """What DuckDB gives as an object of Python or of pandas is text there."""
    sql = "select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as u, '101'::bit as b"
    outcome = run_cta("query", sql, "--json", study=study)
    assert json.loads(outcome.text) == [{"u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b": "101"}]
