"""Making a study and its cohorts: DataLad datasets in their places."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from cta_data.bids.dataset import write_bidsignore, write_dataset_description, write_readme
from cta_data.cohorts import Card, parse_card, shipped_card_text
from cta_data.errors import ConfigurationError
from cta_data.files import write_changed
from cta_data.given_names import GROUPS, check_name
from cta_data.names import require_plain_name, require_short_dataset
from cta_data.study.configuration import initial_toml
from cta_data.study.lock import folder_lock, study_lock
from cta_data.study.study import CONFIGURATION, UNFINISHED, Study
from cta_data.versioning.datasets import create_dataset, require_identity, save, write_attributes

SALT = "pseudonyms.salt"
DERIVATIVES = Path("derivatives") / "cta"
MADE = (
    ".git",
    ".datalad",
    ".gitattributes",
    ".gitignore",
    ".gitmodules",
    "README.md",
    "datasets",
    CONFIGURATION,
)
"""All that is in a new study."""
ANNEXED_SOURCE = ("*.tar", "*.nii.gz", "*.nii", "*.nrrd", "*.png")
ANNEXED_IMAGES = ("*.nii.gz",)
ANNEXED_DERIVATIVES = ("*.nii.gz", "*_contours.json")

README = """\
# {name}

A study made with cta_data: cohorts in `datasets/`, tables in `manifests/`, training sets in
`builds/`. `study.toml` holds its configuration. Every commit that a command made carries its
record; `datalad rerun COMMIT` repeats it.
"""


RAW_README = """\
Raw files are in `sourcedata/`, a dataset of its own with its own access. Names and numbers of
patients are there and nowhere else. CT images are in `ct/`, which BIDS does not know yet.
"""

DERIVATIVES_README = """\
Transforms are ITK files: they map points of the image named after `to-` to points of the image
named after `from-` (LPS, mm), as resampling needs them. `space-<technique>` names the voxel grid
of a label variant, `desc-<quality>` its quality.
"""


def create_study(path: Path, name: str, cohorts: tuple[str, ...]) -> Study:
    """Make a study with its cohorts as DataLad datasets.

    Raises
    ------
    ConfigurationError
        The folder holds something already, lies in another study, or a cohort has no card.
    CtaError
        git does not know who commits.
    """
    _require_place(path, name, cohorts)
    if path.exists() and not path.is_dir():
        raise ConfigurationError("study_path_not_a_folder", where=path)
    _require_no_study_above(path)
    cards = {cohort: shipped_card_text(cohort) for cohort in cohorts}
    if path.exists() and any(path.iterdir()) and not (path / UNFINISHED).exists():
        raise ConfigurationError("study_folder_not_empty", where=path)
    (path / UNFINISHED).parent.mkdir(parents=True, exist_ok=True)
    (path / UNFINISHED).touch()
    with folder_lock(path):
        _clear(path)
        try:
            require_identity(path)
            _fill_study(path, name, cards)
        except BaseException:
            # Nothing half-made is left in the way of the next attempt.
            _clear(path)
            shutil.rmtree(path / UNFINISHED.parent)
            raise
        (path / UNFINISHED).unlink()
    return Study(path)


def _clear(path: Path) -> None:
    """Remove what a command that was stopped has made of a study, and nothing else.

    Raises
    ------
    ConfigurationError
        The folder holds something of the user's.
    """
    others = sorted({one.name for one in path.iterdir()} - {*MADE, UNFINISHED.parts[0]})
    if others:
        raise ConfigurationError("study_folder_holds_other_files", where=path, others=others[0])
    for made in (path / name for name in MADE):
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink(missing_ok=True)


def _fill_study(path: Path, name: str, cards: Mapping[str, str]) -> None:
    write_attributes(path, ())
    (path / ".gitignore").write_text(".cta/\n", encoding="utf-8")
    (path / CONFIGURATION).write_text(initial_toml(name), encoding="utf-8")
    (path / "README.md").write_text(README.format(name=name), encoding="utf-8")
    create_dataset(path)
    for cohort, text in cards.items():
        _create_cohort_datasets(path, parse_card(text, cohort, "card.toml"), text)
    save(path, f"Study {name} with {', '.join(cards) or 'no cohort'}")


def _require_place(path: Path, name: str, cohorts: tuple[str, ...]) -> None:
    """Refuse a path or name that a study cannot have."""
    require_plain_name(str(path), what="the path of the study")
    require_plain_name(name, what="the name of the study")
    require_short_dataset(path)
    for cohort in cohorts:
        _require_short(path, cohort)


def _require_short(root: Path, cohort: str) -> None:
    require_short_dataset(root / "datasets" / cohort / DERIVATIVES)


def _require_no_study_above(path: Path) -> None:
    above = {*path.absolute().parents, *path.resolve().parents}
    for folder in sorted(above):
        if (folder / CONFIGURATION).is_file():
            raise ConfigurationError("study_inside_study", where=path, folder=folder)


def ensure_cohort(study: Study, cohort: str, card_file: Path | None = None) -> Study:
    """Make a cohort's datasets where they are missing, from a card.

    The card is `card_file`, or the study's own datasets/<cohort>/card.toml, or the one of that
    name that travels with the package. A card given for a cohort that exists replaces its card.

    Raises
    ------
    ConfigurationError
        There is no card, it does not validate, or the name cannot be given to a cohort.
    CtaError
        Another command works on the study, or git does not know who commits.
    """
    with study_lock(study):
        return ensure_cohort_of_locked(study, cohort, card_file)


def require_cohort_name(study: Study, cohort: str) -> None:
    """Refuse a new cohort whose name cannot be a folder everywhere, or is a word of commands.

    Raises
    ------
    ConfigurationError
        With the reason.
    """
    if cohort not in study.cohorts:
        check_name(cohort, "cohort", taken=study.cohorts, reserved=GROUPS)


def ensure_cohort_of_locked(study: Study, cohort: str, card_file: Path | None) -> Study:
    """Do what `ensure_cohort` does in a study that the caller has locked."""
    require_cohort_name(study, cohort)
    own = study.root / study.cohort_path(cohort) / "card.toml"
    if cohort in study.cohorts:
        study.require(study.cohort_path(cohort))
        if card_file is None:
            return study
        text = _card_text(cohort, card_file, own)
        parse_card(text, cohort, str(card_file))
        if write_changed(text, own):
            save(study.root, f"Card of {cohort}", [own])
        study.refresh()
        return study
    text = _card_text(cohort, card_file, own)
    card = parse_card(text, cohort, str(card_file or own))
    require_identity(study.root)
    _create_cohort_datasets(study.root, card, text)
    save(study.root, f"Cohort {cohort}", [study.root / "datasets", study.root / ".gitmodules"])
    study.refresh()
    return study


def card_to_be(study: Study, cohort: str, card_file: Path | None = None) -> Card:
    """Return the card that `ensure_cohort` would use, without making the cohort.

    Raises
    ------
    ConfigurationError
        There is none, or it does not validate.
    """
    if card_file is None and cohort in study.cohorts:
        return study.card(cohort)
    own = study.root / study.cohort_path(cohort) / "card.toml"
    where = card_file or (own if own.is_file() else "card.toml")
    return parse_card(_card_text(cohort, card_file, own), cohort, str(where))


def _card_text(cohort: str, card_file: Path | None, own: Path) -> str:
    if card_file is not None:
        try:
            return card_file.read_text("utf-8")
        except OSError as error:
            raise ConfigurationError(
                "card_unreadable", where=card_file, error=str(error)
            ) from error
    return own.read_text("utf-8") if own.is_file() else shipped_card_text(cohort)


def _create_cohort_datasets(root: Path, card: Card, card_text: str) -> None:
    """Create one cohort's dataset with its two subdatasets: raw files, and what is derived.

    Nothing of it is part of the study before all of it is there: what dies on the way is gone on
    with by the next call.
    """
    _require_short(root, card.cohort.name)
    folder = root / "datasets" / card.cohort.name
    folder.mkdir(parents=True, exist_ok=True)
    write_attributes(folder, ANNEXED_IMAGES)
    (folder / "card.toml").write_text(card_text, encoding="utf-8")
    create_dataset(folder)
    source = folder / "sourcedata"
    source.mkdir(exist_ok=True)
    write_attributes(source, ANNEXED_SOURCE)
    # The salt makes labels irreversible for anyone who has the study without its sourcedata.
    if not (source / SALT).exists():
        (source / SALT).write_text(secrets.token_hex(32) + "\n", encoding="utf-8")
    create_dataset(source)
    derivatives = folder / DERIVATIVES
    derivatives.mkdir(parents=True, exist_ok=True)
    write_attributes(derivatives, ANNEXED_DERIVATIVES)
    create_dataset(derivatives)
    _write_bids_files(folder, derivatives, card)
    for dataset in (source, derivatives, folder):
        save(dataset, f"Cohort {card.cohort.name}")


def _write_bids_files(folder: Path, derivatives: Path, card: Card) -> None:
    """Write what makes the two folders a BIDS dataset and a derivative of it.

    Images that were brought to an atlas before delivery are no raw data: BIDS allows `space-` in
    the names of a derivative only.
    """
    cohort = card.cohort
    version = metadata.version("cta_data")
    references = [f"https://doi.org/{cohort.doi}"] if cohort.doi else []
    write_dataset_description(
        folder,
        name=cohort.title,
        dataset_type="derivative" if card.geometry.space else "raw",
        licence=cohort.licence,
        how_to_acknowledge=cohort.citation,
        references=references,
        software_version=version,
    )
    write_readme(folder, f"# {cohort.title}\n\n{cohort.description}\n\n{RAW_README}")
    write_bidsignore(folder)
    write_dataset_description(
        derivatives,
        name=f"{cohort.title}: transforms, brain masks, label variants",
        dataset_type="derivative",
        licence=cohort.licence,
        software_version=version,
        source_datasets=[{"URL": "../../"}],
    )
    write_readme(derivatives, f"# Derived from {cohort.title}\n\n{DERIVATIVES_README}")
