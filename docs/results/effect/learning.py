"""Show when the models of the effect's experiment had learnt: losses, and FROC as they went on.

Run ``python docs/results/effect/learning.py FOLDER OUT [--setting A --setting B] [--seed 1]`` after
`train_models.py`. The validation patients of the fold are predicted with the copied checkpoints and
the last one, and judged by the truth, all with the score that ranks best with the last. Writes
learning.csv and learning.png.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from judge import truths
from matplotlib import pyplot as plt
from validated import CANDIDATES_FROM, FOLD, chosen_score, predicted

from cta_data.processes import open_workers
from cta_data.scoring import ARTICLE
from cta_data.scoring.probabilities.collection import find_candidates
from cta_data.scoring.probabilities.curve import Curve, froc_curve
from cta_data.study.layout import CHECKPOINT
from cta_data.study.study import Study
from cta_data.training.models import model_of
from cta_data.training.nnunet.checkpoints import read_checkpoint

COLOURS = ("#b45309", "#1d4ed8")


def main() -> None:
    """Predict with every checkpoint, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--setting", action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    folder, settings = chosen.folder.absolute(), chosen.setting or ["A", "B"]
    chosen.out.mkdir(parents=True, exist_ok=True)
    study = Study(folder / f"seed-{chosen.seed}")
    logs, rows = {}, []
    for setting in settings:
        model = study.root / model_of(study, setting, study.configuration.training).folder
        logs[setting] = read_checkpoint(model / f"fold_{FOLD}" / CHECKPOINT)["logging"]
        copies = folder / f"checkpoints-{chosen.seed}" / model.parent.name
        for epoch, curve in judged(folder, study, setting, model, copies, chosen.device):
            for level in curve.levels:
                found = level.sensitivity
                rows.append(
                    {
                        "setting": setting,
                        "epochs": epoch,
                        "false_positives": level.level,
                        "lesions": curve.lesions,
                        "sensitivity": found.estimate,
                        "low": found.low,
                        "high": found.high,
                        "average_precision": curve.average_precision.estimate,
                    }
                )
    table = pd.DataFrame(rows)
    table.to_csv(chosen.out / "learning.csv", index=False, float_format="%.4g")
    print(table.to_string(index=False))
    draw(logs, table, chosen.out / "learning.png")


def judged(
    folder: Path, study: Study, setting: str, model: Path, copies: Path, device: str
) -> Iterator[tuple[int, Curve]]:
    """Return the FROC of the validation patients with each checkpoint, by its epoch."""
    cases = study.dataset(setting).validation(FOLD)
    references = truths(folder, study, [one.case for one in cases])
    last = study.configuration.training.epochs
    checkpoints = {int(path.stem): path for path in copies.glob("*.pth")}
    checkpoints[last] = model / f"fold_{FOLD}" / CHECKPOINT
    for epoch, checkpoint in sorted(checkpoints.items()):
        with tempfile.TemporaryDirectory() as made:
            images = {one.case: one.image for one in cases}
            maps = predicted(Path(made), images, model, checkpoint, study, device)
            files = {case: (references[case], maps / f"{case}.nii.gz") for case in references}
            with open_workers(2) as workers:
                found = find_candidates(
                    files, ARTICLE, CANDIDATES_FROM, model=setting, workers=workers
                )
        seed = int(study.root.name.removeprefix("seed-"))
        yield epoch, froc_curve(found, chosen_score(folder, seed, setting, device))


def draw(logs: Mapping[str, Mapping[str, list[float]]], table: pd.DataFrame, path: Path) -> None:
    """Draw the losses of training and validation, and the sensitivity of validation patients."""
    figure, (losses, froc) = plt.subplots(1, 2, figsize=(9, 4.3))
    for (setting, log), colour in zip(logs.items(), COLOURS, strict=False):
        losses.plot(log["train_losses"], color=colour, label=f"{setting}, training")
        smooth = pd.Series(log["val_losses"]).rolling(5, min_periods=1).mean()
        losses.plot(smooth, color=colour, linestyle="--", label=f"{setting}, validation")
        own = table[table.setting == setting]
        for level, style in ((1.0, "-"), (4.0, ":")):
            at = own[own.false_positives == level]
            name = f"{setting}, {level:g} false positive{'s' * (level != 1)} per patient"
            told = {"label": name, "linestyle": style}
            froc.plot(at.epochs, at.sensitivity, color=colour, marker="o", **told)
    losses.set_ylabel("loss (mean of 5 epochs in validation)")
    froc.set_ylabel("sensitivity, validation patients, by the truth")
    froc.set_ylim(0, 1)
    for panel in (losses, froc):
        panel.set_xlabel("epochs")
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
        panel.legend(**above, fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
