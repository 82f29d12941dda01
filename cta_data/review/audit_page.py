"""The page of false positives: what the study's images show where a model was wrong, or was not."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cta_data.drawing.views import views_figure
from cta_data.errors import CtaError, DataRefused
from cta_data.files import write_bytes, write_text
from cta_data.reports.finding_crops import CaseCrops, CaseFinder, Masks
from cta_data.reports.finding_figures import overlap_in_words
from cta_data.reports.names import name_of_test_set
from cta_data.reports.origin import origin_text, stamped
from cta_data.reports.page import page_html
from cta_data.reports.table import Row, Table, TableColumn
from cta_data.review.audit import evaluated_cases
from cta_data.review.page_pictures import VIEWS_TEXT, PagePicture, remove_others, write_picture
from cta_data.scoring import CONVENTIONS, Convention
from cta_data.scoring.audited import VERDICTS
from cta_data.scoring.mask_files import mask_path
from cta_data.study import layout
from cta_data.study.lock import study_lock
from cta_data.study.study import EVALUATION, Study
from cta_data.versioning.provenance import commit_of

HOME = "../../index.html"
IGNORE_ALL = "# Made by `cta-data audit`; pictures of patients are not committed.\n*\n"


OPEN = "open"
"""The verdict of what nobody has looked at yet."""
OVERVIEW = (
    TableColumn("False positive", "text"),
    TableColumn("Volume", unit="cm³"),
    TableColumn("Centroid, RAS", unit="mm"),
    TableColumn("Verdict", "text"),
)


@dataclass(frozen=True)
class FalseEntry:
    """One false positive.

    Attributes
    ----------
    lesion
        Its number in the prediction.
    volume_mm3, centroid_ras_mm
        As the scores have them.
    verdict
        What a reader made of it, in words; empty where it is open.
    picture
        None where it could not be drawn, and `failure` says why.
    remarks
        Lines of text below the picture.
    technique
        That the model read, on whose grid the masks are; empty where nothing tells.
    """

    test_set: str
    model: str
    case: str
    lesion: int
    volume_mm3: float
    centroid_ras_mm: tuple[float, float, float]
    verdict: str = ""
    picture: PagePicture | None = None
    failure: str = ""
    remarks: tuple[str, ...] = ()
    technique: str = ""

    @property
    def name(self) -> str:
        """Name for people."""
        return f"{self.test_set}, model {self.model}, {self.case}, lesion {self.lesion}"

    @property
    def anchor(self) -> str:
        """Target of links within the page."""
        return "_".join((self.test_set, self.model, self.case, str(self.lesion))).replace(" ", "-")

    @property
    def centroid(self) -> str:
        """Its centroid, RAS mm, for people."""
        return ", ".join(f"{value:.1f}" for value in self.centroid_ras_mm)

    @property
    def state(self) -> str:
        """Whether a reader has said anything of it."""
        return "judged" if self.verdict else OPEN

    @property
    def file(self) -> str:
        """Name of its picture."""
        return f"{self.anchor}.png"


@dataclass(frozen=True)
class AuditPage:
    """The page, from the top of the study, and its entries in their order."""

    page: str
    entries: tuple[FalseEntry, ...]

    @property
    def not_drawn(self) -> tuple[FalseEntry, ...]:
        """Those without a picture."""
        return tuple(one for one in self.entries if one.picture is None)


def write_audit_page(
    study: Study,
    rows: pd.DataFrame,
    convention: str,
    selection: str = "",
    note: Callable[[str], None] = lambda text: None,
    told: Sequence[str] = (),
) -> AuditPage:
    """Draw false positives and write the page; one that cannot be drawn is there with the reason.

    Nothing is committed: the folder tells git to ignore it.

    Parameters
    ----------
    rows
        False positives as `audited` returns them; the page has them in this order.
    selection
        What they were restricted to, in words.
    note
        Takes a line of progress.
    told
        Lines that stand before the list.

    Raises
    ------
    CtaError
        Another command works on the study.
    """
    listed = [_entry(row) for row in rows.to_dict("records")]
    scored = evaluated_cases(study, convention)
    with study_lock(study):
        cases = {_key(one) for one in listed}
        masks = {key: _masks(study, key, scored) for key in sorted(cases)}
        finder = CaseFinder(study)
        folder = study.root / layout.AUDIT
        (folder / convention).mkdir(parents=True, exist_ok=True)
        write_text(IGNORE_ALL, folder / ".gitignore")
        not_fetched = finder.fetch([one for one in masks.values() if one], note)
        drawn: dict[FalseEntry, FalseEntry] = {}
        # Case by case, so that the images of one session at most are in memory.
        for key, its_masks in masks.items():
            mine = [one for one in listed if _key(one) == key]
            rules = CONVENTIONS[convention]
            try:
                crops = _case_crops(study, finder, its_masks, rules, not_fetched)
            except CtaError as error:
                drawn |= {one: replace(one, failure=str(error)) for one in mine}
                continue
            drawn |= {one: _draw(one, crops, folder, convention) for one in mine}
            note(f"drawn: {', '.join(key[:2])}")
        entries = tuple(drawn[one] for one in listed)
        remove_others(folder / convention, (one.file for one in entries))
        notice = study.configuration.study.notice
        text = audit_html(entries, convention, selection, notice, told).encode()
        origin = origin_text(commit_of(study.root, [f"{EVALUATION}/{convention}"]))
        write_bytes(stamped(text, ".html", origin), study.root / layout.audit_page(convention))
    return AuditPage(layout.audit_page(convention), entries)


def _key(entry: FalseEntry) -> tuple[str, str, str]:
    return entry.test_set, entry.case, entry.technique


def _entry(row: Mapping[Any, Any]) -> FalseEntry:
    truth = row.get("truth")
    told = (f"In truth, {truth}.",) if isinstance(truth, str) else ()
    readings = row["verdicts"] if isinstance(row["verdict"], str) else []
    verdict = "; ".join(_in_words(one) for one in readings)
    x, y, z = (float(value) for value in row["centroid_ras_mm"])
    return FalseEntry(
        row["test_set"],
        row["model"],
        row["case"],
        int(row["predicted_lesion"]),
        float(row["volume_mm3"]),
        (x, y, z),
        verdict,
        remarks=told,
        technique=row["technique"] if isinstance(row["technique"], str) else "",
    )


def _in_words(reading: Mapping[str, str]) -> str:
    told = f"{reading['verdict']}, by {reading['reader']} on {reading['decided_on']}"
    return told + (f": {reading['note']}" if reading["note"] else "")


def _masks(study: Study, key: tuple[str, str, str], scored: pd.DataFrame) -> Masks | None:
    """Return the study's masks of a case: of all models that were scored on it.

    The reference is on the grid of the technique that the model of the false positive read.
    """
    test_set, case, technique = key
    top = study.root / "evaluation"
    folder = top / "references" / test_set
    reference = mask_path(folder / technique if technique else folder, case)
    rows = scored[(scored["test_set"] == test_set) & (scored["case"] == case)]
    found = {m: mask_path(top / "predictions" / m / test_set, case) for m in sorted(rows["model"])}
    predictions = {model: path for model, path in found.items() if path}
    return Masks(case, reference, predictions) if reference and predictions else None


def _case_crops(
    study: Study,
    finder: CaseFinder,
    masks: Masks | None,
    convention: Convention,
    not_fetched: Mapping[str, str],
) -> CaseCrops:
    """Return the masks and images of a case.

    Raises
    ------
    CtaError
        They are not all there, or do not belong together.
    """
    if masks is None:
        raise DataRefused("audit_masks_missing")
    return CaseCrops(study, finder.files(masks.case), masks, convention, not_fetched)


def _draw(entry: FalseEntry, crops: CaseCrops, folder: Path, convention: str) -> FalseEntry:
    """Return an entry with its picture, or with the reason why there is none."""
    try:
        crops.require_volume(entry.model, entry.lesion, entry.volume_mm3)
        figure = views_figure(crops.views(entry.model, entry.lesion), crops.names)
        remarks = overlap_in_words(crops.overlapped(entry.model, entry.lesion))
    except CtaError as error:
        return replace(entry, failure=str(error))
    remarks = [*entry.remarks, *(f"It {remark}." for remark in remarks)]
    remarks += [f"{name} is not shown: {why}." for name, why in crops.left_out.items()]
    alt = f"{entry.name}, {entry.volume_mm3 / 1000:.3f} cm³, on every technique"
    picture = write_picture(figure, folder, f"{convention}/{entry.file}", alt)
    return replace(entry, picture=picture, remarks=tuple(remarks))


def audit_html(
    entries: Sequence[FalseEntry],
    convention: str,
    selection: str = "",
    notice: str = "",
    remarks: Sequence[str] = (),
) -> str:
    """Return the page, with the entries in their order.

    Parameters
    ----------
    convention
        Name of the convention of the evaluation.
    selection
        What the page was restricted to, in words; empty for all.
    notice
        A line that the page begins with.
    remarks
        Lines that stand before the list.
    """
    overview = tuple(
        Row(
            (one.name, f"{one.volume_mm3 / 1000:.3f}", one.centroid, one.verdict or OPEN),
            link=one.anchor,
            marks=_marks(one),
        )
        for one in entries
    )
    return page_html(
        "false_positives.html",
        title="False positives",
        notice=notice,
        home=HOME,
        convention=convention,
        option=_option(convention),
        selection=selection,
        remarks=remarks,
        verdicts=VERDICTS,
        entries=entries,
        counts=_counts(entries),
        marks=[_marks(one) for one in entries],
        views=VIEWS_TEXT,
        overview=Table(OVERVIEW, overview, "All false positives", is_sortable=True),
        commands=[judging_command(one, convention) for one in entries],
    )


def _counts(entries: Sequence[FalseEntry]) -> tuple[tuple[str, str], ...]:
    return (
        ("False positives", str(len(entries))),
        ("Open", str(sum(not one.verdict for one in entries))),
        ("Without picture", str(sum(one.picture is None for one in entries))),
    )


def _marks(entry: FalseEntry) -> tuple[tuple[str, str], ...]:
    """Return what the page's filters know an entry by."""
    about = {"model": entry.model, "test-set": name_of_test_set(entry.test_set)}
    return tuple((about | {"state": entry.state}).items())


def judging_command(entry: FalseEntry, convention: str) -> str:
    """Return the command that records a verdict, with VERDICT and NAME to be filled in."""
    words = ["cta-data", "audit", entry.case, str(entry.lesion)]
    words += ["--model", entry.model, "--test-set", entry.test_set]
    return f"{shlex.join(words)}{_option(convention)} --verdict VERDICT --reader NAME"


def _option(convention: str) -> str:
    return "" if convention == "article" else f" --convention {shlex.quote(convention)}"
