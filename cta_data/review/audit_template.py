"""The page of false positives for readers: one file, its pictures in it; nothing from elsewhere."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cta_data.reports.table_1.rendering import notice_html
from cta_data.review.pictures_page import STYLE
from cta_data.scoring.audited import VERDICTS

ABOUT = (
    "Each false positive of the evaluation is here once, those without a verdict first. Crops are "
    "axial, through its centre, on every technique of the subject, in one plane of the image on "
    "whose grid the masks are; other images are resampled through the registration. The patient’s "
    "right is on the left, the bar is 10 mm. Outlines follow the faces of voxels; the lower row is "
    "the same without them."
)
WARNING = "Pictures of patients: this page is not committed. Copying it copies patient data."


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
        Crops as PNG; empty where they could not be drawn, and `failure` says why.
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
    picture: bytes = b""
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


def audit_html(
    entries: Sequence[FalseEntry],
    convention: str,
    selection: str = "",
    notice: str = "",
    told: Sequence[str] = (),
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
    told
        Lines that stand before the list.
    """
    waiting = sum(1 for entry in entries if not entry.verdict)
    undrawn = sum(1 for entry in entries if not entry.picture)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>False positives</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
            notice_html(notice),
            f'<h1 id="top">False positives by the convention “{escape(convention)}”</h1>',
            *([f"<p><strong>Only {escape(selection)}.</strong></p>"] if selection else []),
            f"<p>False positives: {len(entries)}; open: {waiting}; without picture: {undrawn}.</p>",
            *(f"<p><strong>{escape(line)}</strong></p>" for line in told),
            f"<p>{escape(ABOUT)}</p>",
            f"<p>A verdict is one of {', '.join(VERDICTS)}; the command to record it is below each "
            "picture.</p>",
            f'<p class="bad">{escape(WARNING)}</p>',
            *_overview(entries),
            *(line for entry in entries for line in _section(entry, convention)),
            "</body>\n</html>\n",
        ]
    )


def judging_command(entry: FalseEntry, convention: str) -> str:
    """Return the command that records a verdict, with VERDICT and NAME to be filled in."""
    words = ["cta-data", "audit", entry.case, str(entry.lesion)]
    words += ["--model", entry.model, "--test-set", entry.test_set]
    words += ["--convention", convention] if convention != "article" else []
    return f"{shlex.join(words)} --verdict VERDICT --reader NAME"


def _overview(entries: Sequence[FalseEntry]) -> list[str]:
    titles = ("false positive", "cm³", "centroid, RAS mm", "verdict")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    lines = ["<nav>", "<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for one in entries:
        lines.append(
            f'<tr><td><a href="#{escape(one.anchor)}">{escape(one.name)}</a></td>'
            f'<td class="n">{one.volume_mm3 / 1000:.3f}</td><td class="n">{_place(one)}</td>'
            f"<td>{escape(one.verdict or 'open')}</td></tr>"
        )
    return [*lines, "</tbody>", "</table>", "</nav>"]


def _section(entry: FalseEntry, convention: str) -> list[str]:
    lines = [
        f'<section id="{escape(entry.anchor)}">',
        f"<h2>{escape(entry.name)}</h2>",
        f"<p>Volume {entry.volume_mm3 / 1000:.3f} cm³; centroid at RAS {_place(entry)} mm; "
        f"verdict: <strong>{escape(entry.verdict or 'open')}</strong></p>",
    ]
    if entry.picture:
        alt = f"Crops of {entry.name} on every technique"
        source = f"data:image/png;base64,{base64.b64encode(entry.picture).decode()}"
        lines.append(f'<div><img src="{source}" alt="{escape(alt)}"></div>')
    else:
        lines.append(f'<p class="bad">Not drawn: {escape(entry.failure)}</p>')
    lines += [f"<p>{escape(remark)}</p>" for remark in entry.remarks]
    lines.append(f"<p><code>{escape(judging_command(entry, convention))}</code></p>")
    return [*lines, '<p><a href="#top">to the top</a></p>', "</section>"]


def _place(entry: FalseEntry) -> str:
    return ", ".join(f"{value:.1f}" for value in entry.centroid_ras_mm)
