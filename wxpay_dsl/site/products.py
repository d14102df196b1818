"""The products of the specs in the order of the site's navigation, each with the page that it gets. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from wxpay_dsl.core.model import Operation

from .markup import title

__all__ = ["FAMILIES", "FIRST", "Product", "navigation", "place_of", "products"]

#: The families of chains, those of most use first, and what they are called.
FAMILIES: Final = {
    "v3": "APIv3",
    "v2": "APIv2",
    "global": "境外 Overseas",
    "hk": "香港 Hong Kong",
    "invoicing": "电子发票 Invoicing",
}
#: What stands between the parts of a title: 基础支付∙账单.
_DOT: Final = "∙"
#: What most readers look for.
FIRST: Final = "基础支付"


@frozen
class Product:
    """A product of one family: its title, the page of the site, and what one can call."""

    family: str
    title: str
    #: ``products/v3/edu-papay.md``
    page: str
    operations: tuple[Operation, ...]


def products(operations: Iterable[Operation], folders: Sequence[str]) -> list[Product]:
    """The products of ``operations``, family by family. ``folders``: those of the specs."""
    found: defaultdict[tuple[str, str], list[Operation]] = defaultdict(list)
    for operation in operations:
        found[operation.chain[0], operation.product or operation.chain[1]].append(operation)
    made: list[Product] = []
    used: set[str] = set()
    for (family, name), members in found.items():
        page = place_of("products", members[0].file, folders, used)
        made.append(Product(family, name, page, tuple(members)))
    order = list(FAMILIES)
    return sorted(made, key=lambda one: order.index(one.family) if one.family in FAMILIES else len(order))


def place_of(kind: str, file: str, folders: Sequence[str], used: set[str]) -> str:
    """A page for what ``file`` of the specs declares, the same in each version; ``used`` are taken, and it is added."""
    folder = next((folder for folder in folders if Path(file).is_relative_to(folder)), None)
    stem = Path(file).relative_to(folder).with_suffix("").as_posix() if folder is not None else Path(file).stem
    stem = stem.removeprefix(f"{kind}/")
    place, number = f"{kind}/{stem}.md", 2
    while place in used:
        place, number = f"{kind}/{stem}-{number}.md", number + 1
    used.add(place)
    return place


def navigation(of: Iterable[Product]) -> list[Any]:
    """MkDocs' navigation: a part for each family, in it products whose titles begin alike together."""
    families: defaultdict[str, list[Product]] = defaultdict(list)
    for product in of:
        families[product.family].append(product)
    return [{title(FAMILIES.get(family, family)): _grouped(members)} for family, members in families.items()]


def _grouped(members: Sequence[Product]) -> list[Any]:
    groups: defaultdict[str, list[Product]] = defaultdict(list)
    for product in members:
        groups[_label(product).partition(_DOT)[0]].append(product)
    # First what most look for, then the groups, then what stands alone.
    ordered = sorted(groups.items(), key=lambda group: (group[0] != FIRST, len(group[1]) == 1))
    return [
        {_label(alone[0]): alone[0].page}
        if len(alone) == 1
        else {name: [{_within(name, one): one.page} for one in sorted(alone, key=lambda one: _label(one) != name)]}
        for name, alone in ordered
    ]


def _within(group: str, product: Product) -> str:
    return _label(product).removeprefix(group).removeprefix(_DOT) or group


def _label(product: Product) -> str:
    """The title without what the part of the navigation says already."""
    return title(product.title).removeprefix(f"{FAMILIES.get(product.family, '')}{_DOT}")
