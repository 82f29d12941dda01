"""Pictures of transfers: outlines, planes, order, the page, and bytes that stay the same."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cta_data.drawing.crops import COLOURS, Crop, Outline, outline_segments
from cta_data.drawing.planes import (
    ViewPlane,
    grey_window,
    lesion_centre,
    orthogonal_planes,
    show,
    show_lesion,
)
from cta_data.drawing.png import png_bytes
from cta_data.review.pictures_page import (
    LeftOut,
    LesionEntry,
    SessionEntry,
    pictures_html,
    worst_first,
)
from cta_data.review.transfer_pictures import (
    Checkerboard,
    LesionPicture,
    SessionPicture,
    checkerboard,
    draw_session,
)
from cta_data.study.session_id import SessionId


def lesion(number: int = 1, ratio: float = 1.0, shift: float = 0.0, **more: object) -> LesionEntry:
    return LesionEntry(number, "HAQ", "MPRAGE", 0.1, ratio, shift, **more)  # type: ignore[arg-type]


def entry(subject: str, *lesions: LesionEntry, failures: tuple[str, ...] = ()) -> SessionEntry:
    return SessionEntry(SessionId("internal", subject, "1"), f"{subject}.png", failures, lesions)


def test_outline_of_one_pixel_is_its_four_edges() -> None:
    """The outline of pixel (row 2, column 1) is the square half a pixel around its centre."""
    inside = np.zeros((4, 4), bool)
    inside[2, 1] = True
    segments = {tuple(sorted(map(tuple, one))) for one in outline_segments(inside).tolist()}
    assert segments == {
        ((0.5, 1.5), (0.5, 2.5)),
        ((1.5, 1.5), (1.5, 2.5)),
        ((0.5, 1.5), (1.5, 1.5)),
        ((0.5, 2.5), (1.5, 2.5)),
    }


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_every_edge_of_an_outline_parts_inside_from_outside(inside: np.ndarray) -> None:
    """Each edge has a pixel of the mask on one side only, and all such edges are there."""
    segments = outline_segments(inside)
    padded = np.pad(inside, 1)
    for (x0, y0), (x1, y1) in segments.tolist():
        column, row = (x0 + x1) / 2 + 1, (y0 + y1) / 2 + 1  # in the padded mask
        dx, dy = (0.0, 0.5) if y0 == y1 else (0.5, 0.0)
        sides = [padded[int(row + s * dy), int(column + s * dx)] for s in (-1, 1)]
        assert sides[0] != sides[1]
    steps = padded.astype(int)
    assert len(segments) == np.abs(np.diff(steps, axis=0)).sum() + np.abs(np.diff(steps)).sum()


def test_a_checkerboard_alternates() -> None:
    """The square at the top left is of the fixed image, its neighbours of the moving one."""
    board = checkerboard(np.zeros((4, 4)), np.ones((4, 4)), 2)
    assert board.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]


def labelled(direction: tuple[float, ...] = (-1, 0, 0, 0, -1, 0, 0, 0, 1)) -> sitk.Image:
    """An image in RAS order with lesion 3 in two slices, larger in the second."""
    voxels = np.zeros((6, 20, 20), np.uint16)
    voxels[2, 5:7, 8:10] = 3
    voxels[3, 5:8, 8:12] = 3
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetDirection(direction)
    return image


def test_a_lesion_is_looked_at_where_it_is_largest() -> None:
    """The plane is the middle of a slice; an absent lesion has none."""
    labels = labelled()
    found = lesion_centre(labels, 3)
    assert found is not None
    assert found[0][2] == pytest.approx(6.0)  # the fourth slice of 2 mm
    assert lesion_centre(labels, 4) is None


def test_planes_show_right_on_the_left_and_anterior_at_the_top() -> None:
    """A voxel to the patient's right and front is at the top left; superior is at the top."""
    voxels = np.zeros((21, 21, 21), np.float32)
    voxels[16, 15, 14] = 1
    image = sitk.GetImageFromArray(voxels)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # stored in RAS order, told in LPS
    spot = np.array(image.TransformIndexToPhysicalPoint((14, 15, 16)))
    middle = np.array(image.TransformIndexToPhysicalPoint((10, 10, 10)))
    for name, (across, down) in {
        "axial": (0, 1),
        "coronal": (0, 2),
        "sagittal": (1, 2),
    }.items():
        centre = middle.copy()
        [missing] = {0, 1, 2} - {across, down}
        centre[missing] = spot[missing]
        plane = orthogonal_planes(image, centre, 21, 1)[name]
        row, column = np.argwhere(show(image, plane, (0, 1)) > 0.5)[0]
        offset = spot - centre
        assert column - 10 == pytest.approx(offset[across])  # left and posterior to the right
        assert row - 10 == pytest.approx(offset[down] if name == "axial" else -offset[down])


def test_outlines_are_the_voxels_of_the_lesion() -> None:
    """The plane cuts a lesion where its voxels are, as many square millimetres as they have."""
    labels = labelled()
    found = lesion_centre(labels, 3)
    assert found is not None
    plane = ViewPlane(found[0], np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 32, 0.25)
    cut = show_lesion(labels, 3, plane)
    assert cut.sum() * 0.25**2 == pytest.approx(12, rel=0.05)
    moved = sitk.TranslationTransform(3, (100.0, 0, 0))
    assert not show_lesion(labels, 3, plane, moved).any()


def test_an_image_of_one_value_can_be_shown() -> None:
    """The window is never empty, so that nothing is divided by nought."""
    low, high = grey_window(sitk.Image([8, 8, 8], sitk.sitkInt16), None)
    assert high > low


def test_worst_come_first() -> None:
    """Failed, then most lost, then the highest score; flags count; equals by name."""
    lost = lesion(lost_reason="outside the field of view")
    entries = [
        entry("good-b", lesion()),
        entry("good-a", lesion()),
        entry("shifted", lesion(shift=0.5)),
        entry("flagged", lesion(flags=("a", "b", "c"))),
        entry("swollen", lesion(ratio=1.4)),
        entry("shrunk", lesion(ratio=0.5)),
        entry("one-lost", lost),
        entry("two-lost", lost, lesion(2, lost_reason="no voxel")),
        entry("failed", failures=("SPACE to MPRAGE is not accepted: shear",)),
    ]
    assert [one.session.subject for one in worst_first(entries)] == [
        "failed", "two-lost", "one-lost", "shrunk", "swollen", "flagged", "shifted",
        "good-a", "good-b",
    ]  # fmt: skip


class _Reader(HTMLParser):
    """Collects ids, links, pictures and text; notes tags that are not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if "href" in named else []
        self.sources += [named["src"]] if "src" in named else []
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_lists_every_session_once_and_needs_nothing_else() -> None:
    """One section and picture each, links that lead within the page, no script, no address."""
    entries = [entry(name, lesion()) for name in ("001", "002", "003")]
    page = pictures_html(entries, LeftOut(4, 5, 6, (("internal sub-009 ses-1", "gone"),)))
    read = _Reader(page)
    assert read.open == []
    sections = [name for name in read.ids if name != "top"]
    assert sections == [one.anchor for one in worst_first(entries)]
    assert read.sources == ["001.png", "002.png", "003.png"]
    inner = {link[1:] for link in read.links if link.startswith("#")}
    assert inner == {*sections, "top"}
    assert "script" not in read.tags and not re.search("https?:", page)
    assert "4 without annotation, 5 excluded, 6 not transferred" in read.text
    assert "internal sub-009 ses-1: gone" in read.text
    assert "Worst first" in read.text


def test_text_of_the_data_is_escaped() -> None:
    """Reasons and flags are told as they are, and never become a part of the page."""
    evil = "<script>alert('1 & 2')</script>"
    lost = lesion(lost_reason=evil)
    flagged = lesion(2, flags=(evil,))
    entries = [entry("001", lost, flagged, failures=(evil,))]
    read = _Reader(pictures_html(entries, LeftOut(not_drawn=((evil, evil),)), evil))
    assert "script" not in read.tags
    assert read.text.count(evil) == 7


def picture(n_lesions: int = 2) -> SessionPicture:
    rows, columns = np.indices((128, 128))
    values = (rows * columns % 97) / 96
    inside = np.hypot(rows - 64, columns - 60) < 12
    variants = ("NAQ on the grid of MPRAGE", "NAQ on the grid of SPACE")
    crops = tuple(
        Crop(name, values, 0.25, tuple(Outline(variant, inside) for variant in variants))
        for name in ("MPRAGE", "SPACE")
    )
    lesions = tuple(
        LesionPicture(f"Lesion {i + 1}", ("0.1 cm³, $x$",), ("below one voxel",), crops)
        for i in range(n_lesions)
    )
    board = Checkerboard("MPRAGE | SPACE, axial", "R", values, 1 - values)
    return SessionPicture("internal sub-001 ses-1", "", variants, (board,) * 3, lesions)


def test_the_same_picture_gives_the_same_bytes() -> None:
    """PNG without metadata; the outlines' colours survive the reduction of colours."""
    first, second = (png_bytes(draw_session(picture())) for _ in range(2))
    assert first == second
    chunks = set(re.findall(rb"(tEXt|iTXt|zTXt|tIME|eXIf)", first))
    assert not chunks
    pixels = np.asarray(Image.open(io.BytesIO(first)).convert("RGB")).reshape(-1, 3)
    drawn = {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0).tolist()}
    assert {"#FFFFFF", *COLOURS[:2]} <= drawn


def test_a_picture_grows_with_its_lesions_and_lesions_without_crops_are_named() -> None:
    """Three lesions of two techniques fill a row; a lesion that is nowhere takes only text."""
    heights = [draw_session(picture(n)).get_size_inches()[1] for n in (1, 3, 4)]
    assert heights[0] == heights[1] < heights[2]
    nowhere = LesionPicture("Lesion 9", (), ("lost on MPRAGE: outside the field of view",), ())
    alone = SessionPicture("ukhd sub-001 ses-1", "", (), (), (nowhere,))
    figure = draw_session(alone)
    texts = [text.get_text() for text in figure.texts]
    assert "Lesion 9" in texts
    assert any("outside the" in text for text in texts)
    assert figure.get_size_inches()[1] < heights[0] / 3
