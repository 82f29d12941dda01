"""What registration does with hard and wrong pairs, and the curves that its limits come from.

Run ``python benchmarks/registration_limits.py [--voxel 2] [--patients 3] [--starts 100]
[--figure FOLDER]``. Every pair is registered (rigid); pairs of one patient also get transforms that
are wrong by a known amount and are only judged. A registration succeeds where the mean target
registration error over brain voxels is at most 1 mm.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from matplotlib import rc_context
from matplotlib.figure import Figure
from registration_cases import (
    PAIRS,
    Case,
    hard_cases,
    mirrored,
    moved,
    patient_of,
    plain_case,
    random_pose,
    swapped,
)

from cta_data.errors import DataRefused
from cta_data.imaging.registration.limits import QualityLimits, RegistrationQuality, reasons_against
from cta_data.imaging.registration.quality import assess_transform
from cta_data.imaging.registration.register import RegistrationSettings, register_images
from cta_data.phantom.patient import DigitalPatient

SUCCESS_MM = 1.0
NO_TRUTH_MM, NO_ERROR_MM = 100.0, 0.02  # where they are drawn
OFFSETS = (2.0, 4.0, 8.0, 12.0, 20.0)
PANELS = (
    ("peak", "least_peak", "Peak (share lost by the least harmful nudge)"),
    ("above", "least_nmi_above_shuffled", "Mutual information above chance"),
    ("head_overlap", "least_head_overlap", "Overlap of head masks (Dice)"),
    ("coverage", "least_coverage", "Head covered by the moving image"),
    ("mirror_fit", "most_mirror_fit", "Fit of the mirrored head"),
    ("inverse_consistency_mm", "most_inverse_consistency_mm", "Inverse consistency (mm)"),
)
STYLE = {
    "registered": ("#0072B2", "o"),
    "stated wrongly": ("#E69F00", "s"),
    "mirrored": ("#D55E00", "^"),
    "other patient": ("#CC79A7", "D"),
}


def registered(case: Case) -> dict[str, object]:
    """Register one case; a refusal is an outcome, too."""
    start = time.process_time()
    try:
        result = register_images(case.fixed, case.moving, RegistrationSettings(kind="rigid"))
    except DataRefused as error:
        return {"kind": case.kind, "pair": case.pair, "accepted": False, "reasons": str(error)}
    row = row_of(case, result.quality, result.transform, "; ".join(result.reasons))
    notes = "; ".join(result.notes)
    return row | {"cpu": time.process_time() - start, "notes": notes, "source": "registered"}


def row_of(
    case: Case, quality: RegistrationQuality, transform: sitk.Transform, reasons: str
) -> dict[str, object]:
    """What was measured of a transform, and its true error."""
    row: dict[str, object] = dict(quality.as_dict())
    row |= {"kind": case.kind, "pair": case.pair, "accepted": not reasons, "reasons": reasons}
    row["above"] = quality.nmi - quality.nmi_shuffled
    if case.truth is not None:
        errors = case.errors_mm(transform)
        row |= {"mean_mm": errors.mean(), "max_mm": errors.max()}
    return row


def wrong_statements(case: Case, truth: sitk.Transform, rng: np.random.Generator) -> Iterator[dict]:
    """The true transform off by so many mm along and degrees about random axes, judged only."""
    middle = case.points.mean(axis=0)
    for offset in (0.0, *OFFSETS):
        for turn in (False, True) if offset else (False,):
            degrees, shift = (offset, 0.0) if turn else (0.0, offset)
            axis = rng.normal(size=3)
            axis /= np.linalg.norm(axis)
            wrong = sitk.VersorRigid3DTransform()
            wrong.SetCenter(middle.tolist())
            wrong.SetRotation(axis.tolist(), float(np.radians(degrees)))
            wrong.SetTranslation((shift * axis).tolist())
            transform = sitk.CompositeTransform([truth, wrong])
            quality = assess_transform(case.fixed, case.moving, transform)
            reasons = "; ".join(reasons_against(quality, QualityLimits()))
            yield row_of(case, quality, transform, reasons) | {"source": "stated wrongly"}


def true_transform(patient: DigitalPatient, fixed: str, moving: str) -> sitk.Transform:
    """The rigid truth as ITK has it."""
    pose = patient.between(fixed, moving)
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(np.asarray(pose.rotation).ravel().tolist())
    transform.SetTranslation(np.asarray(pose.translation).tolist())
    return transform


def all_rows(patients: int, starts: int, voxel_mm: float) -> Iterator[dict]:
    """Every case of every patient."""
    people = [patient_of(2 + n, voxel_mm) for n in range(patients)]
    for number, patient in enumerate(people):
        rng = np.random.default_rng(number)
        for case in hard_cases(patient, rng):
            yield registered(case)
        for fixed, moving in PAIRS:
            case = plain_case(patient, fixed, moving)
            yield registered(mirrored(case))
            yield registered(swapped(case, people[(number + 1) % patients]))
            yield from wrong_statements(case, true_transform(patient, fixed, moving), rng)
    rng = np.random.default_rng(2025)
    for number in range(starts):
        fixed, moving = PAIRS[number % len(PAIRS)]
        case = plain_case(people[number // len(PAIRS) % patients], fixed, moving)
        pose = random_pose(rng, case, 30.0, 60.0)
        yield registered(moved(case, pose, "start within 30° and 60 mm"))


def print_table(frame: pd.DataFrame) -> None:
    """By kind of case: how many succeed, how many are told, and how many are wrong and accepted."""
    frame = frame.assign(good=frame.mean_mm <= SUCCESS_MM)
    print(
        f"{'case':<28} {'n':>4} {'accepted':>8} {'of them right':>13} {'right, rejected':>15} "
        f"{'wrong, accepted':>15} {'worst accepted: mean, max mm':>28} {'CPU s':>6}"
    )
    for (source, kind), rows in frame.groupby(["source", "kind"], sort=False):
        taken = rows[rows.accepted]
        worst = f"{taken.mean_mm.max():.3f}, {taken.max_mm.max():.3f}" if len(taken) else "-"
        name = kind if source == "registered" else source
        print(
            f"{name:<28} {len(rows):>4} {len(taken):>8} {int(taken.good.sum()):>13} "
            f"{int((~rows.accepted & rows.good).sum()):>15} {int((~taken.good).sum()):>15} "
            f"{worst:>28} {rows.cpu.mean():>6.1f}"
        )


def print_offsets(frame: pd.DataFrame) -> None:
    """Transforms that are wrong by a known amount: how many are still accepted."""
    wrong = frame[frame.source == "stated wrongly"]
    edges = [0, 0.5, 1.5, 3, 5, 10, 100]
    groups = wrong.groupby(pd.cut(wrong.mean_mm, edges, right=False), observed=True)
    print("\nstated wrongly: mean error in mm, n, accepted")
    for interval, rows in groups:
        print(f"{interval!s:<14} {len(rows):>4} {int(rows.accepted.sum()):>4}")


def draw_figure(frame: pd.DataFrame, folder: Path) -> None:
    """Each quality value against the true error, with its limit, as SVG and PNG."""
    figure = Figure(figsize=(9.5, 6.4), layout="constrained")
    limits = QualityLimits()
    groups = frame.source.where(~frame.kind.isin(["mirrored", "other patient"]), frame.kind)
    for axes, (name, limit, title) in zip(figure.subplots(2, 3).flat, PANELS, strict=True):
        for group, (colour, marker) in STYLE.items():
            rows = frame[groups == group].dropna(subset=[name])
            error = rows.mean_mm.fillna(NO_TRUTH_MM).clip(lower=NO_ERROR_MM)
            axes.plot(
                error,
                rows[name].astype(float),
                marker,
                color=colour,
                markersize=3.5,
                alpha=0.65,
                label=group,
            )
        axes.axhline(getattr(limits, limit), color="0.2", linewidth=1.0, linestyle="--")
        axes.axvline(SUCCESS_MM, color="0.7", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_title(title, fontsize=9)
        if name == "inverse_consistency_mm":
            axes.set_yscale("log")
    figure.supxlabel("Mean target registration error (mm); 100: no truth, 0.02: the truth itself")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4)
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "limits"}):
        figure.savefig(folder / "registration-limits.svg", metadata={"Date": None})
    figure.savefig(folder / "registration-limits.png", dpi=110)


def main() -> None:
    """Print the tables; draw the figure where a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxel", type=float, default=2.0, help="voxel size, mm")
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--figure", type=Path, metavar="FOLDER")
    parser.add_argument("--rows", type=Path, metavar="FILE.csv", help="where all rows are kept")
    arguments = parser.parse_args()
    rows = list(all_rows(arguments.patients, arguments.starts, arguments.voxel))
    frame = pd.DataFrame(rows).assign(source=lambda f: f.source.fillna("registered"))
    if arguments.rows:
        frame.to_csv(arguments.rows, index=False)
    print_table(frame)
    print_offsets(frame)
    rejected = frame[~frame.accepted & (frame.mean_mm <= SUCCESS_MM)]
    for row in rejected.itertuples():
        print(f"right and rejected: {row.kind}, {row.pair}: {row.reasons}")
    if arguments.figure:
        draw_figure(frame, arguments.figure)


if __name__ == "__main__":
    main()
