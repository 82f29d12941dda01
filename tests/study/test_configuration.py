"""study.toml: the paper's defaults, own settings, and what is refused."""

from __future__ import annotations

import pytest
from helpers.refusals import has_reason

from cta_data.errors import ConfigurationError
from cta_data.study.configuration import PAPER_SETTINGS, StudyConfiguration, initial_toml
from cta_data.validation import parse_toml

HEAD = '[study]\nname = "trial"\n'


def parse(text: str) -> StudyConfiguration:
    return parse_toml(HEAD + text, StudyConfiguration, where="study.toml")


def message(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize("name", ["trial", 'a "quoted" name', "back\\slash", "Läsionen"])
def test_a_new_study_s_file_is_valid_and_holds_the_defaults(name: str) -> None:
    """What `init` writes parses under any name, and every other value in it is the default."""
    written = parse_toml(initial_toml(name), StudyConfiguration, where="x")
    assert written.study.name == name
    assert written.model_copy(update={"study": parse("").study}) == parse("")


@pytest.mark.parametrize("key", ["reference", "hub"])
def test_the_reference_technique_has_an_earlier_name_too(key: str) -> None:
    """Studies of before keep their file; both names at once are refused."""
    assert parse(f'[registration]\n{key} = "T1"').registration.reference == "T1"
    assert message('[registration]\nreference = "T1"\nhub = "T2"')


def test_the_commented_example_of_a_setting_is_valid() -> None:
    """The example that users uncomment works as it stands."""
    text = initial_toml("trial")
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("# [build.settings."))
    example = "\n".join(line.removeprefix("# ") for line in lines[start:])
    name = example.splitlines()[0].removeprefix("[build.settings.").rstrip("]")
    settings = parse(example).build.settings
    assert set(settings) == {"A", "B", "C", "D", name}


def test_the_four_settings_of_the_paper() -> None:
    """A = MPRAGE + NAQ, B = MPRAGE + HAQ, C = SPACE + HAQ, D = SPACE + NAQ; labels on the image."""
    settings = parse("").build.settings
    found = {n: (s.technique, s.quality, s.label_grid, s.dataset_id) for n, s in settings.items()}
    assert found == {
        "A": ("MPRAGE", "NAQ", "MPRAGE", 501),
        "B": ("MPRAGE", "HAQ", "MPRAGE", 502),
        "C": ("SPACE", "HAQ", "SPACE", 503),
        "D": ("SPACE", "NAQ", "SPACE", 504),
    }


def test_an_own_setting_joins_the_paper_s_and_may_replace_one() -> None:
    """Own settings are added; one of the same name takes the place of the paper's."""
    own = '[build.settings.{}]\ntechnique = "SPACE"\nquality = "HAQ"\ndataset_id = {}\n'
    assert set(parse(own.format("E", 505)).build.settings) == {"A", "B", "C", "D", "E"}
    assert parse(own.format("A", 501)).build.settings["A"].technique == "SPACE"
    assert set(PAPER_SETTINGS) == {"A", "B", "C", "D"}
    assert PAPER_SETTINGS["A"].technique == "MPRAGE"


def test_two_settings_may_not_share_a_number() -> None:
    """nnU-Net finds a dataset by its number, so it must be unique, the paper's included."""
    said = message('[build.settings.E]\ntechnique="SPACE"\nquality="HAQ"\ndataset_id=501')
    assert "dataset_id" in said


@pytest.mark.parametrize("name", ["my setting", "a/b", "../E", ""])
def test_a_setting_s_name_is_fit_for_a_folder(name: str) -> None:
    """The name becomes part of a folder and of a table key: letters and digits only."""
    text = f'[build.settings."{name}"]\ntechnique="SPACE"\nquality="HAQ"\ndataset_id=505'
    assert "build.settings" in message(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[build]\ntest_fraction = 1.0", "build.test_fraction"),
        ("[build]\ntest_fraction = -0.1", "build.test_fraction"),
        ("[build]\nfolds = 1", "build.folds"),
        ("[build]\ncohorts = 'internal'", "build.cohorts"),
        ("[registration]\nseed = -1", "registration.seed"),
        ("[registration]\nkind = 'elastic'", "registration.kind"),
        ("[brain_extraction]\nprotect_margin_mm = -1", "brain_extraction.protect_margin_mm"),
        ("[build.settings.E]\ntechnique='X'\nquality='Y'\ndataset_id=1000", "dataset_id"),
    ],
)
def test_a_value_outside_its_range_names_its_key(text: str, key: str) -> None:
    """Numbers and choices are checked when the file is read."""
    assert f"{key}: " in message(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[regstration]", "registration"),
        ("[build]\nfold = 5", "folds"),
        ("[build.settings.E]\ntechnqiue = 'X'", "technique"),
        ("[brain_extraction]\nbackends = 'none'", "backend"),
        ("[registration.limits]\nleast_pek = 0.1", "least_peak"),
    ],
)
def test_a_misspelt_key_is_answered_with_the_nearest(text: str, right: str) -> None:
    """Every section, its subsections and the registration limits name the nearest right key."""
    said = message(text)
    assert said.startswith("study.toml: ")
    assert f"did you mean {right!r}" in said


def test_a_study_without_a_name_is_refused() -> None:
    """The section [study] and its name are required."""
    with pytest.raises(ConfigurationError, check=has_reason("settings_invalid")):
        parse_toml("", StudyConfiguration, where="study.toml")
