"""Rules on paths, on the shipped cards: the spellings of each distribution and of its mirrors."""

from __future__ import annotations

import pytest
from helpers.refusals import has_reason

from cta_data.cohorts import Card, parse_card, shipped_card_text
from cta_data.cohorts.file_roles import match_file, preferred_form, required_techniques
from cta_data.errors import ConfigurationError
from cta_data.intake.add import naming_of
from cta_data.intake.naming import SubjectNaming


def card(name: str) -> Card:
    return parse_card(shipped_card_text(name), name, name)


SUSM = "stanford_release_brainmask/mets_stanford_releaseMask_train/Mets_005"
TCIA = "PKG - Pretreat-MetsToBrain-Masks/Pretreat-MetsToBrain-Masks/BraTS-MET-00086-000"
GAMMA = "PKG - Brain-TR-GammaKnife-processed/Brain-TR-GammaKnife-processed"
PATHS = [
    ("susm", f"{SUSM}/0/11.png", "image", "MPRAGE", "post", "1"),
    ("susm", f"{SUSM}/1/0.png", "image", "SPACE", "none", "1"),
    ("susm", f"{SUSM}/2/7.png", "image", "SPACE", "post", "1"),
    ("susm", f"{SUSM}/3/7.png", "image", "FLAIR", "post", "1"),
    ("susm", f"{SUSM}/seg/7.png", "mask", "", "none", "1"),
    ("susm", "brainmetshare-3/train/Mets_005/bravo.nii.gz", "image", "MPRAGE", "post", "1"),
    ("susm", "brainmetshare/train/Mets_005/bravo.nii", "image", "MPRAGE", "post", "1"),
    ("susm", "train_NifTI/Mets_005/seg.nii.gz", "mask", "", "none", "1"),
    ("susm", "Mets_005/t1_pre.nii.gz", "image", "SPACE", "none", "1"),
    ("ynhh", f"{TCIA}/BraTS-MET-00086-000-t1c.nii.gz", "image", "MPRAGE", "post", "000"),
    ("ynhh", f"{TCIA}/BraTS-MET-00086-000-t1n.nii.gz", "image", "MPRAGE", "none", "000"),
    ("ynhh", f"{TCIA}/BraTS-MET-00086-000-t2f.nii.gz", "image", "FLAIR", "none", "000"),
    ("ynhh", f"{TCIA}/BraTS-MET-00086-000-seg.nii.gz", "mask", "", "none", "000"),
    ("ummc", f"{GAMMA}/GK.103_1/GK.103_1_MR_t1.nrrd", "image", "MPRAGE", "post", "1"),
    ("ummc", f"{GAMMA}/GK.103_1/GK.103_1_x_dose.nrrd", "image", "DOSE", "none", "1"),
    ("ummc", f"{GAMMA}/GK.103_1/GK.103_1_LR atrium.nrrd", "mask", "", "none", "1"),
    ("ukhd", "Task/imagesTr/abc_12_0001.nii.gz", "image", "MPRAGE", "post", "1"),
    ("ukhd", "Task/labelsTs/abc_12.nii.gz", "mask", "", "none", "1"),
    ("ukhd", "Task/imagesTr/abc_12_0003.nii.gz", "ignore", "", "none", "1"),
]


@pytest.mark.parametrize(("name", "path", "role", "technique", "phase", "session"), PATHS)
def test_paths_as_distributed(
    name: str, path: str, role: str, technique: str, phase: str, session: str
) -> None:
    """Every file of a distribution gets the role that its documentation gives it."""
    match = match_file(path, card(name).files)
    assert match is not None
    assert (match.rule.role, match.rule.technique, match.rule.phase) == (role, technique, phase)
    assert match.session == session


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("susm", f"{SUSM}/0/._11.png"),
        ("susm", f"{SUSM}/4/11.png"),
        ("susm", "Mets_5/bravo.nii.gz"),
        ("ynhh", f"{TCIA}/BraTS-MET-00089-000-t1c.nii.gz"),
        ("ummc", "GK.10_1/GK.10_1_MR_t1.nrrd"),
        ("ummc", "GK.103_1/GK.103_1_LR atrium.txt"),
    ],
)
def test_what_is_not_of_the_distribution_has_no_role(name: str, path: str) -> None:
    """A file of another case's name, another folder or another kind is nobody's."""
    assert match_file(path, card(name).files) is None


def test_the_place_does_not_depend_on_where_the_source_lies() -> None:
    """The same file is known again when another folder above it is given."""
    files = card("susm").files
    near, far = match_file("Mets_005/0/3.png", files), match_file(f"/x/y/{SUSM}/0/3.png", files)
    assert near and far and near.place == far.place == "Mets_005/0/3.png"
    assert near.stack == "Mets_005/0/*.png" and near.slice_number == 3


@pytest.mark.parametrize(
    ("course", "stem", "roi"),
    [
        ("1", "GK.103_1_LR atrium", "R atrium"),
        ("2", "GK.147_2_LLantfront", "Lantfront"),
        ("3", "GK.243_3_L_LtHippocampal", "LtHippocampal"),
        ("1", "GK.132_1_LPost op  Cavity", "Post op  Cavity"),
        ("1", "GK.257_1_L2_Lt_Front_Calv", "2_Lt_Front_Calv"),
        ("1", "GK.201_1_LR+L frontal", "R+L frontal"),
    ],
)
def test_lesion_names_of_the_nrrd_package(course: str, stem: str, roi: str) -> None:
    """The clinician's name comes out as it was typed, with blanks, plus signs and underscores."""
    match = match_file(f"x/{stem}.nrrd", card("ummc").files)
    assert match and match.roi == roi and match.session == course


def test_the_form_that_is_listed_first_counts() -> None:
    """Of two forms of one case the card's first is converted; DICOM comes after files."""
    files = card("susm").files
    both = [match_file(path, files) for path in ("Mets_005/0/1.png", "Mets_005/bravo.nii.gz")]
    assert preferred_form(both, files, dicom=False) == "nifti"
    assert preferred_form(both[:1], files, dicom=False) == "png"
    ummc = card("ummc").files
    one = match_file("GK.103_1_MR_t1.nrrd", ummc)
    assert preferred_form([one], ummc, dicom=True) == "nrrd"
    assert preferred_form([], ummc, dicom=True) == "dicom"
    assert preferred_form([], ummc, dicom=False) == ""


def test_what_a_session_needs() -> None:
    """The image that lesions are evaluated on is needed; the others may be missing."""
    wanted = required_techniques("nifti", card("susm").files)
    assert wanted == {
        ("MPRAGE", "post"): True,
        ("SPACE", "post"): False,
        ("SPACE", "none"): False,
        ("FLAIR", "post"): False,
    }


@pytest.mark.parametrize(
    ("name", "identifier", "canonical", "label"),
    [
        ("susm", "Mets_005", "Mets_005", "susm005"),
        ("susm", "METS_005", "Mets_005", "susm005"),
        ("ynhh", "BraTS-MET-00086", "BraTS-MET-00086", "00086"),
        ("ummc", "GK_103", "GK_103", "103"),
        ("ummc", "GK.103", "GK_103", "103"),
        ("ummc", "103", "GK_103", "103"),
    ],
)
def test_every_spelling_of_an_identifier_has_one_label(
    name: str, identifier: str, canonical: str, label: str
) -> None:
    """Every spelling of an identifier leads to one identifier and to its label."""
    naming = naming_of(card(name))
    assert naming.canonical(identifier) == canonical
    assert naming.label_of(canonical) == label


def test_a_hospital_s_numbers_have_no_label_of_their_own() -> None:
    """Without a pattern nothing of a number shows in a label."""
    assert SubjectNaming().label_of("1234567") == ""
    assert SubjectNaming().canonical("1234567") == "1234567"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("path = 'x'\nrole = 'image'\ntechnique = 'T1'", "group"),
        ("path = '(?P<subject>x)'\nrole = 'image'", "technique"),
        ("path = '(?P<subject>x'\nrole = 'mask'", "regular expression"),
        ("path = '(?P<subject>x)'\nrole = 'image'\ntechnique = 'T1 post'", "technique"),
        ("path = '(?P<subject>x)'\nrole = 'image'\ntechnique = 'T1'\nphase = 'gd'", "phase"),
    ],
)
def test_rules_that_say_too_little_are_refused(lines: str, told: str) -> None:
    """A rule without whose file it is, or what it is, never reaches the files."""
    text = shipped_card_text("ynhh") + f"\n[[files]]\n{lines}\n"
    with pytest.raises(ConfigurationError, check=has_reason("settings_invalid")) as caught:
        parse_card(text, "ynhh", "card.toml")
    assert any(told in problem for problem in caught.value.reason.values["problems"])
