"""Decisions that were made on a page elsewhere: each is checked against what the study holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from cta_data.errors import ConfigurationError, CtaError
from cta_data.files import read_json_object
from cta_data.review.items import ReviewItem, about_key
from cta_data.review.sitting import Said, decision_row, require_reader
from cta_data.review.worklist import Asked, decisions_of, worklist
from cta_data.study.study import Study
from cta_data.study.tables import DecisionRow

FORMAT, VERSION = "cta_data decisions", 1


def checked_decisions(study: Study, file: Path) -> tuple[list[DecisionRow], list[str]]:
    """Return the decisions of a file, and why others are refused.

    What they are about changed, or the reader decided about it on a later day. The last of several
    decisions about one item counts.

    Raises
    ------
    CtaError
        The file holds no decisions, or those of another study.
    """
    content = read_json_object(file)
    try:
        if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise ValueError(f"it is no {FORMAT!r} of version {VERSION}")
        if content.get("study") != study.identifier:
            raise CtaError("review_of_another_study", where=str(file))
        if not isinstance(content.get("blinded"), bool):
            raise ValueError("it does not say whether findings were blinded")
        if not isinstance(content.get("decisions"), list):
            raise ValueError("it has no list of decisions")
        asked = Asked(convention=_text(content, "convention"), blinded=content["blinded"])
        reader = require_reader(_text(content, "reader"))
        listed = worklist(study, asked).by_id
        before = decisions_of(study, reader)
        taken: dict[str, DecisionRow] = {}
        refused: list[str] = []
        for one in content["decisions"]:
            item = listed.get(_text(one, "id"))
            if item is None:
                refused.append(f"{one['id']}: it is not in the study any more")
            elif item.about.content_key != _text(one, "content_key"):
                refused.append(f"{item.title}: it has changed since the page was made")
            else:
                row = _decision(item, reader, one)
                known = before.get(about_key(row))
                # A file that is imported again must not take the place of what was said since.
                if _is_outdated(row, known):
                    refused.append(f"{item.title}: {reader} decided again since")
                else:
                    taken[item.id] = row
    except ValueError as error:
        raise CtaError("review_file_invalid", where=str(file), error=str(error)) from error
    return list(taken.values()), refused


def _is_outdated(row: DecisionRow, known: DecisionRow | None) -> bool:
    """Tell whether its reader decided about the same content on a later day."""
    if known is None or known.content_key != row.content_key:
        return False
    return known.decided_on > row.decided_on


def _decision(item: ReviewItem, reader: str, one: Mapping[str, Any]) -> DecisionRow:
    said = Said(*(_text(one, name) for name in ("verdict", "note", "preferred")))
    day = date.fromisoformat(_text(one, "decided_on")).isoformat()
    try:
        return decision_row(item, reader, said, day)
    except ConfigurationError as error:
        raise ValueError(f"{item.title}: {error}") from error


def _text(content: object, name: str) -> str:
    if not isinstance(content, Mapping):
        raise ValueError(f"{content!r} is no decision")
    value = content.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}" if name in content else f"{name} is missing")
    return value
