"""Raw images read without the package: nibabel, pydicom, Pillow, SimpleITK and highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray
from PIL import Image

Volume = tuple[NDArray[np.generic], NDArray[np.float64]]
"""Voxels with axes in the order of the affine's columns, and the affine to RAS mm."""

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
Kind = Literal["nifti", "nrrd", "png", "dicom", "dose", "seg", "contours"]


@dataclass(frozen=True)
class RawVolume:
    """An image or a mask as delivered: one file, or those of a stack or series.

    `values` are those that count as lesion, of a mask; `spacing_mm` is for PNG alone.
    """

    kind: Kind
    paths: tuple[Path, ...]
    values: tuple[int, ...] = ()
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def read(self) -> Volume:
        """Return the voxels and where they lie."""
        if self.kind == "nifti":
            image = nib.load(self.paths[0])
            return np.asanyarray(image.dataobj), image.affine
        if self.kind == "nrrd":
            return _of_itk(sitk.ReadImage(str(self.paths[0])))
        if self.kind == "png":
            return _read_png(self.paths, self.spacing_mm)
        if self.kind == "dose":
            return _read_dose(self.paths[0])
        if self.kind == "seg":
            volume = hd.seg.segread(self.paths[0]).get_volume(combine_segments=True)
            return volume.array, LPS_TO_RAS @ volume.affine
        return _read_series(self.paths)

    def each(self) -> list[RawVolume]:
        """Return the masks one by one, where every file is one of its own."""
        if self.kind not in ("nifti", "nrrd"):
            return [self]
        return [replace(self, paths=(path,)) for path in self.paths]

    def lesion(self) -> Volume:
        """Return where a mask is lesion."""
        voxels, affine = self.read()
        chosen = np.isin(voxels, self.values) if self.values else voxels > 0
        return chosen, affine


def _of_itk(image: sitk.Image) -> Volume:
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, LPS_TO_RAS @ affine


def _read_png(paths: Sequence[Path], spacing_mm: tuple[float, float, float]) -> Volume:
    ordered = sorted(paths, key=lambda path: int(path.stem))
    # Every channel of a coloured slice holds the same.
    planes = [np.asarray(Image.open(path).convert("L")).T for path in ordered]
    return np.stack(planes, axis=-1), LPS_TO_RAS @ np.diag([*spacing_mm, 1.0])


def _read_series(paths: Sequence[Path]) -> Volume:
    slices = [pydicom.dcmread(path) for path in paths]
    iop = np.array(slices[0].ImageOrientationPatient, dtype=float)
    along, down = iop[:3], iop[3:]
    normal = np.cross(along, down)
    slices.sort(key=lambda ds: float(np.dot(normal, np.array(ds.ImagePositionPatient, float))))
    places = [np.array(ds.ImagePositionPatient, dtype=float) for ds in slices]
    between_rows, between_columns = (float(value) for value in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0] = along * between_columns
    affine[:3, 1] = down * between_rows
    affine[:3, 2] = (places[-1] - places[0]) / (len(places) - 1)
    affine[:3, 3] = places[0]
    planes = [
        ds.pixel_array.T * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))
        for ds in slices
    ]
    return np.stack(planes, axis=-1), LPS_TO_RAS @ affine


def _read_dose(path: Path) -> Volume:
    ds = pydicom.dcmread(path)
    iop = np.array(ds.ImageOrientationPatient, dtype=float)
    offsets = np.array(ds.GridFrameOffsetVector, dtype=float)
    affine = np.eye(4)
    affine[:3, 0] = iop[:3] * float(ds.PixelSpacing[1])
    affine[:3, 1] = iop[3:] * float(ds.PixelSpacing[0])
    affine[:3, 2] = np.cross(iop[:3], iop[3:]) * float(offsets[1] - offsets[0])
    affine[:3, 3] = np.array(ds.ImagePositionPatient, dtype=float)
    return ds.pixel_array.T * float(ds.DoseGridScaling), LPS_TO_RAS @ affine


def onto_axes(volume: Volume, affine: NDArray[np.float64]) -> Volume:
    """Turn and flip a volume so that its axes run like those of another affine.

    Nothing is resampled: voxels keep their values and their places.
    """
    voxels, own = volume
    orientation = io_orientation(np.linalg.inv(affine) @ own)
    turned = apply_orientation(voxels, orientation)
    return turned, own @ inv_ornt_aff(orientation, voxels.shape)


def corners(shape: Sequence[int], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centres (RAS mm) of the eight corner voxels, in a fixed order."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in shape[:3]], indexing="ij")).reshape(3, -1)
    return (affine[:3, :3] @ ends).T + affine[:3, 3]


def contour_volumes_mm3(path: Path, rois: Sequence[str], step_mm: float) -> dict[str, float]:
    """Return contour area times plane distance of regions of a structure set, by name.

    A contour inside another of its plane is a hole, which signs of areas do not tell: these
    regions have none.
    """
    structures = pydicom.dcmread(path)
    names = {int(r.ROINumber): str(r.ROIName) for r in structures.StructureSetROISequence}
    volumes = {}
    for drawn in structures.ROIContourSequence:
        name = names[int(drawn.ReferencedROINumber)]
        if name not in rois:
            continue
        area = 0.0
        for contour in drawn.ContourSequence:
            x, y, _ = np.array(contour.ContourData, dtype=float).reshape(-1, 3).T
            area += abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0
        volumes[name] = area * step_mm
    return volumes
