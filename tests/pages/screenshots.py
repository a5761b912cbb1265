"""docs/screenshots: each page in both themes and two widths, of a service with something on it."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.embedded.test_run import short_folder, starter
from tests.fakes.client import Client
from tests.fakes.launch import ROOT, until
from tests.pages.browsing import ARGUMENTS, BROWSER, SAMPLES

FOLDER = ROOT / "docs" / "screenshots"
SIZES = {"wide": (1280, 900), "phone": (375, 812)}
THEMES = ("light", "dark")
RUN = {"recipe": "lgg-unet", "image_size": 64, "batch_size": 4, "encoder_weights": None, "seed": 1}


@contextmanager
def service() -> Iterator[Client]:
    """A run of its own with the shipped models."""
    with short_folder() as place, starter(place, ROOT / "models") as start:
        yield Client(str(start(ENGINE="auto").wait_until_ready().address), 60)


def fill(client: Client) -> dict[str, str]:
    """Results, a dataset, two runs, an evaluation; the addresses of their pages."""
    slice_id, volume_id = (segment(client, name) for name in ("tumour.tif", "volume.tif"))
    segment(client, "no-tumour.tif")
    with tempfile.TemporaryDirectory() as folder:
        dataset = client.upload_study(Path(folder), patients=20, slices=8)
    runs = [
        client.start_run(name, **RUN, name=name, dataset=dataset, epochs=epochs, learning_rate=rate)
        for name, epochs, rate in (("first-try", 8, 0.001), ("slower", 8, 0.0003))
    ]
    model = [client.wait_for(run, "succeeded", timeout_s=400)["model"] for run in runs][0]
    asked = {"dataset": dataset, "split": "all"}
    evaluation = client.post(f"/v1/models/{model}/evaluations", json=asked)["id"]
    until(lambda: client.get(f"/v1/evaluations/{evaluation}")["status"] == "succeeded", 200, "the evaluation")
    return {
        "segment": f"/results/{slice_id}",
        "volume": f"/results/{volume_id}",
        "start": "/",
        "results": "/results",
        "training": "/training",
        "training-new": f"/training/new?recipe=lgg-unet&dataset={dataset}",
        "run": f"/training/runs/{runs[0]}",
        "compare": f"/training/compare?runs={','.join(runs)}",
        "dataset": f"/training/datasets/{dataset}",
        "models": "/models",
        "model": "/models/lgg-unet",
        "evaluation": f"/evaluations/{evaluation}",
        "system": "/system",
        "login": "/login",
        "docs": "/docs",
    }


def segment(client: Client, name: str) -> str:
    """The id of a sample's result."""
    files = [("image", (name, (SAMPLES / name).read_bytes()))]
    job = client.post("/v1/segmentations", files=files)
    until(lambda: client.get(job["links"]["self"])["status"] == "succeeded", 120, name)
    return str(job["id"])


def shoot(page: Page, path: Path) -> None:
    """The page's upper two screens, as WebP."""
    expect(page.locator(".loading:visible")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    height = min(page.evaluate("document.documentElement.scrollHeight"), 2 * page.viewport_size["height"])  # type: ignore[index]
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}  # type: ignore[index]
    picture = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    Image.open(io.BytesIO(picture)).convert("RGB").save(path, "WEBP", quality=82, method=6)


def main() -> None:
    """Write all of them anew."""
    FOLDER.mkdir(exist_ok=True)
    with service() as client, sync_playwright() as playwright:
        pages = fill(client)
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        for size, (width, height) in SIZES.items():
            for theme in THEMES:
                viewport = {"width": width, "height": height}
                context = browser.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
                for name, path in pages.items():
                    page = context.new_page()
                    page.goto(f"{client.address}{path}")
                    shoot(page, FOLDER / f"{name}-{size}-{theme}.webp")
                    page.close()
        browser.close()


if __name__ == "__main__":
    main()
