"""The consensus of one session: of each quality that several readers delineated, by each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cc3d
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from cta_data.engine import Outcome, Unit, Workspace, content_key
from cta_data.formats.nifti.image import read_grid, write_image
from cta_data.imaging.geometry.grid import Grid
from cta_data.imaging.lesions.components import CONNECTIVITY
from cta_data.imaging.lesions.consensus import (
    CandidateDecision,
    Consensus,
    ConsensusMethod,
    consensus,
    default_readers,
)
from cta_data.pipeline.annotation_reading import read_annotation
from cta_data.pipeline.consensus import ConsensusInputs, Method
from cta_data.reasons import Reason, together
from cta_data.study import layout
from cta_data.study.annotations import CONSENSUS, annotation_name
from cta_data.study.tables import AnnotationRow


@dataclass(frozen=True, eq=False)
class _Readers:
    """What several readers delineated of one quality, on the grid of one image.

    `labels` (z, y, x; value = lesion id) are by the name of the annotation.
    """

    quality: str
    drawn_on: str
    space: str
    grid: Grid
    labels: Mapping[str, NDArray[np.generic]]


def run(unit: Unit[ConsensusInputs], workspace: Workspace) -> Outcome:
    """Make every consensus that was asked for; one that cannot be made leaves the others."""
    outcome, problems = Outcome(), []
    for quality in sorted(set(unit.given.quality.values())):
        names = sorted(name for name, own in unit.given.quality.items() if own == quality)
        spaces = {unit.given.annotations.space[name] for name in names}
        if len(spaces) > 1:
            differ = tuple(sorted(spaces))
            problems.append(Reason("consensus_spaces_differ", quality=quality, spaces=differ))
            continue
        readers = _read(unit, quality, names, workspace, outcome)
        for method, min_readers in unit.given.methods:
            if (min_readers or 1) > len(names):
                n = len(names)
                few = Reason("consensus_readers_too_few", min_readers=min_readers, n_readers=n)
                problems.append(few)
            else:
                _make(unit, readers, (method, min_readers), workspace, outcome)
    outcome.refused = together(problems) if problems else None
    return outcome


def _read(
    unit: Unit[ConsensusInputs],
    quality: str,
    names: Sequence[str],
    workspace: Workspace,
    outcome: Outcome,
) -> _Readers:
    """Read annotations that lie on one image, and note lesions that are not within it."""
    files = unit.given.annotations
    space = files.space[names[0]]
    grid = read_grid(workspace.read(files.drawn_on[space]))
    labels: dict[str, NDArray[np.generic]] = {}
    for name in names:
        annotation = read_annotation(files, name, workspace)
        result = annotation.on_image(grid)
        outcome.notes += annotation.drawn.notes
        outcome.warnings += [
            f"{name} lesion {lesion.id} has no voxel on {space}: {lesion.lost_reason}"
            for lesion in result.per_lesion
            if lesion.lost_reason
        ]
        labels[name] = sitk.GetArrayFromImage(result.labels)
    return _Readers(quality, unit.given.drawn_on[names[0]], space, grid, labels)


def _make(
    unit: Unit[ConsensusInputs],
    readers: _Readers,
    method: Method,
    workspace: Workspace,
    outcome: Outcome,
) -> None:
    """Write the consensus of one method as an annotation."""
    rule, session = cast(ConsensusMethod, method[0]), unit.session
    volumes = list(readers.labels.values())
    made = consensus(volumes, rule, method[1], spacing_mm=readers.grid.GetSpacing())
    name = annotation_name(readers.quality, rule, 1)
    path = layout.drawn_labels(session, readers.space, name)
    names_path = layout.drawn_names(session, readers.space, name)
    write_image(readers.grid.image(made.labels), workspace.write(path))
    content = consensus_content(made, method, list(readers.labels))
    workspace.write_json(names_path, content)
    n_lesions, dropped = len(content["Lesions"]), len(content["Dropped"])
    outcome.notes.append(f"{name}: {n_lesions} lesions kept, {dropped} dropped")
    if not n_lesions:
        outcome.warnings.append(f"{name} has no lesion")
    row = AnnotationRow(
        session=session,
        annotation=name,
        reader=rule,
        drawn_on=readers.drawn_on,
        quality=readers.quality,
        parents=tuple(readers.labels),
        origin=CONSENSUS,
        space=readers.space,
        form="labels",
        n_lesions=n_lesions,
        path=path,
        names_path=names_path,
        annex_key=content_key(workspace.write(path)),
    )
    outcome.rows.append(row)


def consensus_content(made: Consensus, method: Method, parents: Sequence[str]) -> dict[str, Any]:
    """Return what the file beside the labels of a consensus says: every decision, lesion by lesion.

    Parameters
    ----------
    parents
        Annotations in the order in which the consensus read them.
    """
    needed = method[1] or default_readers(cast(ConsensusMethod, method[0]), len(parents))
    voxels = np.bincount(made.labels.ravel())
    divided = _divided(made.labels)
    return {
        "Method": method[0],
        "MinReaders": needed,
        "Parents": list(parents),
        "Lesions": [
            {
                "id": one.lesion_id,
                "region": one.candidate,
                "name": _seen_as(one, parents),
                "component": 1,
                "n_voxels": int(voxels[one.lesion_id]),
                "flags": ["several_components"] if one.lesion_id in divided else [],
                "volume_mm3": one.volume_mm3,
                "voxel_rule": one.voxel_rule,
                **_decision(one, parents),
            }
            for one in made.decisions
            if one.lesion_id is not None
        ],
        "Dropped": [_decision(one, parents) for one in made.decisions if not one.kept],
    }


def _decision(one: CandidateDecision, parents: Sequence[str]) -> dict[str, Any]:
    return {
        "candidate": one.candidate,
        "seen_by": {parents[reader]: list(one.lesions[reader]) for reader in one.readers},
        "marked_mm3": one.marked_mm3,
    }


def _seen_as(one: CandidateDecision, parents: Sequence[str]) -> str:
    """Return what a lesion is called: the lesions of the readers that it was made from."""
    return " ".join(f"{parents[r]}:{'+'.join(map(str, one.lesions[r]))}" for r in one.readers)


def _divided(labels: NDArray[np.unsignedinteger]) -> set[int]:
    """Return the ids of lesions (z, y, x) whose voxels do not hang together."""
    parts = cc3d.connected_components(labels, connectivity=CONNECTIVITY)
    inside = labels > 0
    pairs = np.unique(np.stack([labels[inside], parts[inside]]), axis=1)
    ids, counts = np.unique(pairs[0], return_counts=True)
    return set(ids[counts > 1].tolist())
