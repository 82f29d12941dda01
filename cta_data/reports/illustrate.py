"""What a study adds to its evaluation: the patient flow, and crops of findings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cta_data.files import write_bytes, write_text
from cta_data.reports.evaluate import FLOW, FLOW_TABLE, Illustrate, Illustration
from cta_data.reports.figures import figure_bytes, flow_figure
from cta_data.reports.finding_figures import write_findings
from cta_data.reports.flow import patient_flow
from cta_data.scoring import Convention
from cta_data.scoring.models import ScoredSet
from cta_data.study.study import Study

CAPTION = (
    "Every subject-session that was added is in one box on the right. A patient counts once a "
    "cohort, where one of the patient’s sessions is used. Lesions of sessions that were excluded "
    "before their lesions were measured are not known and not counted."
)
NO_FLOW = "<h2>Patient flow</h2>\n<p>The tables of the study hold no subject.</p>\n"


def illustrator(
    study: Study, convention: Convention, note: Callable[[str], None] = lambda text: None
) -> Illustrate:
    """Return what illustrates an evaluation of a study; `note` takes a line of progress."""

    def illustrate(folder: Path, sets: list[ScoredSet]) -> Illustration:
        first, files = _write_flow(study, folder, convention)
        crops = write_findings(study, folder, sets, convention, note)
        notice = study.configuration.study.notice
        return Illustration(first, crops.section, (*files, *crops.files), notice)

    return illustrate


def _write_flow(study: Study, folder: Path, convention: Convention) -> tuple[str, list[Path]]:
    """Write the diagram and its counts; return the section of the page, and the files."""
    flow = patient_flow(study.subjects(), study.lesions())
    if flow.empty:
        return NO_FLOW, []
    table = folder / FLOW_TABLE
    # All tables of the folder name it, though the flow is the same by any convention.
    named = flow.assign(convention=convention.name)
    write_text(named.to_csv(index=False, lineterminator="\n"), table)
    files = [table]
    for kind, content in figure_bytes(flow_figure(flow)).items():
        files.append(folder / f"{FLOW}.{kind}")
        write_bytes(content, files[-1])
    alt = f"Patient flow; the counts are in {FLOW_TABLE}"
    return (
        f'<h2>Patient flow</h2>\n<p><img src="{FLOW}.svg" alt="{alt}"></p>\n<p>{CAPTION}</p>\n',
        files,
    )
