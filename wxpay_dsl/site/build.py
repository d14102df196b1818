"""Builds the site: Markdown from the specs and the guides, HTML by MkDocs with the Material theme.

The site works without a network: it uses the reader's fonts, and the search runs in the page.
"""

from __future__ import annotations

import errno
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import quote

from wxpay_dsl.client import tree
from wxpay_dsl.core.chain.tree import Tree, spelling
from wxpay_dsl.core.files.atomic_write import atomic_folder
from wxpay_dsl.core.specs.model import Event, Operation
from wxpay_dsl.sandbox.protocol.examples import example

from .markup import title
from .pages import event_page, operation_page, product_page
from .products import FIRST, Product, navigation, place_of, products
from .reference import reference

__all__ = ["MARK", "build", "guides", "write_pages"]

#: The file that marks a folder as this site, which may be overwritten.
MARK: Final = ".wxpay-docs"

_HERE: Final = Path(__file__).parent
#: The folder of the guides, in a wheel and in a checkout.
_GUIDES: Final = (_HERE / "guide", _HERE.parent.parent / "docs" / "guide")
#: Links of a guide to another guide, and to an example or the examples' folder, as written in the repository.
_GUIDE_LINK: Final = re.compile(r"\]\(([\w-]+)\.md(#[^)]*)?\)")
_EXAMPLE_LINK: Final = re.compile(r"\]\(\.\./examples/?(?:([\w/-]+)\.py)?\)")
#: Links to a heading, by its name on GitHub.
_HEADING_LINK: Final = re.compile(r"\]\(([\w-]+\.md)?#([^)]+)\)")
#: The beginning of a page that ranks higher in the search.
_SEARCH_BOOST: Final = "---\nsearch:\n  boost: 1.5\n---\n"
#: The code of the search worker that splits a Chinese query into words.
_QUERY_WORDS: Final = re.compile(r"\[\.\.\.\w+\((\w+),this\.index\.invertedIndex\)\]\.join\(\"\* \"\)")
#: The order of the guides; any other guide follows.
_ORDER: Final = (
    *("endpoint", "settings", "keys", "notifications", "frontend", "errors", "reliability", "going-live", "doctor"),
    *("command-line", "sandbox", "bulk", "sensitive", "uploads", "bills", "merchants", "overseas"),
    *("v2", "signers", "observability", "drift", "speed"),
)
#: The most characters of a title that is treated as one word.
_LONGEST_WORD: Final = 4


def guides() -> Path:
    """The folder of the guides. Raises FileNotFoundError if the installation has none."""
    for folder in _GUIDES:
        if folder.is_dir():
            return folder
    raise FileNotFoundError("this installation contains no guides")


def build(out: Path, specs: Sequence[str] = ()) -> None:
    """Writes the site to the folder ``out``, replacing a previous site there when it is complete.

    ``specs``: folders with further specs. Raises FileExistsError if the folder contains anything but such a site, and
    MkDocs' errors for an invalid page or a dead link.
    """
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config

    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise FileExistsError(errno.EEXIST, "it contains other files than this site: name a new folder", str(out))
    with TemporaryDirectory() as work, atomic_folder(out) as fresh:
        pages = Path(work, "docs")
        write_guides(guides(), pages)
        examples = write_examples(guides().parent / "examples", pages)
        nav = write_pages(tree(specs), pages)
        _add_search_words(tree(specs))
        reference_pages = _write_reference(pages)
        config = load_config(str(_HERE / "mkdocs.yml"), docs_dir=str(pages), site_dir=str(fresh), strict=True)
        config["nav"] = [
            *config["nav"],
            {"指南 Guides": _guides_in_order(pages / "guide")},
            *nav,
            examples,
            reference_pages,
        ]
        # The offline plugin would load its shim for Worker from a CDN; this copy makes the search work offline.
        config.extra["polyfills"] = ["assets/javascripts/iframe-worker.js"]
        _write(pages / config.extra["polyfills"][0], (_HERE / "iframe-worker.js").read_text("utf-8"))
        _write(pages / config["extra_css"][0], (_HERE / "site.css").read_text("utf-8"))
        config.plugins.on_startup(command="build", dirty=False)
        try:
            mkdocs_build(config)
        finally:
            config.plugins.on_shutdown()
        _patch_search_worker(fresh)
        _write(fresh / MARK, "")


def _add_search_words(specs: Tree) -> None:
    """Adds the short titles that the search's tokenizer would split into single characters (预|签约) to its dictionary.

    A search for 预签约 then ranks it before pages that contain 预 or 签约 somewhere.
    """
    import jieba

    words = {operation.summary for operation in specs.operations()}
    for word in sorted(word for word in words if 2 < len(word) <= _LONGEST_WORD):
        if any(len(piece) == 1 for piece in jieba.cut(word)):
            jieba.add_word(word)


def _patch_search_worker(out: Path) -> None:
    """Makes the search worker split a Chinese query as the index is split: at each position, by the longest known word.

    Unpatched, it searches for every word that begins with a single character of the query and ranks 签到 before 预签约
    in a search for 预签约. Raises RuntimeError if the worker of a new version of the theme has different code.
    """
    (worker,) = (out / "assets" / "javascripts" / "workers").glob("search.*.js")
    whole = (_HERE / "query-words.js").read_text("utf-8").strip() + r"(\1,this.index.invertedIndex)"
    text, changed = _QUERY_WORDS.subn(whole, worker.read_text("utf-8"))
    if changed != 1:
        raise RuntimeError(f"{worker.name} splits queries in an unknown way: see _patch_search_worker")
    worker.write_text(text, "utf-8")


def write_guides(guide: Path, folder: Path) -> None:
    """Writes the pages of the guides, with links to other guides and to examples changed to those of the site."""
    from markdown.extensions.toc import slugify  # type: ignore[import-untyped]  # it has no types

    for page in (*guide.glob("*.md"), *guide.parent.glob("security.md")):
        text = _EXAMPLE_LINK.sub(lambda link: f"](../examples/{link[1] or 'index'}.md)", page.read_text("utf-8"))
        # GitHub keeps Chinese in the id of a heading, and MkDocs leaves it out: 主机--hosts is hosts there.
        text = _HEADING_LINK.sub(lambda link: f"]({link[1] or ''}#{slugify(link[2].replace('-', ' '), '-')})", text)
        if page.name == "index.md":
            _write(folder / page.name, _GUIDE_LINK.sub(lambda link: f"](guide/{link[1]}.md{link[2] or ''})", text))
        else:
            # The tables of names in the migration guides mention everything, so they are ranked lower.
            about = "" if page.name.startswith("migrating") else _SEARCH_BOOST
            _write(folder / "guide" / page.name, about + text)
    for picture in guide.glob("*.svg"):
        _write(folder / "guide" / picture.name, picture.read_text("utf-8"))


def write_examples(examples: Path, folder: Path) -> dict[str, list[str]]:
    """Writes a page with the source of each example, and returns their part of the navigation."""
    pages = {
        f"examples/{file.relative_to(examples).with_suffix('').as_posix()}.md": file
        for file in sorted(examples.rglob("*.py"))
    }
    lines = ["# 示例 Examples", ""]
    for place, file in pages.items():
        name, source = file.relative_to(examples).as_posix(), file.read_text("utf-8")
        first = source.partition("\n")[0].strip('"')
        lines.append(f"- [`{name}`]({place.removeprefix('examples/')}) {first}")
        _write(folder / place, f"# {name}\n\n```python\n{source}```\n")
    _write(folder / "examples/index.md", "\n".join(lines) + "\n")
    return {"示例 Examples": ["examples/index.md", *pages]}


def _guides_in_order(folder: Path) -> list[str]:
    """The pages of the guides; MkDocs titles each by its first heading."""
    existing = {file.stem for file in folder.glob("*.md")}
    names = [name for name in _ORDER if name in existing]
    return [f"guide/{name}.md" for name in (*names, *sorted(existing.difference(names)))]


def _write_reference(folder: Path) -> dict[str, list[str]]:
    """Writes a page for each part of the public API, which mkdocstrings fills from the docstrings."""
    places = []
    for part, (heading, names) in reference().items():
        lines = [f"# {heading}", ""]
        for name in names:
            lines += [f"::: {name}", ""]
        places.append(f"reference/{part}.md")
        _write(folder / places[-1], "\n".join(lines))
    return {"参考 Reference": places}


def write_pages(specs: Tree, folder: Path) -> list[Any]:
    """Writes the pages of the specs to ``folder``, and returns their part of the navigation, by product."""
    all_products = products(specs.operations(), specs.folders)
    home = {id(operation): product for product in all_products for operation in product.operations}
    paths: dict[tuple[str, ...], list[Operation]] = defaultdict(list)
    for product in all_products:
        for operation in product.operations:
            paths[operation.chain].append(operation)
    for chain, verbs in paths.items():
        place = _place(chain)
        up = "../" * (place.count("/") + 1)
        product = home[id(verbs[0])]
        page = operation_page(
            verbs[0].path, verbs, example, f"{up}guide/errors.md", (product.title, f"{up}{product.page}")
        )
        _write(folder / f"api/{place}.md", page)
    _write_products(all_products, paths, specs, folder)
    return [*navigation(all_products), {"回调通知 Notifications": _write_events(specs, folder)}]


def _write_products(
    all_products: Sequence[Product], paths: dict[tuple[str, ...], list[Operation]], specs: Tree, folder: Path
) -> None:
    loaded = [file.product() for file in specs.files]
    descriptions = {product.title: product.description for product in loaded if product.description}
    for product in all_products:
        up = "../" * product.page.count("/")
        rows = [
            (operation, f"{up}api/{_place(operation.chain)}.md" + (f"#{operation.verb}" if several else ""))
            for operation in product.operations
            for several in [len(paths[operation.chain]) > 1]
        ]
        _write(folder / product.page, product_page(product.title, descriptions.get(product.title, ""), rows))


def _write_events(specs: Tree, folder: Path) -> list[Any]:
    products_events: dict[str, list[Event]] = defaultdict(list)
    for name in specs.event_names():
        event = specs.event(name)
        if event is not None:
            products_events[event.product or event.name].append(event)
    entries = []
    used: set[str] = set()
    for name, events in sorted(products_events.items(), key=lambda entry: not entry[0].startswith(FIRST)):
        place = place_of("notifications", events[0].file, specs.folders, used)
        guide = "../" * place.count("/") + "guide/notifications.md"
        _write(folder / place, event_page(name, events, example, guide))
        entries.append({title(name): place})
    return entries


def _place(chain: tuple[str, ...]) -> str:
    """The page of a path: its chain, with templates as the chain spells them, encoded for file names."""
    # Characters that file names or links cannot contain on every system are written as ~ and their code.
    names = (quote(spelling(segment).strip('[]"'), safe="").replace("%", "~") for segment in chain)
    return "/".join(name or "_empty_" for name in names)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
