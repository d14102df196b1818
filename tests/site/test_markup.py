"""Text of specs in Markdown: it is shown as it stands, and means nothing."""

from __future__ import annotations

import re
from html import unescape

import markdown
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wxpay_dsl.site.markup import code, fenced, links, text, title

EXTENSIONS = ["admonition", "attr_list", "md_in_html", "tables", "toc", "pymdownx.highlight", "pymdownx.superfences"]
#: What Markdown, its extensions, HTML and the theme's templates make something of.
PIECES = [
    *(
        "<script>",
        "</script>",
        "</div>",
        "</p>",
        "<img src=x onerror=y>",
        "<!--",
        "-->",
        "&lt;",
        "&",
        "<",
        ">",
        "<?",
        "]]>",
    ),
    *(
        "`",
        "```",
        "~~~",
        "|",
        "*",
        "_",
        "**",
        "[",
        "]",
        "](",
        "javascript:x",
        ")",
        "{",
        "}",
        "{: #x }",
        "{#x}",
        "\\",
        "!",
    ),
    *(
        "# ",
        "- ",
        "1. ",
        "> ",
        "+ ",
        "!!! note",
        "::: os.system",
        "---",
        "===",
        ":",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "a",
        "付款",
    ),
]
hostile = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def rendered(source: str) -> str:
    return markdown.markdown(source, extensions=EXTENSIONS)


def shown(html: str) -> str:
    """What a reader sees, blanks aside."""
    return "".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def tags(html: str) -> list[str]:
    return re.findall(r"<(\w+)", html)


@given(st.tuples(st.sampled_from(PIECES), hostile).map("".join))
@settings(max_examples=400, deadline=None)
@example("1. a")
def test_text_is_one_paragraph_that_reads_as_it_stands(given: str) -> None:
    html = rendered(f"{text(given)}\n\nend")
    assert {*tags(html)} <= {"p"}
    assert shown(html) == "".join(given.split()) + "end"


@given(hostile, hostile)
def test_a_tables_cell_is_a_cell(one: str, other: str) -> None:
    head = '<div class="fields" markdown>\n\n| a | b |\n| --- | --- |\n'
    html = rendered(f"{head}| {code(one)} | x {text(other)} |\n\n</div>\n\nend")
    assert tags(html) == [*("div", "table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td"), "p"]
    assert shown(html) == "ab" + "".join(one.split()) + "x" + "".join(other.split()) + "end"


@given(hostile)
def test_nothing_ends_a_block_of_code(given: str) -> None:
    html = rendered("\n".join([*fenced("python", f"x\n{given}\nx"), "end"]))
    assert {*tags(html)} <= {"div", "pre", "span", "code", "a", "p"}
    assert html.endswith("<p>end</p>")


@given(hostile)
def test_a_title_has_nothing_that_html_knows(given: str) -> None:
    assert not re.search(r'[<>&"\n]', title(given))


@pytest.mark.parametrize(
    ("page", "linked"),
    [
        ("https://pay.weixin.qq.com/doc/a_b.html", "https://pay.weixin.qq.com/doc/a_b.html"),
        ("http://example.com/?a=1&b=%20", "http://example.com/?a=1&amp;b=%20"),
        ("https://example.com/) [x](javascript:y", "https://example.com/%29%20%5Bx%5D%28javascript:y"),
        ("javascript:alert(1)", None),
        ("JavaScript:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.com", None),
        ("x", None),
    ],
)
def test_only_web_pages_are_links(page: str, linked: str | None) -> None:
    html = rendered("\n".join(links([page])))
    assert re.findall(r'href="([^"]*)"', html) == ([] if linked is None else [linked])
    assert "".join(page.removeprefix("https://").removeprefix("pay.weixin.qq.com/").split()) in shown(html)
