"""Seven patients whose data deceive: each is used or put on hold as it should be, with a reason."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from helpers.command_line import Cta, Outcome, copy_patients, edit, files_of
from helpers.remembered import remembered
from pydicom.dataset import Dataset

from cta_data.phantom import WrittenPatient
from cta_data.study.study import Study

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

CASES = ("swapped", "contradicted", "mirrored", "swapped_frame", "cropped", "emptied", "cut")
HELD_AT = {
    "swapped": "register",
    "contradicted": "register",
    "mirrored": "register",
    "swapped_frame": "register",
    "cut": "transfer",
}
CROP_MM = 20.0
SPACE = "space_sag"


@dataclass(frozen=True)
class Adversarial:
    """The study, the label of each case, and what the command printed."""

    study: Path
    label: dict[str, str]
    outcome: Outcome


def slices_of(patient: Path) -> list[list[Path]]:
    """The SPACE files slice by slice: an export may hold a slice twice."""
    slices: dict[int, list[Path]] = {}
    for path in files_of(patient, SPACE):
        number = pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber
        slices.setdefault(int(number), []).append(path)
    return [slices[number] for number in sorted(slices)]


def replace_pixels(patient: Path, pixels: list[bytes]) -> None:
    """Give every SPACE slice other pixels."""
    for paths, content in zip(slices_of(patient), pixels, strict=True):
        for path in paths:
            edit(path, lambda dataset, content=content: setattr(dataset, "PixelData", content))


def pixels_of(patient: Path) -> list[bytes]:
    """The pixels of every SPACE slice."""
    return [pydicom.dcmread(paths[0]).PixelData for paths in slices_of(patient)]


def acquired_again(pixels: list[bytes], seed: int) -> list[bytes]:
    """The same head with other noise: `add` knows the very slices of another patient."""
    random = np.random.default_rng(seed)
    values = [np.frombuffer(one, np.uint16) for one in pixels]
    return [(one ^ random.integers(0, 2, one.shape, np.uint16)).tobytes() for one in values]


def shift_registration(dataset: Dataset) -> None:
    """Move the stored transform 25 mm along each axis."""
    for item in dataset.iterall():
        if item.keyword == "FrameOfReferenceTransformationMatrix":
            matrix = np.array(item.value, float).reshape(4, 4)
            matrix[:3, 3] += 25.0 if not np.allclose(matrix, np.eye(4)) else 0.0
            item.value = [f"{value:.9g}" for value in matrix.ravel()]


def left_of(path: Path) -> float:
    """Position of a sagittal slice from right to left (LPS x, mm)."""
    return float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[0])


def crop(patient: Path, *, from_mm: float, to_mm: float) -> None:
    """Take away the SPACE slices at that side, so that a face of the volume is cut off."""
    for path in files_of(patient, SPACE):
        if from_mm <= left_of(path) <= to_mm:
            path.unlink()


def empty_first_roi(dataset: Dataset) -> None:
    """Leave the first ROI its name and no contour."""
    dataset.ROIContourSequence[0].ContourSequence = []


def lesions_left_mm(patient: WrittenPatient) -> list[float]:
    """Positions of the drawn lesions in the SPACE image from right to left (LPS x, mm)."""
    truth = json.loads((patient.truth / "lesions.json").read_text("utf-8"))
    return [
        lesion["centre_lps_mm"]["SPACE"][0] for lesion in truth if lesion["roi_name"] is not None
    ]


@pytest.fixture(scope="module")
def adversarial(
    cta: Cta,
    new_study: Callable[[str], Path],
    written: list[WrittenPatient],
    tmp_path_factory: pytest.TempPathFactory,
) -> Adversarial:
    """All of them in one study, taken as far as `measure`."""
    raw = tmp_path_factory.mktemp("raw")
    copies = dict(zip(CASES, copy_patients([one.raw for one in written], raw), strict=True))
    # Another patient's pixels behind this one's headers; and a sagittal series from left to right.
    replace_pixels(copies["swapped"], acquired_again(pixels_of(written[2].raw), 1))
    replace_pixels(copies["swapped_frame"], acquired_again(pixels_of(written[5].raw), 2))
    replace_pixels(copies["mirrored"], acquired_again(pixels_of(written[2].raw), 3)[::-1])
    edit(files_of(copies["contradicted"], "Fusion")[0], shift_registration)
    edit(files_of(copies["emptied"], "RTSTRUCT")[0], empty_first_roi)
    of = dict(zip(CASES, written, strict=True))
    crop(copies["cut"], from_mm=-999, to_mm=min(lesions_left_mm(of["cut"])))
    places = lesions_left_mm(of["cropped"])
    slices = [left_of(path) for path in files_of(copies["cropped"], SPACE)]
    if min(places) - min(slices) > max(slices) - max(places):
        crop(copies["cropped"], from_mm=-999, to_mm=min(slices) + CROP_MM)
    else:
        crop(copies["cropped"], from_mm=max(slices) - CROP_MM, to_mm=999)

    study = new_study("adversarial")
    assert cta("add", "internal", raw, study=study).code == 0
    with remembered(tmp_path_factory):
        outcomes = [cta(step, study=study) for step in ("convert", "register", "transfer")]
        stripped = cta("strip", study=study)
    assert [outcome.code for outcome in outcomes] == [0, 3, 3]
    table = study / "datasets/internal/sourcedata/subjects.tsv"
    rows = csv.DictReader(table.open(encoding="utf-8"), delimiter="\t")
    labels = {row["source_id"]: row["subject"] for row in rows}
    assert stripped.code == 3
    last = cta("measure", study=study)
    names = {name: labels[of[name].patient_id] for name in CASES}
    return Adversarial(study, names, last)


def unit(found: Adversarial, case: str, step: str) -> dict:
    """The row of a step of a case."""
    rows = Study(found.study).units()
    mine = rows[(rows.step == step) & (rows.subject == found.label[case])]
    return dict(mine.iloc[0])


@pytest.mark.parametrize("case", CASES)
def test_each_is_used_or_held_back_where_it_deceives(adversarial: Adversarial, case: str) -> None:
    """What deceives stops at the step that can see it; what only looks odd goes through."""
    at = HELD_AT.get(case)
    assert unit(adversarial, case, "measure")["status"] == ("impossible" if at else "ok")
    if at:
        row = unit(adversarial, case, at)
        assert row["status"] == "impossible"
        assert row["reason"].startswith("on hold: ")


def test_a_lesion_that_the_crop_cuts_off_is_named(adversarial: Adversarial) -> None:
    """The reason says which lesion, on which grid, and how much of it was in the field of view."""
    reason = unit(adversarial, "cut", "transfer")["reason"]
    assert "on SPACE" in reason and "on MPRAGE" not in reason
    assert "in the field of view" in reason or "lost: outside" in reason
    checks = Study(adversarial.study).transfer_checks()
    mine = checks[(checks.subject == adversarial.label["cut"]) & ~checks.passed]
    assert len(mine) >= 1 and set(mine.grid) == {"SPACE"}


def test_a_region_without_contours_is_listed_and_costs_nobody(adversarial: Adversarial) -> None:
    """The empty region is in the accounts with its reason; the other lesions are measured."""
    study = Study(adversarial.study)
    told = study.rois().query(f"subject == '{adversarial.label['emptied']}'")
    assert told.rejected_reason.dropna().str.contains("contour").any()
    assert (study.lesions().subject == adversarial.label["emptied"]).any()


def test_pictures_show_who_is_held_back_first(cta: Cta, adversarial: Adversarial) -> None:
    """A person who is to decide finds them at the top of the page."""
    told = json.loads(cta("pictures", "--json", study=adversarial.study).out)
    first = {entry["subject"] for entry in told["sessions"][: len(HELD_AT)]}
    assert first == {adversarial.label[case] for case in HELD_AT}


def test_a_person_can_accept_withdraw_and_nobody_decides_without_a_reason(
    cta: Cta, adversarial: Adversarial
) -> None:
    """An accepted session goes on; the table tells who, why and when; a rejection takes it back."""
    study, label = adversarial.study, adversarial.label["cut"]
    listed = cta("accept", study=study)
    assert listed.code == 0 and f"transfer internal sub-{label}" in listed.out
    assert "5 on hold, 0 decided" in listed.out
    assert cta("accept", "--subject", label, "--author", "A. Reader", study=study).code == 1
    assert cta("accept", "--reason", "looks well", study=study).code == 1
    words = ("--subject", label, "--author", "A. Reader", "--date", "2026-03-01")
    done = cta("accept", *words, "--reason", "cut lesion is tiny", study=study)
    assert done.code == 0 and "accepted by A. Reader on 2026-03-01" in done.out
    (row,) = Study(study).decisions().to_dict("records")
    assert (row["verdict"], row["step"], row["subject"]) == ("accepted", "transfer", label)
    assert row["finding"].startswith("on hold: lesion")
    again = cta("measure", "--subject", label, study=study)
    assert again.code == 0, again.text
    assert (Study(study).lesions().subject == label).any()
    assert unit(adversarial, "cut", "transfer")["status"] == "ok"
    rerun = cta("transfer", "--subject", label, "--recompute", study=study)
    assert rerun.code == 0, "a decision holds for the same result"
    back = cta("accept", *words, "--reject", "--reason", "second thoughts", study=study)
    assert back.code == 0
    cta("measure", "--subject", label, study=study)
    assert not (Study(study).lesions().subject == label).any()


def test_a_decision_is_about_what_was_looked_at(cta: Cta, adversarial: Adversarial) -> None:
    """With other limits the result is another, and waits for a person again."""
    study, label = adversarial.study, adversarial.label["mirrored"]
    words = ("accept", "--subject", label, "--author", "A", "--reason", "for the test")
    assert cta(*words, study=study).code == 0
    assert unit(adversarial, "mirrored", "register")["status"] == "ok"
    toml = study / "study.toml"
    before = toml.read_text("utf-8")
    toml.write_text(
        before.replace("[registration]", "[registration]\nlimits.least_coverage = 0.4"), "utf-8"
    )
    assert cta("register", "--subject", label, study=study).code == 3
    assert unit(adversarial, "mirrored", "register")["status"] == "impossible"
    nothing = cta("accept", "--subject", "999", "--reason", "who", "--author", "A", study=study)
    assert nothing.code == 2
