"""The part `pages`: from a chosen file to the painted mask in a real browser, beside the same POST without one."""

import argparse
import shutil
import statistics
import time
from dataclasses import dataclass

import requests
from playwright.sync_api import Page, sync_playwright

from benchmarks import embedded, machine, page, slices

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ROUNDS, WARM_UP = 20, 3
# The moment of the first frame in which the picture and its mask are painted: both are, in one go.
PAINTED = """() => new Promise((resolve) => {
  const look = () => {
    const picture = document.querySelector(".stage canvas");
    const data = picture?.getContext("2d").getImageData(0, 0, picture.width, picture.height).data;
    if (data?.some((value) => value > 0)) requestAnimationFrame(() => resolve(performance.now()));
    else requestAnimationFrame(look);
  };
  look();
})"""
MARK_CHOICE = """() => document.querySelector("#image").addEventListener(
  "change", () => { window.chosen = performance.now(); }, true)"""
# Steps of a slider, one a frame; milliseconds between frames.
FRAMES = """async (selector) => {
  const slider = document.querySelector(selector), gaps = [];
  let before = null;
  for (let step = 0; step < 120; step += 1) {
    const share = Math.abs((step % 60) - 30) / 30;
    slider.value = Number(slider.min) + share * (slider.max - slider.min);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const now = await new Promise(requestAnimationFrame);
    if (before !== null) gaps.push(now - before);
    before = now;
  }
  return gaps;
}"""


@dataclass(frozen=True)
class Run:
    """What was measured; times in milliseconds."""

    facts: list[str]
    source: str
    browser: str
    post_ms: list[float]
    shown_ms: list[float]
    requests: int
    bytes: int
    opacity_gaps: list[float]
    threshold_gaps: list[float]

    @property
    def ratio(self) -> float:
        """How much longer a person waits than a program."""
        return statistics.median(self.shown_ms) / statistics.median(self.post_ms)


def measure(options: argparse.Namespace) -> Run:
    """POST and page take turns, on the same slices. SystemExit without a browser."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit("error: the part `pages` needs Chromium")
    chosen = slices.load(options.slices, options.data)
    with embedded.running(options.models, options.device) as service, sync_playwright() as playwright:
        address = f"http://{service.host}:{service.port}"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1280, "height": 900})
        count, size = _weight(window, address)
        files = (chosen.files * ROUNDS)[: ROUNDS + WARM_UP]
        posts, shown = zip(*[(_post(address, file), _shown(window, file)) for file in files], strict=True)
        gaps = [window.evaluate(FRAMES, field) for field in ('[id^="opacity"]', "#threshold-slider")]
        name = browser.version
        browser.close()
    return Run(
        machine.describe(), chosen.description, f"Chromium {name}", [*posts[WARM_UP:]], [*shown[WARM_UP:]],
        count, size, *gaps,
    )  # fmt: skip


def _weight(window: Page, address: str) -> tuple[int, int]:
    """Requests and bytes of the first page, from an empty cache."""
    asked = []
    window.on("request", lambda request: asked.append(request))
    window.goto(address)
    window.wait_for_load_state("networkidle")
    sizes = [request.sizes() for request in asked]
    return len(sizes), sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


def _post(address: str, file: bytes) -> float:
    begun = time.perf_counter()
    answer = requests.post(f"{address}/v1/segmentations", files={"image": ("slice", file)}, timeout=60)
    answer.raise_for_status()
    return (time.perf_counter() - begun) * 1000


def _shown(window: Page, file: bytes) -> float:
    """From the file being chosen until picture and mask are painted."""
    window.reload()
    window.wait_for_load_state("networkidle")
    window.evaluate(MARK_CHOICE)
    chosen = {"name": "slice.tif", "mimeType": "image/tiff", "buffer": file}
    window.get_by_label("Image files").set_input_files(chosen)  # type: ignore[arg-type]
    return float(window.evaluate(PAINTED)) - float(window.evaluate("window.chosen"))


def markdown(run: Run) -> str:
    """The part of docs/benchmarks.md."""
    rows = [
        ["a POST by a program, median (ms)", f"{statistics.median(run.post_ms):.0f}"],
        [
            "from choosing the file to the painted result, median (ms)",
            f"{statistics.median(run.shown_ms):.0f}",
        ],
        ["the same, slowest of all (ms)", f"{max(run.shown_ms):.0f}"],
        ["page / POST", f"{run.ratio:.2f}"],
        ["first page, from an empty cache (kB)", f"{run.bytes / 1000:.0f}"],
        ["requests of it", str(run.requests)],
        ["frames a second while the opacity slider moves", f"{1000 / statistics.mean(run.opacity_gaps):.0f}"],
        [
            "frames a second while the threshold slider moves",
            f"{1000 / statistics.mean(run.threshold_gaps):.0f}",
        ],
    ]
    parts = [
        "## Pages",
        page.facts([*run.facts, f"{run.browser}, headless, on the same cores", run.source]),
        page.table(["", "measured"], rows),
    ]
    return "\n\n".join(parts)


def summary(run: Run) -> dict[str, float]:
    """What is printed."""
    return {"page / POST": run.ratio, "first page (kB)": run.bytes / 1000}
