"""Figures of the findings that an evaluation's scores choose, one a test set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cta_data.errors import CtaError
from cta_data.files import write_bytes, write_text
from cta_data.reports.figures import figure_bytes
from cta_data.reports.figures.findings import FindingPicture, findings_figure
from cta_data.reports.finding_crops import CaseCrops, CaseFinder, Masks, outline_name
from cta_data.reports.names import name_of_test_set
from cta_data.reports.page import PageFigure
from cta_data.scoring import Convention
from cta_data.scoring.models import ScoredSet, choose_findings
from cta_data.scoring.models.findings import REFERENCE, SelectedExample
from cta_data.study.study import Study

FOLDER = "crops"
IGNORE_ALL = "# Made by `cta-data evaluate`; pictures of patients are not committed.\n*\n"


@dataclass(frozen=True)
class ExampleFigures:
    """Figures of selected examples, one a test set.

    Attributes
    ----------
    figures, files
        As the page shows them, and all that was written.
    not_drawn
        Why some could not be drawn, by their name.
    """

    figures: tuple[PageFigure, ...]
    files: tuple[Path, ...]
    not_drawn: dict[str, str]


def write_findings(
    study: Study,
    folder: Path,
    sets: Sequence[ScoredSet],
    convention: Convention,
    note: Callable[[str], None],
) -> ExampleFigures:
    """Draw the chosen findings into the folder `crops`, which git ignores.

    What could not be drawn stops nothing.

    Parameters
    ----------
    folder
        Of the evaluation.
    note
        Takes a line of progress.
    """
    findings = choose_findings(sets)
    masks = dict(_masks(findings, sets))
    finder = CaseFinder(study, study.configuration.transfer.grids)
    not_fetched = finder.fetch(masks.values(), note)
    pictures: dict[SelectedExample, FindingPicture] = {}
    told: dict[str, str] = {}
    for key, its_masks in masks.items():
        mine = [one for one in findings if _key(one) == key]
        case = its_masks.case
        try:
            crops = CaseCrops(study, finder.files(case), its_masks, convention, not_fetched)
            pictures |= {one: _picture(one, crops) for one in mine}
            told |= {f"{case}: {t}": reason for t, reason in crops.left_out.items()}
        except CtaError as error:
            told[f"{mine[0].test_set}, {case}"] = str(error)
    figures, files = _write(folder / FOLDER, findings, pictures, sets)
    for name, reason in told.items():
        note(f"not drawn: {name}: {reason}")
    return ExampleFigures(figures, files, told)


def _key(finding: SelectedExample) -> tuple[str, str, str]:
    return finding.test_set, finding.case, finding.technique


def _masks(
    findings: Sequence[SelectedExample], sets: Sequence[ScoredSet]
) -> Iterator[tuple[tuple[str, str, str], Masks]]:
    """Yield the masks of every case with a finding: those of all models that were scored on it.

    The reference is on the grid of the technique that the finding's models read.
    """
    for key in dict.fromkeys(map(_key, findings)):
        test_set, case, technique = key
        scored = [
            (one, one.scores.pairing.files[case])
            for one in sorted(sets, key=lambda one: one.model)
            if one.test_set == test_set and case in {c.case for c in one.scores.cases}
        ]
        reference = next(pair[0] for one, pair in scored if one.technique == technique)
        yield key, Masks(case, reference, {one.model: pair[1] for one, pair in scored})


def _picture(finding: SelectedExample, crops: CaseCrops) -> FindingPicture:
    whose = f"lesion {finding.lesion} of "
    whose += "the reference" if finding.origin == REFERENCE else outline_name(finding.origin)
    lines = [f"{finding.case}, {whose}: {finding.volume_mm3 / 1000:.3f} cm³"]
    told = []
    for verdict in finding.verdicts:
        dice = "" if verdict.dice is None else f", Dice {verdict.dice:.2f}"
        told.append(f"{outline_name(verdict.model)}: {verdict.label}{dice}")
    if finding.origin != REFERENCE:
        told += overlap_in_words(crops.overlapped(finding.origin, finding.lesion))
    titles = tuple(f"{rule[0].upper()}{rule[1:]}" for rule in finding.rules)
    return FindingPicture(
        titles, (*lines, "; ".join(told)), crops.crops(finding.origin, finding.lesion)
    )


def overlap_in_words(lesions: Sequence[int]) -> list[str]:
    """Return that a false positive overlaps lesions of the reference, where it does."""
    if not lesions:
        return []
    plural = "s" if len(lesions) > 1 else ""
    numbers = ", ".join(map(str, lesions))
    return [f"overlaps lesion{plural} {numbers} of the reference without being matched"]


def _write(
    folder: Path,
    findings: Sequence[SelectedExample],
    pictures: Mapping[SelectedExample, FindingPicture],
    sets: Sequence[ScoredSet],
) -> tuple[tuple[PageFigure, ...], tuple[Path, ...]]:
    """Write a figure a test set, and remove those of earlier evaluations."""
    files: list[Path] = []
    figures: list[PageFigure] = []
    for test_set in dict.fromkeys(one.test_set for one in pictures):
        drawn = [pictures[one] for one in findings if one.test_set == test_set and one in pictures]
        models = sorted(one.model for one in sets if one.test_set == test_set)
        names = (REFERENCE, *map(outline_name, models))
        figure = findings_figure(drawn, names)
        folder.mkdir(exist_ok=True)
        write_text(IGNORE_ALL, folder / ".gitignore")
        for kind, content in figure_bytes(figure).items():
            path = folder / f"findings_{test_set}.{kind}"
            write_bytes(content, path)
            files.append(path)
        figures.append(_shown(test_set, drawn))
    for old in sorted(folder.glob("findings_*")) if folder.is_dir() else []:
        if old not in files:
            old.unlink()
    return tuple(figures), tuple(files)


def _shown(test_set: str, drawn: Sequence[FindingPicture]) -> PageFigure:
    """Return the figure of a test set as the page shows it."""
    told = "; ".join(f"{', '.join(one.titles)}: {' '.join(one.lines)}" for one in drawn)
    name = name_of_test_set(test_set)
    return PageFigure(
        f"{FOLDER}/findings_{test_set}.svg",
        f"{len(drawn)} lesions of the test set {name}, with the outlines of all masks.",
        f"Crops of {len(drawn)} lesions on each technique. {told}.",
        name,
        is_wide=True,
    )
