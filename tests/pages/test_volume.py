"""A volume in the viewer: slices, curve, thresholds over all slices, and planes that the network did not see."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import Page, expect

from tests.fakes import dicom
from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.fakes.volumes import nifti
from tests.fakes.zips import archive
from tests.pages.browsing import MARKS, SAMPLES, painted, slider
from tests.pages.conftest import Open

pytestmark = MARKS


@pytest.fixture(scope="module")
def client(running: Run) -> Client:
    return Client(str(running.address), 60)


def done(client: Client, name: str, content: bytes, **fields: str) -> dict[str, Any]:
    """The job of a volume once it succeeded."""
    job = client.post("/v1/segmentations", files=[("image", (name, content))], data={"wait": "20", **fields})
    return until(lambda: (now := client.get(job["links"]["self"]))["result"] and now, 120, "the volume")


@pytest.fixture(scope="module")
def coronal() -> bytes:
    """The sample's head, acquired in coronal slices, as a zip of a DICOM series."""
    axial_ZYX = tifffile.imread(SAMPLES / "volume.tif")[:, ::2, ::2].repeat(2, axis=0)  # 42 x 128 x 128
    slices = axial_ZYX[::-1].transpose(1, 0, 2)[::-1]  # from back to front; rows from head to feet
    lie = dicom.Lie(row=(1, 0, 0), column=(0, 0, -1), step=(0, -1.8, 0), spacing=(3.0, 1.8))
    files = dicom.series(np.ascontiguousarray(slices).astype(np.uint16), lie)
    return archive({str(index): dicom.as_bytes(file) for index, file in enumerate(files)})


@pytest.fixture
def volume(page: Page) -> Page:
    """The page with the sample's volume."""
    page.get_by_role("link", name="Volume of 21 slices").click()
    expect(page.get_by_role("slider", name="Slice")).to_be_visible(timeout=90_000)
    until(lambda: painted(page) > 0, what="the slice")
    return page


def test_a_volume_is_walked_through_slice_by_slice(volume: Page) -> None:
    page, place = volume, volume.get_by_role("slider", name="Slice")
    panel = page.get_by_role("region", name="Measurements")
    largest = int(place.input_value())
    expect(panel).to_contain_text(f"Slice {largest}")
    page.locator(".stage").focus()
    page.keyboard.press("ArrowDown")
    expect(place).to_have_value(str(largest + 1))
    page.locator(".stage").hover()
    page.mouse.wheel(0, 100)
    expect(place).to_have_value(str(largest + 2))
    page.keyboard.press("Home")
    expect(panel).to_contain_text("Slice 0")
    until(lambda: painted(page) == 0, what="the empty slice")
    page.keyboard.press("l")
    expect(place).to_have_value(str(largest))
    page.get_by_role("img", name="Tumour area along the slices").click(position={"x": 70, "y": 40})
    expect(place).not_to_have_value(str(largest))
    panel.get_by_label("Pixel spacing in mm").fill("1")
    panel.get_by_label("Slice spacing in mm").fill("5")
    panel.get_by_role("button", name="Use it").click()
    voxels = int(re.search(r"([\d,]+) voxels", panel.inner_text())[1].replace(",", ""))  # type: ignore[index]
    expect(panel).to_contain_text(f"{voxels * 5:,} mm³")


@pytest.mark.parametrize("level", [153, 20])
def test_another_threshold_counts_all_slices_as_the_service_does(
    volume: Page, client: Client, level: int
) -> None:
    slider(volume, "Threshold", level)
    content = (SAMPLES / "volume.tif").read_bytes()
    result = done(client, "v.tif", content, threshold=str(level / 255))["result"]
    panel = volume.get_by_role("region", name="Measurements")
    expect(panel).to_contain_text(f"{result['area_pixels']:,} voxels")
    expect(volume.locator(".verdict")).to_contain_text(f"{result['confidence'] * 100:.1f} %")


def test_while_the_slider_moves_no_number_of_another_threshold_is_shown(volume: Page) -> None:
    panel = volume.get_by_role("region", name="Measurements")
    slider(volume, "Threshold", 10)  # let go: it is counted
    move = """(node) => { node.value = 255; node.dispatchEvent(new Event("input", { bubbles: true })); }"""
    volume.get_by_role("slider", name="Threshold").evaluate(move)
    expect(volume.locator(".verdict")).to_contain_text("not counted at this threshold yet")
    expect(panel).to_contain_text("counted when the slider is let go")
    expect(panel).not_to_contain_text("voxels")
    slider(volume, "Threshold", 254)
    expect(panel).to_contain_text(re.compile(r"[\d,]+ voxels"))


def test_quick_steps_on_a_slow_network_end_at_the_slice_that_is_named(volume: Page) -> None:
    volume.context.new_cdp_session(volume).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 300, "downloadThroughput": 2e6, "uploadThroughput": 2e6},
    )
    panel, stage = volume.get_by_role("region", name="Measurements"), volume.locator(".stage")
    stage.focus()
    for keys in (
        ["Home", "ArrowDown"],
        ["End", "ArrowUp", "ArrowUp", "ArrowUp"],
        ["l", "ArrowDown", "ArrowDown"],
    ):
        for key in keys:
            volume.keyboard.press(key)
            volume.wait_for_timeout(130)  # between the first answer and the neighbours that are loaded ahead
        place = volume.get_by_role("slider", name="Slice").input_value()
        expect(panel).to_contain_text(re.compile(rf"Slice {place}[\d,]+ pixels"))
        expect(stage).not_to_have_attribute("aria-busy", "true")


def test_a_coronal_series_has_the_services_mask_at_every_threshold(
    open_page: Open, client: Client, coronal: bytes
) -> None:
    job = done(client, "s.zip", coronal)
    assert job["result"]["min_region_plane"] == "rows" and job["image"]["plane"] == "coronal"
    page = open_page(f"/results/{job['id']}")
    panel, place = page.get_by_role("region", name="Measurements"), page.get_by_role("slider", name="Slice")
    expect(place).to_be_visible()
    for index in (job["result"]["largest_slice"], job["result"]["largest_slice"] + 7):
        place.fill(str(index))
        wanted = job["result"]["slices"][index]["area_pixels"]
        expect(panel).to_contain_text(re.compile(rf"Slice {index}.*{wanted:,} pixels"))
        until(lambda wanted=wanted: painted(page) == wanted, what="the slice")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".orientation text")).to_have_text(["R", "L", "H", "F"])
    slider(page, "Threshold", 128)
    other = done(client, "s.zip", coronal, threshold=str(128 / 255))["result"]
    expect(panel).to_contain_text(f"{other['area_pixels']:,} voxels")
    expect(page.locator(".verdict").first).to_contain_text(f"{other['confidence'] * 100:.1f} %")
    shown = int(place.input_value())
    until(lambda: painted(page) == other["slices"][shown]["area_pixels"], what="the mask of the slice")


def test_the_mask_of_another_threshold_can_be_saved_as_it_is_shown(volume: Page, tmp_path: Path) -> None:
    slider(volume, "Threshold", 200)
    expect(volume.get_by_text("These files are of the result's own threshold")).to_be_visible()
    with volume.expect_download() as download:
        volume.get_by_role("button", name="Mask as it is shown").click()
    download.value.save_as(tmp_path / "mask.png")
    mask = np.array(Image.open(tmp_path / "mask.png").convert("L"))
    assert set(np.unique(mask)) == {0, 255} and np.count_nonzero(mask) == painted(volume)


def test_a_slice_that_cannot_be_had_leaves_no_other_in_its_place(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    page.get_by_role("link", name="Volume of 21 slices").click()
    place = page.get_by_role("slider", name="Slice")
    expect(place).to_be_visible(timeout=90_000)
    largest = int(place.input_value())
    caption = page.locator(".stage-caption")
    expect(caption).to_have_text(f"Slice {largest}")
    until(lambda: painted(page) > 0, what="the slice")
    page.route("**/image.png*", lambda route: route.abort())
    page.locator(".stage").focus()
    page.keyboard.press("Home")
    expect(caption).to_have_text("Slice 0 could not be loaded")
    assert painted(page) == 0
    expect(page.locator(".stage")).to_have_attribute("aria-label", re.compile("^Slice 0 could not be loaded"))
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute("**/image.png*")
    page.get_by_role("button", name="Try again").click()
    expect(caption).to_have_text("Slice 0")


def test_while_a_slice_is_on_its_way_the_picture_says_which_one_it_is(volume: Page) -> None:
    page, place = volume, volume.get_by_role("slider", name="Slice")
    caption, largest = page.locator(".stage-caption"), int(place.input_value())
    held: list[Any] = []
    page.route("**/image.png*", lambda route: held.append(route))
    page.locator(".stage").focus()
    page.keyboard.press("End")
    expect(caption).to_have_text(f"Slice 20 is loading; this is slice {largest}")
    expect(page.locator(".stage")).to_have_class(re.compile("stale"))
    expect(page.get_by_role("link", name=f"Mask of slice {largest} (PNG)")).to_be_visible()
    until(lambda: page.wait_for_timeout(20) or held, what="the request")  # the browser's events come meanwhile
    for route in held.copy():
        route.continue_()
    page.unroute("**/image.png*")
    expect(caption).to_have_text("Slice 20")
    expect(page.get_by_role("link", name="Mask of slice 20 (PNG)")).to_be_visible()


def test_the_volume_of_a_leaning_grid_is_that_of_the_api(page: Page, client: Client, tmp_path: Path) -> None:
    axial_ZYX = tifffile.imread(SAMPLES / "volume.tif")[:, ::2, ::2]
    if axial_ZYX.ndim == 4:
        axial_ZYX = axial_ZYX[..., 1]
    leaning = np.array([[-1.6, 0, 0.9, 90], [0.3, -1.6, 1.4, 90], [0, 0.2, 4.0, -30], [0, 0, 0, 1]])
    path = tmp_path / "leaning.nii.gz"
    path.write_bytes(nifti(np.ascontiguousarray(axial_ZYX.transpose(2, 1, 0)).astype(np.int16), leaning, qform_code=0,
                           pixdim=[1, *np.linalg.norm(leaning[:3, :3], axis=0), 0, 0, 0, 0]))  # fmt: skip
    result = done(client, "leaning.nii.gz", path.read_bytes())["result"]
    assert result["volume_mm3"] and result["area_pixels"]
    page.locator("#image").set_input_files(path)
    panel = page.get_by_role("region", name="Measurements")
    expect(panel).to_contain_text("mm³", timeout=90_000)
    shown = float(re.search(r"Volume\s*([\d,.]+) mm³", panel.inner_text())[1].replace(",", ""))  # type: ignore[index]
    assert shown == pytest.approx(result["volume_mm3"], rel=1e-3)
