"""The explorer in Chromium: find, fill in and send an operation, by mouse, by keyboard and on a phone."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, expect

from tests.explorer.conftest import Show
from tests.requirements import require
from wxpay_dsl.client import tree
from wxpay_dsl.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PRESIGN = "v3.eduPapay.contracts.presign.post"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def opened(page: Page) -> None:
    await expect(page.locator("#code")).to_contain_text("Wechatpay")


async def test_all_operations_are_listed_within_a_second(shown: Show) -> None:
    """Measured in processor time of browser and sandbox together, so that other load on the machine does not count.

    The best of several loads counts, since other processes evict caches.
    """
    took = []
    for _ in range(10):
        page = await shown()
        tools = await page.context.new_cdp_session(page)
        await tools.send("Performance.enable")
        await tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        own = time.process_time()
        before = await processor_time(tools)
        await page.reload()
        await page.wait_for_function("performance.getEntriesByName('listed').length")
        took.append(time.process_time() - own + await processor_time(tools) - before)
        assert await page.locator("nav li a").count() == len(tree().declared()) == 1222
        await expect(page.get_by_role("status")).to_contain_text("1222")
        await page.context.close()
        if took[-1] < 1:
            break
    assert min(took) < 1, f"seconds: {took}"


async def processor_time(tools: CDPSession) -> float:
    """Processor seconds of the process that renders a page."""
    found = await tools.send("Performance.getMetrics")
    return float(next(each["value"] for each in found["metrics"] if each["name"] == "ProcessTime"))


async def test_an_operation_is_found_by_its_chinese_title_sent_and_its_token_read(
    shown: Show, sandbox: Sandbox, tmp_path: Path
) -> None:
    page = await shown()
    await page.get_by_role("searchbox").fill("预签约")
    first = page.locator("nav li a").first
    await expect(first).to_contain_text("/v3/edu-papay/contracts/presign")
    await first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("预签约")
    await expect(page.get_by_role("rowheader", name="openid 必填")).to_be_visible()
    await page.get_by_role("button", name="发送").click()
    result = page.get_by_role("region", name="结果")
    await expect(result).to_contain_text("200")
    await expect(result).to_contain_text("验签通过")
    token = json.loads(await result.locator(".data").inner_text())["presign_token"]
    assert sandbox.control.sign(token)["contract_id"]
    await expect(result).to_contain_text("POST /v3/edu-papay/contracts/presign")
    lines = await result.locator(".message").first.locator(".line").all_inner_texts()
    assert lines[:2] == ["POST", "/v3/edu-papay/contracts/presign"]
    assert json.loads(lines[4])["trade_scene"] == "EDUCATION_PERIOD"
    for part in ("WECHATPAY2-SHA256-RSA2048", sandbox.merchant.serial, sandbox.merchant.mchid, lines[2], lines[3]):
        await expect(result).to_contain_text(part)
    await page.screenshot(path=tmp_path / "desktop.png", full_page=True)


@pytest.mark.parametrize(
    ("query", "chain"),
    [
        ("预签约", PRESIGN),
        ("edu-papay presign", PRESIGN),
        ("eduPapay.contracts.presign", PRESIGN),
        ("统一下单", "v2.pay.unifiedorder.post"),
        ("教育续费通 预签约", PRESIGN),
        ("POST /V3/REFUND/domestic", "v3.refund.domestic.refunds.post"),
    ],
)
async def test_search_takes_titles_paths_chains_and_products(query: str, chain: str, shown: Show) -> None:
    page = await shown()
    await page.get_by_role("searchbox").fill(query)
    await page.wait_for_function(
        "wanted => [...document.querySelectorAll('nav li a')].slice(0, 3).some(a => a.getAttribute('href') === wanted)",
        arg=f"#{chain}",
    )
    await page.get_by_role("searchbox").fill("没有这样的接口")
    await expect(page.get_by_role("status")).to_contain_text("0 ")


async def test_without_a_mouse(shown: Show) -> None:
    page = await shown("/#v2.pay.orderquery.post")
    await opened(page)
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("预签约")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await opened(page)
    await expect(page.locator("main")).to_be_focused()
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    await expect(page.get_by_role("textbox", name="参数")).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("region", name="结果")).to_contain_text("presign_token")
    tab = page.get_by_role("tab", name="Python")
    await tab.focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="JavaScript")).to_be_focused()
    await expect(page.get_by_role("tabpanel")).to_contain_text("require('wechatpay-axios-plugin')")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tabpanel")).to_contain_text("curl")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tabpanel")).to_contain_text("from wxpay_dsl import Wechatpay")
    # The whole list is one tab stop.
    assert await page.locator("nav li a[tabindex='0']").count() == 1


async def test_what_is_edited_is_sent_and_in_the_code(shown: Show) -> None:
    page = await shown(f"/#{PRESIGN}")
    await opened(page)
    box = page.get_by_role("textbox", name="参数")
    fields = json.loads(await box.input_value())
    await box.fill(json.dumps({**fields, "user_id": "图书/1"}, ensure_ascii=False))
    await expect(page.locator("#code")).to_contain_text('user_id="图书/1"')
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".result .message").first).to_contain_text('"user_id":"图书/1"')
    await box.fill('{"appid": ')
    await expect(page.get_by_role("button", name="发送")).to_be_disabled()
    await expect(page.locator("#fault")).to_contain_text("JSON")
    await page.get_by_role("button", name="全部 all").click()
    assert "sub_mchid" in json.loads(await box.input_value())


async def test_what_is_wrong_is_told_before_sending_and_by_the_service(shown: Show) -> None:
    page = await shown(f"/#{PRESIGN}")
    await opened(page)
    await page.get_by_role("textbox", name="参数").fill('{"appid": 1, "openidd": "x"}')
    await page.get_by_role("button", name="发送").click()
    failure = page.get_by_role("alert")
    await expect(failure).to_contain_text("请求未发出")
    await expect(failure).to_contain_text("openidd")
    await page.get_by_role("checkbox").uncheck()
    await page.get_by_role("button", name="发送").click()
    await expect(failure).to_contain_text("400 PARAM_ERROR")
    await expect(page.get_by_role("region", name="结果")).to_contain_text("请求 Request")


async def test_what_goes_wrong_can_be_chosen_and_is_in_the_code(shown: Show) -> None:
    page = await shown(f"/#{PRESIGN}")
    await opened(page)
    await page.get_by_role("combobox", name="让它出错").select_option("bad-signature")
    await expect(page.locator("#code")).to_contain_text('headers={"Sandbox-Fault": "bad-signature"}')
    await page.get_by_role("button", name="发送").click()
    result = page.get_by_role("region", name="结果")
    await expect(result).to_contain_text("验签失败")
    await expect(page.get_by_role("alert")).to_contain_text("BadSignatureError")
    await expect(result.locator(".data")).to_have_count(0)  # nothing that it says is believed


async def test_an_order_that_was_sent_waits_on_the_payers_page_and_is_paid_there(shown: Show, sandbox: Sandbox) -> None:
    page = await shown("/#v3.pay.transactions.native.post")
    await opened(page)
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("region", name="结果")).to_contain_text("code_url")
    async with page.expect_popup() as popup:
        await page.get_by_role("link", name="付款人的页面").click()
    payer = await popup.value
    await payer.get_by_role("listitem").get_by_role("link").click()
    await payer.get_by_role("button", name="付款").click()
    await expect(payer.get_by_role("button")).to_have_count(0)
    assert sandbox.control.list("transactions")[0]["state"] == "SUCCESS"
    await expect(payer.get_by_role("link", name="API explorer")).to_have_attribute("href", "/")


async def test_beginners_find_a_beginning(shown: Show) -> None:
    page = await shown()
    await expect(page.locator(".beginnings a")).to_have_count(8)  # what is declared no longer is left out
    await page.get_by_role("main").get_by_role("link", name="Native下单").click()
    await opened(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Native下单")
    assert await page.locator("nav li a[aria-current]").count() == 1


async def test_code_is_in_colours_that_change_nothing_of_it(shown: Show) -> None:
    page = await shown(f"/#{PRESIGN}")
    await expect(page.locator("#code .hljs-keyword").first).to_have_text("import")
    for name in ("JavaScript", "curl"):
        await page.get_by_role("tab", name=name).click()
        await expect(page.locator("#code [class^=hljs-]").first).to_be_visible()
    assert "<span" not in await page.locator("#code").inner_text()


async def test_nothing_of_one_operation_is_left_in_the_next(shown: Show, tmp_path: Path) -> None:
    page = await shown("/#v3.merchant.media.upload.post")
    await opened(page)
    (tmp_path / "licence.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    await page.locator("input[type=file]").set_input_files(tmp_path / "licence.png")
    await page.get_by_role("searchbox").fill("视频上传")
    await page.locator("nav li a").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("视频上传")
    assert await page.locator("input[type=file]").evaluate("input => input.files.length") == 0
    await expect(page.get_by_role("region", name="结果")).to_have_count(0)


async def test_what_is_shown_is_text_and_never_markup(shown: Show) -> None:
    page = await shown(f"/#{PRESIGN}")
    await opened(page)
    trap = "<img src=x onerror=\"document.title='taken'\"></pre><script>document.title='taken'</script>"
    box = page.get_by_role("textbox", name="参数")
    fields = json.loads(await box.input_value())
    await box.fill(json.dumps({**fields, "user_id": trap}))
    await page.get_by_role("button", name="发送").click()
    await expect(page.locator(".result .message").first).to_contain_text("<img src=x onerror=")
    await expect(page.locator("#code")).to_contain_text("<img src=x")
    assert await page.locator("main img, main script").count() == 0
    await page.goto(page.url.partition("#")[0] + "#<img src=x onerror=alert(1)>")
    await expect(page.get_by_role("alert")).to_contain_text("<img src=x")
    assert "taken" not in await page.title()


async def test_at_the_width_of_a_phone(shown: Show, tmp_path: Path) -> None:
    page = await shown("/", **PHONE)
    await expect(page.get_by_role("searchbox")).to_be_visible()
    await expect(page.locator("main")).to_be_hidden()
    await page.get_by_role("searchbox").fill("预签约")
    await page.locator("nav li a").first.tap()
    await expect(page.get_by_role("heading", level=1)).to_have_text("预签约")
    await expect(page.locator("nav")).to_be_hidden()
    await page.get_by_role("button", name="发送").tap()
    await expect(page.get_by_role("region", name="结果")).to_contain_text("presign_token")
    await page.screenshot(path=tmp_path / "phone.png", full_page=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await page.locator("main").evaluate("main => main.scrollWidth <= main.clientWidth")
    await page.get_by_role("link", name="全部接口").tap()
    await expect(page.get_by_role("searchbox")).to_be_visible()
    await page.get_by_role("searchbox").fill("")
    # Back from an operation, the list has the same scroll position.
    link = page.locator("nav li a").nth(300)
    await link.tap()
    await expect(page.locator("nav")).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).not_to_have_text("预签约")
    await page.go_back()
    await expect(link).to_be_in_viewport()


async def brightness(page: Page, selector: str, of: str) -> float:
    colour = await page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{of}")
    parts = [float(part) for part in colour.strip("rgba()").split(",")[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in (p / 255 for p in parts)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_systems_colours_with_contrast(scheme: str, shown: Show, tmp_path: Path) -> None:
    page = await shown(f"/#{PRESIGN}", color_scheme=scheme)
    await opened(page)
    ground = await brightness(page, "body", "backgroundColor")
    assert (ground < 0.1) == (scheme == "dark")
    for selector in ("body", "p.product", "h1", ".chain code", "nav li code", ".verb.post"):
        text = await brightness(page, selector, "color")
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, f"{selector}: {contrast:.1f}"
    send = [await brightness(page, "button.send", of) for of in ("color", "backgroundColor")]
    assert (max(send) + 0.05) / (min(send) + 0.05) >= 4.5
    await page.screenshot(path=tmp_path / f"{scheme}.png")


@pytest.mark.parametrize("window", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
async def test_nothing_shuts_anybody_out(window: dict[str, Any], shown: Show) -> None:
    """Names, roles, order and contrast, as axe-core sees them, before and after a call."""
    axe = Path(require("npm packages")) / "axe-core" / "axe.min.js"
    page = await shown(f"/#{PRESIGN}", **window)
    await expect(page.locator("#code .hljs-keyword").first).to_be_visible()
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("region", name="结果")).to_contain_text("presign_token")
    await page.evaluate(axe.read_text("utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(one["help"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


async def test_an_upload_sends_the_file_that_was_chosen(shown: Show, tmp_path: Path) -> None:
    page = await shown("/#v3.merchant.media.upload.post")
    await opened(page)
    (tmp_path / "licence.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    await page.locator("input[type=file]").set_input_files(tmp_path / "licence.png")
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_role("region", name="结果")).to_contain_text("media_id")
    await expect(page.locator(".result .message").first).to_contain_text('"filename":"licence.png"')


async def test_apiv2_shows_its_signed_xml(shown: Show) -> None:
    page = await shown("/#v2.pay.orderquery.post")
    await opened(page)
    await page.get_by_role("textbox", name="参数").fill('{"appid": "wx8888888888888888", "out_trade_no": "NOT_THERE"}')
    await page.get_by_role("checkbox").uncheck()
    await page.get_by_role("button", name="发送").click()
    result = page.get_by_role("region", name="结果")
    await expect(result).to_contain_text("<sign>")
    await expect(result).to_contain_text("ORDERNOTEXIST")


async def test_the_code_is_copied(shown: Show, sandbox: Sandbox) -> None:
    page = await shown(f"/#{PRESIGN}")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=sandbox.url)
    await opened(page)
    # The notice disappears after a moment, and a poll may miss it.
    await page.evaluate(
        "window.said = ''; new MutationObserver(() => { said += document.querySelector('.copy').textContent })"
        ".observe(document.querySelector('.copy'), {childList: true, characterData: true, subtree: true})"
    )
    await page.get_by_role("button", name="复制").click()
    await page.wait_for_function("said.includes('已复制')")
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith("import asyncio")
