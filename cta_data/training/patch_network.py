"""Networks that tell patches with a metastasis from those without: made, trained, asked.

On a CPU the same seed gives the same numbers: one thread, and torch's repeatable operations. The
weights of the last epoch are used; nothing is chosen by the test patches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cta_data.memory import lift_memory_bound

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("resnet18", "resnet34", "resnet50", "seresnet18", "vgg16", "vgg19")
"""Of dynamic_network_architectures, in three dimensions; `se` adds squeeze and excitation."""
EDGE_STEP = 32
"""Networks halve a patch five times, without a remainder."""
WEIGHT_DECAY = 0.01


@dataclass(frozen=True)
class Learning:
    """How a network learns.

    AdamW with a learning rate that falls along a cosine; patches are mirrored at random along each
    axis. A last batch of one patch is left out: its mean is no mean.
    """

    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 1e-3


@dataclass(frozen=True)
class Learnt:
    """Probability of a metastasis for each test patch, and the mean loss of each epoch."""

    probabilities: NDArray[np.float64]
    losses: tuple[float, ...]


def make_network(architecture: str, channels: int) -> torch.nn.Module:
    """Return a network of two classes with weights as torch's random numbers are now."""
    from dynamic_network_architectures.architectures.resnet import ResNetD
    from dynamic_network_architectures.architectures.vgg import VGG

    kind = architecture.rstrip("0123456789")
    depth = architecture.removeprefix(kind)
    network: torch.nn.Module
    if kind == "vgg":
        network = VGG(2, channels, config=depth, input_dimension=3)
    else:
        excitation = kind == "seresnet"
        network = ResNetD(2, channels, depth, input_dimension=3, squeeze_excitation=excitation)
    return network


def learn(
    architecture: str,
    patches: NDArray[np.float16],
    has_metastasis: NDArray[np.bool_],
    test: NDArray[np.float16],
    how: Learning,
    seed: int,
    device: str = "cpu",
) -> Learnt:
    """Train a network and ask it about the test patches.

    Parameters
    ----------
    patches, test
        (patches, channels, edge, edge, edge).
    """
    import torch

    with repeatable(seed, device):
        network = make_network(architecture, patches.shape[1]).to(device)
        values = torch.from_numpy(patches).to(device)
        truth = torch.from_numpy(has_metastasis.astype(np.int64)).to(device)
        losses = tuple(train_epochs(network, values, truth, how, seed))
        network.eval()
        with torch.inference_mode():
            parts = [
                network(part.to(device).float()).reshape(-1, 2).softmax(1)[:, 1].cpu()
                for part in torch.from_numpy(test).split(how.batch_size)
            ]
    return Learnt(torch.cat(parts).numpy().astype(np.float64), losses)


def train_epochs(
    network: torch.nn.Module,
    values: torch.Tensor,
    truth: torch.Tensor,
    how: Learning,
    seed: int,
    told: Callable[[int], None] = lambda epoch: None,
) -> Iterator[float]:
    """Train, and yield the mean loss of each epoch."""
    import torch

    optimizer = torch.optim.AdamW(
        network.parameters(), lr=how.learning_rate, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, how.epochs))
    generator = np.random.default_rng(seed)
    network.train()
    for epoch in range(how.epochs):
        total, count = torch.zeros((), device=values.device), 0
        for batch in _batches(len(values), how.batch_size, generator):
            mirrored = [axis + 2 for axis in range(3) if generator.random() < 0.5]
            index = torch.from_numpy(batch).to(values.device)
            inputs = torch.flip(values[index].float(), mirrored)
            loss = torch.nn.functional.cross_entropy(network(inputs).reshape(-1, 2), truth[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            # Added on the device: to read it for every batch would wait for the device.
            total += loss.detach() * len(batch)
            count += len(batch)
        schedule.step()
        told(epoch)
        yield float(total) / max(1, count)


def _batches(count: int, size: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = generator.permutation(count)
    for start in range(0, count, size):
        batch = order[start : start + size]
        if len(batch) > 1:
            yield batch


@contextmanager
def repeatable(seed: int, device: str) -> Iterator[None]:
    """Have torch give the same numbers for the same seed meanwhile, on a CPU with one thread."""
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    cpu_state: Any = torch.get_rng_state()
    torch.manual_seed(seed)
    if device == "cpu":
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
    else:
        lift_memory_bound()
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.set_rng_state(cpu_state)
