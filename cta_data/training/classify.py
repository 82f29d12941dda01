"""Classify: one network with one input and one seed tells test patches apart, a unit each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from cta_data.engine import Blocked, Outcome, Selection, Step, Unit, UnitId, Workspace
from cta_data.engine.inputs import Files
from cta_data.engine.sessions import Upstream, make_unit
from cta_data.errors import ConfigurationError, DataRefused
from cta_data.files import finite
from cta_data.pipeline.patches import STEP as PLACES
from cta_data.pipeline.patches import PatchGrid, assigned_sessions, channel_space
from cta_data.reasons import Reason
from cta_data.scoring.statistics.classification import count_classes
from cta_data.study import layout
from cta_data.study.patch_inputs import GRID, INPUTS, QUALITY
from cta_data.study.study import Study
from cta_data.training.patch_cuts import CutInputs, patches_of
from cta_data.training.patch_network import ARCHITECTURES, EDGE_STEP, Learning
from cta_data.versioning.software import software_versions

VERSION = 1
STEP = "classify"
_LIBRARIES = ("torch", "dynamic_network_architectures")
LIKELY = 0.5
"""Probability from which on a patch is said to hold a metastasis."""


@dataclass(frozen=True)
class PatchExperiment:
    """Which networks learn from which inputs, with how many seeds (from 0), and how."""

    architectures: tuple[str, ...] = ("resnet18", "resnet34", "seresnet18")
    inputs: tuple[str, ...] = tuple(INPUTS)
    seeds: int = 5
    grid: PatchGrid = PatchGrid(32, 1.0)
    learning: Learning = Learning()

    def require_known(self) -> None:
        """Refuse names that are not known or given twice, and patches that cannot be halved.

        Raises
        ------
        ConfigurationError
            With what can be chosen.
        """
        if self.grid.edge % EDGE_STEP:
            raise ConfigurationError("patch_edge_not_divisible", edge=self.grid.edge)
        for kind, named, known in (
            ("architecture", self.architectures, ARCHITECTURES),
            ("input", self.inputs, tuple(INPUTS)),
        ):
            wrong = [n for n in named if n not in known or named.count(n) > 1]
            if wrong:
                raise ConfigurationError(
                    "patch_option_unknown", kind=kind, name=wrong[0], known=known
                )

    @property
    def runs(self) -> list[tuple[str, str, int]]:
        """Architecture, input and seed of every run."""
        return [
            (architecture, name, seed)
            for architecture in self.architectures
            for name in self.inputs
            for seed in range(self.seeds)
        ]


@dataclass(frozen=True)
class ClassifyInputs:
    """What a run depends on. On what machine it is trained is not part of it."""

    architecture: str
    input: str
    seed: int
    learning: Mapping[str, Any]
    cuts: CutInputs


def network_name(architecture: str, name: str) -> str:
    """Return the name of an architecture with an input."""
    return f"{architecture}_{name}"


def classify_step(experiment: PatchExperiment, device: str) -> Step:
    """Return the step that trains every network and has it tell the test patches apart."""
    return Step(STEP, partial(_plan, experiment), partial(run, device=device), lambda unit: {})


def _plan(
    experiment: PatchExperiment, study: Study, selection: Selection
) -> Iterator[Unit | Blocked]:
    cuts = {name: _cut_inputs(study, name, experiment.grid) for name in experiment.inputs}
    for architecture, name, seed in experiment.runs:
        unit = UnitId(STEP, model=network_name(architecture, name), fold=seed)
        own = cuts[name]
        if isinstance(own, Reason):
            yield Blocked(unit, VERSION, own)
            continue
        learning = asdict(experiment.learning)
        given = ClassifyInputs(architecture, name, seed, learning, own)
        yield make_unit(study, unit, VERSION, given)


def _cut_inputs(study: Study, name: str, grid: PatchGrid) -> CutInputs | Reason:
    """Return what the patches of an input are cut from, of all sessions that have places."""
    upstream = Upstream(study)
    choice = study.configuration.evaluation
    found: dict[str, dict[Any, str]] = {
        kind: {} for kind in ("places", "labels", "brain", "image", "transform")
    }
    spaces: dict[str, tuple[str, ...]] = {}
    partitions = set()
    for session, assignment in assigned_sessions(study, upstream):
        label = upstream.variant(session, QUALITY, GRID, choice)
        if isinstance(label, Reason) or upstream.blocked_by(session, PLACES):
            continue
        case = session.case
        rows = [channel_space(upstream, session, channel) for channel in INPUTS[name]]
        own = [row for row in rows if not isinstance(row, Reason)]
        if len(own) < len(rows):
            continue  # the step before told why
        partitions.add(assignment.partition)
        spaces[case] = tuple(space for space, _ in own)
        found["places"][case] = layout.patch_places(case)
        found["labels"][case] = label.labels_path
        found["brain"][case] = layout.brain_mask(session, upstream.images(session)[GRID].path)
        for channel, (_, image) in zip(INPUTS[name], own, strict=True):
            found["image"][case, channel.name] = image.path
        needed = {GRID, study.configuration.registration.reference, *spaces[case]}
        for row in upstream.transforms(session):
            if {row.fixed, row.moving} <= needed:
                found["transform"][case, f"{row.fixed}>{row.moving}"] = row.path
    missing = [p for p in ("train", "test") if p not in partitions]
    if missing:
        return Reason("patch_sessions_missing", partition=" or ".join(missing))
    files = {kind: Files(paths) for kind, paths in found.items()}
    channels = tuple(channel.name for channel in INPUTS[name])
    return CutInputs(channels, grid.edge, grid.spacing_mm, spaces, **files)


def run(unit: Unit[ClassifyInputs], workspace: Workspace, *, device: str) -> Outcome:
    """Train one network, have it tell the test patches apart, and keep what came of it.

    Raises
    ------
    DataRefused
        Training or test patches of both kinds are not there, or a file cannot be read.
    """
    from cta_data.training.patch_network import learn

    given = unit.given
    patches = patches_of(given.cuts, unit.keys, workspace)
    trains, tests = ~patches.is_test, patches.is_test
    for partition, chosen in (("training", trains), ("test", tests)):
        kinds = set(patches.has_metastasis[chosen].tolist())
        if kinds != {True, False}:
            raise DataRefused("patches_of_one_kind", where=given.input, partition=partition)
    how = Learning(**given.learning)
    started = time.perf_counter()
    truth = patches.has_metastasis
    learnt = learn(
        given.architecture,
        patches.values[trains],
        truth[trains],
        patches.values[tests],
        how,
        given.seed,
        device,
    )
    seconds = time.perf_counter() - started
    counts = count_classes(truth[tests], learnt.probabilities >= LIKELY)
    names = [name for name, is_test in zip(patches.names, tests.tolist(), strict=True) if is_test]
    content = {
        "architecture": given.architecture,
        "input": given.input,
        "channels": given.cuts.channels,
        "seed": given.seed,
        "learning": asdict(how),
        "edge": given.cuts.edge,
        "spacing_mm": given.cuts.spacing_mm,
        "unit_key": unit.key,
        "files": {one.role: one.key for one in unit.inputs},
        "software": software_versions() | {name: version(name) for name in _LIBRARIES},
        "n_training": _both_kinds(truth[trains]),
        "n_test": _both_kinds(truth[tests]),
        "counts": asdict(counts),
        "f1": finite(counts.f1),
        "sensitivity": finite(counts.sensitivity),
        "precision": finite(counts.precision),
        "losses": learnt.losses,
        "test": dict(zip(names, learnt.probabilities.tolist(), strict=True)),
    }
    place = layout.patch_run(unit.id.model, given.seed)
    workspace.write_json(place, content)
    n = len(learnt.losses) * int(trains.sum())
    return Outcome(notes=[f"F1 {counts.f1:.3f}, {n / max(seconds, 1e-9):.1f} patches a second"])


def _both_kinds(truth: Any) -> dict[str, int]:
    return {"with": int(truth.sum()), "without": int((~truth).sum())}


def run_paths(experiment: PatchExperiment) -> Sequence[str]:
    """Return where the results of all runs of an experiment lie, in their order."""
    return [layout.patch_run(network_name(a, name), seed) for a, name, seed in experiment.runs]
