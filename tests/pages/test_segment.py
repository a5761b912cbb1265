"""A person's way through the page that segments, with real slices."""

import io
import re

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import Page, expect

from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.pages.browsing import MARKS, SAMPLES, area, painted, payload, slider
from tests.pages.conftest import Open

pytestmark = MARKS


def choose(page: Page, *names: str) -> None:
    page.get_by_label("Image files").set_input_files([payload(SAMPLES / name) for name in names])


@pytest.fixture
def shown(page: Page) -> Page:
    """The page with the result of the slice with tumour."""
    choose(page, "tumour.tif")
    expect(page.get_by_text("tumour found · confidence")).to_be_visible()
    until(lambda: painted(page) > 0, what="the picture")  # the numbers are there before it
    return page


def test_a_slice_is_segmented_and_the_numbers_are_the_services(shown: Page, running: Run) -> None:
    latest = Client(str(running.address), 30).get("/v1/segmentations?limit=1")["items"][0]["result"]
    assert area(shown) == latest["area_pixels"] == painted(shown)
    measured = shown.get_by_role("region", name="Measurements")
    expect(measured).to_contain_text(f"{latest['coverage_percent']:.2f} %")
    expect(shown.locator(".verdict")).to_contain_text(
        f"Yes tumour found · confidence {latest['confidence'] * 100:.1f} %"
    )
    expect(shown.get_by_role("link", name="lgg-unet")).to_be_visible()


@pytest.mark.parametrize("level", [3, 128, 240])
def test_another_threshold_gives_what_the_service_gives_for_it(shown: Page, running: Run, level: int) -> None:
    slider(shown, "Threshold", level)
    note = shown.locator("#threshold-note")
    expect(note).to_contain_text("threshold=")
    sent = re.search(r"threshold=([\d.]+)", note.inner_text())
    assert sent
    answer = Client(str(running.address), 30).post(
        "/v1/segmentations",
        files=[("image", ("a.tif", (SAMPLES / "tumour.tif").read_bytes()))],
        data={"threshold": sent[1]},
    )
    result = answer["result"]
    assert area(shown) == result["area_pixels"] == painted(shown)
    expect(shown.locator(".verdict")).to_contain_text(f"{result['confidence'] * 100:.1f} %")
    shown.get_by_role("button", name="Back to the model's own").click()
    expect(note).to_contain_text("The threshold of this result")


def test_views_opacity_and_colour(shown: Page) -> None:
    layer = shown.locator("canvas.paint")
    slider(shown, "Opacity", 80)
    expect(layer).to_have_css("opacity", "0.8")
    inside = painted(shown)
    shown.get_by_label("Outline").check(force=True)
    expect(shown.locator(".marks .outline")).to_have_attribute("d", re.compile(r"^M\d"))
    assert painted(shown) == 0
    shown.get_by_label("Mask", exact=True).check(force=True)
    expect(layer).to_have_css("opacity", "1")
    shown.get_by_label("Probability").check(force=True)
    until(lambda: painted(shown) > inside, what="the heat map")
    shown.get_by_label("Image", exact=True).check(force=True)
    until(lambda: painted(shown) == 0, what="the plain image")
    shown.get_by_label("Overlay", exact=True).check(force=True)
    shown.get_by_label("Colour", exact=True).fill("#00ff88")
    until(lambda: painted(shown) == inside, what="the overlay")


def test_the_spacing_can_be_given_and_the_ruler_measures_in_it(shown: Page) -> None:
    panel = shown.get_by_role("region", name="Measurements")
    expect(panel).to_contain_text("not in mm²: the pixel spacing is not known")
    field = panel.get_by_label("Pixel spacing in mm")
    field.fill("nonsense")
    panel.get_by_role("button", name="Use it").click()
    expect(panel.get_by_role("alert")).to_contain_text("One or two numbers")
    field.fill("0.5, 0.25")
    panel.get_by_role("button", name="Use it").click()
    expect(panel).to_contain_text(f"{area(shown) * 0.125:,g} mm²")
    shown.locator(".stage").focus()
    shown.keyboard.press("r")
    label = shown.locator(".ruler text")
    before = float(str(label.text_content()).removesuffix(" mm"))
    for _ in range(4):
        shown.keyboard.press("ArrowRight")
    assert float(str(label.text_content()).removesuffix(" mm")) == pytest.approx(before + 1.0, abs=0.06)
    shown.keyboard.press("Escape")
    expect(shown.locator(".ruler")).to_have_attribute("visibility", "hidden")


def test_zoom_and_pan_by_wheel_mouse_and_keys(shown: Page) -> None:
    content = shown.locator(".stage .content")
    transform = lambda: content.evaluate("node => node.style.transform")  # noqa: E731
    fitted = transform()
    shown.locator(".stage").click()  # before, the wheel scrolls the page
    shown.mouse.wheel(0, -400)
    until(lambda: transform() != fitted, what="the zoom")
    zoomed = transform()
    shown.mouse.down()
    shown.mouse.move(300, 300, steps=3)
    shown.mouse.up()
    assert transform() != zoomed
    shown.locator(".stage").focus()
    shown.keyboard.press("0")
    assert transform() == fitted
    shown.keyboard.press("+")
    shown.keyboard.press("ArrowLeft")
    assert transform() != fitted


def test_the_layers_opacity_follows_at_the_speed_of_the_screen(shown: Page) -> None:
    """Moving the slider paints nothing anew: it only changes how the browser blends the layer."""
    script = """async () => {
      const slider = document.querySelector('input[id^="opacity"]'), layer = document.querySelector("canvas.paint");
      const context = layer.getContext("2d"), original = context.putImageData;
      let paintings = 0;
      context.putImageData = (...all) => { paintings += 1; original.apply(context, all); };
      const seen = [];
      for (let value = 0; value <= 100; value += 2) {
        slider.value = value;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
        seen.push(layer.style.opacity);
      }
      return { paintings, seen };
    }"""
    moved = shown.evaluate(script)
    assert moved["paintings"] == 0
    assert [float(value) for value in moved["seen"]] == pytest.approx(np.linspace(0, 1, 51))


def test_several_files_at_once_are_results_beside_each_other(page: Page) -> None:
    choose(page, "tumour.tif", "no-tumour.tif")
    uploads = page.get_by_role("list", name="Uploads").get_by_role("button")
    expect(uploads).to_have_count(2)
    expect(uploads.nth(0)).to_contain_text(re.compile(r"^tumour\.tif\s*tumour$"))
    expect(uploads.nth(1)).to_contain_text("no tumour")
    uploads.nth(1).click()
    expect(page.locator(".verdict").locator("visible=true")).to_contain_text("no tumour found")


def test_examples_drop_paste_and_camera_each_lead_to_a_result(page: Page) -> None:
    page.get_by_role("link", name="Slice without tumour").click()
    expect(page.locator(".verdict")).to_contain_text("no tumour found")
    picture = list((SAMPLES / "tumour.tif").read_bytes())
    give = """([bytes, kind]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], `${kind}.tif`));
      const event = kind === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
        : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    uploads = page.get_by_role("list", name="Uploads").get_by_role("button")
    for number, kind in enumerate(("drop", "paste"), 1):
        page.evaluate(give, [picture, kind])
        expect(uploads.nth(number)).to_contain_text(re.compile(rf"^{kind}\.tif\s*tumour$"))
    page.get_by_role("button", name="Camera (demonstration)").click()
    expect(page.get_by_role("dialog")).to_contain_text("is not an MRI")
    page.get_by_role("button", name="Take the picture").click()
    expect(uploads.nth(3)).to_contain_text("tumour")


def test_a_16_bit_tiff_and_a_large_picture_are_shown(page: Page) -> None:
    grey = tifffile.imread(SAMPLES / "tumour.tif")[..., 1].astype(np.uint16) * 157
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, grey)
    large = io.BytesIO()
    Image.fromarray(tifffile.imread(SAMPLES / "tumour.tif")).resize((2048, 1536)).save(large, "PNG")
    files = [("deep.tif", buffer), ("large.png", large)]
    page.get_by_label("Image files").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": data.getvalue()} for name, data in files]
    )
    uploads = page.get_by_role("list", name="Uploads").get_by_role("button")
    for number in (0, 1):
        expect(uploads.nth(number)).to_contain_text("tumour")
    expect(page.get_by_text("TIFF, 256 × 256, 16 bit")).to_be_visible()
    uploads.nth(1).click()
    expect(page.get_by_text("PNG, 2048 × 1536")).to_be_visible()
    until(lambda: area(page) == painted(page) > 0, what="the mask of the large picture")


def test_what_is_wrong_is_said_and_the_next_image_still_works(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    page.get_by_label("Image files").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image"}
    )
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("not an image")
    page.get_by_role("button", name="Remove").click()
    expect(alert).to_have_count(0)
    choose(page, "tumour.tif")
    expect(page.locator(".verdict")).to_contain_text("tumour found")


def test_every_download_of_a_result_comes(shown: Page) -> None:
    links = shown.get_by_role("heading", name="Downloads").locator("xpath=..").get_by_role("link")
    names = links.all_inner_texts()
    assert len(names) == 7 and names[0] == "Result with run lengths (JSON)"
    for link in links.all():
        with shown.expect_download() as download:
            link.click()
        assert download.value.path().stat().st_size > 100


def test_recent_results_have_thumbnails_and_can_be_deleted(shown: Page, running: Run) -> None:
    cards = shown.locator(".result-card")
    expect(cards.first.locator("img")).to_have_js_property("complete", True)
    address = shown.get_by_role("link", name="Link to this result").get_attribute("href")
    expect(cards.first.get_by_role("link")).to_have_attribute("href", str(address))
    cards.first.get_by_role("button", name="Delete").click()
    dialog = shown.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep it").click()
    assert cards.first.get_by_role("link").get_attribute("href") == address
    cards.first.get_by_role("button", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(shown.locator(f'.result-card a[href="{address}"]')).to_have_count(0)
    asked = Client(str(running.address)).ask("GET", f"/v1/segmentations/{str(address).rpartition('/')[2]}")
    assert asked.status_code == 410


def test_a_result_has_a_page_of_its_own(shown: Page) -> None:
    shown.get_by_role("link", name="Link to this result").click()
    expect(shown).to_have_url(re.compile(r"/results/\w+$"))
    expect(shown.locator("#result .verdict")).to_contain_text("tumour found")
    shown.get_by_role("button", name="Delete image and result").click()
    shown.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(shown).to_have_url(re.compile(r"/results$"))
    expect(shown.get_by_role("heading", name="Results")).to_be_focused()
    expect(shown.locator("#announcer")).to_have_text("Deleted")


def test_by_the_keyboard_alone(page: Page) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if "Slice with a glioma" in page.evaluate("document.activeElement.innerText"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "stage":
            break
    for key, view in (("2", "outline"), ("4", "probability"), ("h", "image"), ("h", "probability")):
        page.keyboard.press(key)
        expect(page.locator(f'input[name^="view"][value="{view}"]')).to_be_checked()


def test_without_javascript_the_form_leads_to_a_result_page(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    choose(page, "tumour.tif")
    page.get_by_role("button", name="Segment").click()
    expect(page).to_have_url(re.compile(r"/results/\w+$"))
    expect(page.get_by_role("heading", name="tumour found")).to_be_visible(timeout=20_000)
    expect(page.get_by_alt_text("The slice with the mask painted over it")).to_be_visible()
