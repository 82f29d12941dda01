"""A small phantom trial is what a hospital exports, and agrees with its truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers.made_once import made_once

from cta_data.errors import ConfigurationError
from cta_data.phantom import VoxelSizes, WrittenPatient, write_patient, write_trial

SIZES = VoxelSizes(mprage=3.0, space=3.0, ct_in_plane=3.0, ct_slice=2.0)


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> list[WrittenPatient]:
    def make(folder: Path) -> list[WrittenPatient]:
        return write_trial(folder, n_naq=2, n_haq=2, seed=0, voxel_sizes=SIZES, workers=2)

    return made_once(tmp_path_factory, "phantom_trial", make)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _truth(patient: WrittenPatient, name: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((patient.truth / name).read_text())
    return loaded


def test_another_process_writes_the_same_bytes(trial: list[WrittenPatient], tmp_path: Path) -> None:
    """Bytes depend on the seed and the parameters alone: one process or two, all files agree."""
    first = trial[0]
    again = write_patient(tmp_path, seed=first.seed, quality=first.quality, voxel_sizes=SIZES)
    for old, new in ((first.raw, again.raw), (first.truth, again.truth)):
        assert [p.relative_to(old) for p in _files(old)] == [
            p.relative_to(new) for p in _files(new)
        ]
        for a, b in zip(_files(old), _files(new), strict=True):
            assert a.read_bytes() == b.read_bytes(), a.name


def test_dcm2niix_makes_one_volume_of_every_series(
    trial: list[WrittenPatient], tmp_path: Path
) -> None:
    """One NIfTI per series, on the grid of the truth (to 1 µm) and with the stored voxels."""
    for patient in trial[:2]:
        for key, paths in patient.series.items():
            out = tmp_path / patient.patient_id / key
            out.mkdir(parents=True)
            program = Path(sys.executable).parent / "dcm2niix"
            subprocess.run(
                [program, "-b", "n", "-z", "n", "-f", "volume", "-o", out, paths[0].parent],
                check=True,
                capture_output=True,
            )
            assert [p.name for p in out.iterdir()] == ["volume.nii"], key
            image = sitk.ReadImage(str(out / "volume.nii"))
            truth = sitk.ReadImage(str(patient.truth / f"lesions_{key.split('-')[0]}.nii.gz"))
            assert sorted(image.GetSize()) == sorted(truth.GetSize())
            corners = [_corners(i) for i in (image, truth)]
            assert np.allclose(corners[0], corners[1], atol=2e-3), key
            stored = pydicom.dcmread(paths[len(paths) // 2])
            values = nibabel.load(out / "volume.nii").get_fdata()
            slope, offset = (
                float(stored.get("RescaleSlope", 1)),
                float(stored.get("RescaleIntercept", 0)),
            )
            expected = np.sort((stored.pixel_array * slope + offset).ravel())
            where = _slice_through(image, stored)
            assert np.array_equal(np.sort(values[where].ravel()), expected), key


def _corners(image: sitk.Image) -> np.ndarray:
    """The eight corner voxels of an image in LPS mm, in an order of their own."""
    last = np.array(image.GetSize()) - 1
    points = [
        image.TransformIndexToPhysicalPoint([int(v) for v in last * np.array(c)])
        for c in np.ndindex(2, 2, 2)
    ]
    return np.array(sorted(np.round(points, 2).tolist()))


def _slice_through(image: sitk.Image, stored: pydicom.Dataset) -> tuple[object, ...]:
    """The index of the volume's slice on which a file lies."""
    position = [float(v) for v in stored.ImagePositionPatient]
    rows = np.array(stored.ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(rows[0], rows[1])
    direction = np.array(image.GetDirection()).reshape(3, 3)
    axis = int(np.argmax(np.abs(normal @ direction)))
    index = image.TransformPhysicalPointToContinuousIndex(position)
    where: list[object] = [slice(None)] * 3
    where[axis] = round(index[axis])
    return tuple(where)


def test_headers_carry_an_identity_and_uids_are_unique(trial: list[WrittenPatient]) -> None:
    """Every object names its patient; only byte-identical copies share an instance UID."""
    contents: dict[str, set[bytes]] = defaultdict(set)
    names = set()
    classes = set()
    for patient in trial:
        for path in _files(patient.raw):
            ds = pydicom.dcmread(path)
            assert ds.PatientID == patient.patient_id
            assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
            names.add(str(ds.PatientName))
            classes.add(ds.SOPClassUID.name)
            contents[ds.SOPInstanceUID].add(path.read_bytes())
    assert all(len(versions) == 1 for versions in contents.values())
    assert sum(len(_files(p.raw)) for p in trial) > len(contents)
    assert len(names) == len(trial)
    assert len(classes) == 6


def test_series_are_in_the_order_in_which_they_were_acquired(
    trial: list[WrittenPatient],
) -> None:
    """Acquisition times rise over MPRAGE none, early, late and SPACE; agent only after none."""
    for patient in trial:
        headers = {
            key: pydicom.dcmread(paths[0], stop_before_pixels=True)
            for key, paths in patient.series.items()
        }
        order = ("MPRAGE-none", "MPRAGE-early", "MPRAGE-late", "SPACE")
        times = [str(headers[key].AcquisitionTime) for key in order]
        assert times == sorted(times)
        agents = [("ContrastBolusAgent" in headers[key]) for key in order]
        assert agents == [False, True, True, True]
        frames = {headers[key].FrameOfReferenceUID for key in order[:3]}
        assert len(frames) == 1
        moved = _truth(patient, "patient.json")["space_has_own_frame_of_reference"]
        assert (headers["SPACE"].FrameOfReferenceUID in frames) is not moved


def test_structure_set_outlines_what_the_reader_drew(trial: list[WrittenPatient]) -> None:
    """A GTV for each lesion seen, on slices that exist; its contours enclose its volume."""
    for patient in trial:
        ds = pydicom.dcmread(patient.structure_set)
        slices = {
            str(h.SOPInstanceUID): float(h.ImagePositionPatient[2])
            for h in (pydicom.dcmread(p, stop_before_pixels=True) for p in patient.series["CT"])
        }
        numbers = {str(r.ROIName): r.ROINumber for r in ds.StructureSetROISequence}
        contours = {r.ReferencedROINumber: r.ContourSequence for r in ds.ROIContourSequence}
        seen = [row for row in _truth(patient, "lesions.json") if row["seen_by_reader"]]  # type: ignore[index]
        assert len(seen) == patient.lesions_drawn >= 1
        for row in seen:
            volume = 0.0
            for item in contours[numbers[row["roi_name"]]]:  # type: ignore[index]
                points = np.array(item.ContourData, dtype=float).reshape(-1, 3)
                uid = str(item.ContourImageSequence[0].ReferencedSOPInstanceUID)
                assert np.allclose(points[:, 2], slices[uid], atol=1e-3)
                x, y = points[:, 0], points[:, 1]
                volume += abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 * SIZES.ct_slice
            expected = float(row["drawn"]["volume_mm3"])  # type: ignore[index]
            assert volume == pytest.approx(expected, rel=0.6 if expected < 60 else 0.15)


def test_registration_object_agrees_with_the_true_transform(
    trial: list[WrittenPatient],
) -> None:
    """Its matrix takes points of each MR frame to the CT as the truth does; two of four have it."""
    with_object = [p for p in trial if p.registration is not None]
    assert len(with_object) == 2
    for patient in with_object:
        assert patient.registration is not None
        ds = pydicom.dcmread(patient.registration)
        frames = {
            key: str(pydicom.dcmread(paths[0], stop_before_pixels=True).FrameOfReferenceUID)
            for key, paths in patient.series.items()
        }
        assert ds.FrameOfReferenceUID == frames["CT"]
        matrices = {
            str(item.FrameOfReferenceUID): np.array(
                item.MatrixRegistrationSequence[0]
                .MatrixSequence[0]
                .FrameOfReferenceTransformationMatrix,
                dtype=float,
            ).reshape(4, 4)
            for item in ds.RegistrationSequence
        }
        assert np.allclose(matrices[frames["CT"]], np.eye(4))
        for technique, key in (("MPRAGE", "MPRAGE-late"), ("SPACE", "SPACE")):
            name = f"from-CT_to-{technique}_mode-image_xfm.tfm"
            truth = sitk.ReadTransform(str(patient.truth / name))
            point = (30.0, -40.0, 50.0)
            mapped = matrices[frames[key]] @ np.array([*point, 1.0])
            assert np.allclose(mapped[:3], truth.TransformPoint(point), atol=1e-4)


def test_truth_agrees_with_itself(trial: list[WrittenPatient]) -> None:
    """Transforms carry lesion centres between techniques; lesions lie in the brain, labelled."""
    for patient in trial:
        rows = _truth(patient, "lesions.json")
        transform = sitk.ReadTransform(str(patient.truth / "from-CT_to-MPRAGE_mode-image_xfm.tfm"))
        for technique in ("MPRAGE", "SPACE", "CT"):
            labels = sitk.ReadImage(str(patient.truth / f"lesions_{technique}.nii.gz"))
            brain = sitk.ReadImage(str(patient.truth / f"brain_{technique}.nii.gz"))
            array = sitk.GetArrayFromImage(labels)
            assert sorted(set(np.unique(array)) - {0}) == [row["id"] for row in rows]  # type: ignore[index]
            inside = sitk.GetArrayFromImage(brain)[array > 0]
            assert inside.mean() > 0.98
            for row in rows:
                centre = row["centre_lps_mm"][technique]  # type: ignore[index]
                z_y_x = labels.TransformPhysicalPointToIndex(centre)[::-1]
                assert array[z_y_x] == row["id"]  # type: ignore[index]
        for row in rows:
            centres = row["centre_lps_mm"]  # type: ignore[index]
            assert np.allclose(
                transform.TransformPoint(centres["MPRAGE"]), centres["CT"], atol=1e-3
            )


def test_no_two_patients_are_alike(trial: list[WrittenPatient]) -> None:
    """Brains differ in shape: no two masks overlap by more than a Dice of 0.99."""
    masks = [
        sitk.GetArrayFromImage(sitk.ReadImage(str(p.truth / "brain_MPRAGE.nii.gz"))) > 0
        for p in trial
    ]
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert 2.0 * (a & b).sum() / (a.sum() + b.sum()) < 0.99


def test_what_cannot_be_made_is_refused(tmp_path: Path, trial: list[WrittenPatient]) -> None:
    """No patients, an existing trial and absurd voxel sizes are configuration errors."""
    with pytest.raises(ConfigurationError):
        write_trial(tmp_path, n_naq=0, n_haq=0)
    with pytest.raises(ConfigurationError):
        write_trial(trial[0].truth.parent.parent, n_naq=1, n_haq=1)
    with pytest.raises(ConfigurationError):
        VoxelSizes(mprage=9.0)
    with pytest.raises(ConfigurationError):
        write_patient(tmp_path, seed=1, quality="best")
