"""Versions of the software that results depend on."""

from __future__ import annotations


def software_versions() -> dict[str, str]:
    """Return the versions of the software that results depend on."""
    from importlib import metadata  # help and queries need no versions

    names = ("cta_data", "SimpleITK", "pydicom", "dicom2nifti", "nibabel", "numpy", "scipy")
    return {name: metadata.version(name) for name in names}
