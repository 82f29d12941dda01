"""Decisions that were made on a page elsewhere: each is checked against what the study holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from cta_data.errors import CtaError
from cta_data.files import read_json_object
from cta_data.review.items import VERDICTS_OF
from cta_data.review.journal import decision_from
from cta_data.review.sitting import content_key_now, require_reader
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow

FORMAT, VERSION = "cta_data decisions", 1


def checked_decisions(study: Study, file: Path) -> tuple[list[DecisionRow], list[str]]:
    """Return the decisions of a file, and why others are refused: what they are about changed.

    Raises
    ------
    CtaError
        The file holds no decisions, or those of another study.
    """
    content = read_json_object(file)
    try:
        if content["format"] != FORMAT or content["version"] != VERSION:
            raise ValueError(f"it is no {FORMAT!r} of version {VERSION}")
        rows = [_decision(content, one) for one in content["decisions"]]
    except (KeyError, TypeError, ValueError) as error:
        raise CtaError("review_file_invalid", where=str(file), error=repr(error)) from error
    if content["study"] != study.identifier:
        raise CtaError("review_of_another_study", where=str(file))
    taken, refused = [], []
    for row in rows:
        if content_key_now(study, row) == row.content_key:
            taken.append(row)
        else:
            refused.append(f"{row.kind} of {row.session}: it has changed since the page was made")
    return taken, refused


def _decision(content: dict[str, Any], one: dict[str, Any]) -> DecisionRow:
    about = dict(one["about"])
    said = {"verdict": one["verdict"], "reason": one.get("note") or None}
    who = {"reader": require_reader(content["reader"]), "decided_on": one["decided_on"]}
    row = decision_from(about | said | who)
    if row.verdict not in VERDICTS_OF.get(row.kind, ()):
        raise ValueError(f"unknown verdict {row.verdict!r}")
    date.fromisoformat(row.decided_on)
    return row
