"""Makers, models and versions pass where they are known, and free text never does."""

from __future__ import annotations

import pytest

from cta_data.bids.sidecars import build_sidecar
from cta_data.formats.dicom.device_names import maker, model, version

FREE_TEXT = (
    *("Zaunkoenig", "Frau Zaunkönig", "Dr. Li", "Wilhelmine MR", "Siemens for Rotkehl", "Li Bo"),
    *("HW123456", "19.02.1924", "Charité Berlin", "called mother", "room of Dr. No", "GE Zaun"),
)


@pytest.mark.parametrize(
    "text",
    [
        *("SIEMENS", "Siemens Healthineers", "GE MEDICAL SYSTEMS", "Philips Medical Systems"),
        *("Philips Healthcare", "TOSHIBA_MEC", "Canon Medical Systems", "Accuray Incorporated"),
        *("Elekta", "Varian Medical Systems", "GE MEDICAL SYSTEMS / MIM Software", "UIH"),
        *("Hitachi, Ltd.", "MIM Software Inc.", "Brainlab AG", "FUJIFILM Healthcare Corporation"),
    ],
)
def test_known_makers_pass_as_they_are_written(text: str) -> None:
    """With the words that companies have beside their names."""
    assert maker(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Skyra",
            "Skyra_fit",
            "MAGNETOM Vida",
            "Prisma_fit",
            "Avanto",
            "TrioTim",
            "MAGNETOM Free.Max",
        ),
        *(
            "Signa HDxt",
            "SIGNA Premier",
            "Optima MR450w",
            "DISCOVERY MR750",
            "GENESIS_SIGNA",
            "Ingenia",
        ),
        *(
            "Achieva dStream",
            "Intera",
            "Ingenia Elition X",
            "Leksell GammaPlan",
            "MultiPlan",
            "Aera",
        ),
        *("SOMATOM Definition AS", "LightSpeed VCT", "Brilliance 64", "Aquilion ONE", "iCT 256"),
        *("MR 7700", "Vantage Titan", "uMR 780", "Discovery MI", "Discovery ST", "Biograph mMR"),
    ],
)
def test_known_models_pass_as_they_are_written(text: str) -> None:
    """Words of products, and short codes with digits."""
    assert model(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("syngo MR E11", "syngo MR D11", "syngo MR XA30", "5.3.1", "11.1.5", "syngo CT VB20A"),
        *("R5.4.1", "GammaPlan 11.1", "dm09_hl2sp1.23", "Numaris/4", "6.3.9", "1"),
        "LX MR Software release:DV25.1_R01_1649.a",
    ],
)
def test_versions_pass_as_they_are_written(text: str) -> None:
    """Made of codes with digits and of the words beside them."""
    assert version(text) == text


def test_of_several_versions_those_stay_that_are_some() -> None:
    """A backslash parts values; a date or a patient's number is no version."""
    assert version("5.3.1\\5.3.1.0") == "5.3.1 5.3.1.0"
    assert version("syngo MR E11\\for HW123456\\19.02.1924") == "syngo MR E11"
    assert version("Zaun 2\\123456\\20200117") is None


@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName", "SoftwareVersions"])
@pytest.mark.parametrize("text", FREE_TEXT)
def test_free_text_never_reaches_a_sidecar(keyword: str, text: str) -> None:
    """Nobody's name, number, date or place, whether the header knows the person or not."""
    assert set(build_sidecar({keyword: text})) == {"ConversionSoftware", "GeometrySource"}


@pytest.mark.parametrize("text", ["Li", "Bo", "ANNA", "ZAUN_GEMS", "EZ1", "FRAU ZAUN"])
def test_scan_options_are_defined_terms(text: str) -> None:
    """Three letters may be a name; what DICOM and the makers define stays beside."""
    assert "ScanOptions" not in build_sidecar({"ScanOptions": text})
    told = build_sidecar({"ScanOptions": f"PFP\\{text}\\FAST_GEMS\\SAT1"})
    assert told["ScanOptions"] == ["PFP", "FAST_GEMS", "SAT1"]
