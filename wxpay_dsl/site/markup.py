"""Text of specs as Markdown, as code, as titles and as links that are nothing but text and links. Pure.

What a spec says may come from an imported document: no text of it may become a tag, a script or a script's URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from wxpay_dsl.core.chain.describe import web_links

__all__ = ["code", "fenced", "links", "text", "title"]

#: What begins or ends something in Markdown, anywhere in a line.
_LETTERS: Final = re.compile(r"[\\`*_{}\[\]|]")
#: What begins something at the start of a line: a heading, a list, an admonition, mkdocstrings' ``:::``.
_AT_START: Final = "#+-!:~=?"
_ORDERED: Final = re.compile(r"(\d+)\.")
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: For the theme's templates, which escape nothing, and of which some take entities away first.
_FULL_WIDTH: Final = str.maketrans({"&": "＆", "<": "＜", ">": "＞", '"': "＂"})
#: Characters of a URL that mean nothing in Markdown or HTML.
_OF_A_URL: Final = "/:?#@!$&'*+,;=%~-._"
_TICKS: Final = re.compile(r"`+")
#: Where the official pages are.
_OFFICIAL: Final = "pay.weixin.qq.com/"


def text(given: str) -> str:
    """``given`` on one line of Markdown, and meaning nothing in it."""
    line = _LETTERS.sub(r"\\\g<0>", " ".join(given.split()).translate(_ENTITIES))
    line = _ORDERED.sub(r"\1\.", line, count=1) if _ORDERED.match(line) else line
    return f"&#{ord(line[0])};{line[1:]}" if line[:1] in tuple(_AT_START) else line


def code(given: str) -> str:
    """``given`` as code within a line. Backticks would let a tag through to what looks for HTML before they count."""
    return f"<code>{text(given)}</code>"


def title(given: str) -> str:
    """``given`` as the title of a page or a part of the navigation."""
    return " ".join(given.split()).translate(_FULL_WIDTH)


def fenced(language: str, content: str) -> list[str]:
    """Lines of a block of code, which nothing in ``content`` ends. The search leaves it out: tables say the same."""
    longest = max((len(ticks) for ticks in _TICKS.findall(content)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence} {{ .{language} data-search-exclude }}", content, fence, ""]


def links(docs: Sequence[str]) -> list[str]:
    """Links to the official pages; what is no web page is shown and not linked."""
    if not docs:
        return []
    pages = {*web_links(docs)}
    shown = (
        f"[{text(page.removeprefix('https://').removeprefix(_OFFICIAL))}]({quote(page, safe=_OF_A_URL)})"
        if page in pages
        else code(page)
        for page in docs
    )
    return [f"官方文档 Official: {' '.join(shown)}", "{ .official data-search-exclude }", ""]
