"""The files of the experiment with patches: page, tables, figure, and the card to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cta_data.files import json_text, read_json_object, write_changed
from cta_data.imaging.lesions.patch_places import DEPTH_TOLERANCE_MM
from cta_data.reports.figures.patch_boxes import patch_alt, patch_figure
from cta_data.reports.figures.style import figure_bytes
from cta_data.reports.latex import latex
from cta_data.reports.origin import origin_text, stamped
from cta_data.reports.page import PageFigure, Section, page_html
from cta_data.reports.patch_tables import (
    comparison_frame,
    comparison_table,
    f1_table,
    learning_table,
    run_frame,
)
from cta_data.reports.table import Row, Table, TableColumn, csv_text
from cta_data.study import layout
from cta_data.study.patch_inputs import INPUTS
from cta_data.study.study import Study
from cta_data.training.classify import LIKELY, PatchExperiment, run_paths
from cta_data.training.patch_network import WEIGHT_DECAY
from cta_data.versioning.provenance import commit_of

TITLE = "Patches with and without a metastasis"
INTRO = (
    "The counterpart of Figure S2 of the paper: networks tell patches that are centred on a "
    "metastasis from patches without any, given one of several inputs. Every input is cut at the "
    "same places. F1 is of test patches of patients that no network was trained on; a patch is "
    f"said to hold a metastasis from a probability of {LIKELY} on."
)
MADE_FROM = tuple(map(layout.table, ("annotations", "variants")))


@dataclass(frozen=True)
class PatchResults:
    """What an experiment came to.

    Attributes
    ----------
    runs
        A row for each run.
    compared
        A row for each pair of inputs.
    patches
        Number of patients and of patches with and without a metastasis, by partition.
    contents
        What the file of each run holds.
    """

    runs: pd.DataFrame
    compared: pd.DataFrame
    patches: Mapping[str, Mapping[str, int]]
    contents: Sequence[Mapping[str, Any]]


def read_results(study: Study, experiment: PatchExperiment) -> PatchResults | None:
    """Return the results of an experiment; None while a run is missing.

    Raises
    ------
    DataRefused
        A file cannot be read.
    """
    contents = _runs(study, experiment)
    if contents is None:
        return None
    runs = run_frame(contents)
    compared = comparison_frame(runs, experiment.inputs)
    return PatchResults(runs, compared, _counted(study, contents), contents)


def _runs(study: Study, experiment: PatchExperiment) -> list[dict[str, Any]] | None:
    paths = [study.root / path for path in run_paths(experiment)]
    if not all(path.exists() for path in paths):
        return None
    return [read_json_object(path) for path in paths]


def _counted(study: Study, runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Count what was used, from the places that the first run read; all runs read the same."""
    counts = {
        partition: dict.fromkeys(("sessions", "with", "without", "unmatched"), 0)
        for partition in ("train", "test")
    }
    for role in sorted(runs[0]["files"]):
        if not role.startswith("places:"):
            continue
        content = read_json_object(study.root / layout.patch_places(role.partition(":")[2]))
        own = counts[content["partition"]]
        own["sessions"] += 1
        for place in content["places"]:
            own["with" if place["has_metastasis"] else "without"] += 1
        own["unmatched"] += len(content["without_negative"])
    return counts


def write_patches(
    study: Study, experiment: PatchExperiment, results: PatchResults, command: Sequence[str]
) -> bool:
    """Write page, tables, figure and card; tell whether any changed."""
    files = patch_files(study, experiment, results, command)
    changed = [write_changed(content, study.root / name) for name, content in files.items()]
    return any(changed)


def patch_files(
    study: Study, experiment: PatchExperiment, results: PatchResults, command: Sequence[str]
) -> dict[str, bytes]:
    """Return the files by their paths from the top of the study."""
    names = (experiment.architectures, experiment.inputs)
    tables = [f1_table(results.runs, *names)]
    if len(results.compared):
        tables.append(comparison_table(results.compared))
    figure = figure_bytes(patch_figure(results.runs, *names))
    caption = (
        "F1 of test patches by architecture and input. Every point is a seed; fewer than four "
        "have no box."
    )
    shown = PageFigure("f1.svg", caption, patch_alt(results.runs))
    counted = _count_table(results.patches)
    page = page_html(
        "introduced.html",
        title=TITLE,
        notice=study.configuration.study.notice,
        home="../../index.html",
        intro=INTRO,
        sections=[
            Section("Results", figures=(shown,), tables=tuple(tables)),
            Section("Patches", text=_method(experiment), tables=(counted,)),
            Section("Training", tables=(learning_table(results.runs),)),
            Section("Files", files=("runs.csv", "comparison.csv", "f1.tex", "card.json")),
        ],
    )
    files = {
        "index.html": page.encode(),
        "f1.html": _table_page(study, tables[0]).encode(),
        "runs.csv": csv_text(results.runs).encode(),
        "comparison.csv": csv_text(results.compared).encode(),
        "f1.tex": "\n".join(latex(one, (one.title,)) for one in (*tables, counted)).encode(),
        "card.json": json_text(_card(study, experiment, results, command)).encode(),
        **{f"f1.{kind}": content for kind, content in figure.items()},
    }
    origin = origin_text(commit_of(study.root, MADE_FROM))
    return {
        f"{layout.PATCHES}/{name}": stamped(content, Path(name).suffix, origin)
        for name, content in files.items()
    }


def _table_page(study: Study, table: Table) -> str:
    return page_html(
        "table.html",
        title=table.title,
        notice=study.configuration.study.notice,
        home="../../index.html",
        intro="",
        tables=[table],
        notes=(),
        lists={},
    )


def _count_table(patches: Mapping[str, Mapping[str, int]]) -> Table:
    columns = (
        TableColumn("Partition", "name"),
        TableColumn("Sessions"),
        TableColumn("With a metastasis"),
        TableColumn("Without"),
        TableColumn("Without a match"),
    )
    rows = [
        Row((name, *(str(own[key]) for key in ("sessions", "with", "without", "unmatched"))))
        for name, own in (("Training", patches["train"]), ("Test", patches["test"]))
    ]
    notes = ("The paper had 219 with and 221 without in training, 42 and 40 in the test.",)
    return Table(columns, tuple(rows), title="Patches used", notes=notes)


def _method(experiment: PatchExperiment) -> str:
    grid, how = experiment.grid, experiment.learning
    inputs = "; ".join(
        f"{name}: {', '.join(c.name + ('' if c.phase else ' (latest)') for c in INPUTS[name])}"
        for name in experiment.inputs
    )
    return (
        f"Patches are cubes of {grid.edge} voxels of {grid.spacing_mm:g} mm along each edge, on a "
        "grid along the axes of the SPACE image. Images as acquired are averaged to this spacing, "
        "interpolated once through the transforms of the study, and normalised by mean and "
        f"standard deviation within the brain. Inputs: {inputs}.\n\n"
        "Each patch with a metastasis is centred on a lesion of the HAQ annotation. Its negative "
        f"is of the same head, within {DEPTH_TOLERANCE_MM:g} mm of the same depth below the "
        "surface of the brain, and no voxel of it is of a lesion. It is drawn at random (seeded) "
        "among all such places that are not within half an edge of another negative. Where there "
        "is none, the patch with the metastasis is used without a negative.\n\n"
        f"Networks are trained for {how.epochs} epochs in batches of {how.batch_size} with AdamW "
        f"(learning rate {how.learning_rate:g} along a cosine, weight decay {WEIGHT_DECAY:g}) on "
        "patches mirrored at random; the weights of the last epoch are used, and nothing is chosen "
        "by the test patches."
    )


def _card(
    study: Study, experiment: PatchExperiment, results: PatchResults, command: Sequence[str]
) -> dict[str, Any]:
    """Return everything that is needed to repeat the experiment."""
    contents = results.contents
    files: dict[str, str] = {}
    for one in contents:
        files |= one["files"]
    return {
        "command": list(command),
        "experiment": asdict(experiment),
        "channels": {n: [c.name for c in INPUTS[n]] for n in experiment.inputs},
        "depth_tolerance_mm": DEPTH_TOLERANCE_MM,
        "probability": LIKELY,
        "weight_decay": WEIGHT_DECAY,
        "sampling_seed": study.configuration.build.seed,
        "patches": results.patches,
        "software": contents[0]["software"],
        "files": files,
        "runs": {
            f"{one['architecture']} {one['input']} {one['seed']}": one["unit_key"]
            for one in contents
        },
    }
