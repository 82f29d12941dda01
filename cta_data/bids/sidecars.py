"""JSON sidecars: what a DICOM header may tell, and nothing else.

Only attributes on the list below are taken over: of coded ones only codes, of devices only known
makers, and models and versions that are made of known words and codes. Free text
(descriptions, protocol names, comments), names, dates, places, serial numbers and identifiers are
never on it, since any of them can identify a patient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cta_data.files import json_text, write_text
from cta_data.formats.dicom.coded_values import codes_of
from cta_data.formats.dicom.device_names import maker, model, version
from cta_data.formats.dicom.header import measured
from cta_data.redaction import Identity, Redactor

CONVERSION_SOFTWARE = "cta_data, with dicom2nifti for the voxels"
LONG_NUMBER = 6
"""Digits from which on what should be a measurement may be a date or a patient's number."""

Header = Mapping[str, str]


def _maker(header: Header, keyword: str) -> str | None:
    return maker(header[keyword])


def _model(header: Header, keyword: str) -> str | None:
    return model(header[keyword])


def _version(header: Header, keyword: str) -> str | None:
    return version(header[keyword])


def _codes(header: Header, keyword: str) -> str | list[str] | None:
    codes = codes_of(keyword, header[keyword])
    return (codes[0] if len(codes) == 1 else codes) or None


def _number(header: Header, keyword: str) -> float | int | None:
    return _whole(measured(header, keyword))


def _angle(header: Header, keyword: str) -> float | int | None:
    return _whole(measured(header, keyword, may_be_zero=True))


def _seconds(header: Header, keyword: str) -> float | int | None:
    milliseconds = measured(header, keyword)
    return _whole(None if milliseconds is None else round(milliseconds / 1000, 9))


def _whole(number: float | None) -> float | int | None:
    return int(number) if number is not None and number.is_integer() else number


# DICOM keyword → name in the sidecar, and how its text becomes a value (None: not given). Units: s,
# mm, degrees, T, Hz per pixel, kV, mA, mAs.
ALLOWED: Mapping[str, tuple[str, Callable[[Header, str], Any]]] = {
    "Modality": ("Modality", _codes),
    "Manufacturer": ("Manufacturer", _maker),
    "ManufacturerModelName": ("ManufacturersModelName", _model),
    "SoftwareVersions": ("SoftwareVersions", _version),
    "PatientPosition": ("PatientPosition", _codes),
    "SliceThickness": ("SliceThickness", _number),
    "SpacingBetweenSlices": ("SpacingBetweenSlices", _number),
    # magnetic resonance
    "MagneticFieldStrength": ("MagneticFieldStrength", _number),
    "MRAcquisitionType": ("MRAcquisitionType", _codes),
    "ScanningSequence": ("ScanningSequence", _codes),
    "SequenceVariant": ("SequenceVariant", _codes),
    "ScanOptions": ("ScanOptions", _codes),
    "EchoTime": ("EchoTime", _seconds),
    "RepetitionTime": ("RepetitionTime", _seconds),
    "InversionTime": ("InversionTime", _seconds),
    "FlipAngle": ("FlipAngle", _number),
    "EchoTrainLength": ("EchoTrainLength", _number),
    "NumberOfAverages": ("NumberOfAverages", _number),
    "PixelBandwidth": ("PixelBandwidth", _number),
    "PercentSampling": ("PercentSampling", _number),
    "InPlanePhaseEncodingDirection": ("InPlanePhaseEncodingDirectionDICOM", _codes),
    "ContrastBolusIngredient": ("ContrastBolusIngredient", _codes),
    # computed tomography
    "KVP": ("KVP", _number),
    "ConvolutionKernel": ("ConvolutionKernel", _codes),
    "XRayTubeCurrent": ("XRayTubeCurrent", _number),
    "Exposure": ("Exposure", _number),
    "FilterType": ("FilterType", _codes),
    "GantryDetectorTilt": ("GantryDetectorTilt", _angle),
}


def build_sidecar(
    header: Mapping[str, str],
    *,
    geometry_source: str = "dicom",
    deviations: Sequence[Mapping[str, str]] = (),
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Content of an image's sidecar.

    Parameters
    ----------
    header
        Text by DICOM keyword, DICOM units, several values joined by one backslash.
    geometry_source
        Where the grid comes from (`dicom`, …).
    deviations
        What was tolerated or repaired (`Deviation.as_record`); written as `Deviations`.
    extra
        Fields the caller answers for; they win over those of the header.

    Returns
    -------
    dict
        BIDS names and units (seconds, where DICOM has milliseconds). A value that cannot be read
        as its kind, that is no code of a coded attribute (`CODES`), that names no known device
        (`device_names`), that means "not given" (`measured`), or that holds a piece of the
        patient's identity, is left out.
    """
    redactor = Redactor(Identity.of_headers([header]))
    sidecar: dict[str, Any] = {
        "ConversionSoftware": CONVERSION_SOFTWARE,
        "GeometrySource": geometry_source,
    }
    for keyword, (name, convert) in ALLOWED.items():
        text = header.get(keyword, "").strip()
        if not text:
            continue
        value = convert(header, keyword)
        if value is not None and not _tells(redactor, text, value):
            sidecar[name] = value
    if deviations:
        sidecar["Deviations"] = [dict(deviation) for deviation in deviations]
    return sidecar | dict(extra or {})


def write_sidecar(sidecar: Mapping[str, Any], path: Path) -> None:
    """Write a sidecar: sorted keys, the same bytes for the same content, no clock."""
    write_text(json_text(sidecar), path)


def _tells(redactor: Redactor, text: str, value: object) -> bool:
    """Return whether a text holds identity; a short number that was measured may equal anything."""
    if isinstance(value, float | int) and len(re.findall(r"\d", text)) < LONG_NUMBER:
        return False
    return redactor.finds(text)
