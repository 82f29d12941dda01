"""The parts of a card for files that carry no header with their role: NIfTI, NRRD and PNG."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from cta_data.names import LONGEST_LABEL
from cta_data.patterns import groups_of, require_pattern
from cta_data.validation import StrictModel

Pattern = Annotated[str, AfterValidator(require_pattern)]
Label = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]+$", max_length=LONGEST_LABEL)]
LabelOrNone = Annotated[str, Field(pattern=r"^[a-zA-Z0-9]*$", max_length=LONGEST_LABEL)]


def _names_a_reader(code: str) -> str:
    if re.fullmatch(r"(?i)[vc]\d+|union|majority|staple|intersection|unknown", code):
        raise ValueError(f"{code!r} means something else in the name of an annotation")
    return code


ReaderCode = Annotated[Label, AfterValidator(_names_a_reader)]
"""Code of a reader."""
ReaderOrNone = Annotated[LabelOrNone, AfterValidator(_names_a_reader)]
Suffix = Literal["T1w", "T2w", "FLAIR", "T2starw", "PDw"]

CONTAINERS = {".nii.gz": "NIFTI", ".nii": "NIFTI", ".nrrd": "NRRD", ".png": "PNG"}
"""Extension of a file to the kind of its container."""


class FileRule(StrictModel):
    """How files of one role are recognised: by their paths, since nothing else tells.

    The groups of `path` say whose file it is: `subject` (needed, unless the rule ignores), and
    `session`, `slice` (number of a slice of a stack), `roi` (name of what a mask shows) and
    `reader` (code of the reader who delineated a mask) where the path has them.
    """

    path: Pattern
    role: Literal["image", "mask", "ignore"]
    form: str = "files"
    """Name of the form of distribution; of several forms of a session the first listed counts."""
    technique: LabelOrNone = ""
    phase: Literal["none", "early", "late", "post"] = "none"
    """Contrast phase: of several images of a technique the latest of these is worked on."""
    modality: Literal["MR", "CT", "RTDOSE"] = "MR"
    suffix: Suffix = "T1w"
    acquisition: LabelOrNone = ""
    """Label after `acq-`; empty for technique and phase."""
    required: bool = True
    """Whether a session of this form without such an image is refused."""
    reader: ReaderOrNone = ""
    """Code of the reader of these masks; empty where the path has it, or nothing tells."""
    drawn_on: LabelOrNone = ""
    """Technique of the image that these masks lie on; empty for `masks.drawn_on`."""
    reason: str = ""
    """Why files are ignored."""

    @model_validator(mode="after")
    def _says_enough(self) -> FileRule:
        groups = groups_of(self.path)
        if self.role != "ignore" and "subject" not in groups:
            raise ValueError("path needs the group (?P<subject>…)")
        if self.role == "image" and not self.technique:
            raise ValueError("an image needs its technique")
        return self


class GeometrySection(StrictModel):
    """What holds for the geometry of all images of a cohort, as its distributor states it."""

    coregistered: bool = False
    """Images of a session lie in one space: they need no registration."""
    sessions_coregistered: bool = False
    """The sessions of a subject lie in one space: where they are on one grid, they need no
    registration."""
    shows_head: bool = True
    """Images show a head. Where not, the checks of registrations, which look for one, are not made.

    What is stated (`coregistered`, equal frames of reference, DICOM registration objects) is
    believed then, and recorded as not checked.
    """
    skull_stripped: bool = False
    """Voxels outside the brain are zero as delivered."""
    space: LabelOrNone = ""
    """Label of the atlas that images were brought to, such as `SRI24`; empty for native space."""
    assumed_spacing_mm: tuple[float, float, float] | None = None
    """Spacing (x, y, z) of stacks of PNG files, which carry none."""
    registration_objects: Literal["refuse", "latest", "ignore"] = "refuse"
    """What Spatial Registration objects that contradict each other mean; `ignore` reads none."""
    nifti_form: Literal["", "sform", "qform"] = ""
    """Which is right in NIfTI headers whose sform and qform (with pixdim) contradict each other."""
    replace_not_finite: float | None = Field(default=None, allow_inf_nan=False)
    """Value for voxels of images that are NaN or infinite; None refuses such images."""


class MaskSection(StrictModel):
    """What the values of masks mean."""

    drawn_on: str = "MPRAGE"
    """Technique of the image that masks lie on."""
    lesion_values: tuple[int, ...] | None = None
    """Values that are metastasis. There is no default: a wrong code would count oedema."""
    reader_values: dict[ReaderCode, tuple[int, ...]] = {}
    """Values that each reader delineated, where one file holds the lesions of several readers."""
    other_values: dict[str, str] = {}
    """Values that are something else, and what: they never count as lesion."""
    threshold: float | None = None
    """Take values above it as lesion, where masks hold grey values; None refuses those."""
    instances: Literal["components", "values", "files"] = "components"
    """What one lesion is: a connected component, a value, or a file."""
    empty: Literal["refuse", "accept"] = "refuse"
    """What a mask without a lesion means: something went wrong, or there is none."""

    @field_validator("other_values")
    @classmethod
    def _whole_numbers(cls, values: dict[str, str]) -> dict[str, str]:
        for value in values:
            if not re.fullmatch(r"-?\d+", value):
                raise ValueError(f"{value!r} is no label value: keys are whole numbers")
        return values

    @model_validator(mode="after")
    def _lesions_are_said_once(self) -> MaskSection:
        if self.reader_values and (self.lesion_values is not None or self.threshold is not None):
            raise ValueError("reader_values stands instead of lesion_values and threshold")
        return self

    @property
    def says_what_is_lesion(self) -> bool:
        """Whether the card says which values are lesion."""
        return self.lesion_values is not None or bool(self.reader_values)

    def lesions_of(self, reader: str) -> tuple[int, ...]:
        """Return the values that are lesion to a reader."""
        return self.reader_values.get(reader, self.lesion_values or ())

    def others_to(self, reader: str) -> dict[int, str]:
        """Return what every value other than a reader's lesions and background is, by value."""
        own = self.lesions_of(reader)
        others = {
            value: f"lesion of reader {code}"
            for code, values in self.reader_values.items()
            for value in values
            if value not in own
        }
        return others | {int(value): name for value, name in self.other_values.items()}
