"""All operations for the explorer's list, from the index alone, without reading a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wxpay_dsl.core.chain.describe import chain_text
from wxpay_dsl.core.chain.tree import Declared, Tree

__all__ = ["chains", "rows"]

#: The dialects that are listed first.
_FIRST: Final = ("v3", "v2")


def chains(tree: Tree) -> dict[str, Declared]:
    """Every operation by its chain, in the order of the specs."""
    by_chain = {}
    for declared in tree.declared():
        prefix = tree.chains.get(declared.file.dialect, ())
        by_chain[chain_text((*prefix, *declared.path.split("/")[1:]), declared.verb)] = declared
    return by_chain


def rows(declared: Mapping[str, Declared]) -> list[list[str]]:
    """``[verb, path, title, chain, product]`` of each operation, those of APIv3 and APIv2 first."""
    listed = [[one.verb.upper(), one.path, one.summary, chain, one.file.title] for chain, one in declared.items()]
    return sorted(listed, key=lambda row: _rank(row[3]))


def _rank(chain: str) -> int:
    dialect = chain.partition(".")[0]
    return _FIRST.index(dialect) if dialect in _FIRST else len(_FIRST)
