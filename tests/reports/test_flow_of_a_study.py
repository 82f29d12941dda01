"""The patient flow of a study that was built."""

from __future__ import annotations

import pytest

from cta_data.engine import Report
from cta_data.reports.flow import ADDED, EXCLUDED, INTERNAL_TEST, TRAINING, patient_flow
from cta_data.study.study import Study

pytestmark = pytest.mark.slow


def test_everyone_who_was_added_is_excluded_or_used(built: tuple[Study, Report]) -> None:
    """In = excluded + used, from the tables: units that were to be converted, splits, lesions."""
    study, _ = built
    flow = patient_flow(study.subjects(), study.lesions())
    units, splits = study.units(), study.splits()
    [added] = flow[flow["stage"] == ADDED].to_dict("records")
    assert added["sessions"] == (units["step"] == "convert").sum() == 6
    ends = flow[flow["stage"] != ADDED]
    counts = ["sessions", "patients", "lesions"]
    assert ends[counts].sum().to_dict() == {name: added[name] for name in counts}
    assert set(ends["stage"]) <= {TRAINING, INTERNAL_TEST, EXCLUDED}
    for stage, partition in ((TRAINING, "train"), (INTERNAL_TEST, "test")):
        mine = splits[splits["partition"] == partition].drop_duplicates(["cohort", "subject"])
        assert ends.loc[ends["stage"] == stage, "patients"].sum() == len(mine)
    keys = ["cohort", "subject", "session", "lesion_id"]
    assert added["lesions"] == len(study.lesions().drop_duplicates(keys))
