"""Training in the browser: datasets, the form, runs as they go, runs compared; and what may come in between."""

import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.fakes import zips
from tests.fakes.client import Client, zip_of
from tests.fakes.datasets import picture_files
from tests.fakes.launch import Run, until
from tests.fakes.study import make_study
from tests.fakes.volumes import case_files
from tests.pages.browsing import MARKS, THEMES, WIDTHS, barriers, scrolls_sideways
from tests.pages.conftest import Open
from tests.pages.test_everywhere import settled

pytestmark = MARKS

PATIENTS, SLICES = 8, 4
RUN = {
    "recipe": "lgg-unet", "image_size": 64, "batch_size": 4, "encoder_weights": None, "validate_every": 1,
    "test_time_augmentation": [], "limit": {"steps_per_epoch": 2},
}  # fmt: skip
LONG = 150_000  # a training, on a machine that is busy
HOSTILE = "<img src=x onerror=alert(1)> Ärzte " + "W" * 60

Start = Callable[..., str]


@pytest.fixture(scope="module")
def client(running: Run) -> Client:
    return Client(str(running.address), 60)


@pytest.fixture(scope="module")
def dataset(client: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    return client.upload_study(tmp_path_factory.mktemp("study"), "ward", patients=PATIENTS, slices=SLICES)


@pytest.fixture(scope="module")
def start(client: Client, dataset: str) -> Start:
    """Starts a run with the name; its id."""

    def start_run(name: str, **changes: Any) -> str:
        return client.start_run(
            secrets.token_hex(8), **{**RUN, "name": name, "dataset": dataset, "epochs": 2, **changes}
        )

    return start_run


@pytest.fixture(scope="module")
def finished(client: Client, start: Start) -> list[str]:
    """Two runs that succeeded, the second with another learning rate and one epoch more."""
    runs = [start("first"), start("second", epochs=3, learning_rate=0.0003)]
    for run in runs:
        client.wait_for(run, "succeeded", timeout_s=240)
    return runs


def zipped(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "application/zip", "buffer": content}


def row(page: Page, table: str, name: str) -> Locator:
    return page.get_by_role("table", name=table).get_by_role("row").filter(has_text=name)


def epochs_shown(page: Page) -> Locator:
    return page.get_by_role("region", name="Table of epochs").locator("tbody tr")


def status(page: Page, word: str, timeout: float = LONG) -> None:
    expect(page.locator("h1 .chip")).to_have_text(word, timeout=timeout)


# --- datasets ------------------------------------------------------------------------------------


def test_a_zip_is_sent_with_progress_looked_through_and_shown_with_its_findings(
    open_page: Open, client: Client, tmp_path: Path
) -> None:
    page = open_page("/training")
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 100, "downloadThroughput": 500_000, "uploadThroughput": 40_000}
    page.locator("#add-dataset > summary").click()
    page.get_by_label("Zip archive", exact=True).set_input_files(
        zipped("north.zip", zip_of(make_study(tmp_path)))
    )
    expect(page.get_by_label("Name", exact=True)).to_have_value("north")
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_role("button", name="Add dataset").click()
    expect(page.get_by_role("progressbar", name="Upload")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ % of [\d.]+ kB sent"))).to_be_visible()
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    expect(row(page, "Datasets", "north")).to_contain_text("Ready", timeout=60_000)
    row(page, "Datasets", "north").get_by_role("link", name="north").click()
    status(page, "Ready")
    made = client.get("/v1/datasets?limit=1")["items"][0]
    expect(page.locator("dl.facts")).to_contain_text(f"{made['slices']}, {made['tumour_slices']} with tumour")
    assert made["findings"]
    for finding in made["findings"]:
        expect(page.get_by_role("region", name="Findings")).to_contain_text(finding["detail"])


def test_what_is_wrong_with_an_archive_is_said_in_words(open_page: Open, client: Client) -> None:
    page = open_page("/training", expect_errors=True)
    page.locator("#add-dataset > summary").click()
    page.get_by_role("button", name="Add dataset").click()
    for label in ("Zip archive", "Name"):
        expect(page.get_by_label(label, exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Zip archive", exact=True)).to_be_focused()
    hostile = zips.by_hand([zips.Entry("../evil.png")])
    for content, said in ((b"no zip at all", "no zip archive"), (hostile, "../evil.png")):
        page.get_by_label("Zip archive", exact=True).set_input_files(zipped("bad.zip", content))
        page.get_by_role("button", name="Add dataset").click()
        expect(page.get_by_role("alert")).to_contain_text(re.compile(re.escape(said), re.IGNORECASE))
        expect(page.get_by_label("Name", exact=True)).to_have_value("bad")  # nothing typed is lost
    broken = zips.archive(picture_files() | {"P1/2.png": b"broken"})
    page.get_by_label("Zip archive", exact=True).set_input_files(zipped("bad.zip", broken))
    page.get_by_role("button", name="Add dataset").click()
    expect(row(page, "Datasets", "bad")).to_contain_text("Failed", timeout=60_000)
    row(page, "Datasets", "bad").get_by_role("link", name="bad").click()
    expect(page.locator("main")).to_contain_text("This dataset cannot be used")
    expect(page.get_by_role("region", name="Findings")).to_contain_text("P1/2.png")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete dataset").click()
    expect(page).to_have_url(re.compile(r"/training$"))
    expect(row(page, "Datasets", "bad")).to_have_count(0)


def test_the_preview_goes_slice_by_slice_and_patient_by_patient(open_page: Open, dataset: str) -> None:
    page = open_page(f"/training/datasets/{dataset}")
    box, place = page.get_by_role("region", name="Preview"), page.get_by_role("slider", name="Slice")
    picture, caption = box.get_by_role("img"), box.get_by_role("status").first
    expect(caption).to_contain_text("the one with the largest tumour")
    expect(place).to_have_attribute("max", str(SLICES - 1))
    place.fill("0")
    expect(picture).to_have_attribute("alt", re.compile(f"slice 1 of {SLICES}"))
    place.focus()
    page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", re.compile(f"slice 2 of {SLICES}"))
    expect(caption).to_contain_text("TCGA_XX_0000_20000101_2.tif")
    colours = picture.get_attribute("src")
    box.get_by_label("Modality").select_option("flair")
    expect(picture).not_to_have_attribute("src", str(colours))
    expect(caption).to_contain_text("TCGA_XX_0000_20000101_2.tif")  # the same slice
    before, after = (box.get_by_role("button", name=f"{word} patient") for word in ("Previous", "Next"))
    patient = box.get_by_role("textbox", name="Patient")
    for number in range(1, PATIENTS):
        after.click()
        expect(patient).to_have_value(f"TCGA_XX_{number:04d}_20000101")
    after.click()
    before.click()
    expect(patient).to_have_value(f"TCGA_XX_{PATIENTS - 2:04d}_20000101")
    for typed in ("3", "TCGA_XX_0003_20000101"):
        patient.fill(typed)
        patient.press("Enter")
        expect(caption).to_contain_text("Patient TCGA_XX_0003_20000101")
    page.reload()
    expect(caption).to_contain_text("Patient TCGA_XX_0000_20000101")


def test_a_patient_who_is_not_there_is_said_and_the_preview_goes_on(open_page: Open, dataset: str) -> None:
    page = open_page(f"/training/datasets/{dataset}", expect_errors=True)
    box = page.get_by_role("region", name="Preview")
    expect(box.get_by_role("img")).to_be_visible()
    box.get_by_role("textbox", name="Patient").fill("nobody")
    box.get_by_role("textbox", name="Patient").press("Enter")
    expect(box).to_contain_text(f"no such patient; there are {PATIENTS}")
    box.get_by_role("button", name="Next patient").click()
    expect(box.get_by_role("img")).to_be_visible()
    expect(box).to_contain_text("Patient TCGA_XX_0001_20000101")


def test_files_that_are_called_by_numbers_are_all_seen(open_page: Open, client: Client) -> None:
    """Folders 1 to 4 with files 1 to 3: a number could be a name or a place."""
    files = {f"{int(name[1]) + 1}{name[2:]}": data for name, data in picture_files().items()}
    made = client.post(
        "/v1/datasets", files={"file": ("a.zip", zips.archive(files))}, data={"name": "numbers"}
    )
    until(lambda: client.get(made["links"]["self"])["status"] == "ready", 60, "the validation")
    page = open_page(f"/training/datasets/{made['id']}")
    box = page.get_by_role("region", name="Preview")
    for number in range(1, 4):
        box.get_by_role("slider", name="Slice").fill(str(number - 1))
        expect(box).to_contain_text(f"Patient 1, {number}.png")
    for number in range(2, 5):
        box.get_by_role("button", name="Next patient").click()
        expect(box).to_contain_text(f"Patient {number},")


def test_a_volume_is_previewed_by_its_axial_slices(open_page: Open, client: Client) -> None:
    files = {"file": ("a.zip", zips.archive(case_files("A") | case_files("B", 1)))}
    made = client.post("/v1/datasets", files=files, data={"name": "volumes"})
    until(lambda: client.get(made["links"]["self"])["status"] == "ready", 60, "the validation")
    page = open_page(f"/training/datasets/{made['id']}")
    box = page.get_by_role("region", name="Preview")
    for place in range(4):  # the first and the last of the six show nothing
        box.get_by_role("slider", name="Slice").fill(str(place))
        expect(box).to_contain_text(f"Patient A, axial slice {place + 1}:")
        expect(box).to_contain_text(f"{place + 1} of 4")
    box.get_by_label("Modality").select_option("t2")
    expect(box).to_contain_text("axial slice 4:")
    box.get_by_role("button", name="Next patient").click()
    expect(box).to_contain_text("Patient B, axial slice")
    box.get_by_label("Modality").select_option("")
    assert not barriers(page)


# --- the form ------------------------------------------------------------------------------------


def test_a_recipe_fills_the_form_mistakes_stand_at_their_fields_and_only_changes_are_sent(
    open_page: Open, client: Client, dataset: str
) -> None:
    page = open_page("/training/new", expect_errors=True)
    recipes = {each["name"]: each["fields"] for each in client.get("/v1/catalog")["recipes"]}
    page.get_by_label("Recipe").select_option("lgg-unet")
    expect(page.get_by_label("Epochs", exact=True)).to_have_value(str(recipes["lgg-unet"]["epochs"]))
    expect(page.get_by_label("Loss", exact=True)).to_have_value(recipes["lgg-unet"]["loss"])
    page.get_by_label("Name", exact=True).fill("by hand")
    page.get_by_label("Image size").fill("65")
    page.get_by_label("Epochs", exact=True).fill("none at all")
    page.get_by_role("button", name="Start training").click()
    wrong = [page.get_by_label(name, exact=True) for name in ("Dataset", "Image size", "Epochs")]
    for field in wrong:
        expect(field).to_have_attribute("aria-invalid", "true")
        described = str(field.get_attribute("aria-describedby")).split()
        assert any(page.locator(f"#{each}.wrong").is_visible() for each in described)
    expect(wrong[0]).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was started")
    expect(page.get_by_label("Name", exact=True)).to_have_value("by hand")
    page.get_by_label("Dataset", exact=True).select_option(dataset)
    changes = {"image_size": 64, "batch_size": 4, "epochs": 1}
    for name, value in changes.items():
        label = name.replace("_", " ").capitalize()
        page.get_by_label(label, exact=True).fill(str(value))
        expect(page.get_by_label(label, exact=True)).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Encoder weights").select_option(label="random weights")
    page.get_by_text("As JSON and curl").click()
    shown = page.get_by_role("region", name="The request as JSON").inner_text()
    sent = {"recipe": "lgg-unet", "dataset": dataset, "name": "by hand", "encoder_weights": None, **changes}
    sent["augmentations"] = {"crop": 0}  # that of the recipe does not fit into the image
    assert page.evaluate("JSON.parse", shown) == sent
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/training/runs/\w+$"))
    made = client.run(page.url.rpartition("/")[2])
    assert (made["recipe"], made["dataset"], made["name"]) == ("lgg-unet", dataset, "by hand")
    own = {*sent, "card", "description", "dataset_format", "in_channels"}
    for name, value in made["specification"].items():
        if name in changes or name == "encoder_weights":
            assert value == sent[name]
        elif name == "augmentations":
            assert value == recipes["lgg-unet"]["augmentations"] | {"crop": 0}
        elif name not in own:
            assert value == recipes["lgg-unet"].get(name, value), name
    status(page, "Succeeded")


# --- a run ---------------------------------------------------------------------------------------


def test_a_run_is_followed_to_its_model(open_page: Open, client: Client, start: Start) -> None:
    page = open_page(f"/training/runs/{start('followed', epochs=3)}")
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(epochs_shown(page)).not_to_have_count(0, timeout=LONG)
    status(page, "Succeeded")
    run = client.run(page.url.rpartition("/")[2])
    expect(epochs_shown(page)).to_have_count(len(run["epochs"]))
    expect(epochs_shown(page).first).to_contain_text(f"{run['epochs'][-1]['train_loss']:.4f}")
    line = page.get_by_role("img", name="Validation Dice by epoch").locator("path.line")
    assert str(line.get_attribute("d")).count("L") == len(run["epochs"]) - 1
    page.get_by_text("Numbers", exact=True).first.click()
    numbers = page.get_by_role("region", name="Validation Dice by epoch: numbers").locator("tbody tr")
    expect(numbers).to_have_count(len(run["epochs"]))
    samples = page.get_by_role("region", name="Samples").get_by_role("img")
    expect(samples).to_be_visible()
    assert samples.evaluate("node => node.naturalWidth") > 0
    expect(page.get_by_role("region", name="Lines of the log")).to_contain_text(re.compile(r"\w"))
    page.get_by_role("link", name="a model").click()
    expect(page).to_have_url(re.compile(f"/models/{run['model']}$"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_run_is_cancelled_and_resumed_to_its_end(open_page: Open, client: Client, start: Start) -> None:
    run = start("cancelled", epochs=10)
    page, other = open_page(f"/training/runs/{run}"), open_page(f"/training/runs/{run}")
    expect(epochs_shown(page)).not_to_have_count(0, timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Let it go on").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    for each in (page, other):
        status(each, "Cancelled")
    done = len(client.run(run)["epochs"])
    assert 0 < done < 10
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    other.evaluate(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )  # one comes back to the other window
    for each in (page, other):
        status(each, "Succeeded")
        expect(epochs_shown(each)).to_have_count(10)


def test_a_page_outlives_the_process_that_trains(
    open_page: Open, client: Client, start: Start, running: Run
) -> None:
    run = start("killed", epochs=8)
    page = open_page(f"/training/runs/{run}")
    expect(epochs_shown(page)).not_to_have_count(0, timeout=LONG)
    for process in running.processes()[1:]:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "trainer.training.runs.child" in process.cmdline():
                process.kill()
    status(page, "Succeeded")
    expect(epochs_shown(page)).to_have_count(8)
    expect(page.locator("dl.inline")).to_contain_text("Attempts")
    assert client.run(run)["attempts"] > 1


def test_without_events_it_asks_again_and_again(open_page: Open, client: Client, start: Start) -> None:
    page = open_page("/training", expect_errors=True)
    page.route("**/events", lambda route: route.abort())
    run = start("without-events", epochs=3)
    page.goto(page.url + f"/runs/{run}")
    status(page, "Succeeded")
    expect(epochs_shown(page)).to_have_count(3)


def test_a_run_that_is_deleted_in_another_window_is_said_to_be_gone(
    open_page: Open, client: Client, start: Start
) -> None:
    run = start("removed", epochs=40)
    page = open_page(f"/training/runs/{run}", expect_errors=True)
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    client.post(f"/v1/training-runs/{run}/cancel")
    client.wait_for(run, "cancelled")
    status(page, "Cancelled")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    assert client.ask("DELETE", f"/v1/training-runs/{run}").status_code == 204
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("main")).to_contain_text("There is no such training run")


def test_a_run_is_deleted_after_asking(open_page: Open, client: Client, start: Start) -> None:
    run = start("to-delete", epochs=1)
    client.wait_for(run, "succeeded")
    page = open_page(f"/training/runs/{run}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete training run").click()
    expect(page).to_have_url(re.compile(r"/training$"))
    settled(page)
    expect(row(page, "Training runs", "to-delete")).to_have_count(0)
    assert client.ask("GET", f"/v1/training-runs/{run}").status_code == 404


def test_a_run_whose_dataset_is_deleted_says_so(open_page: Open, client: Client, tmp_path: Path) -> None:
    gone = client.upload_study(tmp_path, "passing")
    run = client.start_run("passing", **{**RUN, "name": "orphan", "dataset": gone, "epochs": 40})
    page = open_page(f"/training/runs/{run}", expect_errors=True)
    expect(page.locator("dl.inline")).to_contain_text("passing")
    assert client.ask("DELETE", f"/v1/datasets/{gone}").status_code == 204
    with suppress(AssertionError):
        client.post(f"/v1/training-runs/{run}/cancel")
    client.wait_for(run, "failed", "cancelled", timeout_s=150)
    page.reload()
    expect(page.locator("dl.inline")).to_contain_text("deleted")
    assert client.ask("DELETE", f"/v1/training-runs/{run}").status_code == 204


# --- runs beside each other ----------------------------------------------------------------------


def test_two_runs_are_compared_and_what_differs_is_named(open_page: Open, finished: list[str]) -> None:
    page = open_page("/training")
    for name in ("first", "second"):
        page.get_by_role("checkbox", name=f"Compare {name}", exact=True).check()
    page.get_by_role("button", name="Compare 2 runs").click()
    differing = page.get_by_role("region", name="Table of what differs").locator("tbody th")
    expect(differing).to_have_text(["Learning rate", "Epochs"])
    numbers = page.get_by_role("region", name="Table of numbers")
    expect(numbers).to_contain_text("3 of 3")
    expect(numbers.locator("tbody tr").nth(1)).to_contain_text("(highest)")
    expect(page.get_by_role("img", name="Validation Dice by epoch").locator("path.line")).to_have_count(2)


def test_more_runs_than_can_be_compared_and_runs_that_are_gone_are_said(
    open_page: Open, finished: list[str]
) -> None:
    ids = [*finished, *(f"gone{number}" for number in range(5))]
    page = open_page(f"/training/compare?runs={','.join(ids)}", expect_errors=True)
    expect(page.locator("main")).to_contain_text("names 7 runs; the first 6 are shown")
    expect(page.locator("main")).to_contain_text("4 of the runs are not there any more")


# --- for everybody, and against everything -------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_barriers(open_page: Open, dataset: str, finished: list[str], width: int, theme: str) -> None:
    page = open_page("/training", width=width, color_scheme=theme)
    for path in (
        f"/training/datasets/{dataset}",
        f"/training/runs/{finished[0]}",
        f"/training/compare?runs={','.join(finished)}",
        f"/training/new?recipe=lgg-unet&dataset={dataset}",
    ):
        page.goto(page.url.partition("/training")[0] + path)
        settled(page)
        expect(page.locator("h2").first).to_be_visible()
        page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
        assert not scrolls_sideways(page), path
        assert not barriers(page), path


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_are_text_and_fit(
    open_page: Open, client: Client, start: Start, tmp_path: Path, width: int
) -> None:
    made = client.upload_study(tmp_path, HOSTILE)
    run = start(HOSTILE, epochs=1, dataset=made)
    page = open_page("/training", width=width)
    page.on("dialog", lambda dialog: pytest.fail("a name was run as a script"))
    for path in (
        f"/training/datasets/{made}",
        f"/training/runs/{run}",
        f"/training/compare?runs={run}",
        f"/training/new?like={run}",
        "/training",
    ):
        page.goto(page.url.partition("/training")[0] + path)
        settled(page)
        expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
        assert not scrolls_sideways(page), path
    client.wait_for(run, "succeeded")
    assert client.ask("DELETE", f"/v1/training-runs/{run}").status_code == 204
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    expect(page.get_by_role("dialog")).to_contain_text("<img src=x")
    assert not scrolls_sideways(page)
    page.get_by_role("dialog").get_by_role("button", name="Delete dataset").click()
    expect(page.get_by_role("button", name=f"Delete {HOSTILE}")).to_have_count(0)


def test_thousands_of_epochs_are_shown(open_page: Open, client: Client, finished: list[str]) -> None:
    page = open_page("/training")
    run = client.run(finished[0])
    last = run["epochs"][-1]
    run["epochs"] = [{**last, "epoch": number} for number in range(1, 8001)]
    page.route(f"**/v1/training-runs/{finished[0]}", lambda route: route.fulfill(json=run))
    page.goto(page.url + f"/runs/{finished[0]}")
    expect(epochs_shown(page)).to_have_count(8000)
    expect(page.get_by_role("img", name="Loss by epoch", exact=True)).to_be_visible()
