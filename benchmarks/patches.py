"""Throughput of the networks for patches against a plain loop of torch, on the same patches.

Run ``python benchmarks/patches.py [--patches 48] [--repeats 3]``. Both train a ResNet-18 for one
epoch on one thread, in turn; what counts is the ratio of the best times (1 is as fast).
"""

from __future__ import annotations

import argparse
import time

import numpy as np

BATCH = 16


def main() -> None:
    """Time both, and print patches a second and their ratio."""
    import torch

    from cta_data.training.patch_network import Learning, make_network, repeatable, train_epochs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    generator = np.random.default_rng(0)
    values = torch.from_numpy(generator.normal(size=(asked.patches, 1, 32, 32, 32)))
    values, truth = values.half(), torch.arange(asked.patches) % 2
    full = values.float()

    def plain() -> None:
        network = make_network("resnet18", 1).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
        for start in range(0, len(full), BATCH):
            part = full[start : start + BATCH]
            loss = torch.nn.functional.cross_entropy(network(part), truth[start : start + BATCH])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def ours() -> None:
        list(train_epochs(make_network("resnet18", 1), values, truth, Learning(1, BATCH), 0))

    torch.set_num_threads(1)
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(asked.repeats + 1):
        start = time.perf_counter()
        plain()
        times["plain"].append(time.perf_counter() - start)
        with repeatable(0, "cpu"):
            start = time.perf_counter()
            ours()
            times["ours"].append(time.perf_counter() - start)
    best = {name: min(seconds[1:]) for name, seconds in times.items()}
    for name, seconds in best.items():
        print(f"{name}: {asked.patches / seconds:.1f} patches a second")
    print(f"ratio: {best['plain'] / best['ours']:.2f}")


if __name__ == "__main__":
    main()
