"""A cohort as it is delivered, and what its conversion must arrive at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from helpers.raw_volumes import RawVolume

Role = tuple[str, str]
"""Technique and contrast phase."""


@dataclass(frozen=True)
class RawSession:
    """One session of one subject as delivered.

    Attributes
    ----------
    source_id
        Identifier in the source, in its one spelling.
    session
        Label that the session must get.
    label
        Label that the subject must get; empty where none may lead back.
    images
        Raw image of every role that it must be converted to, and no others.
    mask
        Where it is lesion; None where there is no annotation.
    lesions
        Names of lesions as drawn where contours delineate them, else their number.
    excluded
        Piece of the reason for which it is not evaluated, or empty.
    missing
        Roles that the card names and the source lacks, as the table `subjects` lists them.
    person
        Cells of participants.tsv that are known.
    """

    source_id: str
    session: str
    images: Mapping[Role, RawVolume]
    label: str = ""
    mask: RawVolume | None = None
    n_lesions: int = 0
    lesions: tuple[str, ...] = ()
    step_mm: float = 0.0
    excluded: str = ""
    missing: tuple[str, ...] = ()
    person: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RawCohort:
    """All sessions of a source, and the file that is damaged before it is added at first.

    `secrets` are texts that must stay in sourcedata; identifiers and names of files need not be
    among them. `public_names` are names of files that tell of no patient.
    """

    source: Path
    sessions: tuple[RawSession, ...]
    victim: tuple[str, str]
    damaged: Path
    secrets: tuple[str, ...] = ()
    public_names: tuple[str, ...] = ()
