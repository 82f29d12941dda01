"""A dataset written with our own functions satisfies the official validator."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.refusals import has_reason

from cta_data.bids import validation
from cta_data.bids.dataset import (
    write_bidsignore,
    write_dataset_description,
    write_participants,
    write_readme,
)
from cta_data.bids.names import BidsName, raw_name, transform_name, variant_name
from cta_data.bids.sidecars import build_sidecar, write_sidecar
from cta_data.errors import ConfigurationError
from cta_data.formats.nifti.image import write_image

MR = {
    "Modality": "MR",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Skyra",
    "MagneticFieldStrength": "3",
    "MRAcquisitionType": "3D",
    "ScanningSequence": "GR\\IR",
    "SequenceVariant": "SK\\SP\\MP",
    "ScanOptions": "IR",
    "SoftwareVersions": "syngo MR D11",
    "EchoTime": "2.44",
    "RepetitionTime": "2000",
    "InversionTime": "900",
    "FlipAngle": "9",
    "SliceThickness": "0.9",
    "SpacingBetweenSlices": "0.9",
    "PixelBandwidth": "180",
    "ContrastBolusIngredient": "GADOLINIUM",
    "InPlanePhaseEncodingDirection": "ROW",
}
CT = {"Modality": "CT", "KVP": "120", "ConvolutionKernel": "H31s\\3", "GantryDetectorTilt": "0"}
COLUMNS = {
    "age": {"Description": "Age at imaging", "Units": "year"},
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male"}},
    "quality": {"Description": "Annotation", "Levels": {"NAQ": "on MPRAGE", "HAQ": "on SPACE"}},
}


def write_pair(folder: Path, name: BidsName, header: dict[str, str] | None) -> None:
    """An image, and its sidecar where there is a header."""
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    path = folder / name.path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, path)
    if header is not None:
        deviation = {"Kind": "uneven_steps", "Measured": "0.05 mm", "Action": "tolerated"}
        sidecar = build_sidecar(header, deviations=[deviation])
        write_sidecar(sidecar, folder / name.with_extension(".json").path)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Two subjects with CT, SPACE and three phases of MPRAGE, as a converted cohort has them."""
    folder = tmp_path / "internal"
    folder.mkdir()
    write_dataset_description(
        folder, name="internal", licence="restricted", authors=["A. Author"], software_version="1"
    )
    write_readme(folder, "# internal\n\nA synthetic cohort.")
    write_bidsignore(folder)
    (folder / "card.toml").write_text('name = "internal"\n')
    rows = []
    for subject in ("001", "002"):
        for acquisition, agent in (
            ("mprage", ""),
            ("mprageEarly", "gadolinium"),
            ("mprageLate", "gadolinium"),
            ("spaceLate", "gadolinium"),
        ):
            name = raw_name(subject, "1", "T1w", acquisition=acquisition, contrast_agent=agent)
            write_pair(folder, name, MR)
        write_pair(folder, raw_name(subject, "1", "ct"), CT)
        rows.append({"participant_id": subject, "age": 93.0, "sex": "F", "quality": "HAQ"})
    write_participants(folder, rows, COLUMNS)
    return folder


def test_a_converted_cohort_has_no_error(cohort: Path) -> None:
    """The official validator, reading headers too, finds nothing."""
    assert validation.validate(cohort) == []


def test_a_derivative_dataset_has_no_error(cohort: Path) -> None:
    """Label variants, masks and transforms in derivatives/cta are valid as well."""
    folder = cohort / "derivatives" / "cta"
    folder.mkdir(parents=True)
    write_dataset_description(
        folder, name="cta", dataset_type="derivative", source_datasets=[{"URL": "../../"}]
    )
    write_readme(folder, "Derivatives.")
    write_bidsignore(folder, ["*_xfm.tfm", "*_dseg.nii.gz"])
    write_pair(folder, variant_name("001", "1", space="MPRAGE", description="HAQ"), None)
    transform = transform_name("001", "1", moving="SPACE", fixed="MPRAGE")
    (folder / transform.path).write_text("#Insight Transform File V1.0\n")
    assert validation.validate(folder) == []
    assert validation.validate(cohort) == []


def test_the_validator_sees_what_is_wrong(cohort: Path) -> None:
    """A file with a name outside BIDS is found, and named."""
    (cohort / "sub-001" / "ses-1" / "anat" / "patient_mueller.nii.gz").write_bytes(b"x")
    issues = validation.validate(cohort)
    assert issues
    assert all(issue.severity == "error" for issue in issues)
    assert any("patient_mueller" in str(issue) for issue in issues)


def test_images_that_were_not_fetched_are_no_error(cohort: Path) -> None:
    """Links without content, as git-annex leaves them, pass where headers are not read."""
    for path in sorted(cohort.rglob("*.nii.gz")):
        key = ".git/annex/objects/aa/bb/MD5E-s9--0123/MD5E-s9--0123.nii.gz"
        target = os.path.relpath(cohort / key, path.parent)
        path.unlink()
        path.symlink_to(target)
    assert validation.validate(cohort, read_images=False) == []


def test_a_missing_validator_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The error says what to install."""
    monkeypatch.setattr(validation, "EXECUTABLE", "no-such-validator")
    with pytest.raises(ConfigurationError, check=has_reason("bids_validator_not_installed")):
        validation.validate(tmp_path)


def test_participants_are_sorted_described_and_capped(cohort: Path) -> None:
    """Rows sorted by subject, n/a where unknown, ages capped at 89, columns in JSON."""
    rows = [{"participant_id": "sub-b", "age": float("nan")}, {"participant_id": "a", "age": 93}]
    write_participants(cohort, rows, COLUMNS)
    text = (cohort / "participants.tsv").read_text()
    assert text == (
        "participant_id\tage\tsex\tquality\nsub-a\t89\tn/a\tn/a\nsub-b\tn/a\tn/a\tn/a\n"
    )
    assert set(json.loads((cohort / "participants.json").read_text())) == set(COLUMNS)


@pytest.mark.parametrize(
    "rows",
    [
        [{"participant_id": "a", "name": "x"}],
        [{"participant_id": "a"}, {"participant_id": "sub-a"}],
    ],
)
def test_columns_without_description_and_repeats_are_refused(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    """A column nobody described, and a subject listed twice, are mistakes."""
    with pytest.raises(ConfigurationError):
        write_participants(tmp_path, rows, COLUMNS)
