"""Draw the picture at the top of README.md: python docs/make_overview.py STUDY.

STUDY is a study of digital phantoms, such as `make demo` leaves in demo-study/study.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import ndimage

import cta_data

matplotlib.use("Agg")
from matplotlib import pyplot as plt

TARGET = Path(__file__).parent / "images" / "overview.png"
STAGES = (
    "DICOM, RTSTRUCT, SEG\nNIfTI, NRRD, PNG",
    "BIDS study under\nversion control",
    "registration, transfer,\nchecks, review",
    "training sets A–D\nfor nnU-Net",
    "scores, tables\nand figures",
)
OUTLINE = "#ff8c1a"
BOX = {"boxstyle": "round,pad=0.5", "facecolor": "#e8eaf6", "edgecolor": "#303f9f"}
CROP_MM = 34.0


def main() -> None:
    """Draw a small lesion of the upper brain, the one with most contrast on MPRAGE."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    study = cta_data.open_study(parser.parse_args().study)
    lesions = study.lesions().query("quality == 'HAQ' and grid == 'MPRAGE'")
    lesions["height"] = lesions.centroid_ras_mm.str[2]
    lesion = lesions.query("0.1 < volume_cm3 < 0.4 and height > 10").sort_values("cnr").iloc[-1]
    session = f"sub-{lesion.subject}/ses-{lesion.session}/anat"
    figure = plt.figure(figsize=(12, 4.7), dpi=120)
    draw_stages(figure.add_axes((0.01, 0.83, 0.98, 0.16)))
    for column, technique in enumerate(("SPACE", "MPRAGE")):
        rows = study.images().query(
            "subject == @lesion.subject and technique == @technique"
            " and contrast_phase == 'late' and not skull_stripped",
            engine="python",
        )
        image = cta_data.read_image(study.path(next(rows.itertuples())))
        folder = study.root / "datasets" / lesion.cohort / "derivatives" / "cta" / session
        labels = cta_data.read_image(next(folder.glob(f"*space-{technique}_desc-HAQ_dseg*")))
        title = ("delineated on SPACE", "transferred to MPRAGE")[column]
        whole = figure.add_axes((0.01 + 0.5 * column, 0.02, 0.235, 0.73))
        close = figure.add_axes((0.255 + 0.5 * column, 0.02, 0.235, 0.73))
        draw_lesion(whole, close, axial(image), axial(labels), int(lesion.lesion_id), title)
    figure.savefig(TARGET, metadata={"Software": None})


def draw_stages(axes: Axes) -> None:
    """Draw the stages of a study from left to right."""
    axes.axis("off")
    boxes = [
        axes.text(0.1 + 0.2 * n, 0.5, text, ha="center", va="center", fontsize=12, bbox=BOX)
        for n, text in enumerate(STAGES)
    ]
    for one, following in pairwise(boxes):
        ends = {"patchA": one.get_bbox_patch(), "patchB": following.get_bbox_patch()}
        arrow = {"arrowstyle": "->", "color": "#303f9f", "lw": 1.6, **ends}
        axes.annotate("", following.get_position(), one.get_position(), arrowprops=arrow)
    axes.set(xlim=(0, 1), ylim=(0, 1))


def axial(volume: cta_data.Volume) -> tuple[NDArray[np.generic], NDArray[np.floating]]:
    """Return voxels (x to the left, y to the back, z up) and spacing, mm."""
    import nibabel as nib

    turned = nib.as_closest_canonical(volume.to_nibabel())
    return np.asarray(turned.dataobj)[:, ::-1], np.array(turned.header.get_zooms())


def draw_lesion(
    whole: Axes, close: Axes, image: tuple, labels: tuple, number: int, title: str
) -> None:
    """Draw the axial plane of a lesion, and a crop around it, with the outlines of all lesions."""
    voxels, spacing = image
    z = int((labels[0] == number).sum(axis=(0, 1)).argmax())
    plane, regions = voxels[:, :, z].T, labels[0][:, :, z].T
    y, x = ndimage.center_of_mass(regions == number)
    half = CROP_MM / 2 / spacing[:2]
    rows, columns = (slice(int(at - n), int(at + n)) for at, n in ((y, half[1]), (x, half[0])))
    high = np.percentile(plane[rows, columns], 99.5)
    for axes in (whole, close):
        axes.imshow(plane, cmap="gray", vmin=0, vmax=high, aspect=spacing[1] / spacing[0])
        axes.contour(regions > 0, [0.5], colors=OUTLINE, linewidths=1.6)
        axes.set(xticks=[], yticks=[])
    close.set(xlim=(x - half[0], x + half[0]), ylim=(y + half[1], y - half[1]))
    corner = (x - half[0], y - half[1])
    whole.add_patch(plt.Rectangle(corner, *(2 * half), fill=False, color="white", lw=1))
    whole.set_title(title, loc="left", fontsize=14, fontweight="bold")


if __name__ == "__main__":
    main()
