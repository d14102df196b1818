"""What a page's Python says when it is pointed at: of each argument its type and meaning, of the call its signature.

A hook of MkDocs, which calls :func:`on_page_content` for each page. All that is said comes from the page's own tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

__all__ = ["hovering", "on_page_content"]

#: Where the next verb of a path begins.
_VERB: Final = re.compile(r'(?=<h2 id="(?:get|post|put|patch|delete)")')
_SECTION: Final = re.compile(r'(?=<h[23] id="(path|query|header|body|form|response)(?:_\d+)?")')
#: A field of the section itself: those inside it are indented.
_ROW: Final = re.compile(
    r"<tr>\s*<td><code>(?P<name>[^<]+)</code></td>\s*<td>(?P<type>[^<]*)</td>\s*"
    r"(?:<td>(?P<required>[^<]*)</td>\s*)?<td>(?P<meaning>(?:(?!</td>).)*)</td>\s*</tr>",
    re.DOTALL,
)
_TAG: Final = re.compile(r"<[^>]*>")
_ARGUMENT: Final = re.compile(r'<span class="n">(\w+)</span>(?=<span class="o">=</span>)')
_ANSWERED: Final = re.compile(r'(?<=<span class="p">\[</span>)<span class="s2">"(\w+)"</span>')
_CALLED: Final = re.compile(r'<span class="n">(get|post|put|patch|delete)</span>(?=<span class="p">\()')
#: Characters of a signature; more than that is not read in a line.
_LONGEST: Final = 500


def on_page_content(html: str, *, page: Page, **_: Any) -> str:
    """The page with what its code says when it is pointed at."""
    return hovering(html) if page.file.src_uri.startswith("api/") else html


def hovering(html: str) -> str:
    """``html`` of an operation's page, each verb of it by itself."""
    return "".join(_hovering(part) for part in _VERB.split(html))


def _hovering(part: str) -> str:
    asked: dict[str, re.Match[str]] = {}
    answered: dict[str, re.Match[str]] = {}
    code, tables = _code_and_tables(part)
    for name, section in _sections(tables):
        for row in _ROW.finditer(section):
            (answered if name == "response" else asked).setdefault(unescape(row["name"]), row)
    if not asked and not answered:
        return part
    arguments = {name.lower().replace("-", "_"): row for name, row in asked.items()} | asked

    def argument(found: re.Match[str]) -> str:
        row = arguments.get(found[1]) or arguments.get(found[1].rstrip("_"))
        return found[0] if row is None else _titled("n", found[1], _said(row))

    def field(found: re.Match[str]) -> str:
        row = answered.get(found[1])
        return found[0] if row is None else _titled("s2", f'"{found[1]}"', _said(row))

    code = _ARGUMENT.sub(argument, code)
    code = _ANSWERED.sub(field, code)
    code = _CALLED.sub(lambda found: _titled("n", found[1], _signature(found[1], asked, answered)), code, count=1)
    return code + tables


def _code_and_tables(part: str) -> tuple[str, str]:
    first = _SECTION.search(part)
    place = first.start() if first is not None else len(part)
    return part[:place], part[place:]


def _sections(part: str) -> Iterator[tuple[str, str]]:
    """Each table's part of the page, by the name that its heading ends with."""
    headings = list(_SECTION.finditer(part))
    ends = [*(heading.start() for heading in headings), len(part)][1:]
    for heading, end in zip(headings, ends, strict=True):
        yield heading[1], part[heading.start() : end]


def _said(row: re.Match[str]) -> str:
    return "；".join(filter(None, (_plain(row["type"]), _plain(row["required"] or ""), _plain(row["meaning"]))))


def _signature(verb: str, asked: dict[str, re.Match[str]], answered: dict[str, re.Match[str]]) -> str:
    arguments = ", ".join(
        f"{name}{'' if row['required'] else '?'}: {_plain(row['type'])}" for name, row in asked.items()
    )
    response = ", ".join(f"{name}: {_plain(row['type'])}" for name, row in answered.items())
    text = f"{verb}({arguments}) → {{{response}}}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(html: str) -> str:
    return unescape(_TAG.sub("", html)).strip()


def _titled(kind: str, text: str, title: str) -> str:
    return f'<span class="{kind}" title="{escape(title)}">{text}</span>'
