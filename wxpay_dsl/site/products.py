"""The products of the specs, their pages, and their order in the site's navigation. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from wxpay_dsl.core.specs.model import Operation

from .markup import title

__all__ = ["DIALECTS", "FIRST", "Product", "navigation", "place_of", "products"]

#: ``{first name of a chain: title}``, in the order of the navigation.
DIALECTS: Final = {
    "v3": "APIv3",
    "v2": "APIv2",
    "global": "境外 Overseas",
    "hk": "香港 Hong Kong",
    "invoicing": "电子发票 Invoicing",
}
#: The separator of the parts of a title: 基础支付∙账单.
_DOT: Final = "∙"
#: The group that is shown first.
FIRST: Final = "基础支付"


@frozen
class Product:
    """A product of one API: its title, its page, and its operations."""

    dialect: str
    title: str
    #: ``products/v3/edu-papay.md``
    page: str
    operations: tuple[Operation, ...]


def products(operations: Iterable[Operation], folders: Sequence[str]) -> list[Product]:
    """The products of ``operations``, API by API. ``folders``: the folders of the specs."""
    grouped: defaultdict[tuple[str, str], list[Operation]] = defaultdict(list)
    for operation in operations:
        grouped[operation.chain[0], operation.product or operation.chain[1]].append(operation)
    result: list[Product] = []
    used: set[str] = set()
    for (dialect, name), members in grouped.items():
        page = place_of("products", members[0].file, folders, used)
        result.append(Product(dialect, name, page, tuple(members)))
    order = list(DIALECTS)
    return sorted(result, key=lambda made: order.index(made.dialect) if made.dialect in DIALECTS else len(order))


def place_of(kind: str, file: str, folders: Sequence[str], used: set[str]) -> str:
    """The page for the file ``file`` of the specs, stable across versions and not in ``used``, to which it is added."""
    folder = next((folder for folder in folders if Path(file).is_relative_to(folder)), None)
    stem = Path(file).relative_to(folder).with_suffix("").as_posix() if folder is not None else Path(file).stem
    stem = stem.removeprefix(f"{kind}/")
    place, number = f"{kind}/{stem}.md", 2
    while place in used:
        place, number = f"{kind}/{stem}-{number}.md", number + 1
    used.add(place)
    return place


def navigation(of: Iterable[Product]) -> list[Any]:
    """MkDocs' navigation: a part for each API, with the products grouped by the first part of their titles."""
    dialects: defaultdict[str, list[Product]] = defaultdict(list)
    for product in of:
        dialects[product.dialect].append(product)
    return [{title(DIALECTS.get(dialect, dialect)): _grouped(members)} for dialect, members in dialects.items()]


def _grouped(members: Sequence[Product]) -> list[Any]:
    groups: defaultdict[str, list[Product]] = defaultdict(list)
    for product in members:
        groups[_label(product).partition(_DOT)[0]].append(product)
    # First the group that most readers look for, then other groups, then single products.
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
    """The title without the name of the API, which the part of the navigation has."""
    return title(product.title).removeprefix(f"{DIALECTS.get(product.dialect, '')}{_DOT}")
