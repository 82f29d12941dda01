"""Where everything of a study lies: every path of a study is made here, from its top.

`docs/reference/files.md` is written from what `artefact` knows of the functions below.
"""

from __future__ import annotations

from collections.abc import Iterable

from cta_data.bids.names import BidsName, parse_name, transform_name, variant_name
from cta_data.study.artefacts import artefact
from cta_data.study.session_id import SessionId

MANIFESTS = "manifests"
BUILDS = "builds"
MODELS = "models"
PREDICTIONS = "evaluation/predictions"
REFERENCES = "evaluation/references"
HOME = "index.html"
"""The page that a study is entered by."""
PICTURES = "evaluation/pictures"
PICTURES_PAGE = f"{PICTURES}/index.html"
EVALUATION = "evaluation"
"""Folder of predictions, references, and all results that are made of them."""
AUDIT = "evaluation/audit"
AGREEMENT = "evaluation/agreement"
AGREEMENT_PAGE = f"{AGREEMENT}/index.html"
FOLLOW_UP = "evaluation/follow_up"
FOLLOW_UP_PAGE = f"{FOLLOW_UP}/index.html"
PATCHES = "evaluation/patches"
PATCHES_PAGE = f"{PATCHES}/index.html"
PATCH_WORK = ".cta/patches"
"""Patches that were cut, by all that they depend on; never versioned."""
TABLE_1_PAGE = "evaluation/table_1.html"
CHECKLIST_PAGE = "evaluation/checklist.html"
REPOSITORIES = (
    "",
    MODELS,
    "evaluation/*",
    "datasets/*",
    "datasets/*/sourcedata",
    "datasets/*/derivatives/*",
)
"""Where datasets of a study may lie, those included that no commit knows yet."""
TRAINING_WORK = ".cta/nnunet"
"""What nnU-Net preprocesses, and trainings that are not finished; never versioned."""
BUILD_RECORD = "build.json"
PREDICTION_RECORD = "prediction.json"
PROBABILITIES = "probabilities"
CHECKPOINT = "checkpoint_final.pth"
"""What nnU-Net calls the weights of a fold."""
SOURCE_GRID = "source"
"""Behind the name of an annotation, after `desc-`: its lesions on the source grid."""

# Datasets --------------------------------------------------------------------------------------


def cohort(name: str) -> str:
    """Return where a cohort's BIDS dataset lies."""
    return f"datasets/{name}"


def sourcedata(name: str) -> str:
    """Return where a cohort's raw files lie."""
    return f"{cohort(name)}/sourcedata"


def derivatives(name: str) -> str:
    """Return where what is derived from a cohort lies."""
    return f"{cohort(name)}/derivatives/cta"


def _derived(session: SessionId, name: BidsName) -> str:
    return f"{derivatives(session.cohort)}/{name.path}"


def raw_series(subject: str, session: str, series: str, kind: str, extension: str) -> str:
    """Return where a raw series is, from the top of its cohort's sourcedata, by its labels."""
    stem = f"sub-{subject}_ses-{session}_series-{series}_{kind}"
    return f"sub-{subject}/ses-{session}/{stem}{extension}"


def table(name: str) -> str:
    """Return where a table of the study lies, by its name."""
    return f"{MANIFESTS}/{name}.parquet"


# Files of a session ----------------------------------------------------------------------------


def image(session: SessionId, name: BidsName) -> str:
    """Return where an image as acquired is, by its BIDS name."""
    return f"{cohort(session.cohort)}/{name.path}"


def sidecar(session: SessionId, name: BidsName) -> str:
    """Return where the sidecar of an image as acquired is, by the image's BIDS name."""
    return image(session, name.with_extension(".json"))


@artefact("convert")
def contours(session: SessionId, space: str, annotation: str) -> str:
    """Selected contours of an annotation, LPS mm, without UIDs or dates. `space` is the delineated
    image: its technique, with its phase if another phase is in use, such as `MPRAGEEarly`. For a
    series with uneven spacing also the slice positions.
    """
    labels = {"sub": session.subject, "ses": session.session}
    entities = labels | {"space": space, "desc": annotation}
    return _derived(session, BidsName(entities, "contours", ".json"))


@artefact("convert")
def drawn_labels(session: SessionId, space: str, annotation: str) -> str:
    """Lesions of masks, segmentations or a consensus: the number of the lesion in every voxel, on
    the source grid.
    """
    return _derived(session, _drawn_name(session, space, annotation))


@artefact("convert")
def drawn_names(session: SessionId, space: str, annotation: str) -> str:
    """For each of these lesions: ROI, name, component, voxels and flags; for a consensus also the
    readers who saw it, and the lesions that were dropped.
    """
    return _derived(session, _drawn_name(session, space, annotation).with_extension(".json"))


def _drawn_name(session: SessionId, space: str, annotation: str) -> BidsName:
    labels = (session.subject, session.session)
    return variant_name(*labels, space=space, description=f"{annotation}{SOURCE_GRID}")


@artefact("convert")
def stated_transform(session: SessionId, fixed_frame: int, moving_frame: int) -> str:
    """Content of a Spatial Registration object: points of one frame of reference to points of the
    other.
    """
    moving, fixed = f"frame{moving_frame}", f"frame{fixed_frame}"
    labels = (session.subject, session.session)
    return _derived(session, transform_name(*labels, moving=moving, fixed=fixed, stated="dicom"))


@artefact("register")
def transform(session: SessionId, fixed: str, moving: str) -> str:
    """ITK transform between spaces, named as above: points of the fixed image to points of the
    moving image, LPS mm, as needed for resampling.
    """
    name = transform_name(session.subject, session.session, moving=moving, fixed=fixed)
    return _derived(session, name)


@artefact("register-sessions")
def session_transform(session: SessionId, technique: str, earlier: str) -> str:
    """ITK transform between two sessions: points of the image of this session to points of the
    image of the earlier one, LPS mm.
    """
    labels = (session.subject, session.session)
    moving = f"{technique}ses{earlier}"
    return _derived(session, transform_name(*labels, moving=moving, fixed=technique))


@artefact("transfer")
def variant_labels(session: SessionId, grid: str, annotation: str) -> str:
    """Lesion labels: the number of the lesion in every voxel."""
    return _derived(session, _variant_name(session, grid, annotation, "dseg"))


@artefact("transfer")
def variant_mask(session: SessionId, grid: str, annotation: str) -> str:
    """Binary mask of all lesions, used for training."""
    return _derived(session, _variant_name(session, grid, annotation, "mask"))


@artefact("transfer")
def transfer_account(session: SessionId, grid: str, annotation: str) -> str:
    """Details of the transfer for every lesion."""
    name = _variant_name(session, grid, annotation, "transfer").with_extension(".json")
    return _derived(session, name)


def _variant_name(session: SessionId, grid: str, annotation: str, suffix: str) -> BidsName:
    labels = (session.subject, session.session)
    return variant_name(*labels, space=grid, description=annotation, suffix=suffix)


@artefact("strip")
def brain_mask(session: SessionId, image_path: str) -> str:
    """Brain mask on the grid of the image."""
    return _derived(session, BidsName(_brain(image_path).entities, "mask"))


@artefact("strip")
def brain_image(session: SessionId, image_path: str) -> str:
    """Image with everything outside the brain set to zero; of images that were delivered so, a
    copy.
    """
    return _derived(session, _brain(image_path))


def _brain(image_path: str) -> BidsName:
    """Return the name of what is made of an image: its own, described as the brain."""
    name = parse_name(image_path.rpartition("/")[2])
    return BidsName({**name.entities, "desc": "brain"}, name.suffix)


def followed_subject(cohort: str, subject: str, extension: str) -> str:
    """Return where a file about a subject over time is: a page, a table or a figure."""
    return f"{FOLLOW_UP}/{cohort}_sub-{subject}.{extension}"


# Training sets ---------------------------------------------------------------------------------


def training_set(dataset: str) -> str:
    """Return where a training set lies; `builds` is nnU-Net's raw folder."""
    return f"{BUILDS}/{dataset}"


def dataset_name(setting: str, dataset_id: int) -> str:
    """Return what nnU-Net calls the training set of a setting."""
    return f"Dataset{dataset_id:03d}_CTA{setting}"


@artefact("build")
def build_dataset(dataset: str) -> str:
    """nnU-Net's description; images and labels of the training part by relative path. No image is
    copied.
    """
    return f"{training_set(dataset)}/dataset.json"


@artefact("build")
def build_splits(dataset: str) -> str:
    """The folds, for the preprocessed folder of nnU-Net."""
    return f"{training_set(dataset)}/splits_final.json"


@artefact("build")
def build_record(dataset: str) -> str:
    """Definition, partition, software versions, and every case (those of the test partition too)
    with the annex keys of image and label.
    """
    return f"{training_set(dataset)}/{BUILD_RECORD}"


# Models ----------------------------------------------------------------------------------------


def model_folder(name: str) -> str:
    """Return where a model lies, by nnU-Net's name of its folder."""
    return f"{MODELS}/{name}"


@artefact("plan")
def model_plans(model: str) -> str:
    """The plan of nnU-Net: patch, batch, network."""
    return model_file(model, "plans.json")


@artefact("plan")
def model_dataset(model: str) -> str:
    """The description of the training set of the model."""
    return model_file(model, "dataset.json")


@artefact("plan")
def model_fingerprint(model: str) -> str:
    """The nnU-Net fingerprint of the training set."""
    return model_file(model, "dataset_fingerprint.json")


def model_file(model: str, name: str) -> str:
    """Return where a file of a model lies that all of its folds share."""
    return f"{model}/{name}"


def fold_folder(model: str, fold: int) -> str:
    """Return where a fold of a model lies."""
    return f"{model}/fold_{fold}"


@artefact("train")
def checkpoint(model: str, fold: int) -> str:
    """Weights of a fold."""
    return f"{fold_folder(model, fold)}/{CHECKPOINT}"


@artefact("train")
def model_card(model: str, fold: int) -> str:
    """Build, the cases of the fold's training part, annex keys of every image and label,
    parameters, versions, hardware, time and curves.
    """
    return f"{fold_folder(model, fold)}/card.json"


@artefact("train")
def validation_mask(model: str, fold: int, case: str) -> str:
    """Prediction of a validation case of the fold."""
    return f"{fold_folder(model, fold)}/validation/{case}.nii.gz"


@artefact("validate")
def validation_probability(model: str, fold: int, case: str) -> str:
    """Probability of lesion of a validation case of the fold, by that fold alone."""
    return f"{fold_folder(model, fold)}/validation/{PROBABILITIES}/{case}.nii.gz"


def cross_validation_folder(model: str, folds: Iterable[int]) -> str:
    """Return where the joint result of folds lies."""
    return f"{model}/crossval_results_folds_{'_'.join(map(str, sorted(folds)))}"


@artefact("crossvalidate")
def postprocessing(model: str, folds: Iterable[int]) -> str:
    """Postprocessing selected by nnU-Net from all validation cases."""
    return f"{cross_validation_folder(model, folds)}/postprocessing.json"


@artefact("crossvalidate")
def cross_validation_summary(model: str, folds: Iterable[int]) -> str:
    """nnU-Net's metrics of all validation cases."""
    return f"{cross_validation_folder(model, folds)}/summary.json"


@artefact("calibrate")
def ensemble_card(model: str, folds: Iterable[int]) -> str:
    """Card of all folds together: operating points, score of candidates, temperature."""
    return f"{cross_validation_folder(model, folds)}/card.json"


# Evaluation ------------------------------------------------------------------------------------


def prediction_folder(model_name: str, test_set: str) -> str:
    """Return where what a model predicts of a test set lies."""
    return f"{PREDICTIONS}/{model_name}/{test_set}"


@artefact("predict")
def predicted_mask(model_name: str, test_set: str, case: str) -> str:
    """Predicted mask of a case."""
    return f"{prediction_folder(model_name, test_set)}/{case}.nii.gz"


@artefact("predict")
def predicted_probability(model_name: str, test_set: str, case: str) -> str:
    """Probability of lesion of a case, with `--probabilities`."""
    return f"{prediction_folder(model_name, test_set)}/{PROBABILITIES}/{case}.nii.gz"


@artefact("predict")
def prediction_record(model_name: str, test_set: str) -> str:
    """Origin of the masks: weights, builds, images, options, and refused cases."""
    return f"{prediction_folder(model_name, test_set)}/{PREDICTION_RECORD}"


def evaluation_page(convention: str) -> str:
    """Return where the page of an evaluation by a convention lies."""
    return f"evaluation/{convention.replace(', ', '-')}/report.html"


def audit_page(convention: str) -> str:
    """Return where the page of false positives by a convention lies."""
    return f"{AUDIT}/{convention}.html"


def references_folder(test_set: str, grid: str) -> str:
    """Return the folder of the reference annotations for models of a technique."""
    return f"{REFERENCES}/{test_set}/{grid}"


@artefact("predict")
def reference_mask(test_set: str, grid: str, case: str) -> str:
    """Link to the reference annotation for models of a technique."""
    return f"{references_folder(test_set, grid)}/{case}.nii.gz"


@artefact("patches")
def patch_places(case: str) -> str:
    """Places of the patches of a session with and without a metastasis: voxel (z, y, x) of the
    isotropic grid, depth in the brain, and the lesions without a matching negative.
    """
    return f"{PATCHES}/places/{case}.json"


@artefact("classify")
def patch_run(network: str, seed: int) -> str:
    """What one network found on the test patches: F1, the probability of every patch, the loss of
    every epoch, and what it was trained with.
    """
    return f"{PATCHES}/runs/{network}_seed-{seed}.json"
