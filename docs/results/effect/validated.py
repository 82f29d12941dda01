"""Which score of a candidate ranks best in the validation patients of a model, by its own labels.

A model whose false positives are single voxels of probability 1 ranks badly by the mean of a
candidate, and well by its 95th percentile; another one the other way. `cta-data calibrate` chooses
for a model of all folds; this is its rule for one fold. Test patients and the truth have no part in
it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cta_data.scoring import ARTICLE
from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.scoring.probabilities.collection import find_candidates
from cta_data.scoring.probabilities.curve import best_score, score_precisions
from cta_data.study.layout import CHECKPOINT
from cta_data.study.study import Study
from cta_data.training.models import model_of

FOLD = 0
CANDIDATES_FROM = 0.1


def chosen_score(folder: Path, seed: int, setting: str, device: str) -> ScoreName:
    """Return the score of a model that ranks best; what was found once is kept in FOLDER."""
    kept = folder / "validated" / f"{setting}-{seed}.json"
    if not kept.exists():
        precisions = validated(Study(folder / f"seed-{seed}"), setting, device)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(precisions), "utf-8")
    return best_score(json.loads(kept.read_text("utf-8")))


def kept_precisions(folder: Path) -> list[dict[str, object]]:
    """Return what was found, a row a model."""
    rows = []
    for path in sorted((folder / "validated").glob("*.json")):
        setting, _, seed = path.stem.rpartition("-")
        rows.append({"setting": setting, "seed": seed, **json.loads(path.read_text("utf-8"))})
    return rows


def validated(study: Study, setting: str, device: str) -> dict[ScoreName, float]:
    """Return the average precision of each score in the validation patients."""
    model = study.root / model_of(study, setting, study.configuration.training).folder
    cases = study.dataset(setting).validation(FOLD)
    with tempfile.TemporaryDirectory() as made:
        images = {one.case: one.image for one in cases}
        last = model / f"fold_{FOLD}" / CHECKPOINT
        maps = predicted(Path(made), images, model, last, study, device)
        files = {one.case: (one.label, maps / f"{one.case}.nii.gz") for one in cases}
        found = find_candidates(files, ARTICLE, CANDIDATES_FROM, model=setting)
    return score_precisions(found)


def predicted(
    made: Path, images: Mapping[str, Path], model: Path, checkpoint: Path, study: Study, device: str
) -> Path:
    """Predict images with one checkpoint of a model; return the folder of probability maps.

    The window steps as in the study's own predictions: the model alone does not know how.
    """
    training = study.configuration.training
    copy, given = made / model.name, made / "images"
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("fold_*"))
    (copy / f"fold_{FOLD}").mkdir()
    shutil.copyfile(checkpoint, copy / f"fold_{FOLD}" / CHECKPOINT)
    given.mkdir()
    for case, image in images.items():
        os.symlink(image.resolve(), given / f"{case}.nii.gz")
    words = ["--model", str(copy), "--input", str(given), "--output", str(made / "out")]
    options = ["--stripped", "--probabilities", "--device", device, "-j", "2"]
    options += ["--mirroring" if training.mirroring else "--no-mirroring"]
    options += ["--tile-step", str(training.tile_step)]
    subprocess.run(["cta-data", "predict", *words, *options], check=True)
    return made / "out" / "probabilities"
