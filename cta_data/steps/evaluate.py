"""Evaluate: every prediction scored, and the paper's tables and figures made from the scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import pandas as pd

from cta_data.evaluation.experiment import (
    ScoredSet,
    false_positives,
    found_instances,
    found_lesions,
    read_sets,
    score_table,
    sensitivity_by_volume,
)
from cta_data.evaluation.experiment.score_table import PAIR, TITLES
from cta_data.evaluation.experiment.score_text import score_html, score_latex, score_section
from cta_data.evaluation.experiment.sets import all_cases, all_lesions
from cta_data.evaluation.figures import box_figure, figure_bytes, found_figure, sensitivity_figure
from cta_data.evaluation.rendering import STYLE
from cta_data.evaluation.scoring import Convention

PAGE = "report.html"


@dataclass(frozen=True)
class Evaluation:
    """What was scored and written.

    Attributes
    ----------
    sets
        Model and test set with its number of cases.
    missing
        What was not scored, a line each.
    files
        Written files, from the output folder.
    """

    sets: tuple[tuple[str, int], ...]
    missing: tuple[str, ...]
    files: tuple[str, ...]


def evaluate(
    references: Path,
    predictions: Path,
    out: Path,
    convention: Convention,
    *,
    jobs: int = 1,
    note: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Score all predictions and write scores, tables, figures and a page.

    Parameters
    ----------
    references
        `<test set>/<case>.nii.gz`.
    predictions
        `<model>/<test set>/<case>.nii.gz`.
    out
        Folder; a folder of the convention's name is made in it.

    Raises
    ------
    ConfigurationError
        A folder is not there.
    """
    sets, unscored = read_sets(references, predictions, convention, jobs=jobs, note=note)
    missing = [*unscored, *(line for one in sets for line in one.missing)]
    scored = [one for one in sets if one.scores.cases]
    if not scored:
        return Evaluation((), tuple(missing), ())
    folder = out / convention.name.replace(", ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    written = _write_scores(folder, scored)
    tables = {name: score_table(scored, name) for name in TITLES}
    tables = {name: frame for name, frame in tables.items() if len(frame)}
    for name, frame in tables.items():
        _put(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"), written)
        _put(folder / f"{name}.html", score_html(frame, name, convention.name), written)
        _put(folder / f"{name}.tex", score_latex(frame, name, convention.name), written)
    counts = _write_counts(folder, scored, written)
    figures = _write_figures(folder, scored, counts["sensitivity_by_volume"], written)
    page = _page(convention.name, tables, counts, figures, missing)
    _put(folder / PAGE, page, written)
    names = tuple((one.name, len(one.scores.cases)) for one in scored)
    files = tuple(sorted(path.relative_to(out).as_posix() for path in written))
    return Evaluation(names, tuple(missing), files)


def _write_scores(folder: Path, sets: list[ScoredSet]) -> list[Path]:
    written = []
    for name, frame in (("scores", all_cases(sets)), ("scores.lesions", all_lesions(sets))):
        path = folder / f"{name}.parquet"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            frame.to_parquet(temporary, index=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        written.append(path)
    return written


def _write_counts(
    folder: Path, sets: list[ScoredSet], written: list[Path]
) -> dict[str, pd.DataFrame]:
    frames = {
        "found_instances": found_instances(sets, PAIR),
        "false_positives": false_positives(sets),
        "sensitivity_by_volume": pd.concat(
            [sensitivity_by_volume(one) for one in sets], ignore_index=True
        ),
    }
    frames = {name: frame for name, frame in frames.items() if len(frame)}
    for name, frame in frames.items():
        _put(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"), written)
    return frames


def _write_figures(
    folder: Path, sets: list[ScoredSet], curves: pd.DataFrame, written: list[Path]
) -> list[str]:
    figures = {"scores": box_figure(all_cases(sets)), "sensitivity": sensitivity_figure(curves)}
    found = _found(sets)
    if len(found):
        figures["found"] = found_figure(found, PAIR)
    for name, figure in figures.items():
        for kind, content in figure_bytes(figure).items():
            _put(folder / f"figure_{name}.{kind}", content, written)
    return [f"figure_{name}.svg" for name in figures]


def _found(sets: Sequence[ScoredSet]) -> pd.DataFrame:
    parts = []
    for test_set in dict.fromkeys(one.test_set for one in sets):
        mine = {one.model: one for one in sets if one.test_set == test_set}
        if set(PAIR) <= set(mine):
            parts += [found_lesions(mine[a], mine[b]) for a, b in pairwise(PAIR)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _page(
    convention: str,
    tables: dict[str, pd.DataFrame],
    counts: dict[str, pd.DataFrame],
    figures: list[str],
    missing: list[str],
) -> str:
    """One page with everything; its pictures lie beside it."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Evaluation</title>\n<style>\n{STYLE}img {{ max-width: 100%; }}\n</style>\n"
        f"</head>\n<body>\n<h1>Evaluation by the convention “{escape(convention)}”</h1>\n"
    ]
    if missing:
        lines = "".join(f"<li>{escape(line)}</li>\n" for line in missing)
        parts.append(f"<h2>Not scored: {len(missing)}</h2>\n<ul>\n{lines}</ul>\n")
    parts += [score_section(frame, name, convention) for name, frame in tables.items()]
    parts += [f'<p><img src="{name}" alt="{escape(name)}"></p>\n' for name in figures]
    for name, frame in counts.items():
        shown = frame.to_html(index=False, border=0, na_rep="—", float_format="{:.3f}".format)
        parts.append(f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2>\n{shown}\n")
    return "".join([*parts, "</body>\n</html>\n"])


def _put(path: Path, content: str | bytes, written: list[Path]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    written.append(path)
