"""The page of an evaluation: its summary first, then scores, figures, examples and counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from cta_data.reasons import counted
from cta_data.reports.article import reading
from cta_data.reports.count_tables import (
    case_table,
    example_table,
    false_positive_table,
    found_by_table,
    key_table,
    sensitivity_table,
    surface_table,
)
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.subgroup_table import subgroup_section
from cta_data.reports.table import Table
from cta_data.scoring.models.findings import RULE
from cta_data.scoring.paper import PAIR

FOUND = "found_instances"
HOME = "../../index.html"
"""The study's home page, from the folder of an evaluation by a convention."""
FLOW_TEXT = (
    "Every subject-session that was added is in one box on the right. A patient counts once a "
    "cohort, where one of the patient’s sessions is used. Lesions of sessions that were excluded "
    "before their lesions were measured are not known and not counted."
)
CROPS_TEXT = (
    "Axial crops through the centre of the lesion, on each technique that annotations are carried "
    "to, in one plane of the image on whose grid its mask is; other images, and masks on their "
    "grids, are resampled through the registration. The patient’s right is on the left, the bar is "
    "10 mm. Outlines follow the faces of voxels. Crops show patients and are not committed: where "
    "they are missing here, `cta-data evaluate` draws them."
)
NO_STUDY = (
    "Masks alone tell neither who was excluded nor what the images show. Inside a study, "
    "`cta-data evaluate` draws the patient flow, and crops of lesions on every technique."
)
CSV_TEXT = (
    "Every number of this page as CSV, with all columns; scores of cases and lesions as Parquet "
    "too; tables for LaTeX."
)


@dataclass(frozen=True)
class KeyNumber:
    """One of the numbers that matter, of each model; `about` says what it is over."""

    title: str
    values: tuple[tuple[str, str], ...]
    about: str


@dataclass(frozen=True)
class EvaluationContent:
    """All that the page is made of.

    Attributes
    ----------
    convention
        Its name.
    cases
        The scores, one row a case.
    tables
        Those of the paper by name, and what was found.
    counts
        DataFrames by name, as they are written.
    figures
        By name.
    examples, flow
        Figures that a study adds.
    facts
        What is said of models and data, in words.
    remarks
        Lists that have to be read first, by heading.
    not_drawn
        Examples without a crop, with the reason.
    files
        Names of files beside the page.
    in_study
        Whether there are images and patients.
    revision
        What a revision of annotations changed, where that was asked for.
    probabilities
        What kept probability maps tell.
    """

    convention: str
    cases: pd.DataFrame
    tables: Mapping[str, Table]
    counts: Mapping[str, pd.DataFrame]
    figures: Mapping[str, PageFigure]
    facts: tuple[tuple[str, str], ...]
    remarks: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]
    examples: tuple[PageFigure, ...] = ()
    flow: tuple[PageFigure, ...] = ()
    not_drawn: tuple[str, ...] = ()
    notice: str = ""
    in_study: bool = False
    revision: Section | None = None
    probabilities: tuple[Section, ...] = ()


def evaluation_html(content: EvaluationContent) -> str:
    """Return the page; figures and files lie beside it."""
    return page_html(
        "evaluation.html",
        title="Evaluation",
        notice=content.notice,
        home=HOME if content.in_study else "",
        convention=content.convention,
        cards=cards(content.cases),
        facts=content.facts,
        key=key_table(content.cases),
        sections=[one for one in _sections(content) if not one.is_empty],
    )


def cards(cases: pd.DataFrame) -> list[KeyNumber]:
    """Return the three numbers that matter, of the pair that is compared, or else of all models.

    They are over the test sets that all of these models were scored on.
    """
    models = sorted(set(cases["model"]))
    models = [one for one in models if one in PAIR] if set(PAIR) <= set(models) else models
    chosen = cases[cases["model"].isin(models)]
    by_set = chosen.groupby("test_set")["model"].nunique()
    common = chosen[chosen["test_set"].isin(by_set[by_set == len(models)].index)]
    if common.empty:
        return []
    parts = {model: common[common["model"] == model] for model in models}
    found, false, dice = [], [], []
    for model, own in parts.items():
        found.append((model, f"{own['tp'].sum()} of {own['n_reference'].sum()}"))
        false.append((model, f"{own['fp'].mean():.1f}"))
        median = own["lesionwise_dice"].median()
        dice.append((model, f"{100 * median:.1f} %" if pd.notna(median) else "—"))
    n_sets = common["test_set"].nunique()
    n_cases = max(len(own) for own in parts.values())
    over = f"{counted(n_cases, 'case')} of {counted(n_sets, 'test set')}"
    over += "; test sets differ, see the table below." if n_sets > 1 else "."
    return [
        KeyNumber("Lesions found", tuple(found), over),
        KeyNumber("False positives per case", tuple(false), "Mean over the same cases."),
        KeyNumber("Lesion-wise Dice", tuple(dice), "Median over the same cases."),
    ]


def _sections(content: EvaluationContent) -> Iterable[Section]:
    """Yield the sections in their order; some may be empty."""
    counts, tables = content.counts, content.tables
    yield Section("Before reading", lists=tuple(content.remarks.items()))
    scores = tuple(table for name, table in tables.items() if name != FOUND)
    text = "\n\n".join(reading(content.convention))
    yield Section(
        "Scores", text, figures=_figures(content, "figure_3", "figure_scores"), tables=scores
    )
    if content.revision:
        yield content.revision
    found = [tables[FOUND]] if FOUND in tables else []
    found += [found_by_table(counts["found_by_models"])] if "found_by_models" in counts else []
    yield Section(
        "Lesions found", figures=_figures(content, "figure_found"), tables=tuple(found)
    )  # fmt: skip
    curves = (sensitivity_table(counts["sensitivity_by_volume"]),)
    yield Section(
        "Sensitivity by lesion volume",
        figures=_figures(content, "figure_sensitivity"),
        tables=curves,
    )
    if "subgroups" in counts:
        yield subgroup_section(counts["subgroups"])
    if "surfaces" in counts:
        yield Section("Surfaces", tables=(surface_table(counts["surfaces"]),))
    yield Section("False positives", tables=(false_positive_table(counts["false_positives"]),))
    yield from content.probabilities
    yield from _of_study(content)
    yield Section("Cases", tables=(case_table(counts["cases"]),))
    yield Section("Files", CSV_TEXT, files=content.files)


def _of_study(content: EvaluationContent) -> Iterable[Section]:
    """Yield examples and the patient flow, or say why there are none."""
    table = content.counts.get("findings")
    examples = (example_table(table),) if table is not None else ()
    texts = (RULE, CROPS_TEXT) if content.examples else (RULE,)
    yield Section(
        "Selected examples",
        "\n\n".join(texts),
        figures=content.examples,
        tables=examples,
        lists=(("Not drawn", content.not_drawn),),
    )
    if not content.in_study:
        yield Section("Patient flow, and crops of lesions", NO_STUDY)
        return
    text = FLOW_TEXT if content.flow else "The tables of the study hold no subject."
    yield Section("Patient flow", text, figures=content.flow)


def _figures(content: EvaluationContent, *names: str) -> tuple[PageFigure, ...]:
    return tuple(content.figures[name] for name in names if name in content.figures)
