from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.refusals import has_reason
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cta_data.errors import DataRefused
from cta_data.formats.dicom.spatial_registration import (
    DEFORMABLE_SPATIAL_REGISTRATION_STORAGE,
    SPATIAL_REGISTRATION_STORAGE,
    read_spatial_registration,
)

POINT = (11.0, -23.0, 37.0)


def turn(degrees: float, axis: int, shift: tuple[float, float, float]) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(4)
    a, b = [i for i in range(3) if i != axis]
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    matrix[:3, 3] = shift
    return matrix


def matrix_item(matrix: np.ndarray, kind: str = "RIGID") -> Dataset:
    item = Dataset()
    item.FrameOfReferenceTransformationMatrix = [f"{v:.10f}"[:16] for v in np.ravel(matrix)]
    item.FrameOfReferenceTransformationMatrixType = kind
    return item


def registration(items: list[tuple[str, list[Dataset]]]) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = SPATIAL_REGISTRATION_STORAGE
    dataset.FrameOfReferenceUID = "1.1"
    made = []
    for frame, matrices in items:
        item, outer = Dataset(), Dataset()
        item.FrameOfReferenceUID = frame
        outer.MatrixSequence = Sequence(matrices)
        item.MatrixRegistrationSequence = Sequence([outer])
        made.append(item)
    dataset.RegistrationSequence = Sequence(made)
    return dataset


def apply(matrix: np.ndarray, point: tuple[float, float, float]) -> np.ndarray:
    return (matrix @ [*point, 1])[:3]


A = turn(20, 2, (3, 4, 5))
B = turn(-35, 0, (-7, 1, 2))


def test_all_pairs_of_frames_are_answered() -> None:
    """Points go from any named frame to any other, through the registered one and back."""
    read = read_spatial_registration(
        registration(
            [
                ("1.1", [matrix_item(np.eye(4))]),
                ("1.2", [matrix_item(A)]),
                ("1.3", [matrix_item(B)]),
            ]
        )
    )
    frames = {"1.1": np.eye(4), "1.2": A, "1.3": B}
    for fixed, to_registered in frames.items():
        for moving, other in frames.items():
            expected = apply(np.linalg.inv(other) @ to_registered, POINT)
            got = read.transform(fixed, moving).TransformPoint(POINT)
            assert np.allclose(got, expected, atol=1e-6)
    assert read.connects("1.2", "1.3") and not read.connects("1.2", "1.9")
    with pytest.raises(DataRefused, check=has_reason("registration_frames_not_connected")):
        read.transform("1.2", "1.9")


def test_several_matrices_are_applied_in_their_order() -> None:
    """The first matrix acts first; where the order matters a note says so."""
    read = read_spatial_registration(registration([("1.2", [matrix_item(A), matrix_item(B)])]))
    got = read.transform("1.2", "1.1").TransformPoint(POINT)
    assert np.allclose(got, apply(B @ A, POINT), atol=1e-6)
    assert "order matters" in read.notes[0]


def test_scaled_and_affine_matrices_are_taken() -> None:
    """RIGID_SCALE with its scale and AFFINE with its shear are applied as they are."""
    scaled = A @ np.diag([1.1, 0.9, 1.05, 1])
    sheared = A.copy()
    sheared[0, 1] += 0.1
    for matrix, kind in ((scaled, "RIGID_SCALE"), (sheared, "AFFINE")):
        read = read_spatial_registration(registration([("1.2", [matrix_item(matrix, kind)])]))
        got = read.transform("1.2", "1.1").TransformPoint(POINT)
        assert np.allclose(got, apply(matrix, POINT), atol=1e-6)


MIRROR = np.diag([-1.0, 1, 1, 1])
LAST_ROW = np.eye(4)
LAST_ROW[3, 0] = 0.5
FAR = np.eye(4)
FAR[0, 3] = 9000


@pytest.mark.parametrize(
    ("matrix", "kind", "word"),
    [
        (A @ np.diag([1.1, 1, 1, 1]), "RIGID", "called RIGID"),
        (A + np.eye(4, k=1) * [0, 0.1, 0.1, 0], "RIGID_SCALE", "shears"),
        (MIRROR, "AFFINE", "mirrors"),
        (np.zeros((4, 4)) + np.diag([0, 0, 0, 1.0]), "AFFINE", "mirrors or flattens"),
        (np.diag([3.0, 1, 1, 1]), "AFFINE", "scales by"),
        (LAST_ROW, "RIGID", "last row"),
        (FAR, "RIGID", "moves by 9000"),
        (np.eye(4), "MAGIC", "its type is not"),
        (np.eye(4)[:3], "RIGID", "12 values"),
    ],
)
def test_implausible_matrices_are_refused(matrix: np.ndarray, kind: str, word: str) -> None:
    """What is not of its type, mirrors, scales beyond reason or is incomplete is refused."""
    with pytest.raises(DataRefused, check=has_reason("registration_matrix_unusable")) as caught:
        read_spatial_registration(registration([("1.2", [matrix_item(matrix, kind)])]))
    assert word in caught.value.reason.values["why"]


def test_contradictions_are_refused() -> None:
    """Two different statements about one frame, or a moved registered frame, are refused."""
    twice = registration([("1.2", [matrix_item(A)]), ("1.2", [matrix_item(B)])])
    moved = registration([("1.1", [matrix_item(A)])])
    for dataset in (twice, moved):
        with pytest.raises(DataRefused) as caught:
            read_spatial_registration(dataset)
        contradictions = ("registration_matrices_contradict", "registration_sequences_contradict")
        assert caught.value.code in contradictions
    same = registration([("1.2", [matrix_item(A)]), ("1.2", [matrix_item(A)])])
    assert read_spatial_registration(same).connects("1.1", "1.2")


def deformable(pre: np.ndarray, post: np.ndarray, vectors: np.ndarray) -> Dataset:
    item, grid = Dataset(), Dataset()
    item.SourceFrameOfReferenceUID = "1.2"
    item.PreDeformationMatrixRegistrationSequence = Sequence([matrix_item(pre)])
    item.PostDeformationMatrixRegistrationSequence = Sequence([matrix_item(post)])
    grid.ImagePositionPatient = [-50, -60, -70]
    grid.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    grid.GridDimensions = list(vectors.shape[2::-1])
    grid.GridResolution = [10.0, 20.0, 30.0]
    grid.VectorGridData = vectors.astype("<f4").tobytes()
    item.DeformableRegistrationGridSequence = Sequence([grid])
    dataset = Dataset()
    dataset.SOPClassUID = DEFORMABLE_SPATIAL_REGISTRATION_STORAGE
    dataset.FrameOfReferenceUID = "1.1"
    dataset.DeformableRegistrationSequence = Sequence([item])
    return dataset


def test_a_deformation_follows_the_standard_at_its_grid_points() -> None:
    """A grid point x goes to post(pre x + its vector); outside of the grid to post(pre x)."""
    vectors = np.random.default_rng(1).normal(0, 3, (6, 7, 11, 3))
    read = read_spatial_registration(deformable(A, B, vectors))
    transform = read.transform("1.1", "1.2")
    for i, j, k in ((3, 2, 1), (0, 5, 4), (9, 1, 2)):
        point = (-50 + 10.0 * i, -60 + 20.0 * j, -70 + 30.0 * k)
        moved = apply(A, point) + vectors[k, j, i]
        expected = apply(B, tuple(moved))
        assert np.allclose(transform.TransformPoint(point), expected, atol=1e-4)
    outside = (900.0, 0.0, 0.0)
    assert np.allclose(transform.TransformPoint(outside), apply(B @ A, outside), atol=1e-6)
    with pytest.raises(DataRefused, check=has_reason("deformation_direction_reversed")):
        read.transform("1.2", "1.1")


def test_a_damaged_grid_and_other_objects_are_refused(shared_data: Path) -> None:
    """A grid with too few vectors, and a file that is no registration, are refused."""
    damaged = deformable(A, B, np.zeros((3, 3, 3, 3)))
    item = damaged.DeformableRegistrationSequence[0]
    item.DeformableRegistrationGridSequence[0].GridDimensions = [3, 3, 4]
    with pytest.raises(DataRefused, check=has_reason("deformation_grid_unreadable")):
        read_spatial_registration(damaged)
    with pytest.raises(DataRefused, check=has_reason("not_a_registration_object")):
        read_spatial_registration(shared_data / "rt_rtutils_sample_phantom" / "rt.dcm")


@pytest.mark.parametrize(
    "keyword",
    [
        "DeformableRegistrationGridSequence",
        "PreDeformationMatrixRegistrationSequence",
        "PostDeformationMatrixRegistrationSequence",
    ],
)
def test_what_a_deformation_says_twice_is_refused(keyword: str) -> None:
    """The standard allows one item; of two the first does not count in silence."""
    twice = deformable(np.eye(4), np.eye(4), np.zeros((3, 3, 3, 3)))
    item = twice.DeformableRegistrationSequence[0]
    item[keyword].value.append(item[keyword].value[0])
    with pytest.raises(
        DataRefused, check=has_reason("registration_item_repeated", keyword=keyword)
    ):
        read_spatial_registration(twice)
