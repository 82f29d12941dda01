"""Checkpoints are read without executing anything that is in them."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
from helpers.checkpoint_files import (
    NEEDS_TRAINING,
    Malicious,
    checkpoint,
    write_checkpoint,
)
from helpers.refusals import has_reason
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cta_data.errors import DataRefused
from cta_data.training.nnunet.checkpoints import NEEDED, read_checkpoint

pytestmark = NEEDS_TRAINING


def test_a_checkpoint_is_read_whole(tmp_path: Path) -> None:
    """Weights come back bit for bit, and plain and numpy values as they were."""
    import torch

    found = read_checkpoint(write_checkpoint(tmp_path / "c.pth"))
    written = checkpoint()
    weights = "network_weights"
    assert found.keys() == written.keys()
    assert torch.equal(found[weights]["layer.weight"], written[weights]["layer.weight"])
    for key in written.keys() - {weights}:
        assert found[key] == written[key]


@pytest.mark.parametrize("place", ["network_weights", "logging", "something_else"])
def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path, place: str) -> None:
    """An object that would write a file when it is loaded is refused, and no file is written."""
    target = tmp_path / "written"
    path = write_checkpoint(tmp_path / "bad.pth", **{place: {"x": Malicious(target)}})
    with pytest.raises(DataRefused) as caught:
        read_checkpoint(path)
    assert not target.exists()
    error = caught.value
    assert error.what == "the checkpoint holds more than weights"
    assert error.where == "bad.pth"
    assert "system" in error.why
    assert "nothing was executed" in error.why
    assert error.next_step


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_bare_pickle_is_not_executed(tmp_path: Path, protocol: int) -> None:
    """A pickle of any protocol without torch's archive is refused, and nobody is told to trust it.

    What torch prints advises to load it without the restriction.
    """
    target = tmp_path / "written"
    path = tmp_path / "bad.pth"
    path.write_bytes(pickle.dumps({"init_args": Malicious(target)}, protocol=protocol))
    with pytest.raises(DataRefused) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_checkpoint(path)
    assert not target.exists()
    assert "weights_only" not in str(caught.value)


def test_the_malicious_object_is_one(tmp_path: Path) -> None:
    """Loaded without a restriction, the object of these tests does write its file."""
    import torch

    target = tmp_path / "written"
    path = write_checkpoint(tmp_path / "bad.pth", logging=Malicious(target))
    torch.load(path, weights_only=False)
    assert target.exists()


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.7, 0.99])
def test_a_truncated_checkpoint_says_so(tmp_path: Path, kept: float) -> None:
    """Wherever a copy was cut off, the message says that it is damaged and what to do."""
    path = write_checkpoint(tmp_path / "cut.pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DataRefused) as caught:
        read_checkpoint(path)
    assert caught.value.where == "cut.pth"
    assert "truncated" in caught.value.why
    assert "again" in caught.value.next_step


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that is well."""
    return write_checkpoint(tmp_path_factory.mktemp("one") / "c.pth")


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damage_anywhere_is_refused_or_harmless(
    whole: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever bytes are changed, the answer is the content or a refusal, never another error."""
    damaged = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.pth"
    path.write_bytes(bytes(damaged))
    try:
        found = read_checkpoint(path)
    except DataRefused as error:
        assert error.where == "damaged.pth"
    else:
        assert all(name in found for name in NEEDED)


@pytest.mark.parametrize("content", [b"", b"\x80\x02.", b"hello", b"PK\x03\x04", bytes(1000)])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that was never a checkpoint is refused by name."""
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(DataRefused) as caught:
        read_checkpoint(path)
    assert caught.value.where == "other.pth"


@pytest.mark.parametrize("lacking", NEEDED)
def test_a_checkpoint_without_a_needed_part_is_none(tmp_path: Path, lacking: str) -> None:
    """Weights of something else are refused, and the message names what lacks."""
    path = write_checkpoint(tmp_path / "part.pth", **{lacking: None})
    with pytest.raises(DataRefused, check=has_reason("not_an_nnunet_checkpoint")) as caught:
        read_checkpoint(path)
    assert lacking in caught.value.why


@pytest.mark.parametrize("content", [[1, 2], "text", 5])
def test_what_is_no_mapping_is_none(tmp_path: Path, content: object) -> None:
    """A file that torch reads and that holds something else is refused, too."""
    import torch

    torch.save(content, tmp_path / "list.pth")
    with pytest.raises(DataRefused, check=has_reason("not_an_nnunet_checkpoint")):
        read_checkpoint(tmp_path / "list.pth")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    """A file that is not there is told from one that is damaged; so is a folder."""
    with pytest.raises(DataRefused, check=has_reason("checkpoint_not_found")):
        read_checkpoint(tmp_path / "gone.pth")
    with pytest.raises(DataRefused, check=has_reason("checkpoint_unreadable")):
        read_checkpoint(tmp_path)


def test_a_checkpoint_that_inflates_is_refused(tmp_path: Path) -> None:
    """PyTorch stores weights as they are; packed ones would take what they like."""
    path = write_checkpoint(tmp_path / "c.pth")
    with (
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in source.namelist():
            packed.writestr(name, source.read(name) + bytes(1 << 20))
    with pytest.raises(DataRefused, check=has_reason("checkpoint_compressed")):
        read_checkpoint(tmp_path / "packed.pth")
