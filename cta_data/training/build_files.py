"""What the build of a model's setting gives to its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cta_data.engine import existing_files
from cta_data.engine.inputs import File, Files, files_of
from cta_data.files import read_json_object
from cta_data.study import layout
from cta_data.study.build_case import BuildCase, build_cases
from cta_data.study.study import Study
from cta_data.training.inputs import TrainingFiles
from cta_data.training.models import Model


def read_cases(study: Study, model: Model) -> list[BuildCase]:
    """Return the cases of the model's build, training and test; none where it is not built."""
    where = layout.build_record(model.dataset)
    path = study.root / where
    return build_cases(read_json_object(path), where=where) if path.is_file() else []


def read_build(study: Study, model: Model) -> dict[str, Any]:
    """Return the record of the model's build; empty where it is not built."""
    path = study.root / layout.build_record(model.dataset)
    return read_json_object(path) if path.is_file() else {}


def training_files(model: Model, cases: Sequence[BuildCase]) -> TrainingFiles:
    """Return what a training reads of the model's build."""
    return TrainingFiles(
        dataset_json=File(layout.build_dataset(model.dataset)),
        splits=File(layout.build_splits(model.dataset)),
        image=Files({case.case: case.image for case in cases}),
        label=Files({case.case: case.label for case in cases}),
    )


def training_cases(study: Study, model: Model) -> list[BuildCase]:
    """Return the cases of the model's build that train."""
    return [case for case in read_cases(study, model) if case.trains]


def build_key(study: Study, model: Model) -> str:
    """Return the key of the model's training set as it is built now; empty where it is not."""
    files = training_files(model, training_cases(study, model))
    keys, missing = existing_files(study.root, files_of(files).values())
    return "" if missing else files.key(keys)
