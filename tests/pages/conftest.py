"""One running service with the shipped models, one that asks for keys, and a fresh browser window for each test."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from service import keys_command
from shared.contract.names import Scope
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


@dataclass(frozen=True)
class Guarded:
    """A service that asks for keys, and a key of each scope."""

    run: Run
    keys: Mapping[str, str]

    @property
    def address(self) -> str:
        """http://127.0.0.1:PORT."""
        return str(self.run.address)

    def order(self, verb: str, **arguments: Any) -> str:
        """What `python -m service keys` says: `order("create", name="ward", scope=["infer"])`."""
        said: list[str] = []
        assert (
            keys_command.run(Namespace(verb=verb, **arguments), said.append, {"DATA_DIR": str(self.run.data_dir)})
            == 0
        )
        return "\n".join(said)

    def key(self, *scopes: str) -> tuple[str, str]:
        """Id and secret of a fresh key."""
        said = self.order("create", name="-".join(scopes), scope=[*scopes]).split()
        return said[1], said[3]


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    with short_folder() as place, starter(place, ROOT / "models") as start:
        run = start(ENGINE="auto", REQUIRE_KEY=1, TRAINING_WORKERS=0).wait_until_ready()
        yield Guarded(run, {scope.value: Guarded(run, {}).key(scope)[1] for scope in Scope})


@contextmanager
def windows(browser: Browser, address: str) -> Iterator[Open]:
    """Opens pages of the service, each in a window of its own: `opened("/models", color_scheme="dark")`.

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
        watched.append((Watch(page, address), expect_errors))
        page.goto(f"{address}{path}")
        return page

    yield open_window
    for context in contexts:
        context.close()
    for watch, expect_errors in watched:
        assert expect_errors or not watch.errors
        assert not watch.elsewhere


@pytest.fixture
def open_page(running: Run, browser: Browser) -> Iterator[Open]:
    """Windows of the service; see `windows`."""
    with windows(browser, str(running.address)) as opened:
        yield opened


@pytest.fixture
def open_guarded(guarded: Guarded, browser: Browser) -> Iterator[Open]:
    """Windows of the service that asks for keys."""
    with windows(browser, guarded.address) as opened:
        yield opened


@pytest.fixture
def page(open_page: Open) -> Page:
    """The first page."""
    return open_page()
