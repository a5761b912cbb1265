"""Where keys are asked for: signing in and out, and what a key that may do less is shown."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.pages.browsing import MARKS, SAMPLES, payload, sign_in
from tests.pages.conftest import Guarded, Open
from tests.pages.test_everywhere import PAGES, settled

pytestmark = MARKS

# what a person may have had in the address line
WANTED = [path for path in PAGES if path not in ("/login", "/problems")]
WANTED += ["/training/new?recipe=lgg-unet", "/training/compare?runs=", "/results?limit=5"]


@pytest.mark.parametrize("path", WANTED)
def test_without_a_session_a_page_leads_to_login_and_back_again(
    open_guarded: Open, guarded: Guarded, path: str
) -> None:
    page = open_guarded(path)
    expect(page).to_have_url(re.compile(r"/login\?next="))
    expect(page.get_by_label("API key")).to_be_focused()
    sign_in(page, guarded.keys["admin"])
    expect(page).to_have_url(f"{guarded.address}{path}")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    settled(page)


def test_a_wrong_key_is_said_to_be_wrong_and_the_right_one_still_leads_on(
    open_guarded: Open, guarded: Guarded
) -> None:
    page = open_guarded("/models", expect_errors=True)
    sign_in(page, "seg_nobody")
    expect(page.get_by_role("alert")).to_contain_text("unknown or was revoked")
    key = page.get_by_label("API key")
    expect(key).to_have_attribute("aria-invalid", "true")
    show = page.get_by_role("button", name="Show the key")
    show.click()
    expect(key).to_have_attribute("type", "text")
    expect(show).to_have_attribute("aria-pressed", "true")
    sign_in(page, guarded.keys["infer"])
    expect(page).to_have_url(f"{guarded.address}/models")


def test_signed_out_nothing_is_shown_any_more(open_guarded: Open, guarded: Guarded) -> None:
    page = open_guarded("/models", expect_errors=True)
    sign_in(page, guarded.keys["infer"])
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login"))
    page.go_back()
    expect(page).to_have_url(re.compile("/login"))


def test_a_key_that_is_revoked_ends_the_session_and_the_page_is_come_back_to(
    open_guarded: Open, guarded: Guarded
) -> None:
    page = open_guarded("/system", expect_errors=True)
    key_id, secret = guarded.key("infer")
    sign_in(page, secret)
    expect(page.get_by_role("heading", name="System", level=1)).to_be_visible()
    guarded.order("revoke", id=key_id)
    expect(page).to_have_url(re.compile(r"/login\?next=%2Fsystem"))  # it asks every three seconds
    sign_in(page, guarded.keys["infer"])
    expect(page).to_have_url(f"{guarded.address}/system")


def test_a_session_is_enough_to_segment(open_guarded: Open, guarded: Guarded) -> None:
    page = open_guarded("/")
    sign_in(page, guarded.keys["infer"])
    page.wait_for_url(f"{guarded.address}/")  # loaded: what is chosen before its script runs is not sent
    page.get_by_label("Image files").set_input_files(payload(SAMPLES / "tumour.tif"))
    expect(page.locator(".verdict")).to_contain_text("tumour found")
    page.get_by_role("button", name="Delete image and result").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".verdict:visible")).to_have_count(0)


def test_a_session_that_ends_while_a_file_is_sent_loses_nothing(open_guarded: Open, guarded: Guarded) -> None:
    page = open_guarded("/", expect_errors=True)
    key_id, secret = guarded.key("infer")
    sign_in(page, secret)
    page.wait_for_url(f"{guarded.address}/")
    guarded.order("revoke", id=key_id)
    page.get_by_label("Image files").set_input_files(payload(SAMPLES / "tumour.tif"))
    with page.context.expect_page() as opened:
        page.locator("#shown").get_by_role("link", name="Sign in in a new tab").click()
    sign_in(opened.value, guarded.keys["infer"])
    expect(opened.value.get_by_role("button", name="Sign out")).to_be_visible()
    page.locator("#shown").get_by_role("button", name="Try again").click()
    expect(page.locator(".verdict")).to_contain_text("tumour found")


def test_a_key_that_may_not_segment_is_told(open_guarded: Open, guarded: Guarded) -> None:
    page = open_guarded("/", expect_errors=True)
    sign_in(page, guarded.keys["train"])
    expect(page.locator("main")).to_contain_text("scope")
    expect(page.locator("main")).to_contain_text("infer")


def usable(page: Page) -> list[str]:
    """Buttons of the page's content that can be pressed."""
    names = page.locator("main button:visible:enabled").all_inner_texts()
    return [name.strip() for name in names]


@pytest.mark.parametrize(
    "path",
    [
        "/training",
        "/training/new",
        "/training/compare?runs=one,two",
        "/training/runs/one",
        "/training/datasets/one",
    ],
)
def test_a_key_that_may_not_train_is_told_so_and_has_no_dead_buttons(
    open_guarded: Open, guarded: Guarded, path: str
) -> None:
    page = open_guarded(path)
    sign_in(page, guarded.keys["infer"])
    expect(page.locator("main")).to_contain_text("Your key lacks the scope train")
    settled(page)
    assert usable(page) == []
    assert page.locator("main a.button:visible").count() == 0


def test_a_key_that_may_not_manage_models_sees_them_with_the_reason(
    open_guarded: Open, guarded: Guarded
) -> None:
    page = open_guarded("/models/lgg-unet", expect_errors=True)
    sign_in(page, guarded.keys["infer"])
    expect(page.get_by_role("heading", name="lgg-unet", level=1)).to_be_visible()
    settled(page)
    for name in ("Promote", "Evaluate", "Delete"):
        for each in page.get_by_role("button", name=re.compile(f"^{name}")).all():
            expect(each).to_be_disabled()
            assert each.get_attribute("title") or each.get_attribute("aria-describedby")
    page.goto(f"{guarded.address}/models")
    settled(page)
    expect(page.locator("main")).to_contain_text("scope")
