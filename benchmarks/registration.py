"""Registration side by side: CPU time and target registration error on digital patients.

Run ``python benchmarks/registration.py [--voxel 1] [--patients 1] [--shared FOLDER]``. Peers:
SimpleITK as it is commonly used, and elastix, ANTs and greedy where ``itk`` (itk-elastix), ``ants``
and ``picsl_greedy`` can be imported; they need other versions than this package, so install them
into a folder of their own and name it in PYTHONPATH. All methods see the same images in one run;
CPU seconds are of the whole process. With the real data of the tests, the mutual information of our
transform is put beside that of the publishers' transform.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from registration_cases import PAIRS, Case, patient_of, plain_case

from cta_data.formats.nifti.image import read_image
from cta_data.imaging.registration.quality import assess_transform
from cta_data.imaging.registration.register import RegistrationSettings, register_images

PointMap = Callable[[np.ndarray], np.ndarray]
Method = Callable[[sitk.Image, sitk.Image], PointMap]
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def ours(kind: str) -> Method:
    """Our registration of one kind."""

    def run(fixed: sitk.Image, moving: sitk.Image) -> PointMap:
        result = register_images(fixed, moving, RegistrationSettings(kind=kind))
        if not result.accepted:
            print("   rejected:", "; ".join(result.reasons))
        return point_map(result.transform)

    return run


def simpleitk_recipe(fixed: sitk.Image, moving: sitk.Image) -> PointMap:
    """SimpleITK as commonly used: Mattes, 10 % of samples, regular steps, shrink 4/2/1.

    Gradient descent with 1 % of samples and a convergence window of 10 was tried first: it ended
    further away than it began on MPRAGE to SPACE, and would be no fair peer.
    """
    a, b = (sitk.Cast(image, sitk.sitkFloat32) for image in (fixed, moving))
    start = sitk.CenteredTransformInitializer(
        a, b, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 200)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=False)
    return point_map(method.Execute(a, b))


def elastix(fixed: sitk.Image, moving: sitk.Image) -> PointMap:
    """Rigid, then affine, with elastix' default parameter maps."""
    itk = importlib.import_module("itk")
    with tempfile.TemporaryDirectory() as folder:
        a, b = (itk.imread(name, itk.F) for name in written(folder, fixed, moving))
    parameters = itk.ParameterObject.New()
    for kind in ("rigid", "affine"):
        parameters.AddParameterMap(parameters.GetDefaultParameterMap(kind))
    method = itk.ElastixRegistrationMethod.New(a, b, parameter_object=parameters)
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    transform = method.GetCombinationTransform()
    return lambda points: np.array([list(transform.TransformPoint(p)) for p in points.tolist()])


def ants_affine(fixed: sitk.Image, moving: sitk.Image) -> PointMap:
    """antsRegistration by antspyx, type Affine, as it comes."""
    ants = importlib.import_module("ants")
    with tempfile.TemporaryDirectory() as folder:
        a, b = (ants.image_read(name) for name in written(folder, fixed, moving))
        found = ants.registration(a, b, type_of_transform="Affine", outprefix=f"{folder}/a")
        return point_map(sitk.ReadTransform(found["fwdtransforms"][0]))


def greedy_affine(fixed: sitk.Image, moving: sitk.Image) -> PointMap:
    """greedy -a, normalised mutual information, 100x50x10 iterations, from the images' centres."""
    greedy = importlib.import_module("picsl_greedy").Greedy3D()
    with tempfile.TemporaryDirectory() as folder:
        a, b = written(folder, fixed, moving)
        out = f"{folder}/affine.mat"
        greedy.execute(
            f"-d 3 -a -m NMI -i {a} {b} -o {out} -n 100x50x10 -ia-image-centers", out=io.StringIO()
        )
        ras = np.loadtxt(out)
    matrix, offset = LPS_TO_RAS @ ras[:3, :3] @ LPS_TO_RAS, LPS_TO_RAS @ ras[:3, 3]
    return lambda points: np.asarray(points @ matrix.T + offset)


def written(folder: str, *images: sitk.Image) -> list[str]:
    """Write images as NIfTI; return their names."""
    names = [str(Path(folder) / f"{n}.nii") for n in range(len(images))]
    for image, name in zip(images, names, strict=True):
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32), name)
    return names


def point_map(transform: sitk.Transform) -> PointMap:
    """A transform as a function of points (n, 3), LPS mm."""
    return lambda points: np.array([transform.TransformPoint(p) for p in points.tolist()])


def methods() -> dict[str, Method]:
    """Ours and every peer that can be imported; the others are named."""
    found: dict[str, Method] = {
        "cta_data rigid": ours("rigid"),
        "cta_data affine": ours("affine"),
        "SimpleITK 10 %, rigid": simpleitk_recipe,
    }
    for name, module, method in (
        ("elastix rigid + affine", "itk", elastix),
        ("ANTs affine", "ants", ants_affine),
        ("greedy affine", "picsl_greedy", greedy_affine),
    ):
        if importlib.util.find_spec(module):
            importlib.import_module(module)  # so that its time is not counted
            found[name] = method
        else:
            print(f"{name}: skipped, {module} is not installed")
    return found


def run_pair(number: int, case: Case, found: dict[str, Method]) -> None:
    """Print a line a method."""
    for name, method in found.items():
        start = time.process_time()
        mapping = method(case.fixed, case.moving)
        seconds = time.process_time() - start
        assert case.truth is not None
        errors = np.linalg.norm(case.truth - mapping(case.points), axis=1)
        print(
            f"{number:>7} {case.pair:<13} {name:<24} {seconds:>6.1f} "
            f"{errors.mean():>8.3f} {errors.max():>7.3f}",
            flush=True,
        )


def against_publishers(folder: Path) -> None:
    """Normalised mutual information of ours and of the publishers' transform, T1W to FLAIR."""
    for visit in (1, 2):
        fixed, moving = (read_image(folder / f"study{visit}_{t}.nii.gz") for t in ("FLAIR", "T1W"))
        theirs = sitk.ReadTransform(str(folder / f"study{visit}_T1W_intrastudy_to_FLAIR.txt"))
        line = [f"publishers {assess_transform(fixed, moving, theirs).nmi:.4f}"]
        for kind in ("rigid", "affine"):
            result = register_images(fixed, moving, RegistrationSettings(kind=kind))
            told = "" if result.accepted else f" (rejected: {'; '.join(result.reasons)})"
            ours_nmi = assess_transform(fixed, moving, result.transform).nmi
            line.append(f"cta_data {kind} {ours_nmi:.4f}{told}")
        print(f"openms p12 visit {visit}, T1W to FLAIR, NMI: {', '.join(line)}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxel", type=float, default=1.0, help="voxel size in mm")
    parser.add_argument("--patients", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=os.environ.get("CTA_SHARED_DATA"))
    arguments = parser.parse_args()
    found = methods()
    print(f"{'patient':>7} {'pair':<13} {'method':<24} {'CPU s':>6} {'mean mm':>8} {'max mm':>7}")
    for seed in range(2, 2 + 2 * arguments.patients, 2):
        patient = patient_of(seed, arguments.voxel)
        for fixed, moving in PAIRS:
            run_pair(seed, plain_case(patient, fixed, moving), found)
    data = Path(arguments.shared or "") / "nii_openms_p12/raw/patient12"
    if arguments.shared and data.is_dir():
        against_publishers(data)
    else:
        print("real data: skipped, it is not here (CTA_SHARED_DATA)")


if __name__ == "__main__":
    main()
