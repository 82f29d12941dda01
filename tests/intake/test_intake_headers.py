"""Headers as plain data."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from cta_data.intake import header_of, plan_addition


def test_header_is_text_without_identity_or_private_elements(
    make_dicom: Callable[..., bytes],
) -> None:
    """Multi-values join with a backslash; names, numbers of patients, pixels are left out."""
    dataset = dcmread(io.BytesIO(make_dicom(PixelSpacing=["0.9000000357", "1"])))
    dataset.add_new(0x00190010, "LO", "SECRET")
    header = header_of(dataset)
    assert header["ScanningSequence"] == "GR\\IR"
    assert header["PixelSpacing"] == "0.9000000357\\1"
    assert header["Rows"] == "4"
    assert not {"PatientName", "PatientID", "PixelData"} & header.keys()
    assert "SECRET" not in header.values()


def test_an_element_that_breaks_its_rules_is_named(make_dicom: Callable[..., bytes]) -> None:
    """A value of the wrong length costs that element alone, and is not passed over in silence."""
    content = make_dicom()
    rows = b"\x28\x00\x10\x00US\x02\x00\x04\x00"
    assert rows in content
    broken = content.replace(rows, b"\x28\x00\x10\x00US\x03\x00\x04\x00\x00")
    header = header_of(dcmread(io.BytesIO(broken), stop_before_pixels=True))
    assert header["UnreadableElements"] == "Rows"
    assert header["Columns"] == "4"


def test_functional_groups_are_lifted() -> None:
    """An enhanced object's shared and first-frame values stand at the top, with classic names."""
    echo, spacing, timing, modifier = Dataset(), Dataset(), Dataset(), Dataset()
    echo.EffectiveEchoTime = 2.4
    spacing.PixelSpacing = [1, 2]
    timing.RepetitionTime = 2000.0
    modifier.InversionRecovery = "YES"
    modifier.InversionTimes = [900.0]
    shared, first, second = Dataset(), Dataset(), Dataset()
    shared.MRTimingAndRelatedParametersSequence = [timing]
    shared.MRModifierSequence = [modifier]
    first.MREchoSequence, first.PixelMeasuresSequence = [echo], [spacing]
    second.PixelMeasuresSequence = [Dataset()]
    dataset = Dataset()
    dataset.EchoPulseSequence = "GRADIENT"
    dataset.AcquisitionDateTime = "20220711120517.042500"
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [first, second]
    header = header_of(dataset)
    assert header["EchoTime"] == "2.4"
    assert header["RepetitionTime"] == "2000.0"
    assert header["PixelSpacing"] == "1.0\\2.0"
    assert header["InversionTime"] == "900.0"
    assert header["ScanningSequence"] == "GR\\IR"
    assert header["AcquisitionTime"] == "120517.042500"


def test_real_enhanced_mprage(shared_data: Path, tmp_path: Path) -> None:
    """A real enhanced MPRAGE has the values that its publishers' sidecar gives."""
    with plan_addition(shared_data / "mr_siemens_xa30_enhanced_t1", tmp_path / "none") as plan:
        header = plan.series[0].header
    assert header["ScanningSequence"] == "GR\\IR"
    assert float(header["InversionTime"]) == 900
    assert float(header["EchoTime"]) == 2.41
