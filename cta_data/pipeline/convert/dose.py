"""The dose of a treatment: an image of its own, on the grid on which it was computed."""

from __future__ import annotations

from cta_data.bids.dataset import SOFTWARE_NAME
from cta_data.bids.sidecars import build_sidecar, write_sidecar
from cta_data.cohorts.series_roles import Role
from cta_data.engine import UnitId, Workspace, content_key
from cta_data.engine.sessions import DOSE
from cta_data.errors import DataRefused
from cta_data.formats.dicom.coded_values import codes_of
from cta_data.formats.dicom.header import identity_of
from cta_data.formats.dicom.rtdose import read_dose
from cta_data.formats.nifti.image import write_image
from cta_data.pipeline.convert.image_rows import RawSeries, grid_columns, image_name
from cta_data.study import layout
from cta_data.study.tables import ImageRow

TOLD = {"DoseUnits": "DoseUnits", "DoseType": "DoseType", "DoseSummationType": "DoseSummationType"}


def convert_dose(
    unit: UnitId, role: Role, raw: RawSeries, frame: int, workspace: Workspace
) -> ImageRow:
    """Write one dose grid with its sidecar; return its row.

    Raises
    ------
    DataRefused
        The series holds several dose grids, or one that cannot be placed.
    """
    if len(raw.datasets) != 1:
        raise DataRefused(
            "dose_grids_several", technique=role.technique, n_datasets=len(raw.datasets)
        )
    image = read_dose(raw.datasets[0])
    name = image_name(unit.session, role, DOSE)
    path = layout.image(unit.session, name)
    target = workspace.write(path)
    write_image(image, target)
    extra = {"Technique": role.technique, "ConversionSoftware": SOFTWARE_NAME} | {
        name: codes[0]
        for keyword, name in TOLD.items()
        if (codes := codes_of(keyword, raw.header.get(keyword, "")))
    }
    header = raw.header | identity_of(raw.datasets[0])
    sidecar = build_sidecar(header, geometry_source="dicom", extra=extra)
    write_sidecar(sidecar, workspace.write(layout.sidecar(unit.session, name)))
    return ImageRow(
        session=unit.session,
        technique=role.technique or "",
        contrast_phase=role.phase,
        description="",
        modality=DOSE,
        path=path,
        annex_key=content_key(target),
        frame=frame,
        manufacturer=sidecar.get("Manufacturer"),
        model=sidecar.get("ManufacturersModelName"),
        skull_stripped=False,
        geometry_source="dicom",
        notes=(),
        **grid_columns(image),
    )
