"""File names of the Brain Imaging Data Structure (BIDS), built and taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cta_data.errors import ConfigurationError

# Order of the BIDS specification; from, to and mode as in its draft for spatial transforms.
ENTITY_ORDER = (
    "sub",
    "ses",
    "acq",
    "ce",
    "rec",
    "dir",
    "run",
    "echo",
    "flip",
    "inv",
    "part",
    "proc",
    "hemi",
    "space",
    "from",
    "to",
    "mode",
    "seg",
    "res",
    "den",
    "label",
    "desc",
)
ENTITIES = frozenset(ENTITY_ORDER)
# Computed tomography and dose have no place in BIDS yet (draft BEP024).
DATATYPE_OF_SUFFIX = {"ct": "ct", "dose": "dose"}
DEFAULT_DATATYPE = "anat"
TRANSFORM_EXTENSION = ".tfm"

_LABEL = re.compile(r"[0-9A-Za-z]+")
_SUFFIX = re.compile(r"[0-9A-Za-z]+")
_EXTENSION = re.compile(r"(\.[0-9A-Za-z]+)+")


@dataclass(frozen=True)
class BidsName:
    """The parts of one BIDS file name.

    Attributes
    ----------
    entities
        Label by entity key (`sub`, `ses`, `acq`, …); `sub` is always there.
    suffix
        `T1w`, `ct`, `dseg`, `mask`, `xfm`, …
    extension
        With its dot: `.nii.gz`, `.json`, `.tfm`.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str = ".nii.gz"

    def __post_init__(self) -> None:
        unknown = self.entities.keys() - ENTITIES
        if unknown:
            raise ConfigurationError(
                "bids_entities_unknown", unknown=tuple(sorted(unknown)), entity_order=ENTITY_ORDER
            )
        if "sub" not in self.entities:
            raise ConfigurationError("bids_subject_missing", where=self.suffix)
        for key, label in self.entities.items():
            require_label(label, key)
        if not _SUFFIX.fullmatch(self.suffix):
            raise ConfigurationError("bids_suffix_invalid", where=self.suffix)
        if not _EXTENSION.fullmatch(self.extension):
            raise ConfigurationError("bids_extension_invalid", where=self.extension)

    @property
    def stem(self) -> str:
        """The name without extension, entities in the order of the specification."""
        parts = [f"{key}-{self.entities[key]}" for key in ENTITY_ORDER if key in self.entities]
        return "_".join([*parts, self.suffix])

    @property
    def filename(self) -> str:
        """The whole file name."""
        return self.stem + self.extension

    @property
    def datatype(self) -> str:
        """The folder of its kind: `anat`, `ct` or `dose`."""
        return DATATYPE_OF_SUFFIX.get(self.suffix, DEFAULT_DATATYPE)

    @property
    def path(self) -> str:
        """Path within a dataset: `sub-001/ses-1/anat/sub-001_ses-1_T1w.nii.gz`."""
        folders = [f"{key}-{self.entities[key]}" for key in ("sub", "ses") if key in self.entities]
        return "/".join((*folders, self.datatype, self.filename))

    def with_extension(self, extension: str) -> BidsName:
        """The same name with another extension, as a sidecar has."""
        return BidsName(self.entities, self.suffix, extension)


def require_label(label: str, key: str = "label") -> str:
    """Return `label` where BIDS allows it: letters and digits, and digits alone for `run`.

    Raises
    ------
    ConfigurationError
        Otherwise.
    """
    if not _LABEL.fullmatch(label) or not label.isascii():
        raise ConfigurationError("bids_label_invalid", where=f"{key}-{label}")
    if key in ("run", "echo", "flip", "inv") and not label.isdigit():
        raise ConfigurationError("bids_index_not_a_number", where=f"{key}-{label}")
    return label


def parse_name(filename: str) -> BidsName:
    """Take a file name (without folders) apart; the inverse of `BidsName.filename`.

    Raises
    ------
    ConfigurationError
        When it is no BIDS name, repeats an entity, or has its entities in another order.
    """
    stem, dot, extension = filename.partition(".")
    *parts, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for part in parts:
        key, dash, label = part.partition("-")
        if not dash or key in entities:
            raise ConfigurationError("bids_name_invalid", where=filename, part=part)
        entities[key] = label
    name = BidsName(entities, suffix, dot + extension)
    if name.filename != filename:
        raise ConfigurationError(
            "bids_entities_out_of_order", where=filename, filename=name.filename
        )
    return name


def raw_name(
    subject: str,
    session: str,
    suffix: str,
    *,
    acquisition: str = "",
    contrast_agent: str = "",
    run: int | None = None,
    space: str = "",
    extension: str = ".nii.gz",
) -> BidsName:
    """Name of an image, such as `sub-001_ses-1_acq-mprageLate_ce-gadolinium_T1w.nii.gz`.

    `space` names the atlas of images that were delivered in one.
    """
    parts = {
        "sub": subject,
        "ses": session,
        "acq": acquisition,
        "ce": contrast_agent,
        "run": "" if run is None else str(run),
        "space": space,
    }
    return BidsName({key: label for key, label in parts.items() if label}, suffix, extension)


def variant_name(
    subject: str, session: str, *, space: str, description: str, suffix: str = "dseg"
) -> BidsName:
    """Name of a label or mask on a technique's grid: `…_space-MPRAGE_desc-HAQ_dseg.nii.gz`."""
    parts = {"sub": subject, "ses": session, "space": space, "desc": description}
    return BidsName(parts, suffix)


def transform_name(
    subject: str, session: str, *, moving: str, fixed: str, stated: str = ""
) -> BidsName:
    """Name of a transform: `…_from-SPACE_to-MPRAGE_mode-image_xfm.tfm`.

    `stated` is who says so, of one that was not computed here (`desc`).
    """
    parts = {"sub": subject, "ses": session, "from": moving, "to": fixed, "mode": "image"}
    parts |= {"desc": stated} if stated else {}
    return BidsName(parts, "xfm", TRANSFORM_EXTENSION)
