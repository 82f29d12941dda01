"""A study reads each of its files once, and again only where it was written since."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from helpers.new_study import new_study

import cta_data.cohorts
import cta_data.validation
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.session_id import SessionId
from cta_data.study.study import CONFIGURATION, Study
from cta_data.study.tables import SessionRow, store

ANN, BOB = SessionId("internal", "ann", "1"), SessionId("internal", "bob", "1")


def write(root: Path, *sessions: SessionId) -> None:
    """Write rows as another command would."""
    other = Study(root)
    other.tables.upsert([SessionRow(session=session) for session in sessions])
    other.tables.flush()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of file is read."""
    times: Counter[str] = Counter()
    for module, name in (
        (cta_data.cohorts, "read_card"),
        (cta_data.validation, "read_toml"),
        (store, "_read_rows"),
    ):
        kept = getattr(module, name)

        def counted(*arguments: object, name: str = name, kept: object = kept) -> object:
            times[name] += 1
            return kept(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    return times


def test_what_did_not_change_is_not_read_again(tmp_path: Path, read: Counter[str]) -> None:
    """Neither the configuration, nor a card, nor a table, however often a command locks."""
    root = new_study(tmp_path / "study", "internal").root
    write(root, ANN)
    read.clear()
    study = Study(root)
    for _ in range(3):
        with study_lock(study):
            study.card("internal")
            study.tables.rows(SessionRow)
    assert read == {"read_card": 1, "read_toml": 1, "_read_rows": 1}


def test_what_another_command_wrote_is_read_again_under_the_lock(tmp_path: Path) -> None:
    """Its rows, its configuration and its card, but not what this one is about to write."""
    study = new_study(tmp_path / "study", "internal")
    root = study.root
    write(root, ANN)
    assert {row.session for row in study.tables.rows(SessionRow)} == {ANN}
    assert study.card("internal").cohort.licence
    write(root, ANN, BOB)
    toml = (root / CONFIGURATION).read_text("utf-8")
    (root / CONFIGURATION).write_text(toml.replace("folds = 5", "folds = 3"), "utf-8")
    card = root / layout.cohort("internal") / "card.toml"
    title = study.card("internal").cohort.title
    card.write_text(card.read_text("utf-8").replace(title, "Another title"), "utf-8")
    with study_lock(study):
        assert {row.session for row in study.tables.rows(SessionRow)} == {ANN, BOB}
        assert study.configuration.build.folds == 3
        assert study.card("internal").cohort.title == "Another title"
        study.tables.upsert([SessionRow(session=ANN, sex="female")])
    write(root, ANN)
    with study_lock(study):
        assert study.tables.by_key(SessionRow)[ANN].sex == "female"
