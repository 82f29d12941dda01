"""UMMC as DICOM and as the processed package: the same patients, so the same lesions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conformance.cohorts import CASES, ConformanceCase
from conformance.conformed import Conformed
from helpers.raw_volumes import onto_axes
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

pytestmark = pytest.mark.slow

Session = tuple[str, str]
A_FEW_VOXELS = 3
"""Of 3 mm: contours keep their volume, the package takes voxels whose centre is inside."""


@pytest.fixture(scope="module")
def forms(conform: Callable[[ConformanceCase], Conformed]) -> tuple[Conformed, Conformed]:
    """The study made from DICOM, and the one made from the package."""
    by_name = {case.name: case for case in CASES}
    return conform(by_name["ummc-dicom"]), conform(by_name["ummc-nrrd"])


def masks(one: Conformed) -> dict[Session, dict[str, tuple[NDArray[np.bool_], Path]]]:
    """The mask of every lesion by its name in letters and digits, by subject and session."""
    found: dict[Session, dict[str, tuple[NDArray[np.bool_], Path]]] = {}
    variants, lesions = one.study.variants(), one.study.lesions()
    for row in variants[variants.grid == "MPRAGE"].itertuples():
        folder = one.derivatives / f"sub-{row.subject}" / f"ses-{row.session}"
        (path,) = folder.rglob("*_space-MPRAGE_desc-NAQ_dseg.nii.gz")
        labels = np.asanyarray(nib.load(path).dataobj)
        mine = lesions[(lesions.subject == row.subject) & (lesions.session == row.session)]
        mine = mine[mine.grid == "MPRAGE"]
        found[row.subject, row.session] = {
            key_of(lesion.source_roi): (labels == lesion.lesion_id, path)
            for lesion in mine.itertuples()
        }
    return found


def key_of(name: str) -> str:
    """Letters and digits of a name: what both forms share."""
    return re.sub(r"\W|_", "", name).lower()


def apart_inside(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where two masks differ, away from the surface of the second."""
    surface = binary_dilation(other) & ~binary_erosion(other)
    return (one != other) & ~surface


def test_both_forms_have_the_same_lesions(forms: tuple[Conformed, Conformed]) -> None:
    """Subjects, courses and names of lesions are the same, and so is what is not a lesion."""
    dicom, package = (masks(form) for form in forms)
    assert {key: set(named) for key, named in dicom.items()} == {
        key: set(named) for key, named in package.items()
    }
    n_lesions = sum(session.n_lesions for session in forms[1].raw.sessions)
    assert len(dicom) == 3 and sum(map(len, dicom.values())) == n_lesions
    for form in forms:
        links = form.study.table("clinical_links")
        assert set(links.status) == {"matched"} and len(links) == n_lesions
    annotations = forms[0].study.rois()
    rejected = annotations[~annotations.selected.astype(bool)]
    assert set(rejected.source_roi) == {"Skull", "*Rt thalamus"}
    assert rejected.rejected_reason.str.len().gt(0).all()


def test_both_forms_have_the_same_masks(forms: tuple[Conformed, Conformed]) -> None:
    """Lesion by lesion: Dice above 0.98, or no more than a few voxels apart."""
    dicom, package = (masks(form) for form in forms)
    for key, named in dicom.items():
        for name, (contoured, path) in named.items():
            drawn, other = package[key][name]
            affine = nib.load(path).affine
            turned, _ = onto_axes((drawn, nib.load(other).affine), affine)
            apart = np.count_nonzero(contoured != turned)
            dice = 2 * np.count_nonzero(contoured & turned) / (contoured.sum() + turned.sum())
            assert dice > 0.98 or apart <= A_FEW_VOXELS, (key, name, dice, apart)
            assert not (apart_inside(contoured, turned) | apart_inside(turned, contoured)).any()


def dose_rows(one: Conformed) -> pd.DataFrame:
    """The rows of dose images."""
    images = one.study.images()
    return images[images.technique == "DOSE"]


def test_both_forms_have_the_same_dose(forms: tuple[Conformed, Conformed]) -> None:
    """The dose keeps its own grid in both; DICOM rounds it to steps of its scaling."""
    rows = [dose_rows(form) for form in forms]
    for dicom, package in zip(*(r.sort_values("path").itertuples() for r in rows), strict=True):
        assert (dicom.subject, dicom.session) == (package.subject, package.session)
        first, second = (
            nib.load(form.root / row.path)
            for form, row in zip(forms, (dicom, package), strict=True)
        )
        turned, _ = onto_axes((np.asanyarray(second.dataobj), second.affine), first.affine)
        assert np.allclose(np.asanyarray(first.dataobj), turned, atol=0.001)
