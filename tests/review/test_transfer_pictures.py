"""Pictures of transfers: outlines, planes, order, the page, and bytes that stay the same."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from helpers.read_page import check_page
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from cta_data.drawing.crops import Crop, Outline
from cta_data.drawing.outlines import COLOURS, outline_segments
from cta_data.drawing.planes import (
    ViewPlane,
    grey_window,
    lesion_centre,
    lesion_window,
    orthogonal_planes,
    show,
    show_lesion,
)
from cta_data.drawing.png import png_bytes
from cta_data.drawing.views import LesionViews, Locator, Slices, views_figure
from cta_data.review.lesion_entry import LesionEntry
from cta_data.review.page_pictures import PagePicture
from cta_data.review.pictures_page import (
    FAILED,
    ON_HOLD,
    PASSED,
    STATES,
    LeftOut,
    SessionEntry,
    pictures_html,
    worst_first,
)
from cta_data.review.transfer_pictures import Checkerboard, boards_figure, checkerboard
from cta_data.study.session_id import SessionId


def lesion(number: int = 1, ratio: float = 1.0, shift: float = 0.0, **more: object) -> LesionEntry:
    return LesionEntry(number, "HAQ", "MPRAGE", 0.1, ratio, shift, **more)  # type: ignore[arg-type]


def entry(subject: str, *lesions: LesionEntry, failures: tuple[str, ...] = ()) -> SessionEntry:
    picture = PagePicture(f"{subject}.png", 1320, 480, f"Checkerboards of subject {subject}")
    drawn = ((("HAQ", 1), replace(picture, file=f"{subject}_1.png")),) if lesions else ()
    state = FAILED if failures else PASSED
    about = {"registration": picture, "failures": failures, "lesions": lesions, "pictures": drawn}
    return SessionEntry(SessionId("internal", subject, "1"), state, **about)  # type: ignore[arg-type]


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


def test_the_page_lists_every_session_once_and_needs_nothing_else() -> None:
    """A section each, links that lead within the page, nothing from elsewhere."""
    entries = [entry(name, lesion()) for name in ("001", "002", "003")]
    page = pictures_html(entries, LeftOut(4, 5, 6, (("internal sub-009 ses-1", "gone"),)))
    read = check_page(page)
    anchors = [one.anchor for one in worst_first(entries)]
    assert [one["id"] for one in read.all("section")] == anchors
    inner = {one["href"] for one in read.all("a")}
    assert {f"#{name}" for name in anchors} <= inner
    assert not re.search("https?:|<script src", page)
    assert "internal sub-009 ses-1: gone" in read.text


def test_pictures_are_loaded_when_they_are_seen() -> None:
    """Of hundreds of sessions none is loaded at once; those that passed are closed, others open."""
    held = replace(entry("002", lesion()), state=ON_HOLD)
    read = check_page(pictures_html([entry("001", lesion()), held], LeftOut()))
    images = read.all("img")
    assert {one["src"] for one in images} == {
        f"00{n}{part}.png" for n in "12" for part in ("", "_1")
    }
    assert all(one["loading"] == "lazy" and one["width"] and one["height"] for one in images)
    assert ["open" in one for one in read.all("details") if one.get("class") == "pictures"] == [
        True,
        False,
    ]


@pytest.mark.parametrize("state", STATES)
def test_a_session_is_in_one_state_by_which_it_is_found(state: str) -> None:
    """The row of the overview and the section have it; who is on hold has the command to decide."""
    page = pictures_html([replace(entry("001", lesion()), state=state)], LeftOut())
    read = check_page(page)
    marked = [about for _, about in read.elements if "data-state" in about]
    assert [(one["data-state"], one["data-cohort"]) for one in marked] == [(state, "internal")] * 2
    command = "cta-data accept --cohort internal --subject 001"
    assert (command in read.text) == (state == ON_HOLD)


def test_what_failed_stands_with_its_lesion() -> None:
    """The measure with its limit is a text of the page, beside the picture."""
    failed = lesion(failed=("volume ratio 0.41, 0.85 to 1.15 is plausible",))
    read = check_page(pictures_html([entry("001", failed)], LeftOut()))
    assert read.text.count("volume ratio 0.41, 0.85 to 1.15 is plausible") == 2


def test_text_of_the_data_is_escaped() -> None:
    """Reasons and flags are told as they are, and never become a part of the page."""
    evil = "<script>alert('1 & 2')</script>"
    lost = lesion(lost_reason=evil)
    flagged = lesion(2, flags=(evil.replace("_", " "),))
    entries = [entry("001", lost, flagged, failures=(evil,))]
    page = pictures_html(entries, LeftOut(not_drawn=((evil, evil),)), evil)
    assert page.count("<script") == 1
    assert check_page(page).text.count(evil) == 7


def test_a_window_reaches_from_the_brain_to_the_lesion() -> None:
    """Air does not darken the brain, and a lesion brighter than it has a grey of its own."""
    voxels = np.zeros((20, 20, 20), np.float32)
    voxels[5:15] = np.linspace(800, 1000, 4000).reshape(10, 20, 20)
    image = sitk.GetImageFromArray(voxels)
    low, high = grey_window(image, image > 0)
    assert 790 < low < 830 and 970 < high <= 1000
    values = np.full((8, 8), 900.0)
    values[2:4, 2:4] = 1500
    wide = lesion_window((low, high), values, values > 1000)
    assert wide == (low, pytest.approx(1500))
    assert lesion_window((low, high), values, values > 9999) == (low, high)
    assert lesion_window((low, high), values, values > 1000, "CT") == (low, high)


def views(techniques: int = 2) -> tuple[LesionViews, tuple[str, ...]]:
    rows, columns = np.indices((128, 128))
    values = (rows * columns % 97) / 96
    inside = np.hypot(rows - 64, columns - 60) < 12
    names = ("NAQ on MPRAGE", "NAQ on SPACE")
    crops = [
        Crop(name, values, 0.25, tuple(Outline(variant, inside) for variant in names))
        for name in ("MPRAGE", "SPACE", "FLAIR")[:techniques]
    ]
    shown = tuple(Slices(crop, crop, crop, 1.0) for crop in crops)
    return LesionViews(Locator(np.full((220, 220), 0.3), (80.0, 60.0, 32.0)), shown), names


def test_the_same_picture_gives_the_same_bytes() -> None:
    """PNG without metadata; the outlines' colours survive the reduction of colours."""
    first, second = (png_bytes(views_figure(*views())) for _ in range(2))
    assert first == second
    chunks = set(re.findall(rb"(tEXt|iTXt|zTXt|tIME|eXIf)", first))
    assert not chunks
    pixels = np.asarray(Image.open(io.BytesIO(first)).convert("RGB")).reshape(-1, 3)
    drawn = {f"#{r:02X}{g:02X}{b:02X}" for r, g, b in np.unique(pixels, axis=0).tolist()}
    assert {"#FFFFFF", *COLOURS[:2]} <= drawn


def test_every_pixel_gets_the_nearest_colour() -> None:
    """Grey or not: no other colour of the file is nearer to what was drawn."""
    figure = Figure(figsize=(1, 1), dpi=40)
    figure.figimage(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))
    figure.figimage(np.arange(0, 256, 16, np.uint8)[:, None].repeat(40, 1), cmap="gray")
    canvas = FigureCanvasAgg(figure)
    picture = Image.open(io.BytesIO(png_bytes(figure)))
    drawn = np.asarray(canvas.buffer_rgba())[..., None, :3].astype(int)
    kept = np.asarray(picture.convert("RGB")).astype(int)
    palette = np.reshape(picture.getpalette(), (-1, 3))
    least = ((drawn - palette) ** 2).sum(axis=-1).min(axis=-1)
    assert (((drawn[:, :, 0] - kept) ** 2).sum(axis=-1) == least).all()


def test_a_crop_stands_beside_itself_without_outlines() -> None:
    """Nothing hides a small lesion in the second column; the locator has the box of the crop."""
    pixels = np.asarray(Image.open(io.BytesIO(png_bytes(views_figure(*views())))).convert("RGB"))

    def coloured(colour: str, left: int, right: int) -> int:
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        part = pixels[:220, left:right].astype(int)
        return int((np.abs(part - wanted).sum(axis=2) < 30).sum())

    assert coloured(COLOURS[0], 230, 450) > 100
    assert coloured(COLOURS[0], 456, 676) == 0
    assert coloured("#F0E442", 4, 224) > 50


@pytest.mark.parametrize("techniques", [1, 2, 3])
def test_a_picture_is_never_wider_than_a_page(techniques: int) -> None:
    """More techniques make smaller crops."""
    width, height = views_figure(*views(techniques)).get_size_inches() * 100
    assert width <= 1320.5 and height < 480


def test_checkerboards_stand_three_in_a_row() -> None:
    """The second moving image is below the first; each says what it is of."""
    values = np.zeros((30, 30))
    board = Checkerboard("MPRAGE | SPACE, axial", "R", values, 1 - values)
    heights = [boards_figure([board] * n).get_size_inches()[1] for n in (1, 3, 6)]
    assert heights[0] == heights[1] == heights[2] / 2
    texts = [text.get_text() for text in boards_figure([board]).texts]
    assert texts == ["MPRAGE | SPACE, axial"]
