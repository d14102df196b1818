"""The site as it is built: whole, its links alive, nothing fetched from elsewhere, every operation found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from wxpay_dsl.client import tree
from wxpay_dsl.site.build import build

from .conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: What a browser fetches by itself to show a page.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}
#: The kinds of <link> that are fetched; ``canonical``, ``next`` and the like are only said.
FETCHED = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
PRESIGN = "api/v3/eduPapay/contracts/presign.html"


class Page(HTMLParser):
    """What a page names, and where it can be pointed at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "link" and FETCHED & {*values.get("rel", "").split()}:
            self.loads.append(values["href"])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loads += [values[name] for element, name in LOADED if element == tag and name in values]


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[Path, Page]:
    return {file: Page(file.read_text("utf-8")) for file in sorted(site.folder.rglob("*.html"))}


def test_the_site_is_built_in_three_minutes_of_one_core(site: Site) -> None:
    assert site.seconds < 180


def test_every_operation_and_notification_has_its_page(site: Site, pages: dict[Path, Page]) -> None:
    text = "\n".join(file.read_text("utf-8") for file in pages)
    for operation in tree().operations():
        assert f"<code>{operation.name}</code>" in text or f"<code>{operation.path}</code>" in text, operation.name
    for name in tree().event_names():
        assert f"<code>{name}</code>" in text, name
    assert len([file for file in pages if file.is_relative_to(site.folder / "api")]) >= 1127


def test_no_link_within_the_site_is_dead(site: Site, pages: dict[Path, Page]) -> None:
    dead = [
        f"{file.relative_to(site.folder)}: {link}" for file, page in pages.items() for link in broken(file, page, pages)
    ]
    assert dead == []


def broken(file: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for link in (*page.links, *page.loads):
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        if file.name == "404.html":  # it is shown for any address, so it names everything from the root
            target = file.parent / unquote(url.path).lstrip("/")
        else:
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
        if target.is_dir():
            target /= "index.html"
        page_there = pages.get(target)
        anchor = unquote(url.fragment)
        if not target.exists() or (anchor and page_there is not None and anchor not in page_there.anchors | {"__top"}):
            yield link


class Harm(HTMLParser):
    """What a browser would run of a page, beside the theme's own scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        for name, value in attrs:
            scheme = (value or "").strip().lower().partition(":")[0]
            if name.startswith("on") or (name in ("href", "src", "action") and scheme in ("javascript", "data")):
                self.found.append(f"<{tag} {name}={value!r}>")
        if tag in ("img", "iframe", "object", "embed", "base") and ("src", "x") in attrs:
            self.found.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        if self._script and "alert(" in data:
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._script = False


def test_no_text_of_a_spec_is_run(site: Site, pages: dict[Path, Page]) -> None:
    """An imported document may say anything: in titles, the navigation, names, examples, links and code."""
    html = {file: file.read_text("utf-8") for file in pages}
    shown = [file for file, text in html.items() if "alert(" in text]
    assert len(shown) > 4
    assert {
        str(file.relative_to(site.folder)): Harm(text).found for file, text in html.items() if Harm(text).found
    } == {}
    index = json.loads((site.folder / "search" / "search_index.json").read_text("utf-8"))
    assert [entry for entry in index["docs"] if re.search(r"<(script|img)", entry["title"] + entry["text"])] == []


def test_only_web_pages_are_linked(site: Site) -> None:
    (page,) = (site.folder / "api" / "v3" / "evil").glob("x~*/_a_.html")
    html = page.read_text("utf-8")
    assert "<code>javascript:alert('docs')</code>" in html
    assert 'href="https://example.com/%29%3Cscript%3Ealert%2812%29%3C/script%3E"' in html


def test_a_folder_with_anything_else_in_it_is_not_built_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="contains other files than this site"):
        build(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    with pytest.raises(NotADirectoryError):
        build(tmp_path / "link")


def test_nothing_is_fetched_from_elsewhere(site: Site, pages: dict[Path, Page]) -> None:
    foreign = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    assert foreign == set()
    for sheet in site.folder.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text("utf-8")) == []


def test_the_page_of_presign_has_all_that_the_originals_has(site: Site) -> None:
    html = site.page(PRESIGN)
    assert "<h1" in html
    for shown in (
        "预签约",
        "presign_token",
        "POST /v3/edu-papay/contracts/presign",
        "wxpay.v3.eduPapay.contracts.presign.post(…)",
        "wxpay.v3.eduPapay.contracts.presign(…)",
        'href="https://pay.weixin.qq.com/docs/merchant/apis/education-fee-payment/contracts/pre-sign.html"',
        'href="https://pay.weixin.qq.com/docs/partner/apis/education-fee-payment/contracts/pre-sign.html"',
    ):
        assert shown in html
    fields = "appid sub_mchid sub_appid openid sub_openid plan_id user_id period_start_date trade_scene presign_token"
    # What one reads there by pointing at a name in the code: its type, here with its meaning too.
    spoken = {name: title for title, name in re.findall(r'<span class="\w+" title="([^"]*)">"?(\w+)"?</span>', html)}
    assert spoken["openid"] == "string；是 yes；用户标识"
    assert spoken["presign_token"] == "string；是 yes；预签约号"
    assert spoken["post"] == (
        "post(appid: string, sub_mchid?: string, sub_appid?: string, openid: string, sub_openid?: string, "
        "plan_id: string, user_id: string, period_start_date: string, trade_scene: string) → {presign_token: string}"
    )
    assert "# 可选 optional: sub_mchid, sub_appid, sub_openid" in html
    for field in fields.split():
        assert re.search(rf"<code>{field}</code></td>\s*<td>string</td>", html), field
    assert re.search(r"<p>商户[^<]*预签约号", html), "its description"


def test_a_page_leads_to_its_product_and_that_to_all_its_pages(site: Site) -> None:
    assert 'href="../../../../products/v3/edu-papay.html">教育续费通</a>' in site.page(PRESIGN)
    product = site.page("products/v3/edu-papay.html")
    assert 'href="../../api/v3/eduPapay/contracts/presign.html">预签约</a>' in product


def test_what_most_readers_look_for_comes_first(site: Site) -> None:
    dialects = re.findall(
        r">\s*(APIv3|APIv2|境外 Overseas|回调通知 Notifications|参考 Reference)\s*<", site.page("index.html")
    )
    order = list(dict.fromkeys(dialects))
    assert order == ["APIv3", "APIv2", "境外 Overseas", "回调通知 Notifications", "参考 Reference"]


@pytest.mark.parametrize("words", ["预签约", "presign", "edu-papay", "回调通知", "out_trade_no"])
def test_the_search_finds_chinese_and_english(words: str, site: Site) -> None:
    index = json.loads((site.folder / "search" / "search_index.json").read_text("utf-8"))
    found = [
        entry["location"] for entry in index["docs"] if words in (entry["title"] + entry["text"]).replace("\u200b", "")
    ]
    assert found
    if words in ("预签约", "presign", "edu-papay"):
        assert any(location.startswith(PRESIGN) for location in found)


def test_chinese_is_cut_into_words_for_the_search(site: Site) -> None:
    index = json.loads((site.folder / "search" / "search_index.json").read_text("utf-8"))
    assert any("微信\u200b支付" in entry["text"] for entry in index["docs"])


def test_the_reference_documents_what_the_package_exports(site: Site) -> None:
    import wxpay_dsl

    text = "".join(file.read_text("utf-8") for file in (site.folder / "reference").glob("*.html"))
    missing = [name for name in wxpay_dsl.__all__ if name not in ("__version__", "wxpay") and name not in text]
    assert missing == []


def test_the_guides_come_first_in_their_order_under_their_own_titles(site: Site) -> None:
    titles = re.findall(r'<a href="[^"]*guide/([\w-]+)\.html"', site.page("index.html"))
    assert titles.index("endpoint") < titles.index("notifications") < titles.index("going-live")
