"""Real series of other people, from archive or folder to BIDS through a user's own card."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from helpers.archives import extract_all
from helpers.command_line import CARD, Cta, Outcome

from cta_data.bids.validation import validate
from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

RULES = """
[[series]]
technique = "T1six"
where = { Modality = "^MR$", SeriesNumber = "^6$", SeriesDescription = "T1w_acq-tfl" }
required = false

[[series]]
technique = "T1"
where = { Modality = "^MR$" }
required = false

[[series]]
technique = "CT"
where = { Modality = "^CT$" }
required = false

[annotations]
required = false
"""
STACKS = [
    *(f"{maker}/anatomical/{name}" for maker in ("ge", "hitachi", "philips", "siemens", "generic")
      for name in ("001", "001_implicit")),
    *(f"philips_enhanced/anatomical/{name}" for name in ("001", "001_implicit")),
    *(f"generic/compressed{kind}/001" for kind in ("", "_j2k", "_jpeg", "_jpegls", "_rle")),
    "generic/anatomical/002_non_isotropic", "hyperfine/anatomical/001",
    "siemens_multiframe/anatomical/001",
]  # fmt: skip
REFUSED = {
    "failing/gantrytilting/001": "14.0° off their normal",
    "failing/notavolume/001": "all 4 slices have one position",
    "failing/sliceorientation/001": "differ in orientation",
    "failing/slicecount/001": "2 slices; at least 3 are needed",
    "ge/anatomical/001_single_slice": "1 slices; at least 3 are needed",
}


def label(stack: str) -> str:
    """Subject label of a stack."""
    return "".join(character for character in stack if character.isalnum())


@pytest.fixture(scope="module")
def vendors(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked stacks of several vendors."""
    folder = tmp_path_factory.mktemp("vendors")
    with tarfile.open(shared_data / "mr_dicom2nifti_multivendor" / "tests.tar.xz") as packed:
        extract_all(packed, folder)
    return folder / "tests" / "data"


@pytest.fixture(scope="module")
def converted(
    cta: Cta,
    new_study: Callable[[str], Path],
    shared_data: Path,
    vendors: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Study, Outcome]:
    """All series added to a user's cohort and converted."""
    study = new_study("real")
    card = tmp_path_factory.mktemp("card") / "mine.toml"
    card.write_text(CARD.format(name="mycohort") + RULES, "utf-8")
    sources = {
        "mprage": shared_data / "mr_siemens_mprage_sag" / "dicoms.tar.xz",
        "xa30": shared_data / "mr_siemens_xa30_enhanced_t1" / "In.tar.xz",
        **{label(stack): vendors / stack for stack in [*STACKS, *REFUSED]},
    }
    # Several stacks are of one head, or one stack in another encoding.
    names = ", ".join(f'"mycohort/{subject}"' for subject in sources)
    stated = f'\n[[different_persons]]\nsubjects = [{names}]\nreason = "test series"\n'
    toml = study / "study.toml"
    toml.write_text(toml.read_text("utf-8") + stated, "utf-8")
    for subject, source in sources.items():
        added = cta("add", "mycohort", source, "--id", subject, "--card", card, study=study)
        assert added.code == 0, added.text
    outcome = cta("convert", "mycohort", study=study)
    return Study(study), outcome


def image(study: Study, subject: str, acquisition: str = "t1") -> nib.Nifti1Image:
    """The image that was written for a subject, as RAS."""
    name = f"sub-{subject}_ses-1_acq-{acquisition}_T1w.nii.gz"
    path = study.root / "datasets" / "mycohort" / f"sub-{subject}" / "ses-1" / "anat" / name
    return nib.as_closest_canonical(nib.load(path))


def test_what_can_be_converted_is_and_the_rest_is_refused_with_a_reason(
    converted: tuple[Study, Outcome],
) -> None:
    """Exit code 3; every subject that came in is converted or excluded with what was measured."""
    study, outcome = converted
    subjects = study.subjects().set_index("subject")
    assert outcome.code == 3
    assert len(subjects) == 2 + len(STACKS) + len(REFUSED)
    excluded = subjects[subjects["partition"] == "excluded"]
    assert set(excluded.index) == {label(stack) for stack in REFUSED}
    for stack, measured in REFUSED.items():
        reason = str(excluded.loc[label(stack), "exclusion_reason"])
        assert measured in reason
        assert "card" in reason or "Export" in reason
    assert (
        f"{2 + len(STACKS)} ok, 0 failed, {len(REFUSED)} impossible, 0 not needed" in outcome.text
    )


@pytest.mark.parametrize("stack", STACKS)
def test_stacks_of_all_vendors(converted: tuple[Study, Outcome], vendors: Path, stack: str) -> None:
    """Voxels equal the published image (floats within rounding), the affine within 1e-4."""
    ours = image(converted[0], label(stack))
    truth = nib.as_closest_canonical(nib.load(vendors / f"{stack}_ground_truth.nii.gz"))
    voxels, expected = np.asanyarray(ours.dataobj), np.squeeze(np.asanyarray(truth.dataobj))
    assert voxels.shape == expected.shape
    if expected.dtype.kind == "f":
        assert np.allclose(voxels, expected, rtol=1e-6, atol=1e-5)
    else:
        assert np.array_equal(voxels, expected)
    assert np.abs(ours.affine - truth.affine).max() < 1e-4


def test_the_whole_mprage(converted: tuple[Study, Outcome], shared_data: Path) -> None:
    """192 obliquely sagittal slices, from the archive, give dcm2niix's voxels and affine."""
    folder = shared_data / "mr_siemens_mprage_sag" / "peer_dcm2niix"
    (known,) = json.loads((folder / "reference_digest.json").read_text()).values()
    ours = image(converted[0], "mprage")
    voxels = np.ascontiguousarray(np.asanyarray(ours.dataobj).astype(known["dtype"]))
    assert list(voxels.shape) == known["canonical_RAS_shape"]
    assert hashlib.sha256(voxels.tobytes()).hexdigest() == known["sha256_RAS_C_order_bytes"]
    assert np.abs(ours.affine - known["canonical_RAS_affine"]).max() < 1e-4


@pytest.mark.parametrize(("series", "acquisition"), [("5", "t1"), ("6", "t1six")])
def test_enhanced_multi_frame(
    converted: tuple[Study, Outcome], shared_data: Path, series: str, acquisition: str
) -> None:
    """Both series of one archive give the voxels of their references.

    The reference takes its slice spacing from the header, ours comes from the positions, which
    over 95 steps makes 1.04e-4 mm.
    """
    folder = shared_data / "mr_siemens_xa30_enhanced_t1" / "Ref"
    truth = nib.as_closest_canonical(nib.load(folder / f"{series}_anat-T1w_acq-tfl.nii.gz"))
    ours = image(converted[0], "xa30", acquisition)
    assert np.array_equal(np.asanyarray(ours.dataobj), np.asanyarray(truth.dataobj))
    assert np.abs(ours.affine - truth.affine).max() < 1.2e-4


def test_what_a_scanner_did_not_give_is_absent(converted: tuple[Study, Outcome]) -> None:
    """Philips' enhanced objects say InversionTime 0: no column has a 0 that means "none"."""
    columns = ("field_strength_t", "tr_ms", "te_ms", "ti_ms", "flip_angle_deg")
    rows = converted[0].query(f"select {', '.join(columns)} from images")
    for column in columns:
        assert not (rows[column] <= 0).any()
    sidecars = (converted[0].root / "datasets" / "mycohort").glob("sub-*/ses-*/anat/*.json")
    found = [json.loads(path.read_text("utf-8")) for path in sidecars]
    assert found and all(sidecar.get("InversionTime", 1) > 0 for sidecar in found)


def test_the_converted_cohort_is_valid_bids(converted: tuple[Study, Outcome]) -> None:
    """The official validator finds no error."""
    assert validate(converted[0].root / "datasets" / "mycohort") == []
