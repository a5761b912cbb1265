"""Files of the pages: kept for a year under an address that changes with them, and asked for at once."""

import gzip
from pathlib import Path

import pytest

from service.pages.assets import MODULES, fingerprint, imported_by
from service.pages.script_pages import SHELLS
from tests.service.conftest import Api
from tests.service.pages.test_segmentation_pages import Page

ENTRIES = ["segment/page.js", "segment/result_page.js", "segment/results_page.js"]


def test_the_fingerprint_follows_names_and_content(tmp_path: Path) -> None:
    seen = {fingerprint(tmp_path)}
    (tmp_path / "a.js").write_text("1")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a.js").write_text("2")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 4 and fingerprint(tmp_path) in seen


def test_a_file_is_kept_for_a_year_and_an_old_address_is_gone(api: Api) -> None:
    answer = api.client.get(f"/static/{fingerprint()}/js/dom.js")
    assert answer.status_code == 200 and "max-age=31536000" in answer.headers["Cache-Control"]
    assert api.client.get("/static/0123456789ab/js/dom.js").status_code == 404


@pytest.mark.parametrize("entry", [*ENTRIES, *(shell.module for shell in SHELLS.values())])
def test_all_that_a_module_imports_is_there(entry: str) -> None:
    needed = imported_by(entry)
    assert {"dom.js", "api.js"} <= set(needed)
    assert all((MODULES / name).is_file() for name in needed)


def test_every_module_is_used_by_a_page() -> None:
    entries = [*ENTRIES, *(shell.module for shell in SHELLS.values()), "theme.js", "login.js"]
    entries.append("segment/camera.js")  # which is loaded when it is wanted
    used = {*entries, *(name for entry in entries for name in imported_by(entry))}
    assert {path.relative_to(MODULES).as_posix() for path in MODULES.rglob("*.js")} == used


@pytest.mark.parametrize("path", ["/", "/results", "/training", "/models/lgg-unet", "/system"])
def test_a_page_asks_for_all_of_its_modules_at_once(api: Api, path: str) -> None:
    page = Page(api.client.get(path).text)
    early = [str(link["href"]) for link in page.all("link") if link.get("rel") == "modulepreload"]
    assert len(early) >= 5
    for address in early:
        answer = api.client.get(address)
        assert answer.status_code == 200 and "javascript" in answer.content_type


def test_scripts_are_packed_for_those_who_take_it(api: Api) -> None:
    address = f"/static/{fingerprint()}/js/dom.js"
    plain = api.client.get(address)
    packed = api.client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data and len(packed.data) < len(plain.data) / 2
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in plain.headers["Vary"] and "Accept-Encoding" in packed.headers["Vary"]
    assert "max-age=31536000" in packed.headers["Cache-Control"]
    refused = api.client.get(address, headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers
    again = api.client.get(address, headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304
