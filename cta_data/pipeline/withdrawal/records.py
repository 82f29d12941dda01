"""Files of others that name a subject: the lines and entries about it go, all else stays."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cta_data.files import json_line, json_text, read_json, read_json_object, write_text
from cta_data.pipeline.withdrawal.names import SubjectNames
from cta_data.pipeline.withdrawal.traces import is_of_cohort, text_of
from cta_data.study import layout
from cta_data.study.study import Study
from cta_data.study.tables import ModelFoldRow
from cta_data.study.withdrawals import MARK
from cta_data.versioning.run_records import RUN_INFO

LINE_BY_LINE = (".tsv", ".csv", ".jsonl", ".log", ".txt")


@dataclass(frozen=True)
class Withdrawal:
    """What marks of a withdrawal tell: its random name and its date."""

    withdrawal: str
    withdrawn_on: str


def edit_text(study: Study, path: str, names: SubjectNames) -> bool:
    """Remove from a text what is about a subject; return whether anything is left that names it.

    What people write (study.toml, cards, notes) is left as it is: nobody knows what they meant.
    """
    file = study.root / path
    inside = is_of_cohort(path, names)
    text = text_of(file)
    if text is None:
        return False
    if RUN_INFO in path or path == layout.HOME:  # made again, or of a command that is gone
        file.unlink()
        return False
    if path.endswith(".json"):
        content = names.without(read_json(file), of_cohort=inside)
        write_text(_like(text, content), file)
    elif path.endswith(LINE_BY_LINE):
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if not names.in_text(line, of_cohort=inside)]
        write_text("".join(kept), file)
    after = text_of(file)
    return after is not None and names.in_text(after, of_cohort=inside)


def _like(text: str, content: Any) -> str:
    """Return JSON content as text, indented as it was before."""
    indent = re.search(r"\n( +)", text)
    if indent is None:
        return json_line(content, sorted_keys=False) + ("\n" if text.endswith("\n") else "")
    return json_text(content, indent=len(indent[1]), sorted_keys=False, escaped=True)


def mark_builds(study: Study, names: SubjectNames, about: Withdrawal) -> list[str]:
    """Mark the builds that hold a subject, and take its cases out; return their settings.

    The unit of such a build has other inputs now, so that it is made anew by whoever needs it.
    """
    settings = []
    for path in sorted((study.root / layout.BUILDS).glob(f"*/{layout.BUILD_RECORD}")):
        content = read_json_object(path)
        mine = [case for case in content.get("cases", ()) if names.is_about(case)]
        if not mine and not _has_mark(content, about):
            continue
        settings.append(str(content["setting"]))
        content = names.without(content)
        _write_mark(path, content, about, len(mine))
        dataset = path.parent / "dataset.json"
        if dataset.is_file():
            described = names.without(read_json_object(dataset))
            described["numTraining"] = len(described["dataset"])
            write_text(json_text(described, indent=2, sorted_keys=False, escaped=True), dataset)
    return settings


def mark_models(study: Study, names: SubjectNames, about: Withdrawal) -> list[str]:
    """Mark the cards of folds that were trained on a subject; return the names of their models."""
    models = set()
    rows = {row.card_path: row for row in study.tables.rows(ModelFoldRow)}
    for path in sorted((study.root / layout.MODELS).glob("*/*/fold_*/card.json")):
        content = read_json_object(path)
        mine = [case for case in content.get("trained_on", ()) if names.is_about(case)]
        if not mine and not _has_mark(content, about):
            continue
        _write_mark(path, names.without(content), about, len(mine))
        row = rows.get(path.relative_to(study.root).as_posix())
        models.add(row.model if row else str(content.get("model", path.parent.parent.name)))
        if row:
            known = tuple(sorted({*(row.withdrawals or ()), about.withdrawal}))
            study.tables.upsert([replace(row, withdrawals=known)])
    return sorted(models)


def _has_mark(content: dict[str, Any], about: Withdrawal) -> bool:
    return any(one["withdrawal"] == about.withdrawal for one in content.get(MARK, ()))


def _write_mark(path: Path, content: dict[str, Any], about: Withdrawal, cases: int) -> None:
    if not _has_mark(content, about):
        content[MARK] = [*content.get(MARK, ()), {**vars(about), "cases": cases}]
    write_text(_like(path.read_text("utf-8"), content), path)
