"""The pieces of nnU-Net's work: what goes to a process of its own, and what comes back.

Both travel as JSON (`content`), which `process.run_job` carries and the job's function reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cta_data.scoring.probabilities.candidates import ScoreName
from cta_data.training.nnunet.plans import TRAINER


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")  # a Dice may be NaN

    def content(self) -> dict[str, Any]:
        """Return it as JSON content."""
        return self.model_dump(mode="json")


class Split(_Message):
    """Names of the cases of one fold."""

    train: tuple[str, ...]
    val: tuple[str, ...]


class PlanJob(_Message):
    """Prepare a training set.

    Attributes
    ----------
    dataset
        Its name, as nnU-Net has it.
    raw
        nnU-Net's raw folder.
    prepared
        Folder of this content.
    pool
        Folder of preprocessed cases.
    cases
        Content keys of image and label, by case.
    processes
        How many may work side by side.
    """

    dataset: str
    raw: Path
    prepared: Path
    pool: Path
    cases: dict[str, tuple[str, str]]
    splits: tuple[Split, ...]
    planner: str
    configuration: str
    patch_size: tuple[int, ...]
    features: tuple[int, ...]
    batch_size: int
    processes: int

    @property
    def raw_dataset(self) -> Path:
        """Folder of the data set's images, labels and dataset.json."""
        return self.raw / self.dataset


class Prepared(_Message):
    """A prepared training set: its folder, its plans, and how many cases were preprocessed."""

    folder: Path
    plans: Path
    preprocessed: int


class LearningOptions(_Message):
    """How a fold is learnt: the study's `[training]`, without what plans are made by."""

    trainer: str
    epochs: int
    iterations_per_epoch: int
    validation_iterations: int
    learning_rate: float
    seed: int
    reproducible: bool
    checkpoint_every: int
    mirroring: bool
    tile_step: float


class NewsPlace(_Message):
    """Where a training tells how it goes: a file below `.cta/running`, and whose it is."""

    file: Path
    model: str
    fold: int
    log: str


class CurvesPlace(_Message):
    """Where curves are logged.

    Attributes
    ----------
    logger
        `none`, or a package.
    folder
        For the logger's files.
    run
        The same in every process that works on the fold.
    """

    logger: str
    folder: Path
    model: str
    fold: int
    run: str


class TrainJob(PlanJob):
    """Prepare a training set where that is not done, then train and validate one fold.

    `results` is nnU-Net's folder of results for this fold alone.
    """

    fold: int
    device: str
    options: LearningOptions
    results: Path
    news: NewsPlace | None = None
    curves: CurvesPlace | None = None


class FoldResult(_Message):
    """A trained fold.

    Attributes
    ----------
    folder, fold_folder
        Of the model and of the fold.
    sessions
        What each process did.
    hardware
        What it was trained on.
    trainer
        See `TrainerSource.told`.
    """

    folder: Path
    fold_folder: Path
    sessions: list[dict[str, Any]]
    hardware: dict[str, Any]
    trainer: dict[str, Any]


class PostprocessJob(_Message):
    """Judge predictions of every training case; folders of `<case>.nii.gz`, and files."""

    predicted: Path
    labels: Path
    plans: Path
    dataset: Path
    processes: int


class Postprocessed(_Message):
    """nnU-Net's summary of the predictions, and the postprocessing that it chose."""

    summary: dict[str, Any]
    postprocessing: dict[str, Any]


class PointInUse(_Message):
    """The operating point that masks are made at; see `EnsembleCard`."""

    threshold: float
    score: ScoreName
    candidates_from: float
    convention: str


class CaseToPredict(_Message):
    """One case: a file a channel, and the folder (or path without ending) for its mask."""

    case: str
    images: tuple[Path, ...]
    output: Path


class PredictJob(_Message):
    """Predict cases with the folds of one model.

    Attributes
    ----------
    model
        Its folder.
    trainer
        Of a model that one of the study's own has trained.
    lesion_values
        Labels of the model that are lesion.
    postprocessing
        File of nnU-Net's, where its choice is applied.
    probabilities
        Whether they are kept.
    operating_point
        None for the mask of the network.
    temperature
        Of kept probabilities.
    threads
        On a processor; 0 for those that torch takes.
    """

    model: Path
    folds: tuple[str, ...]
    device: str
    mirroring: bool
    tile_step: float
    lesion_values: tuple[int, ...]
    cases: tuple[CaseToPredict, ...]
    trainer: str = TRAINER
    postprocessing: Path | None = None
    probabilities: bool = False
    operating_point: PointInUse | None = None
    temperature: float | None = None
    threads: int = 0


class Predicted(_Message):
    """What came of a prediction: what was wrong with cases that failed; all others are written.

    `waited_seconds` is how long the device waited for a case that was not read yet, after the
    first.
    """

    failed: dict[str, str]
    waited_seconds: float = 0.0
