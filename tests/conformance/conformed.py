"""A cohort taken through everything, and what there is to look at afterwards."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.cohorts import ConformanceCase
from conformance.raw_cohort import RawCohort, RawSession

from cta_data.engine import Report, RunOptions
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.pipeline.convert.step import CONVERT
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.study.creation import create_study, ensure_cohort
from cta_data.study.sourcedata import SubjectRow, read_inventory
from cta_data.study.study import Study

Heads = dict[str, str]


@dataclass(frozen=True)
class Conformed:
    """A cohort's study and what happened on the way to it.

    `damaged` is the conversion with one file damaged, `report` what all steps said once it was
    mended, `second` what they said when nothing had changed; `again` is what adding the same
    source once more did. `heads` are the commits of all datasets before and after these two.
    """

    case: ConformanceCase
    raw: RawCohort
    root: Path
    damaged: Report
    report: Report
    second: Report
    again: dict[str, Any]
    heads: tuple[Heads, Heads]

    @property
    def study(self) -> Study:
        """The study as it is now."""
        return Study(self.root)

    @property
    def folder(self) -> Path:
        """The cohort's BIDS dataset."""
        return self.root / "datasets" / self.case.cohort

    @property
    def derivatives(self) -> Path:
        """What was derived from the cohort."""
        return self.folder / "derivatives" / "cta"

    def subject_rows(self) -> list[SubjectRow]:
        """Who is who, from sourcedata."""
        return read_inventory(self.folder / "sourcedata").subjects

    def label_of(self, session: RawSession) -> str:
        """Return the label of a session's subject, without `sub-`, as tables have it."""
        (label,) = {r.subject for r in self.subject_rows() if r.source_id == session.source_id}
        return label


def take_through(case: ConformanceCase, folder: Path, raw: RawCohort) -> Conformed:
    """Take a cohort through everything, at first with one of its files damaged."""
    root = folder / "study"
    create_study(root, case.name, ())
    toml = (root / "study.toml").read_text("utf-8")
    for before, after in case.settings.items():
        assert before in toml
        toml = toml.replace(before, after)
    (root / "study.toml").write_text(toml, "utf-8")
    card = folder / "card.toml"
    card.write_text(case.card_text(), "utf-8")
    ensure_cohort(Study(root), case.cohort, card)

    whole = raw.damaged.read_bytes()
    raw.damaged.write_bytes(whole[: len(whole) // 2])
    add(root, case.cohort, raw.source)
    options = RunOptions(command=("cta-data", "convert"))
    damaged = execute(Study(root), (CONVERT,), options)

    raw.damaged.write_bytes(whole)
    add(root, case.cohort, raw.source, replace=True)
    options = RunOptions(command=("cta-data", "measure"))
    report = execute(Study(root), SUBJECT_STEPS, options)

    before = heads(root)
    second = execute(Study(root), SUBJECT_STEPS, options)
    again = add(root, case.cohort, raw.source)
    return Conformed(case, raw, root, damaged, report, second, again, (before, heads(root)))


def add(root: Path, cohort: str, source: Path, *, replace: bool = False) -> dict[str, Any]:
    """Add a source to a cohort of a study."""
    study = Study(root)
    options = AdditionOptions(replace=replace)
    with open_addition(study, cohort, study.card(cohort), source, options) as plan:
        return add_source(study, cohort, plan)


def heads(root: Path) -> Heads:
    """Return the commit of every dataset of a study, and what is not committed."""
    told = {}
    for marker in sorted(root.rglob(".git")):
        for command in (("rev-parse", "HEAD"), ("status", "--porcelain")):
            done = subprocess.run(
                ["git", *command], cwd=marker.parent, capture_output=True, text=True, check=True
            )
            told[f"{marker.parent.relative_to(root)} {command[0]}"] = done.stdout.strip()
    return told
