"""`export rtstruct` and `export seg`: of files, and of a study."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.command_line import run_cta
from helpers.oriented_series import oriented_series, write_files, write_labels
from helpers.refusals import has_reason

from cta_data.engine import Report
from cta_data.errors import ConfigurationError
from cta_data.formats.dicom.derived_objects import is_exported
from cta_data.formats.dicom.rtstruct import read_structure_set
from cta_data.formats.lesion_export import ExportOptions
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.rasterization.structure_set_masks import rasterize_structure_set
from cta_data.phantom import WrittenPatient
from cta_data.publish.lesions import StudyExport, export_lesions
from cta_data.study.study import Study
from cta_data.study.tables import PredictionRow, VariantRow


def test_a_mask_and_its_series_need_no_study(tmp_path: Path) -> None:
    """Three paths give a file, whose lesions, voxels and UID are told."""
    series = oriented_series((4, 6, 6))
    folder = write_files(series, tmp_path / "series")
    labels = np.zeros((4, 6, 6), np.uint8)
    labels[1:3, 2:4, 2:4] = 5
    mask = write_labels(series, labels, tmp_path / "mask.nii.gz")
    for command in (("rtstruct", "--holes", "xor"), ("seg", "--kind", "labelmap")):
        out = tmp_path / f"{command[0]}.dcm"
        # Of a mask of one value its parts are the lesions.
        done = run_cta("export", *command, mask, folder, out, "--model", "B", "--json")
        told, made = json.loads(done.out), pydicom.dcmread(out)
        assert done.code == 0
        assert (told["n_lesions"], told["n_voxels"], told["written"]) == (1, 8, True)
        assert told["sop_instance_uid"] == made.SOPInstanceUID
        assert is_exported(made)
    named = pydicom.dcmread(tmp_path / "rtstruct.dcm")
    assert named.StructureSetROISequence[0].ROIName == "Predicted lesion 1"
    assert named.RTROIObservationsSequence[0].RTROIInterpretedType == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("mask.nii.gz", "series"), "export_words_unclear"),
        (("a", "b", "c.dcm", "--on", "CT"), "export_option_of_other_form"),
        (("a", "b", "c.dcm", "--subject", "1"), "export_option_of_other_form"),
        (("internal", "--to", "out", "--resample"), "export_option_of_other_form"),
        (("internal", "--to", "out", "--reader", "R1"), "export_option_of_other_form"),
        (("a", "b", "c.dcm", "--interpreted-type", "TUMOR"), "interpreted_type_unknown"),
        (("a", "b", "c.nii"), "output_extension_unsupported"),
        (("a", "b", "c.dcm", "--reader", "Dr. Müller"), "review_reader_code"),
    ],
)
def test_the_two_forms_are_not_mixed(words: tuple[str, ...], code: str) -> None:
    """Three paths, or a folder to export to; each with its own options; no reader by name."""
    done = run_cta("export", "rtstruct", *words, "--json")
    assert done.code == 1
    assert json.loads(done.out)["error"]["code"] == code


@pytest.mark.thorough
def test_annotations_of_a_study(
    built: tuple[Study, Report], trial: tuple[Path, list[WrittenPatient]], tmp_path: Path
) -> None:
    """Each session gets a file that refers to its own images; a second run changes nothing.

    On another technique the lesions are those of the study's own variant, voxel by voxel.
    """
    study, out = built[0], tmp_path / "out"
    words = ("export", "rtstruct", "internal", "--to", out)
    first = run_cta(*words, "--on", "MPRAGE", "--json", study=study.root)
    assert first.code == 0
    told = json.loads(first.out)
    assert not told["failed"]
    assert [Path(one["file"]).parent for one in told["files"]] == [out] * 6
    again = json.loads(run_cta(*words, "--on", "MPRAGE", "--json", study=study.root).out)
    assert not any(one["written"] for one in again["files"])
    known = {header.SOPInstanceUID: header.PatientID for header in _headers(trial[0])}
    variants = {(row.session, row.annotation): row for row in _on_mprage(study)}
    for (session, annotation), row in variants.items():
        path = out / f"{session.case}_MPRAGE_{annotation}_rtstruct.dcm"
        made, read = pydicom.dcmread(path), read_structure_set(path)
        owners = {known[c.referenced_sop_uid] for roi in read.rois for c in roi.contours}
        assert owners == {made.PatientID}
        image = read_image(study.root / row.labels_path)
        labels = sitk.GetArrayFromImage(image)
        back = np.zeros_like(labels)
        for roi in rasterize_structure_set(read, image, None):
            back[roi.box][roi.region] = int(roi.name.split()[1])
        assert np.array_equal(back, labels)


def test_predictions_name_their_model(
    built: tuple[Study, Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of a predicted mask is a lesion, by the algorithm, on its image or on the CT."""
    study = Study(built[0].root)
    masks = [row for row in _on_mprage(study) if row.n_arrived]
    rows = [
        PredictionRow(
            model="B",
            test_set="internal-HAQ",
            case=row.session.case,
            technique="MPRAGE",
            folds=(0,),
            image_path="",
            image_key="",
            path=row.mask_path,
            annex_key="",
        )
        for row in masks[:1]
    ]
    tables = study.tables.rows
    monkeypatch.setattr(
        study.tables, "rows", lambda kind: rows if kind is PredictionRow else tables(kind)
    )
    request = StudyExport(
        "prediction", ("internal-HAQ",), (), tmp_path, ExportOptions("seg"), model="B"
    )
    done = [export_lesions(study, replace(request, on=technique)) for technique in ("", "CT")]
    assert [len(one.files) for one in done] == [1, 1]
    for one in done:
        made = pydicom.dcmread(one.files[0].path)
        assert {item.SegmentAlgorithmType for item in made.SegmentSequence} == {"AUTOMATIC"}
        algorithm = made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
        assert algorithm.AlgorithmName == "B"
    assert done[0].files[0].n_voxels == np.count_nonzero(
        sitk.GetArrayViewFromImage(read_image(study.root / masks[0].mask_path))
    )
    with pytest.raises(ConfigurationError, check=has_reason("prediction_not_there")):
        export_lesions(study, replace(request, model="Z"))


def test_pseudonymous_objects_name_nobody(built: tuple[Study, Report], tmp_path: Path) -> None:
    """No identity and no UID of the hospital: patient, study and frame follow from the labels."""
    study, out = built[0], tmp_path / "out"
    subject = min(row.session.subject for row in _on_mprage(study))
    words = ("export", "rtstruct", "--to", out, "--subject", subject)
    assert run_cta(*words, "--pseudonymous", study=study.root).code == 0
    [path] = out.iterdir()
    made = pydicom.dcmread(path)
    assert made.PatientID == f"internal_sub-{subject}"
    uids = [str(e.value) for e in made.iterall() if e.VR == "UI" and e.keyword.endswith("UID")]
    own = [uid for uid in uids if not uid.startswith("1.2.840.10008")]
    assert own
    assert all(uid.startswith("2.25.") for uid in own)


def test_nothing_is_written_into_the_study(built: tuple[Study, Report]) -> None:
    """What names patients does not come into what is shared; nor is a model that is not there."""
    study = built[0]
    inside = ("export", "seg", "--to", study.root / "out", "--json")
    assert json.loads(run_cta(*inside, study=study.root).out)["error"]["code"] == (
        "export_inside_study"
    )
    nothing = ("export", "seg", "internal", "--to", study.root.parent / "o", "--what", "prediction")
    assert run_cta(*nothing, study=study.root).code == 2
    unknown = (*nothing, "--model", "Z", "--json")
    assert json.loads(run_cta(*unknown, study=study.root).out)["error"]["code"] == (
        "prediction_not_there"
    )


def _on_mprage(study: Study) -> list[VariantRow]:
    return [row for row in study.tables.rows(VariantRow) if row.grid == "MPRAGE"]


def _headers(trial: Path) -> list[pydicom.Dataset]:
    files = sorted(path for path in (trial / "raw").rglob("*") if path.is_file())
    return [
        pydicom.dcmread(path, specific_tags=["SOPInstanceUID", "PatientID"])
        for path in files
        if path.read_bytes()[128:132] == b"DICM"
    ]
