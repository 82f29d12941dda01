"""Functions for Python: what they refuse, and that they agree with the commands."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydicom
import pytest
from helpers.refusals import has_reason
from helpers.structure_sets import drawn_sphere, write_series, write_structure_set

import cta_data as cta
from cta_data.api.contours import IDENTITY
from cta_data.imaging.rasterization.contours import Contour, Roi, StructureSet
from cta_data.imaging.registration.limits import RegistrationQuality
from cta_data.imaging.registration.register import RegistrationResult

HEIGHTS = [float(z) for z in range(30)]


def on_grid(array: np.ndarray, shift: float = 0.0) -> cta.Volume:
    affine = np.eye(4)
    affine[0, 3] = shift
    return cta.Volume(array, affine)


def test_public_names_are_there() -> None:
    """Every name of the package can be had, and has a docstring."""
    for name in cta.__all__:
        assert getattr(cta, name).__doc__


def test_contours_become_lesions_of_their_volume(tmp_path: Path) -> None:
    """Two parts of one ROI are two lesions, and each keeps its volume."""
    write_series(tmp_path / "series", HEIGHTS)
    parts = [drawn_sphere("GTV", (x, 0, 15), 5, HEIGHTS).contours for x in (-15, 15)]
    roi = drawn_sphere("GTV", (-15, 0, 15), 5, HEIGHTS)
    both = type(roi)("GTV", [*parts[0], *parts[1]])
    structures = write_structure_set(tmp_path / "rs.dcm", [both])
    image = cta.read_image(tmp_path / "series")
    assert image.frame
    drawn = cta.rasterize(cta.read_structure_set(structures), image)
    labels = drawn.lesions()
    table = cta.measure(labels, image)
    assert table.lesion_id.tolist() == [1, 2]
    assert table.volume_mm3.sum() == pytest.approx(drawn.table().volume_drawn_mm3.sum(), rel=0.02)
    assert drawn.mask("GTV").array.sum() == drawn.table().n_voxels.sum()
    with pytest.raises(cta.ConfigurationError):
        drawn.mask("PTV")


@pytest.mark.parametrize("normal", [0, 1, 2])
@pytest.mark.parametrize("last_axis", [0, 1, 2])
def test_one_contour_is_as_thick_as_the_slice_that_it_lies_on(normal: int, last_axis: int) -> None:
    """Axial, coronal or sagittal, and in whatever order the axes are stored: the volume is one."""
    spacing = np.ones(3)
    spacing[normal] = 3.0
    order = [axis for axis in range(3) if axis != last_axis] + [last_axis]
    affine = np.eye(4)
    affine[:3, :3] = (np.diag([-1.0, -1.0, 1.0]) * spacing)[:, order]
    image = cta.Volume(np.zeros((30, 30, 30), np.float32), affine)
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    points = np.full((48, 3), 15.0)
    within = [axis for axis in range(3) if axis != normal]
    points[:, within] += 5 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    roi = Roi(1, "GTV", contours=(Contour(points),))
    structures = StructureSet((roi,))
    drawn = cta.rasterize(structures, image)
    volume = drawn.table().volume_drawn_mm3[0]
    assert volume == pytest.approx(3 * np.pi * 25, rel=0.02)
    assert drawn.lesions().array.sum() * 3 == pytest.approx(volume, abs=3)
    moved = cta.transfer(structures, image, image, IDENTITY)
    assert moved.lesions.volume_drawn_mm3[0] == pytest.approx(volume)


@pytest.mark.parametrize("heights", [[3.0], [5.0, 3.0]])
def test_an_image_of_one_or_two_slices_has_its_values(heights: list[float], tmp_path: Path) -> None:
    """The values are those of the slices, in the order in which they lie; not zeros."""
    write_series(tmp_path / "series", heights)
    image = cta.read_image(tmp_path / "series")
    slices = [
        pydicom.dcmread(tmp_path / "series" / f"IM{number:03d}.dcm").pixel_array
        for number in range(len(heights), 0, -1)
    ]
    np.testing.assert_array_equal(image.array.T, slices)


def test_a_mask_gives_its_parts() -> None:
    """Every 26-connected part of every value is a lesion."""
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    mask[6:8, 6:8, 6:8] = 1
    mask[9:11, 9:11, 9:11] = 2
    found = cta.find_lesions(on_grid(mask))
    assert sorted(np.unique(found.array).tolist()) == [0, 1, 2, 3]
    assert np.array_equal(found.array > 0, mask > 0)


def test_contours_are_transferred_from_their_own_image_and_as_chosen(tmp_path: Path) -> None:
    """Those of another image are refused, as when they are made masks; organs can be left out."""
    write_series(tmp_path / "series", HEIGHTS)
    rois = [drawn_sphere(name, (x, 0, 15), 5, HEIGHTS) for name, x in (("GTV", -15), ("Eye", 15))]
    structures = cta.read_structure_set(write_structure_set(tmp_path / "rs.dcm", rois))
    image, same = cta.read_image(tmp_path / "series"), cta.api.contours.IDENTITY
    both = cta.transfer(structures, image, image, same)
    assert len(both.lesions) == 2
    one = cta.transfer(structures, image, image, same, roi="^GTV$")
    assert one.lesions.volume_drawn_mm3.tolist() == both.lesions.volume_drawn_mm3[:1].tolist()
    off = image.affine.copy()
    off[2, 3] += image.spacing[2] / 2
    elsewhere = cta.Volume(image.array, off)
    with pytest.raises(cta.DataRefused, check=has_reason("contour_planes_off_slices")):
        cta.transfer(structures, elsewhere, elsewhere, same)
    cta.transfer(structures, elsewhere, elsewhere, same, check_reference=False)
    with pytest.raises(cta.DataRefused, check=has_reason("roi_not_matched")):
        cta.transfer(structures, image, image, same, roi="PTV")


def test_a_registration_that_is_not_accepted_transfers_nothing() -> None:
    """Its transform can be given by who has looked at it."""
    volume = on_grid(np.ones((4, 4, 4), np.uint8))
    quality = RegistrationQuality.__new__(RegistrationQuality)
    refused = RegistrationResult(
        cta.api.contours.IDENTITY, "rigid", "mattes", 0.0, {}, quality, False, ("no overlap",)
    )
    with pytest.raises(cta.DataRefused):
        cta.transfer(volume, volume, volume, refused)
    moved = cta.transfer(volume, volume, volume, refused.transform)
    assert moved.lesions.n_voxels.tolist() == [64]


def test_masks_on_two_grids_are_not_scored() -> None:
    """Nor measured, transferred or made into operating points."""
    here, there = (on_grid(np.ones((4, 4, 4), np.uint8), shift) for shift in (0.0, 1.0))
    for call in (
        lambda: cta.score(here, there),
        lambda: cta.measure(here, there),
        lambda: cta.transfer(here, there, there, cta.api.contours.IDENTITY),
        lambda: cta.froc(here, there.with_array(there.array * 0.5)),
    ):
        with pytest.raises(cta.DataRefused):
            call()


def test_scores_are_compared_case_by_case() -> None:
    """A table of scores against another one: one row a metric."""
    a = pd.DataFrame({"f1": [0.1, 0.2, 0.3]}, index=["x", "y", "z"])
    compared = cta.compare(a, a + 0.1)
    assert compared.n_cases == 3
    assert compared.frame().mean_difference.tolist() == pytest.approx([0.1])


def test_a_table_with_a_column_of_cases_is_compared_by_it() -> None:
    """As `study.scores()` gives it: the rows of A and B have other numbers, in another order."""
    cases = ["x", "y", "z"]
    rows = [
        pd.DataFrame({"model": model, "test_set": "t", "convention": "article", "case": names})
        for model, names in (("A", cases), ("B", cases[::-1]))
    ]
    scores = pd.concat(rows, ignore_index=True).convert_dtypes()
    scores["f1"] = [0.1, 0.2, None, 0.5, 0.4, 0.3]
    compared = cta.compare(scores[scores.model == "A"], scores[scores.model == "B"], "f1")
    assert (compared.n_cases, compared.metrics[0].n_undefined_a) == (3, 1)
    assert compared.frame().mean_difference.tolist() == pytest.approx([0.2])


F1 = {"f1": [0.1, 0.2]}
NAMED = pd.DataFrame(F1, index=["x", "y"])


@pytest.mark.parametrize(
    ("a", "b", "code"),
    [
        (NAMED, None, "score_table_expected"),
        (NAMED, pd.DataFrame(F1), "score_table_without_cases"),
        (NAMED, pd.DataFrame(F1, index=["X", "Y"]), "compared_cases_differ"),
        (pd.concat([NAMED, NAMED]), NAMED, "scores_unreadable"),
        (NAMED, NAMED.replace(0.1, np.inf), "scores_unreadable"),
        (NAMED, NAMED.astype(str), "scores_unreadable"),
        (NAMED.assign(model=["A", "B"]), NAMED, "score_table_mixed"),
        (
            NAMED.assign(convention="tables"),
            NAMED.assign(convention="article"),
            "conventions_differ",
        ),
        (NAMED.assign(test_set="s"), NAMED.assign(test_set="t"), "test_sets_differ"),
        (NAMED, NAMED[[]], "metrics_missing"),
    ],
)
def test_tables_that_cannot_be_paired_are_not_compared(
    a: pd.DataFrame, b: pd.DataFrame, code: str
) -> None:
    """No number comes of rows that do not name their cases, or name no case of the other."""
    with pytest.raises(cta.ConfigurationError, check=has_reason(code)):
        cta.compare(a, b)


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (0.5, "mask_values_fractional"),
        (np.nan, "mask_voxels_not_finite"),
        (-1, "lesion_ids_invalid"),
        (1 << 40, "lesion_ids_invalid"),
    ],
)
def test_what_is_no_lesion_id_is_not_measured(labels: float, code: str) -> None:
    """It is never a table without lesions."""
    image = on_grid(np.ones((4, 4, 4)))
    with pytest.raises(cta.DataRefused, check=has_reason(code)):
        cta.measure(image.with_array(np.full((4, 4, 4), labels)), image)


def test_arrays_and_paths_are_not_volumes() -> None:
    """What has no grid is refused by name; as are contours and transforms of another type."""
    array, volume = np.ones((4, 4, 4), np.uint8), on_grid(np.ones((4, 4, 4), np.uint8))
    same = IDENTITY
    for call in (
        lambda: cta.score(array, volume),
        lambda: cta.score(volume, "mask.nii.gz"),
        lambda: cta.find_lesions(array),
        lambda: cta.measure(volume, None),
        lambda: cta.measure(volume, volume, array),
        lambda: cta.register(volume.with_array(np.arange(64).reshape(4, 4, 4)), "space.nii.gz"),
        lambda: cta.transfer(array, volume, volume, same),
        lambda: cta.extract_brain(array),
        lambda: volume.same_grid(array),
        lambda: cta.write_structure_set(array, "series", "rs.dcm"),
    ):
        with pytest.raises(cta.ConfigurationError, check=has_reason("volume_expected")):
            call()
    with pytest.raises(cta.ConfigurationError, check=has_reason("structure_set_expected")):
        cta.rasterize("rs.dcm", volume)
    with pytest.raises(cta.ConfigurationError, check=has_reason("transform_expected")):
        cta.transfer(volume, volume, volume, np.eye(4))
    with pytest.raises(cta.ConfigurationError, check=has_reason("convention_unknown")):
        cta.score(volume, volume, convention=None)


def test_an_image_with_nan_is_neither_registered_nor_stripped() -> None:
    """Its values are named; what would come of them is not an image without a head."""
    image = on_grid(np.where(np.arange(64).reshape(4, 4, 4) > 60, np.nan, 1.0))
    for call in (
        lambda: cta.register(image.with_array(np.arange(64).reshape(4, 4, 4)), image),
        lambda: cta.extract_brain(image),
    ):
        with pytest.raises(cta.DataRefused, check=has_reason("intensities_not_finite")):
            call()


def test_an_image_is_of_the_series_that_was_asked_for(tmp_path: Path) -> None:
    """Also where a folder or file holds a single one, which is another."""
    write_series(tmp_path / "series", HEIGHTS[:4])
    image = cta.read_image(tmp_path / "series")
    assert image.identity
    uid = image.identity.series_uid
    assert cta.read_image(tmp_path / "series", series=uid).same_grid(image)
    image.save(tmp_path / "image.nii.gz")
    for name in ("series", "image.nii.gz"):
        with pytest.raises(cta.DataRefused, check=has_reason("image_series_not_found")):
            cta.read_image(tmp_path / name, series=[f"{uid}.1"])


def test_a_map_of_probabilities_is_not_scored_as_a_mask() -> None:
    """Every fraction would be lesion: refused, as the command refuses it."""
    mask = on_grid(np.ones((4, 4, 4), np.uint8))
    for wrong in (0.5, np.nan):
        with pytest.raises(cta.DataRefused):
            cta.score(mask, mask.with_array(np.full((4, 4, 4), wrong)))
    assert cta.score(mask, mask.with_array(np.ones((4, 4, 4)))).tp == 1


def test_voxels_have_an_extent() -> None:
    """A grid without one along an axis has no place for anything."""
    with pytest.raises(cta.DataRefused, check=has_reason("affine_without_extent")):
        cta.Volume(np.ones((4, 4, 4)), np.diag([0, 1, 1, 1]))


IN_ONE_FRAME = {
    "score": lambda a, b: cta.score(a, b),
    "measure": lambda a, b: cta.measure(cta.find_lesions(a), b),
    "measure within a brain": lambda a, b: cta.measure(cta.find_lesions(a), a, b),
    "transfer of a mask": lambda a, b: cta.transfer(a, b, b, IDENTITY),
    "froc": lambda a, b: cta.froc(a, b.with_array(b.array * np.float32(0.9))),
}


@pytest.mark.parametrize("call", IN_ONE_FRAME.values(), ids=list(IN_ONE_FRAME))
def test_volumes_of_two_frames_of_reference_are_not_put_together(call: Any) -> None:
    """Equal coordinates in two frames of reference are different places; without one, anything is
    allowed.
    """
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[3:6, 3:6, 3:6] = 1
    first, second, free = (replace(on_grid(mask), frame=uid) for uid in ("1.2", "1.3", None))
    call(first, replace(first))
    call(first, free)
    call(free, second)
    with pytest.raises(cta.DataRefused, check=has_reason("frames_of_reference_differ")):
        call(first, second)


@pytest.mark.parametrize("write", [cta.write_structure_set, cta.write_segmentation])
def test_lesions_are_not_written_into_another_frame_of_reference(
    write: Any, tmp_path: Path
) -> None:
    """Lesions of another frame of reference do not become an object of the series."""
    write_series(tmp_path / "series", HEIGHTS)
    image = cta.read_image(tmp_path / "series")
    mask = np.zeros(image.shape, np.uint8)
    mask[10:14, 10:14, 10:14] = 1
    labels = image.with_array(mask)
    write(labels, tmp_path / "series", tmp_path / "own.dcm")
    with pytest.raises(cta.DataRefused, check=has_reason("frames_of_reference_differ")):
        write(replace(labels, frame="1.2.3"), tmp_path / "series", tmp_path / "other.dcm")
    assert not (tmp_path / "other.dcm").exists()


def test_a_brain_mask_may_be_a_volume() -> None:
    """A mask that was read here is taken as it is, if it is of the image's frame of reference."""
    image = replace(on_grid(np.arange(512.0).reshape(8, 8, 8)), frame="1.2")
    mask = image.with_array((image.array > 9).astype(np.uint8))
    found = cta.extract_brain(image, "provided", {"mask": mask})
    assert np.array_equal(found.array, mask.array)
    with pytest.raises(cta.DataRefused, check=has_reason("frames_of_reference_differ")):
        cta.extract_brain(image, "provided", {"mask": replace(mask, frame="1.3")})
    for given in (["device"], "mask", 5):
        with pytest.raises(cta.ConfigurationError, check=has_reason("brain_options_not_named")):
            cta.extract_brain(image, "hd-bet", given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["", "  ", None, 3])
def test_what_is_no_path_is_refused(given: Any) -> None:
    """An empty text is not the current folder, and a number is no path."""
    for read in (cta.read_image, cta.read_structure_set):
        with pytest.raises(cta.ConfigurationError, check=has_reason("path_expected")):
            read(given)
    if given is not None:  # without a path, the study is that of the working directory
        with pytest.raises(cta.ConfigurationError, check=has_reason("path_expected")):
            cta.open_study(given)


def test_an_entry_of_a_folder_is_a_path(tmp_path: Path) -> None:
    """What `os.scandir` gives is read as the path that it stands for."""
    on_grid(np.eye(4)[None]).save(tmp_path / "image.nii")
    with os.scandir(tmp_path) as entries:
        assert [cta.read_image(entry).shape for entry in entries] == [(1, 4, 4)]


@pytest.mark.parametrize("seed", ["1", 1.5, True, None, -1, 2**32])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    """A seed that the sampling cannot take is refused before the images are looked at."""
    image = on_grid(np.arange(512.0).reshape(8, 8, 8))
    with pytest.raises(cta.ConfigurationError, check=has_reason("registration_settings_invalid")):
        cta.register(image, image, seed=seed)


@pytest.mark.parametrize("seed", ["1", 1.5, True, -1])
def test_a_seed_of_resampling_is_a_whole_number(seed: Any) -> None:
    """What no generator takes is refused by name; a number of numpy is a number."""
    mask = on_grid(np.eye(8, dtype=np.uint8)[None].repeat(8, 0))
    scores = pd.DataFrame({"case": ["a", "b", "c"], "f1": [0.1, 0.5, 0.9]})
    refused = has_reason("seed_invalid")
    with pytest.raises(cta.ConfigurationError, check=refused):
        cta.froc(mask, mask.with_array(mask.array * np.float32(0.9)), seed=seed)
    with pytest.raises(cta.ConfigurationError, check=refused):
        cta.compare(scores, scores, seed=seed)
    assert cta.compare(scores, scores, seed=np.int64(1)).seed == 1


@pytest.mark.parametrize(
    ("backend", "options"),
    [("morphology", {"device": "cuda"}), ("none", {"mask": "m"}), ("hd-bet", {"devise": "cpu"})],
)
def test_an_option_that_a_back_end_does_not_have_is_refused(backend: str, options: Any) -> None:
    """A misspelt option of skull stripping is an error, not ignored."""
    image = on_grid(np.arange(512.0).reshape(8, 8, 8))
    with pytest.raises(
        cta.ConfigurationError, check=has_reason("brain_extraction_options_unknown")
    ):
        cta.extract_brain(image, backend, options)
