"""A trainer of one's own: found, checked, trained with, recorded, and predicted with."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.refusals import has_reason
from helpers.tiny_training_set import environment_of, job_of, write_training_set

from cta_data.errors import ConfigurationError
from cta_data.study.configuration import Setting, TrainingSection
from cta_data.training.models import Model
from cta_data.training.nnunet.own_trainer import FOLDERS, find_trainer, load_trainer
from cta_data.training.nnunet.process import run_job

pytestmark = [pytest.mark.train, pytest.mark.thorough]
pytest.importorskip("nnunetv2", reason="needs the extra `train`")

WIDER = """
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

class WiderTrainer(nnUNetTrainer):
    @staticmethod
    def build_network_architecture(plans_manager, configuration_manager, num_input_channels,
                                   num_output_channels, enable_deep_supervision=True):
        network = nnUNetTrainer.build_network_architecture(
            plans_manager, configuration_manager, num_input_channels, num_output_channels,
            enable_deep_supervision)
        network.own_layer = nn.Conv3d(1, 1, 1)
        return network

class NoTrainer:
    pass

class OtherTrainer(nnUNetTrainer):
    def __init__(self, folder):
        pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with trainers, known to nnU-Net."""
    made = tmp_path / "trainers" / "own"
    made.mkdir(parents=True)
    (made / "wider_trainer_of_a_test.py").write_text(WIDER, "utf-8")
    (made / "broken_trainer_of_a_test.py").write_text("import absent\nclass Broken: ...\n", "utf-8")
    monkeypatch.setenv(FOLDERS, str(made.parent))
    monkeypatch.syspath_prepend(str(made))
    return made


def test_trainers_are_found_as_nnunet_finds_them(folder: Path) -> None:
    """In nnU-Net's package, in the folders of its environment variable, or in a named module."""
    own = find_trainer("nnUNetTrainer")
    assert own.module == "nnunetv2.training.nnUNetTrainer.nnUNetTrainer"
    assert find_trainer("nnUNetTrainer_250epochs").module.startswith("nnunetv2.training.")
    wider = find_trainer("WiderTrainer")
    assert (wider.module, wider.folder) == ("own.wider_trainer_of_a_test", str(folder.parent))
    named = find_trainer("wider_trainer_of_a_test:WiderTrainer")
    assert named.file == folder / "wider_trainer_of_a_test.py"
    assert named.told().keys() == {"name", "module", "sha256"}
    for name in ("AbsentTrainer", "absent.module:WiderTrainer", "wider_trainer_of_a_test:Absent"):
        with pytest.raises(ConfigurationError, check=has_reason("trainer_not_found")):
            find_trainer(name)


def test_a_class_that_is_no_trainer_is_refused(folder: Path) -> None:
    """No subclass of nnU-Net's, a constructor of its own, or a module that does not import."""
    assert load_trainer("WiderTrainer").__name__ == "WiderTrainer"
    for name in ("NoTrainer", "OtherTrainer", "Broken"):
        with pytest.raises(ConfigurationError, check=has_reason("trainer_unsuitable", name=name)):
            load_trainer(name)


def test_a_model_of_another_trainer_is_another_model() -> None:
    """Its name and folder differ, as any nnU-Net expects them, so that both are kept."""
    setting = Setting(technique="SPACE", quality="HAQ", dataset_id=503)
    plain = TrainingSection()
    own = TrainingSection(trainer="my_package.trainers:WiderTrainer")
    models = [
        Model.of("C", setting, one.configuration, one.planner, one.trainer) for one in (plain, own)
    ]
    assert [model.name for model in models] == ["C", "C-WiderTrainer"]
    assert models[1].folder.endswith("/WiderTrainer__nnUNetPlans__3d_fullres")
    assert Model.of("C", setting, "3d_fullres", own.planner, "nnUNetTrainer_5epochs").name == (
        "C-5epochs"
    )


@pytest.mark.parametrize("name", ["", "a b", "../x", "module:", ":Name", "_x"])
def test_a_name_that_cannot_be_a_class_is_refused(name: str) -> None:
    """Names become folders."""
    with pytest.raises(ValueError, match="trainer"):
        TrainingSection(trainer=name)


@pytest.mark.slow
def test_it_trains_with_seeds_and_predicts_with_its_own_network(
    folder: Path, tmp_path: Path
) -> None:
    """Twice the same weights; the checkpoint bears its name; prediction builds its network."""
    import torch  # here: a process that only collects this file would load it, too

    write_training_set(tmp_path)
    found = []
    for name in ("first", "second"):
        job = job_of(tmp_path, name, trainer="WiderTrainer", epochs=2)
        done = run_job("train", job, tmp_path / f"{name}.jobs", environment_of(job))
        found.append(Path(done["fold_folder"]))
        assert done["trainer"]["name"] == "WiderTrainer"
    once, again = ((fold / "checkpoint_final.pth").read_bytes() for fold in found)
    assert once == again
    assert found[0].parent.name == "WiderTrainer__nnUNetPlans__3d_fullres"
    content = torch.load(found[0] / "checkpoint_final.pth", weights_only=False)
    assert content["trainer_name"] == "WiderTrainer"
    assert any(name.startswith("own_layer") for name in content["network_weights"])
    model = found[0].parent
    image = str(tmp_path / "raw" / job["dataset"] / "imagesTr" / "c4_0000.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    wanted = {
        "model": str(model),
        "folds": ["0"],
        "trainer": "WiderTrainer",
        "lesion_values": [1],
        "cases": [{"case": "c4", "images": [image], "output": str(out)}],
        "device": "cpu",
        "mirroring": False,
        "tile_step": 1.0,
        "probabilities": False,
    }
    done = run_job("predict", wanted, tmp_path / "predict", environment_of(job))
    assert done["failed"] == {} and (out / "c4.nii.gz").is_file()
