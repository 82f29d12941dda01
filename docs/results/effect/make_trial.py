"""The digital patients of the effect's experiment, and a study with a training set for each label.

Run ``python docs/results/effect/make_trial.py FOLDER [--patients 120] [--seed 1]
[--voxel-mm 1.5] [-j 2]``. Every
patient is annotated on MPRAGE and on SPACE by one reader, who has the habits of the paper's two
groups. Three more readers draw on SPACE as that one does, but overlook a known share of the lesions
below 0.1 cm³ and no other: of their models, nothing but the dose of overlooked lesions differs.
FOLDER/trial holds the hospital's export and the truth, FOLDER/study the study.

``--groups-of PAIRED`` is the paper's own design instead, from the same patients: of one half only
the annotation on MPRAGE is used, of the other half only that on SPACE. Images, registrations and
brain masks of the study in PAIRED are taken over; what depends on the annotations is made again.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from cta_data.phantom import FurtherReader, ReadersPlan, VoxelSizes, write_trial
from cta_data.study.creation import create_study
from cta_data.versioning.datasets import save

OWN = "R1"
DOSES = (10, 30, 50)
"""Percent of the lesions below 0.1 cm³ that a further reader on SPACE overlooks."""
VOXEL_MM = 1.5
"""Of every technique."""
FIRST_ID = 601
"""Of the training sets: those of a study's own settings are 501 to 504."""
JUDGED_BY = f'\n[evaluation]\nreader = "{OWN}"\n'
"""Says who is predicted; judge.py judges."""
TEST_FRACTION = 1 / 3
PAIRED = ("A", "B", *(f"B{dose}" for dose in DOSES))
HALVES = ("NAQR", "HAQR")
"""Codes of the own reader in the design of two groups: whose annotation of which quality counts."""


def main() -> None:
    """Write the patients, take them in, and make the training sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--voxel-mm", type=float, default=VOXEL_MM)
    parser.add_argument("--groups-of", type=Path, help="the folder of the paired design")
    parser.add_argument("--jobs", "-j", type=int, default=2)
    chosen = parser.parse_args()
    folder, jobs = chosen.folder.absolute(), ("-j", str(chosen.jobs))
    if chosen.groups_of:
        study = groups_of(chosen.groups_of.absolute(), folder)
        run(study, "build", "--setting", "A", "--setting", "B", *jobs, may_stop=True)
        return
    plan = readers()
    half = chosen.patients // 2
    write_trial(
        folder / "trial",
        n_naq=half,
        n_haq=chosen.patients - half,
        seed=chosen.seed,
        voxel_sizes=voxels(chosen.voxel_mm),
        phases=("late",),
        workers=chosen.jobs,
        readers=plan,
    )
    study = make_study(folder / "study", plan)
    run(study, "add", "internal", str(folder / "trial" / "raw"), *jobs)
    settings = [word for name in PAIRED for word in ("--setting", name)]
    # A session whose brain cannot be found is in no training set, and the others go on.
    run(study, "build", *settings, *jobs, may_stop=True)


def voxels(size: float) -> VoxelSizes:
    """Return voxels of one size (mm) for every technique."""
    return VoxelSizes(size, size, size, size)


def groups_of(paired: Path, folder: Path) -> Path:
    """Copy the paired study, and give its reader one code for each half of the patients.

    Every fold, and the test patients, are divided in two.
    """
    study = folder / "study"
    shutil.copytree(paired / "study", study, symlinks=True)
    (folder / "trial").symlink_to(paired / "trial")
    series = pd.read_csv(study / "datasets/internal/sourcedata/series.tsv", sep="\t", dtype=str)
    splits = pd.read_parquet(study / "manifests/splits.parquet")
    ordered = splits[splits.setting == "A"].sort_values(["partition", "fold", "subject"]).subject
    drawn = series[series.modality == "RTSTRUCT"]
    studies = drawn.groupby("subject").study_uid.first()[ordered]
    card, configuration = study / "datasets/internal/card.toml", study / "study.toml"
    rules = "".join(
        f'\n[[annotations.readers]]\ncode = "{code}"\n'
        f"where = {{ StructureSetDescription = '^Reader {OWN}$', "
        f"StudyInstanceUID = '^({'|'.join(map(re.escape, studies[first::2]))})$' }}\n"
        for first, code in enumerate(HALVES)
    )
    text = card.read_text("utf-8")
    own = readers().card_rules().partition('\n[[annotations.readers]]\ncode = "D')[0]
    assert own in text, own
    card.unlink()
    card.write_text(text.replace(own, rules), "utf-8")
    text = configuration.read_text("utf-8").partition("\n[build.settings.A]")[0]
    # The halves have no reader in common but those further ones.
    text = text.replace(JUDGED_BY, JUDGED_BY.replace(OWN, f"D{DOSES[0]}"))
    configuration.write_text(
        text + settings(dict(zip("AB", HALVES, strict=True)), "annotated"), "utf-8"
    )
    save(study, "The two groups of the paper's design", [card, configuration])
    return study


def readers() -> ReadersPlan:
    """Return who annotates: one reader on both techniques, and one on SPACE for every dose."""
    doses = [FurtherReader(f"D{dose}", "HAQ", small_missed=dose / 100) for dose in DOSES]
    return ReadersPlan(own=OWN, both=None, further=tuple(doses))


def make_study(path: Path, plan: ReadersPlan) -> Path:
    """Make the study, with the settings of the paired design."""
    study = create_study(path, "effect", ("internal",))
    configuration = study.root / "study.toml"
    text = configuration.read_text("utf-8")
    text = text.replace("test_fraction = 0.2", f"test_fraction = {TEST_FRACTION:.4f}")
    text += '\n[transfer]\ngrids = ["MPRAGE"]\n'  # no model here reads SPACE
    text += JUDGED_BY
    card = study.root / study.cohort_path("internal") / "card.toml"
    ruled = card.read_text("utf-8") + plan.card_rules()
    card.unlink()
    card.write_text(ruled, "utf-8")
    readers = {"A": OWN, "B": OWN} | {f"B{dose}": f"D{dose}" for dose in DOSES}
    configuration.write_text(text + settings(readers, "common"), "utf-8")
    save(study.root, "The effect's experiment", [configuration, card])
    return study.root


def settings(readers: Mapping[str, str], patients: str) -> str:
    """Return settings whose labels are those of these readers; A is NAQ, all others HAQ."""
    return "".join(
        f'\n[build.settings.{name}]\ntechnique = "MPRAGE"\n'
        f'quality = "{"NAQ" if name == "A" else "HAQ"}"\nreader = "{reader}"\n'
        f'patients = "{patients}"\ndataset_id = {FIRST_ID + number}\n'
        for number, (name, reader) in enumerate(readers.items())
    )


def run(study: Path, *words: str, may_stop: bool = False) -> None:
    """Run a command of cta-data in the study; where some units may stop, that is no error."""
    print("$ cta-data", *words, flush=True)
    done = subprocess.run(["cta-data", *words], cwd=study)
    if done.returncode not in ((0, 3) if may_stop else (0,)):
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
