"""Operating points of a model from its probability maps, as the command `froc` computes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cta_data.api.scores import mask_of, rules_of
from cta_data.api.volume import Volume, read_image, require_one_frame
from cta_data.errors import ConfigurationError
from cta_data.given_paths import given_path, require_given
from cta_data.scoring import Convention
from cta_data.scoring.collection import pair_files
from cta_data.scoring.mask_files import MaskVoxels, read_mask
from cta_data.scoring.probabilities.analysis import analyse
from cta_data.scoring.probabilities.asked import (
    least_asked,
    levels_asked,
    resampling_asked,
    score_asked,
)
from cta_data.scoring.probabilities.candidates import CANDIDATES_FROM
from cta_data.scoring.probabilities.collection import CandidateSet, FoundCase, found_case
from cta_data.scoring.probabilities.curve import LEVELS
from cta_data.scoring.probabilities.frames import froc_frames
from cta_data.scoring.probabilities.maps import (
    ProbabilityMap,
    probability_map,
    read_probabilities,
)
from cta_data.study.session_id import patients_of_cases

Image = Volume | NDArray[np.generic] | Path | str
Images = Image | Mapping[str, Image]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class FrocTables:
    """What probability maps tell of a model; columns are those of the CSV files of `froc`.

    Attributes
    ----------
    levels
        Sensitivity at each number of false positives per case: `sensitivity` with `low` and `high`
        (patients are drawn whole), `threshold`, `tp`, `fp`, `is_reached`.
    curve
        One row per score as a threshold: `threshold`, `tp`, `fp`, `sensitivity`, `fp_per_case`.
    band
        Sensitivity with its interval at 1/16 to 16 false positives per case.
    classes
        As `levels`, of lesions of one class of diameter (mm) or volume (mm³).
    precision
        Average precision along each score; that of the chosen one with its interval.
    candidates
        One row per candidate: size, place (RAS, mm), scores, and the lesion it detects.
    calibration
        Reliability of candidates and voxels by bins of probability.
    """

    levels: pd.DataFrame
    curve: pd.DataFrame
    band: pd.DataFrame
    classes: pd.DataFrame
    precision: pd.DataFrame
    candidates: pd.DataFrame
    calibration: pd.DataFrame


def froc(
    references: Images,
    probabilities: Images,
    *,
    at: Iterable[float] = LEVELS,
    score: str = "mean",
    candidates_from: float = CANDIDATES_FROM,
    convention: str | Convention = "article",
    patients: Mapping[str, str] | None = None,
    spacing: Spacing | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
) -> FrocTables:
    """Return sensitivity against false positives of one model, as the command `froc` does.

    Candidates are the components of voxels with a probability of `candidates_from` or more; a
    threshold keeps those with that score or more, and they are matched with the lesions.

    Parameters
    ----------
    references, probabilities
        Masks, and maps of the probability of lesion on the same grids. Both are one image, a folder
        of files of equal names, or a dictionary of images by case. An image is a `Volume`, an
        array (x, y, z), or the path of a NIfTI or NRRD file. An array has the grid of the other
        image of its case; two arrays need `spacing`.
    at
        False positives per case at which sensitivity is computed.
    score
        Of a candidate: `mean`, `maximum` or `percentile_95` of the probabilities of its voxels.
    candidates_from
        From 0.001 to 1.
    convention
        `article` (default), `tables`, `brats-mets-0.0.10`, or your own rules.
    patients
        Whose each case is, for the intervals. Without it, cases whose names begin with the same
        `sub-<label>` (or are sessions of one subject of a study) are of one patient. It names all
        cases.
    spacing
        Of arrays: distance of voxel centres along x, y and z, mm.
    confidence
        Of the intervals, between 0 and 1.
    seed
        Of the resampling; a fixed one without it.

    Raises
    ------
    DataRefused
        An image cannot be used, two are on different grids, or a map does not hold probabilities.
    ConfigurationError
        An option is invalid, a path does not exist, a case has only one of the two, or there is no
        case.
    """
    rules = rules_of(convention)
    levels, least, name = levels_asked(at), least_asked(candidates_from), score_asked(score)
    drawn = resampling_asked(confidence, seed)
    pairs = _paired(references, probabilities)
    if not pairs:
        raise ConfigurationError("cases_missing")
    owners = _owners(pairs, patients)
    cases = tuple(_found(case, *pairs[case], rules, least, spacing) for case in sorted(pairs))
    found = CandidateSet("", "", rules, least, cases, owners)
    return _tables(froc_frames(analyse([found], {"": name}, levels, drawn)))


def _owners(cases: Collection[str], patients: Mapping[str, str] | None) -> dict[str, str]:
    """Return whose each case is.

    Raises
    ------
    ConfigurationError
        Patients are given, and not of every case, or not by case.
    """
    if not isinstance(patients, Mapping | None):
        raise ConfigurationError("patients_not_by_case", given=type(patients).__name__)
    owners = patients_of_cases(cases) if patients is None else dict(patients)
    if without := sorted(set(cases) - owners.keys()):
        raise ConfigurationError("cases_without_patient", cases=without)
    return owners


def _tables(frames: Mapping[str, pd.DataFrame]) -> FrocTables:
    def of(name: str) -> pd.DataFrame:
        return frames.get(name, pd.DataFrame()).drop(columns=["test_set", "model"], errors="ignore")

    return FrocTables(
        of("froc_levels"),
        of("froc_curve"),
        of("froc_band"),
        of("froc_classes"),
        of("froc_precision"),
        of("froc_candidates"),
        of("calibration"),
    )


def _paired(references: Images, probabilities: Images) -> dict[str, tuple[Image, Image]]:
    """Return reference and map by case.

    Raises
    ------
    ConfigurationError
        A path does not exist, the two differ in form, or a case has only one of the two.
    """
    first, second = (_as_path(one) for one in (references, probabilities))
    if isinstance(first, Path) and isinstance(second, Path):
        pairing = pair_files(first, second)
        _require_all(pairing.without_prediction, pairing.without_reference)
        return dict(pairing.files)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        _require_all(sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys()))
        return {case: (first[case], second[case]) for case in first}
    if isinstance(first, Mapping) or isinstance(second, Mapping):
        raise ConfigurationError(
            "case_collections_differ",
            references=type(references).__name__,
            probabilities=type(probabilities).__name__,
        )
    return {"case": (first, second)}


def _as_path(images: Images) -> Images:
    return given_path(images) if isinstance(images, str) else images


def _require_all(without_map: Iterable[str], without_reference: Iterable[str]) -> None:
    one, other = list(without_map), list(without_reference)
    if one or other:
        raise ConfigurationError("cases_differ", without_map=one, without_reference=other)


def _found(
    case: str,
    reference: Image,
    probability: Image,
    rules: Convention,
    least: float,
    spacing: Spacing | None,
) -> FoundCase:
    known, mapped = _placed((reference, probability), case, spacing)
    if isinstance(known, Volume) and isinstance(mapped, Volume):
        frames = {f"reference of {case}": known.frame, f"probability map of {case}": mapped.frame}
        require_one_frame(frames)
    return found_case(case, _mask(known, case), _map(mapped, case), rules, least, where=case)


def _placed(
    images: tuple[Image, Image], case: str, spacing: Spacing | None
) -> Iterator[Volume | Path]:
    """Yield both images; arrays get a grid."""
    for image, other in (images, images[::-1]):
        if isinstance(image, Volume):
            yield image
        elif isinstance(image, Path | str):
            yield given_path(image)
        elif spacing is not None:
            yield Volume(np.asarray(image), np.diag([*_lengths(spacing), 1.0]))
        elif isinstance(other, Volume):
            yield other.with_array(image)
        elif isinstance(other, Path | str):
            yield read_image(other).with_array(image)
        else:
            raise ConfigurationError("array_without_spacing", where=case)


def _lengths(spacing: Spacing) -> NDArray[np.float64]:
    try:
        lengths = np.asarray(spacing, np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigurationError("array_spacing_invalid", spacing=str(spacing)) from error
    if lengths.shape != (3,) or not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise ConfigurationError("array_spacing_invalid", spacing=str(spacing))
    return lengths


def _mask(image: Volume | Path, case: str) -> MaskVoxels:
    if isinstance(image, Volume):
        return mask_of(image, f"reference of {case}")
    require_given(image)
    return read_mask(image)


def _map(image: Volume | Path, case: str) -> ProbabilityMap:
    if isinstance(image, Volume):
        where = f"probability map of {case}"
        return probability_map(image.array.T, image.affine, where=where)
    require_given(image)
    return read_probabilities(image)
