"""What a model's dataset.json says of its channels and labels, and what it does not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.training.nnunet.model_facts import ModelFacts, read_model_facts
from cta_data.training.predict_folder import folder_content

BRATS = {"background": 0, "oedema": 1, "necrosis": 2, "enhancing tumour": 3, "ignore": 4}


def facts_of(folder: Path, content: Any) -> ModelFacts:
    (folder / "dataset.json").write_text(json.dumps(content), "utf-8")
    return read_model_facts(folder)


def test_channels_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Eleven channels: 10 after 9, not after 1; nnU-Net v1 called them modality."""
    names = {str(number): f"c{number}" for number in reversed(range(11))}
    for key in ("channel_names", "modality"):
        facts = facts_of(tmp_path, {key: names, "labels": {"background": 0, "lesion": 1}})
        assert facts.channels == tuple(f"c{number}" for number in range(11))


def test_one_label_is_lesion_and_several_have_to_be_named(tmp_path: Path) -> None:
    """Background and the label that training ignores are never lesion."""
    one = facts_of(tmp_path, {"channel_names": {"0": "T1"}, "labels": {"background": 0, "x": 1}})
    assert one.lesion_values() == (1,)
    several = facts_of(tmp_path, {"channel_names": {"0": "T1"}, "labels": BRATS})
    assert several.lesion_values(["enhancing tumour", "necrosis"]) == (2, 3)
    with pytest.raises(ConfigurationError, check=has_reason("lesion_label_ambiguous", n_labels=3)):
        several.lesion_values()
    with pytest.raises(
        ConfigurationError, check=has_reason("lesion_label_unknown", unknown="ignore")
    ):
        several.lesion_values(["ignore"])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ([], "model_incomplete"),
        ({"labels": {"background": 0, "x": 1}}, "model_facts_unreadable"),
        ({"channel_names": {"0": "T1"}}, "model_facts_unreadable"),
        ({"channel_names": {"first": "T1"}, "labels": {"x": 1}}, "model_facts_unreadable"),
        (
            {"channel_names": {"0": "T1"}, "labels": {"whole": [1, 2], "core": [2]}},
            "region_model_unsupported",
        ),
    ],
)
def test_a_description_that_is_not_whole_is_refused(
    tmp_path: Path, content: Any, code: str
) -> None:
    """One error that names the file."""
    with pytest.raises(DataRefused, check=has_reason(code)) as caught:
        facts_of(tmp_path, content)
    assert caught.value.where == "dataset.json"


def test_numbers_in_names_are_channels_only_beside_a_first_one(tmp_path: Path) -> None:
    """scan_0001 and scan_0002 are two cases; p_0000 and p_0001 two channels of one."""
    for name in ("scan_0001", "scan_0002", "p_0000", "p_0001", "q"):
        (tmp_path / f"{name}.nii.gz").touch()
    found = folder_content(tmp_path).cases
    assert {case: sorted(files) for case, files in found.items()} == {
        "p": [0, 1],
        "q": [0],
        "scan_0001": [0],
        "scan_0002": [0],
    }
