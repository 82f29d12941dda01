"""A built training set for Python: its cases by fold, as paths or as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cta_data.errors import ConfigurationError, DataRefused
from cta_data.study.build_case import BuildCase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingCase:
    """One case: its name, the files of image and label, and its partition.

    `partition` is `train` or `test`; `fold` is the one in which it is a validation case.
    """

    case: str
    image: Path
    label: Path
    partition: str
    fold: int | None


class CaseArrays(Sequence[dict[str, Any]]):
    """Cases as arrays, read on access: a map-style dataset for PyTorch.

    An item is a dictionary: `case`; `image` (float32) and `label` (uint8), both (1, x, y, z), as
    in MONAI and TorchIO; `affine`, the 4 × 4 matrix from voxel index to RAS mm. A slice is such a
    dataset of fewer cases.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        transform: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self.cases = tuple(cases)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return CaseArrays(self.cases[index], self.transform)
        case = self.cases[index]
        image, affine = _read(case.image, "float32")
        label, _ = _read(case.label, "uint8")
        item = {"case": case.case, "image": image, "label": label, "affine": affine}
        return self.transform(item) if self.transform else item


@dataclass(frozen=True)
class TrainingData:
    """The training set of a setting.

    Attributes
    ----------
    cases
        All cases, training and test, in the order of their names.
    """

    setting: str
    cases: tuple[TrainingCase, ...]

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds."""
        return sorted({case.fold for case in self.cases if case.fold is not None})

    @property
    def test(self) -> list[TrainingCase]:
        """Cases of the test partition."""
        return [case for case in self.cases if case.partition == "test"]

    def training(self, fold: int | None = None) -> list[TrainingCase]:
        """Return the training cases of a fold; without a fold, all training cases."""
        if fold is not None:
            self._require(fold)
        return [case for case in self._trained if fold is None or case.fold != fold]

    def validation(self, fold: int) -> list[TrainingCase]:
        """Return the validation cases of a fold."""
        self._require(fold)
        return [case for case in self._trained if case.fold == fold]

    @property
    def _trained(self) -> list[TrainingCase]:
        return [case for case in self.cases if case.partition == "train"]

    def _require(self, fold: int) -> None:
        if fold not in self.folds:
            folds = tuple(self.folds)
            raise ConfigurationError(
                "fold_not_in_setting", setting=self.setting, fold=repr(fold), folds=folds
            )


def as_dictionaries(cases: Iterable[TrainingCase]) -> list[dict[str, str]]:
    """Return cases for the `Dataset` of MONAI: paths of `image` and `label` by name."""
    return [{"case": one.case, "image": str(one.image), "label": str(one.label)} for one in cases]


def training_data(root: Path, setting: str, cases: Iterable[BuildCase]) -> TrainingData:
    """Return the training set of a setting from the cases of its build's record."""
    ordered = sorted(cases, key=lambda case: case.case)
    return TrainingData(
        setting,
        tuple(
            TrainingCase(one.case, root / one.image, root / one.label, one.partition, one.fold)
            for one in ordered
        ),
    )


def _read(path: Path, dtype: str) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    import SimpleITK as sitk

    from cta_data.formats.nifti.image import read_image
    from cta_data.given_paths import require_given
    from cta_data.imaging.geometry.grid import ras_affine

    if not path.is_symlink():
        require_given(path)
    elif not path.exists():
        raise DataRefused("file_content_not_fetched", where=path, path=path)
    image = read_image(path)
    return sitk.GetArrayFromImage(image).T[None].astype(dtype), ras_affine(image)
