"""The search, in a browser, in pages that are opened as files: no server, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.requirements import require

from .conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PRESIGN = "api/v3/eduPapay/contracts/presign.html"
#: Milliseconds that a busy machine may take for anything.
_PATIENCE = 90_000

expect.set_options(timeout=_PATIENCE)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Chromium; a request to anywhere but a file ends the test."""
    found = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=_PATIENCE)
        page = browser.new_page()
        page.set_default_timeout(_PATIENCE)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        yield page
        browser.close()
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("words", "place", "title"),
    [
        ("预签约", PRESIGN, "预签约"),
        ("presign", PRESIGN, "预签约"),
        ("回调", "guide/notifications.html", "回调通知"),
        ("sandbox", "guide/sandbox.html", "沙箱"),
    ],
)
def test_what_is_looked_for_is_found_first(words: str, place: str, title: str, site: Site, page: Page) -> None:
    page.goto((site.folder / "index.html").as_uri())
    box = page.get_by_role("textbox", name="搜索")
    box.fill(words)
    box.press("Shift")  # the theme looks when a key is let go
    found = page.locator(".md-search-result__link").first
    expect(found).to_have_attribute("href", re.compile(re.escape(place)))
    expect(page.locator(".md-search-result")).not_to_contain_text(
        "缺少"
    )  # nothing is said to be missing that was found
    page.goto(str(found.get_attribute("href")))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def test_a_name_in_the_code_says_what_it_is(site: Site, page: Page) -> None:
    page.goto((site.folder / PRESIGN).as_uri())
    page.locator(".highlight [class=n]", has_text="openid").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("用户标识")


@pytest.mark.parametrize("place", ["index.html", PRESIGN, "api/v3/pay/transactions/jsapi.html", "guide/sandbox.html"])
def test_nothing_is_wider_than_a_phone(place: str, site: Site, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((site.folder / place).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for table in page.locator(".fields").all():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
