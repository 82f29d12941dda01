"""The commands `export rtstruct` and `export seg`: lesions back to planning systems and archives.

Without `--to` the three words are files: MASK SERIES OUT. With `--to` they are cohorts or test sets
of a study, whose lesions are written into that folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option

from cta_data.cli.bundles import Takes
from cta_data.cli.options import (
    NiftiFormOption,
    Output,
    StudySelection,
    day_of,
    form_choice,
)
from cta_data.engine.records import EXIT_FAILED, EXIT_NOTHING, EXIT_OK
from cta_data.errors import ConfigurationError
from cta_data.terminal.output import print_errors

if TYPE_CHECKING:
    from cta_data.formats.lesion_export import ExportedFile, ExportOptions

PREDICTED, DELINEATED = "Predicted lesion", "Lesion"


@dataclass(frozen=True)
class ExportedLesions:
    """Which lesions are exported, and whose they are."""

    words: Annotated[
        list[str] | None,
        Argument(
            metavar="MASK SERIES OUT | [COHORT|TESTSET]...",
            help="A mask (NIfTI), the DICOM series it belongs to, and the file to write; with "
            "--to, cohorts or test sets of the study (all without it).",
        ),
    ] = None
    to: Annotated[Path | None, Option("--to", help="Export from the study into this folder.")] = (
        None
    )
    what: Annotated[
        Literal["annotation", "prediction"], Option(help="With --to: what is exported.")
    ] = "annotation"
    annotation: Annotated[
        str, Option(help="With --to: name of the annotation, such as HAQ; else all current ones.")
    ] = ""
    on: Annotated[
        str,
        Option(
            help="With --to: technique whose images get the lesions, such as CT, through the "
            "stored transforms; else the one that they lie on."
        ),
    ] = ""
    pseudonymous: Annotated[
        bool,
        Option("--pseudonymous", help="With --to: leave out patients' identity and original UIDs."),
    ] = False
    instances: Annotated[
        Literal["auto", "components", "values"],
        Option(
            help="For a mask: each value is a lesion, or each 26-connected part; auto takes the "
            "parts of a mask of one value."
        ),
    ] = "auto"
    resample: Annotated[
        bool,
        Option("--resample", help="For a mask: transfer its lesions to the grid of the series."),
    ] = False
    name: Annotated[
        str, Option(help="Name before the number of each lesion; else Lesion, Predicted lesion.")
    ] = ""
    model: Annotated[
        str, Option(help="Model that predicted the mask; with --to, only this model.")
    ] = ""
    model_version: Annotated[
        str, Option(help="For a mask: version of the model that predicted it.")
    ] = ""
    reader: Annotated[
        str, Option(help="For a mask: code of the reader who delineated it; never a name.")
    ] = ""
    on_day: Annotated[
        str, Option("--date", help="For a mask: day of the delineation, YYYY-MM-DD.")
    ] = ""
    note: Annotated[str, Option(help="What else is to be told of the lesions.")] = ""

    def require_consistent(self, selection: StudySelection) -> None:
        """Refuse options of the other form of the command.

        Raises
        ------
        ConfigurationError
            With the option, or with what is missing.
        """
        in_study = {
            "--what": self.what != "annotation",
            "--annotation": self.annotation,
            "--on": self.on,
            "--pseudonymous": self.pseudonymous,
            "--subject": selection.subject,
            "--study": selection.study,
        }
        of_mask = {
            "--instances": self.instances != "auto",
            "--resample": self.resample,
            "--model-version": self.model_version,
            "--reader": self.reader,
            "--date": self.on_day,
        }
        if self.to is None and len(self.words or ()) != 3:
            raise ConfigurationError("export_words_unclear", n_words=len(self.words or ()))
        foreign = [name for name, given in (of_mask if self.to else in_study).items() if given]
        if foreign:
            there = "with --to" if self.to else "without --to"
            raise ConfigurationError("export_option_of_other_form", option=foreign[0], there=there)

    def options(self) -> ExportOptions:
        """Return how lesions are exported."""
        from cta_data.formats.dicom.derived_objects import Origin
        from cta_data.formats.dicom.rtstruct_writing import StructureSetText
        from cta_data.formats.lesion_export import ExportOptions

        if self.reader:
            from cta_data.review.sitting import require_reader  # slow, and seldom needed

            require_reader(self.reader)
        predicted = self.what == "prediction" if self.to else bool(self.model)
        day = day_of(self.on_day) if self.on_day else ""
        return ExportOptions(
            origin=Origin(
                model="" if self.to else self.model,
                model_version=self.model_version,
                reader="" if predicted else self.reader,
                date=day,
                note=self.note,
            ),
            # What a model found is no target until somebody says so.
            text=StructureSetText(
                self.name or (PREDICTED if predicted else DELINEATED),
                interpreted_type="" if predicted else "GTV",
            ),
            instances=self.instances,
            resample=self.resample,
        )


def rtstruct(
    exported: ExportedLesions,
    selection: Annotated[StudySelection, Takes("subject", "study")],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    holes: Annotated[
        Literal["keyhole", "xor"],
        Option(help="Holes: a channel without width, or contours of type CLOSEDPLANAR_XOR."),
    ] = "keyhole",
    label: Annotated[str, Option(help="Label of the structure set, 16 characters.")] = "",
    interpreted_type: Annotated[
        str | None,
        Option(
            "--interpreted-type",
            help="RT ROI Interpreted Type; else GTV, and none for predictions.",
        ),
    ] = None,
    allow_empty: Annotated[
        bool, Option("--allow-empty", help="Write a structure set without ROIs as well.")
    ] = False,
    nifti_form: NiftiFormOption = "",
) -> int:
    """Write lesions as a DICOM structure set, with contours on the edges of voxels.

    Export rtstruct MASK SERIES OUT needs no study; export rtstruct COHORT --to FOLDER does.
    """
    exported.require_consistent(selection)
    made = exported.options()
    text = replace(
        made.text,
        label=label,
        interpreted_type=_known_type(interpreted_type, made.text.interpreted_type),
    )
    made = replace(made, kind="rtstruct", text=text, holes=holes, allow_empty=allow_empty)
    return _export(exported, made, selection, output, nifti_form)


def seg(
    exported: ExportedLesions,
    selection: Annotated[StudySelection, Takes("subject", "study")],
    output: Annotated[Output, Takes("overwrite", "as_json")],
    kind: Annotated[
        Literal["binary", "labelmap"],
        Option(help="Frames of each segment, or one label map (newer, smaller)."),
    ] = "binary",
    nifti_form: NiftiFormOption = "",
) -> int:
    """Write lesions as a DICOM segmentation, with one coded segment per lesion.

    Export seg MASK SERIES OUT needs no study; export seg COHORT --to FOLDER does.
    """
    exported.require_consistent(selection)
    made = replace(exported.options(), kind="seg", segments=kind)
    return _export(exported, made, selection, output, nifti_form)


def _known_type(asked: str | None, default: str) -> str:
    """Return an interpreted type that DICOM knows.

    Raises
    ------
    ConfigurationError
        It is unknown.
    """
    from cta_data.formats.dicom.coded_values import codes_of

    if asked is None:
        return default
    found = codes_of("RTROIInterpretedType", asked.upper())
    if not found:
        raise ConfigurationError("interpreted_type_unknown", interpreted_type=asked)
    return found[0]


def _export(
    exported: ExportedLesions,
    options: ExportOptions,
    selection: StudySelection,
    output: Output,
    nifti_form: str,
) -> int:
    if exported.to is not None:
        if nifti_form:
            raise ConfigurationError(
                "export_option_of_other_form", option="--nifti-form", there="with --to"
            )
        return _export_study(exported, exported.to, options, selection, output)
    from cta_data.formats.lesion_export import export_mask

    mask, series, out = map(Path, exported.words or ())
    made = export_mask(
        mask,
        series,
        out,
        options,
        choice=form_choice(nifti_form),
        overwrite=output.overwrite,
        note=print_errors,
    )
    output.show(lambda: _content(made), [_line(made)])
    return EXIT_FAILED if made.n_lost else EXIT_OK


def _export_study(
    exported: ExportedLesions,
    to: Path,
    options: ExportOptions,
    selection: StudySelection,
    output: Output,
) -> int:
    from cta_data.publish.lesions import StudyExport, export_lesions

    request = StudyExport(
        what=exported.what,
        names=tuple(exported.words or ()),
        subjects=tuple(selection.labels),
        to=to,
        options=options,
        annotation=exported.annotation,
        model=exported.model,
        on=exported.on,
        pseudonymous=exported.pseudonymous,
        overwrite=output.overwrite,
    )
    done = export_lesions(selection.open(), request, output.note)
    if not done.files and not done.failed:
        output.note(f"nothing to export: no {exported.what} matches")
        output.show(lambda: {"files": [], "failed": {}}, ())
        return EXIT_NOTHING
    if done.identified:
        output.note("note: the files name the patients, as their images do")
    if done.without_source:
        output.note(
            f"note: {len(done.without_source)} files are of images whose raw DICOM is not here: "
            "their UIDs are new, and match no image of an archive"
        )
    written = sum(one.written for one in done.files)
    told = f"{written} written, {len(done.files) - written} unchanged, {len(done.failed)} failed"
    output.show(
        lambda: {
            "files": [_content(one) for one in done.files],
            "failed": {
                name: reason.as_dict() | {"reason": str(reason)}
                for name, reason in done.failed.items()
            },
        },
        [told],
    )
    return EXIT_FAILED if done.failed or _lost(done.files) else EXIT_OK


def _lost(files: Sequence[ExportedFile]) -> bool:
    return any(one.n_lost for one in files)


def _content(made: ExportedFile) -> dict[str, object]:
    names = ("sop_instance_uid", "n_lesions", "n_regions", "n_voxels", "n_lost", "written")
    content = {name: getattr(made, name) for name in names}
    return {"file": str(made.path), **content, "notes": list(made.notes)}


def _line(made: ExportedFile) -> str:
    state = "" if made.written else " (unchanged: it held just this)"
    return f"{made.path}: {made.n_lesions} lesions, {made.n_voxels} voxels{state}"
