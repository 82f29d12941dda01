"""The digital patients whose patches are told apart, and their study.

Run ``python docs/results/effect/make_patients.py FOLDER [--patients 60] [--seed 2] [-j 2]``. Every
patient has MPRAGE of all three contrast phases and SPACE, and is annotated on SPACE. FOLDER/trial
holds the hospital's export and the truth, FOLDER/study the study, in which `build --setting C` and
`experiment patches` find all that they read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from make_trial import VOXEL_MM, run, voxels

from cta_data.phantom import write_trial
from cta_data.study.creation import create_study


def main() -> None:
    """Write the patients and take them in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--jobs", "-j", type=int, default=2)
    chosen = parser.parse_args()
    trial, jobs = chosen.folder.absolute() / "trial", ("-j", str(chosen.jobs))
    write_trial(
        trial,
        n_naq=0,
        n_haq=chosen.patients,
        seed=chosen.seed,
        voxel_sizes=voxels(VOXEL_MM),
        workers=chosen.jobs,
    )
    study = create_study(chosen.folder / "study", "patches", ("internal",)).root
    run(study, "add", "internal", str(trial / "raw"), *jobs)
    # A session whose brain cannot be found is left out, and the others go on.
    run(study, "build", "--setting", "C", *jobs, may_stop=True)


if __name__ == "__main__":
    main()
