"""The search, in a browser, in pages that are opened as files: no server, no network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from .conftest import Site

pytestmark = pytest.mark.timeout(500)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Chromium; a request to anywhere but a file ends the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        yield page
        browser.close()
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("words", ["预签约", "presign"])
def test_presign_is_found_and_shown(words: str, site: Site, page: Page) -> None:
    page.goto((site.folder / "index.html").as_uri())
    box = page.get_by_role("textbox", name="搜索")
    box.fill(words)
    box.press("Shift")  # the theme looks when a key is let go
    found = page.locator(".md-search-result__link").first
    expect(found).to_have_attribute("href", re.compile("v3/eduPapay/contracts/presign.html"), timeout=60000)
    page.goto(str(found.get_attribute("href")))
    expect(page.get_by_role("heading", level=1)).to_contain_text("预签约")
