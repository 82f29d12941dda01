"""What leaves a cohort: no identity, one subject at a time, and tables that explain themselves."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import datalad.api as dl
import pydicom
import pytest
from conformance.conformed import Conformed
from helpers.identity_search import (
    Needles,
    datasets_outside,
    search_files,
    search_history,
    search_tables,
)
from pydicom.errors import InvalidDicomError

pytestmark = pytest.mark.slow

MISSING = "n/a"
KEYS = ("participant_id", "session_id")


def needles_of(conformed: Conformed) -> Needles:
    """Identifiers as the source spells them, names of its files, and what DICOM headers tell."""
    labels = {f"sub-{conformed.label_of(s)}" for s in conformed.raw.sessions}
    identifiers = {session.source_id for session in conformed.raw.sessions}
    files = [path for path in conformed.raw.source.rglob("*") if path.is_file()]
    names = {path.name for path in files} - set(conformed.raw.public_names)
    needles = Needles({*identifiers, *names, *conformed.raw.secrets} - labels)
    # What the card says of known cases is told to everybody.
    card = (conformed.folder / "card.toml").read_bytes()
    needles.texts = {text for text in needles.texts if text not in card}
    for path in files:
        try:
            needles.take(pydicom.dcmread(path, stop_before_pixels=True))
        except InvalidDicomError:
            continue  # of an image without such a header the name alone can tell who it is of
    return needles


def test_no_identity_outside_sourcedata(conformed: Conformed) -> None:
    """Files, their names and headers, the history of every dataset, and all tables."""
    needles = needles_of(conformed)
    source = conformed.folder / "sourcedata"
    known = [path.read_bytes() for path in source.glob("*.tsv")]
    assert any(needles.in_(content) for content in known)
    hits, seen = search_files(conformed.root, needles)
    assert seen > 50 and hits == {}
    datasets = datasets_outside(conformed.root)
    assert len(datasets) == 3
    assert {str(one): search_history(one, needles) for one in datasets} == {
        str(one): [] for one in datasets
    }
    assert search_tables(conformed.root / "manifests", needles) == {}


def test_one_subject_from_a_clone(conformed: Conformed, tmp_path: Path) -> None:
    """`datalad get` of one subject fetches its files, and nothing of others or of sourcedata."""
    label = f"sub-{conformed.label_of(conformed.raw.sessions[0])}"
    cohort = f"datasets/{conformed.case.cohort}"
    quiet = {"result_renderer": "disabled"}
    clone = dl.clone(source=str(conformed.root), path=str(tmp_path / "clone"), **quiet)
    clone.get(f"{cohort}/{label}", **quiet)
    dataset = tmp_path / "clone" / cohort
    images = sorted(dataset.glob("sub-*/**/*.nii.gz"))
    assert images
    for path in images:
        mine = path.relative_to(dataset).parts[0] == label
        assert path.exists() == mine, path
        if mine:
            original = conformed.root / path.relative_to(tmp_path / "clone")
            assert path.read_bytes() == original.read_bytes()
    assert not any((dataset / "sourcedata").glob("*"))
    assert not any((dataset / "derivatives" / "cta").glob("*"))


def read_table(path: Path) -> tuple[list[dict[str, str]], dict[str, dict[str, object]]]:
    """Rows of a table, and the descriptions of its columns."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return rows, json.loads(path.with_suffix(".json").read_text("utf-8"))


def test_tables_of_people_explain_themselves(conformed: Conformed) -> None:
    """Every column is described, every value is one of its levels, and what is missing is n/a."""
    tables = [conformed.folder / "participants.tsv"]
    tables += sorted(conformed.folder.glob("phenotype/*.tsv"))
    for path in tables:
        rows, described = read_table(path)
        assert rows
        for row in rows:
            assert row["participant_id"]
            for column, value in row.items():
                if column in KEYS:
                    continue
                assert described[column]["Description"], column
                assert value and value.strip() == value, column
                levels = described[column].get("Levels")
                if isinstance(levels, dict) and value != MISSING:
                    assert value in levels, column
    rows, _ = read_table(tables[0])
    people = {row["participant_id"]: row for row in rows}
    assert set(people) == {f"sub-{conformed.label_of(s)}" for s in conformed.raw.sessions}
    for session in conformed.raw.sessions:
        row = people[f"sub-{conformed.label_of(session)}"]
        assert session.person.items() <= row.items()
