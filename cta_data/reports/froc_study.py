"""The probability maps of a study, held against it as it is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cta_data.errors import ConfigurationError
from cta_data.reports.probability_files import KeptMaps, kept_maps
from cta_data.study.study import Study
from cta_data.training.models import kept_at
from cta_data.training.predicted_sets import StudyPredictions
from cta_data.versioning.datasets import fetch


def study_maps(
    study: Study,
    models: Sequence[str] = (),
    test_sets: Sequence[str] = (),
    note: Callable[[str], None] = lambda text: None,
) -> list[KeptMaps]:
    """Return the maps that may be used, with their content fetched; cases that may not are named.

    Parameters
    ----------
    models, test_sets
        Names of those that are wanted; all without them.

    Raises
    ------
    ConfigurationError
        There are no maps of a model or test set that was named.
    """
    found = kept_maps(StudyPredictions(study).to_score())
    for wanted, there, what in (
        (models, {one.model for one in found}, "model"),
        (test_sets, {one.test_set for one in found}, "test set"),
    ):
        for name in wanted:
            if name not in there:
                raise ConfigurationError(
                    "probability_maps_missing", what=what, name=name, there=tuple(sorted(there))
                )
    chosen = [
        one
        for one in found
        if (not models or one.model in models) and (not test_sets or one.test_set in test_sets)
    ]
    top = study.root.resolve()
    paths = [path for one in chosen for pair in one.files.values() for path in pair]
    fetched = fetch(
        study.root,
        [kept_at(path.parent.resolve() / path.name, top) for path in dict.fromkeys(paths)],
    )
    if fetched.paths:
        note(f"fetched the content of {len(fetched.paths)} files")
    return chosen
