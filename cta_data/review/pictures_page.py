"""The page of pictures: every subject-session once, worst first; nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from cta_data.reports.table_1.rendering import notice_html
from cta_data.study.session_id import SessionId

RATIO_UNIT = 0.08
SHIFT_UNIT_MM = 0.25
ORDER = (
    "Worst first: registrations and transfers that are held back or failed; then sessions "
    "with lost lesions, most lost first; then by the worst lesion’s score. The score of a lesion "
    f"is the larger of |transfer_volume_ratio − 1| ÷ {RATIO_UNIT:g} and centroid_shift_mm ÷ "
    f"{SHIFT_UNIT_MM:g} mm, plus 1 for each flag."
)
STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       margin: 1.5em auto; max-width: 1340px; padding: 0 1em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .8em 0; }
th, td { padding: .15em .8em; text-align: left; border-bottom: 1px solid #ddd; }
td.n { text-align: right; }
img { max-width: 100%; height: auto; border: 1px solid #bbb; }
section { border-top: 3px solid #1a1a1a; margin-top: 2.5em; padding-top: .5em; }
h2 { margin: .2em 0; } p { margin: .4em 0; max-width: 75em; }
.bad { color: #a33c00; font-weight: bold; }
summary { cursor: pointer; }
@media print { section { break-inside: avoid; } nav a { color: inherit; } }
"""


@dataclass(frozen=True)
class LesionEntry:
    """A lesion of one variant, as in the table `lesions`; `drawn` tells whether it is pictured."""

    lesion_id: int
    quality: str
    grid: str
    volume_cm3: float
    transfer_volume_ratio: float | None
    centroid_shift_mm: float | None
    flags: tuple[str, ...] = ()
    lost_reason: str = ""
    drawn: bool = True

    @property
    def score(self) -> float:
        """How far the transfer is from perfect; 1 is at the limit of what is good."""
        ratio = self.transfer_volume_ratio
        off = abs(ratio - 1) / RATIO_UNIT if ratio is not None else 0.0
        shift = (self.centroid_shift_mm or 0.0) / SHIFT_UNIT_MM
        return max(off, shift) + len(self.flags)


@dataclass(frozen=True)
class SessionEntry:
    """One subject-session of the page.

    `picture` is relative to the page, or empty where none could be drawn. `failures` say why a
    registration was not accepted or a transfer failed; `decisions` what people said of it.
    """

    session: SessionId
    picture: str
    failures: tuple[str, ...] = ()
    lesions: tuple[LesionEntry, ...] = ()
    decisions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Cohort, subject and session for people."""
        return str(self.session)

    @property
    def anchor(self) -> str:
        """Target of links within the page."""
        return self.session.case

    @property
    def n_lost(self) -> int:
        """Lesions that did not arrive on some grid."""
        return len({one.lesion_id for one in self.lesions if one.lost_reason})

    @property
    def score(self) -> float:
        """Score of the worst lesion that arrived."""
        return max((one.score for one in self.lesions if not one.lost_reason), default=0.0)


@dataclass(frozen=True)
class LeftOut:
    """How many subject-sessions have no picture, and why."""

    without_annotation: int = 0
    excluded: int = 0
    not_transferred: int = 0
    not_drawn: tuple[tuple[str, str], ...] = ()
    """Name and reason of those that should have one."""


def worst_first(entries: Iterable[SessionEntry]) -> list[SessionEntry]:
    """Sort as `ORDER` says; equals by cohort, subject and session."""
    return sorted(
        entries,
        key=lambda e: (not e.failures, -e.n_lost, -e.score, e.session),
    )


def pictures_html(
    entries: Sequence[SessionEntry], left_out: LeftOut, selection: str = "", notice: str = ""
) -> str:
    """Return the page; it works from the file system, beside its pictures.

    Parameters
    ----------
    entries
        In any order.
    selection
        What the page was restricted to, in words; empty for the whole study.
    notice
        A line that the page begins with.
    """
    ordered = worst_first(entries)
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Transfers to look at</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
            notice_html(notice),
            '<h1 id="top">Transfers to look at</h1>',
            *([f"<p><strong>Only {escape(selection)}.</strong></p>"] if selection else []),
            f"<p>{escape(_counts(ordered, left_out))}</p>",
            f"<p>{escape(ORDER)}</p>",
            "<p>Checkerboards alternate between the fixed image and the moving one, resampled "
            "through the stored transform: edges should run on from square to square. The "
            "patient’s right (R) is on the left. Lesions are seen in one axial plane of the fixed "
            "image, on every technique; a variant that does not meet this plane has no outline. "
            "Outlines follow the faces of voxels and are not smoothed.</p>",
            *_not_drawn(left_out),
            *_overview(ordered),
            *(line for entry in ordered for line in _section(entry)),
            "</body>\n</html>\n",
        ]
    )


def _counts(entries: Sequence[SessionEntry], left_out: LeftOut) -> str:
    failed = sum(1 for entry in entries if entry.failures)
    lost = sum(entry.n_lost for entry in entries)
    return (
        f"Subject-sessions shown: {len(entries)}; held back or failed: {failed}; lesions lost: "
        f"{lost}. Not shown: "
        f"{left_out.without_annotation} without annotation, {left_out.excluded} excluded, "
        f"{left_out.not_transferred} not transferred yet or stopped earlier, "
        f"{len(left_out.not_drawn)} that could not be drawn."
    )


def _not_drawn(left_out: LeftOut) -> list[str]:
    if not left_out.not_drawn:
        return []
    rows = [f"<li>{escape(name)}: {escape(why)}</li>" for name, why in left_out.not_drawn]
    return ['<p class="bad">Could not be drawn:</p>', "<ul>", *rows, "</ul>"]


def _overview(entries: Sequence[SessionEntry]) -> list[str]:
    if not entries:
        return []
    titles = ("subject-session", "lesions", "lost", "flagged", "worst score", "state")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    lines = ["<nav>", "<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for one in entries:
        n = len({lesion.lesion_id for lesion in one.lesions})
        flagged = len({lesion.lesion_id for lesion in one.lesions if lesion.flags})
        told = "accepted by a person" if one.decisions else "ok"
        told = '<span class="bad">held back or failed</span>' if one.failures else told
        numbers = "".join(f'<td class="n">{text}</td>' for text in (n, one.n_lost, flagged))
        lines.append(
            f'<tr><td><a href="#{escape(one.anchor)}">{escape(one.name)}</a></td>{numbers}'
            f'<td class="n">{one.score:.2f}</td><td>{told}</td></tr>'
        )
    return [*lines, "</tbody>", "</table>", "</nav>"]


def _section(entry: SessionEntry) -> list[str]:
    lines = [f'<section id="{escape(entry.anchor)}">', f"<h2>{escape(entry.name)}</h2>"]
    lines += [f'<p class="bad">{escape(reason)}</p>' for reason in entry.failures]
    lines += [f"<p>{escape(decision)}</p>" for decision in entry.decisions]
    for lesion in entry.lesions:
        if lesion.lost_reason:
            told = f"Lesion {lesion.lesion_id} is lost on {lesion.grid}: {lesion.lost_reason}"
            lines.append(f'<p class="bad">{escape(told)}</p>')
    if entry.picture:
        alt = f"Checkerboards and lesions of {entry.name}; the numbers are in the table below"
        source = escape(entry.picture)
        lines.append(f'<div><a href="{source}"><img src="{source}" alt="{escape(alt)}"></a></div>')
    lines += _lesion_table(entry.lesions)
    return [*lines, '<p><a href="#top">to the top</a></p>', "</section>"]


def _lesion_table(lesions: Sequence[LesionEntry]) -> list[str]:
    if not lesions:
        return []
    titles = ("lesion", "variant", "grid", "volume, cm³", "transfer_volume_ratio",
              "centroid_shift_mm", "flags", "picture")  # fmt: skip
    n = len({one.lesion_id for one in lesions})
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    lines = [f"<details><summary>Numbers of {n} lesions</summary>", "<table>"]
    lines += [f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for one in lesions:
        numbers = (
            f"{one.volume_cm3:.3f}",
            _number(one.transfer_volume_ratio, 3),
            _number(one.centroid_shift_mm, 2),
        )
        flags = "; ".join(one.flags)
        told = f"lost: {one.lost_reason}" if one.lost_reason else flags or "—"
        lines.append(
            f"<tr><td>{one.lesion_id}</td><td>{escape(one.quality)}</td><td>{escape(one.grid)}</td>"
            + "".join(f'<td class="n">{text}</td>' for text in numbers)
            + f"<td>{escape(told)}</td><td>{'yes' if one.drawn else 'no: 12 worst only'}</td></tr>"
        )
    return [*lines, "</tbody>", "</table>", "</details>"]


def _number(value: float | None, decimals: int) -> str:
    return "—" if value is None else f"{value:.{decimals}f}"
