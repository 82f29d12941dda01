"""The paper's question on digital patients: does a model of carried-over labels find more?

First ``cta-data demo FOLDER --patients 150 [--voxel-mm 1.0] -j N``, which makes the trial and the
builds; then ``python docs/results/phantom_experiment.py FOLDER [--device cuda] [--training FILE]``.
Settings A, B and C are trained on one fold, and judged on test patients whom no model has seen. A
and B read MPRAGE, C reads SPACE, in all of them:

- internal-HAQ: annotated on SPACE, by the reader whose annotations B and C learn
- internal-NAQ: annotated on MPRAGE, by the reader whose annotations A learns
- truth: the patients of both, by what the phantoms really hold

Last, the false positives of every model are held against the truth: how many on internal-NAQ are
real lesions that the reader on MPRAGE missed. All of it runs by `cta-data train`, `predict`,
`evaluate` and `audit`, which are printed, and can be stopped and run again. FOLDER/results holds
the evaluations, the learning curves, `false_positives.json` and `sensitivity.csv`, which is
printed, too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd

from cta_data.study.study import Study
from cta_data.versioning.datasets import save

MODELS = ("A", "B", "C")
SMALL_CM3 = 0.1
SETTINGS = [word for name in MODELS for word in ("--setting", name)]


def main() -> None:
    """Train, predict, evaluate, score against the truth, and hold false positives against it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", "-j", default="1")
    parser.add_argument("--training", type=Path, help="a [training] section for study.toml")
    chosen = parser.parse_args()
    folder, results = chosen.folder.absolute(), chosen.folder.absolute() / "results"
    study, truth = folder / "study", folder / "trial" / "truth"
    if chosen.training:
        configure(study, "training", chosen.training.read_text("utf-8"))
    device = ("--device", chosen.device, "-j", chosen.jobs)
    run(study, "train", *SETTINGS, "--fold", "0", *device)
    run(study, "predict", *SETTINGS, "--on", "test", *device)
    run(study, "evaluate", "-j", chosen.jobs)
    replace(study / "evaluation" / "article", results / "article")
    told = run(study, "audit", "--all", "--no-page", "--truth", str(truth), "--json")
    counts = json.loads(told)["truth"]
    (results / "false_positives.json").write_text(json.dumps(counts, indent=1) + "\n", "utf-8")
    print(pd.DataFrame(counts).to_string(index=False))
    place_truth(study, truth, results)
    words = ["--references", str(results / "references")]
    words += ["--predictions", str(results / "truth-predictions"), "--out", str(results / "truth")]
    run(study, "evaluate", *words, "-j", chosen.jobs)
    for name in MODELS:
        curves = next((study / "models").glob(f"*CTA{name}/*/fold_0/curves.png"))
        shutil.copyfile(curves, results / f"curves_{name}.png")
    summarise(results)


def run(study: Path, *words: str) -> str:
    """Run a command of cta-data in the study, print it and what it took; return what it printed."""
    started = time.monotonic()
    print("$ cta-data", *words, flush=True)
    done = subprocess.run(
        ["cta-data", *words], cwd=study, check=True, stdout=subprocess.PIPE, text=True
    )
    print(f"   {(time.monotonic() - started) / 60:.1f} min", flush=True)
    return done.stdout


def configure(study: Path, section: str, text: str) -> None:
    """Replace a section of study.toml, and commit it."""
    path = study / "study.toml"
    parts = path.read_text("utf-8").split("\n[")
    kept = [part for part in parts if not part.startswith(f"{section}]")]
    path.write_text("\n[".join(kept).rstrip() + f"\n\n{text}", encoding="utf-8")
    Study(study)
    save(study, f"[{section}] of the experiment", [path])


def replace(source: Path, target: Path) -> None:
    """Copy a folder in place of another; what git-annex keeps by link is copied as a file."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def place_truth(study: Path, truth: Path, results: Path) -> None:
    """Point at the true lesions of all test patients, and at what every model predicted of them.

    Each model is judged on the grid of the technique that it read.
    """
    known = pd.read_csv(study / "datasets/internal/sourcedata/subjects.tsv", sep="\t", dtype=str)
    patients = known.set_index("subject")["source_id"]
    for record in sorted((study / "evaluation/predictions").glob("*/internal-*/prediction.json")):
        content = json.loads(record.read_text("utf-8"))
        technique = content["technique"]
        for case in content["masks"]:
            subject = case.removeprefix("internal_sub-").split("_")[0]
            true = truth / patients[subject] / f"lesions_{technique}.nii.gz"
            name = f"truth-{technique}/{case}.nii.gz"
            link(true, results / "references" / name)
            mask = record.parent / f"{case}.nii.gz"
            link(mask, results / "truth-predictions" / content["model"] / name)


def link(source: Path, target: Path) -> None:
    """Make a link, in place of one that is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.symlink(source, target)


def share(bins: pd.DataFrame) -> float:
    """Return the share of lesions found; NaN where there are none."""
    return bins.detected.sum() / bins.n.sum() if bins.n.sum() else float("nan")


def summarise(results: Path) -> None:
    """Print the share of lesions found and false positives a patient, by test set and model."""
    rows = []
    for evaluation in (results / "article", results / "truth" / "article"):
        found = pd.read_csv(evaluation / "sensitivity_by_volume.csv")
        wrong = pd.read_csv(evaluation / "false_positives.csv")
        mean = wrong.set_index(["test_set", "model"])["mean"]
        for (test_set, model), own in found.groupby(["test_set", "model"]):
            small = own[own.to_cm3 <= SMALL_CM3]
            rows.append(
                {
                    "test_set": test_set,
                    "model": model,
                    "lesions": own.n.sum(),
                    "found": own.detected.sum(),
                    "sensitivity": share(own),
                    "small_lesions": small.n.sum(),
                    "small_found": small.detected.sum(),
                    "small_sensitivity": share(small),
                    "false_positives_a_patient": mean[test_set, model],
                }
            )
    table = pd.DataFrame(rows).round(3)
    table.to_csv(results / "sensitivity.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
