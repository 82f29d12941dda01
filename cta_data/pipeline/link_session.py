"""How the lesions of the annotations of one session are linked, pair by pair."""

from __future__ import annotations

from fractions import Fraction

import SimpleITK as sitk

from cta_data.engine import Outcome, Unit, Workspace
from cta_data.formats.nifti.image import read_image
from cta_data.pipeline.link import LinkInputs
from cta_data.scoring.agreement import LinkedCase, link_case
from cta_data.study.tables import LesionLinkRow


def run(unit: Unit[LinkInputs], workspace: Workspace) -> Outcome:
    """Link the lesions of every pair of annotations."""
    outcome, given = Outcome(), unit.given
    images = {name: read_image(workspace.read(path)) for name, path in given.labels.items()}
    volumes = {name: sitk.GetArrayFromImage(image) for name, image in images.items()}
    for first, second in given.pairs:
        case = link_case(
            volumes[first],
            volumes[second],
            images[first].GetSpacing(),
            patient=unit.session.subject,
            distance_mm=given.distance_mm,
            part_share=Fraction(given.part_share),
        )
        outcome.rows += _rows(unit, first, second, case)
    return outcome


def _rows(unit: Unit[LinkInputs], first: str, second: str, case: LinkedCase) -> list[LesionLinkRow]:
    return [
        LesionLinkRow(
            session=unit.session,
            first_annotation=first,
            second_annotation=second,
            link=number,
            grid=unit.given.grid,
            first_lesion=link.first,
            second_lesion=link.second,
            how=link.how,
            dice=link.dice,
            centroid_distance_mm=link.centroid_distance_mm,
            first_volume_mm3=link.first_volume_mm3,
            second_volume_mm3=link.second_volume_mm3,
            mean_surface_mm=surfaces.mean_mm if surfaces else None,
            hausdorff95_mm=surfaces.hausdorff95_mm if surfaces else None,
            surface_dice_0_5mm=surfaces.surface_dice_0_5mm if surfaces else None,
            surface_dice_1mm=surfaces.surface_dice_1mm if surfaces else None,
        )
        for number, (link, surfaces) in enumerate(
            zip(case.links, case.surfaces, strict=True), start=1
        )
    ]
