"""The plan of a trial whose patients have several annotations: who draws, on what, how otherwise.

Without a plan every patient has one annotation, by a reader whom nothing names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cta_data.errors import ConfigurationError
from cta_data.phantom.readers import READERS

_CODE = re.compile(r"(?![vV]\d+$)[A-Za-z0-9]+")


def reader_description(code: str) -> str:
    """Return the StructureSetDescription of what a reader drew: a code, never a name."""
    return f"Reader {code}"


@dataclass(frozen=True)
class FurtherReader:
    """A reader who repeats what the patients' own reader annotated, by a seed of its own.

    Attributes
    ----------
    code
        Letters and digits.
    quality
        `NAQ` on MPRAGE or `HAQ` on SPACE: the habits of the reader, too, which make the contours
        vary and small lesions be overlooked.
    patients
        How many are annotated, of those whose own reader annotated in this quality; None for all.
    shift_mm
        Length by which all contours of an annotation are displaced, in one direction drawn at
        random.
    missed, added
        Lesions of each patient that are left out although they were seen, and regions that are no
        lesion. One lesion always stays, however many are to be left out.
    versions
        How often the reader annotates; the last counts. Each has misses and additions of its own.
    small_missed
        Chance to overlook a lesion below 0.1 cm³, where all others are seen; None for the chances
        of the quality. What a reader with a lower chance overlooks, one with a higher does, too.
    """

    code: str
    quality: str = "HAQ"
    patients: int | None = None
    shift_mm: float = 0.0
    missed: int = 0
    added: int = 0
    versions: int = 1
    small_missed: float | None = None


@dataclass(frozen=True)
class ReadersPlan:
    """Who annotates the patients of a trial.

    Every patient's own reader annotates as without a plan, in the quality of the patient's group.

    Attributes
    ----------
    own
        Code of that reader.
    both
        How many patients the own reader annotates in the other quality, too; None for all.
    further
        Readers who repeat some. Of two readers with fewer patients, one's are among the other's.
    seed
        Decides which patients and lesions are meant, in which direction contours are displaced, and
        how further readers vary. The patients do not depend on it.

    Raises
    ------
    ConfigurationError
        A code or a quality is none, a number is negative, or two readers have the same name.
    """

    own: str = "R1"
    both: int | None = 0
    further: tuple[FurtherReader, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        names = [(one.code, one.quality) for one in self.further]
        codes = [self.own, *(one.code for one in self.further)]
        wrong = [code for code in codes if not _CODE.fullmatch(code)]
        wrong += [f"{code} {quality}" for code, quality in names if quality not in READERS]
        wrong += [f"{code} twice" for code, quality in names if names.count((code, quality)) > 1]
        wrong += [f"{self.own} twice" for code in codes[1:] if code == self.own]
        wrong += [one.code for one in self.further if not _possible(one)]
        wrong += ["both"] if self.both is not None and self.both < 0 else []
        if wrong:
            raise ConfigurationError("phantom_readers_invalid", wrong=tuple(dict.fromkeys(wrong)))

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all readers."""
        return tuple(dict.fromkeys([self.own, *(one.code for one in self.further)]))

    def card_rules(self) -> str:
        """Return the rules by which a card recognises the readers, to be put at its end."""
        return "".join(
            "\n[[annotations.readers]]\n"
            f'code = "{code}"\n'
            f"where = {{ StructureSetDescription = '^{reader_description(code)}$' }}\n"
            for code in self.codes
        )

    def of_patients(self, qualities: Sequence[str]) -> list[ReadersPlan]:
        """Return the plan of each patient: the numbers of patients are 0 or None in it.

        Parameters
        ----------
        qualities
            That of the own reader's annotation of every patient.

        Raises
        ------
        ConfigurationError
            More patients are to be annotated than there are.
        """
        order = np.random.default_rng([self.seed, 0x0BDE]).permutation(len(qualities)).tolist()
        both = _first("both", order, self.both)
        found = {
            one: _first(
                one.code, [i for i in order if qualities[i] == one.quality or i in both],
                one.patients,
            )
            for one in self.further
        }  # fmt: skip
        return [
            replace(
                self,
                both=None if i in both else 0,
                further=tuple(
                    replace(one, patients=None) for one, chosen in found.items() if i in chosen
                ),
            )
            for i in range(len(qualities))
        ]


def _possible(one: FurtherReader) -> bool:
    counts = (one.missed, one.added, one.patients or 0)
    chance = one.small_missed or 0.0
    in_limits = 0.0 <= one.shift_mm <= 20.0 and 0.0 <= chance <= 1.0
    return min(counts) >= 0 and one.versions >= 1 and in_limits


def _first(who: str, candidates: Sequence[int], wanted: int | None) -> frozenset[int]:
    """The first patients of those who can be meant; all of them for None."""
    if wanted is not None and wanted > len(candidates):
        raise ConfigurationError(
            "phantom_readers_too_many", reader=who, wanted=wanted, n_patients=len(candidates)
        )
    return frozenset(candidates[:wanted])
