"""One running service with the shipped models, and a fresh browser window for each test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.embedded.test_run import short_folder, starter
from tests.fakes.launch import ROOT, Run
from tests.pages.browsing import ARGUMENTS, BROWSER, Watch

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def running() -> Iterator[Run]:
    with short_folder() as place, starter(place, ROOT / "models") as start:
        yield start(ENGINE="auto", LEASE_S=3).wait_until_ready()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(running: Run, browser: Browser) -> Iterator[Open]:
    """Opens a page of the service in a window of its own: `open_page("/models", color_scheme="dark")`.

    At the end no page may have had an error in its console, nor asked another host; `expect_errors=True` allows the
    former, for pages that are shown what went wrong.
    """
    watched: list[tuple[Watch, bool]] = []
    contexts = []

    def open_window(
        path: str = "/", *, width: int = 1280, expect_errors: bool = False, **options: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        watched.append((Watch(page, str(running.address)), expect_errors))
        page.goto(f"{running.address}{path}")
        return page

    yield open_window
    for context in contexts:
        context.close()
    for watch, expect_errors in watched:
        assert expect_errors or not watch.errors
        assert not watch.elsewhere


@pytest.fixture
def page(open_page: Open) -> Page:
    """The first page."""
    return open_page()
