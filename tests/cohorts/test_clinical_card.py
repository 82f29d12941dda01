"""The clinical section of a card: mistakes are told when it is read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cta_data.cohorts.clinical.card import ClinicalTable, TargetRule


def table(**changes: object) -> ClinicalTable:
    content = {"file": r"\.xlsx$", "name": "clinical", "keys": {"subject": "id"}, **changes}
    return ClinicalTable.model_validate(content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "("}, "regular expression"),
        ({"name": "pt level"}, "pattern"),
        ({"keys": {"subject": "id", "subject_id": "GK_"}}, "must hold"),
        ({"keys": {"subject": "id", "subject_id": "GK_{id}"}}, "no template"),
        ({"keys": {"subject": "id", "subject_id": "GK_{value:0>3d}"}}, "no template"),
        ({"values": {"sex": {"1": "mail"}}}, "female, male, other"),
        ({"values": {"sex": {"F ": "female", "f": "male"}}}, "two groups"),
        ({"patterns": {"primary_tumour": [{"pattern": "x", "value": "liver"}]}}, "lung"),
        ({"colums": {}}, "extra"),
    ],
)
def test_mistakes_are_refused(changes: dict[str, object], message: str) -> None:
    """Patterns, names, templates and groups that cannot be used, and unknown keys."""
    with pytest.raises(ValidationError, match=message):
        table(**changes)


def test_a_type_of_target_is_a_word_for_a_table() -> None:
    """Lower case with underscores, as in the column that it goes to."""
    assert TargetRule(pattern="x", type="resection_cavity").type == "resection_cavity"
    with pytest.raises(ValidationError):
        TargetRule(pattern="x", type="Resection cavity")
