"""The page of a review in a real browser, headless; skips where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.review_client import Client, serving
from helpers.review_study import make_review_study

from cta_data.engine import Report
from cta_data.review.export_page import export_html, exported_items
from cta_data.review.import_decisions import checked_decisions
from cta_data.review.server.niivue import bundle_path
from cta_data.review.sitting import Sitting
from cta_data.review.worklist import Asked, worklist
from cta_data.study.study import Study

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET += ("--disable-background-networking", "--disable-component-update")
# Without a graphics card, WebGL2 is drawn by the processor.
QUIET += ("--enable-unsafe-swiftshader", "--use-gl=angle", "--use-angle=swiftshader")
QUIET += ("--ignore-gpu-blocklist",)
WAIT_MS = 120_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not here")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield made
        made.close()


@pytest.fixture(scope="module")
def study(built: tuple[Study, Report], tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_review_study(built[0].root, tmp_path_factory.mktemp("browser") / "study")


@pytest.fixture
def served(study: Study) -> Iterator[tuple[Client, Sitting]]:
    with serving(study, "B1") as served:
        yield served
    shutil.rmtree(study.root / ".cta/review")


class Page:
    """A page with what went wrong on it, and where its requests went."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda one: self.errors.append(one.text))
        self.page.on("pageerror", lambda one: self.errors.append(str(one)))
        self.page.on("request", lambda one: self.requests.append(one.url))
        self.page.goto(address)

    def wait(self) -> None:
        """Wait until the outlines of the item are painted."""
        self.page.wait_for_selector("body[data-drawn]")

    def open(self, kind: str) -> str:
        """Choose the first of a kind by the filter; return its id."""
        self.page.select_option("#filter-kind", kind)
        self.page.wait_for_selector('#items [aria-current="true"]')
        self.wait()
        return str(self.page.get_attribute('#items [aria-current="true"]', "data-id"))

    def state(self, item: str) -> str:
        """Return the word that the list says of an item."""
        return self.page.inner_text(f'#items [data-id="{item}"] .tag')


def test_the_page_shows_decides_reloads_and_undoes(
    browser: Any, served: tuple[Client, Sitting]
) -> None:
    """By keys and buttons; a reload shows what was decided; all requests go to the server."""
    client, sitting = served
    shown = Page(browser, f"http://127.0.0.1:{client.port}/?token={client.token}")
    page = shown.page
    shown.wait()
    assert page.locator(".tile img").count() == 6
    assert page.locator(".tile svg .outline").count() > 0
    decided = {}
    for kind, key, verdict in (
        *(("transfer", "2", "rejected"), ("annotation", "3", "uncertain")),
        ("finding", "2", "vessel"),
    ):
        item = shown.open(kind)
        page.keyboard.press("ArrowUp")
        page.keyboard.press("o")
        page.keyboard.press("o")
        page.fill("#note", f"about {kind} <b>1</b>")
        page.keyboard.press("Escape")
        page.keyboard.press(key)
        page.wait_for_selector(f'#items [data-id="{item}"] .tag:text-is("{verdict}")')
        decided[item] = verdict
    page.reload()
    shown.wait()
    page.select_option("#filter-kind", "")
    assert {item: shown.state(item) for item in decided} == decided
    said = {row.verdict: row.reason for row in sitting.journal.stands().values()}
    assert said["vessel"] == "about finding <b>1</b>" and set(said) == set(decided.values())
    _a_key_while_the_next_is_loading_decides_nothing(page, sitting)
    shown.wait()
    page.fill("#note", "not decided yet")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("j")
    shown.wait()
    assert page.input_value("#note") == "not decided yet", "nothing that was written is lost"
    page.fill("#note", "")
    page.keyboard.press("Escape")
    page.click("#undo")
    last = list(decided)[-1]
    page.wait_for_selector(f'#items [data-id="{last}"] .tag:text-is("open")')
    assert len(sitting.journal.stands()) == 2
    page.set_viewport_size({"width": 820, "height": 1180})
    button = page.locator("#verdicts button").first
    box = button.bounding_box()
    assert box and box["y"] + box["height"] <= 1180, "decisions can be reached without scrolling"
    assert shown.errors == []
    own = f"http://127.0.0.1:{client.port}/"
    assert shown.requests and all(url.startswith(own) for url in shown.requests)


def _a_key_while_the_next_is_loading_decides_nothing(page: Any, sitting: Sitting) -> None:
    """It would be about the item before, which is not the one that the list shows as open."""
    before = len(sitting.journal.entries)
    waiting: list[Any] = []
    page.route("**/api/item/*", lambda route: waiting.append(route))
    page.keyboard.press("k")
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert len(sitting.journal.entries) == before and waiting
    for route in waiting:
        route.continue_()
    page.unroute("**/api/item/*")
    page.wait_for_selector("#verdicts button:enabled")
    assert len(sitting.journal.entries) == before


def test_the_exported_page_works_from_a_file(browser: Any, study: Study, tmp_path: Path) -> None:
    """Images, keys and the file to send back, without any request."""
    asked = Asked(of="findings")
    listed = worklist(study, asked)
    items = exported_items(study, listed, lambda text: None)
    (tmp_path / "review.html").write_text(export_html(study, asked, items, ""), "utf-8")
    shown = Page(browser, (tmp_path / "review.html").as_uri())
    page = shown.page
    page.wait_for_selector("#pictures img")
    page.wait_for_timeout(300)
    widths = page.eval_on_selector_all("#pictures img", "all => all.map(one => one.naturalWidth)")
    assert len(widths) >= 4 and all(widths)
    page.fill("#reader", "R9")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("2")
    with page.expect_download() as waiting:
        page.click("#save")
    waiting.value.save_as(tmp_path / "decisions.json")
    taken, refused = checked_decisions(study, tmp_path / "decisions.json")
    assert [row.verdict for row in taken] == ["metastasis", "vessel"] and refused == []
    assert {row.reader for row in taken} == {"R9"}
    assert shown.errors == []
    assert {url.split(":")[0] for url in shown.requests} <= {"file", "data", "blob"}


def test_views_in_three_dimensions_are_linked(browser: Any, study: Study) -> None:
    """With WebGL2 and NiiVue: loaded from the server alone, and a click moves all views."""
    if bundle_path() is None:
        pytest.skip("ipyniivue is not here: pip install 'cta_data[review]'")
    with serving(study, "B3", niivue=True) as (client, _):
        shown = Page(browser, f"http://127.0.0.1:{client.port}/?token={client.token}")
        page = shown.page
        shown.wait()
        assert page.is_visible("#deep-button")
        page.keyboard.press("v")
        page.wait_for_selector("body[data-deep]")
        page.wait_for_timeout(1000)
        other = page.locator("#deep-views figure").nth(1)
        before = other.screenshot()
        assert other.screenshot() == before, "it stays where nobody moves it"
        page.locator("#deep-views canvas").first.click(position={"x": 100, "y": 200})
        page.wait_for_timeout(3000)
        assert other.screenshot() != before
        assert not [one for one in shown.errors if not one.startswith("niivue-")]
        own = f"http://127.0.0.1:{client.port}/"
        assert all(url.startswith((own, "data:")) for url in shown.requests)
    shutil.rmtree(study.root / ".cta/review")
