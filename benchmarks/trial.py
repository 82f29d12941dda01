"""How well does a whole digital trial go through? Compared with the truth, patient by patient.

Makes a trial of digital patients (20 unless told otherwise), takes it through `add` and
`build --setting A … D`, and prints: counts in and out of every stage, target registration error
over brain voxels by source of the transform, and volume ratio and centroid error of every lesion
on both grids against what was drawn. Exits with 1 where a lesion is missing without a reason.

    python benchmarks/trial.py [--patients 20] [--voxel-mm 1.0] [-j 2] [--folder DIR]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from cta_data.engine import ExecutorOptions, RunOptions
from cta_data.formats.nifti.image import read_image
from cta_data.intake import AdditionOptions
from cta_data.intake.add import add_source, open_addition
from cta_data.phantom import VoxelSizes, write_trial
from cta_data.pipeline.build import build_step
from cta_data.pipeline.runner import SUBJECT_STEPS, execute
from cta_data.study.creation import create_study
from cta_data.study.study import Study
from cta_data.versioning.tools import use_environment_tools

BRAIN_POINTS = 2000


def main() -> int:
    """Run the comparison and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--voxel-mm", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    use_environment_tools()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", "benchmark")
        os.environ.setdefault(f"GIT_{role}_EMAIL", "benchmark@example.org")
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        study = run_trial(folder, chosen.patients, chosen.voxel_mm, chosen.seed, chosen.jobs)
        truth = _truth_by_subject(study, folder / "trial" / "truth")
        _print_counts(study, truth)
        _print_registration(study, truth)
        missing = _print_lesions(study, truth)
    return 1 if missing else 0


def run_trial(folder: Path, patients: int, voxel_mm: float, seed: int, jobs: int) -> Study:
    """Make the trial and build all four settings from it."""
    half = patients // 2
    sizes = VoxelSizes(voxel_mm, voxel_mm, voxel_mm, 1.25 * voxel_mm)
    trial = folder / "trial"
    write_trial(
        trial, n_naq=half, n_haq=patients - half, seed=seed, voxel_sizes=sizes, workers=jobs
    )
    study = create_study(folder / "study", "trial", ("internal",))
    with open_addition(
        study, "internal", study.card("internal"), trial / "raw", AdditionOptions()
    ) as plan:
        add_source(study, "internal", plan)
    study = Study(study.root)
    steps = [*SUBJECT_STEPS, *(build_step(study, name) for name in "ABCD")]
    command = ("cta-data", "build", *(w for name in "ABCD" for w in ("--setting", name)))
    execute(study, steps, RunOptions(executor=ExecutorOptions(jobs), command=command))
    return Study(study.root)


def _truth_by_subject(study: Study, truth: Path) -> dict[str, Path]:
    table = study.root / study.sourcedata_path("internal") / "subjects.tsv"
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {row["subject"]: truth / row["source_id"] for row in rows}


def _print_counts(study: Study, truth: dict[str, Path]) -> None:
    print(f"\nCounts: {len(truth)} patients in the export")
    counts = study.query(
        "select step, count(*) as units, count(*) filter (status = 'ok') as ok,"
        " count(*) filter (status <> 'ok') as stopped from units group by all order by all"
    )
    print(counts.to_string(index=False))
    partitions = study.query(
        "select coalesce(partition, 'none') as partition, count(*) as n from subjects group by all"
    )
    print(partitions.to_string(index=False))


def _print_registration(study: Study, truth: dict[str, Path]) -> None:
    rows = []
    for row in study.transforms().itertuples():
        found = sitk.ReadTransform(str(study.root / row.path))
        folder = truth[row.subject]
        name = f"from-{row.moving}_to-{row.fixed}_mode-image_xfm.tfm"
        true = sitk.ReadTransform(str(folder / name))
        points = _brain_points(folder / f"brain_{row.fixed}.nii.gz")
        errors = [
            np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p)))
            for p in points
        ]
        pair = f"{row.moving}→{row.fixed}"
        rows.append((pair, row.source, row.accepted, np.mean(errors), np.max(errors)))
    frame = pd.DataFrame(rows, columns=["pair", "source", "accepted", "mean_mm", "max_mm"])
    table = frame.groupby(["pair", "source"]).agg(
        pairs=("accepted", "size"),
        accepted=("accepted", "sum"),
        mean_of_means=("mean_mm", "mean"),
        worst_mean=("mean_mm", "max"),
        worst_point=("max_mm", "max"),
    )
    print("\nTarget registration error over brain voxels, mm")
    print(table.round(3).to_string())


def _brain_points(path: Path) -> list[tuple[float, ...]]:
    mask = read_image(path)
    indices = np.argwhere(sitk.GetArrayViewFromImage(mask) > 0)[:, ::-1]
    chosen = np.random.default_rng(0).choice(len(indices), BRAIN_POINTS)
    return [mask.TransformIndexToPhysicalPoint(tuple(int(v) for v in indices[i])) for i in chosen]


def _print_lesions(study: Study, truth: dict[str, Path]) -> int:
    """Print lesion errors; return how many drawn lesions are neither measured nor listed lost."""
    lesions = study.lesions()
    rows, missing = [], 0
    for subject, folder in truth.items():
        for lesion in json.loads((folder / "lesions.json").read_text("utf-8")):
            if lesion["roi_name"] is None:
                continue
            for grid in ("MPRAGE", "SPACE"):
                found = lesions[
                    (lesions.subject == subject)
                    & (lesions.grid == grid)
                    & (lesions.source_roi == lesion["roi_name"])
                ]
                if found.empty:
                    missing += 1
                    print(f"MISSING: sub-{subject} {grid} lesion {lesion['id']}")
                    continue
                rows.append(_lesion_row(grid, lesion, found))
    columns = ["grid", "drawn_mm3", "voxels", "volume_ratio", "centroid_mm", "lost"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["size"] = pd.cut(
        frame.drawn_mm3,
        [0, 50, 200, 1000, np.inf],
        labels=["< 0.05 cm³", "0.05–0.2", "0.2–1", "> 1"],
    )
    table = frame.groupby(["grid", "size"], observed=True).agg(
        lesions=("lost", "size"),
        lost=("lost", "sum"),
        ratio_median=("volume_ratio", "median"),
        ratio_p5=("volume_ratio", lambda v: v.quantile(0.05)),
        ratio_p95=("volume_ratio", lambda v: v.quantile(0.95)),
        centroid_median_mm=("centroid_mm", "median"),
        centroid_p95_mm=("centroid_mm", lambda v: v.quantile(0.95)),
    )
    print("\nLesions against the truth: volume ratio to the annotation, centroid to the lesion")
    print(table.round(3).to_string())
    expected = sum(
        1
        for folder in truth.values()
        for lesion in json.loads((folder / "lesions.json").read_text("utf-8"))
        if lesion["roi_name"] is not None
    )
    print(f"{expected} lesions drawn, {len(frame)} of {2 * expected} variants, {missing} missing")
    return missing


def _lesion_row(grid: str, lesion: dict, found: pd.DataFrame) -> tuple:
    volume = float(found.volume_mm3.sum())
    drawn = lesion["drawn"]["volume_mm3"]
    lost = bool(found.lost_reason.notna().all())
    centroid = float("nan")
    if not lost:
        weights = found.volume_mm3.to_numpy(dtype=float)
        centroids = np.array([c for c in found.centroid_ras_mm if c is not None])
        ras = np.average(centroids, axis=0, weights=weights[weights > 0])
        lps = ras * (-1, -1, 1)
        centroid = float(np.linalg.norm(lps - lesion["centre_lps_mm"][grid]))
    return grid, drawn, int(found.n_voxels.sum()), volume / drawn, centroid, lost


if __name__ == "__main__":
    sys.exit(main())
