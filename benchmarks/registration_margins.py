"""How far right pairs are from being rejected, and wrong ones from being accepted, seed by seed.

Run ``python benchmarks/registration_margins.py [--real FOLDER] [--seeds 10] [--patients 3]
[--voxel 2] [--rows FILE.csv]``. Right pairs are registered (rigid) with every seed, wrong ones
(mirrored, another person) with the first. FOLDER is the one with the public real heads that the
tests use: two visits of one person in T1 and FLAIR (with the publishers' transforms), a T1 with and
without intensity normalisation (the identity), and a child's T1 as another person.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from registration_cases import PAIRS, Case, mirrored, patient_of, plain_case, swapped

from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import read_image
from cta_data.formats.reference_image import read_reference_image
from cta_data.imaging.brain.head_mask import describe_head, head_mask
from cta_data.imaging.geometry.resampling import isotropic
from cta_data.imaging.registration.limits import SEED, QualityLimits
from cta_data.imaging.registration.register import RegistrationSettings, register_volumes
from cta_data.imaging.registration.volume import prepare_volume

# Quality value, limit, and whether more of it is better.
VALUES = (
    ("above", "least_nmi_above_shuffled", True),
    ("peak", "least_peak", True),
    ("head_overlap", "least_head_overlap", True),
    ("coverage", "least_coverage", True),
    ("mirror_fit", "most_mirror_fit", False),
    ("inverse_consistency_mm", "most_inverse_consistency_mm", False),
)
VISITS = "nii_openms_p12/raw/patient12"
ENHANCED = "mr_siemens_xa30_enhanced_t1/Ref"
CHILD = "mr_siemens_mprage_sag/dicoms.tar.xz"


def real_visits(folder: Path) -> dict[str, tuple[sitk.Image, sitk.Transform]]:
    """Image of each visit and technique, and its transform from points of the common space."""
    visits = {}
    for visit in ("study1", "study2"):
        to_flair = read_transform(folder / f"{visit}_FLAIR_to_common_space.txt")
        within = read_transform(folder / f"{visit}_T1W_intrastudy_to_FLAIR.txt")
        to_t1 = sitk.CompositeTransform([within, to_flair])
        visits[f"{visit} FLAIR"] = (read_image(folder / f"{visit}_FLAIR.nii.gz"), to_flair)
        visits[f"{visit} T1W"] = (read_image(folder / f"{visit}_T1W.nii.gz"), to_t1)
    return visits


def read_transform(path: Path) -> sitk.Transform:
    """An ITK transform of a text file."""
    return sitk.ReadTransform(str(path))


def real_cases(data: Path) -> Iterator[Case]:
    """Right pairs of real heads, with published or known transforms, and wrong ones."""
    visits = real_visits(data / VISITS)
    first, second = (read_image(path) for path in sorted((data / ENHANCED).glob("*.nii.gz"))[:2])
    points = head_points(first)
    plain = Case("right", "T1, normalised or not", first, second, points, points)
    right = [real_case(visits, *names) for names in combinations(visits, 2)]
    yield from (plain, *right)
    for case in right:
        yield Case(**{**vars(mirrored(case)), "kind": "mirrored"})
    for other, image in (("child", child_head(data / CHILD)), ("third person", first)):
        for name, (fixed, _) in visits.items():
            yield Case("other person", f"{name}, {other}", fixed, image, points, None)


def real_case(
    visits: dict[str, tuple[sitk.Image, sitk.Transform]], fixed: str, moving: str
) -> Case:
    """Two images of the two visits; the truth is what their publishers say."""
    common = head_points(visits[fixed][0])
    points, truth = (
        np.array([visits[name][1].TransformPoint(p) for p in common.tolist()])
        for name in (fixed, moving)
    )
    images = (visits[name][0] for name in (fixed, moving))
    return Case("right", f"{fixed}, {moving}", *images, points, truth)


def head_points(image: sitk.Image) -> np.ndarray:
    """Some 500 points of a ball of 60 mm about the head's centre, (n, 3), LPS mm."""
    steps = np.arange(-60.0, 61.0, 12.0)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    centre = describe_head(head_mask(isotropic(image, 4.0))).centre_mm
    return np.asarray(grid[np.linalg.norm(grid, axis=1) <= 60] + centre)


def child_head(archive: Path) -> sitk.Image:
    """The series of an archive of DICOM files."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
        return read_reference_image(next(Path(folder).rglob("*.dcm")).parent)[0]


def digital_cases(patients: int, voxel_mm: float) -> Iterator[Case]:
    """Right pairs of digital patients, the same mirrored, and pairs of two patients."""
    people = [patient_of(2 + n, voxel_mm) for n in range(patients)]
    for number, patient in enumerate(people):
        for fixed, moving in PAIRS:
            case = plain_case(patient, fixed, moving, "right")
            yield case
            yield mirrored(case)
            yield swapped(case, people[(number + 1) % patients])


def measured(case: Case, seeds: int) -> Iterator[dict[str, object]]:
    """Register a case with so many seeds; a refusal is a rejection, too."""
    finest = RegistrationSettings.finest_mm
    fixed = prepare_volume(case.fixed, finest, "fixed")
    moving = prepare_volume(case.moving, finest, "moving")
    for seed in range(SEED, SEED + seeds):
        row: dict[str, object] = {"kind": case.kind, "pair": case.pair, "seed": seed}
        try:
            result = register_volumes(fixed, moving, RegistrationSettings(seed=seed))
        except DataRefused as error:
            yield row | {"accepted": False, "reasons": str(error)}
            continue
        row |= result.quality.as_dict()
        row |= {"accepted": result.accepted, "reasons": "; ".join(result.reasons)}
        row["above"] = result.quality.nmi - result.quality.nmi_shuffled
        if case.truth is not None:
            row["mean_mm"] = float(case.errors_mm(result.transform).mean())
        yield row


def print_acceptance(frame: pd.DataFrame) -> None:
    """A line a pair and kind: how often it was accepted, and the true error."""
    print(f"{'heads':<8} {'kind':<14} {'pair':<28} {'accepted':>9} {'worst mean error, mm':>21}")
    for (heads, kind, pair), rows in frame.groupby(["heads", "kind", "pair"], sort=False):
        error = f"{rows.mean_mm.max():.2f}" if rows.mean_mm.notna().any() else "-"
        accepted = f"{int(rows.accepted.sum())} of {len(rows)}"
        print(f"{heads:<8} {kind:<14} {pair:<28} {accepted:>9} {error:>21}")


def print_margins(frame: pd.DataFrame) -> None:
    """Of every value: its limit, what right and wrong pairs have, and its spread over seeds.

    The spread is the largest standard deviation of one pair; the margin is how many of those lie
    between the worst right value and the limit.
    """
    print(
        f"\n{'heads':<8} {'value':<24} {'limit':>6} {'right':>16} {'wrong':>16} "
        f"{'spread':>8} {'margin':>8} {'in spreads':>11}"
    )
    limits = QualityLimits()
    for heads, part in frame.groupby("heads", sort=False):
        right, wrong = part[part.kind == "right"], part[part.kind != "right"]
        for name, limit_name, more_is_better in VALUES:
            limit, values = getattr(limits, limit_name), right[name].astype(float)
            spread = values.groupby(right.pair).std().max()
            margin = values.min() - limit if more_is_better else limit - values.max()
            ranges = [
                f"{v.min():.3f} to {v.max():.3f}" for v in (values, wrong[name].astype(float))
            ]
            print(
                f"{heads:<8} {name:<24} {limit:>6g} {ranges[0]:>16} {ranges[1]:>16} "
                f"{spread:>8.4f} {margin:>8.3f} {margin / spread:>11.1f}"
            )


def main() -> None:
    """Register every pair, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="folder of the real heads")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--patients", type=int, default=3, help="digital patients, at least two")
    parser.add_argument("--voxel", type=float, default=2.0, help="their voxel size, mm")
    parser.add_argument("--rows", type=Path, metavar="FILE.csv", help="where all rows are kept")
    arguments = parser.parse_args()
    if arguments.patients < 2:
        parser.error("--patients: another person needs at least two")
    sources = {"digital": digital_cases(arguments.patients, arguments.voxel)}
    if arguments.real:
        sources = {"real": real_cases(arguments.real)} | sources
    rows: list[dict[str, object]] = []
    for heads, cases in sources.items():
        for case in cases:
            for row in measured(case, arguments.seeds if case.kind == "right" else 1):
                rows.append({"heads": heads} | row)
                if arguments.rows:
                    pd.DataFrame(rows).to_csv(arguments.rows, index=False)
    frame = pd.DataFrame(rows)
    print_acceptance(frame)
    print_margins(frame)


if __name__ == "__main__":
    main()
