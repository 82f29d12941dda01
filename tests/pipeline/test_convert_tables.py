"""A cohort's own table of drawing techniques."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import require_reason

from cta_data.cohorts import parse_card, shipped_card_text, technique_drawn_on
from cta_data.errors import ConfigurationError
from cta_data.pipeline.convert.step import listed_techniques
from cta_data.study.sourcedata import SubjectRow, write_subjects
from cta_data.study.study import Study

CARD = parse_card(shipped_card_text("internal"), "internal", "card.toml")
TABLE = "annotation_technique.tsv"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study's folders with two known patients in sourcedata, without DataLad."""
    (tmp_path / "study.toml").write_text('[study]\nname = "x"\n', "utf-8")
    source = tmp_path / "datasets/internal/sourcedata"
    (source / ".git").mkdir(parents=True)
    (tmp_path / "datasets/internal/.git").mkdir()
    write_subjects(
        source, [SubjectRow("001", "P1", "accepted"), SubjectRow("002", "P2", "accepted")]
    )
    return Study(tmp_path)


def test_the_table_gives_each_listed_subject_its_technique(study: Study) -> None:
    """Rows are joined by the patient number; patients that are not listed are left to the rules."""
    path = study.root / "datasets/internal/sourcedata" / TABLE
    path.write_text("source_id\ttechnique\nP2\tSPACE\nP9\tMPRAGE\n", "utf-8")
    assert listed_techniques(study, "internal", TABLE) == {"002": "SPACE"}


@pytest.mark.parametrize(
    "content",
    [
        None,
        "patient\ttechnique\nP1\tSPACE\n",
        "source_id\ttechnique\nP1\tSPACE\nP1\tMPRAGE\n",
    ],
)
def test_a_table_that_cannot_be_used_is_an_error(study: Study, content: str | None) -> None:
    """One that is missing, lacks a column, or gives a patient two techniques stops the command."""
    path = study.root / "datasets/internal/sourcedata" / TABLE
    if content:
        path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=TABLE):
        listed_techniques(study, "internal", TABLE)


def test_the_table_comes_before_the_header() -> None:
    """What the table lists wins over a header that names another technique."""
    header = {"StructureSetLabel": "MPRAGE"}
    assert technique_drawn_on(CARD.annotations, header, None, "SPACE")[0] == "SPACE"


def test_a_header_that_names_two_techniques_decides_nothing() -> None:
    """`SPACE fused to MPRAGE` is a problem, not the first rule's technique."""
    header = {"StructureSetLabel": "SPACE fused to MPRAGE"}
    technique, why = technique_drawn_on(CARD.annotations, header, "MPRAGE")
    assert technique is None
    require_reason(why, "annotation_technique_contradicts", named=("MPRAGE", "SPACE"))
