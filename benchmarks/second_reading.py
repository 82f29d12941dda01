"""What a second reading makes of scores: a simulated reader with known errors, against the truth.

Run ``python benchmarks/second_reading.py [--patients 20] [--pool 30] [--trials 400]
[--found 0.85] [--reader 1 1] [--reader 0.95 0.90] [--page FILE.html]``.

Lesions are those of digital patients. The reference is what the phantom's MPRAGE reader draws: it
misses lesions, by plan, and in one patient of four it holds a vessel as well. A model finds each
lesion with a chance that grows with its volume, the vessels of the reference less often, and makes
false positives. In every trial two designs are read by one simulated reader: false positives alone,
and all false positives and missed lesions with a blinded sample of true positives. A reader calls a
metastasis one with the first chance, and what is none none with the second.

The truth of a trial is what a reader without errors would say of every finding, and the truth of
all patients is that of all trials together. Bias is the mean of estimate minus truth of the trial;
coverage, how often the 95 % interval holds the truth of all patients: it resamples patients, and
every trial draws its own from a pool.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cta_data.phantom.head.lesions import Lesion
from cta_data.phantom.patient import VoxelSizes, generate_patient
from cta_data.phantom.readers import MPRAGE_READER, see
from cta_data.reports.page import Section, page_html
from cta_data.reports.table import MISSING, Row, Table, TableColumn
from cta_data.scoring.agreement.figures import Resampling
from cta_data.scoring.reread import (
    DETECTED,
    FALSE,
    MISSED,
    CorrectedScores,
    ReadFinding,
    corrected_scores,
)
from cta_data.scoring.statistics import Interval

COARSE = VoxelSizes(4.0, 4.0)
PATIENTS_WITH_VESSEL = 0.25
FALSE_POSITIVES = 1.0
"""Mean number of false positives of the model in a patient that are no lesions."""
VESSEL_FOUND = 0.4
RESAMPLING = Resampling(confidence=0.95, resamples=1000, seed=0)
SCORES = ("ppv", "sensitivity")
DESIGNS = ("as scored", "false positives alone", "blinded, with a sample")


@dataclass(frozen=True)
class Reader:
    """A simulated reader: chances to call a metastasis one, and what is none none."""

    sensitivity: float
    specificity: float

    def says(self, random: np.random.Generator, is_metastasis: bool) -> bool:
        """Return whether the reader calls it a metastasis."""
        if is_metastasis:
            return random.random() < self.sensitivity
        return random.random() >= self.specificity


@dataclass
class Estimates:
    """A score in a design, trial by trial: the truth, and what came of the reading."""

    truths: list[float]
    intervals: list[Interval]

    def cells(self, truth: float) -> tuple[str, str]:
        """Return bias and coverage for people."""
        bias = np.mean([o.estimate - t for o, t in zip(self.intervals, self.truths, strict=True)])
        held = [one.low <= truth <= one.high for one in self.intervals if one.low < one.high]
        return f"{bias:+.3f}", f"{100 * np.mean(held):.0f} %" if held else MISSING


def lesions_of(patients: int) -> list[list[Lesion]]:
    """Return the lesions of each digital patient."""
    return [generate_patient(1000 + n, voxel_sizes=COARSE).lesions for n in range(patients)]


def findings(
    random: np.random.Generator, patients: list[list[Lesion]], found: float
) -> Iterator[ReadFinding]:
    """Yield the findings of a trial; `is_metastasis` is the truth."""
    for number, lesions in enumerate(patients):
        name = f"p{number}"
        drawn = {lesion.number for lesion in see(random, MPRAGE_READER, lesions)}
        for lesion in lesions:
            chance = found * lesion.volume_mm3 / (lesion.volume_mm3 + 20.0)
            is_found = random.random() < chance
            if lesion.number in drawn:
                yield ReadFinding(name, DETECTED if is_found else MISSED, True)
            elif is_found:
                yield ReadFinding(name, FALSE, True)
        if random.random() < PATIENTS_WITH_VESSEL:
            yield ReadFinding(name, DETECTED if random.random() < VESSEL_FOUND else MISSED, False)
        for _ in range(random.poisson(FALSE_POSITIVES)):
            yield ReadFinding(name, FALSE, False)


def read(
    random: np.random.Generator, all_of: list[ReadFinding], reader: Reader, blinded: bool
) -> list[ReadFinding]:
    """Return what the reader says of those that the design shows."""
    others = sum(one.status != DETECTED for one in all_of)
    detected = [n for n, one in enumerate(all_of) if one.status == DETECTED]
    size = min(len(detected), max(10, others))
    sample = set(random.choice(detected, size, replace=False).tolist())
    said = []
    for n, one in enumerate(all_of):
        shown = one.status == FALSE or (blinded and (one.status == MISSED or n in sample))
        is_metastasis = reader.says(random, bool(one.is_metastasis)) if shown else None
        said.append(replace(one, is_metastasis=is_metastasis))
    return said


def trials(
    pool: list[list[Lesion]], reader: Reader, asked: argparse.Namespace
) -> Iterator[tuple[str, str, str, str]]:
    """Yield score, design, bias and coverage."""
    random = np.random.default_rng(7)
    found = {(score, design): Estimates([], []) for score in SCORES for design in DESIGNS}
    together = []
    for number in range(asked.trials):
        chosen = [pool[n] for n in random.integers(len(pool), size=asked.patients)]
        all_of = list(findings(random, chosen, asked.found))
        together += [replace(one, patient=f"{number} {one.patient}") for one in all_of]
        truth, *designs = (
            corrected_scores(one, RESAMPLING)
            for one in (all_of, *(read(random, all_of, reader, sample) for sample in (False, True)))
        )
        for score in SCORES:
            scored = getattr(truth, score)
            intervals = [Interval(scored, scored, scored, "none", 0.95, asked.patients)]
            intervals += [_corrected(one, score) for one in designs]
            for design, interval in zip(DESIGNS, intervals, strict=True):
                found[score, design].truths.append(_corrected(truth, score).estimate)
                found[score, design].intervals.append(interval)
    of_all = corrected_scores(together, replace(RESAMPLING, resamples=2))
    for (score, design), estimates in found.items():
        yield score, design, *estimates.cells(_corrected(of_all, score).estimate)


def _corrected(scores: CorrectedScores, score: str) -> Interval:
    interval: Interval = getattr(scores, f"corrected_{score}")
    return interval


def table_of(readers: list[Reader], asked: argparse.Namespace) -> Table:
    """Return bias and coverage by reader, score and design."""
    pool = lesions_of(asked.pool)
    columns = ("Reader", "Score", "Design", "Bias", "Coverage")
    rows = [
        Row((f"{reader.sensitivity:.2f}, {reader.specificity:.2f}", *cells))
        for reader in readers
        for cells in trials(pool, reader, asked)
    ]
    title = f"{asked.trials} trials of {asked.patients} patients"
    return Table(tuple(TableColumn(name, "text") for name in columns), tuple(rows), title)


def main() -> None:
    """Print the table; write a page of it where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--pool", type=int, default=30)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--found", type=float, default=0.85)
    parser.add_argument("--reader", type=float, nargs=2, action="append")
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    readers = [Reader(*both) for both in asked.reader or [(1.0, 1.0), (0.95, 0.9)]]
    table = table_of(readers, asked)
    print(table.title)
    for row in (tuple(column.name for column in table.columns), *(r.cells for r in table.rows)):
        print("  ".join(f"{cell:<24}" for cell in row).rstrip())
    if asked.page:
        section = Section("Second reading, simulated", tables=(table,))
        asked.page.write_text(
            page_html("introduced.html", title=section.title, intro=__doc__, sections=[section])
        )


if __name__ == "__main__":
    main()
