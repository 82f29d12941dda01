"""A model in HD-BET's format, small enough to be trained in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

SPACING_MM = 4.0
STEPS = 40
CONFIGURATION = "3d_fullres"
_NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
_IMPORTED = ["conv_op", "norm_op", "dropout_op", "nonlin"]
_ARGUMENTS: dict[str, Any] = {
    "n_stages": 3,
    "features_per_stage": [8, 16, 32],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [1, 1, 1],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


def train_tiny_model(folder: Path, image: sitk.Image, brain: sitk.Image, trainer: str) -> None:
    """Train on one image of 4 mm and write dataset.json, plans.json and a checkpoint."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = get_network_from_plans(_NETWORK, _ARGUMENTS, _IMPORTED, 1, 2, deep_supervision=False)
    values, labels = (
        sitk.GetArrayFromImage(sitk.DICOMOrient(one, "RAS")) for one in (image, brain)
    )
    box = tuple(slice(0, n // 8 * 8) for n in values.shape)
    scaled = (values - values.mean()) / values.std()
    given = torch.tensor(scaled[box].astype(np.float32))[None, None]
    wanted = torch.tensor(labels[box].astype(np.int64))[None]
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(STEPS):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(given), wanted).backward()
        optimiser.step()
    torch.set_num_threads(threads)
    (folder / "fold_all").mkdir(parents=True)
    checkpoint = {
        "network_weights": network.state_dict(),
        "trainer_name": trainer,
        "init_args": {"configuration": CONFIGURATION},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_all" / "checkpoint_final.pth")
    (folder / "dataset.json").write_text(json.dumps(_dataset()), "utf-8")
    patch = [slice_.stop for slice_ in box]
    (folder / "plans.json").write_text(json.dumps(_plans(patch)), "utf-8")


def _dataset() -> dict[str, Any]:
    return {
        "channel_names": {"0": "T1"},
        "labels": {"background": 0, "brain": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }


def _plans(patch: list[int]) -> dict[str, Any]:
    resampling = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    return {
        "dataset_name": "Dataset001_Tiny",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {
            CONFIGURATION: {
                "data_identifier": "tiny",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 1,
                "patch_size": patch,
                "spacing": [SPACING_MM] * 3,
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": resampling,
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_seg_kwargs": resampling | {"is_seg": True},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": resampling,
                "architecture": {
                    "network_class_name": _NETWORK,
                    "arch_kwargs": _ARGUMENTS,
                    "_kw_requires_import": _IMPORTED,
                },
            }
        },
    }
