"""Fixtures of the explorer's tests: a sandbox, and a real browser that shows its page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.requirements import require
from wxpay_dsl.sandbox import Sandbox

#: What keeps a browser from talking to anybody but the page it is shown.
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
#: Milliseconds that a busy machine may take for anything. Nothing waits longer than it has to.
_PATIENCE: Final = 90_000

expect.set_options(timeout=_PATIENCE)

#: Shows the page in a window of this kind: ``await shown(path, viewport=…, color_scheme=…)``.
Show = Callable[..., Awaitable[Page]]


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(home=tmp_path / "home") as serving:
        yield serving


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    found = require("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=_QUIET, timeout=_PATIENCE)
        yield browser
        await browser.close()


@pytest.fixture
async def shown(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Show]:
    """Open the page. A console error or a request to another server fails the test."""
    complaints: list[str] = []

    async def show(path: str = "/", **window: Any) -> Page:
        context = await browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **window})
        context.set_default_timeout(_PATIENCE)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((sandbox.url, "data:")) else complaints.append(asked.url),
        )
        await page.goto(sandbox.url + path)
        return page

    yield show
    assert complaints == []


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Call the page's API: ``await ask("send", {…})``, or a GET without a body."""
    async with aiohttp.ClientSession() as session:

        async def asked(name: str, body: Any = None) -> Any:
            url = f"{sandbox.url}/sandbox/explorer/{name}"
            async with session.request("GET" if body is None else "POST", url, json=body) as response:
                assert response.status == 200, await response.text()
                return await response.json()

        yield asked
