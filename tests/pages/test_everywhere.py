"""What holds for every page: no barriers, both themes, phone and desk, by keyboard, light, nothing from outside."""

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.client import Client
from tests.fakes.launch import Run
from tests.pages.browsing import MARKS, SAMPLES, THEMES, WIDTHS, barriers, scrolls_sideways
from tests.pages.conftest import Open

pytestmark = MARKS

PAGES = [
    "/",
    "/results",
    "/training",
    "/training/new",
    "/models",
    "/models/lgg-unet",
    "/system",
    "/login",
    "/problems",
]
FIRST_PAGE_BYTES = 200_000
# Of a group of radio buttons the keyboard reaches one; scrolling boxes count, because they have a tab stop too.
NAME_CONTROLS = """() => {
  const kinds = ["a[href]", "button", "input:not([type=hidden], [type=radio])", "select", "summary", "[tabindex='0']"];
  const shown = [...document.querySelectorAll(kinds.join(","))].filter(
    (node) => !node.disabled && node.checkVisibility({ visibilityProperty: true }) && !node.matches(".skip"));
  const name = (node, index) => `${index} ${node.tagName} ${node.id} ${node.textContent.trim().slice(0, 40)}`;
  return shown.map((node, index) => (node.dataset.place = name(node, index)));
}"""
FOCUSED = """() => {
  const node = document.activeElement, style = getComputedStyle(node);
  return [node.dataset.place ?? null, style.outlineStyle !== "none" && style.outlineWidth !== "0px"];
}"""


def settled(page: Page) -> None:
    """Until nothing is loading any more."""
    expect(page.locator(".loading:visible")).to_have_count(0, timeout=30_000)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", PAGES)
def test_no_barriers_and_no_sideways_scrolling(open_page: Open, path: str, width: int, theme: str) -> None:
    page = open_page(path, width=width, color_scheme=theme)
    settled(page)
    assert page.get_by_role("heading", level=1).count() == 1
    assert not scrolls_sideways(page)
    assert not barriers(page)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [*WIDTHS, 2560])
def test_a_result_has_no_barriers(open_page: Open, width: int, theme: str) -> None:
    page = open_page("/", width=width, color_scheme=theme)
    page.get_by_role("link", name="Slice with a glioma").click()
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert not scrolls_sideways(page)
    assert not barriers(page)


def test_the_first_page_is_light_with_recent_results_too(open_page: Open, running: Run) -> None:
    client, picture = Client(str(running.address), 30), (SAMPLES / "tumour.tif").read_bytes()
    for _ in range(8):
        client.post("/v1/segmentations", files=[("image", ("a.tif", picture))])
    page = open_page()
    settled(page)
    cards = page.locator(".result-card img")
    expect(cards).to_have_count(8)
    cards.last.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
          .map((entry) => entry.transferSize)"""
    )
    assert len(sizes) > 20 and sum(sizes) < FIRST_PAGE_BYTES


def test_the_reader_may_choose_dark_or_light_and_it_stays(open_page: Open) -> None:
    page = open_page("/", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    theme = page.get_by_role("button", name="Colours: system")
    theme.click()
    page.get_by_role("button", name="Colours: light").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.goto(page.url + "models")
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("path", PAGES)
def test_every_control_is_reached_by_the_keyboard_and_shows_it(open_page: Open, path: str) -> None:
    page = open_page(path)
    settled(page)
    wanted = page.evaluate(NAME_CONTROLS)
    reached: set[str] = set()
    for _ in range(len(wanted) + 40):
        page.keyboard.press("Tab")
        name, shown = page.evaluate(FOCUSED)
        assert shown or name is None, name
        reached.add(name)
        if reached >= set(wanted):
            break
    assert set(wanted) - reached == set()
