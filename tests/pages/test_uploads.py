"""Uploads of the page that segments: what is sent, what is refused, and where the focus is when they go away."""

import gzip
import io
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom import Dataset, dcmwrite

from tests.fakes import dicom
from tests.fakes.launch import until
from tests.fakes.volumes import nifti
from tests.fakes.zips import archive
from tests.pages.browsing import MARKS, SAMPLES, payload
from tests.pages.conftest import Open

pytestmark = MARKS

# drops [bytes, name] on an element
DROP = """(node, [bytes, name]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name));
  node.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
# keeps what the next form sends: names of fields with their text, or with the name of the file
SPY = """() => {
  const original = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (form) {
    const parts = [...form.entries()].filter(([name]) => name !== "model");
    window.sent = parts.map(([name, value]) => [name, value.name ?? value]);
    original.call(this, form);
  };
}"""


def choose(page: Page, *names: str) -> None:
    page.get_by_label("Image files").set_input_files([payload(SAMPLES / name) for name in names])


def tabs(page: Page) -> Locator:
    return page.get_by_role("list", name="Uploads").get_by_role("button")


def posts(page: Page) -> list[str]:
    """The Idempotency-Key of each POST from now on."""
    keys: list[str] = []
    page.on("request", lambda asked: asked.method == "POST" and keys.append(asked.headers["idempotency-key"]))
    return keys


def delete(page: Page, button: Locator) -> None:
    """Presses a button that deletes, and says yes."""
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()


def test_a_file_is_sent_as_it_is_chosen_under_a_neutral_name_and_shown_under_its_own(page: Page) -> None:
    expect(page.get_by_role("button", name="Segment", exact=True)).to_have_count(0)
    page.evaluate(SPY)
    choose(page, "tumour.tif")
    expect(page.get_by_role("heading", name="Result: tumour.tif")).to_be_visible()
    expect(tabs(page)).to_have_text(re.compile(r"^tumour\.tif\s*tumour$"))
    assert page.evaluate("sent") == [["wait", "5"], ["image", "image"]]
    page.get_by_text("Options", exact=True).click()
    page.get_by_role("textbox", name="Threshold").press("Enter")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(tabs(page)).to_have_count(1)


def test_files_dropped_on_a_sequence_stay_in_its_field_until_they_are_sent(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    page.get_by_text("Several sequences", exact=True).click()
    send = page.get_by_role("button", name="Segment these sequences")
    send.click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a volume for each sequence")
    flair = page.get_by_label("FLAIR volume")
    flair.evaluate(DROP, [list((SAMPLES / "volume.tif").read_bytes()), "volume.tif"])
    expect(flair).to_have_js_property("value", "C:\\fakepath\\volume.tif")
    expect(tabs(page)).to_have_count(0)
    page.evaluate(SPY)
    send.click()
    expect(tabs(page)).to_contain_text("1 sequence (FLAIR)")
    assert page.evaluate("sent") == [["wait", "5"], ["modality_flair", "image"]]
    expect(flair).to_have_js_property("value", "")
    expect(page.locator("#trouble").get_by_role("alert")).to_have_count(0)


def test_a_folder_can_be_chosen_and_what_systems_leave_in_it_is_not_sent(page: Page, tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.tif"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "slice.tif").write_bytes((SAMPLES / "tumour.tif").read_bytes())
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").press("Enter")
    chooser.value.set_files(tmp_path)
    expect(tabs(page)).to_have_text([re.compile(r"^slice\.tif\s*tumour$")])


def choose_folder(page: Page, folder: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").press("Enter")
    chooser.value.set_files(folder)


# what lies on CDs beside the images; a document, a program and a film are told from archives and pictures by content
BESIDE = {
    "viewer.exe": b"MZ\x90\x00" + bytes(200), "index.html": b"<html>", "readme.txt": b"BMI and weight: read me.",
    "a.pdf": b"%PDF-1.7", "autorun.inf": b"[autorun]",
    ".DS_Store": b"\x00\x00\x00\x01Bud1", "._I0": b"\x00\x05\x16\x07",
    "report.docx": archive({"[Content_Types].xml": b"<Types/>"}), "viewer.jar": archive({"META-INF/MANIFEST.MF": b""}),
    "film.mp4": b"\x00\x00\x00\x20ftypisom", "notes.gz": gzip.compress(b"notes"), "broken.dcm": bytes(200),
}  # fmt: skip


def bare(one: Dataset, syntax: str) -> bytes:
    """A DICOM file that begins with its first element: without preamble, and without group 0002."""
    into, plain = io.BytesIO(), Dataset()
    plain.update(one)
    dcmwrite(into, plain, implicit_vr=syntax == "implicit", little_endian=syntax != "big endian")
    return into.getvalue()


def test_a_cd_becomes_its_series_and_what_is_no_image_is_counted(page: Page, tmp_path: Path) -> None:
    for number, one in enumerate(dicom.series(dicom.head((6, 48, 40)))):
        data = dicom.as_bytes(one)
        (tmp_path / f"I{number}").write_bytes(data[132:] if number % 2 else data)  # half of them without a preamble
    for name, content in BESIDE.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10\x00")
    choose_folder(page, tmp_path)
    expect(tabs(page)).to_have_count(1)
    expect(tabs(page)).to_contain_text("DICOM series, 6 files")
    said = page.locator("#trouble").get_by_role("status")
    expect(said).to_contain_text("these 13 are no images that are taken")
    expect(said).to_contain_text("1 .exe")
    expect(said).to_contain_text("3 hidden or system files")


def test_names_tell_nothing_and_are_said_where_they_are_few(page: Page, tmp_path: Path) -> None:
    (tmp_path / "image.txt").write_bytes((SAMPLES / "tumour.tif").read_bytes())
    (tmp_path / "photo.png").write_bytes(b"<html>")
    choose_folder(page, tmp_path)
    expect(tabs(page)).to_have_text([re.compile(r"^image\.txt")])
    said = page.locator("#trouble").get_by_role("status")
    expect(said).to_have_text("Left out, because it is no image that is taken: photo.png.")


def test_where_several_files_are_no_images_nothing_is_sent_and_one_alone_is_refused_by_the_service(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page(expect_errors=True)
    for name, content in BESIDE.items():
        (tmp_path / name).write_bytes(content)
    choose_folder(page, tmp_path)
    expect(page.locator("#trouble").get_by_role("alert")).to_contain_text("None of these files is an image")
    expect(tabs(page)).to_have_count(0)
    page.get_by_label("Image files").set_input_files(tmp_path / "a.pdf")
    expect(page.get_by_role("alert")).to_contain_text("PDF")
    expect(tabs(page)).to_have_text([re.compile("a.pdf")])


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_dicom_without_any_header_is_one_series(page: Page, tmp_path: Path, syntax: str) -> None:
    for number, one in enumerate(dicom.series(dicom.head((3, 48, 40)))):
        (tmp_path / f"I{number}").write_bytes(bare(one, syntax))
    page.evaluate("() => { XMLHttpRequest.prototype.send = () => {}; }")  # what is sent is not the point here
    choose_folder(page, tmp_path)
    expect(tabs(page)).to_have_text([re.compile("^DICOM series, 3 files")])


def test_of_a_folder_that_is_dropped_on_a_sequence_only_the_images_stay(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    page.get_by_text("Several sequences", exact=True).click()
    drop = """(node, files) => {
      const transfer = new DataTransfer();
      for (const [bytes, name] of files) transfer.items.add(new File([new Uint8Array(bytes)], name));
      node.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    volume = nifti(np.zeros((4, 4, 4), np.int16))
    page.get_by_label("FLAIR volume").evaluate(
        drop, [[list(volume), "flair.nii.gz"], [list(b"notes"), "a.txt"]]
    )
    expect(page.locator("#trouble").get_by_role("status")).to_contain_text("a.txt")
    names = "node => [...node.files].map((file) => file.name)"
    assert page.get_by_label("FLAIR volume").evaluate(names) == ["flair.nii.gz"]


def test_a_refused_option_is_said_at_its_field_and_the_same_file_is_sent_again(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    keys = posts(page)
    options, threshold = (
        page.get_by_text("Options", exact=True),
        page.get_by_label("Threshold", exact=True),
    )
    spacing = page.get_by_label("Pixel spacing in mm", exact=True)
    options.click()
    threshold.fill("7")
    spacing.fill("wide")
    options.click()
    choose(page, "tumour.tif")
    expect(page.get_by_role("alert")).to_contain_text("Pixel spacing in mm: Must be")
    expect(threshold).to_be_focused()
    expect(threshold).to_have_attribute("aria-invalid", "true")
    expect(threshold).to_have_accessible_description(re.compile(r"^Above 0, up to 1\. Must be .* at most 1"))
    threshold.fill("0.5")
    expect(threshold).not_to_have_attribute("aria-invalid", "true")
    spacing.fill("")
    page.get_by_role("button", name="Send again with the present options").click()
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    expect(page.locator("#upload .wrong")).to_have_count(0)
    assert len(keys) == len(set(keys)) == 2


def test_without_javascript_a_refused_option_is_said_at_its_field(open_page: Open) -> None:
    page = open_page(java_script_enabled=False, expect_errors=True)
    expect(page.get_by_text("paste a picture")).to_be_hidden()
    choose(page, "tumour.tif")
    page.get_by_text("Options", exact=True).click()
    threshold = page.get_by_label("Threshold", exact=True)
    threshold.fill("7")
    page.get_by_role("button", name="Segment", exact=True).click()
    expect(page).to_have_title(re.compile("^Error"))
    expect(threshold).to_have_attribute("aria-invalid", "true")
    expect(threshold).to_have_accessible_description(re.compile("at most 1"))


def test_without_javascript_deleting_asks_first(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    choose(page, "tumour.tif")
    page.get_by_role("button", name="Segment", exact=True).click()
    expect(page.get_by_role("heading", name="tumour found")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("button", name="Delete now")).to_be_hidden()
    page.get_by_text("Delete image and result…").click()
    page.get_by_role("button", name="Delete now").click()
    expect(page).to_have_url(re.compile(r"/results$"))


def test_what_is_deleted_among_the_recent_results_leaves_the_stage_too(page: Page) -> None:
    choose(page, "tumour.tif", "no-tumour.tif")
    expect(tabs(page)).to_have_text([re.compile("tumour$")] * 2)
    recent = page.locator("#recent .result-card")
    made = page.get_by_role("link", name="Link to this result").get_attribute("href")
    shown = recent.filter(has=page.locator(f'a[href="{made}"]'))
    delete(page, shown.get_by_role("button", name="Delete"))
    expect(shown).to_have_count(0)
    expect(page.locator("#announcer")).to_have_text("Deleted")
    expect(tabs(page)).to_have_count(1)
    expect(page.get_by_role("heading", name="Result: no-tumour.tif")).to_be_visible()
    until(
        lambda: page.evaluate("document.activeElement.closest('.result-card') !== null"),
        what="the focus on a card",
    )


def test_after_deleting_in_the_viewer_its_neighbour_is_shown_and_focused(page: Page) -> None:
    choose(page, "tumour.tif", "no-tumour.tif", "tumour.tif")
    expect(tabs(page)).to_have_text([re.compile("tumour$")] * 3)
    tabs(page).nth(1).click()
    for left in (2, 1):
        delete(page, page.get_by_role("button", name="Delete image and result"))
        expect(tabs(page)).to_have_count(left)
        expect(tabs(page).nth(left - 1)).to_be_focused()
        expect(page.get_by_role("heading", name="Result: tumour.tif")).to_be_visible()
    delete(page, page.get_by_role("button", name="Delete image and result"))
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#shown")).to_be_hidden()


def test_in_the_list_of_all_results_the_focus_goes_to_the_next_card(page: Page) -> None:
    choose(page, "tumour.tif", "no-tumour.tif")
    expect(tabs(page)).to_have_text([re.compile("tumour$")] * 2)
    page.get_by_role("link", name="All results").click()
    cards = page.locator(".result-card")
    address = cards.nth(1).get_by_role("link").get_attribute("href")
    delete(page, cards.first.get_by_role("button", name="Delete"))
    expect(cards.first.get_by_role("link")).to_be_focused()
    assert cards.first.get_by_role("link").get_attribute("href") == address


def test_the_chosen_view_is_told_apart_in_the_systems_own_colours(open_page: Open) -> None:
    page = open_page(forced_colors="active")
    choose(page, "tumour.tif")
    expect(page.locator(".verdict")).to_be_visible()
    ground = "node => getComputedStyle(node).backgroundColor"
    views = page.locator(".segmented span")
    assert views.nth(0).evaluate(ground) != views.nth(1).evaluate(ground)
