"""Every code block of the READMEs and the guide does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, PageError, blocks, run_page

pytestmark = pytest.mark.timeout(900)

PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md")])
#: Slow but for the README: the Chinese one has the same blocks.
RUN = [page if page.name == "README.md" else pytest.param(page, marks=pytest.mark.slow) for page in PAGES]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
async def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    assert await run_page(page, tmp_path) == len(list(blocks(page)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_both_readmes_have_the_same_blocks() -> None:
    """Prose is translated; what a reader copies is the same, comments inside apart."""
    english, chinese = (
        [(block.language, block.said, re.sub(r" +# .*", "", block.text)) for block in blocks(ROOT / name)]
        for name in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```python\nawait wxpay.v3.pay.transactions.native.post()\n```\n", "ValidationError"),
        ("```sh\nwxpay call\n```\n", "exit code 2"),
        ("```sh\necho one\n```\n```text\ntwo\n```\n", "expected\ntwo"),
        ("```text\nprinted by nobody\n```\n", "nothing ran"),
        ("<!-- serving -->\n```text\npaid\n```\n", "nothing serves"),
        ("<!-- serve -->\n```sh\necho ready\n```\n<!-- serving -->\n```text\npaid\n```\n", "it ended, expected"),
        ("```yaml\npath: /v3/my\noperations: {/thing: {pots: {}}}\n```\n", "SpecError"),
        ('```toml\nmchld = "1"\n```\n', "ConfigurationError"),
        ("```json\n{\n```\n", "JSONDecodeError"),
        ("```\nwhat is this?\n```\n", "cannot be run"),
        ("<!-- fille: a.py -->\n```python\n```\n", "'fille' is none of"),
        ("<!-- run by: tests/nowhere.py -->\n```sh\nfalse\n```\n", "no such test"),
        ("```python\n", "never closed"),
    ],
)
async def test_a_block_that_does_not_do_what_it_says_is_found(text: str, reason: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(PageError, match=reason):
        await run_page(page, folder)
