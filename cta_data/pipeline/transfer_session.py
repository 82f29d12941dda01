"""How the annotations of one session get onto every grid, lesion by lesion, checked."""

from __future__ import annotations

from dataclasses import asdict

import SimpleITK as sitk

from cta_data.engine import (
    Outcome,
    Unit,
    Workspace,
    content_key,
)
from cta_data.engine.sessions import on_hold
from cta_data.errors import DataRefused
from cta_data.formats.nifti.image import read_grid, read_image, write_image
from cta_data.imaging.lesions.label_transfer import TransferResult, transfer_lesions
from cta_data.imaging.lesions.transfer_checks import TransferCheck, check_transfer, untouched
from cta_data.imaging.lesions.transfer_limits import limits_of
from cta_data.pipeline.annotation_reading import Annotation, read_annotation
from cta_data.pipeline.transfer import TransferInputs
from cta_data.pipeline.transform_chain import TransformChain, read_chain
from cta_data.reasons import Reason
from cta_data.study import layout
from cta_data.study.tables import TransferCheckRow, VariantRow


def run(unit: Unit[TransferInputs], workspace: Workspace) -> Outcome:
    """Carry every lesion to every grid, and check what became of it.

    A session with a lesion outside the limits keeps its variants and is held back.

    Raises
    ------
    DataRefused
        No lesion arrives on some grid: the session cannot be used.
    """
    chain = read_chain(unit.given.transform, workspace)
    outcome = Outcome()
    failed: list[Reason] = []
    for name in unit.given.quality:
        failed += _transfer(unit, name, chain, workspace, outcome)
    outcome.refused = on_hold(failed)
    return outcome


def _transfer(
    unit: Unit[TransferInputs],
    name: str,
    chain: TransformChain,
    workspace: Workspace,
    outcome: Outcome,
) -> list[Reason]:
    """Carry the lesions of one annotation to every grid; return what is outside the limits."""
    annotation = read_annotation(unit.given.annotations, name, workspace)
    drawn = annotation.drawn
    drawn_on = read_grid(workspace.read(unit.given.annotations.drawn_on[annotation.space]))
    limits = limits_of(unit.given.limits)
    outcome.notes += drawn.notes
    empty: list[str] = []
    failed: list[Reason] = []
    for grid in unit.given.grids:
        if grid == annotation.space and annotation.on_its_own_grid:
            result = annotation.on_its_own_grid
            checks = untouched(result)
        else:
            target = read_image(workspace.read(unit.given.grid[grid]))
            transform = chain.between(target=grid, source=annotation.space)
            result = transfer_lesions(drawn.lesions, transform, target)
            checks = check_transfer(drawn.lesions, result, transform, drawn_on, limits)
        row = _write_variant(unit, annotation, grid, result, workspace)
        outcome.rows += [row, *(_check_row(unit, name, grid, one) for one in checks)]
        failed += [
            Reason("lesion_transfer_failed", lesion=c.lesion_id, grid=grid, findings=c.reasons)
            for c in checks
            if c.reasons
        ]
        empty += [grid] if row.n_drawn and not row.n_arrived else []
    if empty:
        raise DataRefused(
            "lesions_not_arrived",
            where=unit.id,
            empty=tuple(empty),
            findings=failed or ("the annotation has no lesion",),
        )
    return failed


def _check_row(
    unit: Unit[TransferInputs], annotation: str, grid: str, check: TransferCheck
) -> TransferCheckRow:
    return TransferCheckRow(
        session=unit.session,
        annotation=annotation,
        grid=grid,
        passed=not check.reasons,
        **{**asdict(check), "reasons": tuple(map(str, check.reasons))},
    )


def _write_variant(
    unit: Unit[TransferInputs],
    annotation: Annotation,
    grid: str,
    result: TransferResult,
    workspace: Workspace,
) -> VariantRow:
    """Write labels, mask and account of one variant; return its row."""
    name, session = annotation.name, unit.session
    labels_path = layout.variant_labels(session, grid, name)
    mask_path = layout.variant_mask(session, grid, name)
    account_path = layout.transfer_account(session, grid, name)
    write_image(result.labels, workspace.write(labels_path))
    write_image(sitk.Cast(result.labels > 0, sitk.sitkUInt8), workspace.write(mask_path))
    account = {
        "lesions": [asdict(lesion) for lesion in result.per_lesion],
        "without_lesion": [
            {"source_roi": roi.name, "reason": reason}
            for roi, reason in annotation.drawn.without_lesion
        ],
    }
    workspace.write_json(account_path, account)
    lost = sum(1 for lesion in result.per_lesion if lesion.lost_reason)
    return VariantRow(
        session=session,
        annotation=name,
        grid=grid,
        quality=unit.given.quality[name],
        labels_path=labels_path,
        mask_path=mask_path,
        account_path=account_path,
        annex_key=content_key(workspace.write(mask_path)),
        labels_key=content_key(workspace.write(labels_path)),
        n_drawn=len(result.per_lesion),
        n_arrived=len(result.per_lesion) - lost,
        n_lost=lost,
    )
