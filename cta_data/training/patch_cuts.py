"""Patches as arrays: every input cut at the same places, and kept for further networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.engine import Workspace, digest
from cta_data.engine.inputs import Files, files_of
from cta_data.errors import DataRefused
from cta_data.files import read_json_object, written_whole
from cta_data.formats.nifti.image import read_image
from cta_data.imaging.geometry.resampling import averaged, isotropic_grid, resample
from cta_data.imaging.lesions.patch_places import cut_patch
from cta_data.pipeline.transform_chain import TransformChain, read_chain
from cta_data.study import layout
from cta_data.study.patch_inputs import GRID

VERSION = 1


@dataclass(frozen=True)
class CutInputs:
    """What the patches of one input depend on.

    Attributes
    ----------
    channels
        Names of the channels, in order.
    spaces
        By case, the space of the image of each channel.
    places, labels, brain
        By case: places, labels on the grid that places lie on, brain mask on that grid.
    image
        By case and channel.
    transform
        By case, and `FIXED>MOVING`.
    """

    channels: tuple[str, ...]
    edge: int
    spacing_mm: float
    spaces: Mapping[str, tuple[str, ...]]
    places: Files[str]
    labels: Files[str]
    brain: Files[str]
    image: Files[tuple[str, str]]
    transform: Files[tuple[str, str]]


@dataclass(frozen=True)
class PatchSet:
    """Patches of one input.

    Attributes
    ----------
    values
        (patches, channels, edge, edge, edge), in standard deviations of the brain from its mean.
    has_metastasis, is_test
        Of each patch.
    names
        Case and lesion, with `negative` for a patch without a metastasis.
    """

    values: NDArray[np.float16]
    has_metastasis: NDArray[np.bool_]
    is_test: NDArray[np.bool_]
    names: tuple[str, ...]


def patches_of(given: CutInputs, keys: Mapping[str, str], workspace: Workspace) -> PatchSet:
    """Return the patches of an input, cut now or by an earlier unit that read the same.

    Parameters
    ----------
    keys
        Content keys of the files that are read, by path.

    Raises
    ------
    DataRefused
        A file cannot be read, transforms do not connect two images, or a brain mask is empty.
    """
    read = [[role, keys[path]] for role, path in files_of(given).items()]
    rest = [VERSION, given.channels, given.edge, given.spacing_mm, given.spaces]
    kept = workspace.root / layout.PATCH_WORK / f"{digest([rest, read])}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        cut = list(_cut_all(given, workspace))
        values = np.stack([values for values, *_ in cut]).astype(np.float16)
        truth, is_test, names = (np.array(part) for part in list(zip(*cut, strict=True))[1:])
        with written_whole(kept) as part, Path(part).open("wb") as file:
            np.savez(file, values=values, truth=truth, is_test=is_test, names=names)
    with np.load(kept, allow_pickle=False) as found:
        return PatchSet(
            found["values"], found["truth"], found["is_test"], tuple(found["names"].tolist())
        )


def _cut_all(
    given: CutInputs, workspace: Workspace
) -> Iterator[tuple[NDArray[np.float32], bool, bool, str]]:
    for case, path in given.places.items():
        content = read_json_object(workspace.read(path))
        volumes = list(_volumes(given, case, workspace))
        for place in content["places"]:
            z, y, x = place["centre"]
            cut = [cut_patch(volume, (z, y, x), given.edge) for volume in volumes]
            negative = "" if place["has_metastasis"] else " negative"
            name = f"{case} lesion {place['lesion']}{negative}"
            yield (
                np.stack(cut),
                bool(place["has_metastasis"]),
                content["partition"] == "test",
                name,
            )


def _volumes(given: CutInputs, case: str, workspace: Workspace) -> Iterator[NDArray[np.float32]]:
    """Yield the image of each channel of a head on the isotropic grid, normalised in the brain."""
    labels = read_image(workspace.read(given.labels[case]))
    grid = isotropic_grid(labels, given.spacing_mm)
    mask = resample(read_image(workspace.read(given.brain[case])), grid, interpolation="nearest")
    brain = sitk.GetArrayFromImage(mask) > 0
    if not brain.any():
        raise DataRefused("brain_mask_empty", where=case)
    chain = _chain(given, case, workspace)
    for channel, space in zip(given.channels, given.spaces[case], strict=True):
        image = read_image(workspace.read(given.image[case, channel]))
        # Averaged first, and interpolated once, so that no input is smoother than another.
        transform = chain.between(target=GRID, source=space)
        moved = resample(averaged(image, given.spacing_mm), grid, transform)
        volume = sitk.GetArrayFromImage(moved)
        own = volume[brain]
        deviation = float(own.std()) or 1.0
        yield ((volume - float(own.mean())) / deviation).clip(-20, 20).astype(np.float32)


def _chain(given: CutInputs, case: str, workspace: Workspace) -> TransformChain:
    own: dict[tuple[str, str], str] = {}
    for (of_case, pair), path in given.transform.items():
        if of_case == case:
            fixed, _, moving = pair.partition(">")
            own[fixed, moving] = path
    return read_chain(Files(own), workspace)
