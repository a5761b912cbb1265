"""The system's page: what is there, what fails, and what it says while something is missing."""

import re

from playwright.sync_api import expect

from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.fakes.zips import archive
from tests.pages.browsing import MARKS, barriers
from tests.pages.conftest import Open

pytestmark = MARKS


def test_workers_queues_throughput_and_failures_are_shown(open_page: Open, running: Run) -> None:
    client = Client(str(running.address), 60)
    job = client.post("/v1/segmentations", files=[("image", ("x.zip", archive({"a": b"no slice"})))])
    until(lambda: client.get(job["links"]["self"])["status"] == "failed", 60, "the failure")
    page = open_page("/system")
    expect(page.get_by_role("region", name="Is it ready?")).to_contain_text("Ready. Everything")
    workers = page.get_by_role("region", name="Workers", exact=True)
    expect(workers).to_contain_text("inference")
    expect(workers).to_contain_text("training")
    expect(workers).to_contain_text("openvino")
    failures = page.get_by_role("region", name="What failed last")
    error = client.get(job["links"]["self"])["error"]
    expect(failures).to_contain_text(error["code"])
    failures.get_by_role("link", name="Segmentation").first.click()
    expect(page.get_by_role("alert").first).to_contain_text(error["message"])


def test_what_is_missing_is_named_with_what_to_do(open_page: Open) -> None:
    page = open_page("/system", expect_errors=True)
    gone = {"ok": False, "detail": "No inference worker was seen in the last 15 seconds."}
    answer = {"status": 503, "json": {"title": "Not ready", "status": 503, "checks": {"worker": gone}}}
    page.route("**/health/ready", lambda route: route.fulfill(**answer))  # type: ignore[arg-type]
    checks = page.get_by_role("region", name="Is it ready?")
    expect(checks).to_contain_text("Not ready. Missing: Inference worker.")
    expect(checks).to_contain_text("start one; slices that were accepted wait for it")
    page.get_by_role("button", name="Pause").click()
    page.unroute("**/health/ready")
    expect(page.get_by_text("Paused.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(checks).to_contain_text("Ready. Everything")


def test_the_description_of_the_api_is_read_offline(open_page: Open) -> None:
    page = open_page("/docs")
    expect(page.get_by_text("/v1/segmentations", exact=True).first).to_be_visible()
    page.get_by_role("link", name="Segment", exact=True).first.click()
    expect(page).to_have_url(re.compile(r"/$"))


def test_the_description_has_no_barriers_of_ours(open_page: Open) -> None:
    page = open_page("/docs")
    expect(page.get_by_text("/v1/segmentations", exact=True).first).to_be_visible()
    assert not barriers(page)
