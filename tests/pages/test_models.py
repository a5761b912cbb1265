"""Models: cards, promotion and roll back, archives, evaluations, as their page offers them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.pages.browsing import MARKS, THEMES, WIDTHS, barriers, scrolls_sideways
from tests.pages.conftest import Open

pytestmark = MARKS


@pytest.fixture(scope="module")
def client(running: Run) -> Client:
    return Client(str(running.address), 60)


@pytest.fixture(scope="module")
def evaluation(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An evaluation that succeeded; its id."""
    dataset = client.upload_study(tmp_path_factory.mktemp("study"), name="measured", patients=6)
    made = client.post("/v1/models/lgg-unet/evaluations", json={"dataset": dataset, "split": "all"})["id"]
    until(lambda: client.get(f"/v1/evaluations/{made}")["status"] == "succeeded", 200, "the evaluation")
    return str(made)


def test_a_model_is_shown_with_its_accuracy_and_what_it_is_not_for(open_page: Open, client: Client) -> None:
    page = open_page("/models")
    card = client.get("/v1/models/lgg-unet")
    tile = page.locator("#models > div > *").filter(has_text="lgg-unet")
    expect(tile).to_contain_text(f"{card['metrics']['volume_dice']['as_uploaded']['mean']:.3f}")
    expect(tile).to_contain_text(re.compile(r"95 % interval 0\.\d{3} to 0\.\d{3}"))
    page.get_by_role("link", name="lgg-unet").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("lgg-unet")
    for text in (card["not_for"], card["licence"], card["weights"]["sha256"]):
        expect(page.locator("#app").get_by_text(text).first).to_be_visible()


def test_a_model_is_promoted_and_rolled_back(open_page: Open, client: Client) -> None:
    page = open_page("/models")
    dialog = page.get_by_role("dialog")
    for model in ("lgg-unet", "brats-demo"):
        page.get_by_role("button", name="Promote a model…").click()
        dialog.get_by_label("Alias").fill("trial")
        dialog.get_by_label("Model that shall answer for it").select_option(model)
        dialog.get_by_role("button", name="Promote").click()
        expect(dialog).to_have_count(0)
    back = page.get_by_role("button", name="Roll back to lgg-unet: trial")
    back.click()
    expect(dialog).to_contain_text("goes on to answer")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("button", name="Roll back to brats-demo: trial")).to_be_visible()
    now = {each["alias"]: each for each in client.get("/v1/models/aliases")["items"]}["trial"]
    assert (now["model"], now["previous"]) == ("lgg-unet", "brats-demo")
    page.get_by_role("button", name="Delete: trial").click()
    dialog.get_by_role("button", name="Delete the alias").click()
    expect(page.get_by_role("button", name="Delete: trial")).to_have_count(0)


def test_a_wrong_name_is_said_at_its_field(open_page: Open) -> None:
    page = open_page("/models", expect_errors=True)
    page.get_by_role("button", name="Promote a model…").click()
    dialog = page.get_by_role("dialog")
    for name in ("", "no spaces please"):
        dialog.get_by_label("Alias").fill(name)
        dialog.get_by_role("button", name="Promote").click()
        expect(dialog.get_by_label("Alias")).to_have_attribute("aria-invalid", "true")
        expect(dialog.get_by_label("Alias")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()


def test_an_archive_goes_out_and_comes_in_and_a_wrong_one_is_refused(open_page: Open, tmp_path: Path) -> None:
    page = open_page("/models/lgg-unet", expect_errors=True)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download the archive")).click()
    archive = tmp_path / "lgg-unet.zip"
    download.value.save_as(archive)
    page.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete the model").click()
    expect(dialog.get_by_role("alert")).to_be_visible()  # an alias points to it, and it is shipped
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Models").click()
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("This very model was here before")).to_be_visible()
    page.get_by_label("Archive").set_input_files(
        {"name": "x.zip", "mimeType": "application/zip", "buffer": b"PK"}
    )
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert").or_(page.locator(".wrong:visible")).first).to_be_visible()


def test_a_model_is_evaluated_and_the_report_read(open_page: Open, evaluation: str) -> None:
    page = open_page("/models/lgg-unet")
    form = page.locator("#evaluate")
    expect(form).to_be_visible()
    form.get_by_label("Dataset").select_option(label="measured (6 patients)")
    form.get_by_role("button", name="Evaluate").click()
    expect(page).to_have_url(re.compile(r"/evaluations/\w+$"))
    expect(page.get_by_role("link", name=re.compile("report", re.IGNORECASE)).first).to_be_visible(
        timeout=120_000
    )
    expect(page.get_by_role("table").filter(has_text="Dice").first).to_be_visible()
    address = page.get_by_role("link", name=re.compile("report", re.IGNORECASE)).first.get_attribute("href")
    page.goto(page.url.partition("/evaluations")[0] + str(address))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_an_evaluation_has_no_barriers(open_page: Open, evaluation: str, width: int, theme: str) -> None:
    page = open_page(f"/evaluations/{evaluation}", width=width, color_scheme=theme)
    expect(page.get_by_role("table").first).to_be_visible()
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert not scrolls_sideways(page)
    assert not barriers(page)


@pytest.mark.parametrize("path", ["/models/none", "/evaluations/none"])
def test_what_is_not_there_is_said_with_a_way_back(open_page: Open, path: str) -> None:
    page = open_page(path, expect_errors=True)
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("link", name=re.compile("To all|All ", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile(r"/models$"))
