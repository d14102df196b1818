"""Adds tooltips to the Python of a page: the type and meaning of each argument, and the signature of the call.

A hook of MkDocs, which calls :func:`on_page_content` for each page. The tooltips are made from the tables of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape, unescape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

__all__ = ["add_tooltips", "on_page_content"]

#: The beginning of the next verb of a path.
_VERB: Final = re.compile(r'(?=<h2 id="(?:get|post|put|patch|delete)")')
_SECTION: Final = re.compile(r'(?=<h[23] id="(path|query|header|body|form|response)(?:_\d+)?")')
#: A top-level field of a section; the fields inside it are indented, so they do not match.
_ROW: Final = re.compile(
    r"<tr>\s*<td><code>(?P<name>[^<]+)</code></td>\s*<td>(?P<type>[^<]*)</td>\s*"
    r"(?:<td>(?P<required>[^<]*)</td>\s*)?<td>(?P<meaning>(?:(?!</td>).)*)</td>\s*</tr>",
    re.DOTALL,
)
_TAG: Final = re.compile(r"<[^>]*>")
_ARGUMENT: Final = re.compile(r'<span class="n">(\w+)</span>(?=<span class="o">=</span>)')
_RETURNED: Final = re.compile(r'(?<=<span class="p">\[</span>)<span class="s2">"(\w+)"</span>')
_CALLED: Final = re.compile(r'<span class="n">(get|post|put|patch|delete)</span>(?=<span class="p">\()')
#: The most characters of a signature.
_LONGEST: Final = 500


def on_page_content(html: str, *, page: Page, **_: Any) -> str:
    """The HTML of a page of an operation with tooltips; other pages unchanged."""
    return add_tooltips(html) if page.file.src_uri.startswith("api/") else html


def add_tooltips(html: str) -> str:
    """The HTML of an operation's page with tooltips, for each of its verbs."""
    return "".join(_add_tooltips(part) for part in _VERB.split(html))


def _add_tooltips(part: str) -> str:
    parameters: dict[str, re.Match[str]] = {}
    returned: dict[str, re.Match[str]] = {}
    code, tables = _code_and_tables(part)
    for name, section in _sections(tables):
        for row in _ROW.finditer(section):
            (returned if name == "response" else parameters).setdefault(unescape(row["name"]), row)
    if not parameters and not returned:
        return part
    arguments = {name.lower().replace("-", "_"): row for name, row in parameters.items()} | parameters

    def argument(match: re.Match[str]) -> str:
        row = arguments.get(match[1]) or arguments.get(match[1].rstrip("_"))
        return match[0] if row is None else _titled("n", match[1], _meaning(row))

    def field(match: re.Match[str]) -> str:
        row = returned.get(match[1])
        return match[0] if row is None else _titled("s2", f'"{match[1]}"', _meaning(row))

    code = _ARGUMENT.sub(argument, code)
    code = _RETURNED.sub(field, code)
    code = _CALLED.sub(lambda match: _titled("n", match[1], _signature(match[1], parameters, returned)), code, count=1)
    return code + tables


def _code_and_tables(part: str) -> tuple[str, str]:
    first = _SECTION.search(part)
    place = first.start() if first is not None else len(part)
    return part[:place], part[place:]


def _sections(part: str) -> Iterator[tuple[str, str]]:
    """``(name of the section, its HTML)`` for each section with a table."""
    headings = list(_SECTION.finditer(part))
    ends = [*(heading.start() for heading in headings), len(part)][1:]
    for heading, end in zip(headings, ends, strict=True):
        yield heading[1], part[heading.start() : end]


def _meaning(row: re.Match[str]) -> str:
    return "；".join(filter(None, (_plain(row["type"]), _plain(row["required"] or ""), _plain(row["meaning"]))))


def _signature(verb: str, parameters: dict[str, re.Match[str]], returned: dict[str, re.Match[str]]) -> str:
    arguments = ", ".join(
        f"{name}{'' if row['required'] else '?'}: {_plain(row['type'])}" for name, row in parameters.items()
    )
    response = ", ".join(f"{name}: {_plain(row['type'])}" for name, row in returned.items())
    text = f"{verb}({arguments}) → {{{response}}}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(html: str) -> str:
    return unescape(_TAG.sub("", html)).strip()


def _titled(kind: str, text: str, title: str) -> str:
    return f'<span class="{kind}" title="{escape(title)}">{text}</span>'
