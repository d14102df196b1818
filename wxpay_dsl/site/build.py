"""Builds the site: Markdown from the specs and the guides, HTML by MkDocs with the Material theme.

Nothing of it needs a network when it is looked at: fonts are the reader's own, the search runs in the page.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from wxpay_dsl.client import tree
from wxpay_dsl.core.model import Event, Operation
from wxpay_dsl.core.tree import Tree, spelling
from wxpay_dsl.sandbox.examples import example

from .pages import event_page, operation_page, product_page

#: ``{family: {title of a product: [(operation, URL of its page)]}}``
Products = defaultdict[str, defaultdict[str, list[tuple[Operation, str]]]]

__all__ = ["build", "guides", "write_pages"]

_HERE: Final = Path(__file__).parent
#: The guides, as a wheel carries them and as a checkout has them.
_GUIDES: Final = (_HERE / "guide", _HERE.parent.parent / "docs" / "guide")
_FAMILIES: Final = {
    "v3": "APIv3",
    "v2": "APIv2",
    "hk": "香港 Hong Kong",
    "global": "境外 Overseas",
    "invoicing": "电子发票 Invoicing",
}


def guides() -> Path:
    """The folder of the guides. Raises FileNotFoundError where the installation has none."""
    for folder in _GUIDES:
        if folder.is_dir():
            return folder
    raise FileNotFoundError("this installation carries no guides")


def build(out: Path, specs: Sequence[str] = ()) -> None:
    """Writes the whole site into ``out``. Raises what MkDocs raises for a page that is wrong, a dead link included."""
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config

    with TemporaryDirectory() as work:
        pages = Path(work, "docs")
        shutil.copytree(guides(), pages / "guide")
        home = pages / "guide" / "index.md"
        if home.exists():
            home.rename(pages / "index.md")
        nav = write_pages(tree(specs), pages)
        config = load_config(str(_HERE / "mkdocs.yml"), docs_dir=str(pages), site_dir=str(out.resolve()), strict=True)
        config["nav"] = [*config["nav"], *nav]
        config.plugins.on_startup(command="build", dirty=False)
        try:
            mkdocs_build(config)
        finally:
            config.plugins.on_shutdown()


def write_pages(specs: Tree, folder: Path) -> list[Any]:
    """Writes the pages of the specs below ``folder`` and gives their part of the navigation: products, not paths."""
    paths: dict[tuple[str, ...], list[Operation]] = defaultdict(list)
    for operation in specs.operations():
        paths[operation.chain].append(operation)
    products: Products = defaultdict(lambda: defaultdict(list))
    for chain, verbs in paths.items():
        place = _place(chain)
        up = "../" * (place.count("/") + 1)
        _write(folder / f"api/{place}.md", operation_page(verbs[0].path, verbs, example, f"{up}guide/errors.md"))
        for operation in verbs:
            anchor = f"#{operation.verb}" if len(verbs) > 1 else ""
            family = products[operation.chain[0]]
            family[operation.product or operation.chain[1]].append((operation, f"../api/{place}.md{anchor}"))
    return [*_write_products(products, specs, folder), {"回调通知 Notifications": _write_events(specs, folder)}]


def _write_products(products: Products, specs: Tree, folder: Path) -> list[Any]:
    loaded = [file.product() for file in specs.files]
    descriptions = {product.title: product.description for product in loaded if product.description}
    nav: list[Any] = []
    for family, titles in products.items():
        entries = []
        for number, (title, operations) in enumerate(titles.items()):
            place = f"products/{family}-{number}.md"
            _write(folder / place, product_page(title, descriptions.get(title, ""), operations))
            entries.append({title: place})
        nav.append({_FAMILIES.get(family, family): entries})
    return nav


def _write_events(specs: Tree, folder: Path) -> list[Any]:
    families: dict[str, list[Event]] = defaultdict(list)
    for name in specs.event_names():
        event = specs.event(name)
        if event is not None:
            families[event.product or event.name].append(event)
    entries = []
    for number, (title, events) in enumerate(families.items()):
        place = f"notifications/{number}.md"
        _write(folder / place, event_page(title, events, example, "../guide/notifications.md"))
        entries.append({title: place})
    return entries


def _place(chain: tuple[str, ...]) -> str:
    """The page of a path: its chain, templates as the chain spells them, safe as names of files."""
    return "/".join(spelling(segment).strip('[]"') or "_empty_" for segment in chain)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
