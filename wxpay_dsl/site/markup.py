"""Escapes texts of specs for Markdown: as text, code, titles and links. Pure functions.

A spec may have been imported from a foreign document: none of its texts may become a tag, a script or a script's URL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from wxpay_dsl.core.chain.describe import web_links

__all__ = ["code", "fenced", "links", "text", "title"]

#: Characters with a meaning in Markdown anywhere in a line.
_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]|]")
#: Characters with a meaning at the start of a line: of a heading, a list, an admonition, mkdocstrings' ``:::``.
_AT_START: Final = "#+-!:~=?"
_ORDERED: Final = re.compile(r"(\d+)\.")
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: For the theme's templates, which do not escape, and some of which remove entities first.
_FULL_WIDTH: Final = str.maketrans({"&": "＆", "<": "＜", ">": "＞", '"': "＂"})
#: Characters of a URL without a meaning in Markdown and HTML.
_OF_A_URL: Final = "/:?#@!$&'*+,;=%~-._"
_TICKS: Final = re.compile(r"`+")
#: The host of the official documentation.
_OFFICIAL: Final = "pay.weixin.qq.com/"


def text(given: str) -> str:
    """``given`` as plain text on one line of Markdown."""
    line = _SPECIAL.sub(r"\\\g<0>", " ".join(given.split()).translate(_ENTITIES))
    line = _ORDERED.sub(r"\1\.", line, count=1) if _ORDERED.match(line) else line
    return f"&#{ord(line[0])};{line[1:]}" if line[:1] in tuple(_AT_START) else line


def code(given: str) -> str:
    """``given`` as inline code. Not in backticks, because tags are recognised before backticks."""
    return f"<code>{text(given)}</code>"


def title(given: str) -> str:
    """``given`` as the title of a page or a part of the navigation."""
    return " ".join(given.split()).translate(_FULL_WIDTH)


def fenced(language: str, content: str) -> list[str]:
    """The lines of a code block that ``content`` cannot end. The search excludes it: the tables have the same words."""
    longest = max((len(ticks) for ticks in _TICKS.findall(content)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence} {{ .{language} data-search-exclude }}", content, fence, ""]


def links(docs: Sequence[str]) -> list[str]:
    """The line of links to the official pages; anything but a web page is shown without a link."""
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
