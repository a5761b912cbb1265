"""A real Chromium for tests of the pages: what it complains about, what it asks for, and what axe finds."""

import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request

from tests.fakes.launch import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
SAMPLES = ROOT / "samples"
THEMES, WIDTHS = ("light", "dark"), (375, 1280)

MARKS = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH"),
]
# No sandbox: the tests may run as root, in a container. The camera is Chromium's own test picture.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class Watch:
    """What a page must not do: errors in the console, requests to other hosts."""

    def __init__(self, page: Page, address: str) -> None:
        self.errors: list[str] = []
        self.requests: list[Request] = []
        self._host = urlsplit(address).netloc
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))

    @property
    def elsewhere(self) -> list[str]:
        """Addresses of other hosts that were asked for."""
        urls = [request.url for request in self.requests]
        return [url for url in urls if url.startswith("http") and urlsplit(url).netloc != self._host]


def barriers(page: Page) -> list[str]:
    """What axe calls serious or critical, with the first element that has it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html']} ({len(each['nodes'])})"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def module(page: Page, name: str) -> str:
    """The address of one of our modules, for `import()` within the page."""
    sheet = page.locator('link[rel="stylesheet"]').first.get_attribute("href")
    assert sheet is not None
    return f"{sheet.rpartition('/')[0]}/js/{name}"


def sign_in(page: Page, secret: str) -> None:
    """Gives the key to the page that asks for one."""
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()


def payload(path: Path) -> dict[str, Any]:
    """A file as Playwright gives it to a file field."""
    return {"name": path.name, "mimeType": "application/octet-stream", "buffer": path.read_bytes()}


def slider(page: Page, name: str, value: int) -> None:
    """Moves a slider and lets it go, as a hand does."""
    page.get_by_role("slider", name=name).fill(str(value))


def painted(page: Page) -> int:
    """How many pixels of the layer over the picture have a colour."""
    script = """() => {
      const canvas = document.querySelector("canvas.paint");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
      return count;
    }"""
    return page.evaluate(script)


def area(page: Page) -> int:
    """The pixels that the panel names."""
    text = page.get_by_role("region", name="Measurements").inner_text()
    found = re.search(r"([\d,]+) pixels", text)
    assert found, text
    return int(found[1].replace(",", ""))
