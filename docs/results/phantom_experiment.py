"""The paper's question on digital patients: does a model of carried-over labels find more?

First ``cta-data demo FOLDER --patients 150 [--voxel-mm 1.0] -j N``, which makes the trial and the
builds; then ``python docs/results/phantom_experiment.py FOLDER [--device cuda] [--training FILE]``.
Settings A, B and C are trained on one fold, and judged on test patients whom no model has seen:

- HAQ-MPRAGE, HAQ-SPACE: annotated on SPACE, by the reader whose annotations B and C learn
- NAQ-MPRAGE: annotated on MPRAGE, by the reader whose annotations A learns
- truth-MPRAGE, truth-SPACE: the patients of both, by what the phantoms really hold

All of it runs by `cta-data train`, `predict` and `evaluate`, which are printed, and can be stopped
and run again. FOLDER/results holds the three evaluations, the learning curves, and
`sensitivity.csv`, which is printed, too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd

from cta_data.engine.datasets import save
from cta_data.study import Study

MODELS = ("A", "B", "C")
TECHNIQUES = ("MPRAGE", "SPACE")
SMALL_CM3 = 0.1
SETTINGS = [word for name in MODELS for word in ("--setting", name)]


def main() -> None:
    """Train, predict with either reader's patients, evaluate, and score against the truth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", "-j", default="1")
    parser.add_argument("--training", type=Path, help="a [training] section for study.toml")
    parser.add_argument("--readers", nargs="+", default=["HAQ", "NAQ"], choices=["HAQ", "NAQ"])
    chosen = parser.parse_args()
    folder, results = chosen.folder.absolute(), chosen.folder.absolute() / "results"
    study = folder / "study"
    if chosen.training:
        configure(study, "training", chosen.training.read_text("utf-8"))
    device = ("--device", chosen.device, "-j", chosen.jobs)
    run(study, "train", *SETTINGS, "--fold", "0", *device)
    for quality in chosen.readers:
        configure(study, "build", f'[build]\ntest_quality = "{quality}"\n')
        on = [word for name in TECHNIQUES for word in ("--on", f"internal-{name}")]
        run(study, "predict", *SETTINGS, *on, *device)
        keep(study, results / "predictions", quality)
        run(study, "evaluate", "-j", chosen.jobs)
        replace(study / "evaluation" / "article", results / quality / "article")
    place_truth(study, folder / "trial" / "truth", results)
    words = ["--references", str(results / "references")]
    words += ["--predictions", str(results / "truth-predictions"), "--out", str(results / "truth")]
    run(study, "evaluate", *words, "-j", chosen.jobs)
    for name in MODELS:
        curves = next((study / "models").glob(f"*CTA{name}/*/fold_0/curves.png"))
        shutil.copyfile(curves, results / f"curves_{name}.png")
    summarise(results, [*chosen.readers, "truth"])


def run(study: Path, *words: str) -> None:
    """Run a command of cta-data in the study, print it and what it took."""
    started = time.monotonic()
    print("$ cta-data", *words, flush=True)
    subprocess.run(["cta-data", *words], cwd=study, check=True)
    print(f"   {(time.monotonic() - started) / 60:.1f} min", flush=True)


def configure(study: Path, section: str, text: str) -> None:
    """Replace a section of study.toml, and commit it."""
    path = study / "study.toml"
    parts = path.read_text("utf-8").split("\n[")
    kept = [part for part in parts if not part.startswith(f"{section}]")]
    path.write_text("\n[".join(kept).rstrip() + f"\n\n{text}", encoding="utf-8")
    Study(study)
    save(study, f"[{section}] of the experiment", [path])


def keep(study: Path, out: Path, quality: str) -> None:
    """Copy predicted masks, since the other quality's take their place in the study."""
    for model in MODELS:
        for name in TECHNIQUES:
            source = study / "evaluation" / "predictions" / model / f"internal-{name}"
            replace(source, out / model / f"{quality}-{name}")


def replace(source: Path, target: Path) -> None:
    """Copy a folder in place of another; what git-annex keeps by link is copied as a file."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def place_truth(study: Path, truth: Path, results: Path) -> None:
    """Point at the true lesions of all test patients, and at the predictions of both readers'."""
    known = pd.read_csv(study / "datasets/internal/sourcedata/subjects.tsv", sep="\t", dtype=str)
    patients = known.set_index("subject")["source_id"]
    for model in MODELS:
        for technique in TECHNIQUES:
            for mask in sorted((results / "predictions" / model).glob(f"*-{technique}/*.nii.gz")):
                subject = mask.name.removeprefix("internal_sub-").split("_")[0]
                true = truth / patients[subject] / f"lesions_{technique}.nii.gz"
                name = f"truth-{technique}/{mask.name}"
                link(true, results / "references" / name)
                link(mask, results / "truth-predictions" / model / name)


def link(source: Path, target: Path) -> None:
    """Make a link, in place of one that is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.symlink(source, target)


def share(bins: pd.DataFrame) -> float:
    """Return the share of lesions found; NaN where there are none."""
    return bins.detected.sum() / bins.n.sum() if bins.n.sum() else float("nan")


def summarise(results: Path, evaluations: list[str]) -> None:
    """Print the share of lesions found and false positives a patient, by test set and model."""
    rows = []
    for quality in evaluations:
        found = pd.read_csv(results / quality / "article" / "sensitivity_by_volume.csv")
        wrong = pd.read_csv(results / quality / "article" / "false_positives.csv")
        mean = wrong.set_index(["test_set", "model"])["mean"]
        for (test_set, model), own in found.groupby(["test_set", "model"]):
            small = own[own.to_cm3 <= SMALL_CM3]
            technique = str(test_set).rsplit("-", 1)[-1]
            rows.append(
                {
                    "test_set": f"{quality}-{technique}",
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
