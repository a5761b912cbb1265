"""What a person sees when the network is slow or gone, and when a worker dies in the middle."""

import re

from playwright.sync_api import Page, expect

from tests.fakes.client import Client
from tests.fakes.launch import Run, until
from tests.pages.browsing import MARKS, SAMPLES, payload
from tests.pages.conftest import Open

pytestmark = MARKS


def choose(page: Page, name: str = "tumour.tif") -> None:
    page.get_by_label("Image files").set_input_files(payload(SAMPLES / name))


def newest(run: Run) -> str:
    return str(
        Client(str(run.address), 30).get("/v1/segmentations?limit=1&mask_format=none")["items"][0]["id"]
    )


def test_on_a_slow_network_progress_is_shown_and_the_result_comes(open_page: Open) -> None:
    page = open_page()
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 300, "downloadThroughput": 60_000, "uploadThroughput": 60_000},
    )
    choose(page)
    expect(page.get_by_role("progressbar", name="Upload of tumour.tif")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Sending tumour\.tif: \d+ % of"))).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("tumour found", timeout=30_000)


def test_without_a_network_nothing_is_lost_and_trying_again_makes_it_once(
    open_page: Open, running: Run
) -> None:
    page = open_page(expect_errors=True)
    page.context.set_offline(True)
    choose(page)
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer", timeout=15_000)
    expect(page.get_by_role("alert")).to_contain_text("trying again makes nothing twice")
    before = newest(running)
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Result: tumour.tif")).to_be_focused()
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    made = newest(running)
    assert made != before
    items = Client(str(running.address)).get("/v1/segmentations?limit=2&mask_format=none")["items"]
    assert [item["id"] for item in items] == [made, before]


def test_an_answer_that_got_lost_is_asked_for_again_and_is_the_same_one(
    open_page: Open, running: Run
) -> None:
    page = open_page(expect_errors=True)
    cut: list[str] = []

    def lose_the_answer(route) -> None:  # type: ignore[no-untyped-def]
        if route.request.method == "POST" and not cut:
            answer = route.fetch()
            cut.append(answer.json()["id"])
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/segmentations", lose_the_answer)
    choose(page)
    expect(page.locator("#shown").get_by_text("It may have been accepted.")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("tumour found", timeout=20_000)
    assert newest(running) == cut[0]


def test_a_service_that_is_busy_is_asked_once_more_when_it_says_so(open_page: Open) -> None:
    page = open_page(expect_errors=True)
    keys: list[str] = []

    def refuse_once(route) -> None:  # type: ignore[no-untyped-def]
        if route.request.method != "POST" or keys:
            route.continue_()
        else:
            route.fulfill(
                status=503,
                headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
                body='{"title": "No queue", "detail": "Try again later.", "code": "unavailable"}',
            )
        if route.request.method == "POST":
            keys.append(route.request.headers["idempotency-key"])

    page.route("**/v1/segmentations", refuse_once)
    choose(page)
    expect(page.locator("#shown").get_by_text("It is sent once more in 1 s")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    assert len(keys) == 2 and keys[0] == keys[1]


def test_a_job_that_is_deleted_while_it_is_followed_is_gone(open_page: Open, running: Run) -> None:
    page = open_page(expect_errors=True)

    def hold(route) -> None:  # type: ignore[no-untyped-def]
        """As if no worker took the job."""
        answer = route.fetch()
        waits = {"status": "queued", "progress": None} if answer.ok else {}
        route.fulfill(response=answer, json={**answer.json(), **waits})

    page.route(re.compile(r"/v1/segmentations(/\w+)?$"), hold)
    choose(page)
    expect(page.get_by_text("Waiting for its turn")).to_be_visible()
    made = newest(running)
    assert Client(str(running.address)).ask("DELETE", f"/v1/segmentations/{made}").status_code == 204
    tab = page.get_by_role("list", name="Uploads").get_by_role("button")
    expect(tab).to_contain_text("gone")
    expect(page.get_by_role("alert")).to_contain_text("deleted")
    page.get_by_role("button", name="Remove").click()
    expect(tab).to_have_count(0)


def test_a_worker_that_is_killed_in_the_middle_is_waited_for(open_page: Open, running: Run) -> None:
    page = open_page(expect_errors=True)
    worker = running.find("inference")
    assert worker is not None
    worker.suspend()
    choose(page)
    expect(page.get_by_text("Waiting for its turn")).to_be_visible(timeout=20_000)
    for process in [worker, *worker.children(recursive=True)]:
        process.kill()
    expect(page.locator(".verdict")).to_contain_text("tumour found", timeout=90_000)
    until(running.ready, 60, "readiness")


def test_a_result_that_was_deleted_elsewhere_is_said_to_be_gone(open_page: Open, running: Run) -> None:
    page = open_page(expect_errors=True)
    choose(page)
    expect(page.locator(".verdict")).to_be_visible()
    client, made = Client(str(running.address)), newest(running)
    assert client.ask("DELETE", f"/v1/segmentations/{made}").status_code == 204
    page.goto(f"{running.address}/results/{made}")
    expect(page.get_by_role("alert")).to_contain_text("deleted")
    page.goto(f"{running.address}/results/unknown")
    expect(page.get_by_role("alert")).to_be_visible()


def test_a_browser_that_disturbs_pixels_is_noticed(open_page: Open) -> None:
    page = open_page()
    page.add_init_script(
        """const read = OffscreenCanvasRenderingContext2D.prototype.getImageData;
        OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...all) {
          const found = read.apply(this, all);
          for (let at = 0; at < found.data.length; at += 4) found.data[at] ^= 64;
          return found;
        };"""
    )
    page.reload()
    choose(page)
    expect(page.get_by_role("alert")).to_contain_text("This browser changes the pixels")
